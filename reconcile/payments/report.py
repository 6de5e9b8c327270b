"""
What a pull reports: while it runs, and when it is done.

Knows the figures and where they come from.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.query import PAGE_SIZE, timestamp
from reconcile.commercelayer.reading import Reading
from reconcile.notices import Notice
from reconcile.payments.bookmarks import Bookmarks, Spent
from reconcile.payments.mirror.commits import UnfinishedPull
from reconcile.payments.request import PullRequest
from reconcile.payments.walking import WalkContext

_PROGRESS_SECONDS = 0.1
_TICK_SECONDS = 0.5
_RATE_SPAN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class PullProgress:
    """
    Where a pull stands, for a display. `rate_per_minute` is that of the last minute, or since the start.

    `expected_payments` stays as it was when the pull began. `hold_seconds` is how long the rate limit lets nothing go
    from now on, `left_seconds` how long the rest takes at least, by the pace so far and by the allowance; null where
    neither says it yet.
    """

    pages: int
    payments: int
    expected_payments: int
    requests: int
    retries: int
    waiting_seconds: float
    rate_per_minute: float
    quota_limit: int | None
    quota_remaining: int | None
    rewalks: int
    hold_seconds: float = 0.0
    left_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class PullReport:
    """
    What was pulled, what it cost, and what proves it complete. All counts are those of the server's own lists.

    `count_before` adds the counts with which the walks began, `count_after` is the count of the whole window after
    the last one; `payments` lies between. `until` is the cut-off: payments created before it were seen. `requests`,
    `bytes_received`, `retries` and `rate_limited` include interrupted attempts, as far as they were committed.

    Of an `incremental` pull `count_before` counts what had changed; `updated` payments were read because of that, with
    the overlap, and `rechecked` ones by id. `payments` is no less than `count_after`. `vanished` payments were in the
    mirror and are gone: they are noted there. `warnings` say what the figures do not.

    `transport` is `pages`, `exports`, or `exports, then pages` where some of it was not to be had as an export;
    `transport_reason` says why. `refused` are the relations that the server did not include, as paths.
    """

    payments: int
    requests: int
    bytes_received: int
    retries: int
    rate_limited: int
    shards: int
    rewalks: int
    count_before: int
    count_after: int
    since: datetime | None
    until: datetime
    started_at: datetime
    finished_at: datetime
    organization: str
    mode: str
    resumed: bool
    clock_offset_seconds: float | None
    transport: str = "pages"
    transport_reason: str = ""
    incremental: bool = False
    updated: int = 0
    rechecked: int = 0
    vanished: int = 0
    refused: tuple[str, ...] = ()
    warnings: tuple[Notice, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain JSON values; nothing in it is secret."""
        plain = {
            name: timestamp(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }
        return plain | {"warnings": msgspec.to_builtins(self.warnings)}


OnProgress = Callable[[PullProgress], None]


@dataclass(frozen=True, slots=True)
class PullContext:
    """
    Who is asked for what, and what was spent before: every row must be of `mode`, `on_progress` hears of each page.

    `at_start` is what the client had spent, `earlier` what the command's stages and attempts before this one have cost.
    """

    client: CommerceLayer
    request: PullRequest
    mode: str
    on_progress: OnProgress | None
    at_start: Spent
    earlier: Spent

    def reading(self, refused: Sequence[str] = ()) -> Reading:
        """Return what the walks of a pull ask through, without what was `refused` before."""
        return Reading(self.client, self.request.wanted.without(refused))

    def walking(
        self,
        reading: Reading,
        store: UnfinishedPull,
        marks: Bookmarks,
        *,
        on_page: Callable[[], None],
        before_commit: Callable[[], None],
    ) -> WalkContext:
        """Return what the walks of this pull share, which ask through `reading` and commit to `store` with `marks`."""
        return WalkContext(reading, store, marks, self.mode, on_page, before_commit)


class ProgressReporter:
    """
    Calls `on_progress` (null: nobody listens) with the figures as they stand, ten times a second at most.

    While it is `ticking` also where no page comes: somebody may want to know what is waited for.
    """

    def __init__(self, client: CommerceLayer, marks: Bookmarks, on_progress: OnProgress | None) -> None:
        self._client = client
        self._marks = marks
        self._on_progress = on_progress
        self._expected = marks.planned
        self._pages = 0
        self._told_at = float("-inf")
        self._began = time.monotonic(), marks.seen
        self._rates: deque[tuple[float, int]] = deque()

    @contextlib.asynccontextmanager
    async def ticking(self) -> AsyncIterator[None]:
        """Tell how things stand at regular times until the block ends."""
        if self._on_progress is None:
            yield
            return
        task = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()  # raises what `on_progress` raised

    async def _tick(self) -> None:
        while True:
            await self._client.pause(_TICK_SECONDS)
            self.tell()

    def page(self) -> None:
        """A page has come."""
        self._pages += 1
        if time.monotonic() - self._told_at >= _PROGRESS_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Tell how things stand, now."""
        if self._on_progress is None:
            return
        now = self._told_at = time.monotonic()
        statistics, quota = self._client.statistics, self._client.quota
        requests = statistics.requests.total()
        self._rates.append((now, requests))
        while now - self._rates[0][0] > _RATE_SPAN_SECONDS:
            self._rates.popleft()
        then, requests_then = self._rates[0]
        self._on_progress(
            PullProgress(
                pages=self._pages,
                payments=self._marks.seen,
                expected_payments=self._expected,
                requests=requests,
                retries=statistics.retries.total(),
                waiting_seconds=self._client.limiter.waited_seconds,
                rate_per_minute=60 * (requests - requests_then) / (now - then) if now > then else 0.0,
                quota_limit=quota.limit if quota is not None else None,
                quota_remaining=quota.remaining if quota is not None else None,
                rewalks=self._marks.rewalks,
                hold_seconds=self._client.limiter.hold_seconds,
                left_seconds=self._left_seconds(now),
            )
        )

    def _left_seconds(self, now: float) -> float | None:
        began_at, seen = self._began
        left, came = max(0, self._expected - self._marks.seen), self._marks.seen - seen
        at_this_pace = [(now - began_at) * left / came] if came > 0 else []
        allowance, quota = self._client.limiter.allowance(), self._client.quota
        if allowance is None or self._marks.transport == "exports":
            return max(at_this_pace, default=None)
        at_once = quota.remaining or 0 if quota is not None else 0
        pages, burst = math.ceil(left / PAGE_SIZE), allowance.burst()
        in_bursts = max(0, pages - 1) // burst.requests * burst.seconds
        return max([*at_this_pace, in_bursts, max(0, pages - at_once) * allowance.seconds / allowance.requests])


def spent_since(client: CommerceLayer, at_start: Spent, *, earlier: Spent) -> Spent:
    """Return what `client` has spent since `at_start`, together with what `earlier` attempts did."""
    now = spent_by(client)
    return Spent(
        requests=earlier.requests + now.requests - at_start.requests,
        bytes_received=earlier.bytes_received + now.bytes_received - at_start.bytes_received,
        retries=earlier.retries + now.retries - at_start.retries,
        rate_limited=earlier.rate_limited + now.rate_limited - at_start.rate_limited,
    )


def spent_by(client: CommerceLayer) -> Spent:
    """Return what `client` has spent since it was made."""
    statistics = client.statistics
    return Spent(
        requests=statistics.requests.total(),
        bytes_received=statistics.bytes_received,
        retries=statistics.retries.total(),
        rate_limited=statistics.rate_limited,
    )


def reported(client: CommerceLayer, marks: Bookmarks, **own: Any) -> PullReport:
    """Return the report of a pull that ends now, with what `marks` and `client` know; `own` is all the rest of it."""
    spent = marks.spent
    return PullReport(
        requests=spent.requests,
        bytes_received=spent.bytes_received,
        retries=spent.retries,
        rate_limited=spent.rate_limited,
        shards=len(marks.walks),
        rewalks=marks.rewalks,
        count_before=marks.counted_before,
        until=marks.cut_off,
        started_at=marks.started_at,
        finished_at=datetime.now(UTC),
        organization=client.organization,
        clock_offset_seconds=client.clock_offset_seconds,
        refused=marks.refused,
        **own,
    )
