"""
One class of traffic and the windows it has to fit into: may a request go now, and what does its answer teach?

Knows the documented figures, sliding windows, what the answers' headers say about them, and what a 429 means. Takes
the time as a number: waits for nothing, and does not know who else waits. What was sent is in a log (`request_log`),
which several processes may share. Why a request counts from sending until its answer, and one window longer, is
explained in `limiter`.

Sources: https://docs.commercelayer.io/core/rate-limits (figures, sliding windows, IP blocked until its rate falls
back); the headers describe the average window only, the burst is a quarter of it in a sixth of its interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from reconcile.commercelayer.document import Quota
from reconcile.commercelayer.rate_limit.request_log import Entry, Log, MemoryLog, SharedLog

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


@dataclass(frozen=True, slots=True)
class Bound:
    """At most so many requests in a window: to one endpoint (null: to all), of ours only or of everybody's."""

    allowance: Allowance
    endpoint: str | None = None
    ours_only: bool = False

    def delay_seconds(self, entries: Sequence[Entry], now: float, *, credit_seconds: float = 0.0) -> float:
        """
        Return the seconds until one more request may fit beside `entries`: 0 when it does now.

        A request in progress may be answered at any moment, and is free one window after that: it is worth asking again
        then, and not sooner. `credit_seconds` is how much sooner than its answer a request may turn out to have been
        counted.
        """
        if len(entries) < self.allowance.requests:
            return 0.0
        gone, endpoint, ours_only = now - self.allowance.hold_seconds(), self.endpoint, self.ours_only
        counting = [
            entry
            for entry in entries
            if entry.at > gone and endpoint in (None, entry.endpoint) and (entry.ours or not ours_only)
        ]
        over = len(counting) - self.allowance.requests
        if over < 0:
            return 0.0
        soonest = sorted(min(entry.at, now - credit_seconds) if entry.under_way else entry.at for entry in counting)
        return max(soonest[over] - gone, 1e-6)


class RateClass:
    """
    One class of traffic of this process: the windows it has to fit into, with all that share its log, and the pause.

    Each window comes whole and, where only a share is ours, once more for that share: what others send counts against
    the whole only. Without a limit (`limited` is false) there is no window, and only a 429 holds anything back.
    """

    def __init__(
        self,
        traffic: Traffic,
        allowance: Allowance,
        requests: MemoryLog | SharedLog,
        *,
        shares: Sequence[float],
        limited: bool,
    ) -> None:
        self._traffic = traffic
        self._average = allowance
        self._requests = requests
        self._shares = shares
        self._limited = limited
        self._mode = "live"
        self._held = 0
        self._pause = Pause()
        self._round_trip = RoundTrip()

    @property
    def allowance(self) -> Allowance | None:
        """The average window, our share of it; null when there is no limit."""
        return self._average.shared(self._shares[-1]) if self._limited else None

    def assume(self, mode: str) -> None:
        """Follow the documented figures of `mode`, and count with the processes of that mode."""
        self._mode = mode
        self._average = DOCUMENTED[mode][self._traffic]

    def grant(self, endpoint: str, now: float) -> Permit | float:
        """
        Return a permit to send to `endpoint` now, or the seconds until it is worth asking again; infinity: when another
        request has been answered.
        """
        with self._log(now) as log:
            self._follow(log, now)
            if (delay := self._delay(log, endpoint, now)) > 0:
                return delay
            self._held += 1
            log.granted += 1
            if self._limited:
                log.entries.append(Entry(log.granted, endpoint, now + self._requests.longest_answer_seconds))
            return Permit(self._traffic, endpoint, now, len(log.entries), log.granted)

    def settle(self, permit: Permit, answer: Answer, now: float) -> None:
        """Take `permit` back, with what its answer says."""
        self._held -= 1
        self._round_trip.note(answer, permit, now)
        with self._log(now) as log:
            self._follow(log, now)
            log.settle(permit.granted, permit.endpoint, now - self._round_trip.credit_seconds())
            self._pause.note(answer, permit, self._average, now)
            log.paused_until = max(log.paused_until, self._pause.until)
            if answer.quota is not None and self._limited:
                self._average = Allowance(answer.quota.limit, answer.quota.interval_seconds)
                log.average = (self._average.requests, self._average.seconds)
                log.add_foreign(foreign_requests(answer.quota, permit, log.granted), permit.endpoint, now)

    def _log(self, now: float) -> AbstractContextManager[Log]:
        name = self._traffic if self._traffic == "token" else f"{self._mode} {self._traffic}"
        return self._requests.log(name, now, longest_window_seconds=self._average.seconds)

    def _follow(self, log: Log, now: float) -> None:
        """Take up what others that share `log` learnt, and drop from it what counts no more."""
        average = Allowance(*log.average) if log.average else self._average
        log.forget(now - average.hold_seconds())
        if log.average:
            self._average = average
        if log.paused_until > max(now, self._pause.until):
            # Another process met a 429: this one waits as well, and one of its requests goes ahead then.
            self._pause.until, self._pause.rejections = log.paused_until, max(1, self._pause.rejections)

    def _delay(self, log: Log, endpoint: str, now: float) -> float:
        if now < self._pause.until:
            return self._pause.until - now
        if self._pause.rejections and self._held:
            return math.inf  # after a pause one request goes ahead; the others wait for its answer
        credit = self._round_trip.credit_seconds()
        delays = [bound.delay_seconds(log.entries, now, credit_seconds=credit) for bound in self._bounds(endpoint)]
        return max(delays, default=0.0)

    def _bounds(self, endpoint: str) -> Iterator[Bound]:
        for share in self._shares if self._limited else ():
            ours_only = share < 1
            yield Bound(self._average.shared(share), ours_only=ours_only)
            if self._traffic != "token":
                yield Bound(self._average.burst().shared(share), endpoint, ours_only)


def foreign_requests(quota: Quota, permit: Permit, granted: int) -> int:
    """
    Return how many requests the server had counted beyond all that can be ours: somebody else behind this IP address
    sent them. `granted` is how many permits were granted by now. 0: none that we know of.
    """
    if quota.remaining is None:
        return 0
    return max(0, quota.limit - quota.remaining - (permit.most_ours + granted - permit.granted))
