"""
Keys of several rows in one merged cell: such a key is the key of each of its rows.

Knows which cells are merged. An amount in a merged cell stays that of its first row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconcile.files.spreadsheets.fast_rows import Cell, SheetRow
from reconcile.orders.columns.mapping import KEYS, ColumnMap


class MergedKeys:
    """The merged cells in the key columns of one sheet: `cells` are column, first row and last row of each."""

    def __init__(self, cells: Iterable[tuple[int, int, int]], columns: ColumnMap) -> None:
        self._roles = {columns.positions[role]: role for role in KEYS if role in columns.positions}
        self._last: dict[tuple[int, int], int] = {}  # column and first row → last row
        for at, first, last in cells:
            if at in self._roles:
                self._last[at, first] = last
        self._filled: dict[int, set[str]] = {}

    def filled(self, rows: Iterator[SheetRow]) -> Iterator[SheetRow]:
        """Yield `rows`, with the key of the first row of merged cells in all of them."""
        if not self._last:
            yield from rows
            return
        now: dict[int, tuple[int, Cell]] = {}  # column → last row, and the cell of the first
        for row in rows:
            for at, role in self._roles.items():
                cell = row.cells.get(at)
                if cell is not None:
                    now[at] = (self._last.get((at, row.line), row.line), cell)
                elif at in now and row.line <= now[at][0]:
                    row.cells[at] = now[at][1]
                    self._filled.setdefault(row.line, set()).add(role)
            yield row

    def counted(self, lines: Sequence[int]) -> Mapping[str, int]:
        """Return in how many of the rows `lines` the key of each role is that of a row above."""
        return Counter(role for line in lines for role in self._filled.get(line, ()))
