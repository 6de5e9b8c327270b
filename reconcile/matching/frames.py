"""
Frames of the kinds that users have, as tables and back: pandas, Polars (also lazy), Arrow, a relation of DuckDB.

Knows what is a frame and what is none; what its columns must hold, the sides know.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.errors import SettingsError, first_line
from reconcile.matching.sides import bad_side

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

FrameT = TypeVar("FrameT", bound="pd.DataFrame | pl.DataFrame | pl.LazyFrame | pa.Table | duckdb.DuckDBPyRelation")
"""Frames that come back as they were given."""

Frame: TypeAlias = (
    "pd.DataFrame | pl.DataFrame | pl.LazyFrame | pa.Table | pa.RecordBatch | pa.RecordBatchReader "
    "| duckdb.DuckDBPyRelation"
)
"""All frames that are taken."""


def table_of(frame: object, side: str) -> pa.Table:
    """
    Return a frame as a table that nothing done to the frame later changes; a lazy one is computed.

    Raises OrderFileError or PaymentFileError, by `side`, for what is no frame, has no columns, or holds values that are
    not of one kind.
    """
    kind = kind_of(frame)
    if kind is None:
        what, instead = _no_frame(frame, side)
        raise bad_side(side, f"is {what}, not a frame", path=side, hint=instead)
    try:
        table = _TABLES[kind](frame)
    except (pa.ArrowException, duckdb.Error, TypeError, ValueError, OverflowError) as error:
        problem = ": ".join(str(one) for one in reversed(error.args)) or first_line(error)
        hint = "give each column a name of its own, and values of one kind"
        raise bad_side(side, f"cannot be read: {problem}", path=side, hint=hint) from error
    if not table.num_columns:
        raise bad_side(side, "has no columns", path=side, hint="is this the frame that you mean?")
    return _with_whole_numbers(table)


def like(given: FrameT, table: pa.Table) -> FrameT:
    """
    Return `table` as the kind of frame that was given: pandas with Arrow types, Arrow of any form as a table.

    A relation is one of the connection that the given one is of.
    """
    kind = kind_of(given)
    found: Any = _relation(given, table) if kind == "duckdb" else FRAMES.get(kind or "", _as_it_is)(table)
    result: FrameT = found
    return result


def as_pandas(table: pa.Table) -> pd.DataFrame:
    """Return `table` as a frame of pandas with Arrow types: no integer becomes a float."""
    import pandas as pd

    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def as_polars(table: pa.Table) -> pl.DataFrame:
    """Return `table` as a frame of Polars. Raises SettingsError where it is not installed."""
    try:
        import polars as pl
    except ImportError:
        raise SettingsError("frames of Polars need polars, which is not installed", hint="pip install polars") from None
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame), "a table is no column"
    return frame


def _as_it_is(table: pa.Table) -> pa.Table:
    return table


FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "pandas": as_pandas,
    "polars": as_polars,
    "polars lazy": lambda table: as_polars(table).lazy(),
    "arrow": _as_it_is,
}
"""Kinds of frames that a table can become, but for relations, which are of a connection."""


def kind_of(frame: object) -> str | None:
    """Return of which kind a frame is, null where it is none; what is not imported cannot be one."""
    pandas, polars = (sys.modules.get(name) for name in ("pandas", "polars"))
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        return "pandas"
    if polars is not None and isinstance(frame, polars.DataFrame | polars.LazyFrame):
        return "polars" if isinstance(frame, polars.DataFrame) else "polars lazy"
    if isinstance(frame, duckdb.DuckDBPyRelation):
        return "duckdb"
    if isinstance(frame, pa.Table):
        return "arrow"
    if hasattr(frame, "__arrow_c_stream__") or hasattr(frame, "__arrow_c_array__"):
        is_column = isinstance(frame, pa.Array | pa.ChunkedArray) or hasattr(frame, "to_frame")
        return None if is_column else "arrow stream"
    return None


def _from_pandas(frame: Any) -> pa.Table:
    # A copy: Arrow would share the memory of numbers, which may be written to. An index that has a name is a column.
    return pa.Table.from_pandas(frame.copy())


def _relation(given: Any, table: pa.Table) -> Any:
    # By its name in this function; a table of the same name in the connection would be read in its place.
    reconcile_result_d41d8cd98f = table  # noqa: F841
    return given.query("reconcile_given_d41d8cd98f", "SELECT * FROM reconcile_result_d41d8cd98f")


_TABLES: dict[str, Callable[[Any], pa.Table]] = {
    "pandas": _from_pandas,
    "polars": lambda frame: frame.to_arrow(),
    "polars lazy": lambda frame: frame.collect().to_arrow(),
    "duckdb": lambda relation: relation.to_arrow_table(),
    "arrow": lambda table: table,
    "arrow stream": pa.table,
}


def _with_whole_numbers(table: pa.Table) -> pa.Table:
    """Return `table` with decimals without a fraction as integers, where these hold them: sums of DuckDB are such."""
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and not field.type.scale:
            try:
                whole = pc.cast(table.column(at), pa.int64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(at, field.name, whole)
    return table


def _no_frame(given: object, side: str) -> tuple[str, str]:
    """Return what `given` is in words, and what to give in its place."""
    if inspect.iscoroutine(given):
        given.close()  # it will never be awaited
        return "a coroutine", f"write `{side} = await …`, or call the function whose name ends in _sync"
    if isinstance(given, str | Path):
        read = f'reconcile.read_orders("{given}")' if side == "orders" else f'pandas.read_parquet("{given}")'
        return f'the path "{given}"', f"read it first: {side} = {read}"
    kinds = "a frame of pandas or Polars, an Arrow table, or a relation of DuckDB"
    return ("None" if given is None else f"of type {type(given).__name__}"), f"give {kinds}"
