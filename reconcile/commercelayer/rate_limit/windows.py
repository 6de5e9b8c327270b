"""
One class of traffic and the windows it has to fit into: may a request go now, and what does its answer teach?

Knows the documented figures, sliding windows, what the answers' headers say about them, and what a 429 means. Takes
the time as a number: waits for nothing, and does not know who else waits. Why a slot is held from sending until the
answer is told in `limiter`.

Sources: https://docs.commercelayer.io/core/rate-limits (figures, sliding windows, IP blocked until its rate falls
back); the headers describe the average window only, the burst is a quarter of it in a sixth of its interval.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import Literal

from reconcile.commercelayer.document import Quota

Traffic = Literal["read", "write", "token"]

_GUARD = 0.001
_ROUND_TRIP_SHARE = 0.75


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

    def hold_seconds(self) -> float:
        """How long a request counts after it was counted, with a guard for a server whose clock is coarse."""
        return self.seconds * (1 + _GUARD)


DOCUMENTED: dict[str, dict[Traffic, Allowance]] = {
    "live": {"read": Allowance(200, 60), "write": Allowance(200, 60), "token": Allowance(30, 60)},
    "test": {"read": Allowance(100, 60), "write": Allowance(100, 60), "token": Allowance(30, 60)},
}
"""Average windows by mode: uncacheable reads, writes, and the token endpoint (which has no burst window)."""

UNLIMITED = Allowance(10**12, 0.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What became of a request: `answered` with headers or failed, the `quota` in them, and whether it was a 429
    (`rejected`), with its `Retry-After` if it had one.
    """

    answered: bool
    quota: Quota | None = None
    rejected: bool = False
    retry_after_seconds: float | None = None


@dataclass(slots=True)
class Permit:
    """The right to send one request now. Give it back with `Limiter.settle`, whatever became of the request."""

    traffic: Traffic
    endpoint: str
    sent: float
    most_ours: int  # how many of ours the server can have counted when this one was sent
    granted: int  # how many permits of this traffic were granted by then


@dataclass(slots=True)
class Pause:
    """
    The pause of everything after a 429: for as long as the server says, else for the burst's window, and after another
    429 for the average's. One request goes ahead after it; `rejections` is back at 0 when it is answered well.
    """

    until: float = -math.inf
    rejections: int = 0  # in a row, counted once per pause

    def note(self, answer: Answer, permit: Permit, average: Allowance, now: float) -> None:
        """Begin a pause after a 429, or end the caution after one."""
        if permit.sent < self.until:
            return  # sent before the pause that is on, or over: the same event
        if answer.rejected:
            self.rejections += 1
            first = self.rejections == 1 and permit.traffic != "token"
            # A `Retry-After: 0` after a 429 says nothing.
            self.until = now + (answer.retry_after_seconds or (average.burst() if first else average).seconds)
        elif answer.answered:
            self.rejections = 0


@dataclass(slots=True)
class RoundTrip:
    """The shortest round trip of a class of traffic, for tokens come from another host; infinite before the first."""

    shortest_seconds: float = math.inf

    def note(self, answer: Answer, permit: Permit, now: float) -> None:
        """Take up the round trip of an answer that was none of the edge's."""
        if answer.answered and not answer.rejected:
            self.shortest_seconds = min(self.shortest_seconds, now - permit.sent)

    def credit_seconds(self) -> float:
        """How much sooner than its answer a request was surely counted, seen from the arrival of a later one."""
        return 0.0 if math.isinf(self.shortest_seconds) else self.shortest_seconds * _ROUND_TRIP_SHARE


