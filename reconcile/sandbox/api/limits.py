"""
Rate limits: sliding windows per client address, as the edge before the API keeps them.

Figures and headers of https://docs.commercelayer.io/core/rate-limits : one average per class over all its endpoints,
one burst per endpoint, the token endpoint apart; half of it in test mode. Windows never reset: a request counts
until it has left the window, and a refused one counts as well, since over the limit an address is blocked until its
rate falls back. The headers describe the average only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """
    The documented figures of live mode; `for_mode` halves them for test mode.

    `time_scale` 20 makes every window twenty times shorter. `retry_after` sends that header with a 429, which is not
    promised; `json_body` sends an `errors` document with it instead of the edge's plain text.
    """

    read_average: int = 200
    read_burst: int = 50
    write_average: int = 200
    write_burst: int = 50
    token_average: int = 30
    average_seconds: float = 60.0
    burst_seconds: float = 10.0
    time_scale: float = 1.0
    retry_after: bool = False
    json_body: bool = False

    def for_mode(self, mode: str) -> Limits:
        """Return the figures of `mode`; the token endpoint's are the same in both."""
        if mode == "live":
            return self
        return replace(
            self,
            read_average=self.read_average // 2,
            read_burst=self.read_burst // 2,
            write_average=self.write_average // 2,
            write_burst=self.write_burst // 2,
        )


DOCUMENTED = Limits()


@dataclass(frozen=True, slots=True)
class Admission:
    """What the limiter says of one request, and the average window's headers that go with the answer."""

    allowed: bool
    limit: int
    interval_seconds: float
    remaining: int
    wait_seconds: float

    def headers(self) -> dict[str, str]:
        """Return the X-Ratelimit headers."""
        return {
            "X-Ratelimit-Limit": str(self.limit),
            "X-Ratelimit-Interval": f"{self.interval_seconds:g}",
            "X-Ratelimit-Remaining": str(self.remaining),
        }


@dataclass(slots=True)
class _Window:
    """The requests of the last `seconds`, refused ones included; at most `limit` may be among them."""

    limit: int
    seconds: float
    seen: deque[float] = field(default_factory=deque)

    def count(self, now: float) -> int:
        """Note a request at `now` and return how many the window holds with it."""
        self.seen.append(now)
        while self.seen[0] <= now - self.seconds:
            self.seen.popleft()
        return len(self.seen)

    def wait_seconds(self, now: float) -> float:
        """Return how long until one more request fits."""
        if len(self.seen) < self.limit:
            return 0.0
        return max(0.0, self.seen[len(self.seen) - self.limit] + self.seconds - now)


class RateLimiter:
    """Counts the requests of each client address. `clock` is monotonic, in seconds."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._windows: dict[tuple[str, ...], _Window] = {}

    def admit_request(self, address: str, *, writes: bool, endpoint: str) -> Admission:
        """Count one API request; `endpoint` is the resource it goes to."""
        limits = self._limits
        average_limit = limits.write_average if writes else limits.read_average
        burst_limit = limits.write_burst if writes else limits.read_burst
        class_ = "write" if writes else "read"
        average = self._window((address, class_), average_limit, limits.average_seconds)
        burst = self._window((address, class_, endpoint), burst_limit, limits.burst_seconds)
        return self._admit(average, burst)

    def admit_token(self, address: str) -> Admission:
        """Count one request to the token endpoint."""
        return self._admit(self._window((address, "token"), self._limits.token_average, self._limits.average_seconds))

    def _window(self, key: tuple[str, ...], limit: int, seconds: float) -> _Window:
        return self._windows.setdefault(key, _Window(limit, seconds / self._limits.time_scale))

    def _admit(self, average: _Window, *others: _Window) -> Admission:
        now = self._clock()
        windows = (average, *others)
        counts = [window.count(now) for window in windows]
        return Admission(
            allowed=all(count <= window.limit for count, window in zip(counts, windows, strict=True)),
            limit=average.limit,
            interval_seconds=average.seconds,
            remaining=max(0, average.limit - counts[0]),
            wait_seconds=max(window.wait_seconds(now) for window in windows),
        )
