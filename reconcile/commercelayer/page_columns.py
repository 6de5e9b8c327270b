"""
Pages of payments as columns, by Arrow's JSON reader: fast, outside of Python's lock, and strict.

Knows ordinary pages only. Whatever it is not sure of (a number where text should be, an order that is missing, a value
that is no time) it leaves alone: `columns_of` then returns nothing, and `resources.payments_from_pages` reads the same
pages row by row, with the same outcome or an error in words. Takes documents, gives Arrow; no socket, no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from reconcile.commercelayer.document import Document
from reconcile.files.arrow import Column, Numbers, int32_column, present, text, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.money import MOST_CENTS
from reconcile.schema import UTC_MS

# The first and the last moment of the calendar, 0001-01-01 and the end of 9999, in milliseconds since 1970.
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
_TEXT = pa.string()
_PAYMENT_TEXTS = ("created_at", "updated_at", "reference", "reference_origin", "session_id")
_ORDER_TEXTS = ("number", "reference", "status", "payment_status", "currency_code", "placed_at", "updated_at")
_OWN = ("reference", "reference_origin", "mismatched_amounts", "session_id")
_ORDER_CENTS = ("total_amount_cents", "total_amount_with_taxes_cents", "place_total_amount_cents")


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


_LINKED = _struct(data=_struct(id=_TEXT))
_PAYMENT = _struct(
    id=_TEXT,
    attributes=_struct(**dict.fromkeys(_PAYMENT_TEXTS, _TEXT), mismatched_amounts=pa.bool_()),
    relationships=_struct(order=_LINKED, payment_gateway=_LINKED),
    meta=_struct(mode=_TEXT),
)
_ORDER = _struct(
    id=_TEXT,
    type=_TEXT,
    attributes=_struct(**dict.fromkeys(_ORDER_TEXTS, _TEXT), **dict.fromkeys(_ORDER_CENTS, pa.int64())),
)
_PAGE = pa.schema([("data", pa.list_(_PAYMENT)), ("included", pa.list_(_ORDER))])
_BETWEEN = text("\n")
_PARSE = pj.ParseOptions(explicit_schema=_PAGE, unexpected_field_behavior="ignore")


class _Unsure(Exception):
    """Something is not as on an ordinary page."""


class _Linkage(msgspec.Struct, frozen=True, gc=False):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Relationships(msgspec.Struct, frozen=True, gc=False):
    order: _Linkage = _Linkage()


class _Row(msgspec.Struct, frozen=True, gc=False):
    relationships: _Relationships = _Relationships()


class _Rows(msgspec.Struct, frozen=True):
    data: list[_Row]


_linkages = msgspec.json.Decoder(_Rows)


def columns_of(documents: Sequence[Document], *, expected_mode: str | None) -> dict[str, Column] | None:
    """
    Return the columns of PAYMENTS by name, those of free form left out, or nothing when a page is not ordinary.

    Rows stand as the pages give them.
    """
    try:
        return _columns(documents, expected_mode)
    except (_Unsure, pa.ArrowException, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def within_calendar(texts: Column) -> Column:
    """
    Return the moments that `texts` say; what an offset carries beyond the calendar is its first or last moment.

    Raises ArrowInvalid for what is no moment.
    """
    moments = texts.cast(UTC_MS)
    milliseconds = moments.cast(pa.int64())
    bounds = pc.min_max(milliseconds).as_py()
    if bounds["min"] is None or _FIRST <= bounds["min"] <= bounds["max"] <= _LAST:
        return moments
    later = pc.max_element_wise(milliseconds, pa.scalar(_FIRST), skip_nulls=False)
    within: Column = pc.min_element_wise(later, pa.scalar(_LAST), skip_nulls=False).cast(UTC_MS)
    return within


def _columns(documents: Sequence[Document], expected_mode: str | None) -> dict[str, Column]:
    bodies = b"\n".join([document.body for document in documents])
    source: Any = pa.BufferReader(bodies)  # the stubs know of paths and Python's own files
    table = pj.read_json(
        source,
        read_options=pj.ReadOptions(use_threads=False, block_size=len(bodies) + 1),
        parse_options=_PARSE,
    )
    pages, payments = _rows(table, "data")
    if table.num_rows != len(documents) or len(payments) != sum(len(document.ids) for document in documents):
        raise _Unsure
    order_ids = _field(payments, "relationships", "order", "data", "id")
    _check_linkages(documents, pages, order_ids)
    modes, ids = _field(payments, "meta", "mode"), _field(payments, "id")
    if expected_mode is not None and not _all_are(expected_mode, modes):
        raise _Unsure
    own, orders = _field(payments, "attributes"), _orders(table, pages, order_ids)
    created_at, updated_at, placed_at, order_updated_at = _moments(
        _field(own, "created_at"), _field(own, "updated_at"), _field(orders, "placed_at"), _field(orders, "updated_at")
    )
    if ids.null_count or created_at.null_count or updated_at.null_count:
        raise _Unsure
    if not _can_be_added_up(orders) or pc.any(pc.equal(_field(orders, "currency_code"), text(""))).as_py():
        raise _Unsure
    return {
        "payment_id": ids,
        **{name: _field(own, name) for name in _OWN},
        "created_at": created_at,
        "updated_at": updated_at,
        "payment_gateway_id": _field(payments, "relationships", "payment_gateway", "data", "id"),
        "mode": modes,
        "order_id": order_ids,
        **{f"order_{name}": _field(orders, name) for name in ("number", "reference", "status")},
        **{name: _field(orders, name) for name in ("payment_status", "currency_code", *_ORDER_CENTS)},
        "placed_at": placed_at,
        "order_updated_at": order_updated_at,
    }


def _rows(table: pa.Table, name: str) -> tuple[Numbers, Column]:
    """The rows of all pages in the list `name`, and the number of the page that each is on."""
    lists: Any = whole_column(table.column(name))
    if lists.offset or (name == "data" and lists.null_count):
        raise _Unsure
    offsets = np.frombuffer(lists.buffers()[1], np.int32, len(lists) + 1)
    rows: Column = lists.values
    return np.repeat(np.arange(len(lists)), np.diff(offsets)), rows.slice(0, int(offsets[-1]))


def _field(rows: Any, *path: str) -> Column:
    """The field at `path` of each row. Arrow's reader has filled in nulls below whatever is missing."""
    for name in path:
        rows = rows.field(name)
    column: Column = rows
    return column


