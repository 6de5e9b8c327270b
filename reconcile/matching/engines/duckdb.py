"""
The matching on DuckDB: plans over Parquet files, and what does not fit the memory on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.files.arrow import ahead
from reconcile.files.duckdb import SQL_TYPES, open_database, path_literal
from reconcile.matching.engines.protocol import Fields, Frame, Source, changed_here

FEW_TEXTS = 250
"""Rows of different strings up to which a source's columns are sorted as numbers of one byte."""


class DuckDBEngine:
    """
    DuckDB, out of core: plans stay lazy over Parquet files, intermediate results spill to `temp_directory`.

    `memory_limit` is DuckDB's own notation ("1GB"); None leaves its default (80 % of the machine's memory).
    """

    def __init__(
        self, *, memory_limit: str | None = None, temp_directory: Path | None = None, threads: int | None = None
    ) -> None:
        self.connection = open_database(
            {
                "memory_limit": memory_limit,
                "temp_directory": None if temp_directory is None else str(temp_directory),
                "threads": threads,
                "preserve_insertion_order": False,
            }
        )
        self.connection.execute("SET TimeZone = 'UTC'")
        self._settled = 0

    def close(self) -> None:
        """Give memory and temporary files back."""
        self.connection.close()

    def from_sql(self, query: str) -> Frame:
        """Return the rows of a SELECT as a lazy frame."""
        return nw.from_native(self.connection.sql(query))

    def from_parquet(self, path: Path, fields: Fields, row: str) -> Frame:
        return self.from_sql(select_from_parquet(path, fields, row))

    def relation(self, frame: Frame) -> duckdb.DuckDBPyRelation:
        """Return the relation that a frame of this engine is."""
        relation: duckdb.DuckDBPyRelation = frame.to_native()
        return relation

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

    def with_rank(self, frame: Frame, name: str, order_by: Sequence[str]) -> Frame:
        return frame.with_row_index(name, order_by=order_by)

    def with_replaced(self, frame: Frame, column: str, pattern: str, with_: str) -> Frame:
        return frame.with_columns(nw.col(column).str.replace_all(pattern, with_))

    def changed_texts(self, texts: Frame, column: str, change: Callable[[str], str | None]) -> Frame | None:
        return changed_here(self, texts, column, change)

    def with_digest(self, frame: Frame, text: str, name: str) -> Frame:
        return nw.from_native(self.relation(frame).project(f'*, md5("{text}") AS "{name}"'))

    def stacked(self, one: Frame, other: Frame) -> Frame:
        # `nw.concat` compares the types first, and plans both frames once more for the time zone of each.
        return nw.from_native(self.relation(one).union(self.relation(other)))

    def sorted(self, frame: Frame, by: Sequence[str], sources: Sequence[Source]) -> Frame:
        # What is sorted lies in memory whole, or on the disk: as enumerations, columns of few strings take a tenth of
        # it.
        types = {name: type_ for source in sources for name, type_ in self._enumerations(*source).items()}
        names = self.relation(frame).columns
        packed = self.relation(frame).project(_casts(names, types))
        in_order = packed.order(", ".join(f'"{name}" NULLS LAST' for name in by))
        return nw.from_native(in_order.project(_casts(names, dict.fromkeys(types, "VARCHAR"))))

    def _enumerations(self, frame: Frame, columns: Sequence[str]) -> dict[str, str]:
        """
        Return a type of one byte for each of `columns`: an enumeration, in the order of its strings; none where there
        are many strings.
        """
        texts = self.relation(frame.select(*columns)).distinct().limit(FEW_TEXTS + 1).to_arrow_table()
        if texts.num_rows > FEW_TEXTS:
            return {}
        self.connection.register("few_texts", texts)
        empty = [name for name in columns if texts.column(name).null_count == texts.num_rows]
        types = {name: f"texts_of_{name}" for name in columns if name not in empty}
        for name, type_ in types.items():
            query = f'SELECT DISTINCT "{name}" FROM few_texts WHERE "{name}" IS NOT NULL ORDER BY "{name}"'
            self.connection.execute(f"CREATE TYPE {type_} AS ENUM ({query})")
        self.connection.unregister("few_texts")
        return types | dict.fromkeys(empty, "BOOLEAN")  # nothing but null, in one byte

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        yield from ahead(iter(frame.to_native().to_arrow_reader(20_480)))


def select_from_parquet(path: Path, fields: Fields, row: str) -> str:
    """Return the SELECT by which DuckDB opens a Parquet file as `FileEngine.from_parquet` does."""
    found = pq.read_schema(path).names
    selected = ", ".join(
        f'CAST({_quoted(field.name) if field.name in found else "NULL"} AS {SQL_TYPES[field.type]}) AS "{ours}"'
        for ours, field in fields.items()
    )
    # The number of a row in its file is the same in every scan, in any order of threads.
    return (
        f'SELECT file_row_number AS "{row}", {selected} FROM read_parquet({path_literal(path)}, file_row_number = true)'
    )


def _casts(names: Sequence[str], types: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}"::{types[name]} AS "{name}"' if name in types else f'"{name}"' for name in names)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
