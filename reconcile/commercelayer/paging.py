"""
Keyset walks: every payment of a window, page after page, in shards of `created_at` that are walked side by side.

Knows how a walk continues, when it is over, and how to cut a window into shards without asking: the first page of a
walk shows how many payments its shard holds, and is the first page of the walk unless there are too many.
Does not keep rows, does not know where they go, and does not judge whether all were seen.

A walk sorts by `id` and asks for what follows the last row *as given*: ids are opaque, the server compares the
sequence hidden behind them (https://docs.commercelayer.io/core/pagination, sdk-utils `retrieveAll`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

from reconcile.commercelayer.believable import check_ids, record_count
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.clocks import Newest, agreed_now
from reconcile.commercelayer.document import Document, http_date
from reconcile.commercelayer.query import (
    PAGE_SIZE,
    PAYMENTS_PATH,
    Window,
    behind,
    count_params,
    newest_params,
    page_query,
)
from reconcile.commercelayer.reading import Reading
from reconcile.commercelayer.relations import Wanted
from reconcile.commercelayer.resources import first_created_at
from reconcile.errors import IncompletePull

# Each shard ends with a page that is not full: half a page more on average, 1 % of so many.
_PAGES_PER_SHARD = 20
_MOST_SHARDS = 64
_PARTS_AT_ONCE = 4

# `created_at` has milliseconds: a shorter window cannot be cut.
_SHORTEST = timedelta(milliseconds=2)


@dataclass(frozen=True, slots=True)
class PaymentCount:
    """The server's own count of a window, and when the payment created first in it was created."""

    payments: int
    first_created_at: datetime | None


