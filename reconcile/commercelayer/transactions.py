"""
An order's money as a page shows it, row by row: its transactions, their sums, its current source, its market.

Knows which attribute of which resource fills which column, and when a sum is not known: where the transactions of a
type were not read, or not all of them, or where one that succeeded is of another currency than the order or without
an amount. A token becomes its SHA-256 here, and is held nowhere else. `money_columns` does the same column by column.

Sources: https://docs.commercelayer.io/core-api-reference/orders/object, .../captures/object and the like
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from reconcile.commercelayer.relations import SUM_OF
from reconcile.errors import IncompletePull
from reconcile.files.arrow import Column, Numbers, boolean_column, int32_column
from reconcile.money import MOST_CENTS
from reconcile.schema import MIRRORED

KLARNA = "klarna_payments"
GATEWAYS = "_gateways"
"""How the types of gateways end; of all of them together in `IncludedResources`."""
Shape = TypeVar("Shape")
_LIST = MIRRORED.field("transactions").type
TRANSACTION_FIELDS = [_LIST.value_type.field(index) for index in range(_LIST.value_type.num_fields)]


class ResourceLink(msgspec.Struct, frozen=True):
    """The other side of a relationship."""

    id: str
    type: str | None = None


class ToOne(msgspec.Struct, frozen=True):
    """A relationship: its data is absent when it is not included, null when there is nothing on its other side."""

    data: ResourceLink | msgspec.UnsetType | None = msgspec.UNSET


class _ToMany(msgspec.Struct, frozen=True):
    data: list[ResourceLink] | None = None


class _OfOrder(msgspec.Struct, frozen=True):
    payment_source: ToOne = ToOne()
    market: ToOne = ToOne()
    authorizations: _ToMany = _ToMany()
    captures: _ToMany = _ToMany()
    refunds: _ToMany = _ToMany()
    voids: _ToMany = _ToMany()


class _OfTransaction(msgspec.Struct, frozen=True):
    payment_source: ToOne = ToOne()


class _Transaction(msgspec.Struct, frozen=True):
    number: str | int | None = None
    amount_cents: int | None = None
    currency_code: str | None = None
    succeeded: bool | None = None
    gateway_transaction_id: str | None = None
    token: str | None = None
    created_at: str | None = None


class _Named(msgspec.Struct, frozen=True):
    name: str | None = None


class Included(msgspec.Struct, frozen=True):
    """A resource that is included in a page; what is in it is decoded when something links to it."""

    id: str
    type: str
    attributes: msgspec.Raw = msgspec.Raw(b"null")
    relationships: msgspec.Raw = msgspec.Raw(b"null")


_of_order = msgspec.json.Decoder(_OfOrder | None)
_of_transaction = msgspec.json.Decoder(_OfTransaction | None)
_transactions = msgspec.json.Decoder(_Transaction | None)
_names = msgspec.json.Decoder(_Named | None)

IncludedResources = Mapping[tuple[str, str], Included]
"""What a page includes, by type (of gateways GATEWAYS) and id."""


@dataclass(frozen=True, slots=True)
class OrderMoney:
    """Columns of PAYMENTS by name, and the transactions, each in the order of their columns; null where not read."""

    columns: Mapping[str, object]
    transactions: list[tuple[Any, ...]] | None


def order_money(payment_id: str, order: Included, currency_code: str | None, page: IncludedResources) -> OrderMoney:
    """Return what `page` shows of the money of `order`, which is of `currency_code`, beside a payment of it."""
    relations = decoded(_of_order, order, order.relationships) or _OfOrder()
    source = _source(payment_id, relations.payment_source)
    market_id = linked_id(relations.market)
    columns: dict[str, object] = {
        **dict(zip(("order_source_type", "is_current_source"), source, strict=True)),
        "market_id": market_id,
        "market_name": name_of(page.get(("markets", market_id))) if market_id is not None else None,
    }
    read = []
    for type_, column in SUM_OF.items():
        rows = _transactions_of(type_, getattr(relations, type_).data, page)
        columns[column] = None if rows is None else _sum(rows, currency_code)
        read.append(rows)
    if all(rows is None for rows in read):
        return OrderMoney(columns, None)
    return OrderMoney(columns, [row for rows in read for row in rows or ()])


def resources_of(included: Iterable[Included]) -> IncludedResources:
    """Return what a page includes, to be found by what links to it."""
    return {(GATEWAYS if one.type.endswith(GATEWAYS) else one.type, one.id): one for one in included}


def name_of(resource: Included | None) -> str | None:
    """Return what `resource` is called."""
    found = None if resource is None else decoded(_names, resource, resource.attributes)
    return found.name if found is not None else None


def linked_id(relationship: ToOne) -> str | None:
    """Return the id on the other side, null where there is none or it is not known."""
    return relationship.data.id if isinstance(relationship.data, ResourceLink) else None


def decoded(decoder: msgspec.json.Decoder[Shape], resource: Included, content: msgspec.Raw) -> Shape:
    """Return `content`, which is of `resource`. Raises IncompletePull naming it for another shape."""
    try:
        return decoder.decode(content)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise odd_shape(f"{resource.type.removesuffix('s')} {resource.id}", error) from error


def odd_shape(what: str, error: Exception) -> IncompletePull:
    """Return the error that `what` is not as documented."""
    return IncompletePull(
        f"klarna_payments: {what} does not have the documented shape: {error}",
        hint="the API may have changed; nothing is published, and the pages read before are kept",
    )


def sha256_of_token(token: str | None) -> str | None:
    """Return the SHA-256 of `token`, in hex: it can be compared, and not used."""
    return None if token is None else hashlib.sha256(token.encode()).hexdigest()


def nested(columns: Sequence[Column], rows_per_list: Numbers, are_there: Numbers) -> Column:
    """Return lists of transactions: `columns` hold them one after another, and each list takes its number of them."""
    offsets = np.zeros(len(rows_per_list) + 1, np.int32)
    np.cumsum(rows_per_list, out=offsets[1:])
    values = pa.StructArray.from_arrays(list(columns), fields=TRANSACTION_FIELDS)
    missing = None if are_there.all() else boolean_column((~are_there).tolist())
    made: Any = pa.ListArray
    lists: Column = made.from_arrays(int32_column(offsets), values, type=_LIST, mask=missing)
    return lists


def whole(cents: int | None) -> int | None:
    """Return `cents`, or null where they cannot be added up: the amount of that one row is then unknown."""
    return cents if cents is not None and abs(cents) <= MOST_CENTS else None


def _transactions_of(
    type_: str, links: list[ResourceLink] | None, page: IncludedResources
) -> list[tuple[Any, ...]] | None:
    """Return the transactions behind `links`; null where they are not linked, or not all included."""
    if links is None:
        return None
    found = [page.get((type_, link.id)) for link in links]
    rows = [_row(resource) for resource in found if resource is not None]
    return rows if len(rows) == len(links) else None


def _row(resource: Included) -> tuple[Any, ...]:
    own = decoded(_transactions, resource, resource.attributes) or _Transaction()
    relations = decoded(_of_transaction, resource, resource.relationships) or _OfTransaction()
    source = relations.payment_source.data
    return (
        resource.id,
        resource.type,
        source.id if isinstance(source, ResourceLink) and source.type == KLARNA else None,
        str(own.number) if isinstance(own.number, int) else own.number,
        whole(own.amount_cents),
        own.currency_code or None,
        own.succeeded,
        own.gateway_transaction_id,
        sha256_of_token(own.token),
        own.created_at,
    )


def _sum(rows: Sequence[tuple[Any, ...]], currency_code: str | None) -> int | None:
    total = 0
    for _, _, _, _, amount, currency, succeeded, *_ in rows:
        if succeeded:
            if amount is None or currency is None or currency != currency_code:
                return None
            total += amount
    return whole(total)


def _source(payment_id: str, relationship: ToOne) -> tuple[str | None, bool | None]:
    """The type of the order's current source, and whether the payment is it."""
    link = relationship.data
    if isinstance(link, ResourceLink):
        return link.type, None if link.type is None else (link.type, link.id) == (KLARNA, payment_id)
    return None, None
