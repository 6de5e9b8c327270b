"""
One page of a workbook, written row by row: strings, counts, days and money, each in its format.

Knows formats and cells. A string is never a formula, a link or markup here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from reconcile.files.workbook_cells import Money, shown, write_money

A4 = 9
"""Number of the size of paper that pages are laid out for; where it is another, they are fitted to that."""

_WIDE = 170  # characters across from which a page lies on its side

ROW_STYLES = (
    "text", "whole", "claim", "day", "instant", "long", "minor", "money0", "money2", "money3", "money4",
)  # fmt: skip
"""The formats of rows that are streamed into a sheet."""


@dataclass(frozen=True, slots=True)
class CountCell:
    """A number, with the formula that adds it up again where there is one."""

    number: int
    formula: str | None = None


@dataclass(frozen=True, slots=True)
class Styled:
    """A string in a format of its own."""

    text: str
    style: str


PageCell = str | int | date | CountCell | Money | Styled | None


class Page:
    """A sheet that is written from the top down; `row` is the number of the next row, as people count."""

    def __init__(self, sheet: Worksheet, formats: dict[str, Format], widths: Sequence[int]) -> None:
        self.row = 1
        self._titles: tuple[int, tuple[str, ...]] = (0, ())  # of the table that has no row yet, and where they are
        self._sheet = sheet
        self._formats = formats
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.hide_gridlines(2)
        if sum(widths) > _WIDE:
            sheet.set_landscape()
        sheet.set_paper(A4)
        sheet.fit_to_pages(1, 0)

    def title(self, text: str) -> None:
        """Write the page's title and keep it in sight."""
        self.put(Styled(text, "title"))
        self._sheet.freeze_panes(1, 0)

    def heading(self, text: str, *titles: str) -> None:
        """Leave a row, write a heading and, under it, the titles of a table's columns."""
        self.row += 1
        self.put(Styled(text, "heading"))
        if titles:
            self.put(*(Styled(title, "header") for title in titles))
            self._titles = (self.row - 2, titles)

    def put(self, *cells: PageCell, total: bool = False) -> None:
        """Write `cells` from column A on and go to the next row; titles of a table stand as its first row does."""
        at, titles = self._titles
        for column, (title, cell) in enumerate(zip(titles, cells, strict=False)):
            if isinstance(cell, int | CountCell | Money):
                self._sheet.write_string(at, column, shown(title), self._formats["figure header"])
        self._titles = (0, ())
        for column, cell in enumerate(cells):
            if cell is not None:
                self._write(column, cell, "total " if total else "")
        self.row += 1

    def _write(self, column: int, cell: PageCell, prefix: str) -> None:
        at, sheet, formats = self.row - 1, self._sheet, self._formats
        match cell:
            case str():
                sheet.write_string(at, column, shown(cell), formats[f"{prefix}text"])
            case Styled(text, style):
                sheet.write_string(at, column, shown(text), formats[style])
            case date():
                sheet.write_datetime(at, column, datetime.combine(cell, time()), formats["day"])
            case Money():
                write_money(sheet, (at, column), cell, formats, prefix)
            case CountCell(number, formula) if formula:
                sheet.write_formula(at, column, formula, formats[f"{prefix}whole"], number)
            case CountCell(number) | int(number):
                sheet.write_number(at, column, number, formats[f"{prefix}whole"])
