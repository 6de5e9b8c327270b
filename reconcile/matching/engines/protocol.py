"""
What an engine does in its own way: the few things that the matching asks of the place where it runs.

The matching itself (`passes`, `ladder`) is one narwhals expression. An engine opens the two tables as lazy frames,
computes an intermediate frame once and keeps it, digests a string, and hands out the finished rows in order.
A further engine is one more class with these methods, and a line in the front door (`spark` is one).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import narwhals.stable.v2 as nw
import pyarrow as pa

Frame: TypeAlias = nw.LazyFrame[Any]
Fields: TypeAlias = "Mapping[str, pa.Field[Any]]"
"""Columns as the matching names them, each with the field of a file that it is read from."""
Source: TypeAlias = tuple[Frame, Sequence[str]]
"""A frame, and columns of it."""


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

    def with_rank(self, frame: Frame, name: str, order_by: Sequence[str]) -> Frame:
        """Return `frame` with its rows numbered from 0 in the column `name`, nulls first."""
        ...

    def with_replaced(self, frame: Frame, column: str, pattern: str, with_: str) -> Frame:
        """Return `frame` with every place of the strings of `column` that `pattern` (RE2) fits replaced by `with_`."""
        ...

    def changed_texts(self, texts: Frame, column: str, change: Callable[[str], str | None]) -> Frame | None:
        """
        Return the distinct strings of `column` that `change` changes: `old_text`, `new_text` and `is_changed`, true.

        None when there are none.
        """
        ...

    def stacked(self, one: Frame, other: Frame) -> Frame:
        """Return the rows of both frames, which have the same columns in the same order."""
        ...

    def sorted(self, frame: Frame, by: Sequence[str], sources: Sequence[Source]) -> Frame:
        """
        Return `frame` in the order of the columns `by`, strings by their UTF-8 bytes, nulls last.

        `sources` are frames that hold every string of some of its columns: an engine may look there for columns of few
        different strings.
        """
        ...

    def batches(self, frame: Frame) -> Iterator[pa.RecordBatch]:
        """Compute `frame` and yield its rows in its order."""
        ...


class FileEngine(Engine, Protocol):
    """An engine that matches files."""

    def from_parquet(self, path: Path, fields: Fields, row: str) -> Frame:
        """
        Open a Parquet file as the columns of `fields`, null where the file has none, and the number of the row in the
        column `row`. It is the same in every scan.
        """
        ...


def changes_of(texts: pa.ChunkedArray[Any] | pa.Array[Any], change: Callable[[str], str | None]) -> pa.Table:
    """Return what `Engine.changed_texts` says of the distinct `texts`, computed here."""
    changed = {text: new for text in texts.unique().to_pylist() if text is not None and (new := change(text)) != text}
    return pa.table(
        {
            "old_text": pa.array(list(changed), pa.string()),
            "new_text": pa.array(list(changed.values()), pa.string()),
            "is_changed": pa.array([True] * len(changed), pa.bool_()),
        }
    )


def changed_here(engine: Engine, texts: Frame, column: str, change: Callable[[str], str | None]) -> Frame | None:
    """Return what `Engine.changed_texts` says, for an engine whose strings may come here."""
    table = changes_of(engine.to_arrow(texts.select(column)).column(column), change)
    return engine.from_arrow(table) if table.num_rows else None
