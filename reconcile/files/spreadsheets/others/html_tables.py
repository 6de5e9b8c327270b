"""
The tables of a web page as sheets: what many programs call .xls, and what a spreadsheet program opens as one.

Knows rows, cells and those that span several. What stands in a cell is text as it is shown; scripts, styles and
whatever is outside a table are passed over. Does not know what a cell means.
Source: https://html.spec.whatwg.org/multipage/tables.html
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from html.parser import HTMLParser

from reconcile.files.encodings import WINDOWS, marked_encoding
from reconcile.files.spreadsheets.fast_rows import MOST_COLUMNS, MOST_ROWS, Cell, SheetRow
from reconcile.files.spreadsheets.package import Sheet
from reconcile.files.spreadsheets.unreadable import NotASpreadsheet, damaged

_CHARSET = re.compile(
    rb"<(?:meta\b[^>]*?\bcharset|\?xml\b[^>]*?\bencoding)\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE
)
_OF_THE_WEB = {"iso8859-1": WINDOWS, "ascii": WINDOWS}  # https://encoding.spec.whatwg.org/#names-and-labels
_BLANKS = re.compile(r"[ \t\n\f\r]+")
_LINES = re.compile(r" *\n[ \n]*")
_TABLE, _SPAN = "<table", "rowspan"
_LONGEST_TAG = 128 << 10  # which the parser reads again with every piece until it ends
_LONGEST_STYLE = 1 << 20
_LONGEST_CELL = 1 << 16
_MOST_TABLES = 100
_DEEPEST = 20
_MOST_ROWS_SPANNED = 65_534
_MOST_COLUMNS_SPANNED = 1_000


class HtmlBook:
    """
    The tables of the page whose text `opened` opens at its beginning, called "table 1", "table 2" and so on.

    Raises NotASpreadsheet when there is none.
    """

    def __init__(self, opened: Callable[[], AbstractContextManager[Iterator[str]]], *, name: str) -> None:
        self._opened = opened
        self.name = name
        with opened() as pieces:
            tables, self._has_spans = _look(pieces)
        if not tables:
            raise NotASpreadsheet("this is a web page without a table", hint="it may be a login page: export again")
        if tables > _MOST_TABLES:
            raise damaged(f"it has more than {_MOST_TABLES} tables")
        self.sheets = tuple(Sheet(f"table {at + 1}", True, str(at)) for at in range(tables))

    @contextmanager
    def rows(self, sheet: Sheet) -> Iterator[Iterator[SheetRow]]:
        """Open the rows of `sheet` that have a cell, in their order."""
        with self._opened() as pieces:
            yield _TablesReader(int(sheet.part)).rows_of(pieces)

    def totals_rows(self, _: Sheet) -> frozenset[int]:
        """Return the rows that are totals: none is known."""
        return frozenset()

    def merged_cells(self, sheet: Sheet) -> Iterator[tuple[int, int, int]]:
        """Yield the cells of one column that span several rows: the column, from 0, the first row and the last."""
        if not self._has_spans:
            return
        with self._opened() as pieces:
            reader = _TablesReader(int(sheet.part))
            for _ in reader.rows_of(pieces):
                pass
            yield from reader.spans


def _look(pieces: Iterator[str]) -> tuple[int, bool]:
    """
    Return how many tables begin in a page, and whether a cell may span several rows, at a glance.

    Tables in a comment or a script are counted too: they are sheets without a row.
    """
    tables, has_spans, rest = 0, False, ""
    for piece in pieces:
        text = rest + piece.lower()
        tables += text.count(_TABLE) - rest.count(_TABLE)
        has_spans = has_spans or _SPAN in text
        rest = text[-len(_SPAN) :]
    return tables, has_spans


def encoding_of(head: bytes) -> str | None:
    """Return the encoding that a page says it is in, as browsers understand it; None where it says none."""
    found = _CHARSET.search(head)
    if marked_encoding(head) or found is None:
        return None
    try:
        named = codecs.lookup(found[1].decode()).name
    except LookupError:
        return None
    # What is read as ASCII so far is in no encoding of 16 bits, whatever it says.
    return None if named.startswith(("utf-16", "utf-32")) else _OF_THE_WEB.get(named, named)


class _Table:
    """A table that is open: its number, the row and the cell in which the parser is."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.line = 0
        self.row: dict[int, Cell] | None = None
        self.cell: list[str] | None = None
        self.characters = 0  # in the cell, with blanks between its lines
        self.column = self.after = 0  # of the cell, and of the next one
        self.covered: dict[int, int] = {}  # column → last row that a cell above covers


