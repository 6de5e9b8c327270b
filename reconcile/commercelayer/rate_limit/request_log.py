"""
The log of what was sent, to where, and until when it counts: in memory, or in a small file that processes share.

Knows what is written down, the file, its lock, and what in it can be believed. When a request may go is known to
`windows`. Waits for nothing and sends nothing.

**Who shares.** The limit is per IP address: whatever its organization, every process behind the address names the same
file. Live and test keep apart, as their limits do; tokens are counted together. The file belongs on a local disk.

**What stands in it.** Each request, from the moment it may be sent. While it is in progress it counts as if it were
answered when its sender gives it up; the answer puts the true time in place of that. A process that is killed thus
needs no cleaning up after: what it had in progress runs out one window after its time-out. Times are those of the
machine's monotonic clock, which is one for all processes (and containers) until the next boot; the file names the
boot, and what was written before another one is forgotten.

The file is locked for the microseconds of a reading and a writing. One that was cut short (a process killed while it
wrote) is taken for a spent allowance: nothing is sent for one window.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

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
    """
    The requests of one class of traffic and mode that may still count, and what all who share the log learnt.

    `average` is the window that headers described last, requests and seconds: as old as the requests are.
    """

    granted: int = 0
    paused_until: float = 0.0
    average: tuple[int, float] | None = None
    entries: list[Entry] = []

    def forget(self, until: float) -> None:
        """Drop what was counted `until` then."""
        self.entries = [entry for entry in self.entries if entry.at > until]
        if not self.entries:
            self.average = None

    def settle(self, number: int, endpoint: str, at: float) -> None:
        """Note that the request of that number was answered, or failed: it was counted `at` then at the latest."""
        for entry in reversed(self.entries):
            if entry.number == number and entry.endpoint == endpoint and entry.under_way:
                entry.at, entry.under_way = at, False
                return

    def add_foreign(self, requests: int, endpoint: str, now: float) -> None:
        """Count requests that somebody else sent from this IP address, at the latest now."""
        self.entries += [
            Entry(self.granted + place, endpoint, now, under_way=False, ours=False) for place in range(1, requests + 1)
        ]
        self.granted += requests


class MemoryLog:
    """
    The log of one class of traffic that no other process shares.

    It is one for all modes, and what is not answered counts until it is.
    """

    longest_answer_seconds = math.inf

    def __init__(self) -> None:
        self._given = contextlib.nullcontext(Log())

    def log(self, name: str, now: float, *, longest_window_seconds: float) -> contextlib.nullcontext[Log]:
        """Give the log, as `SharedLog.log`."""
        return self._given


class _State(msgspec.Struct):
    boot: str
    spent_until: float = 0.0  # after a state that could not be read
    logs: dict[str, Log] = {}


class SharedLog:
    """
    The file at `path`, made with its folder where it is missing.

    `longest_answer_seconds` is when a request is given up at the latest. Every use of it raises OutputError when the
    file cannot be read or written, and SettingsError when it is something else.
    """

    def __init__(self, path: Path, *, longest_answer_seconds: float) -> None:
        self.path = path
        self.longest_answer_seconds = longest_answer_seconds
        self._boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""

    @contextlib.contextmanager
    def log(self, name: str, now: float, *, longest_window_seconds: float) -> Iterator[Log]:
        """
        Give the log called `name`, locked; what the block makes of it is written back.

        One that cannot be read is given as spent from `now` for `longest_window_seconds`.
        """
        with disk_errors(self.path), self._locked() as descriptor:
            state = self._state(_content(descriptor), now + longest_window_seconds)
            log = state.logs.setdefault(name, Log(paused_until=state.spent_until))
            _drop_far(log, now)
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
                f"{self.path}: is not a shared rate-limit file of reconcile, and was left as it is",
                hint="name a separate file, which need not exist",
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


def _drop_far(log: Log, now: float) -> None:
    """Drop what is of another boot, where the boot has no name."""
    log.entries = [entry for entry in log.entries if entry.at < now + _FAR_SECONDS]
    if log.paused_until > now + _FAR_SECONDS:
        log.paused_until = 0.0
