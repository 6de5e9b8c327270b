"""
Rows of a sheet in the shape in which spreadsheet programs write nearly all of them, read by a few patterns.

Several times as fast as an XML parser, and right for this one shape only: attributes in their usual order, text without
escapes. Anything else is left to the parser, as a whole. Does not know what a cell means.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from reconcile.files.spreadsheets.sums import adds_up

# https://support.microsoft.com/office/excel-specifications-and-limits-1672b34d-7043-467e-8e27-269d656771c3
MOST_ROWS = 1 << 20
"""Rows of a sheet, its header among them: what Excel can open."""
MOST_COLUMNS = 1 << 14

_TEXT = r"[^<&>\x00-\x1f]++"
_CELL = (
    r'<c r="([A-Z]{1,3})([0-9]{1,7})"(?: s="([0-9]{1,5})")?(?: t="([A-Za-z]{1,9})")?(?:/>|>(?:</c>|'
    rf"(<f>{_TEXT}</f>)?(?:<v>({_TEXT})</v>|<is><t(?: xml:space=\"preserve\")?>({_TEXT})</t></is>)</c>))"
)
_CELLS = re.compile(_CELL)
_UNNAMED = re.sub(r"\((?!\?)", "(?:", _CELL)
_ROW = re.compile(rf'<row r="([1-9][0-9]{{0,6}})"(?: [A-Za-z0-9:]+="[^"<&]*")*+(?:/>|>((?:{_UNNAMED})*+)</row>)')


Cell: TypeAlias = tuple[str, int, str | None, bool]
"""
A cell as stored, a plain tuple because there are millions: kind, style, text and whether it is a formula.

The kind is its `t` attribute ("n" where it has none), the style an index of the cell formats, the text None where no
value is stored. Source: ECMA-376 part 1, 18.3.1.4 and 18.18.11.
"""


class SheetRow(NamedTuple):
    """
    A row with its number in the sheet, from 1, and its cells by column, from 0; cells of no content are left out.

    `characters` is about what it takes in the file; `sums` are columns with a formula that adds up other rows of it.
    """

    line: int
    cells: dict[int, Cell]
    characters: int
    sums: tuple[int, ...] = ()


def plain_rows(block: bytes, *, after: int) -> tuple[list[SheetRow], int] | None:
    """
    Return the rows in `block` that have a cell, and the number of the last row; None when any is not in the shape.

    `block` is whole rows of UTF-8 that stand one after the other, `after` the number of the row before them.
    """
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return None
    rows: list[SheetRow] = []
    at, line = 0, after
    while at < len(text):
        match = _ROW.match(text, at)
        if match is None:
            return None
        number, content = match.groups()
        if not line < int(number) <= MOST_ROWS:
            return None
        line, at = int(number), match.end()
        if content:
            found = _cells(content, number)
            if found is None:
                return None
            cells, sums = found
            if cells:
                rows.append(SheetRow(line, cells, len(content), sums))
    return rows, line


def column_number(letters: str) -> int | None:
    """Return the column that `letters` name, from 0 ("A" 0, "AB" 27); None where there is none."""
    if letters not in _COLUMNS and re.fullmatch("[A-Z]{1,3}", letters):
        count = 0
        for letter in letters:
            count = count * 26 + ord(letter) - ord("A") + 1
        if count <= MOST_COLUMNS:
            _COLUMNS[letters] = count - 1
    return _COLUMNS.get(letters)


_COLUMNS: dict[str, int] = {}  # letters are one column in every row: each is read once


def _cells(content: str, number: str) -> tuple[dict[int, Cell], tuple[int, ...]] | None:
    cells: dict[int, Cell] = {}
    sums: tuple[int, ...] = ()
    before = -1
    for letters, row, style, kind, formula, value, inline in _CELLS.findall(content):
        column = _COLUMNS.get(letters)
        if column is None:
            column = column_number(letters)
        if row != number or column is None or column <= before:
            return None
        before = column
        if text := value or inline:
            cells[column] = (kind or "n", int(style) if style else 0, text, bool(formula))
            if formula and adds_up(formula[3:-4], letters, int(number)):
                sums = (*sums, column)
    return cells, sums
