"""
Arrow columns: the one type that a column has here, Arrow's functions over it, and columns made of Python values; and
tables that come in parts.

`compute` is `pyarrow.compute` without its stubs: their overloads are by element type, which a column read from a file
does not have before the program runs. `pyarrow.array` and `pyarrow.scalar` load pandas to find out whether they were
given some of its objects, which takes as long as pulling ten thousand payments: a room that must start fast makes its
columns here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    Column: TypeAlias = pa.Array[Any]
else:
    Column = pa.Array  # not subscriptable when it runs

compute: Any = pyarrow.compute
Numbers: TypeAlias = np.ndarray[Any, Any]
Part = TypeVar("Part", pa.RecordBatch, pa.Table)


def whole_column(chunks: Any) -> Column:
    """Return the one array that a chunked column (`pyarrow.ChunkedArray`) holds."""
    column: Column = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
    return column


def text_bytes(column: Column) -> tuple[Numbers, Numbers]:
    """Return where each text of `column` begins and the last one ends, and the bytes in which they stand."""
    _, offsets, data = column.buffers()
    if offsets is None or data is None:
        return np.zeros(len(column) + 1, np.int32), np.empty(0, np.uint8)
    starts: Numbers = np.frombuffer(memoryview(offsets), np.int32)[column.offset : column.offset + len(column) + 1]
    return starts, np.frombuffer(memoryview(data), np.uint8)


def text_column(values: Sequence[str | None]) -> Column:
    """Return `values` as a column of text."""
    encoded = [value.encode() if value is not None else b"" for value in values]
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, encoded), np.int32, len(encoded)), out=offsets[1:])
    present = np.fromiter((value is not None for value in values), np.bool_, len(values))
    validity = None if present.all() else _bits(present)
    return pa.Array.from_buffers(
        pa.string(), len(values), [validity, pa.py_buffer(offsets.data), pa.py_buffer(b"".join(encoded))]
    )


def int32_column(values: Sequence[int] | Numbers) -> Column:
    """Return `values` as a column of int32 without nulls."""
    numbers = np.ascontiguousarray(values, np.int32)
    return pa.Array.from_buffers(pa.int32(), len(numbers), [None, pa.py_buffer(numbers.data)])


def numbers_from(first: int, count: int) -> Column:
    """Return the `count` whole numbers from `first` on as a column of int64."""
    column: Column = pa.arange(first, first + count)  # type: ignore[attr-defined]
    return column


def boolean_column(values: Sequence[bool]) -> Column:
    """Return `values` as a column of booleans without nulls."""
    return pa.Array.from_buffers(pa.bool_(), len(values), [None, _bits(np.fromiter(values, np.bool_, len(values)))])


def present(column: Column) -> Numbers:
    """Return for each row of `column` whether it has a value, as booleans."""
    validity: Any = column.buffers()[0]
    if validity is None:
        return np.ones(len(column), np.bool_)
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    flags: Numbers = bits[column.offset : column.offset + len(column)].astype(np.bool_)
    return flags


def text(value: str) -> Any:
    """Return `value` as a scalar of text."""
    return text_column([value])[0]


def _bits(flags: Numbers) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little").data)


def ahead(parts: Iterator[Part]) -> Iterator[Part]:
    """Yield the same parts; the next one is made in a thread of its own while the reader works on this one."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        coming = executor.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = executor.submit(next, parts, None)
            yield part
