"""
What breaks have in common: one difference, one rate, one day, one file, one payment method. Said in words.

A pattern is a hint where to look first, not a finding of its own: breaks are counted under each that they share. Only
what at least FEWEST breaks have in common, and a good part of those it could hold for, is worth reporting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import duckdb
import pyarrow as pa
from msgspec import Struct

from reconcile.figures.breakdown import carried_names, carried_value
from reconcile.figures.rates import shared_rates
from reconcile.figures.tables import items_in
from reconcile.files.duckdb import connected
from reconcile.matching.policy import LABEL_OF, Status
from reconcile.money import format_amount
from reconcile.schema import Count, means

FEWEST = 3
"""Breaks that a pattern has at least."""

ANOTHER = "another"
"""Value of an attribute that breaks of one status have, and no matched item."""

_PART = 0.2  # of the breaks that it could hold for
_PART_OF_STATUS = 0.5  # of the breaks of one status, which have more in common by themselves
_MOST_TOLD = 5  # of a kind
_DAY = "business_date - data_age_days"


class _Attribute(NamedTuple):
    """What breaks of one status may be alike in: SQL for it, and the words for a value, and for another than usual."""

    kind: Literal["method", "gateway", "market", "file", "day", "carried"]
    column: str
    words: str
    others: str | None = None
    told_as: str = "{}"


_ATTRIBUTES = (
    _Attribute(
        "method", "order_method", 'have the payment method "{}"', "have a payment method that no matched item has"
    ),
    _Attribute(
        "gateway", "payment_gateway_name", 'have the payment gateway "{}"', "have a gateway that no matched item has"
    ),
    _Attribute("market", "market_name", 'are of the market "{}"', "are of a market that no matched item is of"),
    _Attribute("file", "order_source_file", "are rows of {}"),
    _Attribute("day", _DAY, "are of {}"),
)


class Pattern(Struct, frozen=True):
    """What several breaks have in common."""

    kind: Annotated[
        Literal["difference", "rate", "day", "file", "method", "gateway", "market", "carried"],
        means("what it is that they share; carried: the value of a carried column of the order files"),
    ]
    status: Annotated[Status | None, means("the status of the breaks; null for any")]
    currency_code: Annotated[str | None, means("of a difference; null for other kinds")]
    value: Annotated[
        int | str,
        means('a difference in minor units, all else as text; "another" where it is one that no matched item has'),
    ]
    count: Annotated[Count, means("breaks that have it")]
    of: Annotated[Count, means("breaks that could have it")]
    text: Annotated[str, means("the same in words")]


def find_patterns(items: Path | pa.Table) -> tuple[Pattern, ...]:
    """Return the patterns in `items`, a file or table of ITEMS: the largest first, at most a few of each kind."""
    with connected() as connection:
        return patterns_in(connection, items_in(connection, items))


def patterns_in(connection: duckdb.DuckDBPyConnection, items: str) -> tuple[Pattern, ...]:
    """Return what `find_patterns` does, in `items`, SQL for a table."""
    counts = dict(connection.execute(f"SELECT status, count(*) FROM {items} WHERE is_break GROUP BY status").fetchall())
    if sum(counts.values()) < FEWEST:
        return ()
    of_pairs = (_differences, _rates) if counts.get(Status.AMOUNT_MISMATCH, 0) >= FEWEST else ()
    found = [one for find in (*of_pairs, _days, _files) for one in find(connection, items)]
    told = {(one.kind, one.value) for one in found}
    found += [one for one in _attributes(connection, items) if (one.kind, one.value) not in told]
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
    return [
        Pattern("rate", Status.AMOUNT_MISMATCH, None, rate.text, rate.count, rate.of,
                 f"{rate.count} payments are {rate.text} times their order total: a tax, a discount, a unit?")
        for rate in shared_rates(connection, items, fewest=FEWEST, part=_PART, most=_MOST_TOLD)
    ]  # fmt: skip


def _days(connection: duckdb.DuckDBPyConnection, items: str) -> list[Pattern]:
    rows = _crowds(
        connection,
        items,
        _DAY,
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


def _attributes(connection: duckdb.DuckDBPyConnection, items: str) -> list[Pattern]:
    """What breaks of one status have in common."""
    found = []
    every = (*_ATTRIBUTES, *map(_carried, carried_names(connection, items)))
    values = ", ".join(f"count({one.column})" for one in every)
    (breaks,) = connection.execute(f"SELECT {values} FROM {items} WHERE is_break").fetchall()
    for one in (one for one, count in zip(every, breaks, strict=True) if count >= FEWEST):
        alike = [
            (status, value, one.words.format(value), n, total)
            for status, value, n, total in _alike(connection, items, one.column)
        ]
        if one.others is not None:
            unlike = _unlike(connection, items, one.column)
            alike += [(status, ANOTHER, one.others, n, total) for status, n, total in unlike]
        for status, value, told, n, total in alike:
            text = f'{n} of {total} breaks "{LABEL_OF[status]}" {told}'
            found.append(Pattern(one.kind, Status(status), None, one.told_as.format(value), n, total, text))
    return found


def _carried(name: str) -> _Attribute:
    literal = name.replace("{", "{{").replace("}", "}}")
    words = (f'have "{{}}" as {literal}', f"have a {name} that no matched item has", f"{literal}: {{}}")
    return _Attribute("carried", carried_value(name), *words)


def _alike(connection: duckdb.DuckDBPyConnection, items: str, column: str) -> list[tuple[str, str, int, int]]:
    """
    Return values of `column` that most breaks of one status have, far more often than all other items.

    With each: the status, the value, the breaks that have it, and all breaks of the status that have any.
    """
    return connection.execute(
        f"""WITH by_value AS (
                SELECT {column} AS shared, count(*) AS items FROM {items} WHERE {column} IS NOT NULL GROUP BY shared
            ), breaks AS (
                SELECT status, {column} AS shared, count(*) AS n, sum(n) OVER (PARTITION BY status) AS total
                FROM {items} WHERE is_break AND {column} IS NOT NULL GROUP BY status, shared
            ), together AS (SELECT sum(items) AS items FROM by_value)
            SELECT status, shared::VARCHAR, n, total::BIGINT FROM breaks JOIN by_value USING (shared), together
            WHERE n >= {FEWEST} AND n >= {_PART_OF_STATUS} * total AND together.items > by_value.items
              AND n * (together.items - by_value.items) >= 3 * by_value.items * (total - n)
            ORDER BY n DESC, status, shared LIMIT {_MOST_TOLD}"""
    ).fetchall()


def _unlike(connection: duckdb.DuckDBPyConnection, items: str, column: str) -> list[tuple[str, int, int]]:
    """
    Return the statuses of which most breaks have a value in `column` that no matched item has, and not all the same.

    With each: the breaks that do, and all breaks of the status that have any value.
    """
    return connection.execute(
        f"""WITH usual AS (SELECT DISTINCT {column} AS shared FROM {items} WHERE kind = 'ok' AND {column} IS NOT NULL)
            SELECT status, count(*) FILTER (NOT is_usual) AS n, count(*) AS total
            FROM (SELECT status, {column} AS shared, {column} IN (SELECT shared FROM usual) AS is_usual
                  FROM {items} WHERE is_break AND {column} IS NOT NULL)
            WHERE EXISTS (SELECT 1 FROM usual)
            GROUP BY status HAVING n >= {FEWEST} AND n >= {_PART_OF_STATUS} * total
            AND count(DISTINCT shared) FILTER (NOT is_usual) > 1 ORDER BY n DESC, status LIMIT {_MOST_TOLD}"""
    ).fetchall()
