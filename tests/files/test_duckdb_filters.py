"""
What DuckDB answers about Parquet files as this program writes them, compared with what stands in them.

A canary for releases that the lock files must not name. DuckDB 2.0.0 kept every row where one column `IS NULL` and was
stored without a dictionary; a development version lost rows of joins that went to disk (duckdb/duckdb#25702).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from reconcile.files.duckdb import path_literal
from reconcile.files.parquet import scan, write_parquet
from reconcile.schema import UTC_MS

COLUMNS: dict[str, tuple[pa.DataType, Any, Any]] = {
    "text": (pa.string(), "R1", "R2"),
    "amount": (pa.int64(), -5, 700),
    "flag": (pa.bool_(), False, True),
    "day": (pa.date32(), date(2026, 11, 1), date(2026, 11, 20)),
    "moment": (UTC_MS, datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)),
}
QUESTIONS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "{x} IS NULL": lambda x, low, high: x is None,
    "{x} IS NOT NULL": lambda x, low, high: x is not None,
    "NOT ({x} IS NULL)": lambda x, low, high: x is not None,
    "{x} = $low": lambda x, low, high: x == low,
    "{x} <> $low": lambda x, low, high: x is not None and x != low,
    "{x} IS DISTINCT FROM $low": lambda x, low, high: x != low,
    "{x} IN ($low, $high)": lambda x, low, high: x is not None,
    "{x} NOT IN ($low)": lambda x, low, high: x == high,
    "{x} > $low": lambda x, low, high: x == high,
    "{x} = $low OR {x} IS NULL": lambda x, low, high: x is None or x == low,
    "coalesce({x}, $low) = $low": lambda x, low, high: x is None or x == low,
}
ORDERS_OF_VALUES = {
    "null last": (0, None),
    "null first": (None, 0),
    "nulls only": (None, None),
    "none": (0, 1),
    "mixed": (0, None, 1, None, 0, 1, None),
    "more than a vector": (None, *(0, 1, 1) * 1_500, None),
}


@pytest.mark.parametrize("values", ORDERS_OF_VALUES.values(), ids=ORDERS_OF_VALUES)
@pytest.mark.parametrize("stored", ["dictionary", "PLAIN"])
def test_a_filter_keeps_the_rows_it_says(values: tuple[int | None, ...], stored: str, tmp_path: Path) -> None:
    schema = pa.schema([("row", pa.int64()), *((name, type_) for name, (type_, _, _) in COLUMNS.items())])
    rows = [
        {"row": row, **{name: None if v is None else COLUMNS[name][1 + v] for name in COLUMNS}}
        for row, v in enumerate(values)
    ]
    path = tmp_path / "a.parquet"
    plain = {} if stored == "dictionary" else dict.fromkeys(COLUMNS, stored)
    write_parquet([pa.RecordBatch.from_pylist(rows, schema)], schema, path, encodings=plain)

    with contextlib.closing(duckdb.connect()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, (_, low, high) in COLUMNS.items():
            for question, holds in QUESTIONS.items():
                asked = question.format(x=name)
                given = {key: value for key, value in (("low", low), ("high", high)) if f"${key}" in asked}
                found = connection.execute(f"SELECT row FROM {scan(path)} WHERE {asked}", given).fetchall()
                expected = [row["row"] for row in rows if holds(row[name], low, high)]

                assert sorted(row for (row,) in found) == expected, (asked, given)


@pytest.mark.parametrize("memory_limit", ["1GB", "60MB"])
def test_a_join_that_goes_to_disk_keeps_its_rows(memory_limit: str, tmp_path: Path) -> None:
    """A join tells the scan of its other side what to leave out: it must know all of its own side before."""
    with contextlib.closing(duckdb.connect(config={"memory_limit": memory_limit, "threads": 1})) as connection:
        connection.execute("SET temp_directory = $folder", {"folder": str(tmp_path)})
        for name, step in (("left", 7_919), ("right", 104_729)):
            rows = f"SELECT 'R' || i * {step} % 500_000 AS key, i AS place FROM range(500_000) t(i)"
            connection.execute(f"COPY ({rows}) TO {path_literal(tmp_path / name)} (FORMAT parquet)")
        one, other = (scan(tmp_path / name) for name in ("left", "right"))
        query = f"SELECT count(*), count(DISTINCT key) FROM {one} AS one JOIN {other} AS other USING (key)"
        found = connection.execute(query).fetchall()

    assert found == [(500_000, 500_000)]
