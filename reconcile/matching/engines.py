"""
Where the matching runs: the few things an engine does in its own way.

The matching itself (`passes`, `ladder`) is one narwhals expression. An engine opens the two tables as lazy frames,
computes an intermediate frame once and keeps it, digests a text, and hands out the finished rows in order.
A further engine is one more class with these methods, and a line in the front door.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa

from reconcile.sql import path_literal

Frame: TypeAlias = nw.LazyFrame[Any]


class Engine(Protocol):
    """One place to run the matching."""

    def settle(self, frame: Frame) -> Frame:
        """Compute `frame` once and keep it: a lazy plan would run again on each of its uses."""
        ...

    def from_arrow(self, table: pa.Table) -> Frame:
        """Return a small table of ours as a frame of this engine."""
        ...

    def to_arrow(self, frame: Frame) -> pa.Table:
        """Return a small frame as a table."""
        ...

    def with_digest(self, frame: Frame, text: str, name: str) -> Frame:
        """Return `frame` with the column `name`: MD5 of the UTF-8 bytes of the column `text`, 32 hex digits."""
        ...

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """Compute `frame` and yield its rows in its order."""
        ...


class DuckDBEngine:
    """
    DuckDB, out of core: plans stay lazy over Parquet files, intermediate results spill to `temp_directory`.

    `memory_limit` is DuckDB's own notation ("1GB"); None leaves its default (80 % of the machine's memory).
    """

    def __init__(
        self, *, memory_limit: str | None = None, temp_directory: Path | None = None, threads: int | None = None
    ) -> None:
        settings: dict[str, str | bool | int | float | list[str]] = {"preserve_insertion_order": False}
        if memory_limit is not None:
            settings["memory_limit"] = memory_limit
        if temp_directory is not None:
            settings["temp_directory"] = str(temp_directory)
        if threads is not None:
            settings["threads"] = threads
        self.connection = duckdb.connect(config=settings)
        self.connection.execute("SET TimeZone = 'UTC'")
        self._settled = 0

    def close(self) -> None:
        """Give memory and temporary files back."""
        self.connection.close()

    def from_sql(self, query: str) -> Frame:
        """Return the rows of a SELECT as a lazy frame."""
        return nw.from_native(self.connection.sql(query))

    def relation(self, frame: Frame) -> duckdb.DuckDBPyRelation:
        """Return the relation that a frame of this engine is."""
        relation: duckdb.DuckDBPyRelation = frame.to_native()
        return relation

    def scan(self, path: Path) -> duckdb.DuckDBPyRelation:
        """Open one Parquet file."""
        return self.connection.sql(f"SELECT * FROM read_parquet({path_literal(path)})")

    def settle(self, frame: Frame) -> Frame:
        self._settled += 1
        name = f"settled_{self._settled}"
        frame.to_native().create(name)
        return nw.from_native(self.connection.table(name))

    def from_arrow(self, table: pa.Table) -> Frame:
        self._settled += 1
        name = f"given_{self._settled}"
        self.connection.register(name, table)
        return nw.from_native(self.connection.table(name))

    def to_arrow(self, frame: Frame) -> pa.Table:
        table: pa.Table = frame.to_native().to_arrow_table()
        return table

    def with_digest(self, frame: Frame, text: str, name: str) -> Frame:
        return nw.from_native(self.relation(frame).project(f'*, md5("{text}") AS "{name}"'))

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        yield from ahead(iter(frame.to_native().to_arrow_reader(122_880)))


class ArrowEngine:
    """Arrow tables in memory: what pandas frames with Arrow types are made of, without a copy."""

    def settle(self, frame: Frame) -> Frame:
        return frame  # computed already: narwhals runs each step on Arrow tables at once

    def from_arrow(self, table: pa.Table) -> Frame:
        return nw.from_native(table).lazy()

    def to_arrow(self, frame: Frame) -> pa.Table:
        table: pa.Table = frame.to_native()
        return table

    def with_digest(self, frame: Frame, text: str, name: str) -> Frame:
        table = self.to_arrow(frame)
        return self.from_arrow(table.append_column(name, md5_texts(table, text)))

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        yield from self.to_arrow(frame).to_batches()


def md5_texts(table: pa.Table, text: str) -> pa.Array[pa.StringScalar]:
    """Return the MD5 of the UTF-8 bytes of each text of a column as 32 hex digits, row by row."""
    with duckdb.connect() as connection:  # ten times as fast as a loop over hashlib, and in the order of the rows
        digests = connection.from_arrow(table.select([text])).project(f'md5("{text}") AS digest').to_arrow_table()
        found: pa.Array[pa.StringScalar] = digests.column("digest").combine_chunks()
        return found


def ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the same batches; the next one is computed in a thread of its own while the reader works on this one."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        coming = executor.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = executor.submit(next, batches, None)
            yield batch
