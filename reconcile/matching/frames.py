"""Frames of the kinds that users have (pandas, pyarrow, Polars), as tables and back."""

from __future__ import annotations

from typing import Any, TypeVar

import narwhals.stable.v2 as nw
import pyarrow as pa

FrameT = TypeVar("FrameT")


def table_of(frame: object) -> pa.Table:
    """Return a pandas, pyarrow or Polars frame as a table."""
    if isinstance(frame, pa.Table):
        return frame
    return nw.from_native(frame, eager_only=True).to_arrow()  # type: ignore[call-overload, no-any-return]


def like(given: FrameT, items: pa.Table) -> FrameT:
    """Return `items` as the kind of frame that was given."""
    found: Any
    if isinstance(given, pa.Table):
        found = items
    elif nw.from_native(given, eager_only=True).implementation.is_pandas():  # type: ignore[call-overload]
        import pandas as pd

        found = items.to_pandas(types_mapper=pd.ArrowDtype)
    else:
        backend = nw.from_native(given, eager_only=True).implementation  # type: ignore[call-overload]
        found = nw.from_arrow(items, backend=backend).to_native()
    result: FrameT = found
    return result