class _TablesReader(HTMLParser):
    """
    What the parser calls: keeps the rows of the table number `wanted`.

    `tables` counts them all; `spans` are the cells of that one which span rows: column, first row and last row.
    """

    def __init__(self, wanted: int) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[SheetRow] = []
        self.tables = 0
        self.spans: list[tuple[int, int, int]] = []
        self._wanted = wanted
        self._open: list[_Table] = []

    def rows_of(self, pieces: Iterator[str]) -> Iterator[SheetRow]:
        """Yield the rows of a page; raises NotASpreadsheet for what no program writes."""
        try:
            for piece in pieces:
                self.feed(piece)
                if len(self.rawdata) > (most := _LONGEST_STYLE if self.cdata_elem else _LONGEST_TAG):
                    raise damaged(f"one of its tags has more than {most >> 10} KiB")
                yield from self.rows
                self.rows.clear()
            self.close()
        except AssertionError as error:  # the parser's word for a declaration that is none
            raise damaged(f"its markup is not HTML: {error}") from error
        if any(table.at == self._wanted for table in self._open):
            raise damaged("it ends inside a table")
        yield from self.rows

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            if len(self._open) == _DEEPEST:
                raise damaged(f"it has more than {_DEEPEST} tables in each other")
            self._open.append(_Table(self.tables))
            self.tables += 1
        elif self._open and tag in ("tr", "thead", "tbody", "tfoot"):
            self._end_row()
            if tag == "tr":
                self._start_row()
        elif self._open and tag in ("td", "th"):
            self._start_cell(dict(attrs))
        elif tag in ("br", "p", "div", "li"):
            self._add("\n")

    def handle_endtag(self, tag: str) -> None:
        if self._open and tag == "table":
            self._end_table()
        elif self._open and tag == "tr":
            self._end_row()
        elif self._open and tag in ("td", "th"):
            self._end_cell()

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:
            self._add(_BLANKS.sub(" ", data))

    def _add(self, text: str) -> None:
        if self._open and (table := self._open[-1]).cell is not None:
            table.cell.append(text)
            table.characters += len(text)
            if table.characters > _LONGEST_CELL:
                raise damaged(f"a cell has more than {_LONGEST_CELL:,} characters")

    def _start_row(self) -> None:
        table = self._open[-1]
        table.line, table.row, table.after = table.line + 1, {}, 0
        if table.line > MOST_ROWS:
            raise damaged(f"it has a table of more than {MOST_ROWS} rows")

    def _start_cell(self, attributes: dict[str, str | None]) -> None:
        self._end_cell()
        table = self._open[-1]
        if table.row is None:
            self._start_row()
        while table.covered.get(table.after, 0) >= table.line:
            table.after += 1
        columns = _spanned(attributes.get("colspan"), _MOST_COLUMNS_SPANNED)
        rows = _spanned(attributes.get("rowspan"), _MOST_ROWS_SPANNED)
        table.column, table.after = table.after, table.after + columns
        table.cell, table.characters = [], 0
        if table.after > MOST_COLUMNS:
            raise damaged(f"it has a table of more than {MOST_COLUMNS} columns")
        if rows > 1:
            last = table.line + rows - 1
            table.covered |= dict.fromkeys(range(table.column, table.after), last)
            if columns == 1 and table.at == self._wanted:
                self.spans.append((table.column, table.line, last))

    def _end_cell(self) -> None:
        table = self._open[-1]
        if table.row is not None and table.cell is not None:
            text = _LINES.sub("\n", re.sub(" +", " ", "".join(table.cell))).strip(" \n")
            if text.strip():
                table.row[table.column] = ("text", 0, text, False)
        table.cell = None

    def _end_row(self) -> None:
        self._end_cell()
        table = self._open[-1]
        if table.row and table.at == self._wanted:
            length = sum(len(text or "") for _, _, text, _ in table.row.values())
            self.rows.append(SheetRow(table.line, table.row, length))
        table.row = None

    def _end_table(self) -> None:
        self._end_row()
        self._open.pop()


def _spanned(text: str | None, most: int) -> int:
    """Return how many rows or columns an attribute says a cell takes: one where it says nothing of sense."""
    number = (text or "").strip()
    if not (number.isascii() and number.isdecimal()):
        return 1
    return min(max(int(number[:6]), 1), most)
