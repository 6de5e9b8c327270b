"""
Which list of a JSON document has the rows, where an object is around it: `{"data": [...], "meta": ...}`.

Knows the way to each list through the objects around it, without holding what is in the lists. The only list of
objects is the one; of several, one must be named. What stands beside it is checked when the list is read: one
that comes later is an error then. Does not know what a row means.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import msgspec

from reconcile.errors import OrderFileError
from reconcile.orders.cells.remedies import quoted
from reconcile.orders.columns.mapping import has_required
from reconcile.orders.columns.marks import listed
from reconcile.orders.columns.names import names_of_lines
from reconcile.orders.format import OrderFormat
from reconcile.orders.text.json_elements import HINT, JsonValues, json_elements
from reconcile.orders.text.records import MAX_RECORD_BYTES

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|"|[{}\[:]', re.DOTALL)
_BLANKS = b" \t\r\n"
_FIRST_OBJECT_BYTES = 1 << 14
_WINDOW_BYTES = 1 << 10
_DEEPEST = 50
_MOST_LISTS = 1000  # by then it is known that there are several, or none of rows
_BY_ROW = "export it with one object per row: [{…}, {…}]"

Kind = Literal["objects", "empty", "lists", "values"]


@dataclass(frozen=True, slots=True)
class JsonList:
    """A list in a document: the keys that lead to it, with dots; what is in it; the keys of its first object."""

    path: str
    kind: Kind
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

    def _begins_with(self) -> tuple[Kind, tuple[str, ...]]:
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


def rows_within(head: bytes, form: OrderFormat, path: str, *, is_whole: bool) -> str | None:
    """
    Return the path of the list with the rows in the document that begins with `head`; None: it is a row itself.

    Raises OrderFileError when several lists could be it, when the one that `form` names is not there, and when the rows
    are in another form than as objects of a list.
    """
    if form.records == "":
        return None
    walk = JsonWalk((head,), path, is_part=True)
    lists = list(islice(walk.lists(), _MOST_LISTS))
    found = _possible(lists)
    if form.records is not None:
        if form.records in {one.path for one in lists if one.kind in ("objects", "empty")} or not is_whole:
            return form.records
        raise _not_there(form.records, found, path)
    paths = {one.path for one in lists}
    plain = [key for key in walk.members.get((), ()) if (key,) not in walk.members and key not in paths]
    if has_required(plain, form):
        _check_one_row(found, form, path)
        return None
    if not found:
        _check_shape(walk, lists, form, path)
        return None
    if len(found) > 1:
        raise several(found, path)
    return found[0].path


def rows_at(wanted: str, texts: Iterable[bytes], form: OrderFormat, path: str) -> Iterator[JsonValues]:
    """Yield the elements of the list at the path `wanted`; raises OrderFileError where it is not the only one."""
    walk = JsonWalk(texts, path)
    met: list[JsonList] = []
    is_read = False
    for one in walk.lists():
        if one.kind not in ("objects", "empty"):
            continue
        met.append(one)
        if one.path == wanted and not is_read:
            is_read = True
            yield from walk.elements()
        elif one.path == wanted or (is_read and form.records is None and not _is_only(wanted, met)):
            raise several(met, path)
    if not is_read:
        raise _not_there(wanted, met, path)


def _is_only(wanted: str, lists: Sequence[JsonList]) -> bool:
    return [one.path for one in _possible(lists)] == [wanted]


def several(lists: Sequence[JsonList], path: str) -> OrderFileError:
    """Return the error for a document with more than one list of objects."""
    paths = [one.path for one in lists]
    if twice := [one for one, times in Counter(paths).items() if times > 1]:
        return OrderFileError(
            f'list "{twice[0]}" occurs more than once in the file', path=path, hint="write every list once"
        )
    return OrderFileError(
        f"the rows may be in any of several lists: {listed(paths)}",
        path=path,
        hint=f"name the right one, e.g. --records {_shell(paths[0])}",
    )


def _possible(lists: Sequence[JsonList]) -> list[JsonList]:
    """Return the lists that may hold the rows; of a document of JSON:API, what is `included` are other things."""
    found = [one for one in lists if one.kind in ("objects", "empty")]
    is_document = any(one.path == "data" for one in found)
    return [one for one in found if not (is_document and one.path == "included")]


def _check_one_row(found: Sequence[JsonList], form: OrderFormat, path: str) -> None:
    """Refuse an object that may be one order, or be around a list of orders."""
    orders = [one for one in found if one.kind == "objects"]
    if orders := [one for one in orders if has_required(one.names, form) or not names_of_lines(one.names)]:
        raise OrderFileError(
            f'this may be one order, or a list of orders under "{orders[0].path}"',
            path=path,
            hint=f'name the list with --records {_shell(orders[0].path)}, or add --records "" if it is one order',
        )


def _check_shape(walk: JsonWalk, lists: Sequence[JsonList], form: OrderFormat, path: str) -> None:
    """Refuse rows in columns, and rows that are the members of an object."""
    columns = [one.path.rpartition(".")[2] for one in lists if one.kind == "values"]
    if any(one.kind == "lists" for one in lists) or has_required(columns, form):
        where = next((one.path for one in lists if one.kind == "lists"), columns[0] if columns else "")
        raise OrderFileError(
            f'the rows are written by columns, under "{where}"',
            path=path,
            hint=f'{_BY_ROW}; in pandas, to_json(orient="records")',
        )
    for parent, keys in walk.members.items():
        inner = [frozenset(walk.members.get((*parent, key), ())) for key in keys]
        if len(inner) > 1 and all(inner) and all(_are_alike(inner[0], other) for other in inner[1:]):
            by_columns = has_required(keys, form)
            what = "written by columns" if by_columns else f'members of one object, under keys such as "{keys[0]}"'
            where = f', in "{".".join(parent)}"' if parent else ""
            raise OrderFileError(f"the rows are {what}{where}", path=path, hint=_BY_ROW)


def _are_alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) * 2 > len(one | other)


def _not_there(wanted: str, found: Sequence[JsonList], path: str) -> OrderFileError:
    there = f"; the lists of objects are {listed([one.path for one in found])}" if found else ""
    return OrderFileError(
        f'there is no list of objects "{wanted}" in the file{there}', path=path, hint="correct --records"
    )


def _shell(path: str) -> str:
    return path if re.fullmatch(r"[\w.-]+", path) else quoted(path)
