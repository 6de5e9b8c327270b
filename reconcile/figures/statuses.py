"""
Items by status and currency: how many, their amounts, what they put at stake, how many are accepted.

Amounts are minor units of the currency beside them; nothing is converted or rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import duckdb
from msgspec import Struct

from reconcile.files.duckdb import text_literal
from reconcile.matching.policy import Kind, Status
from reconcile.schema import AT_STAKE_CENTS, AT_STAKE_CURRENCY, Count, Currency, means

_KINDS = (Kind.OK, Kind.TIMING, Kind.INFO, Kind.BREAK)


class StatusAmounts(Struct, frozen=True):
    """The items of one status and currency."""

    currency_code: Currency
    count: Annotated[Count, means("items")]
    payment_amount_cents: Annotated[int | None, means("sum of the payments; null where there are none")]
    order_amount_cents: Annotated[int | None, means("sum of the order rows; null where there are none")]
    difference_cents: Annotated[int | None, means("sum of payment minus order; null where none is computed")]
    at_stake_cents: Annotated[
        Count, means("sum of what differs, or of the whole amount where there is nothing to compare it with")
    ]
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
    "payment_amount_cents",
    "order_amount_cents",
    "difference_cents",
    "accepted_reason",
)
"""Columns of ITEMS that statuses are counted by."""


def statuses_of(connection: duckdb.DuckDBPyConnection, items: str) -> tuple[StatusLine, ...]:
    """Return the statuses of `items`, SQL for a table, by kind (ok, timing, info, break), then by status."""
    return status_lines(counted(connection, {"items": items})["items"])


def counted(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str]) -> dict[str, list[list[Any]]]:
    """Return for each of `tables` (SQL by name) what `status_lines` are made of, in one query."""
    together = " UNION ALL ".join(
        f"SELECT {text_literal(name)} AS name, {', '.join(COUNTED)} FROM {table}" for name, table in tables.items()
    )
    rows = connection.execute(
        f"""
        SELECT name, status, kind, {AT_STAKE_CURRENCY} AS currency_code, count(*),
               sum(payment_amount_cents), sum(order_amount_cents),
               sum(difference_cents), sum({AT_STAKE_CENTS}),
               count(accepted_reason), coalesce(sum({AT_STAKE_CENTS}) FILTER (accepted_reason IS NOT NULL), 0)
        FROM ({together}) GROUP BY ALL ORDER BY status, currency_code NULLS LAST
        """
    ).fetchall()
    return {name: [row for table, *row in rows if table == name] for name in tables}


def status_lines(rows: Iterable[list[Any]]) -> tuple[StatusLine, ...]:
    """Return the statuses that `counted` has found. Raises ValueError for one that does not exist."""
    amounts: dict[tuple[str, str], list[StatusAmounts]] = {}
    for status, kind, *sums in rows:
        amounts.setdefault((status, kind), []).append(StatusAmounts(*sums))
    lines = [
        StatusLine(Status(status), Kind(kind), sum(line.count for line in of), tuple(of))
        for (status, kind), of in amounts.items()
    ]
    return tuple(sorted(lines, key=lambda line: (_KINDS.index(line.kind), line.status)))
