"""
The engine for sides that one machine should not match alone: Spark, on a master that somebody else runs.

What is to be kept is written as Parquet to a folder that the cluster sees, and read again; no side ever comes to this
process, except the finished items, in their order and a batch at a time. What Spark's regular expressions and strings
do in their own way is done by Python on its workers, which need pyarrow and nothing of ours.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import cloudpickle
from pyspark.sql import functions

from reconcile import keys
from reconcile.files.arrow import ahead
from reconcile.files.duckdb import path_literal
from reconcile.matching.engines import protocol
from reconcile.matching.engines.duckdb import select_from_parquet
from reconcile.matching.engines.protocol import Fields, Frame, Source, changes_of
from reconcile.matching.engines.spark_session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_Change: TypeAlias = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]

_BATCH_ROWS = 65_536
_TYPES = {
    pa.string(): "STRING",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.timestamp("ms", tz="UTC"): "TIMESTAMP",
}
_PLACE, _PART, _START = "rank_place", "rank_part", "rank_start"
_PARTS_FROM_BIT = 33  # the number of the partition, in `monotonically_increasing_id`


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a frame comes from: the SELECT by which DuckDB reads it, and the folder of its Parquet, if it was kept."""

    native: DataFrame  # held, so that no other frame gets its id
    select: str
    folder: Path | None = None


