"""
The orders that were placed in a window: how to filter, count and cut them, and whether a file of an export holds them.

Knows that an order is placed once it has `placed_at`, whatever became of it since, and that its payment method shows
whether it was paid with Klarna. A cut is made at an id, as the vendor's own tools make it: the server compares the
sequence behind the ids, here they are opaque. Keeps nothing, and does not know what becomes of a file.

Sources: https://docs.commercelayer.io/core/filtering-data, .../core/exporting-resources (batches),
commercelayer-sdk-utils `src/jobs.ts`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from reconcile.commercelayer.believable import check_ids, record_count
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.clocks import Newest, agreed_now, in_utc
from reconcile.commercelayer.document import Document, http_date
from reconcile.commercelayer.exports.documents import BrokenExport
from reconcile.commercelayer.exports.rows import objects
from reconcile.commercelayer.query import ORDERS_PATH, timestamp
from reconcile.commercelayer.tasks import results_of

KLARNA_ONLY = ("payment_method_payment_source_type_eq", "klarna_payments")
"""
Filter that leaves the orders of Klarna. `payment_source` itself can be any of ten types, which filters cannot cross.
Not every deployment need take it.
"""

MOST_PARTS = 1_000
"""Into so many parts a window is cut at once."""

OrderKeys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class PlacedOrders:
    """
    Orders placed at or after `since` (null: from the first) and before `until` (null: until now), all in UTC.

    With `klarna_only` those whose payment method is Klarna's; without, all of them. With `changed_since` those that
    were changed, or placed, at or after it.
    """

    since: datetime | None
    until: datetime | None
    klarna_only: bool = True
    changed_since: datetime | None = None

    def filters(self, ids: IdRange | None = None) -> dict[str, str]:
        """Return the filters that name them, those in `ids` alone where given, as an export takes them."""
        filters = {}
        if self.since is not None:
            filters["placed_at_gteq"] = timestamp(self.since)
        if self.until is not None:
            filters["placed_at_lt"] = timestamp(self.until)
        if not filters:
            filters["placed_at_not_null"] = "true"
        if self.klarna_only:
            filters[KLARNA_ONLY[0]] = KLARNA_ONLY[1]
        if self.changed_since is not None:
            filters["updated_at_gteq"] = timestamp(self.changed_since)
        if ids is not None and ids.after is not None:
            filters["id_gt"] = ids.after
        if ids is not None and ids.last is not None:
            filters["id_lteq"] = ids.last
        return filters


@dataclass(frozen=True, slots=True)
class IdRange:
    """Ids behind `after` (null: from the first) up to and with `last` (null: to the end)."""

    after: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class OrdersCount:
    """The server's own count, and what time it is: see `clocks.agreed_now`."""

    orders: int
    now: datetime


@dataclass(frozen=True, slots=True)
class OrdersInFile:
    """How many orders a file holds, and a key for each: equal for equal ids, and for no others in practice."""

    orders: int
    keys: OrderKeys


class _Order(msgspec.Struct, frozen=True):
    id: str
    placed_at: str | None
    currency_code: str | None
    number: str | int | None
    reference: str | None
    total_amount_with_taxes_cents: int | None


class _Placed(msgspec.Struct, frozen=True):
    placed_at: datetime | None = None


class _PlacedRow(msgspec.Struct, frozen=True):
    attributes: _Placed


class _PlacedPage(msgspec.Struct, frozen=True):
    data: list[_PlacedRow]


_orders = msgspec.json.Decoder(_Order)
_placed_pages = msgspec.json.Decoder(_PlacedPage)


async def count_orders(client: CommerceLayer, placed: PlacedOrders, ids: IdRange | None = None) -> int:
    """Ask how many orders there are: one request. Raises IncompletePull when the answer has no count."""
    return record_count(await _at_position(client, placed, ids, 1), ORDERS_PATH)


