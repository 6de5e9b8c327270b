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
import pyarrow as pa
import pyarrow.json as pj

from reconcile.arrow import Column, text, whole_column
from reconcile.arrow import compute as pc
from reconcile.commercelayer.document import Document
from reconcile.schema import UTC_MS

_TEXT = pa.string()
_PAYMENT_TEXTS = ("created_at", "updated_at", "reference", "reference_origin", "session_id")
_ORDER_TEXTS = ("number", "reference", "status", "payment_status", "currency_code", "placed_at", "updated_at")
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
    except (_Unsure, pa.ArrowInvalid, pa.ArrowNotImplementedError, msgspec.DecodeError):
        return None


def _columns(documents: Sequence[Document], expected_mode: str | None) -> dict[str, Column]:
    bodies = b"\n".join([document.body for document in documents])
    source: Any = pa.BufferReader(bodies)  # the stubs know of paths and Python's own files
    table = pj.read_json(
        source,
        read_options=pj.ReadOptions(use_threads=False, block_size=len(bodies) + 1),
        parse_options=_PARSE,
    )
    if table.num_rows != len(documents):
        raise _Unsure
    pages, payments = _rows(table, "data")
    if len(payments) != sum(len(document.ids) for document in documents):
        raise _Unsure
    order_ids = _complete(payments, "relationships", "order", "data", "id")
    _check_linkages(documents, pages, order_ids)
    modes = _complete(payments, "meta", "mode")
    if expected_mode is not None and not pc.all(pc.equal(modes, text(expected_mode))).as_py() and len(modes):
        raise _Unsure
    own = {name: _complete(payments, "attributes", name) for name in (*_PAYMENT_TEXTS, "mismatched_amounts")}
    orders = _orders(table, pages, order_ids)
    columns = {
        "payment_id": _complete(payments, "id"),
        **{name: own[name] for name in ("reference", "reference_origin", "mismatched_amounts", "session_id")},
        **{name: own[name].cast(UTC_MS) for name in ("created_at", "updated_at")},
        "payment_gateway_id": _complete(payments, "relationships", "payment_gateway", "data", "id"),
        "mode": modes,
        "order_id": order_ids,
        **orders,
    }
    if columns["payment_id"].null_count or columns["created_at"].null_count or columns["updated_at"].null_count:
        raise _Unsure
    return columns


def _rows(table: pa.Table, name: str) -> tuple[Column, Column]:
    """The rows of all pages in the list `name`, and the number of the page that each is on."""
    lists = whole_column(table.column(name))
    return pc.list_parent_indices(lists), pc.list_flatten(lists)


def _complete(rows: Column, *path: str) -> Column:
    """The field at `path` of each row, null where something on the way is."""
    field: Column = pc.struct_field(rows, list(path))
    return field


def _check_linkages(documents: Sequence[Document], pages: Column, order_ids: Column) -> None:
    """Make sure that a payment without an order says so: Arrow reads a linkage that is missing as null, too."""
    if not order_ids.null_count:
        return
    for page in pc.unique(pages.filter(pc.is_null(order_ids))).tolist():
        for row in _linkages.decode(documents[page].body).data:
            if row.relationships.order.data is msgspec.UNSET:
                raise _Unsure


def _orders(table: pa.Table, pages: Column, order_ids: Column) -> dict[str, Column]:
    """The columns of each payment's order, which must be on the same page."""
    included_pages, included = _rows(table, "included")
    types, attributes = _complete(included, "type"), _complete(included, "attributes")
    ids = _complete(included, "id")
    if types.null_count or attributes.null_count or ids.null_count:
        raise _Unsure
    if not pc.all(pc.equal(types, text("orders"))).as_py() and len(types):
        raise _Unsure
    where = pc.index_in(_on_page(pages, order_ids), value_set=_on_page(included_pages, ids))
    if where.null_count != order_ids.null_count:
        raise _Unsure
    attributes = attributes.take(where)
    columns = {f"order_{name}": _complete(attributes, name) for name in ("number", "reference", "status")}
    columns |= {name: _complete(attributes, name) for name in ("payment_status", "currency_code", *_ORDER_CENTS)}
    columns["placed_at"] = _complete(attributes, "placed_at").cast(UTC_MS)
    columns["order_updated_at"] = _complete(attributes, "updated_at").cast(UTC_MS)
    return columns


def _on_page(pages: Column, ids: Column) -> Column:
    """Ids together with their page: the same order may look different on another page, read at another moment."""
    joined: Column = pc.binary_join_element_wise(ids, pages.cast(_TEXT), _BETWEEN)
    return joined