@dataclass(slots=True)
class SlidingWindow:
    """
    The slots of one window: held from sending until the answer, then waiting to become free again.

    Times are seconds of one monotonic clock.
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

    def settle(self, now: float, credit_seconds: float) -> None:
        """Let a held slot run out: its request was answered at `now`, and surely counted `credit_seconds` before."""
        self.held -= 1
        heapq.heappush(self.free_at, now + max(0.0, self.allowance.hold_seconds() - credit_seconds))

    def add_foreign(self, requests: int, now: float) -> None:
        """Count requests that somebody else sent from this IP address, at the latest now."""
        for _ in range(min(requests, self.allowance.requests)):
            heapq.heappush(self.free_at, now + self.allowance.hold_seconds())


class Lane:
    """
    One class of traffic of one process: its average windows, the burst windows of each endpoint, the pause.

    Each window comes whole and, where only a share is ours, once more for that share: what others send counts
    against the whole only.
    """

    def __init__(self, traffic: Traffic, allowance: Allowance, *, shares: tuple[float, ...], limited: bool) -> None:
        self._traffic = traffic
        self._shares = shares
        self._limited = limited
        self._averages = [SlidingWindow((allowance if limited else UNLIMITED).shared(share)) for share in shares]
        self._bursts: dict[str, list[SlidingWindow]] = {}
        self._granted = 0
        self._pause = Pause()
        self._round_trip = RoundTrip()

    @property
    def allowance(self) -> Allowance:
        """The average window, our share of it."""
        return self._averages[-1].allowance

    def assume(self, mode: str) -> None:
        """Follow the documented figures of `mode`; what is in the windows stays in them."""
        self._allow(DOCUMENTED[mode][self._traffic])

    def grant(self, endpoint: str, now: float) -> Permit | float:
        """
        Return a permit to send to `endpoint` now, or the seconds until it is worth asking again; infinity: when another
        request has been answered.
        """
        if (delay := self._delay(endpoint, now)) > 0:
            return delay
        for window in self._windows(endpoint):
            window.take()
        self._granted += 1
        return Permit(self._traffic, endpoint, now, self._averages[0].used(now), self._granted)

    def settle(self, permit: Permit, answer: Answer, now: float) -> None:
        """Take `permit` back, with what its answer says."""
        self._round_trip.note(answer, permit, now)
        for window in self._windows(permit.endpoint):
            window.settle(now, self._round_trip.credit_seconds())
        average = self._averages[0].allowance if self._limited else DOCUMENTED["live"][self._traffic]
        self._pause.note(answer, permit, average, now)
        if answer.quota is not None and self._limited:
            self._learn(permit, answer.quota, now)

    def _windows(self, endpoint: str) -> list[SlidingWindow]:
        if self._traffic == "token" or not self._limited:
            return self._averages
        if endpoint not in self._bursts:
            whole = self._averages[0].allowance.burst()
            self._bursts[endpoint] = [SlidingWindow(whole.shared(share)) for share in self._shares]
        return self._averages + self._bursts[endpoint]

    def _delay(self, endpoint: str, now: float) -> float:
        if now < self._pause.until:
            return self._pause.until - now
        if self._pause.rejections and self._averages[0].held:
            return math.inf  # after a pause one request goes ahead; the others wait for its answer
        return max(window.delay(now) for window in self._windows(endpoint))

    def _allow(self, allowance: Allowance) -> None:
        if not self._limited or allowance == self._averages[0].allowance:
            return
        for windows, whole in [
            (self._averages, allowance),
            *((burst, allowance.burst()) for burst in self._bursts.values()),
        ]:
            for window, share in zip(windows, self._shares, strict=True):
                window.allowance = whole.shared(share)

    def _learn(self, permit: Permit, quota: Quota, now: float) -> None:
        self._allow(Allowance(quota.limit, quota.interval_seconds))
        foreign = foreign_requests(quota, permit, self._granted)
        if foreign > 0:
            self._granted += foreign
            for windows in (self._averages, self._bursts.get(permit.endpoint)):
                if windows:
                    windows[0].add_foreign(foreign, now)


def foreign_requests(quota: Quota, permit: Permit, granted: int) -> int:
    """
    Return how many requests the server had counted beyond all that can be ours: somebody else behind this IP address
    sent them. `granted` is how many permits were granted by now. Not above 0: none that we know of.
    """
    if quota.remaining is None:
        return 0
    return quota.limit - quota.remaining - (permit.most_ours + granted - permit.granted)
