"""
Breaks by age, in buckets of days: since they were first seen, and since the dates in the data.

Takes ages as they are in the items, or from the dates of both sides. Amounts are minor units per currency.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import duckdb
from msgspec import Meta, Struct

from reconcile.files.duckdb import connected
from reconcile.files.parquet import scan
from reconcile.schema import AT_STAKE_CENTS, AT_STAKE_CURRENCY, Count, Currency, means

_BUCKETS = ((0, 1), (2, 3), (4, 7), (8, 30), (31, 60), (61, 90), (91, None))  # first and last day; the last has no end

NO_DATE = "no date"
"""The bucket of breaks whose rows have no date; it is there where such breaks are."""


class AtStake(Struct, frozen=True):
    """At stake in one currency."""

    currency_code: Currency
    at_stake_cents: Annotated[Count, means("at stake in the breaks")]


class AgingBucket(Struct, frozen=True):
    """Breaks of one age."""

    bucket: Annotated[
        str,
        Meta(
            pattern="^([0-9]+-[0-9]+|over [0-9]+|no date)$",
            description='first and last day ("0-1"), "over 90", or "no date"',
        ),
    ]
    count: Annotated[Count, means("breaks")]
    amounts: Annotated[tuple[AtStake, ...], means("by currency code; null last; empty without breaks")]

    @property
    def days(self) -> tuple[int, int | None] | None:
        """First and last day, the last null where there is no end; null for NO_DATE."""
        if self.bucket == NO_DATE:
            return None
        if self.bucket.startswith("over "):
            return int(self.bucket.removeprefix("over ")) + 1, None
        first, last = self.bucket.split("-")
        return int(first), int(last)


def aging_of(connection: duckdb.DuckDBPyConnection, items: str) -> tuple[AgingBucket, ...]:
    """Return the breaks of `items`, SQL for a table, by days since they were first seen: every bucket, also empty."""
    return _in_buckets(connection, items, "age_days")


def aging_from_data(folder: Path, *, memory_limit: str = "1GB", spill: Path | None = None) -> tuple[AgingBucket, ...]:
    """
    Return the breaks of a run folder by days since their payment's order was placed, as `aging_of` does.

    Where it was not placed, since the payment was created; of an order row alone, since its date: NO_DATE where it has
    none. What does not fit `memory_limit` goes to disk, to `spill` or else in `folder`.
    """
    tables = {name: scan(folder / f"{name}.parquet") for name in ("items", "orders")}
    with connected(spill or folder, memory_limit) as connection:
        return _in_buckets(connection, _DATED.format(**tables), "data_age")


# A row of tomorrow is as old as one of today; `greatest` alone would take a row without date for one.
_DATED = """(
    SELECT *, CASE WHEN dated_on IS NOT NULL THEN greatest(business_date - dated_on, 0) END AS data_age FROM (
        SELECT items.*, coalesce(coalesce(placed_at, payment_created_at)::TIMESTAMP::DATE, ordered_on) AS dated_on
        FROM {items} items LEFT JOIN (
            SELECT source_file, source_line, min(ordered_on) AS ordered_on FROM {orders} orders SEMI JOIN (
                SELECT order_source_file AS source_file, order_source_line AS source_line FROM {items}
                WHERE is_break AND payment_id IS NULL
            ) USING (source_file, source_line) GROUP BY ALL
        ) dates ON payment_id IS NULL AND order_source_file = source_file AND order_source_line = source_line
        WHERE is_break
    )
)"""

_Row = tuple[int | None, str | None, int, int]  # age, currency, breaks, at stake


def _in_buckets(connection: duckdb.DuckDBPyConnection, items: str, age: str) -> tuple[AgingBucket, ...]:
    rows: list[_Row] = connection.execute(
        f"""SELECT {age} AS age, {AT_STAKE_CURRENCY} AS currency_code, count(*), sum({AT_STAKE_CENTS})
            FROM {items} WHERE is_break GROUP BY ALL ORDER BY currency_code NULLS LAST, age"""
    ).fetchall()
    aging = [
        _bucket(
            f"{first}-{last}" if last is not None else f"over {first - 1}",
            [row for row in rows if row[0] is not None and first <= row[0] and (last is None or row[0] <= last)],
        )
        for first, last in _BUCKETS
    ]
    undated = [row for row in rows if row[0] is None]
    return (*aging, _bucket(NO_DATE, undated)) if undated else tuple(aging)


def _bucket(name: str, rows: Sequence[_Row]) -> AgingBucket:
    amounts: dict[str | None, int] = {}
    for _, currency_code, _, cents in rows:
        amounts[currency_code] = amounts.get(currency_code, 0) + cents
    return AgingBucket(name, sum(row[2] for row in rows), tuple(AtStake(*line) for line in amounts.items()))
