"""
Text that a spreadsheet would run as a formula, and the apostrophe that keeps it from doing so.

Knows the guard and how to take it off again, as SQL over a column and for a single text. Numbers, dates and
booleans are never guarded: that is for the writer of a table to see to.

Source: https://owasp.org/www-community/attacks/CSV_Injection
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from reconcile.files.duckdb import text_literal

# What starts a formula in Excel, LibreOffice and Google Sheets, with look-alikes that input methods and imports fold
# to the ASCII character.
_SIGNS = "-=+@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
_FORMULA = f"[-=+@{''.join(f'{chr(92)}x{{{ord(sign):x}}}' for sign in _SIGNS[4:])}]"
# Blanks, controls and invisible characters, which imports skip; and the guard itself, so that it can be taken off
# again.
_SKIPPED = r"[' \pZ\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\p{Cf}\p{Co}]*"
_STARTS_CELL = rf"({_SKIPPED}(?:{_FORMULA}|[\t\r\n]))"
# Where the list separator is `;` the quotes of a comma-separated file mean nothing, and a string that holds `;` or a
# line break continues in a new cell.
_STARTS_PART = rf"({_SKIPPED}{_FORMULA})"
_SEPARATOR = r"([;\t\r\n])"
_ODD = r"\x1f[^0-9A-~]|[;\t\r\n]"  # in texts one behind the other, each after a unit separator
_MAY_NEED_GUARD = re.compile(r"^[^0-9A-~]|[;\t\r\n]")


_BLOCK_BYTES = 1 << 20


def guarded(text: str) -> str:
    """
    Return `text` in which nothing is run when a spreadsheet opens it.

    An apostrophe goes before `= + - @` at the start of the cell and after a `;`, tab or line break in it, also
    where blanks or apostrophes stand between; and before a tab or line break at the start of the cell. Taking
    these apostrophes away gives the text back.
    """
    if not _MAY_NEED_GUARD.search(text):
        return text
    first = _after_skipped(text, 0)
    starts = first < len(text) and text[first] in _SIGNS + "\t\r\n"
    signs = ["'"] if starts else []
    for place, sign in enumerate(text):
        signs.append(sign)
        if sign in ";\t\r\n" and text[_after_skipped(text, place + 1) :][:1] in tuple(_SIGNS):
            signs.append("'")
    return "".join(signs)


def unguarded(text: str) -> str:
    """Return `text` without the guard: the inverse of `guarded`. A string that never had one comes back as it is."""
    first = _after_skipped(text, 1)
    place = 1 if text.startswith("'") and text[first : first + 1] in tuple(_SIGNS + "\t\r\n") else 0
    signs = []
    while place < len(text):
        signs.append(text[place])
        is_guarded = text[place + 1 : place + 2] == "'" and text[_after_skipped(text, place + 2) :][:1] in tuple(_SIGNS)
        place += 2 if text[place] in ";\t\r\n" and is_guarded else 1
    return "".join(signs)


def guarded_sql(column: str) -> str:
    """Return SQL for the text `column` (an identifier, quoted where it must be) with the guard of `guarded`."""
    # Nearly every cell starts with an ASCII letter or digit and has no separator: comparing is far cheaper than RE2.
    starts_well = f"(({column} >= 'A' AND {column} < chr(127)) OR ({column} >= '0' AND {column} < ':'))"
    has_separator = " OR ".join(f"contains({column}, {sign})" for sign in ("';'", "chr(9)", "chr(10)", "chr(13)"))
    inside = rf"regexp_replace({column}, {text_literal(_SEPARATOR + _STARTS_PART)}, '\1''\2', 'g')"
    both = rf"regexp_replace({inside}, {text_literal('^' + _STARTS_CELL)}, '''\1')"
    return f"CASE WHEN {starts_well} AND NOT ({has_separator}) THEN {column} ELSE {both} END"


def is_plain_sql(columns: Iterable[str]) -> str:
    """Return SQL for whether `guarded_sql` leaves all texts of a row as they are; false for a few others too."""
    return f"NOT regexp_matches(concat_ws(chr(31), '', {', '.join(columns)}), {text_literal(_ODD)})"


def may_be_guarded(path: Path) -> bool:
    """Return whether a text in this file may have a guard: it has apostrophes. Raises OSError as the disk does."""
    with path.open("rb") as file:
        return any(b"'" in block for block in iter(lambda: file.read(_BLOCK_BYTES), b""))


def unguarded_sql(column: str) -> str:
    """Return SQL for the text `column` without the guard: the inverse of `guarded_sql`."""
    at_start, inside = text_literal("^'" + _STARTS_CELL), text_literal(_SEPARATOR + "'" + _STARTS_PART)
    first_off = rf"regexp_replace({column}, {at_start}, '\1')"
    inside_off = rf"regexp_replace({first_off}, {inside}, '\1\2', 'g')"
    return f"CASE WHEN contains({column}, chr(39)) THEN {inside_off} ELSE {column} END"


def _after_skipped(text: str, place: int) -> int:
    while place < len(text) and _is_skipped(text[place]):
        place += 1
    return place


def _is_skipped(sign: str) -> bool:
    kind = unicodedata.category(sign)
    return sign in "' " or kind[0] == "Z" or kind in ("Cf", "Co") or (kind == "Cc" and sign not in "\t\r\n")
