"""
Pages of payments with their orders, as rows of `reconcile.schema.PAYMENTS`.

Ordinary pages are read column by column (`page_columns`), all others row by row; the rows are the same.
Knows which attribute fills which column, and what a page must hold to be believed. Takes bodies, gives Arrow;
no socket, no file, no pandas. What PAYMENTS does not name is skipped undecoded: credentials that a server sends
unasked never become a value here.

Sources: https://docs.commercelayer.io/core-api-reference/klarna_payments/object and .../orders/object
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import pyarrow as pa

from reconcile.commercelayer.clocks import in_utc
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.json_text import canonical_json, canonical_jsons
from reconcile.commercelayer.page_columns import columns_of, within_calendar
from reconcile.errors import IncompletePull, WrongMode
from reconcile.files.arrow import text_column
from reconcile.money import MOST_CENTS
from reconcile.schema import PAYMENTS, UTC_MS


class _Meta(msgspec.Struct, frozen=True):
    mode: str | None = None


class _Link(msgspec.Struct, frozen=True):
    id: str


class _Relationship(msgspec.Struct, frozen=True):
    # Absent when the relationship is not included, null when there is nothing on its other side.
    data: _Link | msgspec.UnsetType | None = msgspec.UNSET


class _Relationships(msgspec.Struct, frozen=True):
    order: _Relationship = _Relationship()
    payment_gateway: _Relationship = _Relationship()


class _PaymentAttributes(msgspec.Struct, frozen=True):
    created_at: str
    updated_at: str
    reference: str | None = None
    reference_origin: str | None = None
    mismatched_amounts: bool | None = None
    session_id: str | None = None
    payment_methods: msgspec.Raw = msgspec.Raw(b"null")
    payment_instrument: msgspec.Raw = msgspec.Raw(b"null")
    metadata: msgspec.Raw = msgspec.Raw(b"null")


class _Payment(msgspec.Struct, frozen=True):
    id: str
    attributes: _PaymentAttributes
    relationships: _Relationships = _Relationships()
    meta: _Meta = _Meta()


class _OrderAttributes(msgspec.Struct, frozen=True):
    number: str | int | None = None  # an integer in answers of 2023
    reference: str | None = None
    status: str | None = None
    payment_status: str | None = None
    currency_code: str | None = None
    total_amount_cents: int | None = None
    total_amount_with_taxes_cents: int | None = None
    place_total_amount_cents: int | None = None
    placed_at: str | None = None
    updated_at: str | None = None


class _Order(msgspec.Struct, frozen=True):
    id: str
    type: str
    attributes: _OrderAttributes


class _Page(msgspec.Struct, frozen=True):
    data: list[_Payment]
    included: list[_Order] = []


class _Identified(msgspec.Struct, frozen=True):
    data: list[_Link]
    included: list[_Link] = []


class _Created(msgspec.Struct, frozen=True):
    created_at: datetime


class _CreatedRow(msgspec.Struct, frozen=True):
    attributes: _Created


class _CreatedPage(msgspec.Struct, frozen=True):
    data: list[_CreatedRow]


_pages = msgspec.json.Decoder(_Page)
_created_pages = msgspec.json.Decoder(_CreatedPage)
_NO_ORDER = _OrderAttributes()
_identified = msgspec.json.Decoder(_Identified)
_PLACE = re.compile(r"\$\.(data|included)\[(\d+)\]")
_FINER = re.compile(r"(\.\d{3})\d+")


def payments_from_documents(documents: Sequence[Document], *, expected_mode: str | None) -> pa.RecordBatch:
    """Return what `payments_from_pages` returns for the bodies of `documents`, list documents. Errors as there."""
    columns = columns_of(documents, expected_mode=expected_mode)
    if columns is None:
        return payments_from_pages((document.body for document in documents), expected_mode=expected_mode)
    rows = [row for document in documents for row in document.free_form]
    for name in ("payment_methods", "payment_instrument", "metadata"):
        columns[name] = text_column(canonical_jsons([bytes(getattr(row, name)) for row in rows]))
    batch = pa.RecordBatch.from_arrays([columns[name] for name in PAYMENTS.names], schema=PAYMENTS)
    try:
        batch.validate(full=True)  # text that is not UTF-8
    except pa.ArrowInvalid:
        return payments_from_pages((document.body for document in documents), expected_mode=expected_mode)
    return batch


def payments_from_pages(bodies: Iterable[bytes], *, expected_mode: str | None) -> pa.RecordBatch:
    """
    Return the payments of `bodies`, list documents with `include=order`, as one batch of PAYMENTS.

    Rows stand as the pages give them. `expected_mode` (`live` or `test`) is compared with each row's `meta.mode`;
    null, or a row that does not say, is not compared.

    Raises WrongMode for a row of the other mode, IncompletePull for a page without what was requested.
    """
    columns: dict[str, list[Any]] = {name: [] for name in PAYMENTS.names}
    appends = [column.append for column in columns.values()]
    for body in bodies:
        try:
            page = _pages.decode(body)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise IncompletePull(
                f"klarna_payments: {_named(body, str(error))} does not have the documented shape: {error}",
                hint="the API may have changed; nothing is published, and the pages read before are kept",
            ) from error
        orders = {order.id: order.attributes for order in page.included if order.type == "orders"}
        for payment in page.data:
            if expected_mode is not None and payment.meta.mode not in (expected_mode, None):
                raise _wrong_mode(payment, expected_mode)
            for append, value in zip(appends, _row(payment, orders), strict=True):
                append(value)
    ids = columns["payment_id"]
    return pa.RecordBatch.from_arrays(
        [
            _instants(columns[column.name], column.name, ids)
            if column.type == UTC_MS
            else pa.array(columns[column.name], type=column.type)
            for column in PAYMENTS
        ],
        schema=PAYMENTS,
    )


def first_created_at(body: bytes) -> datetime | None:
    """Return `created_at` (UTC) of the first payment in `body`, or null when there is none, or it does not say."""
    try:
        listed = _created_pages.decode(body).data
    except (ValueError, RecursionError):
        return None
    created_at = listed[0].attributes.created_at if listed else None
    return in_utc(created_at) if created_at is not None and created_at.tzinfo is not None else None


def _row(payment: _Payment, orders: dict[str, _OrderAttributes]) -> Sequence[object]:
    """The values of one row, in the order of PAYMENTS."""
    own = payment.attributes
    order_id = _linked(payment.relationships.order)
    if order_id is msgspec.UNSET:
        raise _no_order(payment, "does not say which order it belongs to, although requested")
    order = _NO_ORDER
    if order_id is not None:
        try:
            order = orders[order_id]
        except KeyError:
            raise _no_order(payment, f"belongs to order {order_id}, which is not in the page") from None
    gateway_id = _linked(payment.relationships.payment_gateway)
    return (
        payment.id,
        own.reference,
        own.reference_origin,
        own.mismatched_amounts,
        own.created_at,
        own.updated_at,
        own.session_id,
        _json_text(own.payment_methods),
        _json_text(own.payment_instrument),
        _json_text(own.metadata),
        None if gateway_id is msgspec.UNSET else gateway_id,
        payment.meta.mode,
        order_id,
        str(order.number) if isinstance(order.number, int) else order.number,
        order.reference,
        order.status,
        order.payment_status,
        order.currency_code or None,
        _whole(order.total_amount_cents),
        _whole(order.total_amount_with_taxes_cents),
        _whole(order.place_total_amount_cents),
        order.placed_at,
        order.updated_at,
    )


def _linked(relationship: _Relationship) -> str | msgspec.UnsetType | None:
    link = relationship.data
    return link.id if isinstance(link, _Link) else link


def _json_text(raw: msgspec.Raw) -> str | None:
    return canonical_json(bytes(raw))


def _whole(cents: int | None) -> int | None:
    """`cents`, or null where they cannot be added up: the amount of that one payment is then unknown."""
    return cents if cents is not None and abs(cents) <= MOST_CENTS else None


def _instants(texts: list[str | None], column: str, ids: list[str]) -> pa.Array[Any]:
    """The moments in `texts`, values of `column`; finer digits than milliseconds are cut."""
    try:
        return within_calendar(pa.array([_FINER.sub(r"\1", text) if text else text for text in texts], pa.string()))
    except pa.ArrowInvalid as error:
        if len(texts) == 1:
            raise IncompletePull(
                f"klarna_payments: payment {ids[0]}: {column} {(texts[0] or '')[:40]!a} is not a date-time",
                hint="nothing is published; ask Commerce Layer about this payment, then run the same command again",
            ) from error
    # Which one it is: each by itself.
    return pa.concat_arrays([_instants([text], column, [id_]) for text, id_ in zip(texts, ids, strict=True)])


def _named(body: bytes, problem: str) -> str:
    """Which record of the page `body` a decoder's `problem` is about, in words."""
    found = _PLACE.search(problem)
    if found is None:
        return "a page of payments"
    what = "payment" if found[1] == "data" else "order"
    try:
        rows = getattr(_identified.decode(body), found[1])
        return f"{what} {rows[int(found[2])].id}"
    except (ValueError, IndexError, RecursionError):
        return f"{what} {int(found[2]) + 1} of a page"


def _wrong_mode(payment: _Payment, expected_mode: str) -> WrongMode:
    return WrongMode(
        f"klarna_payments: payment {payment.id} is of mode {payment.meta.mode}, this pull of mode {expected_mode}",
        hint=f"use the credentials of a {expected_mode} application, or set the mode to {payment.meta.mode}",
    )


def _no_order(payment: _Payment, what: str) -> IncompletePull:
    return IncompletePull(
        f"klarna_payments: payment {payment.id} {what}",
        hint="a token with a scope can hide orders; use integration credentials without a scope, then start again",
    )
