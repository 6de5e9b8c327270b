"""
Files of exports, as rows of `reconcile.schema.PAYMENTS`: the same values the pages of the list give.

Knows the shape of an export file: one gzipped JSON array of flat objects, in which a related order is an object of
its own under `order`, or only `order_id`. Reads in pieces: a file may be far larger than memory. Each row is put into
the shape of a page, so that what fills a column is known in one place, `resources`. Where a row does not say all that
is wanted (an order that is only named, a payment source without its type), the payment is named, to be read otherwise.
Sends nothing.

Source: https://docs.commercelayer.io/core/exporting-resources
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.exports.documents import BrokenExport
from reconcile.commercelayer.json_text import readable
from reconcile.commercelayer.membership import are_in
from reconcile.commercelayer.query import Window
from reconcile.commercelayer.relations import PAYMENT_SOURCES, SUM_OF, Wanted
from reconcile.commercelayer.resources import payments_from_pages
from reconcile.errors import IncompletePull

# Rows turned into Arrow at once, and bytes unpacked at once.
_BATCH_ROWS = 1_000
_PIECE_BYTES = 256 * 1024
# A slice of rows is held in memory: what unpacks to more is not taken for one.
_MOST_UNPACKED_BYTES = 1024 * 1024 * 1024
# No row is as large; a file that never closes one is not read into memory.
_MOST_ROW_BYTES = 16 * 1024 * 1024

# Everything up to and with the next bracket that stands outside a string. Possessive: no way back, linear time.
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+[{}\[\]]', re.DOTALL)
_OPENING = b"{["

Shape = TypeVar("Shape")

_NULL = msgspec.Raw(b"null")
_ABSENT = msgspec.Raw(b"")


class _Attributes(msgspec.Struct, frozen=True):
    created_at: msgspec.Raw
    updated_at: msgspec.Raw
    reference: msgspec.Raw = _NULL
    reference_origin: msgspec.Raw = _NULL
    mismatched_amounts: msgspec.Raw = _NULL
    session_id: msgspec.Raw = _NULL
    payment_methods: msgspec.Raw = _NULL
    payment_instrument: msgspec.Raw = _NULL
    metadata: msgspec.Raw = _NULL


class _Row(msgspec.Struct, frozen=True):
    id: str
    order: msgspec.Raw = _ABSENT
    order_id: str | msgspec.UnsetType | None = msgspec.UNSET
    payment_gateway: msgspec.Raw = _ABSENT


class _Related(msgspec.Struct, frozen=True):
    id: str | None = None
    type: str | None = None


class _Order(msgspec.Struct, frozen=True):
    id: str | None = None
    payment_source: _Related | msgspec.UnsetType | None = msgspec.UNSET
    market: msgspec.Raw = _ABSENT
    authorizations: list[msgspec.Raw] | None = None
    captures: list[msgspec.Raw] | None = None
    refunds: list[msgspec.Raw] | None = None
    voids: list[msgspec.Raw] | None = None


class _Transaction(msgspec.Struct, frozen=True):
    id: str
    payment_source: _Related | msgspec.UnsetType | None = msgspec.UNSET


_rows = msgspec.json.Decoder(_Row)
_attributes = msgspec.json.Decoder(_Attributes)
_related = msgspec.json.Decoder(_Related | None)
_orders = msgspec.json.Decoder(_Order | None)
_transactions = msgspec.json.Decoder(_Transaction)

Resource = dict[str, object]


@dataclass(frozen=True, slots=True)
class ExportedPart:
    """Some rows of a file: `rows` (MIRRORED), and the ids of payments of which it does not say all that is wanted."""

    rows: pa.RecordBatch
    apart: tuple[str, ...]


class _Lacking(Exception):
    """The file does not say all that is wanted of a payment."""


def exported_parts(
    file: Path | IO[bytes], wanted: Wanted, *, window: Window, mode: str | None, expected_mode: str | None
) -> Iterator[ExportedPart]:
    """
    Yield what `file`, an export of `window` with what is `wanted`, holds of payments.

    `mode` is that of the export, compared with `expected_mode`. Rows stand as in the file.

    Raises BrokenExport when the file is cut or corrupt, or holds something else than was requested; WrongMode.
    """
    contents = objects(file)
    while rows := list(islice(contents, _BATCH_ROWS)):
        page, apart = _page(rows, mode, wanted)
        try:
            batch = payments_from_pages([page], expected_mode=expected_mode)
        except IncompletePull as error:
            raise BrokenExport(error.message, final=True) from error
        check_window(batch, window)
        yield ExportedPart(batch, tuple(apart))


def check_window(payments: pa.RecordBatch, window: Window) -> None:
    """Raise BrokenExport unless all of `payments` belong to `window`."""
    if not pc.all(are_in(payments, window), min_count=0).as_py():
        raise BrokenExport("the file contains payments that were not requested", final=True)


def objects(file: Path | IO[bytes]) -> Iterator[bytes]:
    """
    Yield the objects of the gzipped JSON array in `file`, one after another, undecoded but readable (`json_text`).

    Raises BrokenExport when it is cut, corrupt, or no such array. Whether an object is valid is not looked at.
    """
    held, at, start, depth, ended = b"", 0, 0, 0, False
    for piece in _inflated(file):
        held, at, start = held[start:] + piece, at - start, 0
        while (found := _TO_BRACKET.match(held, at)) is not None:
            before, at = found.start(), found.end()
            opens = held[at - 1] in _OPENING
            if depth <= 1 and not _fits(held[before:at], depth=depth, ended=ended):
                raise BrokenExport("the file is not an array of objects", final=True)
            if depth == 1 and opens:
                start = at - 1
            depth += 1 if opens else -1
            if depth == 1 and not opens:
                yield readable(held[start:at])
            ended = depth == 0
            start = at if depth <= 1 else start
        if len(held) - start > _MOST_ROW_BYTES:
            raise BrokenExport("the file contains a row of more than 16 MB", final=True)
    if not ended or held[at:].strip():
        raise BrokenExport("the file is truncated")


def _fits(text: bytes, *, depth: int, ended: bool) -> bool:
    """Return whether `text`, up to a bracket, may stand outside the array (`depth` 0) or between its objects."""
    between, bracket = text[:-1].strip(), text[-1:]
    if depth == 0:
        return not ended and not between and bracket == b"["
    return (bracket == b"{" and between in (b"", b",")) or (bracket == b"]" and not between)


def _inflated(packed: Path | IO[bytes]) -> Iterator[bytes]:
    unpacked = 0
    if not isinstance(packed, Path):
        packed.seek(0)
    try:
        with gzip.open(packed) as file:
            while piece := file.read(_PIECE_BYTES):
                unpacked += len(piece)
                if unpacked > _MOST_UNPACKED_BYTES:
                    raise BrokenExport("the file unpacks to more than 1 GB", final=True)
                yield piece
    except EOFError as error:
        raise BrokenExport("the file is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BrokenExport("the file is not a complete gzip file") from error


def _page(rows: Sequence[bytes], mode: str | None, wanted: Wanted) -> tuple[bytes, list[str]]:
    """Return `rows` as a page of the list would show them, and the ids of those that lack something."""
    data: list[Resource] = []
    included: dict[tuple[str, str], Resource] = {}
    apart = []
    for content in rows:
        row = _decoded(_rows, content)
        if not is_id(row.id):
            raise BrokenExport("a payment in the file has no usable id", final=True)
        try:
            relationships = _Relations(wanted, included).of_payment(row)
        except _Lacking:
            apart.append(row.id)
            continue
        attributes = _decoded(_attributes, content)
        meta = {"mode": mode}
        data.append({"id": row.id, "attributes": attributes, "relationships": relationships, "meta": meta})
    return msgspec.json.encode({"data": data, "included": list(included.values())}), apart


class _Relations:
    """Relationships as a list shows them, of what is `wanted`; what they lead to goes into `included`."""

    def __init__(self, wanted: Wanted, included: dict[tuple[str, str], Resource]) -> None:
        self._paths = frozenset(wanted.of_order)
        self._with_gateway = "payment_gateway" in wanted.includes
        self._included = included

    def of_payment(self, row: _Row) -> Resource:
        """Return the relationships of a payment. Raises _Lacking, before anything is included."""
        order = _decoded(_orders, bytes(row.order)) if row.order else None
        if order is None and (isinstance(row.order_id, str) or not (row.order or row.order_id is None)):
            raise _Lacking
        id_ = None if order is None else order.id or row.order_id
        if order is not None and not isinstance(id_, str):
            raise BrokenExport(f"payment {row.id} does not say which order it belongs to", final=True)
        of_order = {} if order is None else self._of_order(order)
        relationships: Resource = {}
        if self._with_gateway:
            relationships["payment_gateway"] = self._named("klarna_gateways", row.payment_gateway)
        relationships["order"] = self._to_one("orders", id_ if order is not None else None, row.order, of_order)
        return relationships

    def _of_order(self, order: _Order) -> Resource:
        found: Resource = {}
        if "payment_source" in self._paths:
            found["payment_source"] = _source(order.payment_source)
        lists = {type_: getattr(order, type_) for type_ in SUM_OF if type_ in self._paths}
        if any(rows is None for rows in lists.values()):
            raise _Lacking
        decoded = {type_: [(_decoded(_transactions, bytes(row)), row) for row in rows] for type_, rows in lists.items()}
        sources = {
            type_: [_source(one.payment_source) if f"{type_}.payment_source" in self._paths else {} for one, _ in rows]
            for type_, rows in decoded.items()
        }
        if "market" in self._paths:
            found["market"] = self._named("markets", order.market)
        for type_, rows in decoded.items():
            links = []
            for (one, content), source in zip(rows, sources[type_], strict=True):
                links.append(self._to_one(type_, one.id, content, {"payment_source": source})["data"])
            found[type_] = {"data": links}
        return found

    def _named(self, type_: str, content: msgspec.Raw) -> Resource:
        if not content:
            raise _Lacking
        found = _decoded(_related, bytes(content))
        if found is not None and found.id is None:
            raise _Lacking
        return self._to_one(type_, None if found is None else found.id, content, {})

    def _to_one(self, type_: str, id_: object, content: msgspec.Raw, relationships: Resource) -> Resource:
        """Return the link to a resource, which is included with `content` as its attributes."""
        if not isinstance(id_, str):
            return {"data": None}
        self._included[type_, id_] = {"id": id_, "type": type_, "attributes": content, "relationships": relationships}
        return {"data": {"id": id_, "type": type_}}


def _source(found: _Related | msgspec.UnsetType | None) -> Resource:
    """Return the link to a payment source. Raises _Lacking unless the file says of which type it is."""
    if found is None:
        return {"data": None}
    if not isinstance(found, _Related) or found.type not in PAYMENT_SOURCES or found.id is None:
        raise _Lacking
    return {"data": {"id": found.id, "type": found.type}}


def _decoded(decoder: msgspec.json.Decoder[Shape], content: bytes) -> Shape:
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenExport("a row of the file does not have the documented shape", final=True) from error
