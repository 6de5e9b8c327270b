"""
Figures by what items share: their market, their payment gateway, and each carried column of the order files.

The lines of one breakdown add up to the statuses, currency by currency. Amounts are minor units of the currency beside
them; nothing is converted or rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import duckdb
from msgspec import Struct

from reconcile.figures.statuses import CountedItems, amounts_of
from reconcile.files.duckdb import text_literal
from reconcile.schema import Count, Currency, means

MOST_VALUES = 50
"""Values of one breakdown that are told one by one: those with the most breaks, then with the most items."""

_COLUMNS = {"market": "market_name", "gateway": "payment_gateway_name"}
_ADDED_UP = """
    CREATE OR REPLACE TEMP TABLE broken_down AS
    SELECT market_name, payment_gateway_name, order_carried, kind, payment_currency_code, order_currency_code,
           at_stake_currency_code, count(*) AS items, sum(payment_amount_cents) AS payment_cents,
           sum(order_amount_cents) AS order_cents, sum(difference_cents) AS difference_cents,
           sum(at_stake_cents) AS at_stake_cents
    FROM {items} GROUP BY ALL
"""
_BY_VALUE = f"""
    WITH valued AS (SELECT coalesce({{value}}, '') AS value, * FROM broken_down), ranked AS (
        SELECT value, row_number() OVER (
            ORDER BY coalesce(sum(items) FILTER (kind = 'break'), 0) DESC, sum(items) DESC, value) AS place
        FROM valued GROUP BY value
    )
    SELECT CASE WHEN place <= {MOST_VALUES} THEN value END AS told, least(place, {MOST_VALUES + 1}) AS rank, kind,
           payment_currency_code, order_currency_code, at_stake_currency_code, sum(items)::BIGINT,
           sum(payment_cents)::HUGEINT, sum(order_cents)::HUGEINT, sum(difference_cents)::HUGEINT,
           sum(at_stake_cents)::HUGEINT, 0, 0
    FROM valued JOIN ranked USING (value) GROUP BY ALL ORDER BY rank
"""


class BreakdownLine(Struct, frozen=True):
    """The items of one value in one currency, each side's amounts in that side's own."""

    value: Annotated[str | None, means('the value; "" for items without one, null for all other values together')]
    currency_code: Currency
    count: Annotated[Count, means("items that are at stake in this currency")]
    payment_amount_cents: Annotated[int | None, means("sum of the payments; null where there are none")]
    order_amount_cents: Annotated[int | None, means("sum of the order rows; null where there are none")]
    difference_cents: Annotated[int | None, means("sum of payment minus order; null where none is computed")]
    breaks: Annotated[Count, means("breaks among them")]
    at_stake_cents: Annotated[Count, means("at stake in those breaks")]


class Breakdown(Struct, frozen=True):
    """All items by one thing that they may share."""

    by: Annotated[Literal["market", "gateway", "carried"], means("what it is; carried: a column of the order files")]
    column: Annotated[str, means("column of items; of what is carried the column of the order files")]
    lines: Annotated[tuple[BreakdownLine, ...], means("the value with the most breaks first, all others last")]

    @property
    def title(self) -> str:
        """What people call it."""
        return {"market": "Market", "gateway": "Payment gateway"}.get(self.by, self.column)


def breakdowns_of(connection: duckdb.DuckDBPyConnection, items: str) -> tuple[Breakdown, ...]:
    """Return the breakdowns of `items`, SQL for a table: those of which any item has a value."""
    connection.execute(_ADDED_UP.format(items=items))
    counts = connection.execute(f"SELECT {', '.join(f'count({one})' for one in _COLUMNS.values())} FROM broken_down")
    filled = zip(_COLUMNS.items(), counts.fetchall()[0], strict=True)
    found = [Breakdown(by, column, _lines(connection, column)) for (by, column), n in filled if n]  # type: ignore[arg-type]
    for name in carried_names(connection, "broken_down"):
        found.append(Breakdown("carried", name, _lines(connection, carried_value(name))))
    connection.execute("DROP TABLE broken_down")
    return tuple(found)


def carried_names(connection: duckdb.DuckDBPyConnection, items: str) -> list[str]:
    """Return the names of the columns that any of `items`, SQL for a table, carries, sorted."""
    query = (
        f"SELECT DISTINCT unnest(json_keys(order_carried)) AS name FROM (SELECT DISTINCT order_carried FROM {items})"
    )
    return sorted(name for (name,) in connection.execute(query).fetchall())


def carried_value(name: str) -> str:
    """Return SQL for the value of the carried column `name`."""
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    return f"json_extract_string(order_carried, {text_literal(pointer)})"


def _lines(connection: duckdb.DuckDBPyConnection, value: str) -> tuple[BreakdownLine, ...]:
    by_value: dict[str | None, list[CountedItems]] = {}
    for told, _, kind, *rest in connection.execute(_BY_VALUE.format(value=value)).fetchall():
        by_value.setdefault(told, []).append(CountedItems("", "", kind, *rest))
    return tuple(line for told, rows in by_value.items() for line in _of_value(told, rows))


def _of_value(value: str | None, rows: Iterable[CountedItems]) -> Iterator[BreakdownLine]:
    every = list(rows)
    breaks = {one.currency_code: one for one in amounts_of(row for row in every if row.kind == "break")}
    for one in amounts_of(every):
        broken = breaks.get(one.currency_code)
        yield BreakdownLine(
            value,
            one.currency_code,
            one.count,
            one.payment_amount_cents,
            one.order_amount_cents,
            one.difference_cents,
            broken.count if broken else 0,
            broken.at_stake_cents if broken else 0,
        )
