"""
Cells of a spreadsheet to the text of a key, a date or an amount, exactly, or the reason why that cannot be.

Knows what a spreadsheet does to what is typed into it: digits beyond the 15th are lost, leading zeros are a matter of
format, `1-2` becomes a date, a formula may never have been calculated. Does not know rows or columns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol

from reconcile.files.doubles import double_text
from reconcile.files.spreadsheets.fast_rows import Cell
from reconcile.files.spreadsheets.formats import GENERAL, day_of_serial, kind_of, whole_text
from reconcile.files.spreadsheets.strings import SharedStrings, shown_text

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]*[1-9])?(?<!-0)")
_PLAIN_LENGTH = 15  # so many digits at most: such a decimal is what its double means
_TEXT = "text"  # a kind that no .xlsx has: a text in which nothing is escaped
_TEXTS = ("s", "str", "inlineStr", _TEXT)
_FIRST_LOST = 10**15  # a spreadsheet keeps 15 digits of what is typed, and puts zeros in place of the rest

TOO_MANY_DIGITS = "is a number of more than 15 digits: the spreadsheet has put zeros in place of the rest"
NOT_WHOLE = "is a number with decimals: a spreadsheet drops trailing zeros"
NO_DAY = "is not a date that a spreadsheet knows"
IS_DATE = "is a date in the spreadsheet"
IS_ERROR = "is an error in the spreadsheet"
IS_TRUTH = "is TRUE or FALSE in the spreadsheet"
NO_RESULT = "is a formula without a calculated result"
NOT_STORED = "is stored in a way that no spreadsheet program writes"
NO_FORMAT = "is a number, and the zeros or words that its format may show are not known"

REMEDIES = {
    TOO_MANY_DIGITS: "format the column as text before the numbers are entered, or export it as CSV",
    NOT_WHOLE: "format the column as text, and enter it again",
    NO_DAY: "correct the date",
    IS_DATE: "the spreadsheet took it for a date: format the column as text, and enter it again",
    IS_ERROR: "fix what it is calculated from, or enter the value itself",
    IS_TRUTH: "format the column as text, and enter it again",
    NO_RESULT: "open the file in a spreadsheet program and save it: that calculates it",
    NOT_STORED: "open the file in a spreadsheet program and save it again",
    NO_FORMAT: "save the file as .xlsx, or, where its digits are the whole of it, add --float-keys whole",
}
"""Reason → what to do about it."""


CellKind = Literal["key", "day", "other"]
"""What a cell is to be: the name of something, a date, or anything else, as an amount."""


NumberKeys = Literal["formatted", "unknown", "floats"]
"""
What a whole number is as a key: its digits in its format, which is known; nothing, as no format is; or a float.

As a float, 100408.0, it is what a key that was a number is in a file of text.
"""


class StoredCells(Protocol):
    """What the cells of a workbook refer to."""

    @property
    def strings(self) -> SharedStrings:
        """The strings that cells of the kind "s" name by their numbers."""

    @property
    def formats(self) -> tuple[str, ...]:
        """The number formats that a cell's style is an index of."""

    @property
    def counts_from_1904(self) -> bool:
        """Whether day number 0 is in 1904."""

    @property
    def is_uncalculated(self) -> bool:
        """Whether formulas were left to be calculated when the file is opened."""


@dataclass(frozen=True, slots=True)
class PlainCells:
    """What cells refer to that hold everything themselves, but for their number formats."""

    formats: tuple[str, ...] = ()
    strings: SharedStrings = field(default_factory=SharedStrings)
    counts_from_1904: bool = False
    is_uncalculated: bool = False


class CellTexts:
    """Reads the cells of one workbook."""

    def __init__(self, book: StoredCells, *, number_keys: NumberKeys = "formatted") -> None:
        self._number_keys = number_keys
        self._strings = book.strings
        self.longest_bytes = book.strings.longest_bytes
        self._formats = book.formats
        self._from_1904 = book.counts_from_1904
        self._is_uncalculated = book.is_uncalculated

    def of_kind(self, cell: Cell, wanted: CellKind) -> tuple[str | None, str | None]:
        """Return the text of `cell`, which is to be `wanted` (None where it is empty), and why it cannot be read."""
        kind, style, text, is_formula = cell
        if is_formula and (self._is_uncalculated or text is None or (text == "" and kind == "n")):
            return text, NO_RESULT
        if text is None:
            return None, None
        if kind == "n":
            return self._of_number(text, style, wanted)
        if kind == "e":
            return text, IS_ERROR
        if kind == "b":
            return ("TRUE" if text == "1" else "FALSE"), IS_TRUTH
        if kind == "d" and wanted != "day":
            return text, IS_DATE
        shown = self.plain(cell)
        return (shown, None) if shown is not None else (text, NOT_STORED)

    def plain(self, cell: Cell) -> str | None:
        """Return the text that `cell` holds, a number as its digits; None where nothing can be read."""
        kind, _, text, _ = cell
        if text is None:
            return None
        if kind == "s":
            known = text.isascii() and text.isdecimal() and len(text) <= 9 and int(text) < len(self._strings)
            return self._strings[int(text)] if known else None
        if kind == "n":
            return _digits(text)
        return text if kind == _TEXT else shown_text(text)

    def shown(self, cell: Cell | None) -> str | None:
        """Return the text of a cell in no column of ours: a date as a day, true and false as words, None if empty."""
        return self.of_kind(cell, "day")[0] if cell is not None else None

    def text(self, cell: Cell | None) -> str | None:
        """Return what a cell of text holds; None for numbers, dates and anything else."""
        return self.plain(cell) if cell is not None and cell[0] in _TEXTS else None

    def is_blank(self, cell: Cell) -> bool:
        """Return whether `cell` shows nothing."""
        kind, _, stored, is_formula = cell
        if is_formula or kind not in _TEXTS:
            return stored is None and not is_formula
        text = self.plain(cell)
        return text is not None and not text.strip()

    def _of_number(self, text: str, style: int, wanted: CellKind) -> tuple[str | None, str | None]:
        if not text:
            return None, None
        number_format = self._formats[style] if style < len(self._formats) else GENERAL
        kind = kind_of(number_format)
        if kind == "date":
            day = _iso_day(text, self._from_1904)
            if wanted == "day":
                return day or text, None if day else NO_DAY
            return day or text, IS_DATE
        digits = _digits(text)
        if digits is None:
            return text, NOT_STORED
        if kind == "time" and wanted != "day":
            return digits, IS_DATE
        if abs(float(digits)) >= _FIRST_LOST:
            return text, TOO_MANY_DIGITS
        return (digits, None) if wanted != "key" else self._key(digits, number_format)

    def _key(self, digits: str, number_format: str) -> tuple[str, str | None]:
        if not digits.removeprefix("-").isdecimal():
            return digits, NOT_WHOLE
        if self._number_keys == "formatted":
            return whole_text(int(digits), number_format), None
        is_float = self._number_keys == "floats" and digits.isdecimal()
        return (f"{digits}.0", None) if is_float else (digits, NO_FORMAT)


def _digits(text: str) -> str | None:
    """Return a stored number as the decimal text that is meant, None where it is no number."""
    if len(text) <= _PLAIN_LENGTH and _PLAIN.fullmatch(text):
        return text
    return double_text(float(text)) if _NUMBER.fullmatch(text) else None


@lru_cache(maxsize=4096)
def _iso_day(text: str, from_1904: bool) -> str | None:
    day = day_of_serial(float(text), from_1904=from_1904) if _NUMBER.fullmatch(text) else None
    return day.isoformat() if day is not None else None
