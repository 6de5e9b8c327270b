"""
Excel's XML of 2003 ("XML Spreadsheet"), as shops and reports still write it, under the name .xml or .xls.

Knows where rows and cells stand, their types and their number formats: what is read of a cell is what is read of one in
an .xlsx file. Does not know what it means.
Source: https://learn.microsoft.com/previous-versions/office/developer/office-xp/aa140066(v=office.10)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import lru_cache

from reconcile.files.spreadsheets.fast_rows import MOST_COLUMNS, MOST_ROWS, Cell, SheetRow
from reconcile.files.spreadsheets.formats import GENERAL
from reconcile.files.spreadsheets.package import Sheet
from reconcile.files.spreadsheets.stored import EXCEL_2003
from reconcile.files.spreadsheets.unreadable import NotASpreadsheet, damaged
from reconcile.files.spreadsheets.xml import new_parser, parsed
from reconcile.files.streams import Readable

_EXCEL = "urn:schemas-microsoft-com:office:excel"
_KINDS = {"String": "text", "Number": "n", "DateTime": "d", "Boolean": "b", "Error": "e"}
# Formats that have a name in place of a code: those of dates, and of numbers without a zero or a word of their own.
_DATES = ("General Date", "Long Date", "Medium Date", "Short Date")
_TIMES = ("Long Time", "Medium Time", "Short Time")
_NUMBERS = (
    *("General", "General Number", "Currency", "Euro Currency", "Fixed", "Standard", "Percent", "Scientific"),
    *("Yes/No", "True/False", "On/Off"),
)
_NAMED = {
    **dict.fromkeys(_DATES, "yyyy-mm-dd"),
    **dict.fromkeys(_TIMES, "hh:mm"),
    **dict.fromkeys(_NUMBERS, GENERAL),
}
_LONGEST_CELL = 16 << 20
_DEEPEST = 64
# A sum over several rows of its own column: =SUM(R[-3]C:R[-1]C), =SUBTOTAL(9,R2C:R[-1]C)
_SUM = re.compile(
    r"=\s*(?:SUM|SUBTOTAL|AGGREGATE)\(.*\bR(?:\[-?[0-9]+\]|[0-9]+)C:R(?:\[-?[0-9]+\]|[0-9]+)C\b(?!\[).*\)",
    re.IGNORECASE,
)


class Excel2003Book:
    """
    The workbook that `opened` opens at its beginning; `formats` are the number formats of its cells' styles.

    Raises NotASpreadsheet when it is none.
    """

    def __init__(self, opened: Callable[[], AbstractContextManager[Readable]], *, name: str) -> None:
        self._opened = opened
        self.name = name
        reader = _WorkbookReader(None)
        with opened() as stream:
            for _ in reader.rows_of(stream):
                pass
        self._merged = reader.merged
        self.sheets = tuple(reader.sheets)
        self.formats = reader.styles.formats
        if not self.sheets:
            raise NotASpreadsheet("there is no worksheet in the file", hint="export it again, as .xlsx or CSV")

    @contextmanager
    def rows(self, sheet: Sheet) -> Iterator[Iterator[SheetRow]]:
        """Open the rows of `sheet` that have a cell, in their order."""
        with self._opened() as stream:
            yield _WorkbookReader(int(sheet.part)).rows_of(stream)

    def totals_rows(self, _: Sheet) -> frozenset[int]:
        """Return the rows that are totals of a table: this format has no tables."""
        return frozenset()

    def merged_cells(self, sheet: Sheet) -> Iterator[tuple[int, int, int]]:
        """Yield the cells of one column that are merged into one: the column, from 0, the first row and the last."""
        yield from ((column, first, last) for at, column, first, last in self._merged if at == int(sheet.part))


class _Styles:
    """Number formats of styles, by id, in the order in which they are declared; others have none."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, str]] = {"": (0, GENERAL)}

    def add(self, style: str, parent: str) -> None:
        """Add a style with the format of its `parent`."""
        self._known[style] = len(self._known), self._known.get(parent, ("", GENERAL))[1]

    def set_format(self, style: str, code: str) -> None:
        """Give a style a number format, a code or one of those with a name."""
        self._known[style] = self._known[style][0], _NAMED.get(code, code)

    def number(self, *styles: str | None) -> int:
        """Return the number of the first of `styles` that is given: of a cell, its row, its column, its table."""
        given = next((style for style in styles if style is not None), "Default")
        return self._known.get(given, (0, GENERAL))[0]

    @property
    def formats(self) -> tuple[str, ...]:
        """The format of each style, by its number."""
        return tuple(code for _, code in self._known.values())


