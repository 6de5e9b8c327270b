"""
Parquet files, written one way: a fixed schema, fixed settings, under a temporary name until they are whole.

The same rows in the same order give the same bytes, however they were batched on their way here.

And read as tables of this version, though an earlier one has written them: what it did not know is null.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError
from reconcile.files.arrow import compute as pc
from reconcile.files.disk import replacing
from reconcile.files.duckdb import SQL_TYPES, path_literal

ROWS_PER_GROUP = 122_880
TEXT_BYTES_PER_GROUP = 256 << 20  # fewer rows than these where strings are so long that a group would fill the memory
COMPRESSION_LEVEL = 1  # zstd 1 is both faster and smaller than snappy on these tables


class ParquetFile:
    """A Parquet file in the making: `write` batches in order; it appears at its path when the block ends well."""

    def __init__(
        self, writer: pq.ParquetWriter, schema: pa.Schema, rows_per_group: int, beside: ThreadPoolExecutor | None
    ) -> None:
        self.rows = 0
        self._writer = writer
        self._beside = beside
        self._written: Future[None] | None = None
        self._schema = schema
        self._rows_per_group = rows_per_group
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add the rows of `batch`, whose columns are those of the schema, in order."""
        while batch.num_rows:
            room = min(self._rows_per_group - self._waiting_rows, self._fitting(batch))
            taken = batch.slice(0, room)
            self._waiting.append(taken)
            self._waiting_rows += taken.num_rows
            self._waiting_bytes += taken.nbytes
            batch = batch.slice(room)
            if batch.num_rows or self._waiting_rows == self._rows_per_group:
                self.flush()

    def flush(self) -> None:
        """Write what waits as one row group."""
        if self._waiting_rows:
            # One chunk per column: where batches began and ended must not show in the file.
            table = pa.Table.from_batches(self._waiting, schema=self._schema).combine_chunks()
            self._waiting, self._waiting_rows, self._waiting_bytes = [], 0, 0  # gone before the writer takes its own
            self.rows += table.num_rows
            if self._beside is None:
                self._writer.write_table(table, row_group_size=self._rows_per_group)
            else:
                self.settle()  # one at a time: what waits to be written is memory
                write = partial(self._writer.write_table, row_group_size=self._rows_per_group)
                self._written = self._beside.submit(write, table)

    def settle(self) -> None:
        """Wait until all row groups are written that were begun. Raises OSError as the disk does."""
        if self._written is not None:
            self._written.result()

    def _fitting(self, batch: pa.RecordBatch) -> int:
        """Return how many rows of `batch` fit into the group that waits, by the length of their strings."""
        if self._waiting_bytes + batch.nbytes <= TEXT_BYTES_PER_GROUP:  # no less than the strings alone
            return batch.num_rows
        waiting = sum(int(_text_bytes(one).sum()) for one in self._waiting)
        fitting = int(np.searchsorted(np.cumsum(_text_bytes(batch)) + waiting, TEXT_BYTES_PER_GROUP, side="right"))
        return max(fitting, 0 if self._waiting_rows else 1)


def _text_bytes(batch: pa.RecordBatch) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the length of all strings of each row."""
    lengths = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        if pa.types.is_string(column.type):
            lengths += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return lengths


@contextlib.contextmanager
def parquet_file(
    destination: Path,
    schema: pa.Schema,
    *,
    encodings: Mapping[str, str] | None = None,
    rows_per_group: int = ROWS_PER_GROUP,
    beside: bool = False,
) -> Iterator[ParquetFile]:
    """
    Open `destination` for writing; it exists only after the block has ended without an error.

    `encodings` names how columns of mostly different values are stored (`PLAIN`, `DELTA_BINARY_PACKED`): a dictionary
    of them costs more time than all the rest. `rows_per_group` is the unit of memory of whoever streams over the file.
    With `beside` a row group is written by a thread of its own, while the next one comes. Raises OSError as the disk
    does.
    """
    plain = dict(encodings or {})
    dictionary: Any = [name for name in schema.names if name not in plain]  # the stubs know of a bool only
    with (
        replacing(destination) as unfinished,
        pq.ParquetWriter(
            unfinished,
            schema,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            use_dictionary=dictionary,
            column_encoding=plain or None,
        ) as writer,
        ThreadPoolExecutor(max_workers=1) as executor,
    ):
        file = ParquetFile(writer, schema, rows_per_group, executor if beside else None)
        yield file
        file.flush()
        file.settle()


def write_parquet(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    destination: Path,
    *,
    encodings: Mapping[str, str] | None = None,
    rows_per_group: int = ROWS_PER_GROUP,
    beside: bool = False,
) -> int:
    """Write all `batches` to `destination` and return the number of rows; keywords as for `parquet_file`."""
    with parquet_file(destination, schema, encodings=encodings, rows_per_group=rows_per_group, beside=beside) as file:
        for batch in batches:
            file.write(batch)
    return file.rows


def scan(path: Path) -> str:
    """Return the SQL by which DuckDB reads exactly this Parquet file, whatever characters its name holds."""
    return f"read_parquet({path_literal(path)}, hive_partitioning = false)"


def selected(path: Path, schema: pa.Schema, instead: Mapping[str, str] | None = None) -> str:
    """
    Return the SELECT of the columns of `schema` from a Parquet file of this version or an earlier one; see `completed`.

    Raises OutputError as `stored`, OSError or an Arrow error when the file cannot be opened.
    """
    found = stored(path, pq.read_schema(path), schema)
    return f"SELECT {completed(found.names, schema, instead)} FROM {scan(path)}"


def completed(found: Collection[str], schema: pa.Schema, instead: Mapping[str, str] | None = None) -> str:
    """
    Return the columns of `schema` in order, as SQL over a relation that has the columns `found`.

    One that it lacks is what `instead` says of it in SQL, else null, and always of its type.
    """
    known = instead or {}
    return ", ".join(
        f'"{field.name}"'
        if field.name in found
        else f'CAST({known.get(field.name, "NULL")} AS {SQL_TYPES[field.type]}) AS "{field.name}"'
        for field in schema
    )


def stored(path: Path, found: pa.Schema, schema: pa.Schema) -> pa.Schema:
    """
    Return the fields of `schema` that are among those `found` in the file `path`: all, or those of an earlier version.

    Raises OutputError when one is of another type, or lacks though it is never null.
    """
    there = set(found.names)
    for field in schema:
        if found.field(field.name).type != field.type if field.name in there else not field.nullable:
            raise OutputError(
                f"{path}: has no column `{field.name}` of type {field.type}",
                hint="it was written by another version: run `reconcile match` again",
            )
    return pa.schema([field for field in schema if field.name in there])
