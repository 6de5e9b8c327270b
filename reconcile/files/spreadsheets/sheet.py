"""
The rows of one sheet of a spreadsheet, as they stand in its XML: cells with their stored text, type and style.

Knows where a row and a cell stand, whatever the sheet says about its own size, and that empty cells may be left out.
Rows in the plain shape are read by `fast_rows`, between them all others by expat. Does not know what a cell means.
"""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.files.spreadsheets.fast_rows import MOST_ROWS, Cell, SheetRow, column_number, plain_rows
from reconcile.files.spreadsheets.sums import adds_up
from reconcile.files.spreadsheets.unreadable import NotASpreadsheet, damaged
from reconcile.files.spreadsheets.xml import XmlFeed, names_of, new_parser, pieces_of
from reconcile.files.streams import Readable

_ROW, _CELL, _TEXTS, _FORMULA, _PHONETIC, _ROWS = "row", "c", ("v", "t"), "f", "rPh", "sheetData"
_KINDS = names_of(_ROW, _CELL, *_TEXTS, _FORMULA, _PHONETIC, _ROWS)
_ROW_END = b"</row>"
_DEEPEST = 64
_LONGEST_CELL = 16 << 20
_MOST_PIECES = 64  # of the text of a formula: a sum is short


def sheet_rows(part: Readable, *, name: str) -> Iterator[SheetRow]:
    """
    Yield the rows of a sheet that have a cell, in order; `name` is the sheet's, for messages.

    Raises NotASpreadsheet when rows or cells are out of order, there twice, or where no spreadsheet has any.
    """
    reader = _SheetReader(name)
    title = f'sheet "{name}"'
    feed = XmlFeed(reader.parser, name=title)
    rest = b""
    for piece in pieces_of(part, name=title):
        rest += piece
        end = rest.rfind(_ROW_END) + len(_ROW_END)
        block, rest = (rest[:end], rest[end:]) if piece and end >= len(_ROW_END) else (rest, b"")
        plain = plain_rows(block, after=reader.line) if feed.is_between_tokens and reader.takes_plain_rows else None
        if plain is not None:
            rows, reader.line = plain
            yield from rows
            continue
        reader.look_at(block)
        feed.feed(block, is_last=not piece)
        yield from reader.rows
        reader.rows.clear()


class _SheetReader:
    """What expat calls: keeps the rows that are whole in `rows`. `line` is the number of the last row."""

    def __init__(self, name: str) -> None:
        self.parser = new_parser()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.XmlDeclHandler = self._declared
        self.rows: list[SheetRow] = []
        self.line = 0
        self._name = name
        self._encoding = "utf-8"
        self._is_unprefixed = self._has_markup = False
        self._open: list[str] = []  # elements around the rows, or unknown ones in them
        self._cells: dict[int, Cell] | None = None
        self._column = -1
        self._cell: tuple[str, int] | None = None  # kind and style of the cell that is open
        self._is_formula = self._is_phonetic = self._is_read = False
        self._texts: list[str] = []
        self._formula: list[str] = []
        self._in_formula = False
        self._letters = ""
        self._sums: tuple[int, ...] = ()
        self._length = self._row_length = 0

    @property
    def takes_plain_rows(self) -> bool:
        """Whether what comes next stands directly among the rows, and means what it says."""
        is_plain = self._is_unprefixed and not self._has_markup and self._encoding == "utf-8"
        return is_plain and self._cells is None and self._open[1:] == [_ROWS]

    def look_at(self, block: bytes) -> None:
        """Note what in a `block` that expat reads makes the ones after it no plain text of rows."""
        self._is_unprefixed = self._is_unprefixed or b"<sheetData>" in block
        self._has_markup = self._has_markup or b"<!" in block  # a comment or a section of raw text may continue

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._encoding = (encoding or "utf-8").lower()

    def _start(self, element: str, attributes: list[str]) -> None:
        known = _KINDS.get(element)
        if known == _CELL:
            self._start_cell(attributes)
        elif known in _TEXTS:
            self._is_read = self._cell is not None and not self._is_phonetic
        elif known == _ROW:
            self._start_row(attributes)
        elif known == _FORMULA:
            self._is_formula = self._in_formula = True
        elif known == _PHONETIC:
            self._is_phonetic = True
        else:
            self._open.append(known or element)
            if len(self._open) > _DEEPEST:
                raise self._damaged(f"elements inside each other, {_DEEPEST} deep")

    def _characters(self, text: str) -> None:
        if self._in_formula and len(self._formula) < _MOST_PIECES:
            self._formula.append(text)
        if self._is_read:
            self._texts.append(text)
            self._length += len(text)
            if self._length > _LONGEST_CELL:
                raise self._damaged(f"a cell of more than {_LONGEST_CELL >> 20} MiB in row {self.line}")

    def _end(self, element: str) -> None:
        known = _KINDS.get(element)
        if known in _TEXTS:
            if known == "v" and self._is_read and not self._texts:
                self._texts.append("")  # there is a value, and it is empty
            self._is_read = False
        elif known == _CELL:
            self._end_cell()
        elif known == _ROW:
            if self._cells:
                self.rows.append(SheetRow(self.line, self._cells, self._row_length, self._sums))
            self._cells = None
        elif known == _PHONETIC:
            self._is_phonetic = False
        elif known == _FORMULA:
            self._in_formula = False
        else:
            self._open.pop()

    def _start_row(self, attributes: list[str]) -> None:
        if self._cells is not None:
            raise self._damaged(f"a row inside row {self.line}")
        line = self.line + 1
        if "r" in attributes[::2]:
            line = self._number(attributes[2 * attributes[::2].index("r") + 1])
        if line > MOST_ROWS:
            raise self._damaged(f"a row {line}, and a spreadsheet has {MOST_ROWS} at most")
        if line <= self.line:
            raise self._damaged(f"row {line} after row {self.line}")
        self.line, self._cells, self._column, self._row_length, self._sums = line, {}, -1, 0, ()

    def _start_cell(self, attributes: list[str]) -> None:
        if self._cell is not None or self._cells is None:
            raise self._damaged(f"a cell in another cell, or in no row, near row {self.line}")
        kind, style, place = "n", 0, None
        for at in range(0, len(attributes), 2):
            attribute, value = attributes[at], attributes[at + 1]
            if attribute == "r":
                place = value
            elif attribute == "s":
                style = self._number(value)
            elif attribute == "t":
                kind = value
        column: int | None = self._column + 1
        self._letters = ""
        if place is not None:
            self._letters = place.removesuffix(str(self.line))
            column = column_number(self._letters)
        if column is None or column <= self._column:
            raise self._damaged(f"cell {(place or '')[:20]} out of its place in row {self.line}")
        self._cell, self._column, self._is_formula = (kind, style), column, False

    def _end_cell(self) -> None:
        assert self._cell is not None, "expat ends what has begun"
        assert self._cells is not None, "a cell begins in a row only"
        text = "".join(self._texts) if self._texts else None
        if text is not None or self._is_formula:
            self._cells[self._column] = (*self._cell, text, self._is_formula)
        if self._formula:
            if adds_up("".join(self._formula), self._letters, self.line):
                self._sums = (*self._sums, self._column)
            self._formula.clear()
        self._row_length += self._length
        self._cell, self._length = None, 0
        self._texts.clear()

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= 9):
            raise self._damaged(f'"{text[:20]}" in place of a number, near row {self.line}')
        return int(text)

    def _damaged(self, what: str) -> NotASpreadsheet:
        return damaged(f'sheet "{self._name}" has {what}')
