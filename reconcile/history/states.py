"""
What a break is to the runs before it and to the people who decided about it: new, open or reopened; accepted or not.

The one place that knows when a break is which. The matching asks it for every batch of items, the listing of breaks
for those that it shows. How decisions are recorded and what earlier runs left is known elsewhere.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.files.arrow import whole_column
from reconcile.schema import ACCEPTANCES, HISTORY, Columns


class States:
    """
    States of the breaks of a run on `business_date`.

    `history` is a table of HISTORY, what earlier runs knew; `acceptances` one of ACCEPTANCES, those that may hold on
    that date. Null where there are none.
    """

    def __init__(
        self, business_date: date, *, history: pa.Table | None = None, acceptances: pa.Table | None = None
    ) -> None:
        self._business_date = business_date
        known = HISTORY.empty_table() if history is None else history.select(HISTORY.names)
        self._known = known.cast(HISTORY).combine_chunks()
        given = ACCEPTANCES.empty_table() if acceptances is None else acceptances
        self._given = given.cast(ACCEPTANCES).combine_chunks()

    @property
    def open_before(self) -> pa.Array[Any]:
        """The item ids of what was a break in the latest run before."""
        was_open: Any = pc.fill_null(whole_column(self._known.column("was_open")), _scalar(False, pa.bool_()))
        return whole_column(self._known.column("item_id")).filter(was_open)

    def columns_of(self, items: Columns) -> Columns:
        """Return the columns of ITEMS from `first_seen_on` to `accepted_until`, by those that `items` has so far."""
        return {**self._seen(items["item_id"], items["is_break"]), **self._accepted(items)}

    def stand(self, items: Columns) -> Any:
        """Return for each of `items` whether an acceptance stands: one of it as it is now, or within its cap."""
        return _hold(items, self._decided(items))

    def _seen(self, item_ids: Any, is_break: Any) -> Columns:
        """When breaks were seen: null for what is no break, `new` for one never seen before."""
        today = _scalar(self._business_date, pa.date32())
        never = pa.nulls(len(item_ids), pa.date32())
        if not self._known.num_rows or not pc.any(is_break).as_py():
            place: Any = pa.nulls(len(item_ids), pa.int32())
        else:
            ids: Any = pc.if_else(is_break, item_ids, _scalar(None, pa.string()))
            place = pc.index_in(ids, value_set=self._known.column("item_id"), skip_nulls=True)
        seen: Columns = {name: self._known.column(name).take(place).combine_chunks() for name in HISTORY.names}
        first_seen_on: Any = pc.if_else(is_break, pc.coalesce(seen["first_seen_on"], today), never)
        day = (self._business_date - date(1970, 1, 1)).days
        days: Any = pc.subtract(_scalar(day, pa.int32()), first_seen_on.cast(pa.int32()))
        reopened: Any = pc.if_else(
            pc.fill_null(seen["was_open"], _scalar(False, pa.bool_())),
            _scalar("open", pa.string()),
            _scalar("reopened", pa.string()),
        )
        state: Any = pc.if_else(pc.is_null(place), _scalar("new", pa.string()), reopened)
        return {
            "first_seen_on": first_seen_on,
            "last_seen_on": pc.if_else(is_break, today, never),
            "age_days": days,
            "state": pc.if_else(is_break, state, _scalar(None, pa.string())),
        }

    def _accepted(self, items: Columns) -> Columns:
        if not self._given.num_rows or not pc.any(items["is_break"]).as_py():
            rows = len(items["is_break"])
            return {"accepted_reason": pa.nulls(rows, pa.string()), "accepted_until": pa.nulls(rows, pa.date32())}
        of = self._decided(items)
        holds = _hold(items, of)
        return {
            "accepted_reason": pc.if_else(holds, of["accepted_reason"], _scalar(None, pa.string())),
            "accepted_until": pc.if_else(holds, of["accepted_until"], _scalar(None, pa.date32())),
        }

    def _decided(self, items: Columns) -> Columns:
        """What was decided about each of `items`, as columns of ACCEPTANCES: null where nothing was."""
        ids: Any = pc.if_else(items["is_break"], items["item_id"], _scalar(None, pa.string()))
        place: Any = pc.index_in(ids, value_set=self._given.column("item_id"), skip_nulls=True)
        return {name: self._given.column(name).take(place).combine_chunks() for name in ACCEPTANCES.names}


def _hold(items: Columns, decided: Columns) -> Any:
    """Return for each of `items` whether what was `decided` about it is about what it is now."""
    cents: Any = items["at_stake_cents"]
    code = items["at_stake_currency_code"]
    same_status = _unchanged(items["status"], decided["status"])
    same_amount = _unchanged(cents, decided["at_stake_cents"])
    within = pc.less_equal(cents, decided["cap_cents"])
    amount = pc.if_else(pc.is_valid(decided["cap_cents"]), pc.fill_null(within, False), same_amount)
    holds = pc.and_(pc.and_(same_status, amount), _unchanged(code, decided["currency_code"]))
    return pc.and_(pc.is_valid(decided["item_id"]), pc.fill_null(holds, False))


def _unchanged(now: Any, then: Any) -> Any:
    """Return where `now` is what it was; where it is not known, it may be anything."""
    return pc.or_(pc.is_null(then), pc.fill_null(pc.equal(now, then), False))


def _scalar(value: object, type_: pa.DataType) -> Any:
    # Any: the stubs of pyarrow take the result of a scalar and an array for a scalar.
    return pa.scalar(value, type_)
