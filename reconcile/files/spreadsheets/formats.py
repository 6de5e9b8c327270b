"""
Number formats of a spreadsheet: which of them make a number a date, and what a whole number looks like in one.

Knows the built-in formats and the small language of the others, as far as these two questions go.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal

GENERAL = "builtin:0"

# ECMA-376 part 1, 18.8.30; 27 to 36 and 50 to 58 are dates in the languages that have them.
_DATES = {*range(14, 18), 22, *range(27, 32), 36, *range(50, 59)}
_TIMES = {*range(18, 22), *range(32, 36), *range(45, 48)}
_LITERALS = re.compile(r'"[^"]*"|\\.|[_*].', re.DOTALL)  # in quotes, escaped, as wide as a character, filled with it
_ELAPSED = re.compile(r"\[(h+|m+|s+)\]", re.IGNORECASE)
_NO_PART_OF_A_DATE = re.compile(r"\[[^\]]*\]|general|am/pm|a/p", re.IGNORECASE)
_SECTION_END = re.compile(r'"[^"]*"|\\.|(;)', re.DOTALL)
# Colours, languages and blanks as wide as a character: what a number is shown as without them is the same.
_UNSEEN = re.compile(
    r'"[^"]*"|\\.|(_.|\[(?:\$-[0-9a-f,]+|black|blue|cyan|green|magenta|red|white|yellow|color ?[0-9]+)\])',
    re.DOTALL | re.IGNORECASE,
)
_PIECE = re.compile(r'"([^"]*)"|\\(.)|([0#?])|([-+()!^&\'~{}<>= $])', re.DOTALL)
_LAST_DAY = {False: 2_958_465, True: 2_957_003}  # 9999-12-31, counted from 1900 and from 1904


@lru_cache(maxsize=1024)
def kind_of(number_format: str) -> Literal["number", "date", "time"]:
    """
    Return what a number is shown as in `number_format`: a date (alone or with a time of day), a time, or a number.

    `number_format` is a format code, or `builtin:NUMBER`.
    """
    builtin, _, number = number_format.partition(":")
    if builtin == "builtin":
        known = int(number) if number.isdecimal() else 0
        return "date" if known in _DATES else "time" if known in _TIMES else "number"
    code = _LITERALS.sub("", number_format)
    letters = set(_NO_PART_OF_A_DATE.sub("", code).lower())
    if letters & set("yd"):
        return "date"
    if letters & set("hs") or _ELAPSED.search(code):
        return "time"
    return "date" if "m" in letters else "number"


def day_of_serial(serial: float, *, from_1904: bool) -> date | None:
    """
    Return the date of a day number; None where there is none.

    Of the days counted from 1900, number 60 is the 29th of February 1900, which never was, and those before it are one
    day off: https://learn.microsoft.com/office/troubleshoot/excel/wrongly-assumes-1900-is-leap-year
    """
    if not 0 <= serial < _LAST_DAY[from_1904] + 1:
        return None
    day = int(serial)
    if from_1904:
        return date(1904, 1, 1) + timedelta(days=day)
    if day in (0, 60):
        return None
    return date(1899, 12, 31 if day < 60 else 30) + timedelta(days=day)


def whole_text(number: int, number_format: str) -> str:
    """
    Return a whole number as the key it is read as: with the zeros and the words that its format puts around the digits.

    `00000` makes 42 "00042", and `"PO-"0000` makes it "PO-0042". A format for quantities (thousands separators,
    decimals, percent, exponents) adds nothing that belongs to a key.
    """
    pieces = _digit_format(number_format)
    if number < 0 or pieces is None:
        return str(number)
    rest, shown = str(number), []
    for at in range(len(pieces) - 1, -1, -1):
        place, literal = pieces[at]
        if place:
            # Digits beyond the places go to the first one.
            cut = 0 if not any(is_place for is_place, _ in pieces[:at]) else max(len(rest) - 1, 0)
            literal, rest = rest[cut:] or ("0" if place == "0" else ""), rest[:cut]
        shown.append(literal)
    return "".join(reversed(shown))


@lru_cache(maxsize=1024)
def _digit_format(number_format: str) -> tuple[tuple[str, str], ...] | None:
    """Return a format of digits and literals as pieces (place, literal), one of them empty; None for any other."""
    if number_format.startswith("builtin:"):
        return None
    ends = (match.start() for match in _SECTION_END.finditer(number_format) if match[1])
    section = number_format[: next(ends, len(number_format))]  # that of positive numbers
    section = _UNSEEN.sub(lambda match: "" if match[1] else match[0], section)
    pieces: list[tuple[str, str]] = []
    at = 0
    while at < len(section):
        match = _PIECE.match(section, at)
        if match is None:
            return None
        quoted, escaped, place, plain = match.groups(default="")
        pieces.append((place, quoted or escaped or plain))
        at = match.end()
    return tuple(pieces) if any(place for place, _ in pieces) else None
