"""
Pages of payments as columns, by Arrow's JSON reader: fast, outside of Python's lock, and strict.

Knows ordinary pages only. Whatever it is not sure of (a number where text should be, an order that is missing, a value
that is no time) it leaves alone: `payment_columns` then returns nothing, and `resources.payments_from_pages` reads the
same pages row by row, with the same outcome or an error in words. Takes documents, gives Arrow; no socket, no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.json as pj

from reconcile.commercelayer.document import Document
from reconcile.commercelayer.moments import moments_of
from reconcile.commercelayer.money_columns import IncludedRows, Unsure, field, money_columns
from reconcile.commercelayer.relations import SUM_OF
from reconcile.commercelayer.transactions import GATEWAYS
from reconcile.files.arrow import Column, Numbers, present, text, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.money import MOST_CENTS

_TEXT = pa.string()
_PAYMENT_TEXTS = ("created_at", "updated_at", "reference", "reference_origin", "session_id")
_ORDER_TIMES = ("placed_at", "updated_at", "cancelled_at")
_ORDER_TEXTS = ("number", "reference", "status", "payment_status", "currency_code", *_ORDER_TIMES)
_OWN = ("reference", "reference_origin", "mismatched_amounts", "session_id")
_ORDER_CENTS = ("total_amount_cents", "total_amount_with_taxes_cents", "place_total_amount_cents")


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


_LINKED = _struct(data=_struct(id=_TEXT))
_TYPED = _struct(id=_TEXT, type=_TEXT)
_PAYMENT = _struct(
    id=_TEXT,
    attributes=_struct(**dict.fromkeys(_PAYMENT_TEXTS, _TEXT), mismatched_amounts=pa.bool_()),
    relationships=_struct(order=_LINKED, payment_gateway=_LINKED),
    meta=_struct(mode=_TEXT),
)
# Resources of all types in one: which fields each has is known when they have been told apart.
_INCLUDED = _struct(
    id=_TEXT,
    type=_TEXT,
    attributes=_struct(
        **dict.fromkeys((*_ORDER_TEXTS, "created_at", "gateway_transaction_id", "token", "name"), _TEXT),
        **dict.fromkeys((*_ORDER_CENTS, "amount_cents"), pa.int64()),
        succeeded=pa.bool_(),
    ),
    relationships=_struct(
        payment_source=_struct(data=_TYPED),
        market=_LINKED,
        **dict.fromkeys(SUM_OF, _struct(data=pa.list_(_TYPED))),
    ),
)
_PAGE = pa.schema([("data", pa.list_(_PAYMENT)), ("included", pa.list_(_INCLUDED))])
_PARSE = pj.ParseOptions(explicit_schema=_PAGE, unexpected_field_behavior="ignore")


class _Linkage(msgspec.Struct, frozen=True, gc=False):
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Relationships(msgspec.Struct, frozen=True, gc=False):
    order: _Linkage = _Linkage()


class _Row(msgspec.Struct, frozen=True, gc=False):
    relationships: _Relationships = _Relationships()


class _Rows(msgspec.Struct, frozen=True):
    data: list[_Row]


_linkages = msgspec.json.Decoder(_Rows)


def payment_columns(documents: Sequence[Document], *, expected_mode: str | None) -> dict[str, Column] | None:
    """
    Return the columns of PAYMENTS by name, those of free form left out, or nothing when a page is not ordinary.

    Rows stand as the pages give them.
    """
    try:
        return _columns(documents, expected_mode)
    except (Unsure, pa.ArrowException, ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def _parsed(documents: Sequence[Document]) -> pa.Table:
    """The pages as Arrow's reader sees them, a row for each."""
    bodies = b"\n".join([document.body for document in documents])
    source: Any = pa.BufferReader(bodies)  # the stubs know of paths and Python's own files
    return pj.read_json(
        source,
        read_options=pj.ReadOptions(use_threads=False, block_size=len(bodies) + 1),
        parse_options=_PARSE,
    )


