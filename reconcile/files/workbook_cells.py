"""
Cells of a workbook that XlsxWriter makes: their formats, money, and text that is never a formula, a link or markup.

Does not know what stands on which sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.money import EXPONENTS, format_amount

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook
    from xlsxwriter.worksheet import Worksheet

WORKBOOK = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
"""Options of a workbook in which a text stays a text."""

MOST_EXACT = 10**15 - 1
"""The largest number of which a spreadsheet keeps every digit: it has fifteen."""

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
    "figure header": {
        "bold": True,
        "bottom": 1,
        "bg_color": "#E7E6E6",
        "text_wrap": True,
        "valign": "top",
        "align": "right",
    },
    "note": {"italic": True},
    "good": {"font_color": "#006100", "bg_color": "#C6EFCE"},
    "look": {"font_color": "#7F4F00", "bg_color": "#FFEB9C"},
    "bad": {"font_color": "#9C0006", "bg_color": "#FFC7CE"},
}
_VARIED = ("text", "whole", "long", "minor", "money0", "money2", "money3", "money4", "day", "header")
_VARIANTS: dict[str, dict[str, str | int | bool]] = {
    "total": {"bold": True, "top": 1},
    "fill": {"bg_color": "#FFF9DB", "border": 1, "border_color": "#D9D9D9"},
}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")
_MARKUP = re.compile("\u200b*<r>")
MOST_CELL_CHARACTERS = 16_000
"""Characters of a cell: it holds 32,767 units of UTF-16, of which a character takes up to two."""


@dataclass(frozen=True, slots=True)
class Money:
    """Minor units of a currency, with the formula that adds them up again where there is one; None: no amount."""

    cents: int | None
    currency_code: str | None
    formula: str | None = None


def formats_of(workbook: Workbook, variant: str = "total") -> dict[str, Format]:
    """
    Add the formats to `workbook` and return them by name, those of cells also with `variant` and a blank before it.

    The variants are `total`, of a row of sums, and `fill`, of cells to fill in.
    """
    formats = {name: workbook.add_format(properties) for name, properties in _FORMATS.items()}
    more = _VARIANTS[variant]
    return formats | {f"{variant} {name}": workbook.add_format({**_FORMATS[name], **more}) for name in _VARIED}


def money_style(currency_code: str | None, cents: int | None = None) -> str:
    """Return the name of the format of an amount in a currency; of one that is not known, of minor units."""
    decimals = EXPONENTS.get(currency_code or "")
    return "minor" if decimals is None and cents else f"money{decimals or 0}"


def write_money(
    sheet: Worksheet, place: tuple[int, int], money: Money, formats: Mapping[str, Format], prefix: str = ""
) -> None:
    """Write `money` to the cell at `place` (row and column from 0); `prefix` is that of the format's name."""
    row, column = place
    cents, code = money.cents, money.currency_code or ""
    if cents is None:
        return
    if abs(cents) > MOST_EXACT:
        sheet.write_string(row, column, format_amount(cents, code), formats[f"{prefix}long"])
        return
    decimals = EXPONENTS.get(code)
    style = formats[prefix + money_style(code, cents)]
    amount = cents / 10**decimals if decimals else cents
    if money.formula:
        sheet.write_formula(row, column, money.formula, style, amount)
    else:
        sheet.write_number(row, column, amount, style)


def shown(text: str) -> str:
    """
    Return `text` as a cell can show it: characters that XML cannot hold as �, cut where it is very long, no
    markup.
    """
    return kept(_CONTROLS.sub("�", text))


def kept(text: str) -> str:
    """Return `text` as `given` reads it back from a cell: only NUL is lost, and the end of one that is very long."""
    text = text.replace("\0", "�")
    return no_markup(text if len(text) <= MOST_CELL_CHARACTERS else f"{text[: MOST_CELL_CHARACTERS - 1]}…")


def no_markup(text: str) -> str:
    """Return `text`, after an invisible character where XlsxWriter would take it for markup of its rich strings."""
    return f"\u200b{text}" if _MARKUP.match(text) else text


def given(text: str) -> str:
    """Return the text that `no_markup` was given."""
    return text[1:] if text.startswith("\u200b") and _MARKUP.match(text) else text
