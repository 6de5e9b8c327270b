"""
Files of exports, as rows of `reconcile.schema.PAYMENTS`: the same values the pages of the list give.

Knows the shape of an export file: one gzipped JSON array of flat objects, in which a related order is an object of
its own under `order`, or only `order_id`. Reads in pieces: a file may be far larger than memory. Each row is put into
the shape of a page, so that what fills a column is known in one place, `resources`. Sends nothing.

Source: https://docs.commercelayer.io/core/exporting-resources
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.exports.documents import BrokenExport
from reconcile.commercelayer.json_text import readable
from reconcile.commercelayer.query import Window, timestamp
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


class _Identified(msgspec.Struct, frozen=True):
    id: str | None = None


class _OrderInPage(msgspec.Struct, frozen=True):
    id: str
    attributes: msgspec.Raw


class _OrdersPage(msgspec.Struct, frozen=True):
    data: list[_OrderInPage]


_rows = msgspec.json.Decoder(_Row)
_attributes = msgspec.json.Decoder(_Attributes)
_identified = msgspec.json.Decoder(_Identified | None)
_orders_pages = msgspec.json.Decoder(_OrdersPage)

Orders = Mapping[str, bytes]
"""Attributes of orders, undecoded JSON, by order id."""


def payment_batches(
    path: Path, *, window: Window, mode: str | None, expected_mode: str | None, orders: Orders
) -> Iterator[pa.RecordBatch]:
    """
    Yield the payments in the file at `path`, an export of `window`, as batches of PAYMENTS.

    `mode` is that of the export, compared with `expected_mode`. `orders` are those that do not stand in the file.
    Rows stand as in the file.

    Raises BrokenExport when the file is cut or corrupt, or holds something else than was requested; WrongMode.
    """
    contents = objects(path)
    while rows := list(islice(contents, _BATCH_ROWS)):
        try:
            batch = payments_from_pages([_page(rows, mode, orders)], expected_mode=expected_mode)
        except IncompletePull as error:
            raise BrokenExport(error.message, final=True) from error
        if not _is_within(batch, window):
            raise BrokenExport("the file contains payments that were not requested", final=True)
        yield batch


def orders_apart(path: Path) -> list[str]:
    """Return the ids of the orders that the payments in the file at `path` only name, each once."""
    named = {}
    for content in objects(path):
        row = _decoded(_rows, content)
        if not row.order and isinstance(row.order_id, str):
            named[row.order_id] = True
    if not all(is_id(order_id) for order_id in named):
        raise BrokenExport("a payment in the file belongs to an order without a usable id", final=True)
    return list(named)


def orders_in_export(path: Path, wanted: Collection[str]) -> Orders:
    """Return those of the orders `wanted` that are in the file at `path`, an export of orders. Raises BrokenExport."""
    rows = ((_decoded(_rows, content).id, content) for content in objects(path))
    return {order_id: content for order_id, content in rows if order_id in wanted}


def orders_in_page(body: bytes) -> Orders:
    """Return the orders in `body`, a list document. Raises BrokenExport for another shape."""
    return {order.id: bytes(order.attributes) for order in _decoded(_orders_pages, body).data}


def objects(path: Path) -> Iterator[bytes]:
    """
    Yield the objects of the gzipped JSON array at `path`, one after another, undecoded but readable (`json_text`).

    Raises BrokenExport when it is cut, corrupt, or no such array. Whether an object is valid is not looked at.
    """
    held, at, start, depth, ended = b"", 0, 0, 0, False
    for piece in _inflated(path):
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


def _inflated(path: Path) -> Iterator[bytes]:
    unpacked = 0
    try:
        with gzip.open(path) as file:
            while piece := file.read(_PIECE_BYTES):
                unpacked += len(piece)
                if unpacked > _MOST_UNPACKED_BYTES:
                    raise BrokenExport("the file unpacks to more than 1 GB", final=True)
                yield piece
    except EOFError as error:
        raise BrokenExport("the file is truncated") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BrokenExport("the file is not a complete gzip file") from error


def _page(rows: Sequence[bytes], mode: str | None, orders: Orders) -> bytes:
    """Return `rows` as a page of the list with `include=order` would show them."""
    data, included = [], {}
    for content in rows:
        row = _decoded(_rows, content)
        if not is_id(row.id):
            raise BrokenExport("a payment in the file has no usable id", final=True)
        order_id, attributes = _order_of(row, orders)
        if order_id is not None:
            included[order_id] = {"id": order_id, "type": "orders", "attributes": msgspec.Raw(attributes)}
        data.append(
            {
                "id": row.id,
                "attributes": _decoded(_attributes, content),
                "relationships": {
                    "order": {"data": None if order_id is None else {"id": order_id, "type": "orders"}},
                },
                "meta": {"mode": mode},
            }
        )
    return msgspec.json.encode({"data": data, "included": list(included.values())})


def _order_of(row: _Row, orders: Orders) -> tuple[str | None, bytes]:
    """Return id and attributes of the order of `row`; null when it has none."""
    nested = _decoded(_identified, bytes(row.order)) if row.order else None
    order_id = nested.id if nested is not None and nested.id is not None else row.order_id
    if order_id is msgspec.UNSET and row.order and nested is None:
        return None, b""
    if order_id is None and nested is None:
        return None, b""
    if not isinstance(order_id, str):
        raise BrokenExport(f"payment {row.id} does not say which order it belongs to", final=True)
    if nested is not None:
        return order_id, bytes(row.order)
    try:
        return order_id, orders[order_id]
    except KeyError:
        raise BrokenExport(f"payment {row.id} belongs to order {order_id}, which is missing", final=True) from None


def _is_within(batch: pa.RecordBatch, window: Window) -> bool:
    placed, placing = batch.column("placed_at"), window.placing
    if placing is not None and placed.null_count != (batch.num_rows if placing.never else 0):
        return False
    is_placed_so = placing is None or placing.never or _are_between(placed, placing.since, placing.until)
    return is_placed_so and _are_between(batch.column("created_at"), window.since, window.until)


def _are_between(moments: pa.Array[Any], since: datetime | None, until: datetime | None) -> bool:
    # As strings of whole milliseconds, the way the window was requested.
    earliest, latest = (timestamp(end(moments).as_py()) for end in (pc.min, pc.max))
    return (since is None or earliest >= timestamp(since)) and (until is None or latest < timestamp(until))


def _decoded(decoder: msgspec.json.Decoder[Shape], content: bytes) -> Shape:
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenExport("a row of the file does not have the documented shape", final=True) from error
