"""
The one type that every column of cells has here, and Arrow's functions over it.

`compute` is `pyarrow.compute` without its stubs: their overloads are by element type, which a column read from a file
does not have before the program runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

if TYPE_CHECKING:
    Column: TypeAlias = pa.Array[Any]
else:
    Column = pa.Array  # not subscriptable when it runs

compute: Any = pyarrow.compute


def whole_column(chunks: Any) -> Column:
    """Return the one array that a chunked column (`pyarrow.ChunkedArray`) holds."""
    column: Column = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
    return column
