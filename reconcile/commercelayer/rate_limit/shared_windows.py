"""
An allowance that processes of one machine share: a small file that says what was sent, to where, and until when it
counts.

Knows the file, its lock, and when a request in it counts no more. Waits for nothing and sends nothing.

**Who shares.** The limit is per IP address: whatever its organization, every process behind the address names the same
file. Live and test keep apart, as their limits do; tokens are counted together. The file belongs on a local disk.

**What stands in it.** Each request, from the moment it may be sent. While it is under way it counts as if it were
answered when its sender gives it up; the answer puts the true time in place of that. A process that is killed thus
needs no cleaning up after: what it had under way runs out one window after its time-out. Times are those of the
machine's monotonic clock, which is one for all processes (and containers) until the next boot; the file names the
boot, and what was written before another one is forgotten.

The file is locked for the microseconds of a reading and a writing. One that was cut short (a process killed while it
wrote) is taken for a spent allowance: nothing is sent for one window.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reconcile.commercelayer.rate_limit.windows import (
    DOCUMENTED,
    Allowance,
    Answer,
    Pause,
    Permit,
    RoundTrip,
    Traffic,
    foreign_requests,
)
from reconcile.errors import SettingsError
from reconcile.files.disk import disk_errors

_MAGIC = b"reconcile allowance 1 "
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# Where the boot has no name, a time so far ahead is one of another boot.
_FAR_SECONDS = 3600.0


class Entry(msgspec.Struct, array_like=True):
    """One request. `at` is when it was counted at the latest; `under_way`: `at` is when its sender gives it up."""

    number: int
    endpoint: str
    at: float
    under_way: bool = True
    ours: bool = True


class Log(msgspec.Struct):
    """The requests of one class of traffic and mode that may still count, and what all processes learnt."""

    granted: int = 0
    paused_until: float = 0.0
    average: tuple[int, float] | None = None
    entries: list[Entry] = []


class _State(msgspec.Struct):
    boot: str
    spent_until: float = 0.0  # after a state that could not be read
    logs: dict[str, Log] = {}


@dataclass(frozen=True, slots=True)
class Bound:
    """At most so many requests in a window: to one endpoint (null: to all), of ours only or of everybody's."""

    allowance: Allowance
    endpoint: str | None = None
    ours_only: bool = False

    def counts(self, entry: Entry) -> bool:
        """Return whether `entry` is of the requests that are bounded."""
        return (self.endpoint in (None, entry.endpoint)) and (entry.ours or not self.ours_only)


def delay_seconds(entries: Sequence[Entry], bound: Bound, now: float, *, credit_seconds: float = 0.0) -> float:
    """
    Return the seconds until one more request may fit into `bound`: 0 when it does now.

    What is under way may be answered at any moment, and is free one window after that: it is worth asking again then,
    and not sooner. `credit_seconds` is how much sooner than its answer a request may turn out to have been counted.
    """
    hold = bound.allowance.hold_seconds()
    counting = [entry for entry in entries if bound.counts(entry) and entry.at + hold > now]
    over = len(counting) - bound.allowance.requests
    if over < 0:
        return 0.0
    soonest = sorted(
        (min(entry.at, now - credit_seconds) if entry.under_way else entry.at) + hold for entry in counting
    )
    return max(soonest[over] - now, 1e-6)


class SharedAllowance:
    """
    The file at `path`, made with its folder where it is missing.

    `longest_answer_seconds` is when a request is given up at the latest. Every use of it raises OutputError when the
    file cannot be read or written, and SettingsError when it is something else.
    """

    def __init__(self, path: Path, *, longest_answer_seconds: float) -> None:
        self.path = path
        self.longest_answer_seconds = longest_answer_seconds
        self._boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""

    def lane(self, traffic: Traffic, allowance: Allowance, *, shares: Sequence[float]) -> SharedLane:
        """Return one class of traffic of this process; `allowance` and `shares` as for a lane of its own."""
        return SharedLane(self, traffic, allowance, shares=shares)

    @contextlib.contextmanager
    def log(self, name: str, now: float, *, longest_window_seconds: float) -> Iterator[Log]:
        """Give the log called `name`, locked, as of `now`; what the block makes of it is written back."""
        with disk_errors(self.path), self._locked() as descriptor:
            state = self._state(_content(descriptor), now + longest_window_seconds)
            log = state.logs.setdefault(name, Log(paused_until=state.spent_until))
            _forget(log, now, log.average[1] if log.average else longest_window_seconds)
            yield log
            body = msgspec.json.encode(state)
            content = b"%b%08x\n%b" % (_MAGIC, zlib.crc32(body), body)
            os.pwrite(descriptor, content, 0)
            os.ftruncate(descriptor, len(content))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_nlink:  # else it was removed meanwhile, and others use a new one
                    yield descriptor
                    return
            finally:
                os.close(descriptor)  # which unlocks

    def _state(self, content: bytes, spent_until: float) -> _State:
        if content and not content.startswith(_MAGIC):
            raise SettingsError(
                f"{self.path}: is no shared allowance of reconcile, and was left as it is",
                hint="name a file of its own, which need not exist",
            )
        if not content:
            return _State(self._boot)
        checksum, _, body = content.removeprefix(_MAGIC).partition(b"\n")
        if checksum != b"%08x" % zlib.crc32(body):
            return _State(self._boot, spent_until)
        state = msgspec.json.decode(body, type=_State)
        return state if state.boot == self._boot else _State(self._boot)


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _forget(log: Log, now: float, window_seconds: float) -> None:
    """Drop what counts no more, and what is of another boot."""
    hold = Allowance(1, window_seconds).hold_seconds()
    log.entries = [entry for entry in log.entries if now - hold < entry.at < now + _FAR_SECONDS]
    if not log.entries:
        log.average = None
    if log.paused_until > now + _FAR_SECONDS:
        log.paused_until = 0.0


