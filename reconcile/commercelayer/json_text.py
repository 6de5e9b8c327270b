"""
JSON as servers send it: made readable where it is not Unicode, and written in one way where its shape is free.

Knows two faults that no string can hold, bytes that are not UTF-8 and halves of surrogate pairs (`"\\ud83d"` alone).
Each becomes U+FFFD, the character that stands for what cannot be read: one odd value of one record would otherwise be
an answer that cannot be used at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

# Every escape in turn, so that the backslash of `\\ud83d` is not taken for the beginning of one.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_UNREADABLE = b"\\ufffd"

# Literals of numbers stay as they were sent: 1.10 is not 1.1, and 1e400 is no float.
_exact_json = msgspec.json.Decoder(float_hook=lambda literal: msgspec.Raw(literal.encode()))
_canonical_json = msgspec.json.Encoder(order="sorted")


def readable(content: bytes) -> bytes:
    """Return `content`, JSON, with U+FFFD in place of what is not Unicode. What is no JSON is none after it, too."""
    if b"\\ud" in content or b"\\uD" in content:
        content = _ESCAPE.sub(lambda escape: _UNREADABLE if escape[1] else escape[0], content)
    if content.isascii():
        return content
    try:
        content.decode()
    except UnicodeDecodeError:
        return content.decode(errors="replace").encode()
    return content


@lru_cache(maxsize=4096)
def canonical_json(raw: bytes) -> str | None:
    """
    Return `raw` JSON with sorted keys, without spaces and with every number as it was written; null for null.

    What is nested or written so strangely that it cannot be sorted is kept as it was sent.
    """
    if raw in (b"null", b""):
        return None
    try:
        return _canonical_json.encode(_exact_json.decode(raw)).decode()
    except (ValueError, RecursionError):
        return readable(raw).decode()


def canonical_jsons(values: Sequence[bytes]) -> list[str | None]:
    """Return what `canonical_json` makes of each of `values`, each different one once and all in one go."""
    distinct = dict.fromkeys(values)
    try:
        lines = _canonical_json.encode_lines(_exact_json.decode(b"[" + b",".join(distinct) + b"]")).decode().split("\n")
    except (ValueError, RecursionError):  # one of them is odd
        return [canonical_json(value) for value in values]
    canonical: dict[bytes, str | None] = dict(zip(distinct, lines, strict=False))
    canonical[b"null"] = None
    return [canonical[value] for value in values]
