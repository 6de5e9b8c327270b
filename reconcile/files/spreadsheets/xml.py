"""
The XML inside a spreadsheet file, read piece by piece by expat, in memory that does not depend on what the file says.

Knows what no honest spreadsheet has and a hostile one may: document types (and with them entities), single tokens of
megabytes, more text than any table. Does not know what an element means.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from xml.parsers import expat

from reconcile.files.spreadsheets.unreadable import damaged
from reconcile.files.streams import PackedTooWell, Readable

PIECE_BYTES = 128 << 10
_LONGEST_TAG_BYTES = 1 << 20
_DEEPEST = 64
_SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
# ISO/IEC 29500 has two sets of names for the same elements: Transitional, and Strict as Excel can save it too.
_STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"

Parser = expat.XMLParserType


def names_of(*elements: str) -> dict[str, str]:
    """Return the names that expat has for `elements` of a spreadsheet, each with the plain one."""
    return {f"{space} {element}": element for space in (_SPREADSHEET, _STRICT) for element in elements}


def new_parser() -> Parser:
    """Return a parser that refuses document types; attributes come as a list of names and values in turn."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


class XmlFeed:
    """Gives `parser` the pieces of one XML text, called `name` in messages."""

    def __init__(self, parser: Parser, *, name: str) -> None:
        self._parser = parser
        self._name = name
        self._bytes = 0

    @property
    def is_between_tokens(self) -> bool:
        """Whether the parser has made something of everything it was given."""
        return self._parser.CurrentByteIndex == self._bytes

    def feed(self, piece: bytes, *, is_last: bool) -> None:
        """Read on; raises NotASpreadsheet when it is no XML, or not what a spreadsheet has."""
        self._bytes += len(piece)
        try:
            self._parser.Parse(piece, is_last)
        except expat.ExpatError as error:
            raise damaged(f"{self._name}: {error}") from error
        except _Doctype as error:
            what = f"{self._name} has a document type, which no spreadsheet program writes"
            raise damaged(what) from error
        if self._bytes - self._parser.CurrentByteIndex > _LONGEST_TAG_BYTES:
            raise damaged(f"{self._name} has one tag of more than {_LONGEST_TAG_BYTES >> 20} MiB")


def pieces_of(part: Readable, *, name: str) -> Iterator[bytes]:
    """Yield the bytes of `part`, an empty piece last; raises NotASpreadsheet when it is damaged, or too much of it."""
    while True:
        try:
            piece = part.read(PIECE_BYTES)
        except PackedTooWell as error:
            raise damaged(f"{name} unpacks to more than any spreadsheet") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise damaged(f"{name}: {error}") from error
        yield piece
        if not piece:
            return


def parsed(part: Readable, parser: Parser, *, name: str) -> Iterator[None]:
    """Give `part` to `parser`, and yield after each piece; raises NotASpreadsheet as `XmlFeed` and `pieces_of`."""
    feed = XmlFeed(parser, name=name)
    for piece in pieces_of(part, name=name):
        feed.feed(piece, is_last=not piece)
        yield


def elements(part: Readable, *, name: str) -> Iterator[tuple[tuple[str, ...], Mapping[str, str]]]:
    """
    Yield each element of a small `part`: plain names from the root down to it, and its attributes by plain name.

    Raises NotASpreadsheet as `parsed`.
    """
    found: list[tuple[tuple[str, ...], dict[str, str]]] = []
    above: list[str] = []

    def start(element: str, attributes: list[str]) -> None:
        above.append(element.rpartition(" ")[2])
        if len(above) > _DEEPEST:
            raise damaged(f"{name} has elements inside each other, {_DEEPEST} deep")
        plain = (attribute.rpartition(" ")[2] for attribute in attributes[::2])
        found.append((tuple(above), dict(zip(plain, attributes[1::2], strict=True))))

    parser = new_parser()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: above.pop()
    for _ in parsed(part, parser, name=name):
        yield from found
        found.clear()


class _Doctype(Exception):
    """A document type is declared."""


def _refuse_doctype(*_: object) -> None:
    raise _Doctype
