"""
What a file is that was taken for a table of text and is not: by its first bytes, with what to do about it.

Knows signatures, and columns that are aligned by blanks. Refuses nothing that could be read: it is asked where reading
has failed, for a better word than "byte 2 is not UTF-8".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import has_required
from reconcile.orders.format import OrderFormat

_SHOWN_LINES = 20
_ENDING = "give it the right file extension: {}"
_EXPORT = "export the order totals as CSV"

# Signature at the start → what it is, what to do. Each is in the registry of its format.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "a gzip file", _ENDING.format(".csv.gz")),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", _ENDING.format(".csv.zst")),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", _ENDING.format(".zip or .xlsx")),
    (b"PK\x05\x06", "an empty zip archive", _EXPORT),
    (b"BZh", "a bzip2 file", "unpack it first"),
    (b"\xfd7zXZ", "an xz file", "unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive", "unpack it first"),
    (b"Rar!", "a RAR archive", "unpack it first"),
    (
        b"\xd0\xcf\x11\xe0",
        "an .xls file, or a spreadsheet with a password",
        f"{_ENDING.format('.xls')}; or save it as .xlsx or CSV, without a password",
    ),
    (b"PAR1", "a Parquet file", _ENDING.format(".parquet")),
    (b"PARE", "an encrypted Parquet file", "export it without encryption"),
    (b"ORC", "an ORC file", "export it as Parquet or CSV"),
    (b"Obj\x01", "an Avro file", "export it as Parquet or CSV"),
    (b"ARROW1", "an Arrow file", "export it as Parquet or CSV"),
    (b"FEA1", "a Feather file", "export it as Parquet or CSV"),
    (b"SQLite format 3\0", "an SQLite database", "name it with --orders-db and a query with --orders-sql"),
    (b"%PDF", "a PDF document", _EXPORT),
    (b"{\\rtf", "a text document (RTF)", _EXPORT),
    (b"\x89PNG", "an image", _EXPORT),
    (b"\0\x05\x16\x07", "metadata that macOS keeps beside a file", "name the file without ._ before its name"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "fetch the file with `git lfs pull`"),
)
_PATTERNS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"\s*<(!doctype\s+html|html|head|body|table)\b", re.IGNORECASE),
        "a web page",
        "it may be a login page; a table made for reading has the file extension .html, and is better exported as CSV",
    ),
    (
        re.compile(rb"\s*(<\?xml[^>]*\?>\s*)?<(Error|\w+:Envelope)\b"),
        "an error message, not an export",
        "open it in an editor, and export again",
    ),
    (
        re.compile(rb"\s*<\?xml\b[^>]*>.{0,500}?<(\w+:)?Workbook\b", re.DOTALL),
        "a workbook in Excel's XML of 2003",
        _ENDING.format(".xml"),
    ),
    (re.compile(rb"\s*<\?xml\b"), "an XML file", "save it as .xlsx or CSV"),
    (
        re.compile(rb'\s*\{\s*"errors"\s*:'),
        "an error message, not an export",
        "open it in an editor, and export again",
    ),
    (re.compile(rb'\s*(\[\s*[\[{"]|\{\s*")'), "JSON", _ENDING.format(".json, or .ndjson for one object per line")),
    (
        re.compile(rb"MIME-Version:[^\n]*\n(?:[^\n]*\n){0,3}?X-Document-Type: Workbook"),
        "a spreadsheet saved as a web archive",
        "open it in a spreadsheet program and save it as .xlsx or CSV",
    ),
    (
        re.compile(rb"(Content-Type|MIME-Version|Received|Return-Path):", re.IGNORECASE),
        "an e-mail",
        "save its attachment",
    ),
)


def known_as(head: bytes) -> tuple[str, str] | None:
    """Return what a file is that begins with `head`, and what to do about it; None where that is not known."""
    for signature, what, remedy in _SIGNATURES:
        if head.startswith(signature):
            return what, remedy
    if head[8:12] == b"DUCK":
        return "a DuckDB database", "name it with --orders-db and a query with --orders-sql"
    return next(((what, remedy) for pattern, what, remedy in _PATTERNS if pattern.match(head)), None)


@contextmanager
def telling_kind(head: bytes, *, wanted: str, path: str, form: OrderFormat) -> Iterator[None]:
    """
    Give an OrderFileError of the block a better word where the file, which begins with `head`, is of another kind.

    `wanted` is what it was read as.
    """
    try:
        yield
    except OrderFileError as error:
        known = known_as(head)
        if known is not None and known[0] != wanted:
            raise OrderFileError(f"this is {known[0]}, not {wanted}", path=path, hint=known[1]) from error
        if form.delimiter is None and (remedy := _aligned(head, form)):
            raise OrderFileError("the columns are separated by spaces", path=path, line=error.line, hint=remedy) from (
                error
            )
        raise


def _aligned(head: bytes, form: OrderFormat) -> str | None:
    """Return what to do about a table that is laid out with blanks; None where it is not."""
    lines = [line for line in head.decode("utf-8", "ignore").splitlines() if line.strip()][:_SHOWN_LINES]
    if not lines or any(mark in lines[0] for mark in ",;\t|"):
        return None
    wide = [re.split(r" {2,}", line.strip()) for line in lines]
    if has_required(lines[0].split(" "), form) and len({len(line.split(" ")) for line in lines}) == 1:
        return "name the delimiter with --delimiter space"
    aligned = sum(len(cells) > 1 for cells in wide)
    if has_required(wide[0], form) or (len(wide[0]) > 2 and aligned > 1 and aligned * 4 >= len(lines) * 3):
        return "it looks like fixed width: export it with a delimiter, as CSV"
    return None
