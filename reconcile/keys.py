"""
When two keys are the same: Unicode NFC, without outer white space; a blank key is none.

Said once for both sides, the files' and the API's. Anything more (case, prefixes, padding) would be a guess, unless a
merchant declares it: those rules are the matching's, and only what a case is stands here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

WHITE_SPACE = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())
"""What `str.strip` takes away: the last character of white space is U+3000."""

NOT_BLANK = f"[^{WHITE_SPACE}]"
"""A pattern (RE2 and Java's) of a string that is more than white space."""


def clean_key(text: str) -> str | None:
    """Return a key as it is compared: Unicode NFC (UAX #15) without outer white space; None when nothing is left."""
    return unicodedata.normalize("NFC", text).strip() or None


def pattern_of(values: Iterable[str]) -> str:
    """
    Return a regular expression (RE2 and Java's) that fits a text which is one of `values`, from end to end.

    In a value, `*` stands for any characters, `?` for one.
    """
    regular = ("".join(_SIGNS.get(sign) or re.escape(sign) for sign in value.strip()) for value in values)
    return rf"(?s)\A(?:{'|'.join(regular)})\z"


_SIGNS = {"*": ".*", "?": "."}


def fold_key(text: str) -> str:
    """
    Return a key without upper and lower case: `str.casefold`, in NFC.

    "STRASSE" and "straße" are one, "I" and "ı" are two (no language's own rules). Canonical decomposition comes first,
    so that strings which differ in it alone stay one. Source: Unicode 15, section 3.13, D145 (canonical caseless
    match).
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