class SharedLane:
    """One class of traffic of this process, in the windows of all that share the file. Used as `windows.Lane` is."""

    def __init__(
        self, shared: SharedAllowance, traffic: Traffic, allowance: Allowance, *, shares: Sequence[float]
    ) -> None:
        self._shared = shared
        self._traffic = traffic
        self._shares = shares
        self._average = allowance
        self._mode = "live"
        self._held = 0
        self._pause = Pause()
        self._round_trip = RoundTrip()

    @property
    def allowance(self) -> Allowance:
        """The average window, our share of it."""
        return self._average.shared(self._shares[-1])

    def assume(self, mode: str) -> None:
        """Follow the documented figures of `mode`, and count with the processes of that mode."""
        self._mode = mode
        self._average = DOCUMENTED[mode][self._traffic]

    def grant(self, endpoint: str, now: float) -> Permit | float:
        """Return a permit to send to `endpoint` now, or the seconds until it is worth asking again. As `Lane.grant`."""
        with self._log(now) as log:
            if (delay := self._delay(log, endpoint, now)) > 0:
                return delay
            log.granted += 1
            log.entries.append(Entry(log.granted, endpoint, now + self._shared.longest_answer_seconds))
            self._held += 1
            hold = self._average.hold_seconds()
            used = sum(entry.at + hold > now for entry in log.entries)
            return Permit(self._traffic, endpoint, now, used, log.granted)

    def settle(self, permit: Permit, answer: Answer, now: float) -> None:
        """Take `permit` back, with what its answer says."""
        self._held -= 1
        self._round_trip.note(answer, permit, now)
        with self._log(now) as log:
            for entry in log.entries:
                if entry.number == permit.granted and entry.endpoint == permit.endpoint and entry.under_way:
                    entry.at, entry.under_way = now - self._round_trip.credit_seconds(), False
            self._pause.note(answer, permit, self._average, now)
            log.paused_until = max(log.paused_until, self._pause.until)
            if answer.quota is not None:
                self._average = Allowance(answer.quota.limit, answer.quota.interval_seconds)
                log.average = (self._average.requests, self._average.seconds)
                foreign = max(0, foreign_requests(answer.quota, permit, log.granted))
                log.entries += [
                    Entry(log.granted + place, permit.endpoint, now, under_way=False, ours=False)
                    for place in range(1, foreign + 1)
                ]
                log.granted += foreign

    @contextlib.contextmanager
    def _log(self, now: float) -> Iterator[Log]:
        name = self._traffic if self._traffic == "token" else f"{self._mode} {self._traffic}"
        with self._shared.log(name, now, longest_window_seconds=self._average.seconds) as log:
            if log.average is not None:
                self._average = Allowance(*log.average)
            if log.paused_until > max(now, self._pause.until):
                # Another process met a 429: this one waits as well, and one of its requests goes ahead then.
                self._pause.until, self._pause.rejections = log.paused_until, max(1, self._pause.rejections)
            yield log

    def _delay(self, log: Log, endpoint: str, now: float) -> float:
        if now < self._pause.until:
            return self._pause.until - now
        if self._pause.rejections and self._held:
            return float("inf")
        credit = self._round_trip.credit_seconds()
        return max(delay_seconds(log.entries, bound, now, credit_seconds=credit) for bound in self._bounds(endpoint))

    def _bounds(self, endpoint: str) -> list[Bound]:
        bounds = []
        for share in self._shares:
            ours_only = share < 1
            bounds.append(Bound(self._average.shared(share), ours_only=ours_only))
            if self._traffic != "token":
                bounds.append(Bound(self._average.burst().shared(share), endpoint, ours_only))
        return bounds
