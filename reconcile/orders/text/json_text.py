"""
JSON to batches of order cells: one array of objects, or one object per line (NDJSON).

A column that is declared as `payment_source.reference` is looked for inside the object `payment_source`; by themselves
only the outermost objects' own keys are columns.

Knows how objects are separated without holding the whole text, and that a number's text is what stands in the file:
`007` in quotes, `12.30` and a 30-digit reference come out digit for digit. A row's line is its physical line in
NDJSON, its place in the array (from 1) otherwise. Does not know what a cell means.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import chain

import msgspec
import numpy as np
import numpy.typing as npt
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
from reconcile.orders.text.records import MAX_RECORD_BYTES, Dialect, Positions, blocks_of

_LINES = Dialect(delimiter=",", quote="")  # a line end inside a JSON text is always written \n
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_BLANKS = b" \t\r\n"  # of JSON; bytes.strip() takes more
_ONE_KEY = "give every object the same keys"
_HINT = "give one array of objects, or one object per line"


@dataclass(frozen=True, slots=True)
class _Values:
    """Strings of JSON values with the line (or place) of each."""

    lines: Sequence[int]
    texts: Sequence[bytes]


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
        raise OrderFileError("there is nothing in the file", path=path, hint=_HINT)
    whole = chain((first,), pieces)
    groups = _elements(whole, path) if first.lstrip().startswith(b"[") else _lines(whole, path, blank_lines + 1)
    head = next(groups, None)
    if head is None:
        return OpenedOrders(ColumnMap((), {}), iter(()), encoding=texts.encoding)
    names = dict.fromkeys(
        name for line, text in zip(head.lines, head.texts, strict=True) for name in _decoded(text, line, path) or ()
    )
    names |= dict.fromkeys(_declared_inside(form, names))
    if not names:
        raise OrderFileError("there is no object with columns in the file", path=path, hint=_HINT)
    _check_wrapped(head, names, path)
    columns = map_columns(tuple(names), form, path=path)
    found = tuple(role for role in COLUMN_OPTIONS if form.column(role) is None)
    return OpenedOrders(columns, _batches(chain((head,), groups), columns, found, path), encoding=texts.encoding)


def _check_wrapped(head: _Values, names: Collection[str], path: str) -> None:
    """Refuse one object around the rows."""
    row = _decoded(head.texts[0], head.lines[0], path) or {}
    inside = [name for name, raw in row.items() if bytes(raw).lstrip(b"[ \t\r\n").startswith(b"{")]
    if len(head.texts) == 1 and len(inside) == 1 and len(names) == 1:
        raise OrderFileError(
            f'the rows are inside one object, under "{inside[0]}"', path=path, hint="give the array only: [{…}, …]"
        )


def _batches(groups: Iterable[_Values], columns: ColumnMap, found: Sequence[str], path: str) -> Iterator[Batch]:
    for group in groups:
        yield partial(_rows, group, columns, found, path)


def _rows(group: _Values, columns: ColumnMap, found: Sequence[str], path: str) -> RawRows:
    roles = {role: columns.name(role) for role in columns.positions}
    known = frozenset(columns.names)
    lines: list[int] = []
    rows: list[list[str | None]] = []
    literal: list[bool] = []
    rejects: list[Reject] = []
    for line, text in zip(group.lines, group.texts, strict=True):
        row = _decoded(text, line, path)
        if row is None:
            rejects.append(Reject(line, None, shortened(text.decode(), 200), "is not a JSON object"))
            continue
        raws = [_raw(row, name) for name in roles.values()]
        values = [_text_of(raw) for raw in raws]
        problems = _problems(text, line, raws, values, roles) or _elsewhere(row, line, roles, found, known)
        if problems:
            rejects.extend(problems)
            continue
        lines.append(line)
        rows.append([value for value, _ in values])
        literal.append(not _raw(row, roles["amount"]).startswith(b'"'))
    cells = {role: pa.array([row[at] for row in rows], pa.string()) for at, role in enumerate(roles)}
    return RawRows(pa.array(lines, pa.int64()), cells, tuple(rejects), pa.array(literal, pa.bool_()))


def _problems(
    text: bytes,
    line: int,
    raws: Sequence[bytes],
    values: Sequence[tuple[str | None, str | None]],
    roles: dict[str, str],
) -> list[Reject]:
    found = []
    names = roles.values()
    # A key may be written with escapes: then only a parser sees that it is the same.
    suspect = b"\\" in text or any(text.count(f'"{name}"'.encode()) > 1 for name in names)
    repeated = _repeated(text) if suspect else frozenset()
    for name, raw, (_, problem) in zip(roles.values(), raws, values, strict=True):
        if problem is None and name in repeated:
            problem = "occurs more than once in the object"
        if problem is not None:
            found.append(Reject(line, name, shortened(raw.decode(), 200), problem))
    return found


def _elsewhere(
    row: Mapping[str, msgspec.Raw], line: int, roles: Mapping[str, str], found: Sequence[str], known: Set[str]
) -> list[Reject]:
    """
    Refuse an object that has the value of a column under another key than the objects before it had.

    `found` are the roles whose column is found by its name, `known` the keys that were met when it was.
    """
    if row.keys() <= known and all(name in row for name in roles.values()):
        return []
    rejects = []
    for role in found:
        if roles.get(role) in row:
            continue
        for key, raw in row.items():
            is_other = key not in known if role not in roles else key not in roles.values()
            if is_other and bytes(raw) != b"null" and folded(key) in vocabulary(role):
                problem = f"has the {role.replace('_', ' ')} under a different key from the objects before it"
                rejects.append(Reject(line, key, shortened(bytes(raw).decode(), 200), problem, _ONE_KEY))
    return rejects


def _decoded(text: bytes, line: int, path: str) -> dict[str, msgspec.Raw] | None:
    """Return the object, None when the value is another one; raises OrderFileError when it is not JSON."""
    try:
        return _OBJECT.decode(text)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderFileError(f"this is not valid JSON ({error})", path=path, line=line, hint=_HINT) from error


def _declared_inside(form: OrderFormat, keys: Collection[str]) -> list[str]:
    """Return the declared columns with a dot whose first part is one of `keys`: they stand inside an object."""
    declared = [name for role in COLUMN_OPTIONS if (name := form.column(role)) and name not in keys]
    return [name for name in declared if name.partition(".")[1] and name.partition(".")[0] in keys]


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


def _repeated(text: bytes) -> frozenset[str]:
    """Return the keys that the outermost object has more than once; the last one would win, silently."""
    pairs = json.loads(text, object_pairs_hook=list, parse_int=str, parse_float=str, parse_constant=str)
    return frozenset(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)


def _lines(texts: Iterable[bytes], path: str, first_line: int) -> Iterator[_Values]:
    for block in blocks_of(texts, _LINES, path=path, first_line=first_line):
        found = [(line, text) for line, text in enumerate(block.text.splitlines(), block.first_line) if text.strip()]
        if found:
            yield _Values([line for line, _ in found], [text for _, text in found])


def _elements(texts: Iterable[bytes], path: str) -> Iterator[_Values]:
    """Yield the elements of the one array in `texts`, cut at its own commas; `texts` begins with its bracket."""
    rest, place, opened, closed = b"", 1, False, False
    for piece in texts:
        rest = rest + piece if rest else piece
        if not opened:
            rest, opened = rest.lstrip()[1:], True
        if not closed:
            commas, closing = _own_marks(rest)
            closed = closing is not None
            ends = commas if closing is None else np.append(commas, closing)
            if len(ends):
                values = _values(rest, ends, place, alone=closed and place == 1)
                place += len(ends)
                rest = rest[int(ends[-1]) + 1 :]
                if values.texts:
                    yield values
        if closed and rest.strip():
            raise OrderFileError("there is text after the JSON array", path=path, hint=_HINT)
        if len(rest) > MAX_RECORD_BYTES:
            raise OrderFileError(
                f"element {place} is longer than {MAX_RECORD_BYTES >> 20} MiB", path=path, line=place, hint=_HINT
            )
    if not closed:
        raise OrderFileError(
            "the JSON array is never closed", path=path, line=place, hint="the file is truncated: export it again"
        )


def _values(text: bytes, ends: Positions, place: int, *, alone: bool) -> _Values:
    """Return the elements that end at `ends`; `alone`: nothing was before and the array ends, so it may be empty."""
    starts = [0, *(int(end) + 1 for end in ends[:-1])]
    texts = [text[start : int(end)].strip(_BLANKS) for start, end in zip(starts, ends, strict=True)]
    if alone and texts == [b""]:
        return _Values([], [])
    return _Values(range(place, place + len(texts)), texts)


def _own_marks(text: bytes) -> tuple[Positions, int | None]:
    """Return the positions of the array's own commas in `text`, and of its closing bracket if that is reached."""
    codes = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    if b"\\" in text:
        quotes = quotes[~_is_escaped(codes, quotes)]
    marks = np.flatnonzero(_MARKS[codes])
    marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
    steps = _STEPS[codes[marks]]
    depth = np.cumsum(steps)
    closing = marks[depth < 0]
    end = int(closing[0]) if len(closing) else None
    commas = marks[(steps == 0) & (depth == 0)]
    return (commas if end is None else commas[commas < end]), end


def _is_escaped(codes: npt.NDArray[np.uint8], quotes: Positions) -> npt.NDArray[np.bool_]:
    """Return which of `quotes` follow an odd number of backslashes."""
    slashes = np.flatnonzero(codes == ord("\\"))
    run_starts = slashes[np.diff(slashes, prepend=-2) != 1]
    before = np.searchsorted(run_starts, quotes) - 1
    run_start = run_starts[np.maximum(before, 0)]
    run_length = np.searchsorted(slashes, quotes) - np.searchsorted(slashes, run_start)
    touches = (before >= 0) & (codes[np.maximum(quotes - 1, 0)] == ord("\\")) & (quotes > 0)
    escaped: npt.NDArray[np.bool_] = touches & (run_length % 2 == 1)
    return escaped


_STEPS = np.zeros(256, np.int64)
_STEPS[[ord("["), ord("{")]] = 1
_STEPS[[ord("]"), ord("}")]] = -1
_MARKS = _STEPS != 0
_MARKS[ord(",")] = True