@dataclass(frozen=True, slots=True)
class CountNow:
    """The server's own count of a window, and what time it is: see `clocks.agreed_now`."""

    payments: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a window that one walk goes through, with the payments supposed to be in it."""

    window: Window
    payments: int


async def count_payments(client: CommerceLayer, window: Window) -> PaymentCount:
    """Ask how many payments `window` holds: one request. Raises IncompletePull when the answer has no count."""
    document = await client.get(PAYMENTS_PATH, count_params(window), urgency=1_000_000)
    return PaymentCount(record_count(document, PAYMENTS_PATH), first_created_at(document.body))


async def count_all(client: CommerceLayer, windows: Sequence[Window]) -> int:
    """Ask how many payments `windows` hold together, a request for each. Raises IncompletePull as `count_payments`."""
    return sum([(await count_payments(client, window)).payments for window in windows])


async def count_now(client: CommerceLayer, window: Window) -> CountNow:
    """
    Ask how many payments `window` holds, and find out by the same answer what time it is: one request.

    Where the placing ends at a time of its own, that of the payment created last says nothing about clocks.
    Raises WrongClock, and IncompletePull when the answer has no count.
    """
    document = await client.get(PAYMENTS_PATH, newest_params(window), urgency=1_000_000)
    check_ids(document.ids, PAYMENTS_PATH)
    created_at = first_created_at(document.body)
    newest = Newest(f"payment {document.ids[0]} was created on", created_at) if created_at is not None else None
    if window.placing is not None and window.placing.until is not None:
        newest = None
    now = agreed_now(client.host, served_at=http_date(document.date), here=client.wall_clock(), newest=newest)
    return CountNow(record_count(document, PAYMENTS_PATH), now)


async def pages(
    reading: Reading, window: Window, *, after: str | None, expected: Callable[[], int]
) -> AsyncGenerator[Document]:
    """
    Yield the pages of `window` behind the row `after` (null: from its start), until nothing is left.

    The last page is the one that is not full and whose own count agrees that nothing follows; an empty page always
    ends the walk. `expected` gives the payments thought to be left: of several walks the longest is served first,
    so that all end at about the same time.

    Raises IncompletePull when the walk does not move, or goes round in circles.
    """
    path = _Path()
    while True:
        document = await reading.get(PAYMENTS_PATH, partial(_query, window, after), urgency=expected())
        left = record_count(document, PAYMENTS_PATH)
        if not document.ids:
            if after is None:
                yield document  # an empty shard: its count is still news
            return
        check_ids(document.ids, PAYMENTS_PATH)
        last = document.ids[-1]
        if last == after or len(set(document.ids)) < len(document.ids) or path.comes_back_to(last):
            raise IncompletePull(
                f"klarna_payments: the list does not move on behind payment {last}",
                hint="the server repeats rows; run the same command again later, it resumes from here",
            )
        after = last
        yield document
        # A short page alone is no end: a server that loses a row serves one too. A filter by id narrows the count to
        # what is left, this page included.
        if len(document.ids) < PAGE_SIZE and left <= len(document.ids):
            return


def _query(window: Window, after: str | None, wanted: Wanted) -> str:
    first = page_query(window, wanted)
    return first if after is None else behind(first, after)


class _Path:
    """
    The last rows of a walk's pages: has it been here before?

    Brent's algorithm: one row is remembered, and another one after twice as many pages as before. A walk that goes in
    circles meets it within three rounds at most, and nothing grows with the length of a walk.
    """

    def __init__(self) -> None:
        self._remembered: str | None = None
        self._steps, self._patience = 0, 1

    def comes_back_to(self, last: str) -> bool:
        """Take a step to `last`, and return whether that is the row remembered."""
        if last == self._remembered:
            return True
        self._steps += 1
        if self._steps == self._patience:
            self._remembered, self._steps, self._patience = last, 0, 2 * self._patience
        return False


def shard_count(payments: int) -> int:
    """Return into how many shards to cut a pull of `payments`: more than are walked at once, none of them tiny."""
    return max(1, min(_MOST_SHARDS, payments // PAGE_SIZE // _PAGES_PER_SHARD))


def walker_count(requests_per_second: float | None, round_trip_seconds: float) -> int:
    """
    Return how many walks to keep going: enough that the rate limit, not the round trip, is what they wait for.

    A walk sends one request per round trip. Four times the necessary number leaves room for slow answers, and somebody
    always waits for the limiter, which then sees to it that all walks end together. Without a limit (null) it is what
    one connection pool and one core can feed.
    """
    if requests_per_second is None:
        return 16
    return max(2, min(32, round(4 * requests_per_second * round_trip_seconds) + 1))


def cut(window: Window, *, first: datetime | None, now: datetime, payments: int, parts: int) -> list[Shard]:
    """
    Cut `window` into about `parts` shards of equal time that tile it, without a request.

    `first` is when the first payment was created; `payments` is the window's count, of which each shard is supposed to
    have its share. A window without an end is cut up to `now`, and its last shard has none. A walk that meets more on
    its first page is cut again: see `cut_finer`.
    """
    end = window.until or now
    if parts <= 1 or first is None or first >= end:
        return [Shard(window, payments)]
    windows = _divided(replace(window, since=first, until=end), parts)
    windows[-1] = replace(windows[-1], until=window.until)
    steps = [payments * index // len(windows) for index in range(len(windows) + 1)]
    shards = [Shard(part, end - start) for part, (start, end) in zip(windows, pairwise(steps), strict=True)]
    if window.since is None or window.since < first:
        # Nothing lies before `first`, unless it is entered there meanwhile: one request shows it.
        shards.insert(0, Shard(replace(window, until=first), 0))
    return shards


def cut_finer(window: Window, *, payments: int, most: int) -> list[Window]:
    """
    Return the parts into which to cut a shard that holds `payments`; itself, when that is not too much.

    Too much is half as much again as `most`. Cutting costs the page that showed it, and a page for each part that turns
    out empty: into four at a time finds the day that holds half of all payments with few requests, and cuts it as
    finely as it needs. Payments created in one and the same millisecond stay together.
    """
    if (
        2 * payments <= 3 * most
        or window.since is None
        or window.until is None
        or window.until - window.since < _SHORTEST
    ):
        return [window]
    return _divided(window, min(_PARTS_AT_ONCE, -(-payments // most)))


def _divided(window: Window, parts: int) -> list[Window]:
    """Parts of equal time, in whole milliseconds; fewer of them where the time is too short."""
    assert window.since is not None
    assert window.until is not None
    since, span = window.since, window.until - window.since
    inner = {_whole_milliseconds(since + span * index / parts) for index in range(1, parts)}
    edges = [since, *sorted(edge for edge in inner if since < edge < window.until), window.until]
    return [replace(window, since=start, until=end) for start, end in pairwise(edges)]


def _whole_milliseconds(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)
