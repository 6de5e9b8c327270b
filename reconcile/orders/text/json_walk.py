"""
The way through the objects of a JSON document to each of its lists, without holding what is in the lists.

Knows brackets, strings and keys. Does not know which list has the rows: `json_records` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from reconcile.errors import OrderFileError
from reconcile.orders.text.json_elements import HINT, JsonValues, json_elements
from reconcile.orders.text.records import MAX_RECORD_BYTES

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|"|[{}\[:]', re.DOTALL)
_BLANKS = b" \t\r\n"
_FIRST_OBJECT_BYTES = 1 << 14
_WINDOW_BYTES = 1 << 10
_DEEPEST = 50

_Kind = Literal["objects", "empty", "lists", "values"]


@dataclass(frozen=True, slots=True)
class JsonList:
    """A list in a document: the keys that lead to it, with dots; what is in it; the keys of its first object."""

    path: str
    kind: _Kind
    names: tuple[str, ...] = ()


class JsonWalk:
    """
    The way through the objects of one document, list by list; `texts` begins with the bracket of the outermost.

    Raises OrderFileError where an object or a list is never closed, or the text around the lists is no JSON. Of a part
    of a document, `is_part`, neither is known; `members` are then the keys of each object by those that lead to it.
    With `is_row` only those of the outermost object count.
    """

    def __init__(self, texts: Iterable[bytes], path: str, *, is_part: bool = False, is_row: bool = False) -> None:
        self._pieces = filter(None, texts)
        self._path = path
        self._is_part = is_part
        self._is_row = is_row
        self._text, self._at = b"", 0
        self._around = bytearray()  # the document without what is in its lists
        self._keys: list[str] = []
        self._is_before_list = False
        self.members: dict[tuple[str, ...], list[str]] = {}

    def lists(self) -> Iterator[JsonList]:
        """Yield each list; what is in it is passed over, unless `elements` is used up before the next one."""
        string = b""
        while (token := self._next()) is not None:
            if token == b"{":
                self._keys.append("")
                if len(self._keys) > _DEEPEST and not self._is_row:
                    raise self._error(f"objects are nested more than {_DEEPEST} deep", HINT)
            elif token == b"}":
                self._keys.pop()
                if not self._keys:
                    self._check_end()
                    return
            elif token == b":":
                self._name(string)
            elif token == b"[":
                self._is_before_list = True
                yield JsonList(".".join(self._keys), *self._begins_with())
                if self._is_before_list:
                    for _ in self._cut(_WINDOW_BYTES):
                        pass
            string = token
        if not self._is_part:
            raise self._error(
                "the JSON object around the rows is never closed", "the file is truncated: export it again"
            )

    def elements(self) -> Iterator[JsonValues]:
        """Yield the elements of the list that was yielded last."""
        return self._cut(len(self._text))

    def _cut(self, window: int) -> Iterator[JsonValues]:
        """Yield the elements of the list that has begun, looking at `window` bytes first and then at more."""
        fed, self._is_before_list = self._at, False

        def windows() -> Iterator[bytes]:
            nonlocal fed, window
            while True:
                if fed == len(self._text):
                    self._text, fed = next(self._pieces, b""), 0
                    if not self._text:
                        return
                piece = self._text[fed : fed + window]
                fed, window = fed + len(piece), window * 2
                yield piece

        def ended(rest: Iterator[bytes]) -> None:
            self._at = fed - len(next(rest))

        self._at = 0
        try:
            yield from json_elements(windows(), self._path, ended)
        except OrderFileError:
            if not self._is_part:
                raise
        self._around += b"]"

    def _begins_with(self) -> tuple[_Kind, tuple[str, ...]]:
        """Return what is in the list that has begun, and the keys of its first object; go back to its bracket."""
        self._at -= 1
        if self._is_row:
            return "values", ()
        while not (first := self._text[self._at + 1 : self._at + _FIRST_OBJECT_BYTES].lstrip(_BLANKS)):
            if not self._more():
                break
        if first.startswith(b"{"):
            walk = JsonWalk((first,), self._path, is_part=True, is_row=True)
            for _ in walk.lists():
                pass
            return "objects", tuple(walk.members.get((), ()))
        return ("lists" if first.startswith(b"[") else "empty" if first.startswith(b"]") else "values"), ()

    def _next(self) -> bytes | None:
        """Return the next bracket, colon or string outside of lists, None at the end of the text."""
        while True:
            found = _TOKEN.search(self._text, self._at)
            token = found[0] if found is not None else b""
            end = found.end() if found is not None else len(self._text)
            if found is not None and token == b'"':  # the text ends inside a string
                end = found.start()
            self._around += self._text[self._at : end]
            self._at = end
            if token not in (b"", b'"'):
                return token
            if not self._more():
                return None

    def _more(self) -> bool:
        """Take one more piece of the text; return whether there was one."""
        piece = next(self._pieces, b"")
        self._text, self._at = self._text[self._at :] + piece, 0
        if len(self._around) + len(self._text) > MAX_RECORD_BYTES + len(piece):
            raise self._error(f"there are more than {MAX_RECORD_BYTES >> 20} MiB around the list of rows", HINT)
        return bool(piece)

    def _name(self, string: bytes) -> None:
        """Take `string` for the key of what follows."""
        try:
            key = self._keys[-1] = str(json.loads(string))
        except ValueError as error:
            raise self._error(f"this is not valid JSON around the rows ({error})", HINT) from error
        if self._is_part and (len(self._keys) == 1 or not self._is_row):
            self.members.setdefault(tuple(self._keys[:-1]), []).append(key)

    def _check_end(self) -> None:
        if self._is_part:
            return
        try:
            msgspec.json.decode(bytes(self._around))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._error(f"this is not valid JSON around the rows ({error})", HINT) from error
        if self._text[self._at :].strip() or any(piece.strip() for piece in self._pieces):
            raise self._error("there is text after the JSON object around the rows", HINT)

    def _error(self, problem: str, hint: str) -> OrderFileError:
        return OrderFileError(problem, path=self._path, hint=hint)
