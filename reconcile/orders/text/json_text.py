"""
JSON to batches of order cells: one array of objects, a document with one inside, or objects one after another (NDJSON).

Members of objects inside a row are columns whose names have dots: `payment_source.reference`.

Knows that a number's text is what stands in the file: `007` in quotes, `12.30` and a 30-digit reference come out digit
for digit. A row's line is its physical line where objects follow one another, its place in the list (from 1) otherwise.
Does not know what a cell means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
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
from reconcile.orders.text.json_columns import OBJECT, Cells, Met, columns_met, lost_by_number, members, text_of
from reconcile.orders.text.json_elements import (
    HINT,
    JsonValues,
    first_object,
    json_elements,
    json_lines,
    json_objects,
)
from reconcile.orders.text.json_records import rows_at, rows_within
from reconcile.orders.text.json_units import COUNTED_APART, with_unit

_ONE_KEY = "give every object the same keys"
_LINES = (".ndjson", ".jsonl")


@dataclass(frozen=True, slots=True)
class _Found:
    """
    What the first objects of a file had: the outermost `keys`, and with them the `roles` whose column is found by name.

    `absent` are the columns by whose values rows are left out that they did not have, folded. `is_minor` says that the
    program which wrote the file counts in minor units, `currency` is the one of rows that have none.
    """

    roles: tuple[str, ...]
    keys: frozenset[str]
    absent: frozenset[str]
    is_minor: bool
    currency: str | None


def open_json(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    """
    Return the objects in `stream`; columns are the keys met in its first block.

    Raises OrderFileError, then or while batches are read, when the text is not JSON or a row has no such columns.
    """
    texts = TextBlocks(stream, path=source.name, encoding=form.encoding)
    with telling_kind(texts.head, wanted="JSON", path=source.name, form=form):
        return _opened(texts, form, source)
    raise AssertionError("the block returns or raises")


def _opened(texts: TextBlocks, form: OrderFormat, source: OrderSource) -> OpenedOrders:
    path = source.name
    groups = _values(iter(texts), form, source)
    head = next(groups, None)
    if head is None:
        return OpenedOrders(ColumnMap((), {}), iter(()), encoding=texts.encoding)
    decoded = (_decoded(text, line, path) for line, text in zip(head.lines, head.texts, strict=True))
    rows = [(row, text) for row, text in zip(decoded, head.texts, strict=True) if row is not None]
    met = columns_met(row for row, _ in rows)
    names = (*met.names, *dict.fromkeys(_declared_inside(form, met)))
    if not names:
        raise OrderFileError("there is no object with columns in the file", path=path, hint=HINT)
    columns = map_columns(names, form, path=path, inside=met.inside)
    columns = with_unit(columns, (Cells(row, text) for row, text in rows), path=path)
    found = _Found(
        tuple(role for role in COLUMN_OPTIONS if form.column(role) is None and role not in columns.loose),
        met.keys | frozenset(names),
        frozenset(folded(mark) for mark in form.marks if mark not in columns.marks),
        columns.unit is not None and form.amount_unit is None,
        form.currency,
    )
    return OpenedOrders(columns, _batches(chain((head,), groups), columns, found, path), encoding=texts.encoding)


def _values(pieces: Iterator[bytes], form: OrderFormat, source: OrderSource) -> Iterator[JsonValues]:
    """Return the values that are rows; raises OrderFileError where it is not clear which are."""
    path, blank_lines, head = source.name, 0, next(pieces, b"")
    while head and not head.strip():
        blank_lines, head = blank_lines + count_lines(head), next(pieces, b"")
    if not head:
        raise OrderFileError("there is nothing in the file", path=path, hint=HINT)
    text = head.lstrip()
    if text.startswith(b"["):
        return json_elements(chain((text,), pieces), path)
    end = first_object(text) if text.startswith(b"{") else None
    rest = text[end + 1 :] if end is not None else b""
    more = b"" if rest.strip() or end is None else next((piece for piece in pieces if piece.strip()), b"")
    is_one = text.startswith(b"{") and not rest.strip() and not more
    whole = chain((head, more), pieces)
    if is_one and (form.records is not None or source.suffix not in _LINES):
        wanted = rows_within(text, form, path, is_whole=end is not None)
        if wanted is not None:
            return rows_at(wanted, chain((text, more), pieces), form, path)
    elif form.records:
        raise OrderFileError(
            f'objects follow one another in the file: none of them is around a list "{form.records}" of all rows',
            path=path,
            hint="name one document per file, or leave --records out",
        )
    is_spread = text.startswith(b"{") and (b"\n" in text[:end] or b"\r" in text[:end])
    separate = json_objects if is_spread else json_lines
    return separate(whole, path, blank_lines + 1)


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
        cells = Cells(row, text)
        values, problems = _read(cells, roles, columns.loose, line)
        problems = problems or _counted_apart(values, line, roles["amount"], found)
        rejects += problems or _elsewhere(row, cells, line, roles, found)
        lines.append(line)
        rows.append(list(values.values()))
        shown.append([_shown(cells.raw(columns.names[place])) for place in columns.shown])
        literal.append(not cells.raw(roles["amount"]).startswith(b'"'))
    texts = {role: pa.array([row[at] for row in rows], pa.string()) for at, role in enumerate(roles)}
    marks = {place: pa.array([row[at] for row in shown], pa.string()) for at, place in enumerate(columns.shown)}
    return RawRows(pa.array(lines, pa.int64()), texts, tuple(rejects), pa.array(literal, pa.bool_()), marks)


def _read(
    cells: Cells, roles: Mapping[str, str], loose: Collection[str], line: int
) -> tuple[dict[str, str | None], list[Reject]]:
    """Return the texts of a row's cells by role, and why those that have none cannot be read."""
    values: dict[str, str | None] = {}
    rejects = []
    for role, name in roles.items():
        raw, remedy = cells.raw(name), ""
        values[role], problem = text_of(raw)
        if role in loose:
            continue
        if problem is None and not raw.startswith(b'"') and (lost := lost_by_number(raw, role)):
            problem, remedy = lost
        if problem is None and cells.is_repeated(name):
            problem = "occurs more than once in the object"
        if problem is not None:
            rejects.append(Reject(line, name, shortened(raw.decode(), 200), problem, remedy))
    return values, rejects


