"""
Published tables as SQL reads them: Parquet as it is, a CSV with its numbers as such and its strings without a guard.

Also those of an earlier version, with the columns of this one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.files.csv_text import scan_csv
from reconcile.files.formula_guard import may_be_guarded, unguarded_sql
from reconcile.files.parquet import scan
from reconcile.history.published import item_columns, items_sql
from reconcile.schema import ITEMS


def items_in(connection: duckdb.DuckDBPyConnection, items: Path | pa.Table) -> str:
    """Return SQL by which `connection` reads ITEMS from a Parquet file or a table."""
    if isinstance(items, Path):
        return items_sql(items)
    connection.register("given_items", items)
    return "given_items"


def side_in(connection: duckdb.DuckDBPyConnection, side: Path | pa.Table, name: str) -> str:
    """Return SQL by which `connection` reads a side from a Parquet file, or from a table, which it knows as `name`."""
    if isinstance(side, Path):
        return scan(side)
    connection.register(name, side)
    return name


def items_in_csv(path: Path, columns: Sequence[str], there: Sequence[str] = ITEMS.names) -> str:
    """Return SQL for `columns` of ITEMS from the CSV that people get, which has the columns `there`."""
    is_guarded = may_be_guarded(path)
    read = [
        f"{unguarded_sql(name)} AS {name}"
        if is_guarded and ITEMS.field(name).type == pa.string()
        else f"{name}::BIGINT AS {name}"
        if ITEMS.field(name).type == pa.int64()
        else name
        for name in columns
        if name in there
    ]
    rows = f"(SELECT {', '.join(read)} FROM {scan_csv(path, there)})"
    return rows if set(columns) <= set(there) else f"(SELECT {item_columns(there, columns)} FROM {rows})"


def as_counted(items: str, there: Sequence[str]) -> str:
    """
    Return SQL for `items` as their statuses were counted by the version that wrote them, which had the columns `there`.

    Before `at_stake_currency_code` was one of them, the amounts of both sides counted in the currency of the item.
    """
    if "at_stake_currency_code" in there:
        return items
    sides = (f"at_stake_currency_code AS {side}_currency_code" for side in ("payment", "order"))
    return f"(SELECT * REPLACE ({', '.join(sides)}) FROM {items})"
