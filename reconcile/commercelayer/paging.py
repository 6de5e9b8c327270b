"""
Keyset walks: every payment of a window, page after page, in shards of `created_at` that are walked side by side.

Knows how a walk goes on, when it is over, and how to cut a window into shards of about equal size with few requests.
Does not keep rows, does not know where they go, and does not judge whether all were seen.

A walk sorts by `id` and asks for what follows the last row *as given*: ids are opaque, the server compares the
sequence hidden behind them (https://docs.commercelayer.io/core/pagination, sdk-utils `retrieveAll`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.document import Document, http_date
from reconcile.commercelayer.query import PAGE_SIZE, PAYMENTS_PATH, Window, count_params, page_params
from reconcile.commercelayer.resources import first_created_at
from reconcile.errors import IncompletePull

# Below this, one walk is soon done and cutting it up costs more requests than it saves time.
_PAGES_PER_SHARD = 40
_FEW_SHARDS = 8
_PAGES_PER_SHARD_OF_MANY = 160
_MOST_SHARDS = 64

# `created_at` has milliseconds: a shorter window cannot be cut.
_SHORTEST = timedelta(milliseconds=2)


@dataclass(frozen=True, slots=True)
class Count:
    """The server's own count of a window, its clock then (whole seconds), and the payment created first."""

    payments: int
    served_at: datetime | None
    first_created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a window that one walk goes through, with the payments counted in it when it was cut."""

    window: Window
    payments: int


async def count_payments(client: CommerceLayer, window: Window) -> Count:
    """Ask how many payments `window` holds: one request. Raises IncompletePull when the answer has no count."""
    document = await client.get(PAYMENTS_PATH, count_params(window), urgency=1_000_000)
    return Count(_record_count(document), http_date(document.date), first_created_at(document.body))


async def pages(
    client: CommerceLayer, window: Window, *, after: str | None, expected: Callable[[], int]
) -> AsyncIterator[Document]:
    """
    Yield the pages of `window` behind the row `after` (null: from its start), until nothing is left.

    The last page is the one that is not full and whose own count agrees that nothing follows; an empty page always
    ends the walk. `expected` gives the payments thought to be left: of several walks the longest is served first,
    so that all end at about the same time.

    Raises IncompletePull when the walk does not move.
    """
    while True:
        document = await client.get(PAYMENTS_PATH, page_params(window, after), urgency=expected())
        if not document.ids:
            if after is None:
                yield document  # an empty shard: its count is still news
            return
        last = document.ids[-1]
        if last == after or len(set(document.ids)) < len(document.ids):
            raise IncompletePull(
                f"klarna_payments: the list does not move on behind payment {last}",
                hint="the server repeats rows; start the same command again later, it goes on from here",
            )
        after = last
        yield document
        # A short page alone is no end: a server that loses a row serves one too. A filter by id narrows the count to
        # what is left, this page included.
        if len(document.ids) < PAGE_SIZE and _record_count(document) <= len(document.ids):
            return


def shard_count(payments: int) -> int:
    """Return into how many shards to cut a pull of `payments`: so many that planning costs about 2 % of its pages."""
    size = payments // PAGE_SIZE
    few = min(_FEW_SHARDS, size // _PAGES_PER_SHARD)
    return max(1, few, min(_MOST_SHARDS, size // _PAGES_PER_SHARD_OF_MANY))


def walker_count(requests_per_second: float | None, round_trip_seconds: float) -> int:
    """
    Return how many walks to keep going: enough that the rate limit, not the round trip, is what they wait for.

    A walk sends one request per round trip. Twice the necessary number leaves room for slow answers. Without a
    limit (null) it is what one connection pool and one core can feed.
    """
    if requests_per_second is None:
        return 16
    return max(2, min(32, round(2 * requests_per_second * round_trip_seconds) + 1))


async def cut(
    count: Callable[[Window], Awaitable[Count]], window: Window, *, first: datetime | None, payments: int, parts: int
) -> list[Shard]:
    """
    Cut `window` into about `parts` shards that tile it, halving the time span wherever too many payments lie.

    A day that holds half of all payments is cut as finely as it needs. `first` is when the first payment was
    created; `payments` is the window's count. Payments created in one and the same millisecond stay together.
    """
    start = window.since or first
    if parts <= 1 or start is None or window.until is None:
        return [Shard(window, payments)]
    most = -(-payments * 5 // (parts * 4))  # a quarter more than the even share
    leaves = await _halve(count, Window(start, window.until), payments, most)
    shards = _joined(leaves, most)
    # The first shard keeps the open start: a payment entered before `first` meanwhile is still inside.
    return [Shard(Window(window.since, shards[0].window.until), shards[0].payments), *shards[1:]]


async def _halve(count: Callable[[Window], Awaitable[Count]], window: Window, payments: int, most: int) -> list[Shard]:
    assert window.since is not None
    assert window.until is not None
    span = window.until - window.since
    if payments <= most or span < _SHORTEST:
        return [Shard(window, payments)]
    middle = _whole_milliseconds(window.since + span / 2)
    earlier, later = Window(window.since, middle), Window(middle, window.until)
    counted = (await count(earlier)).payments
    halves = await asyncio.gather(
        _halve(count, earlier, counted, most), _halve(count, later, max(0, payments - counted), most)
    )
    return [shard for half in halves for shard in half]


def _joined(shards: list[Shard], most: int) -> list[Shard]:
    """Join neighbours that together are not too large."""
    joined = [shards[0]]
    for shard in shards[1:]:
        together = joined[-1].payments + shard.payments
        if together <= most:
            joined[-1] = Shard(Window(joined[-1].window.since, shard.window.until), together)
        else:
            joined.append(shard)
    return joined


def _whole_milliseconds(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


def _record_count(document: Document) -> int:
    if document.record_count is None:
        raise IncompletePull(
            "klarna_payments: the list says nothing about how many payments there are (meta.record_count)",
            hint="without the server's count a pull cannot be proved complete; check the API's address",
        )
    return document.record_count
