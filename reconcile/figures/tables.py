"""
The published tables as SQL sees them: Parquet as it is, a CSV with its numbers as such and its strings without a guard.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.files.csv_text import scan_csv
from reconcile.files.duckdb import connected
from reconcile.files.formula_guard import unguarded_sql
from reconcile.files.parquet import scan
from reconcile.schema import ITEMS


@contextlib.contextmanager
def views(
    tables: Mapping[str, Path | pa.Table], *, folder: Path | None = None, memory_limit: str | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with `tables` as views by their names; `folder` and `memory_limit` as for `connected`."""
    with connected(folder, memory_limit) as connection:
        for name, table in tables.items():
            if isinstance(table, pa.Table):
                connection.register(name, table)
                continue
            source = _items_csv(table) if table.suffix == ".csv" else f"FROM {scan(table)}"
            connection.execute(f"CREATE TEMP VIEW {name} AS {source}")
        yield connection


def _items_csv(path: Path) -> str:
    """Return SQL for ITEMS from the CSV that people get."""
    columns = [
        f"{unguarded_sql(field.name)} AS {field.name}"
        if field.type == pa.string()
        else f"{field.name}::BIGINT AS {field.name}"
        if field.type == pa.int64()
        else field.name
        for field in ITEMS
    ]
    return f"SELECT {', '.join(columns)} FROM {scan_csv(path, ITEMS.names)}"