class SparkEngine:
    """Spark: plans stay lazy, intermediate results are Parquet in `folder`, which every worker must see."""

    def __init__(self, session: SparkSession, folder: Path) -> None:
        self.session = session
        self.folder = folder
        self._written = 0
        self._sources: dict[int, _Source] = {}

    def from_parquet(self, path: Path, fields: Fields, row: str) -> Frame:
        read = self.session.read.parquet(_address(path))
        found = dict(read.dtypes)
        columns = [
            _read_as(f"`{field.name}`", found[field.name], _TYPES[field.type]).alias(ours)
            if field.name in found
            else functions.lit(None).cast(_TYPES[field.type]).alias(ours)
            for ours, field in fields.items()
        ]
        native = read.select(functions.col("_metadata.row_index").alias(row), *columns)
        return self._known(native, select_from_parquet(path, fields, row))

    def select_of(self, frame: Frame) -> str:
        """Return the SELECT by which DuckDB reads what `frame` is; it is computed and kept where it is not yet."""
        native = frame.to_native()
        if id(native) not in self._sources:
            self._known(native, self.select_of(self.settle(frame)))
        return self._sources[id(native)].select

    def settle(self, frame: Frame) -> Frame:
        return self._kept(frame.to_native())

    def from_arrow(self, table: pa.Table) -> Frame:
        place = self._new_place()
        place.mkdir()
        pq.write_table(table, place / "part-00000.parquet")
        return self._opened(place, ", ".join(f"`{field.name}` {_TYPES[field.type]}" for field in table.schema))

    def to_arrow(self, frame: Frame) -> pa.Table:
        table: pa.Table = frame.to_native().toArrow()
        return table

    def with_rank(self, frame: Frame, name: str, order_by: Sequence[str]) -> Frame:
        # Sorted by as many workers as there are: the place of a row is the rows of all parts before its own, and its
        # place in that one.
        ordered = frame.to_native().sort(*(functions.asc_nulls_first(column) for column in order_by))
        placed = self._kept(ordered.withColumn(_PLACE, functions.monotonically_increasing_id())).to_native()
        part = functions.shiftright(_PLACE, _PARTS_FROM_BIT).cast("BIGINT")
        before, starts = 0, {}
        for number, rows in sorted(placed.groupBy(part).count().collect()):
            starts[int(number)] = before - (int(number) << _PARTS_FROM_BIT)
            before += int(rows)
        table = {_PART: pa.array(list(starts), pa.int64()), _START: pa.array(list(starts.values()), pa.int64())}
        parts = functions.broadcast(self.from_arrow(pa.table(table)).to_native())
        ranked = placed.join(parts, part == functions.col(_PART)).withColumn(
            name, functions.col(_PLACE) + functions.col(_START)
        )
        return _lazy(ranked.drop(_PLACE, _PART, _START))

    def with_replaced(self, frame: Frame, column: str, pattern: str, with_: str) -> Frame:
        native = frame.to_native()
        place = native.columns.index(column)

        def replaced(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            import pyarrow.compute as pc

            for batch in batches:
                texts = pc.replace_substring_regex(batch.column(place), pattern, with_)
                yield batch.set_column(place, batch.schema.field(place), texts)

        return _lazy(_mapped(native, replaced, native.schema))

    def changed_texts(self, texts: Frame, column: str, change: Callable[[str], str | None]) -> Frame | None:
        if not self._rows(texts):
            return None
        some = texts.filter(~nw.col(column).is_null()).select(column).unique()

        def changed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield from changes_of(batch.column(0), change).to_batches()

        schema = "old_text STRING, new_text STRING, is_changed BOOLEAN"
        kept = self.settle(_lazy(_mapped(some.to_native(), changed, schema)))
        return kept if self._rows(kept) else None

    def with_digest(self, frame: Frame, text: str, name: str) -> Frame:
        return _lazy(frame.to_native().withColumn(name, functions.md5(functions.col(text))))

    def stacked(self, one: Frame, other: Frame) -> Frame:
        return nw.concat([one, other])

    def sorted(self, frame: Frame, by: Sequence[str], sources: Sequence[Source]) -> Frame:
        return frame.sort(*by, nulls_last=True)

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        place = self._write(frame.to_native())
        yield from ahead(batch for part in _parts(place) for batch in _batches_of(part))

    def _new_place(self) -> Path:
        self._written += 1
        return self.folder / f"kept-{self._written}"

    def _write(self, native: DataFrame) -> Path:
        place = self._new_place()
        native.write.parquet(f"file://{place}")  # not a pattern, as `_address` of what is read is
        return place

    def _kept(self, native: DataFrame) -> Frame:
        return self._opened(self._write(native), native.schema)

    def _opened(self, place: Path, schema: Any) -> Frame:
        select = f"SELECT * FROM read_parquet({path_literal(place)} || '/*.parquet', hive_partitioning = false)"
        return self._known(self.session.read.schema(schema).parquet(_address(place)), select, place)

    def _known(self, native: DataFrame, select: str, folder: Path | None = None) -> Frame:
        self._sources[id(native)] = _Source(native, select, folder)
        return _lazy(native)

    def _rows(self, settled: Frame) -> int:
        folder = self._sources[id(settled.to_native())].folder
        assert folder is not None, "only what was kept has been counted"
        return sum(pq.read_metadata(part).num_rows for part in _parts(folder))


@contextlib.contextmanager
def spark_engine(master: str, folder: Path, *, input_bytes: int) -> Iterator[SparkEngine]:
    """
    Give an engine on `master`, with a folder of its own in `folder` that is gone afterwards.

    Raises SettingsError when Spark cannot start, OutputError when it stops with an error.
    """
    with tempfile.TemporaryDirectory(prefix=".spark-", dir=folder, ignore_cleanup_errors=True) as kept:
        place = Path(kept).absolute()
        with spark_session(master, input_bytes=input_bytes, log=place / "spark.log") as session:
            for module in (protocol, keys):
                cloudpickle.register_pickle_by_value(module)  # so that workers need nothing of ours
            yield SparkEngine(session, place)


def _lazy(native: DataFrame) -> Frame:
    frame: Frame = nw.from_native(native)
    return frame


def _mapped(native: DataFrame, change: _Change, schema: Any) -> DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of a newer pandas, which no batch of Arrow touches
        return native.mapInArrow(change, schema)


def _read_as(name: str, found: str, type_: str) -> Any:
    if type_ == "TIMESTAMP" and found == "bigint":  # nanoseconds, which Spark has not
        return functions.expr(f"timestamp_micros({name} DIV 1000)")
    return functions.col(name).cast(type_)


def _parts(place: Path) -> list[Path]:
    return sorted(place.glob("part-*.parquet"))


def _batches_of(part: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(part) as file:
        yield from file.iter_batches(_BATCH_ROWS)


def _address(path: Path) -> str:
    """Return the URL of exactly this file or folder: Spark reads {, [, ? and * as a pattern."""
    return "file://" + re.sub(r"([\\{}\[\]*?])", r"\\\1", str(path.absolute()))
