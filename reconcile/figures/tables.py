"""
Published tables as SQL reads them: Parquet as it is, a CSV with its numbers as such and its strings without a guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.files.csv_text import scan_csv
from reconcile.files.formula_guard import may_be_guarded, unguarded_sql
from reconcile.files.parquet import scan
from reconcile.schema import ITEMS


def items_in(connection: duckdb.DuckDBPyConnection, items: Path | pa.Table) -> str:
    """Return SQL by which `connection` reads ITEMS from a Parquet file or a table."""
    if isinstance(items, Path):
        return scan(items)
    connection.register("given_items", items)
    return "given_items"


def items_in_csv(path: Path, columns: Sequence[str]) -> str:
    """Return SQL for `columns` of ITEMS from the CSV that people get."""
    is_guarded = may_be_guarded(path)
    read = [
        f"{unguarded_sql(name)} AS {name}"
        if is_guarded and ITEMS.field(name).type == pa.string()
        else f"{name}::BIGINT AS {name}"
        if ITEMS.field(name).type == pa.int64()
        else name
        for name in columns
    ]
    return f"(SELECT {', '.join(read)} FROM {scan_csv(path, ITEMS.names)})"