async def count_orders_now(client: CommerceLayer, placed: PlacedOrders) -> OrdersCount:
    """
    Ask how many orders there are, and find out by the same answer what time it is: one request.

    Raises WrongClock, and IncompletePull when the answer has no count.
    """
    document = await _at_position(client, placed, None, 1, sort="-placed_at")
    placed_at = _first_placed_at(document.body)
    newest = Newest(f"order {document.ids[0]} was placed on", placed_at) if placed_at is not None else None
    now = agreed_now(client.host, served_at=http_date(document.date), here=client.wall_clock(), newest=newest)
    return OrdersCount(record_count(document, ORDERS_PATH), now)


async def cut_at(
    client: CommerceLayer, placed: PlacedOrders, ids: IdRange, *, orders: int, most: int
) -> list[tuple[IdRange, int]]:
    """
    Cut `ids`, which holds about `orders`, into ranges of at most `most`, and say how many each is supposed to hold.

    One request per cut, none where one range is enough. The same orders are cut at the same ids.
    """
    # More parts than these are cut in two goes: each is one request, and some memory.
    most = max(most, -(-orders // MOST_PARTS))
    positions = range(most, orders, most)
    shown = await results_of(_at_position(client, placed, ids, position) for position in positions)
    # Nobody is there where some have gone meanwhile.
    inner = [document.ids[0] for document in shown if document.ids and document.ids[0] != ids.last]
    ranges = [IdRange(after, last) for after, last in pairwise([ids.after, *inner, ids.last])]
    return [(one, min(most, orders - most * index)) for index, one in enumerate(ranges)]


def orders_in_file(path: Path, placed: PlacedOrders) -> OrdersInFile:
    """
    Read the file at `path`, an export of some of `placed`, from its first order to the last.

    Raises BrokenExport when it is cut or corrupt, or holds something else than was requested.
    """
    keys = [_key(_checked(content, placed)) for content in objects(path)]
    found = np.array(keys, np.uint64)
    if len(np.unique(found)) < len(found):
        raise BrokenExport("the file contains an order twice")
    return OrdersInFile(len(found), found)


def are_distinct(keys: Sequence[OrderKeys]) -> bool:
    """Return whether no order is in two files."""
    together = np.concatenate(keys) if keys else np.array([], np.uint64)
    return len(np.unique(together)) == len(together)


def _key(order_id: str) -> int:
    return int.from_bytes(blake2b(order_id.encode(), digest_size=8).digest())


def _checked(content: bytes, placed: PlacedOrders) -> str:
    """Return the id of an order. Raises BrokenExport for another shape, and for one that was not requested."""
    try:
        order = _orders.decode(content)
        at = datetime.fromisoformat(order.placed_at or "")
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise BrokenExport("an order in the file does not have the documented shape", final=True) from error
    # As strings of whole milliseconds, the way the window was requested.
    shown = timestamp(at)
    if (placed.since is not None and shown < timestamp(placed.since)) or (
        placed.until is not None and shown >= timestamp(placed.until)
    ):
        raise BrokenExport("the file contains orders that were not requested", final=True)
    return order.id


def _first_placed_at(body: bytes) -> datetime | None:
    """Return `placed_at` (UTC) of the first order in `body`, or null when there is none, or it does not say."""
    try:
        listed = _placed_pages.decode(body).data
    except ValueError:
        return None
    placed_at = listed[0].attributes.placed_at if listed else None
    return in_utc(placed_at) if placed_at is not None and placed_at.tzinfo is not None else None


async def _at_position(
    client: CommerceLayer, placed: PlacedOrders, ids: IdRange | None, position: int, *, sort: str = "id"
) -> Document:
    """Return the list with the one order at `position` (from 1), by id unless `sort` says; its count is that of all."""
    document = await client.get(
        ORDERS_PATH,
        {
            "fields[orders]": "placed_at",
            "page[number]": str(position),
            "page[size]": "1",
            "sort": sort,
            **{f"filter[q][{name}]": value for name, value in placed.filters(ids).items()},
        },
    )
    check_ids(document.ids, ORDERS_PATH)
    return document
