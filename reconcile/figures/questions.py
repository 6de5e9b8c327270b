"""
Questions about breaks: those that fit conditions, in an order, what they come to by currency, what they share.

Amounts of two currencies are neither compared nor added up: the largest breaks are those of each currency.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import duckdb
import pyarrow as pa

from reconcile.figures.conditions import ALL_ITEMS, NAMED, Conditions, name_sql, unknown
from reconcile.figures.patterns import Pattern, patterns_in
from reconcile.money import CURRENCIES
from reconcile.schema import BREAKS_ORDER

_BY_AMOUNT = (
    "at_stake_cents = 0, "
    "row_number() OVER (PARTITION BY at_stake_currency_code ORDER BY at_stake_cents DESC, item_id), "
    "at_stake_currency_code NULLS LAST"
)
"""
The order of the largest, SQL over ITEMS: that of each currency, then the second largest of each, and so on.

What puts nothing at stake comes last.
"""

SORT_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "age": "age_days DESC NULLS LAST",
        "data-age": "data_age_days DESC NULLS LAST",
        "amount": _BY_AMOUNT,
        "status": "status",
        "reference": "reference NULLS LAST",
        **{name: f"{column} NULLS LAST" for name, column in NAMED.items()},
    }
)
"""What breaks can be sorted by, as SQL over ITEMS: the oldest and the largest first."""


@dataclass(frozen=True, slots=True)
class CurrencySum:
    """Breaks that put something at stake in one currency (null: in none that is known)."""

    currency_code: str | None
    count: int
    at_stake_cents: int


def sorted_breaks(
    connection: duckdb.DuckDBPyConnection, breaks: str, order: Sequence[str] = (), *, most: int | None = None
) -> pa.Table:
    """
    Return `breaks`, SQL for a table, by `order`, names of SORT_KEYS, then by BREAKS_ORDER; `most` of them, if given.

    Raises SettingsError for a name that is none of SORT_KEYS.
    """
    for name in order:
        if name not in SORT_KEYS:
            raise unknown(name, "--sort", "sort key", SORT_KEYS)
    by = ", ".join([*(SORT_KEYS[name] for name in order), BREAKS_ORDER])
    limit = "" if most is None else f"LIMIT {most}"
    table: pa.Table = connection.sql(f"SELECT * FROM {breaks} ORDER BY {by} {limit}").to_arrow_table()
    return table


def sums_of(connection: duckdb.DuckDBPyConnection, breaks: str) -> tuple[CurrencySum, ...]:
    """Return what `breaks`, SQL for a table, come to, by currency code, null last."""
    rows = connection.execute(
        f"""SELECT at_stake_currency_code AS code, count(*), coalesce(sum(at_stake_cents), 0)
            FROM {breaks} GROUP BY code ORDER BY code NULLS LAST"""
    ).fetchall()
    return tuple(CurrencySum(*row) for row in rows)


def check_names(connection: duckdb.DuckDBPyConnection, items: str, asked: Conditions) -> None:
    """
    Look for the names that are `asked` for among all of `items`, SQL for a table.

    Raises SettingsError for a market, gateway, payment method or currency that is not there, with those that are.
    """
    for noun, column in NAMED.items():
        for name in getattr(asked, noun):
            if name is None or (noun == "currency" and name.upper() in CURRENCIES):
                continue
            if not connection.execute(f"SELECT 1 FROM {items} WHERE {name_sql(column, name)} LIMIT 1").fetchall():
                there = connection.execute(f"SELECT DISTINCT {column} FROM {items} WHERE {column} IS NOT NULL")
                raise unknown(name, f"--{noun}", f"{noun} in the run", (str(one) for (one,) in there.fetchall()))


def shared_by(
    connection: duckdb.DuckDBPyConnection, items: str, chosen: str, asked: Conditions = ALL_ITEMS
) -> tuple[Pattern, ...]:
    """
    Return what the breaks `chosen` of `items` have in common, but for what was `asked`; both are SQL for a table.

    What is told of days and files, against their other items, is left out: it would leave out the other breaks.
    """
    is_chosen = f"item_id IN (SELECT item_id FROM {chosen})"
    # A break that was not chosen stays an item, but none that shares anything.
    connection.execute(
        f"""CREATE OR REPLACE TEMP VIEW questioned AS
            SELECT * REPLACE (is_break AND {is_chosen} AS is_break,
                              CASE WHEN NOT is_break OR {is_chosen} THEN status END AS status) FROM {items}"""
    )
    found = patterns_in(connection, "questioned")
    return tuple(one for one in found if one.status is not None and one.kind not in asked.asked)
