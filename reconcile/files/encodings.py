"""
In which encoding a file of text is: by its byte-order mark, or by what else can be told from its bytes.

Does not know where a file comes from, nor what to do about one in another encoding.
"""

from __future__ import annotations

import codecs

WINDOWS = "cp1252"
"""What a spreadsheet in Western Europe saves where it is not asked for Unicode."""

_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's: longest first
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DATEV = (b'"EXTF";', b"EXTF;", b'"DTVF";', b"DTVF;")


def marked_encoding(head: bytes) -> str | None:
    """Return the encoding whose byte-order mark a file begins with, None where there is none."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def datev_encoding(head: bytes) -> str | None:
    """
    Return the encoding of a file that says in its first line that it is one of DATEV, None for any other.

    The format is in cp1252; some write it as UTF-8, which shows in `head`, the beginning of the file.
    """
    if not head.startswith(_DATEV):
        return None
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(head)
    except UnicodeDecodeError:
        return WINDOWS
    return WINDOWS if head.isascii() else None


def utf_16_without_mark(text: bytes) -> str | None:
    """Return which UTF-16 `text` looks like, None where it looks like none."""
    first, second = text[:2000:2], text[1:2000:2]  # of each pair of bytes, one is NUL in nearly all text
    if second.count(0) * 2 > len(second) and first.count(0) * 10 < len(first):
        return "utf-16-le"
    return "utf-16-be" if first.count(0) * 2 > len(first) and second.count(0) * 10 < len(second) else None


def text_in(content: bytes, *, otherwise: str = WINDOWS) -> str:
    """
    Return the text in `content`, in the encoding of its mark, else in UTF-8 or UTF-16, else in `otherwise`.

    Raises UnicodeError when it is text in none of them, LookupError when there is no encoding `otherwise`.
    """
    codecs.lookup(otherwise)
    encoding = marked_encoding(content) or utf_16_without_mark(content) or "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8":
            raise
    return content.decode(otherwise)
