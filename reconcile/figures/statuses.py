"""
Items by status and currency: how many, their amounts, what they put at stake, how many are accepted.

Amounts are minor units of the currency beside them; nothing is converted or rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Annotated, NamedTuple

import duckdb
from msgspec import Struct

from reconcile.files.duckdb import text_literal
from reconcile.matching.policy import Kind, Status
from reconcile.money import currency_order
from reconcile.schema import Count, Currency, means

_KINDS = (Kind.OK, Kind.TIMING, Kind.INFO, Kind.BREAK)


class StatusAmounts(Struct, frozen=True):
    """
    The items of one status and currency: each side's amounts are there in that side's own currency.

    An item of two currencies counts in that of what it puts at stake.
    """

    currency_code: Currency
    count: Annotated[Count, means("items that are at stake in this currency")]
    payment_amount_cents: Annotated[int | None, means("sum of the payments; null where there are none")]
    order_amount_cents: Annotated[int | None, means("sum of the order rows; null where there are none")]
    difference_cents: Annotated[int | None, means("sum of payment minus order; null where none is computed")]
    at_stake_cents: Annotated[Count, means("sum of what the items put at stake")]
    accepted_count: Annotated[Count, means("items that people have accepted")] = 0
    accepted_at_stake_cents: Annotated[Count, means("at stake in the accepted ones")] = 0


class StatusLine(Struct, frozen=True):
    """The items of one status."""

    status: Annotated[Status, means("the status")]
    kind: Annotated[Kind, means("its kind")]
    count: Annotated[Count, means("items of all currencies")]
    amounts: Annotated[tuple[StatusAmounts, ...], means("by currency code; null last")]

    @property
    def accepted_count(self) -> int:
        """Items of all currencies that people have accepted."""
        return sum(line.accepted_count for line in self.amounts)


COUNTED = (
    "status",
    "kind",
    "payment_currency_code",
    "order_currency_code",
    "at_stake_currency_code",
    "payment_amount_cents",
    "order_amount_cents",
    "difference_cents",
    "at_stake_cents",
    "accepted_reason",
)
"""Columns of ITEMS that statuses are counted by."""


class CountedItems(NamedTuple):
    """The items of one table, status and set of currencies, added up by SQL."""

    table: str
    status: str
    kind: str
    payment_code: str | None
    order_code: str | None
    code: str | None
    items: int
    payment_cents: int | None
    order_cents: int | None
    difference_cents: int | None
    at_stake_cents: int
    accepted_count: int
    accepted_at_stake_cents: int


def statuses_of(connection: duckdb.DuckDBPyConnection, items: str) -> tuple[StatusLine, ...]:
    """Return the statuses of `items`, SQL for a table, by kind (ok, timing, info, break), then by status."""
    return status_lines(counted(connection, {"items": items})["items"])


def counted(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str]) -> dict[str, list[CountedItems]]:
    """Return for each of `tables` (SQL by name) what `status_lines` are made of, in one query."""
    together = " UNION ALL ".join(
        f"SELECT {text_literal(name)} AS name, {', '.join(COUNTED)} FROM {table}" for name, table in tables.items()
    )
    rows = connection.execute(
        f"""
        SELECT name, status, kind, payment_currency_code, order_currency_code, at_stake_currency_code, count(*),
               sum(payment_amount_cents), sum(order_amount_cents),
               sum(difference_cents), sum(at_stake_cents),
               count(accepted_reason), coalesce(sum(at_stake_cents) FILTER (accepted_reason IS NOT NULL), 0)
        FROM ({together}) GROUP BY ALL
        """
    ).fetchall()
    found: dict[str, list[CountedItems]] = {name: [] for name in tables}
    for row in rows:
        found[row[0]].append(CountedItems(*row))
    return found


def status_lines(rows: Iterable[CountedItems]) -> tuple[StatusLine, ...]:
    """
    Return the statuses that `counted` has found; each side's amounts count in that side's own currency.

    Raises ValueError for a status that does not exist.
    """
    found: dict[tuple[str, str], list[CountedItems]] = {}
    for row in rows:
        found.setdefault((row.status, row.kind), []).append(row)
    lines = [
        StatusLine(Status(status), Kind(kind), sum(row.items for row in of), amounts_of(of))
        for (status, kind), of in found.items()
    ]
    return tuple(sorted(lines, key=lambda line: (_KINDS.index(line.kind), line.status)))


@dataclass(slots=True)
class _Sums:
    count: int = 0
    payment: int | None = None
    order: int | None = None
    difference: int | None = None
    at_stake: int = 0
    accepted: int = 0
    accepted_at_stake: int = 0


def amounts_of(rows: Iterable[CountedItems]) -> tuple[StatusAmounts, ...]:
    """Return the sums of `rows` by currency code, null last: each side's amounts in that side's own currency."""
    by_code: dict[str | None, _Sums] = {}
    for row in rows:
        mine = by_code.setdefault(row.code, _Sums())
        mine.count += row.items
        mine.at_stake += row.at_stake_cents
        mine.accepted += row.accepted_count
        mine.accepted_at_stake += row.accepted_at_stake_cents
        sides = (
            ("payment", row.payment_code, row.payment_cents),
            ("order", row.order_code, row.order_cents),
            ("difference", row.payment_code, row.difference_cents),
        )
        for name, code, cents in sides:
            if cents is not None:
                side = by_code.setdefault(code, _Sums())
                setattr(side, name, (getattr(side, name) or 0) + cents)
    in_order = sorted(by_code.items(), key=lambda one: currency_order(one[0]))
    return tuple(StatusAmounts(code, *astuple(sums)) for code, sums in in_order)