def _counted_apart(values: Mapping[str, str | None], line: int, name: str, found: _Found) -> list[Reject]:
    """Refuse an amount in minor units, as the program has them, of a currency that is not counted alike everywhere."""
    code = (values.get("currency") or found.currency or "").strip().upper()
    if not found.is_minor or code not in COUNTED_APART or not values["amount"]:
        return []
    problem = f"is in {code}, whose minor units are not counted alike everywhere"
    return [Reject(line, name, values["amount"], problem, "export amounts in this currency as text with decimals")]


def _elsewhere(
    row: Mapping[str, msgspec.Raw], cells: Cells, line: int, roles: Mapping[str, str], found: _Found
) -> list[Reject]:
    """Refuse an object that has the value of a column under another key than the objects before it had."""
    rejects = [*_currencies_inside(row, line, roles, found)]
    if row.keys() <= found.keys and all(map(cells.has, roles.values())):
        return rejects
    for role in found.roles:
        if role in roles and cells.has(roles[role]):
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


def _currencies_inside(
    row: Mapping[str, msgspec.Raw], line: int, roles: Mapping[str, str], found: _Found
) -> Iterator[Reject]:
    """Refuse a currency in an object inside, where there was none before and all rows are taken to be in one."""
    if "currency" in roles or "currency" not in found.roles:
        return
    for name, raw, depth in members(row):
        own = name.rpartition(".")[2]
        if depth and name not in found.keys and bytes(raw) != b"null" and folded(own) in vocabulary("currency"):
            problem = "has the currency under a different key from the objects before it"
            yield Reject(line, name, shortened(bytes(raw).decode(), 200), problem, _ONE_KEY)


def _decoded(text: bytes, line: int, path: str) -> dict[str, msgspec.Raw] | None:
    """Return the object, None when the value is another one; raises OrderFileError when it is not JSON."""
    try:
        return OBJECT.decode(text)
    except msgspec.ValidationError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OrderFileError(f"this is not valid JSON ({error})", path=path, line=line, hint=HINT) from error


def _declared_inside(form: OrderFormat, met: Met) -> list[str]:
    """Return the declared columns with a dot that no row has, but whose first part is a key of some."""
    declared = [*filter(None, map(form.column, COLUMN_OPTIONS)), *form.marks]
    outside = [name for name in declared if name not in met.names]
    return [name for name in outside if name.partition(".")[1] and name.partition(".")[0] in met.keys]


def _shown(raw: bytes) -> str | None:
    """Return the text of a JSON value of any kind, None for null."""
    text, problem = text_of(raw)
    return text if problem is None else raw.decode()
