"""
Whether what people decided about a break still holds: as long as it is what was accepted.

The one place that knows; the runs ask it for the items that they write, the listing of breaks for those that it shows.
How decisions are recorded is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.files.arrow import whole_column
from reconcile.history.decisions import Decision
from reconcile.money import format_amount
from reconcile.schema import Columns, table_schema

ACCEPTANCES = table_schema(
    ("item_id", pa.string(), "break_id or item_id of a break, as in ITEMS"),
    ("place", pa.int64(), "of the decision among all: of two about one break, by its two ids, the later counts"),
    ("stands", pa.bool_(), "it is an acceptance, and not past its last date"),
    ("status", pa.string(), "of the break when it was accepted; it returns when it has another"),
    ("at_stake_cents", pa.int64(), "at stake then, minor units; without a cap it returns with another"),
    ("currency_code", pa.string(), "ISO 4217"),
    ("cap_cents", pa.int64(), "the most it may put at stake and stay accepted; null: exactly at_stake_cents"),
    ("accepted_reason", pa.string(), "why it is accepted"),
    ("accepted_until", pa.date32(), "last business date on which it is accepted; null: no end"),
    ("accepted_for", pa.string(), "status, amount and reason in words"),
    required=("item_id", "place", "stands", "accepted_reason"),
)
"""What was decided last of each break, as known on a business date: at most one row per id."""


def standing(decisions: Iterable[Decision], business_date: date) -> pa.Table:
    """
    Return what is decided on `business_date`, as ACCEPTANCES sorted by item_id: the last decision of each id.

    Decisions of later business dates have no influence, so that a date can be run again and gives the same answer.
    """
    made = [one for one in decisions if one.accepted_on <= business_date]
    last = {one.item_id: one for one in made}
    places = {id_: place for place, id_ in enumerate(dict.fromkeys(one.item_id for one in reversed(made)))}
    rows = [
        {
            "item_id": item_id,
            "place": -places[item_id],
            "stands": one.accepts and (one.until is None or business_date <= one.until),
            "status": one.status,
            "at_stake_cents": one.cents,
            "currency_code": one.currency_code,
            "cap_cents": one.cap_cents,
            "accepted_reason": one.reason,
            "accepted_until": one.until,
            "accepted_for": accepted_for(one),
        }
        for item_id, one in sorted(last.items())
    ]
    return pa.Table.from_pylist(rows, schema=ACCEPTANCES)


def accepted_for(decision: Decision) -> str:
    """Return what `decision` accepted, in words: "missing_order, 10.00 EUR: comes in December"."""
    code, cap = decision.currency_code, decision.cap_cents
    cents = decision.cents if cap is None else cap
    amount = (
        None if cents is None else f"{'' if cap is None else 'up to '}{format_amount(cents, code or '')} {code or ''}"
    )
    what = ", ".join(part.strip() for part in (decision.status, amount) if part)
    return f"{what}: {decision.reason}" if what else decision.reason


class Acceptances:
    """What is decided on a business date: a table of ACCEPTANCES, null where nothing is."""

    def __init__(self, given: pa.Table | None) -> None:
        self._given = (ACCEPTANCES.empty_table() if given is None else given).cast(ACCEPTANCES)

    def columns_of(self, items: Columns) -> Columns:
        """Return `accepted_reason` and `accepted_until` of `items`, and `accepted_for` of what holds no longer."""
        names = ("accepted_reason", "accepted_until", "accepted_for")
        if not self._given.num_rows or not pc.any(items["is_break"]).as_py():
            return {name: pa.nulls(len(items["is_break"]), ACCEPTANCES.field(name).type) for name in names}
        decided = self.decided(items)
        holds = _hold(items, decided)
        wanted: Any = {
            "accepted_reason": holds,
            "accepted_until": holds,
            "accepted_for": pc.and_(decided["stands"], pc.invert(holds)),
        }
        return {name: pc.if_else(wanted[name], decided[name], pa.scalar(None, decided[name].type)) for name in names}

    def hold(self, items: Columns) -> Any:
        """Return for each of `items` whether an acceptance stands: one of it as it is now, or within its cap."""
        return _hold(items, self.decided(items))

    def decided(self, items: Columns) -> Columns:
        """Return what was decided last about each of `items`, as columns of ACCEPTANCES: null where nothing was."""
        given: Any = {name: whole_column(self._given.column(name)) for name in ACCEPTANCES.names}
        by_break, by_item = (self._rows_of(items[name], items["is_break"]) for name in ("break_id", "item_id"))
        is_later: Any = pc.greater(given["place"].take(by_item), given["place"].take(by_break))
        row = pc.if_else(pc.coalesce(is_later, pc.is_null(by_break)), by_item, by_break)
        return {name: given[name].take(row) for name in ACCEPTANCES.names}

    def _rows_of(self, ids: Any, is_break: Any) -> Any:
        """Return the row of what is given about each of `ids`; null where there is none, or no break."""
        named: Any = pc.if_else(is_break, ids, pa.scalar(None, pa.string()))
        return pc.index_in(named, value_set=whole_column(self._given.column("item_id")))


def _hold(items: Columns, decided: Columns) -> Any:
    """Return for each of `items` whether what was `decided` about it is about what it is now."""
    cents: Any = items["at_stake_cents"]
    within = pc.less_equal(cents, decided["cap_cents"])
    same_amount = _unchanged(cents, decided["at_stake_cents"])
    amount = pc.if_else(pc.is_valid(decided["cap_cents"]), pc.fill_null(within, False), same_amount)
    same_status = _unchanged(items["status"], decided["status"])
    same_currency = _unchanged(items["at_stake_currency_code"], decided["currency_code"])
    holds = pc.and_(pc.and_(same_status, amount), same_currency)
    return pc.and_(pc.fill_null(decided["stands"], False), pc.fill_null(holds, False))


def _unchanged(now: Any, then: Any) -> Any:
    """Return where `now` is what it was; where it is not known, it may be anything."""
    return pc.or_(pc.is_null(then), pc.fill_null(pc.equal(now, then), False))
