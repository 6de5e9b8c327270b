"""
Pages of payments with their orders, as rows of `reconcile.schema.MIRRORED`.

Ordinary pages are read column by column (`page_columns`), all others row by row; the rows are the same.
Knows which attribute fills which column, and what a page must hold to be believed. Takes bodies, gives Arrow;
no socket, no file, no pandas. What MIRRORED does not name is skipped undecoded: credentials that a server sends
unasked never become a value here. An order's money is known to `transactions` and `money_columns`.

Sources: https://docs.commercelayer.io/core-api-reference/klarna_payments/object and .../orders/object
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from reconcile.commercelayer.clocks import in_utc
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.json_text import canonical_json, canonical_jsons
from reconcile.commercelayer.moments import within_calendar
from reconcile.commercelayer.page_columns import payment_columns
from reconcile.commercelayer.transactions import (
    GATEWAYS,
    TRANSACTION_FIELDS,
    Included,
    IncludedResources,
    ResourceLink,
    ToOne,
    decoded,
    linked_id,
    name_of,
    nested,
    odd_shape,
    order_money,
    resources_of,
    whole,
)
from reconcile.errors import IncompletePull, WrongMode
from reconcile.files.arrow import Column, text_column
from reconcile.schema import MIRRORED, PAYMENTS, UTC_MS, Row

FREE_FORM = ("payment_methods", "payment_instrument", "metadata")


class _Meta(msgspec.Struct, frozen=True):
    mode: str | None = None


class _Relationships(msgspec.Struct, frozen=True):
    order: ToOne = ToOne()
    payment_gateway: ToOne = ToOne()


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
    cancelled_at: str | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[_Payment]
    included: list[Included] = []


class _Identity(msgspec.Struct, frozen=True):
    id: str


class _Identified(msgspec.Struct, frozen=True):
    data: list[_Identity]
    included: list[_Identity] = []


class _Created(msgspec.Struct, frozen=True):
    created_at: datetime


class _CreatedRow(msgspec.Struct, frozen=True):
    attributes: _Created


class _CreatedPage(msgspec.Struct, frozen=True):
    data: list[_CreatedRow]


_pages = msgspec.json.Decoder(_Page)
_orders = msgspec.json.Decoder(_OrderAttributes)
_created_pages = msgspec.json.Decoder(_CreatedPage)
_identified = msgspec.json.Decoder(_Identified)
_PLACE = re.compile(r"\$\.(data|included)\[(\d+)\]")
_FINER = re.compile(r"(\.\d{3})\d+")


def payments_from_documents(documents: Sequence[Document], *, expected_mode: str | None) -> pa.RecordBatch:
    """Return what `payments_from_pages` returns for the bodies of `documents`, list documents. Errors as there."""
    columns = payment_columns(documents, expected_mode=expected_mode)
    if columns is None:
        return payments_from_pages((document.body for document in documents), expected_mode=expected_mode)
    rows = [row for document in documents for row in document.free_form]
    for name in FREE_FORM:
        columns[name] = text_column(canonical_jsons([bytes(getattr(row, name)) for row in rows]))
    batch = pa.RecordBatch.from_arrays([columns[name] for name in MIRRORED.names], schema=MIRRORED)
    try:
        batch.validate(full=True)  # text that is not UTF-8
    except pa.ArrowInvalid:
        return payments_from_pages((document.body for document in documents), expected_mode=expected_mode)
    return batch


def payments_from_pages(bodies: Iterable[bytes], *, expected_mode: str | None) -> pa.RecordBatch:
    """
    Return the payments of `bodies`, list documents with `include=order` at least, as one batch of MIRRORED.

    Rows stand as the pages give them. `expected_mode` (`live` or `test`) is compared with each row's `meta.mode`;
    null, or a row that does not say, is not compared.

    Raises WrongMode for a row of the other mode, IncompletePull for a page without what was requested.
    """
    rows: list[Row] = []
    for body in bodies:
        try:
            page = _pages.decode(body)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise odd_shape(_named(body, str(error)), error) from error
        included = resources_of(page.included)
        for payment in page.data:
            if expected_mode is not None and payment.meta.mode not in (expected_mode, None):
                raise _wrong_mode(payment, expected_mode)
            rows.append(_row(payment, included))
    ids = [row["payment_id"] for row in rows]
    columns = {
        column.name: _instants([row.get(column.name) for row in rows], f"{column.name} of payment", ids)
        if column.type == UTC_MS
        else pa.array([row.get(column.name) for row in rows], type=column.type)
        for column in PAYMENTS
    }
    columns["transactions"] = _lists([row.get("transactions") for row in rows])
    return pa.RecordBatch.from_arrays([columns[name] for name in MIRRORED.names], schema=MIRRORED)


def first_created_at(body: bytes) -> datetime | None:
    """Return `created_at` (UTC) of the first payment in `body`, or null when there is none, or it does not say."""
    try:
        listed = _created_pages.decode(body).data
    except (ValueError, RecursionError):
        return None
    created_at = listed[0].attributes.created_at if listed else None
    return in_utc(created_at) if created_at is not None and created_at.tzinfo is not None else None


def _row(payment: _Payment, included: IncludedResources) -> Row:
    """The values of one row of MIRRORED, by column."""
    own = payment.attributes
    order = _order_of(payment, included)
    gateway_id = linked_id(payment.relationships.payment_gateway)
    return {
        "payment_id": payment.id,
        "reference": own.reference,
        "reference_origin": own.reference_origin,
        "mismatched_amounts": own.mismatched_amounts,
        "created_at": own.created_at,
        "updated_at": own.updated_at,
        "session_id": own.session_id,
        **{name: canonical_json(bytes(getattr(own, name))) for name in FREE_FORM},
        "payment_gateway_id": gateway_id,
        "payment_gateway_name": name_of(included.get((GATEWAYS, gateway_id))) if gateway_id is not None else None,
        "mode": payment.meta.mode,
        **(_of_order(payment, order, included) if order is not None else {}),
    }


def _order_of(payment: _Payment, included: IncludedResources) -> Included | None:
    link = payment.relationships.order.data
    if link is msgspec.UNSET:
        raise _no_order(payment, "does not say which order it belongs to, although requested")
    if not isinstance(link, ResourceLink):
        return None
    try:
        return included["orders", link.id]
    except KeyError:
        raise _no_order(payment, f"belongs to order {link.id}, which is not in the page") from None


def _of_order(payment: _Payment, order: Included, included: IncludedResources) -> Mapping[str, object]:
    own = decoded(_orders, order, order.attributes)
    currency_code = own.currency_code or None
    money = order_money(payment.id, order, currency_code, included)
    return {
        "order_id": order.id,
        "order_number": str(own.number) if isinstance(own.number, int) else own.number,
        "order_reference": own.reference,
        "order_status": own.status,
        "payment_status": own.payment_status,
        "currency_code": currency_code,
        "total_amount_cents": whole(own.total_amount_cents),
        "total_amount_with_taxes_cents": whole(own.total_amount_with_taxes_cents),
        "place_total_amount_cents": whole(own.place_total_amount_cents),
        "placed_at": own.placed_at,
        "order_updated_at": own.updated_at,
        "cancelled_at": own.cancelled_at,
        **money.columns,
        "transactions": money.transactions,
    }


def _lists(rows: Sequence[list[tuple[Any, ...]] | None]) -> Column:
    """The transactions of each row, as a column."""
    flat = [one for row in rows for one in row or ()]
    ids = [one[0] for one in flat]
    columns = [
        _instants([one[at] for one in flat], f"{field.name} of transaction", ids)
        if field.type == UTC_MS
        else pa.array([one[at] for one in flat], type=field.type)
        for at, field in enumerate(TRANSACTION_FIELDS)
    ]
    there = np.array([row is not None for row in rows], np.bool_)
    return nested(columns, np.array([len(row or ()) for row in rows], np.int32), there)


def _instants(texts: list[str | None], of: str, ids: list[str]) -> Column:
    """The moments in `texts`, `of` the records `ids` ("created_at of payment"); finer than milliseconds is cut."""
    try:
        return within_calendar(pa.array([_FINER.sub(r"\1", text) if text else text for text in texts], pa.string()))
    except pa.ArrowInvalid as error:
        if len(texts) == 1:
            column, _, what = of.partition(" of ")
            raise IncompletePull(
                f"klarna_payments: {what} {ids[0]}: {column} {(texts[0] or '')[:40]!a} is not a date-time",
                hint=f"nothing is published; ask Commerce Layer about this {what}, then run the same command again",
            ) from error
    # Which one it is: each by itself.
    return pa.concat_arrays([_instants([text], of, [id_]) for text, id_ in zip(texts, ids, strict=True)])


def _named(body: bytes, problem: str) -> str:
    """Which record of the page `body` a decoder's `problem` is about, in words."""
    found = _PLACE.search(problem)
    if found is None:
        return "a page of payments"
    what = "payment" if found[1] == "data" else "included record"
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
