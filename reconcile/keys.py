"""
When two keys are the same: Unicode NFC, without outer white space; a blank key is none.

Said once for both sides, the files' and the API's. Anything more (case, prefixes, padding) would be a guess.
"""

from __future__ import annotations

import unicodedata


def clean_key(text: str) -> str | None:
    """Return a key as it is compared: Unicode NFC (UAX #15) without outer white space; None when nothing is left."""
    return unicodedata.normalize("NFC", text).strip() or None
