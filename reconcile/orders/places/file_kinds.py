"""
Of what kind an order file is: the suffix of its format and of its packing, by its name or by its first bytes.

A name decides where it has a known ending. The bytes decide for what has none, such as standard input or a download
without its name, which kind of spreadsheet one is that is named like any of them, and whether a fetched file is packed:
a server may pack or unpack it on the way. Knows no column and no row.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reconcile.errors import OrderFileError
from reconcile.files.spreadsheets.stored import Stored, stored_as
from reconcile.orders.places.archives import holds, only_member
from reconcile.orders.places.packing import ARCHIVE, PACKINGS
from reconcile.orders.places.sources import OrderSource, SourceStream, unreadable

_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")  # with a file in it, and without one
_SPREADSHEET = "[Content_Types].xml"  # the first name in every Office file: ECMA-376, part 2
_NAMED = (".xlsx", ".xlsm", ".xls", ".ods")
_STORED: dict[Stored, str] = {"package": ".xlsx", "open document": ".ods", "compound": ".xls"}
_CALLED_XLS: dict[Stored, str] = {"html": ".html", "excel 2003": ".xml", "text": ".csv"}  # by no few programs
_OTHER_SPREADSHEETS = (".xlsb", ".numbers")
_HEAD_BYTES = 4096
_JSON = re.compile(r"\s*(\[\s*[{\[\]]|\{\s*[\"}])")
_WEB_PAGE = re.compile(rb"\s*<(!doctype\s+html|html)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Kind:
    """Suffix of a format (".csv") and of a packing ("" or ".gz")."""

    suffix: str
    packing: str


_PLAIN_TEXT = Kind(".csv", "")


def kind_of_name(name: str, formats: Sequence[str]) -> Kind | None:
    """Return what the endings of `name` say; None where the last one is unknown. The format of a zip is "" here."""
    endings = [ending.lower() for ending in PurePosixPath(name).suffixes]
    packing = endings.pop() if endings and endings[-1] in PACKINGS else ""
    suffix = endings[-1] if endings else ""
    if packing == ARCHIVE:
        return Kind("", packing)
    return Kind(suffix, packing) if suffix in formats else None


def kind_of_file(path: Path, *, name: str, formats: Sequence[str]) -> Kind:
    """
    Return the kind of the file at `path`, which its user calls `name`: by its endings, inside an archive by theirs.

    Without an ending, as an export is downloaded, its bytes decide; plain text might be anything then, and is refused.
    Raises OrderFileError when it cannot be read here.
    """
    kind = kind_of_name(name, formats)
    try:
        if kind is None and not _format_ending(name):
            kind = kind_of_content(path, name=name, formats=formats)
            if kind != _PLAIN_TEXT:
                return kind
        elif kind is not None:
            return _of_member(path, name, formats) if kind.packing == ARCHIVE else _as_stored(kind, path)
    except OSError as error:
        raise unreadable(name, error) from error
    raise _unknown(name, name, formats)


def _as_stored(kind: Kind, path: Path) -> Kind:
    """Return the kind of the file at `path`, which is named like one of `kind`: by its bytes for a spreadsheet."""
    if kind.suffix not in _NAMED or kind.packing:
        return kind
    with path.open("rb") as file:
        stored = stored_as(file)
    if stored == "package" and kind.suffix == ".xlsm":
        return kind
    found = _STORED | (_CALLED_XLS if kind.suffix == ".xls" else {})
    return Kind(found.get(stored, kind.suffix), "")


def _format_ending(name: str) -> str:
    """Return the ending of `name` beside that of a packing, nothing where there is none."""
    endings = [ending for ending in PurePosixPath(name).suffixes if ending.lower() not in PACKINGS]
    return endings[-1] if endings else ""


def kind_of_content(path: Path, *, name: str, formats: Sequence[str]) -> Kind:
    """
    Return the kind of a fetched file: its packing by its bytes, its format by `name` where that shows it, else by
    bytes.

    Raises OrderFileError when it cannot be read here.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        file.seek(0)
        stored = stored_as(file)
    named = kind_of_name(name, formats)
    if stored in ("open document", "compound"):
        return _format(_STORED[stored], "", name, formats)
    if head.startswith(_ZIP):
        if holds(path, _SPREADSHEET, name=name):
            return _format(".xlsx", "", name, formats)
        return _of_member(path, name, formats)
    packing = ".gz" if head.startswith(_GZIP) else ".zst" if head.startswith(_ZSTD) else ""
    if named and named.suffix:
        return _as_stored(Kind(named.suffix, packing), path)
    if stored == "excel 2003":
        return _format(".xml", "", name, formats)
    if packing:
        stream = SourceStream(OrderSource(path, "", packing, name))
        try:
            head = stream.read(_HEAD_BYTES)
        finally:
            stream.close()
    if _WEB_PAGE.match(head):
        raise OrderFileError(
            "this is a web page, not a file of order totals", path=name, hint="it may ask to log in: check the address"
        )
    return _format(_suffix_of(head), packing, name, formats)


def _of_member(path: Path, name: str, formats: Sequence[str]) -> Kind:
    if holds(path, _SPREADSHEET, name=name):
        raise OrderFileError(
            "this is a spreadsheet, not an archive of a table", path=name, hint="give its name the extension .xlsx"
        )
    member = only_member(path, name=name)
    inside = PurePosixPath(member.filename.replace("\\", "/")).name
    kind = kind_of_name(inside, formats)
    if kind is None or kind.packing:
        raise _unknown(f"{name} ({inside})", inside, formats)
    return Kind(kind.suffix, ARCHIVE)


def _suffix_of(head: bytes) -> str:
    if head.startswith(_PARQUET):
        return ".parquet"
    is_utf_16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = head.decode("utf-16" if is_utf_16 else "utf-8-sig", "ignore")
    return ".json" if _JSON.match(text) else ".csv"


def _format(suffix: str, packing: str, name: str, formats: Sequence[str]) -> Kind:
    if suffix not in formats:
        raise _unknown(name, f"orders{suffix}", formats)
    return Kind(suffix, packing)


def _unknown(name: str, file_name: str, formats: Sequence[str]) -> OrderFileError:
    endings = [ending.lower() for ending in PurePosixPath(file_name).suffixes]
    packed = endings.pop() if endings and endings[-1] in PACKINGS else ""
    if packed and endings and endings[-1] in PACKINGS:
        return OrderFileError(
            "the file is compressed more than once", path=name, hint="unpack it, and name the file inside"
        )
    export = f"export it as one of {', '.join(formats)}; text formats also with {', '.join(PACKINGS)}"
    return OrderFileError(
        f'files ending in "{endings[-1]}{packed}" cannot be read' if endings else "the name has no known extension",
        path=name,
        hint="save it as .xlsx or CSV" if endings and endings[-1] in _OTHER_SPREADSHEETS else export,
    )
