"""
What breaks have in common: one difference, one rate, one day, one file. Found in the breaks, said in words.

A pattern is a hint where to look first, not a finding of its own: breaks are counted under each that they share. Only
what at least FEWEST breaks have in common, and a good part of those it could hold for, is worth reporting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import duckdb
import pyarrow as pa
from msgspec import Struct

from reconcile.figures.tables import items_in
from reconcile.files.duckdb import connected
from reconcile.matching.policy import Status
from reconcile.money import format_amount
from reconcile.schema import Count, means

FEWEST = 3
"""Breaks that a pattern has at least."""

_PART = 0.2  # of the breaks that it could hold for
_MOST_TOLD = 5  # of a kind


class Pattern(Struct, frozen=True):
    """What several breaks have in common."""

    kind: Annotated[Literal["difference", "rate", "day", "file"], means("what it is that they share")]
    status: Annotated[Status | None, means("the status of the breaks; null for any")]
    currency_code: Annotated[str | None, means("of a difference; null for other kinds")]
    value: Annotated[int | str, means("a difference in minor units; a rate, a day or a file as text")]
    count: Annotated[Count, means("breaks that have it")]
    of: Annotated[Count, means("breaks that could have it")]
    text: Annotated[str, means("the same in words")]


def find_patterns(items: Path | pa.Table) -> tuple[Pattern, ...]:
    """Return the patterns in `items`, a file or table of ITEMS: the largest first, at most a few of each kind."""
    with connected() as connection:
        return patterns_in(connection, items_in(connection, items))


def patterns_in(connection: duckdb.DuckDBPyConnection, items: str) -> tuple[Pattern, ...]:
    """Return what `find_patterns` does, in `items`, SQL for a table."""
    kinds = (_differences, _rates, _days, _files)
    found = [one for find in kinds for one in find(connection, items)]
    return tuple(sorted(found, key=lambda one: (-one.count, one.kind, str(one.value))))


def _differences(connection: duckdb.DuckDBPyConnection, items: str) -> list[Pattern]:
    rows = connection.execute(
        f"""SELECT order_currency_code, difference_cents, count(*) AS n, any_value(total)
            FROM (SELECT *, count(*) OVER (PARTITION BY order_currency_code) AS total FROM {items}
                  WHERE status = 'amount_mismatch')
            GROUP BY ALL HAVING n >= {FEWEST} AND n >= {_PART} * any_value(total)
            ORDER BY n DESC, order_currency_code, difference_cents LIMIT {_MOST_TOLD}"""
    ).fetchall()
    return [
        Pattern("difference", Status.AMOUNT_MISMATCH, code, cents, n, total,
                 f"{n} pairs differ by exactly {format_amount(cents, code)} {code}")
        for code, cents, n, total in rows
    ]  # fmt: skip


def _rates(connection: duckdb.DuckDBPyConnection, items: str) -> list[Pattern]:
    # A rate only says something where the differences differ, and where the amounts are large enough to show it.
    rows = connection.execute(
        f"""SELECT rate, count(*) AS n, any_value(total) FROM (
                SELECT round(payment_amount_cents::DOUBLE / order_amount_cents, 3) AS rate, difference_cents,
                       count(*) OVER () AS total
                FROM {items} WHERE status = 'amount_mismatch' AND order_amount_cents <> 0 AND payment_amount_cents <> 0
                AND abs(payment_amount_cents) >= 1000 AND abs(order_amount_cents) >= 10)
            WHERE rate NOT BETWEEN 0.99 AND 1.01 GROUP BY rate
            HAVING n >= {FEWEST} AND n >= {_PART} * any_value(total) AND count(DISTINCT difference_cents) > 1
            ORDER BY n DESC, rate LIMIT {_MOST_TOLD}"""
    ).fetchall()
    return [
        Pattern("rate", Status.AMOUNT_MISMATCH, None, f"{rate:.3f}", n, total,
                 f"{n} payments are {rate:.3f} times their order total: a tax, a discount, a unit?")
        for rate, n, total in rows
    ]  # fmt: skip


def _days(connection: duckdb.DuckDBPyConnection, items: str) -> list[Pattern]:
    rows = _crowds(
        connection,
        items,
        "coalesce(placed_at, payment_created_at)::TIMESTAMP::DATE",
        where="payment_id IS NOT NULL AND kind IN ('ok', 'break')",
    )
    return [
        Pattern("day", None, None, day, n, total, f"{n} of {of} payments of {day} are breaks")
        for day, n, of, total in rows
    ]


def _files(connection: duckdb.DuckDBPyConnection, items: str) -> list[Pattern]:
    rows = _crowds(connection, items, "order_source_file", where="order_source_file IS NOT NULL")
    return [
        Pattern("file", None, None, file, n, total, f"{n} of {of} order rows of {file} are breaks")
        for file, n, of, total in rows
    ]


def _crowds(
    connection: duckdb.DuckDBPyConnection, items: str, shared: str, *, where: str
) -> list[tuple[str, int, int, int]]:
    """
    Return the values of the column `shared`, among the items `where`, on which far more break than on others.

    That is three times the part that breaks elsewhere. With each: its breaks, its items, and the breaks of all.
    """
    return connection.execute(
        f"""WITH by_value AS (
                SELECT {shared} AS shared, count(*) AS items, count(*) FILTER (is_break) AS n
                FROM {items} WHERE {where} GROUP BY shared
            ), together AS (SELECT sum(items) AS items, sum(n) AS n FROM by_value)
            SELECT shared::VARCHAR, by_value.n, by_value.items, together.n::BIGINT FROM by_value, together
            WHERE by_value.n >= {FEWEST} AND by_value.n >= {_PART} * together.n AND together.items > by_value.items
              AND by_value.n * (together.items - by_value.items) >= 3 * by_value.items * (together.n - by_value.n)
            ORDER BY by_value.n DESC, by_value.shared LIMIT {_MOST_TOLD}"""
    ).fetchall()
