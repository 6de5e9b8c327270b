"""
A workbook, whatever program has written it, to batches of order cells; a row's line is its number in the sheet.

Knows which sheet is meant, and that the names of the columns may stand below a title. Rows without any content are
left out; hidden ones are rows as any other. Does not know what a cell means.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import pyarrow as pa

from reconcile.errors import OrderFileError
from reconcile.files.spreadsheets.cells import REMEDIES, CellKind, CellTexts
from reconcile.files.spreadsheets.fast_rows import Cell, SheetRow
from reconcile.files.spreadsheets.package import Sheet
from reconcile.orders.columns.mapping import ColumnMap, has_required, known_columns, map_columns
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.rejects import Reject
from reconcile.orders.spreadsheets.merged import MergedKeys

_BATCH_ROWS = 1 << 13
_BATCH_BYTES = 16 << 20
_SEARCHED_ROWS = 50
_KINDS: dict[str, CellKind] = {"reference": "key", "order_number": "key", "order_id": "key", "ordered_on": "day"}


@dataclass(frozen=True, slots=True)
class _Header:
    """A row of a sheet that may name the columns."""

    sheet: Sheet
    line: int
    names: tuple[str, ...]


class Book(Protocol):
    """An open workbook, called `name` in messages."""

    @property
    def name(self) -> str:
        """What the file is called."""

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """Its sheets, in their order."""

    def rows(self, sheet: Sheet) -> AbstractContextManager[Iterator[SheetRow]]:
        """Open the rows of `sheet` that have a cell, in their order."""

    def totals_rows(self, sheet: Sheet) -> frozenset[int]:
        """Return the numbers of the rows that are the totals of a table, as the file says."""

    def merged_cells(self, sheet: Sheet) -> Iterator[tuple[int, int, int]]:
        """Yield the cells of one column that are merged into one: the column, from 0, the first row and the last."""


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table in a workbook: its columns, the sheet and the row that name them, and other sheets that have them too."""

    book: Book
    cells: CellTexts
    columns: ColumnMap
    sheet: Sheet
    line: int
    other_sheets: tuple[str, ...]

    def opened(self, stack: ExitStack) -> OpenedOrders:
        """Return the table with its rows to come; what `stack` closes is closed behind them."""
        columns, cells, sheet = self.columns, self.cells, self.sheet
        wanted = len(columns.positions) + len(columns.shown)
        most = min(_BATCH_ROWS, max(1, _BATCH_BYTES // (1 + cells.longest_bytes * wanted)))
        totals = self.book.totals_rows(sheet)
        merged = MergedKeys(self.book.merged_cells(sheet), columns)
        rows = merged.filled(stack.enter_context(self.book.rows(sheet)))
        read = partial(_rows, columns=columns, cells=cells, totals=totals, merged=merged)
        batches = _batches(rows, read, self.line, most, stack.pop_all())
        return OpenedOrders(columns, batches, sheet=sheet.name, other_sheets=self.other_sheets)


def find_table(book: Book, cells: CellTexts, form: OrderFormat) -> FoundTable:
    """
    Return the table in the sheet that `form` names, or in the first visible one that has the columns.

    Raises OrderFileError when no such sheet has them.
    """
    header, others = _find_header(book, cells, form)
    columns = map_columns(header.names, form, path=book.name, line=header.line).with_first
    return FoundTable(book, cells, columns, header.sheet, header.line, others)


def _find_header(book: Book, cells: CellTexts, form: OrderFormat) -> tuple[_Header, tuple[str, ...]]:
    """Return the row that names the columns, and the names of the other sheets that have one."""
    sheets = _candidates(book, form)
    best: _Header | None = None
    found: list[_Header] = []
    for sheet in sheets:
        above: list[_Header] = []
        for header in _first_rows(book, sheet, cells):
            if has_required(header.names, form):
                _refuse_rows_above(header, above, path=book.name)
                found.append(header)
                break
            above.append(header)
            if best is None or _likeness(header, form) > _likeness(best, form):
                best = header
    if found:
        return found[0], tuple(header.sheet.name for header in found[1:])
    if best is None:
        where = f'sheet "{sheets[0].name}"' if len(sheets) == 1 else "the visible sheets"
        raise OrderFileError(
            f"there is nothing in {where}",
            path=book.name,
            hint=f"name the sheet with --sheet; there are {_listed(book.sheets)}",
        )
    return best, ()


def _refuse_rows_above(header: _Header, above: Sequence[_Header], *, path: str) -> None:
    """A title is skipped; a row that fills most of the columns is an order that nobody would miss in a report."""
    named = [place for place, name in enumerate(header.names) if name]
    for row in above:
        filled = sum(1 for place in named if place < len(row.names) and row.names[place])
        if filled == len(named) or (filled >= 3 and filled * 2 > len(named)):
            sheet = header.sheet.name
            raise OrderFileError(
                f'sheet "{sheet}": this row fills the columns that are named below it, in row {header.line}',
                path=path,
                line=row.line,
                hint="put the row of column names above all rows of the table, or name another sheet with --sheet",
            )


def _likeness(header: _Header, form: OrderFormat) -> tuple[int, int]:
    """Return how much a row without all columns looks like one that names them: the error names the best."""
    return known_columns(header.names, form), len(list(filter(None, header.names)))


def _candidates(book: Book, form: OrderFormat) -> list[Sheet]:
    if form.sheet is None:
        visible = [sheet for sheet in book.sheets if sheet.is_visible]
        return visible or list(book.sheets)
    named = [sheet for sheet in book.sheets if sheet.name.casefold() == form.sheet.casefold()]
    if not named:
        raise OrderFileError(
            f'there is no sheet "{form.sheet}"', path=book.name, hint=f"the sheets are {_listed(book.sheets)}"
        )
    return named


def _first_rows(book: Book, sheet: Sheet, cells: CellTexts) -> Iterator[_Header]:
    with book.rows(sheet) as rows:
        for row in islice(rows, _SEARCHED_ROWS):
            names = [""] * (max(row.cells) + 1)
            for column, cell in row.cells.items():
                names[column] = (cells.plain(cell) or "").strip()
            if any(names):
                yield _Header(sheet, row.line, tuple(names))


def _batches(
    rows: Iterator[SheetRow], read: Callable[[list[SheetRow]], RawRows], header_line: int, most: int, stack: ExitStack
) -> Iterator[Batch]:
    """Yield the rows below `header_line` as batches of `most` rows, or of fewer that are long, each to be `read`."""
    with stack:
        group: list[SheetRow] = []
        characters = 0
        for row in rows:
            if row.line <= header_line:
                continue
            group.append(row)
            characters += row.characters
            if len(group) == most or characters > _BATCH_BYTES:
                yield partial(read, group)
                group, characters = [], 0
        if group:
            yield partial(read, group)


def _rows(
    group: Sequence[SheetRow], columns: ColumnMap, cells: CellTexts, totals: Collection[int], merged: MergedKeys
) -> RawRows:
    texts: dict[str, list[str | None]] = {}
    rejects: dict[int, list[Reject]] = {}  # by index of the row
    for role, at in columns.positions.items():
        column = [row.cells.get(at) for row in group]
        if role in columns.loose:
            texts[role] = [cells.text(cell) for cell in column]
            continue
        texts[role], problems = _column(column, _KINDS.get(role, "other"), cells)
        for i, why in problems.items():
            rejects.setdefault(i, []).append(
                Reject(group[i].line, columns.name(role), texts[role][i], why, REMEDIES[why])
            )
    missing = [i for i, row in enumerate(zip(*texts.values(), strict=True)) if not any(row) and i not in rejects]
    blank = {i for i in missing if all(map(cells.is_blank, group[i].cells.values()))}
    kept = [i for i in range(len(group)) if i not in blank]
    shown = {at: [cells.shown(group[i].cells.get(at)) for i in kept] for at in columns.shown}
    amount_at = columns.positions["amount"]
    return RawRows(
        pa.array([group[i].line for i in kept], pa.int64()),
        {role: pa.array([column[i] for i in kept], pa.string()) for role, column in texts.items()},
        tuple(reject for i in sorted(rejects) for reject in rejects[i]),
        pa.array([amount_at in group[i].cells and group[i].cells[amount_at][0] == "n" for i in kept], pa.bool_()),
        {at: pa.array(column, pa.string()) for at, column in shown.items()},
        frozenset(row.line for row in group if amount_at in row.sums or row.line in totals),
        merged=merged.counted([group[i].line for i in kept]),
    )


def _column(column: Sequence[Cell | None], kind: CellKind, cells: CellTexts) -> tuple[list[str | None], dict[int, str]]:
    """Return the strings of a column of `kind`, and why those of some rows cannot be read."""
    texts: list[str | None] = []
    problems: dict[int, str] = {}
    for i, cell in enumerate(column):
        text, why = cells.of_kind(cell, kind) if cell is not None else (None, None)
        texts.append(text)
        if why is not None:
            problems[i] = why
    return texts, problems


def _listed(sheets: Sequence[Sheet], most: int = 20) -> str:
    names = [f'"{sheet.name}"' + ("" if sheet.is_visible else " (hidden)") for sheet in sheets]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