def _columns(documents: Sequence[Document], expected_mode: str | None) -> dict[str, Column]:
    table = _parsed(documents)
    payments, pages = _rows(table, "data")
    if table.num_rows != len(documents) or len(payments) != sum(len(document.ids) for document in documents):
        raise Unsure
    order_ids = field(payments, "relationships", "order", "data", "id")
    included = IncludedRows.of(*_rows(table, "included"))
    places = included.linked("orders", order_ids, pages)
    if np.count_nonzero(places < 0) != order_ids.null_count:
        raise Unsure
    _check_linkages(documents, pages, order_ids)
    modes, ids = field(payments, "meta", "mode"), field(payments, "id")
    if expected_mode is not None and not _all_are(expected_mode, modes):
        raise Unsure
    own, orders = field(payments, "attributes"), _attributes(included, places)
    created_at, updated_at, *of_order = moments_of(
        *(field(own, name) for name in ("created_at", "updated_at")), *(field(orders, name) for name in _ORDER_TIMES)
    )
    if ids.null_count or created_at.null_count or updated_at.null_count:
        raise Unsure
    currencies = field(orders, "currency_code")
    if not _can_be_added_up(orders) or pc.any(pc.equal(currencies, text(""))).as_py():
        raise Unsure
    gateway_ids = field(payments, "relationships", "payment_gateway", "data", "id")
    gateways = included.linked(GATEWAYS, gateway_ids, pages)
    return {
        "payment_id": ids,
        **{name: field(own, name) for name in _OWN},
        "created_at": created_at,
        "updated_at": updated_at,
        "payment_gateway_id": gateway_ids,
        "payment_gateway_name": included.values(gateways, "attributes", "name"),
        "mode": modes,
        "order_id": order_ids,
        **{f"order_{name}": field(orders, name) for name in ("number", "reference", "status")},
        **{name: field(orders, name) for name in ("payment_status", "currency_code", *_ORDER_CENTS)},
        **dict(zip(("placed_at", "order_updated_at", "cancelled_at"), of_order, strict=True)),
        **money_columns(included, places, pages, ids, currencies),
    }


def _rows(table: pa.Table, name: str) -> tuple[Column, Numbers]:
    """The rows of all pages in the list `name`, and the number of the page that each is on."""
    lists: Any = whole_column(table.column(name))
    if lists.offset or (name == "data" and lists.null_count):
        raise Unsure
    offsets = np.frombuffer(lists.buffers()[1], np.int32, len(lists) + 1)
    rows: Column = lists.values
    return rows.slice(0, int(offsets[-1])), np.repeat(np.arange(len(lists)), np.diff(offsets))


def _all_are(value: str, texts: Column) -> bool:
    found = pc.unique(texts)
    return len(found) == 0 or (len(found) == 1 and found[0].as_py() == value)


def _can_be_added_up(orders: Column) -> bool:
    """Whether no amount is so large that a sum of some would not be a number of its column."""
    bounds = [pc.min_max(field(orders, name)).as_py() for name in _ORDER_CENTS]
    return all(one["min"] is None or -MOST_CENTS <= one["min"] <= one["max"] <= MOST_CENTS for one in bounds)


def _check_linkages(documents: Sequence[Document], pages: Numbers, order_ids: Column) -> None:
    """Make sure that a payment without an order says so: Arrow reads a linkage that is missing as null, too."""
    if not order_ids.null_count:
        return
    for page in np.unique(pages[~present(order_ids)]).tolist():
        for row in _linkages.decode(documents[page].body).data:
            if row.relationships.order.data is msgspec.UNSET:
                raise Unsure


def _attributes(included: IncludedRows, places: Numbers) -> Column:
    """The attributes of each payment's order."""
    attributes = included.values(places, "attributes")
    if np.count_nonzero(present(attributes)) != np.count_nonzero(places >= 0):
        raise Unsure
    return attributes
