"""
When two keys are the same: Unicode NFC, without outer white space; a blank key is none.

Said once for both sides, the files' and the API's. Anything more (case, prefixes, padding) would be a guess, unless a
merchant declares it: those rules are the matching's, and only what a case is stands here.
"""

from __future__ import annotations

import unicodedata

WHITE_SPACE = "".join(sign for sign in map(chr, range(0x3001)) if sign.isspace())
"""What `str.strip` takes away: the last character of white space is U+3000."""


def clean_key(text: str) -> str | None:
    """Return a key as it is compared: Unicode NFC (UAX #15) without outer white space; None when nothing is left."""
    return unicodedata.normalize("NFC", text).strip() or None


def fold_key(text: str) -> str:
    """
    Return a key without upper and lower case: `str.casefold`, in NFC.

    "STRASSE" and "straße" are one, "I" and "ı" are two (no language's own rules). Canonical decomposition comes first,
    so that strings which differ in it alone stay one. Source: Unicode 15, section 3.13, D145 (canonical caseless
    match).
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
