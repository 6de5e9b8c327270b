"""
Further rows of one order: line items, which repeat its reference and leave its total empty, or repeat that too.

Knows how to recognize them by the row before, and only where the user has declared them: a row that is left out is
counted. Does not know where a batch of rows comes from; the row before its first is its reader's to keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.orders.cells.meant import is_placeholder
from reconcile.orders.columns.mapping import KEYS
from reconcile.orders.opened import RawRows


@dataclass(frozen=True, slots=True)
class Edge:
    """The cells of a row at the edge of a batch, by role, and its line."""

    line: int
    cells: Mapping[str, str | None]


def edges(raw: RawRows) -> tuple[Edge | None, Edge | None]:
    """Return the first and the last row of `raw`; None twice where it has no rows."""
    if not len(raw.lines):
        return None, None
    return _edge(raw, 0), _edge(raw, len(raw.lines) - 1)


def starts_with_continuation(first: Edge, before: Edge | None, kind: str | None) -> bool:
    """Whether the row `first` continues the order of the row `before`; `kind` is "empty" or "repeated"."""
    if before is None or kind is None:
        return False
    both = {role: pa.array([before.cells[role], text], pa.string()) for role, text in first.cells.items()}
    return bool(_goes_on(both, kind)[1].as_py())


def without_continuations(raw: RawRows, kind: str) -> tuple[RawRows, int]:
    """Return `raw` without rows that continue the row before them, and how many those are."""
    if len(raw.lines) < 2:
        return raw, 0
    kept = pc.invert(_goes_on(raw.cells, kind))
    continued = len(kept) - pc.sum(kept).as_py()
    if not continued:
        return raw, 0
    return raw.where(kept), continued


def key_of(cells: Mapping[str, object]) -> str:
    """Return the role of the first key that a table has: its reference, else its order number or id."""
    return next(role for role in KEYS if role in cells)


def _goes_on(cells: Mapping[str, Column], kind: str) -> Column:
    """Return for each row whether it continues the one before it; the first does not."""
    key = key_of(cells)
    same: Column = pc.and_(_same_as_before(cells[key]), pc.invert(_blank(cells[key])))
    for role, texts in cells.items():
        if role == "method":  # an order has one, whatever its rows say
            continue
        if kind == "repeated":
            same = pc.and_(same, _same_as_before(texts))
        elif role == "amount":
            same = pc.and_(same, pc.or_(_blank(texts), is_placeholder(pc.fill_null(texts, ""))))
        elif role != key:
            same = pc.and_(same, pc.or_(_blank(texts), _same_as_before(texts)))
    return same


def _same_as_before(texts: Column) -> Column:
    filled = pc.fill_null(texts, "")
    same: Column = pa.concat_arrays([pa.array([False]), pc.equal(filled[1:], filled[:-1])])
    return same


def _blank(texts: Column) -> Column:
    empty: Column = pc.equal(pc.binary_length(pc.utf8_trim_whitespace(pc.fill_null(texts, ""))), 0)
    return empty


def _edge(raw: RawRows, row: int) -> Edge:
    return Edge(raw.lines[row].as_py(), {role: texts[row].as_py() for role, texts in raw.cells.items()})