class _WorkbookReader:
    """
    What expat calls: keeps the rows of the sheet number `wanted` in `rows`.

    `sheets` are all of them; `merged` are cells of one column in one: sheet, column, first row and last row.
    """

    def __init__(self, wanted: int | None) -> None:
        self.parser = new_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.rows: list[SheetRow] = []
        self.sheets: list[Sheet] = []
        self.styles = _Styles()
        self.merged: list[tuple[int, int, int, int]] = []
        self._wanted = wanted
        self._above: list[str] = []
        self._style = ""
        self._of_table: str | None = None  # styles of what has none of its own
        self._of_columns: dict[int, str] = {}
        self._of_row: str | None = None
        self._line = self._last_line = 0  # of the row, and of the last one like it
        self._column = self._last_column = 0
        self._cells: dict[int, Cell] = {}
        self._sums: tuple[int, ...] = ()
        self._cell: Cell = ("n", 0, None, False)
        self._texts: list[str] | None = None
        self._length = 0

    def rows_of(self, stream: Readable) -> Iterator[SheetRow]:
        """Yield the rows of the wanted sheet; raises NotASpreadsheet for what is damaged."""
        for _ in parsed(stream, self.parser, name="the workbook"):
            yield from self.rows
            self.rows.clear()

    def _start(self, element: str, attributes: list[str]) -> None:
        parent = self._above[-1] if self._above else ""
        self._above.append(_plain(element))
        if len(self._above) > _DEEPEST:
            raise damaged(f"the workbook has elements inside each other, {_DEEPEST} deep")
        named = {_plain(attributes[at]): attributes[at + 1] for at in range(0, len(attributes), 2)}
        match (parent, self._above[-1]):
            case ("Row", "Cell"):
                self._start_cell(named)
            case ("Cell", "Data"):
                _, style, _, is_formula = self._cell
                self._cell = _KINDS.get(named.get("Type", ""), "text"), style, None, is_formula
                self._texts = []
            case ("Table", "Row"):
                self._start_row(named)
            case ("Styles", "Style"):
                self._style = named.get("ID", "")
                self.styles.add(self._style, named.get("Parent", "Default"))
            case ("Style", "NumberFormat"):
                self.styles.set_format(self._style, named.get("Format", "General"))
            case ("Workbook", "Worksheet"):
                self.sheets.append(Sheet(named.get("Name", ""), True, str(len(self.sheets))))
                self._last_line, self._of_columns = 0, {}
            case ("Worksheet", "Table"):
                self._of_table, self._last_column = named.get("StyleID"), 0
            case ("Table", "Column"):
                self._start_column(named)
            case ("WorksheetOptions", "Visible"):
                self._texts = []

    def _end(self, _element: str) -> None:
        name = self._above.pop()
        match (self._above[-1] if self._above else "", name):
            case ("Row", "Cell"):
                if self._cell[2] is not None or self._cell[3]:
                    self._cells[self._column] = self._cell
            case ("Cell", "Data"):
                kind, style, _, is_formula = self._cell
                self._cell = kind, style, "".join(self._texts or ()), is_formula
                self._texts, self._length = None, 0
            case ("Table", "Row"):
                if self._cells and len(self.sheets) - 1 == self._wanted:
                    length = sum(len(text or "") for _, _, text, _ in self._cells.values())
                    self.rows.append(SheetRow(self._line, self._cells, length, self._sums))
            case ("WorksheetOptions", "Visible"):
                is_visible = "".join(self._texts or ()).strip() == "SheetVisible"
                self.sheets[-1] = replace(self.sheets[-1], is_visible=is_visible)
                self._texts, self._length = None, 0

    def _characters(self, text: str) -> None:
        if self._texts is not None:
            self._texts.append(text)
            self._length += len(text)
            if self._length > _LONGEST_CELL:
                raise damaged(f"a cell of more than {_LONGEST_CELL >> 20} MiB in row {self._line}")

    def _start_column(self, named: Mapping[str, str]) -> None:
        first = self._place(named, self._last_column, MOST_COLUMNS)
        self._last_column = first + _count(named.get("Span"), MOST_COLUMNS - first)
        if "StyleID" in named:
            self._of_columns |= dict.fromkeys(range(first - 1, self._last_column), named["StyleID"])

    def _start_row(self, named: Mapping[str, str]) -> None:
        self._line = self._place(named, self._last_line, MOST_ROWS)
        self._last_line = self._line + _count(named.get("Span"), MOST_ROWS - self._line)
        self._of_row, self._last_column = named.get("StyleID"), 0
        self._cells, self._sums = {}, ()

    def _start_cell(self, named: Mapping[str, str]) -> None:
        place = self._place(named, self._last_column, MOST_COLUMNS)
        self._column = place - 1
        across = _count(named.get("MergeAcross"), MOST_COLUMNS - place)
        down = _count(named.get("MergeDown"), MOST_ROWS - self._line)
        self._last_column = place + across
        if down and not across:
            self.merged.append((len(self.sheets) - 1, self._column, self._line, self._line + down))
        style = self.styles.number(
            named.get("StyleID"), self._of_row, self._of_columns.get(self._column), self._of_table
        )
        self._cell = "n", style, None, "Formula" in named
        if _SUM.fullmatch(named.get("Formula", "").strip()):
            self._sums = (*self._sums, self._column)

    def _place(self, named: Mapping[str, str], before: int, most: int) -> int:
        """Return the number, from 1, of a row or a column that stands behind the one numbered `before`."""
        place = _count(named["Index"], most + 1) if "Index" in named else before + 1
        if not before < place <= most:
            raise damaged(f"a row or a cell out of its place, near row {self._line}")
        return place


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    """Return a name of the workbook's, or of Excel's options, as it is; one of another vocabulary with its own."""
    space, _, own = name.rpartition(" ")
    return own if space in ("", EXCEL_2003, _EXCEL) else name


def _count(text: str | None, most: int) -> int:
    """Return a number that an attribute has, 0 where it has none."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise damaged(f'"{text[:20]}" in place of a number')
    return min(int(text), most)
