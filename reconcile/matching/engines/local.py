"""
The engines of this machine, opened: Arrow tables for sides of some thousand rows, DuckDB for large ones.

Each comes with a connection of DuckDB, which measures and proves on both. Spark is opened by `spark`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.files.duckdb import connected
from reconcile.matching.engines.arrow import ArrowEngine
from reconcile.matching.engines.duckdb import DuckDBEngine
from reconcile.matching.engines.protocol import FileEngine, Frame

LARGE_SIDE = 100_000
"""Rows of a side from which DuckDB is the faster engine: planning its queries takes a second, however few rows."""

Relation: TypeAlias = Callable[[Frame], duckdb.DuckDBPyRelation]
"""A frame of the engine as a relation of DuckDB, which measures it."""


class OpenEngine(NamedTuple):
    """An engine, a connection of DuckDB, and how that sees a frame of the engine."""

    engine: FileEngine
    connection: duckdb.DuckDBPyConnection
    relation: Relation


def has_large_side(*rows: int) -> bool:
    """Tell whether sides of so many rows are matched faster by DuckDB."""
    return max(rows) >= LARGE_SIDE


def rows_of(*files: Path) -> tuple[int, ...]:
    """Return the rows of Parquet files; 0 of what is none: what is wrong with it is told when it is opened."""
    return tuple(_rows(file) for file in files)


def _rows(file: Path) -> int:
    try:
        return int(pq.read_metadata(file).num_rows)
    except (OSError, pa.ArrowException):
        return 0


@contextmanager
def arrow_engine(folder: Path | None = None, memory_limit: str | None = None) -> Iterator[OpenEngine]:
    """Give the engine for small sides; `folder` and `memory_limit` are those of the connection."""
    with connected(folder, memory_limit) as connection:
        yield OpenEngine(ArrowEngine(), connection, lambda frame: connection.from_arrow(frame.to_native()))


@contextmanager
def duckdb_engine(
    memory_limit: str | None = None, spill: Path | None = None, threads: int | None = None
) -> Iterator[OpenEngine]:
    """Give the engine for large sides, in a database of its own."""
    engine = DuckDBEngine(memory_limit=memory_limit, temp_directory=spill, threads=threads)
    with closing(engine):
        yield OpenEngine(engine, engine.connection, engine.relation)
