"""
Columns of JSON rows: the keys that were met, with those of objects inside under names with dots, and their cells.

Knows that a number's text is what stands in the file, and what a number cannot be any more. Does not know which column
means what.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from reconcile.orders.columns.mapping import KEYS

OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_Row: TypeAlias = Mapping[str, msgspec.Raw]

_NOISE = re.compile(rb"-?[0-9]+\.[0-9]{5,}")
_MOST_DIGITS = 15  # that a float keeps of a decimal
_LARGEST_DEPTH = 20
_KEYS = (*KEYS, "document")

_AS_TEXT = "export it as text, in quotes"
_NO_NOISE = "export the amount as text, or with the decimals of its currency: nothing is rounded here"


@dataclass(frozen=True, slots=True)
class Met:
    """
    What rows had: the names of their columns in the order met, those `inside` objects, and the outermost keys.

    An object whose members are columns is none itself.
    """

    names: tuple[str, ...]
    inside: frozenset[str]
    keys: frozenset[str]


def columns_met(rows: Iterable[_Row]) -> Met:
    """Return the columns of `rows`."""
    names: dict[str, bool] = {}  # whether any row has a value there
    inside: set[str] = set()
    around: set[str] = set()
    keys: set[str] = set()
    for row in rows:
        keys |= row.keys()
        for name, raw, depth in members(row, around):
            names[name] = names.get(name, False) or bytes(raw) not in (b"null", b"{}")
            if depth:
                inside.add(name)
    told = tuple(name for name, has_values in names.items() if has_values or name not in around)
    return Met(told, frozenset(inside), frozenset(keys))


def members(
    row: _Row, around: set[str] | None = None, prefix: str = "", depth: int = 0
) -> Iterable[tuple[str, msgspec.Raw, int]]:
    """
    Yield the name, the value and the depth of each column of `row`, those of objects inside too.

    Names of these objects are added to `around`.
    """
    for key, raw in row.items():
        inner = bytes(raw)
        if inner[:1] == b"{" and inner != b"{}" and depth < _LARGEST_DEPTH:
            if around is not None:
                around.add(prefix + key)
            yield from members(OBJECT.decode(inner), around, f"{prefix}{key}.", depth + 1)
        else:
            yield prefix + key, raw, depth


class Cells:
    """The cells of one row, `text`, of the object itself and of those inside, each of which is opened once."""

    def __init__(self, row: _Row, text: bytes) -> None:
        self._row = row
        self._text = text
        self._opened: dict[str, Cells | None] = {}
        self._repeated: frozenset[str] | None = None

    def has(self, name: str) -> bool:
        """Return whether the column `name` is there, if only with null."""
        if name in self._row:
            return True
        outer, _, inner = name.partition(".")
        cells = self._inside(outer) if inner else None
        return cells is not None and cells.has(inner)

    def raw(self, name: str) -> bytes:
        """
        Return the JSON value of the column `name`, null where there is none.

        It is a list with what stands there, where no object but a plain value is around the column.
        """
        raw = self._row.get(name)
        if raw is not None:
            return bytes(raw)
        outer, _, inner = name.partition(".")
        if not inner or outer not in self._row:
            return b"null"
        cells = self._inside(outer)
        if cells is not None:
            return cells.raw(inner)
        around = bytes(self._row[outer])
        return around if around == b"null" or around[:1] == b"[" else b"[" + around + b"]"

    def is_repeated(self, name: str) -> bool:
        """Return whether an object has the column `name`, or the way to it, more than once: the last one would win."""
        if name not in self._row:
            outer, _, inner = name.partition(".")
            cells = self._inside(outer) if inner else None
            return cells is not None and (self.is_repeated(outer) or cells.is_repeated(inner))
        # A key may be written with escapes: then only a parser sees that it is the same.
        if b"\\" not in self._text and self._text.count(f'"{name}"'.encode()) < 2:
            return False
        if self._repeated is None:
            pairs = json.loads(self._text, object_pairs_hook=list, parse_int=str, parse_float=str, parse_constant=str)
            self._repeated = frozenset(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        return name in self._repeated

    def _inside(self, outer: str) -> Cells | None:
        """Return the cells of the object under the key `outer`, None where there is none."""
        if outer not in self._opened:
            around = bytes(self._row.get(outer, b""))
            self._opened[outer] = Cells(OBJECT.decode(around), around) if around[:1] == b"{" else None
        return self._opened[outer]


def text_of(raw: bytes) -> tuple[str | None, str | None]:
    """Return the text of a JSON value (None for null) and, where it is none that a cell may have, why not."""
    kind = raw[:1]
    if kind == b'"':
        if b"\\" not in raw:
            return raw[1:-1].decode(), None
        text = msgspec.json.decode(raw, type=str)
        return text, "holds a NUL character" if "\0" in text else None
    if raw == b"null":
        return None, None
    if kind in b"-0123456789":
        return raw.decode(), None
    return None, "is neither text nor a number"


def lost_by_number(raw: bytes, role: str) -> tuple[str, str] | None:
    """Return why the number `raw` cannot be the cell of `role` and what to do, None where it can."""
    if raw[:1] not in b"-0123456789":
        return None
    if role in _KEYS and any(sign in b".eE" for sign in raw):
        return "is a number with a fraction or an exponent, which no longer says what the key was", _AS_TEXT
    if role == "amount" and _NOISE.fullmatch(raw) and len(raw.strip(b"-0").replace(b".", b"")) > _MOST_DIGITS:
        return "has the noise of a float behind its decimals", _NO_NOISE
    return None


def is_integer(raw: bytes) -> bool:
    """Return whether `raw` is a number without any decimals."""
    return raw.removeprefix(b"-").isdigit()
