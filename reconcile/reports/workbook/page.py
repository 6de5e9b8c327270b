"""
One page of a workbook, written row by row: strings, counts, days and money, each in its format.

Knows formats and cells. A string is never a formula, a link or markup here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from reconcile.money import EXPONENTS, format_amount
from reconcile.reports.workbook.rows import MOST_EXACT

ROW_STYLES = (
    "text", "whole", "claim", "day", "instant", "long", "minor", "money0", "money2", "money3", "money4",
)  # fmt: skip
"""The formats of rows that are streamed into a sheet."""

_FORMATS: dict[str, dict[str, str | int | bool]] = {
    "text": {"num_format": "@"},
    "whole": {"num_format": "#,##0"},
    "claim": {},
    "day": {"num_format": "yyyy-mm-dd"},
    "instant": {"num_format": "yyyy-mm-dd hh:mm:ss"},
    "long": {"num_format": "@", "align": "right"},
    "minor": {"num_format": '#,##0" minor units"'},
    "money0": {"num_format": "#,##0"},
    **{f"money{decimals}": {"num_format": f"#,##0.{'0' * decimals}"} for decimals in (2, 3, 4)},
    "title": {"bold": True, "font_size": 14},
    "heading": {"bold": True, "font_size": 12},
    "header": {"bold": True, "bottom": 1, "bg_color": "#E7E6E6", "text_wrap": True, "valign": "top"},
    "note": {"italic": True},
    "good": {"font_color": "#006100", "bg_color": "#C6EFCE"},
    "look": {"font_color": "#7F4F00", "bg_color": "#FFEB9C"},
    "bad": {"font_color": "#9C0006", "bg_color": "#FFC7CE"},
}
_TOTALS = ("text", "whole", "long", "minor", "money0", "money2", "money3", "money4")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")
_MOST_CHARACTERS = 16_000


@dataclass(frozen=True, slots=True)
class Count:
    """A number, with the formula that adds it up again where there is one."""

    number: int
    formula: str | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """Minor units of a currency, with the formula that adds them up again where there is one; None: no amount."""

    cents: int | None
    currency_code: str | None
    formula: str | None = None


@dataclass(frozen=True, slots=True)
class Styled:
    """A string in a format of its own."""

    text: str
    style: str


Cell = str | int | date | Count | Money | Styled | None


def formats_of(workbook: Workbook) -> dict[str, Format]:
    """Add the formats to `workbook` and return them by name; those of totals have `total ` before it."""
    formats = {name: workbook.add_format(properties) for name, properties in _FORMATS.items()}
    bold = {"bold": True, "top": 1}
    return formats | {f"total {name}": workbook.add_format({**_FORMATS[name], **bold}) for name in _TOTALS}


class Page:
    """A sheet that is written from the top down; `row` is the number of the next row, as people count."""

    def __init__(self, sheet: Worksheet, formats: dict[str, Format], widths: Sequence[int]) -> None:
        self.row = 1
        self._sheet = sheet
        self._formats = formats
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.hide_gridlines(2)
        sheet.set_landscape()
        sheet.set_paper(9)
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

    def put(self, *cells: Cell, total: bool = False) -> None:
        """Write `cells` from column A on and go to the next row."""
        for column, cell in enumerate(cells):
            if cell is not None:
                self._write(column, cell, "total " if total else "")
        self.row += 1

    def _write(self, column: int, cell: Cell, prefix: str) -> None:
        at, sheet, formats = self.row - 1, self._sheet, self._formats
        match cell:
            case str():
                sheet.write_string(at, column, shown(cell), formats[f"{prefix}text"])
            case Styled(text, style):
                sheet.write_string(at, column, shown(text), formats[style])
            case date():
                sheet.write_datetime(at, column, datetime.combine(cell, time()), formats["day"])
            case Money():
                self._write_money(column, cell, prefix)
            case Count(number, formula) if formula:
                sheet.write_formula(at, column, formula, formats[f"{prefix}whole"], number)
            case Count(number) | int(number):
                sheet.write_number(at, column, number, formats[f"{prefix}whole"])

    def _write_money(self, column: int, money: Money, prefix: str) -> None:
        at, cents, code = self.row - 1, money.cents, money.currency_code or ""
        if cents is None:
            return
        if abs(cents) > MOST_EXACT:
            self._sheet.write_string(at, column, format_amount(cents, code), self._formats[f"{prefix}long"])
            return
        decimals = EXPONENTS.get(code)
        style = self._formats[f"{prefix}minor" if decimals is None and cents else f"{prefix}money{decimals or 0}"]
        amount = cents / 10**decimals if decimals else cents
        if money.formula:
            self._sheet.write_formula(at, column, money.formula, style, amount)
        else:
            self._sheet.write_number(at, column, amount, style)


def shown(text: str) -> str:
    """
    Return `text` as a cell can hold it: characters that XML cannot hold as �, cut where it is very long, no
    markup.
    """
    text = _CONTROLS.sub("�", text)
    text = text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 1]}…"
    # XlsxWriter writes such a string as the markup of its own rich strings: an invisible character before it prevents
    # that.
    return f"\u200b{text}" if text.startswith("<r>") else text