def _all_are(value: str, texts: Column) -> bool:
    found = pc.unique(texts)
    return len(found) == 0 or (len(found) == 1 and found[0].as_py() == value)


def _moments(*texts: Column) -> list[Column]:
    """Columns of times, read in one go: each call of Arrow's that sets the lock free has to wait for it after."""
    read = within_calendar(pa.concat_arrays(texts))
    return [read.slice(at * len(texts[0]), len(texts[0])) for at in range(len(texts))]


def _can_be_added_up(orders: Column) -> bool:
    """Whether no amount is so large that a sum of some would not be a number of its column."""
    bounds = [pc.min_max(_field(orders, name)).as_py() for name in _ORDER_CENTS]
    return all(one["min"] is None or -MOST_CENTS <= one["min"] <= one["max"] <= MOST_CENTS for one in bounds)


def _check_linkages(documents: Sequence[Document], pages: Numbers, order_ids: Column) -> None:
    """Make sure that a payment without an order says so: Arrow reads a linkage that is missing as null, too."""
    if not order_ids.null_count:
        return
    for page in np.unique(pages[~present(order_ids)]).tolist():
        for row in _linkages.decode(documents[page].body).data:
            if row.relationships.order.data is msgspec.UNSET:
                raise _Unsure


def _orders(table: pa.Table, pages: Numbers, order_ids: Column) -> Column:
    """The attributes of each payment's order, which must be on the same page, and once."""
    included_pages, included = _rows(table, "included")
    ids, types, attributes = _field(included, "id"), _field(included, "type"), _field(included, "attributes")
    if types.null_count or attributes.null_count or ids.null_count or not _all_are("orders", types):
        raise _Unsure
    if len(pc.unique(ids)) < len(ids):
        # The same order may look different on another page, read at another moment.
        order_ids, ids = _on_page(order_ids, pages), _on_page(ids, included_pages)
        if len(pc.unique(ids)) < len(ids):
            raise _Unsure
    where = pc.index_in(order_ids, value_set=ids)
    if where.null_count != order_ids.null_count:
        raise _Unsure
    there = present(where)
    at = np.frombuffer(where.buffers()[1], np.int32, len(where))[there]
    if not np.array_equal(included_pages[at], pages[there]):
        raise _Unsure
    found: Column = attributes.take(where)
    return found


def _on_page(ids: Column, pages: Numbers) -> Column:
    joined: Column = pc.binary_join_element_wise(ids, int32_column(pages).cast(_TEXT), _BETWEEN)
    return joined
