"""
The rate limit: when the next request may be sent, so that the allowance is spent and never exceeded.

Knows who waits, whose turn it is and for how long. The windows themselves are in `windows`. Opens no socket; clock and
sleep are passed in. One `Limiter` stands for one IP address: everything a process sends takes its permits here.

**Why a permit is held.** The server counts a request when it arrives, which we do not see: some time after we sent
it (`sent`) and before its answer came (`answered`). If one request is slow on its way and a later one fast, the
server sees them closer together than we sent them, so a log of sending times lets a full window overflow. A slot
is therefore held from sending until the answer, and is free again one window after the *answer*: the next request
in that slot is sent, and so arrives, more than a window after the earlier one arrived, whatever the network does.

That gives up one round trip per window. Part of it can be had back safely: of any two requests, the later one
needs at least the shortest way there, and the earlier one's answer the shortest way back; together these are the
shortest round trip. Three quarters of the shortest one seen are used, the rest is kept for networks that become
faster. A guard of a thousandth of the window covers a server whose clock is coarse. What remains unspent at 200
requests a minute and 0.3 s a round trip is 0.3 %.
"""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Awaitable, Callable

from reconcile.commercelayer.document import Quota
from reconcile.commercelayer.rate_limit.request_log import MemoryLog, SharedLog
from reconcile.commercelayer.rate_limit.windows import DOCUMENTED, Allowance, Answer, Permit, RateClass, Traffic

__all__ = ["Allowance", "Limiter", "Permit", "Traffic"]


class Limiter:
    """
    Permits for everything a process sends, in sliding windows.

    `share` of the allowance is used. With `limited=False` the windows hold nothing back, and only a 429 does: for
    servers that have no limit, in benchmarks. With `shared` the windows are those of all processes that share this log.
    `clock` gives monotonic seconds, `sleep` waits for seconds.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        share: float = 1.0,
        limited: bool = True,
        shared: SharedLog | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        shares = (1.0,) if share >= 1 else (1.0, share)
        shared = shared if limited else None
        self._classes = {
            traffic: RateClass(traffic, allowance, shared or MemoryLog(), shares=shares, limited=limited)
            for traffic, allowance in DOCUMENTED["live"].items()
        }
        self._changed: dict[Traffic, asyncio.Event] = {traffic: asyncio.Event() for traffic in self._classes}
        self._turns: dict[tuple[Traffic, str], _Turns] = {}
        self.round_trip_seconds = 0.0
        """Of reads, a mean in which the latest weigh most; 0 before the first answer."""
        self.waited_seconds = 0.0
        self._holds_until = -math.inf

    @property
    def hold_seconds(self) -> float:
        """How long it holds back the request whose turn it is, from now on; 0 where it holds none back."""
        return max(0.0, self._holds_until - self._clock())

    def assume_mode(self, mode: str) -> None:
        """Start from the documented figures of `mode`; the headers of answers override them."""
        for traffic, rate_class in self._classes.items():
            rate_class.assume(mode)
            self._changed[traffic].set()

    def allowance(self, traffic: Traffic = "read") -> Allowance | None:
        """The average window we keep to (our share of it), or null when there is no limit."""
        return self._classes[traffic].allowance

    async def acquire(self, traffic: Traffic, endpoint: str, *, urgency: int = 0) -> Permit:
        """
        Wait until a request may be sent to `endpoint`, and return the permit for it.

        Of those waiting, the most urgent goes first, then the one that came first.
        """
        rate_class, changed = self._classes[traffic], self._changed[traffic]
        asked = self._clock()
        turns = self._turns.setdefault((traffic, endpoint), _Turns())
        await turns.enter(urgency)
        try:
            while not isinstance(granted := rate_class.grant(endpoint, self._clock()), Permit):
                if math.isinf(granted):
                    changed.clear()
                    await changed.wait()
                else:
                    self._holds_until = self._clock() + granted
                    await self._sleep(granted)
            return granted
        finally:
            self.waited_seconds += self._clock() - asked
            turns.leave()

    def begin(self, permit: Permit) -> None:
        """
        Note that the request of `permit` is sent only now, some time after the permit was granted.

        That time is no part of its round trip: from a longer one the next permit would be granted too soon.
        """
        permit.sent = self._clock()

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
        if answered and not rejected and permit.traffic == "read":
            weight = 0.1 if self.round_trip_seconds else 1.0
            self.round_trip_seconds += (now - permit.sent - self.round_trip_seconds) * weight
        answer = Answer(answered, quota, rejected, retry_after_seconds)
        self._classes[permit.traffic].settle(permit, answer, now)
        self._changed[permit.traffic].set()


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
