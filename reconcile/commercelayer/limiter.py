"""
The rate limit: when the next request may be sent, so that the allowance is spent and never exceeded.

Knows the documented sliding windows, what the answers' headers say about them, and what a 429 means. Opens no
socket; clock and sleep are passed in. One `Limiter` stands for one IP address: everything a process sends takes
its permits here.

**Why a permit is held.** The server counts a request when it arrives, which we do not see: some time after we sent
it (`sent`) and before its answer came (`answered`). If one request is slow on its way and a later one fast, the
server sees them closer together than we sent them, so a log of sending times lets a full window overflow. A slot
is therefore held from sending until the answer, and is free again one window after the *answer*: the next request
in that slot is sent, and so arrives, more than a window after the earlier one arrived, whatever the network does.

That gives up one round trip per window. Part of it can be had back safely: of any two requests, the later one
needs at least the shortest way there, and the earlier one's answer the shortest way back; together these are the
shortest round trip. Half of the shortest one seen is used, the other half is kept for networks that become faster.
A guard of a thousandth of the window covers a server whose clock is coarse. What remains unspent at 200 requests a
minute and 0.3 s a round trip is 0.4 %.

Sources: https://docs.commercelayer.io/core/rate-limits (figures, sliding windows, IP blocked until its rate falls
back); the headers describe the average window only, the burst is a quarter of it in a sixth of its interval.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from reconcile.commercelayer.document import Quota

Traffic = Literal["read", "write", "token"]

_GUARD = 0.001
_ROUND_TRIP_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float

    def burst(self) -> Allowance:
        """The window per endpoint that belongs to this average: 200 in 60 s gives 50 in 10 s."""
        return Allowance(max(1, self.requests // 4), self.seconds / 6)

    def shared(self, share: float) -> Allowance:
        """The part of it we may use; at least one request."""
        return Allowance(max(1, math.floor(self.requests * share + 1e-9)), self.seconds)


DOCUMENTED: dict[str, dict[Traffic, Allowance]] = {
    "live": {"read": Allowance(200, 60), "write": Allowance(200, 60), "token": Allowance(30, 60)},
    "test": {"read": Allowance(100, 60), "write": Allowance(100, 60), "token": Allowance(30, 60)},
}
"""Average windows by mode: uncacheable reads, writes, and the token endpoint (which has no burst window)."""

UNLIMITED = Allowance(10**12, 0.0)


@dataclass(slots=True)
class SlidingWindow:
    """
    The slots of one window: held from sending until the answer, then waiting to become free again.

    Times are seconds of one monotonic clock. `extra` are requests of others that the server told us about.
    """

    allowance: Allowance
    held: int = 0
    free_at: list[float] = field(default_factory=list)

    def used(self, now: float) -> int:
        """Number of slots that are not free."""
        while self.free_at and self.free_at[0] <= now:
            heapq.heappop(self.free_at)
        return self.held + len(self.free_at)

    def delay(self, now: float) -> float:
        """Seconds until a slot is free: 0 when one is, infinity when that hangs on an answer still to come."""
        over = self.used(now) - self.allowance.requests
        if over < 0:
            return 0.0
        if over >= len(self.free_at):
            return math.inf
        # After a limit was lowered, more slots than one may have to become free first.
        return (heapq.nsmallest(over + 1, self.free_at)[-1] if over else self.free_at[0]) - now

    def take(self) -> None:
        """Hold a slot: the request is being sent."""
        self.held += 1

    def settle(self, now: float, round_trip_seconds: float) -> None:
        """Let a held slot run out: its request was answered at `now`. `round_trip_seconds`: the shortest one seen."""
        self.held -= 1
        hold = self.allowance.seconds * (1 + _GUARD) - round_trip_seconds * _ROUND_TRIP_SHARE
        heapq.heappush(self.free_at, now + max(0.0, hold))

    def add_foreign(self, requests: int, now: float) -> None:
        """Count requests that somebody else sent from this IP address, at the latest now."""
        for _ in range(min(requests, self.allowance.requests)):
            heapq.heappush(self.free_at, now + self.allowance.seconds * (1 + _GUARD))


@dataclass(slots=True)
class Permit:
    """The right to send one request now. Give it back with `Limiter.settle`, whatever became of the request."""

    traffic: Traffic
    endpoint: str
    sent: float
    most_ours: int  # how many of ours the server can have counted when this one was sent
    granted: int  # how many permits of this traffic were granted by then


class _Lane:
    """
    One class of traffic: its average windows, the burst windows of each endpoint, and the pause after a 429.

    Each window comes whole and, where only a share is ours, once more for that share: what others send counts
    against the whole only.
    """

    def __init__(self, allowance: Allowance, *, shares: tuple[float, ...], has_bursts: bool) -> None:
        self.shares = shares
        self.has_bursts = has_bursts
        self.averages = [SlidingWindow(allowance.shared(share)) for share in shares]
        self.bursts: dict[str, list[SlidingWindow]] = {}
        self.granted = 0
        self.paused_until = -math.inf
        self.rejections = 0  # in a row, counted once per pause
        self.changed = asyncio.Event()
        self.shortest_round_trip_seconds = math.inf  # of this traffic: tokens come from another host

    def windows(self, endpoint: str) -> list[SlidingWindow]:
        if not self.has_bursts:
            return self.averages
        if endpoint not in self.bursts:
            whole = self.averages[0].allowance.burst()
            self.bursts[endpoint] = [SlidingWindow(whole.shared(share)) for share in self.shares]
        return self.averages + self.bursts[endpoint]

    def whole_windows(self, endpoint: str) -> list[SlidingWindow]:
        return [windows[0] for windows in (self.averages, self.bursts.get(endpoint)) if windows]

    def delay(self, endpoint: str, now: float) -> float:
        if now < self.paused_until:
            return self.paused_until - now
        if self.rejections and self.averages[0].held:
            return math.inf  # after a pause one request goes ahead; the others wait for its answer
        return max(window.delay(now) for window in self.windows(endpoint))

    def allow(self, allowance: Allowance) -> None:
        """Follow `allowance` from now on; what is in the windows stays in them."""
        if allowance == self.averages[0].allowance:
            return
        for windows, whole in [
            (self.averages, allowance),
            *((burst, allowance.burst()) for burst in self.bursts.values()),
        ]:
            for window, share in zip(windows, self.shares, strict=True):
                window.allowance = whole.shared(share)
        self.changed.set()


class Limiter:
    """
    Permits for everything a process sends, in sliding windows.

    `share` of the allowance is used. With `limited=False` the windows hold nothing back, and only a 429 does: for
    servers that have no limit, in benchmarks. `clock` gives monotonic seconds, `sleep` waits for seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        share: float = 1.0,
        limited: bool = True,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._limited = limited
        shares = (1.0,) if share >= 1 else (1.0, share)
        self._lanes: dict[Traffic, _Lane] = {
            traffic: _Lane(
                allowance if limited else UNLIMITED, shares=shares, has_bursts=limited and traffic != "token"
            )
            for traffic, allowance in DOCUMENTED["live"].items()
        }
        self._turns: dict[tuple[Traffic, str], _Turns] = {}
        self.round_trip_seconds = 0.0
        """Of reads, a mean in which the latest weigh most; 0 before the first answer."""
        self.waited_seconds = 0.0

    def assume_mode(self, mode: str) -> None:
        """Start from the documented figures of `mode`; the headers of answers override them."""
        if self._limited:
            for traffic, allowance in DOCUMENTED[mode].items():
                self._lanes[traffic].allow(allowance)

    def allowance(self, traffic: Traffic = "read") -> Allowance | None:
        """The average window we keep to (our share of it), or null when there is no limit."""
        return self._lanes[traffic].averages[-1].allowance if self._limited else None

    async def acquire(self, traffic: Traffic, endpoint: str, *, urgency: int = 0) -> Permit:
        """
        Wait until a request may be sent to `endpoint`, and return the permit for it.

        Of those waiting, the most urgent goes first, then the one that came first.
        """
        lane = self._lanes[traffic]
        asked = self._clock()
        turns = self._turns.setdefault((traffic, endpoint), _Turns())
        await turns.enter(urgency)
        try:
            while (delay := lane.delay(endpoint, self._clock())) > 0:
                if math.isinf(delay):
                    lane.changed.clear()
                    await lane.changed.wait()
                else:
                    await self._sleep(delay)
            now = self._clock()
            for window in lane.windows(endpoint):
                window.take()
            lane.granted += 1
            return Permit(traffic, endpoint, now, lane.averages[0].used(now), lane.granted)
        finally:
            self.waited_seconds += self._clock() - asked
            turns.leave()

    def settle(
        self,
        permit: Permit,
        *,
        answered: bool,
        quota: Quota | None = None,
        rejected: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        """
        Give `permit` back: the answer's headers have come (`answered`), or the request failed.

        `quota` is what the headers say. `rejected` is a 429: everything of this traffic then pauses, for
        `retry_after_seconds` if the server says so, else for the burst's window, and after another 429 for the
        average's. One request goes ahead after a pause; the others follow when it is answered well.
        """
        now = self._clock()
        lane = self._lanes[permit.traffic]
        if answered and not rejected:
            self._measure(lane, permit.traffic, now - permit.sent)
        shortest = 0.0 if math.isinf(lane.shortest_round_trip_seconds) else lane.shortest_round_trip_seconds
        for window in lane.windows(permit.endpoint):
            window.settle(now, shortest)
        if rejected:
            self._pause(lane, permit, now, retry_after_seconds)
        elif answered and permit.sent >= lane.paused_until:
            lane.rejections = 0
        if quota is not None and self._limited:
            self._learn(lane, permit, quota, now)
        lane.changed.set()

    def _measure(self, lane: _Lane, traffic: Traffic, round_trip: float) -> None:
        lane.shortest_round_trip_seconds = min(lane.shortest_round_trip_seconds, round_trip)
        if traffic != "read":
            return
        weight = 0.1 if self.round_trip_seconds else 1.0
        self.round_trip_seconds += (round_trip - self.round_trip_seconds) * weight

    def _pause(self, lane: _Lane, permit: Permit, now: float, retry_after_seconds: float | None) -> None:
        if permit.sent < lane.paused_until:
            return  # sent before the pause that is on, or over: the same event
        lane.rejections += 1
        average = lane.averages[0].allowance if self._limited else DOCUMENTED["live"][permit.traffic]
        clears = average.burst().seconds if lane.rejections == 1 and permit.traffic != "token" else average.seconds
        # A `Retry-After: 0` after a 429 says nothing.
        lane.paused_until = now + (retry_after_seconds or clears)

    def _learn(self, lane: _Lane, permit: Permit, quota: Quota, now: float) -> None:
        lane.allow(Allowance(quota.limit, quota.interval_seconds))
        if quota.remaining is None:
            return
        # What the server counted beyond all that can be ours was sent by somebody else behind this IP address.
        most_ours = permit.most_ours + lane.granted - permit.granted
        foreign = quota.limit - quota.remaining - most_ours
        if foreign > 0:
            lane.granted += foreign
            for window in lane.whole_windows(permit.endpoint):
                window.add_foreign(foreign, now)


class _Turns:
    """One at a time, the most urgent first, then the one that came first."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._busy = False
        self._came = 0

    async def enter(self, urgency: int) -> None:
        if not self._busy:
            self._busy = True
            return
        future = asyncio.get_running_loop().create_future()
        self._came += 1
        heapq.heappush(self._waiting, (-urgency, self._came, future))
        try:
            await future
        except asyncio.CancelledError:
            # Our turn may have been given to us in the very moment we were cancelled: pass it on.
            if future.done() and not future.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                return
        self._busy = False
