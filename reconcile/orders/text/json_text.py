"""
JSON to batches of order cells: one array of objects, or one object per line (NDJSON).

A column that is declared as `payment_source.reference` is looked for inside the object `payment_source`; by themselves
only the outermost objects' own keys are columns.

Knows that a number's text is what stands in the file:
`007` in quotes, `12.30` and a 30-digit reference come out digit for digit. A row's line is its physical line in
NDJSON, its place in the array (from 1) otherwise. Does not know what a cell means.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import msgspec
import pyarrow as pa

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import ColumnMap, map_columns
from reconcile.orders.columns.names import folded
from reconcile.orders.columns.not_a_table import telling_kind
from reconcile.orders.columns.systems import vocabulary
from reconcile.orders.format import COLUMN_OPTIONS, OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.rejects import Reject, shortened
from reconcile.orders.text.blocks import TextBlocks, count_lines
from reconcile.orders.text.json_elements import HINT, JsonValues, json_elements, json_lines

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ONE_KEY = "give every object the same keys"


@dataclass(frozen=True, slots=True)
class _Found:
    """
    What the first objects of a file had: the keys met, and with them the `roles` whose column is found by its name.

    `absent` are the columns by whose values rows are left out that they did not have, folded.
    """

    roles: tuple[str, ...]
    keys: frozenset[str]
    absent: frozenset[str]


def open_json(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    """
    Return the objects in `stream`; columns are the keys met in its first block.

    Raises OrderFileError, then or while batches are read, when the text is not JSON or a row has no such columns.
    """
    texts = TextBlocks(stream, path=source.name, encoding=form.encoding)
    with telling_kind(texts.head, wanted="JSON", path=source.name, form=form):
        return _opened(texts, form, source.name)
    raise AssertionError("the block returns or raises")


def _opened(texts: TextBlocks, form: OrderFormat, path: str) -> OpenedOrders:
    pieces = iter(texts)
    blank_lines, first = 0, next(pieces, b"")
    while first and not first.strip():
        blank_lines, first = blank_lines + count_lines(first), next(pieces, b"")
    if not first:
        raise OrderFileError("there is nothing in the file", path=path, hint=HINT)
    whole = chain((first,), pieces)
    groups = json_elements(whole, path) if first.lstrip().startswith(b"[") else json_lines(whole, path, blank_lines + 1)
    head = next(groups, None)
    if head is None:
        return OpenedOrders(ColumnMap((), {}), iter(()), encoding=texts.encoding)
    names = dict.fromkeys(
        name for line, text in zip(head.lines, head.texts, strict=True) for name in _decoded(text, line, path) or ()
    )
    names |= dict.fromkeys(_declared_inside(form, names))
    if not names:
        raise OrderFileError("there is no object with columns in the file", path=path, hint=HINT)
    _check_wrapped(head, names, path)
    columns = map_columns(tuple(names), form, path=path)
    found = _Found(
        tuple(role for role in COLUMN_OPTIONS if form.column(role) is None and role not in columns.loose),
        frozenset(columns.names),
        frozenset(folded(mark) for mark in form.marks if mark not in columns.marks),
    )
    return OpenedOrders(columns, _batches(chain((head,), groups), columns, found, path), encoding=texts.encoding)


def _check_wrapped(head: JsonValues, names: Collection[str], path: str) -> None:
    """Refuse one object around the rows."""
    row = _decoded(head.texts[0], head.lines[0], path) or {}
    inside = [name for name, raw in row.items() if bytes(raw).lstrip(b"[ \t\r\n").startswith(b"{")]
    if len(head.texts) == 1 and len(inside) == 1 and len(names) == 1:
        raise OrderFileError(
            f'the rows are inside one object, under "{inside[0]}"', path=path, hint="give the array only: [{…}, …]"
        )


def _batches(groups: Iterable[JsonValues], columns: ColumnMap, found: _Found, path: str) -> Iterator[Batch]:
    for group in groups:
        yield partial(_rows, group, columns, found, path)


def _rows(group: JsonValues, columns: ColumnMap, found: _Found, path: str) -> RawRows:
    roles = {role: columns.name(role) for role in columns.positions}
    lines: list[int] = []
    rows: list[list[str | None]] = []
    shown: list[list[str | None]] = []
    literal: list[bool] = []
    rejects: list[Reject] = []
    for line, text in zip(group.lines, group.texts, strict=True):
        row = _decoded(text, line, path)
        if row is None:
            rejects.append(Reject(line, None, shortened(text.decode(), 200), "is not a JSON object"))
            continue
        raws = [_raw(row, name) for name in roles.values()]
        texts = zip(roles, map(_text_of, raws), strict=True)
        values = [text if role not in columns.loose else (text[0], None) for role, text in texts]
        rejects += _problems(text, line, raws, values, roles, columns.loose) or _elsewhere(row, line, roles, found)
        lines.append(line)
        rows.append([value for value, _ in values])
        shown.append([_shown(_raw(row, columns.names[place])) for place in columns.shown])
        literal.append(not _raw(row, roles["amount"]).startswith(b'"'))
    cells = {role: pa.array([row[at] for row in rows], pa.string()) for at, role in enumerate(roles)}
    marks = {place: pa.array([row[at] for row in shown], pa.string()) for at, place in enumerate(columns.shown)}
    return RawRows(pa.array(lines, pa.int64()), cells, tuple(rejects), pa.array(literal, pa.bool_()), marks)


def _problems(
    text: bytes,
    line: int,
    raws: Sequence[bytes],
    values: Sequence[tuple[str | None, str | None]],
    roles: dict[str, str],
    loose: Collection[str],
) -> list[Reject]:
    found = []
    names = [name for role, name in roles.items() if role not in loose]
    # A key may be written with escapes: then only a parser sees that it is the same.
    suspect = b"\\" in text or any(text.count(f'"{name}"'.encode()) > 1 for name in names)
    repeated = _repeated(text) if suspect else frozenset()
    for name, raw, (_, problem) in zip(roles.values(), raws, values, strict=True):
        if problem is None and name in repeated and name in names:
            problem = "occurs more than once in the object"
        if problem is not None:
            found.append(Reject(line, name, shortened(raw.decode(), 200), problem))
    return found


def _elsewhere(row: Mapping[str, msgspec.Raw], line: int, roles: Mapping[str, str], found: _Found) -> list[Reject]:
    """Refuse an object that has the value of a column under another key than the objects before it had."""
    if row.keys() <= found.keys and all(name in row for name in roles.values()):
        return []
    rejects = []
    for role in found.roles:
        if roles.get(role) in row:
            continue
        for key, raw in row.items():
            is_other = key not in found.keys if role not in roles else key not in roles.values()
            if is_other and bytes(raw) != b"null" and folded(key) in vocabulary(role):
                problem = f"has the {role.replace('_', ' ')} under a different key from the objects before it"
                rejects.append(Reject(line, key, shortened(bytes(raw).decode(), 200), problem, _ONE_KEY))
    for key, raw in row.items():
        if key not in found.keys and folded(key) in found.absent:
            problem = "says whether the row is left out, and the objects before it have no such key"
            rejects.append(Reject(line, key, shortened(bytes(raw).decode(), 200), problem, _ONE_KEY))
    return rejects


def _decoded(text: bytes, line: int, path: str) -> dict[str, msgspec.Raw] | None:
    """Return the object, None when the value is another one; raises OrderFileError when it is not JSON."""
    try:
        return _OBJECT.decode(text)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderFileError(f"this is not valid JSON ({error})", path=path, line=line, hint=HINT) from error


def _declared_inside(form: OrderFormat, keys: Collection[str]) -> list[str]:
    """Return the declared columns with a dot whose first part is one of `keys`: they stand inside an object."""
    declared = [*filter(None, map(form.column, COLUMN_OPTIONS)), *form.marks]
    outside = [name for name in declared if name not in keys]
    return [name for name in outside if name.partition(".")[1] and name.partition(".")[0] in keys]


def _raw(row: Mapping[str, msgspec.Raw], name: str) -> bytes:
    """Return the JSON value of the column `name`, of the object itself or of one inside; null where there is none."""
    raw = bytes(row.get(name, b""))
    outer, _, inner = name.partition(".")
    if raw or not inner or outer not in row:
        return raw or b"null"
    try:
        return _raw(_OBJECT.decode(row[outer]), inner)
    except msgspec.ValidationError:  # a list of objects, or a plain value: nobody says which one is meant
        return bytes(row[outer])


def _text_of(raw: bytes) -> tuple[str | None, str | None]:
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


def _shown(raw: bytes) -> str | None:
    """Return the text of a JSON value of any kind, None for null."""
    text, problem = _text_of(raw)
    return text if problem is None else raw.decode()


def _repeated(text: bytes) -> frozenset[str]:
    """Return the keys that the outermost object has more than once; the last one would win, silently."""
    pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str, parse_constant=str)
    return frozenset(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
