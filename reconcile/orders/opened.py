"""
What a leaf hands over: an order file that is open, its columns found, its cells to come in batches of text.

Every leaf is one function `(OrderSource, SourceStream, OrderFormat) -> OpenedOrders`; a batch is a function without
arguments, so that several can be worked on at once while their order is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.rejects import Reject


@dataclass(frozen=True, slots=True)
class RawRows:
    """
    A batch as a leaf read it.

    `lines` (int64) is the source_line of each row; `cells` the text of each mapped role, as long as `lines`, null
    where there is none. `rejects` are those of rows that the leaf itself cannot read; such rows are in `lines` too,
    with what is known of their cells, as far as anything is. `literal` (bool) marks amounts that are number literals of
    a typed format: their decimal separator is a point, whatever is declared for strings; None where all are text.
    `shown` is the text of the columns in `ColumnMap.shown`, by their places. `sums` are lines of which the file itself
    says that they add up others. `written` are cells of roles as they stand in the file, where `cells` are as meant;
    `merged` counts keys that stand in one cell for several rows, by role. `plain` are roles of keys that every row has,
    as it stands: nothing is to be tidied in them, and none is a word.
    """

    lines: Column
    cells: Mapping[str, Column]
    rejects: tuple[Reject, ...] = ()
    literal: Column | None = None
    shown: Mapping[int, Column] = field(default_factory=dict)
    sums: frozenset[int] = frozenset()
    written: Mapping[str, Column] = field(default_factory=dict)
    merged: Mapping[str, int] = field(default_factory=dict)
    plain: frozenset[str] = frozenset()

    def where(self, mask: Column) -> RawRows:
        """Return the rows that are true in `mask`, with all `rejects`."""
        return replace(
            self,
            lines=self.lines.filter(mask),
            cells={role: column.filter(mask) for role, column in self.cells.items()},
            literal=self.literal.filter(mask) if self.literal is not None else None,
            shown={place: column.filter(mask) for place, column in self.shown.items()},
            written={role: column.filter(mask) for role, column in self.written.items()},
        )


Batch = Callable[[], RawRows | pa.Table]


@dataclass(frozen=True, slots=True)
class OpenedOrders:
    """
    An open order file: where its columns stand, and its rows.

    `batches` raises OrderFileError where the file turns out to be damaged. `encoding`, `delimiter` and `quote` are
    those found, None where the format has none; so is `sheet`, the one that is read; `other_sheets` could have been.
    `floats` are columns of binary floats, read at 15 digits; `untold` is what the reader of a spreadsheet does not tell
    of its cells. A file that is a table of ORDERS already has batches that are `pyarrow.Table` of ORDERS.
    """

    columns: ColumnMap
    batches: Iterator[Batch]
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
