"""
An unfinished export of order totals on disk: the slices it is cut into, the files that have come, and how it ends.

Knows a folder, its lock and `unfinished.json`, which is written whole after every step: whatever stops the work, what
is noted there is true. Asks the API nothing; filters and ids are strings to it.

    workplace/
      lock                held while an export is in progress
      unfinished.json     what is requested, its slices, and which of them are here
      slice-3.json.gz     the file of a slice, whole once it is noted there
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from reconcile.commercelayer.exports.placed_orders import IdRange
from reconcile.errors import FolderBusy
from reconcile.files.disk import disk_errors, locked, replacing, sha256_of, sync

_FORMAT_VERSION = 1
_EVIDENCE = "orders.json"
"""Written last: a folder that has it holds a whole export."""

LONGEST_HOURS = 2
"""
An older unfinished export is started from scratch: little of it is likely to be as it was, and the server drops its
files.
"""

_STATE = "unfinished.json"
_NOTHING = gzip.compress(b"[]", mtime=0)
_FILE = re.compile(r"orders-\d{4,}\.json\.gz")


class Slice(msgspec.Struct):
    """
    A part of the export: ids behind `after` up to and with `last`, `planned` orders or so, after so many `cuts`.

    Once it is here it has `orders`, those in its file, `counted` by the server, and the file's `bytes` and `sha256`.
    """

    number: int
    after: str | None = None
    last: str | None = None
    planned: int = 0
    cuts: int = 0
    export_id: str | None = None
    orders: int | None = None
    counted: int | None = None
    bytes: int = 0
    sha256: str = ""

    @property
    def ids(self) -> IdRange:
        """The ids in it."""
        return IdRange(self.after, self.last)

    @property
    def is_here(self) -> bool:
        """Whether its file has come, or it turned out to hold nothing."""
        return self.orders is not None


class Asked(msgspec.Struct, frozen=True):
    """What was requested of an export; one of something else does not resume from it. Times as the API writes them."""

    organization: str
    mode: str
    since: str | None
    until: str | None


class Unfinished(msgspec.Struct):
    """
    Where an export stands. `slices` tile the orders, in the order of their files.

    `name` begins the reference of each of its exports. `until` is its cut-off, `counted` the server's count then.
    `why_all` says in the API's words why orders of all payment methods are requested, null where they are not.
    """

    asked: Asked
    name: str
    begun_at: datetime
    until: str
    counted: int
    most_records: int
    slices: list[Slice]
    why_all: str | None = None
    next_number: int = 2
    version: int = _FORMAT_VERSION

    @property
    def orders(self) -> int:
        """Orders in the files that have come."""
        return sum(one.orders or 0 for one in self.slices)

    def cut(self, slice_: Slice, parts: Sequence[tuple[str | None, str | None, int]]) -> list[Slice]:
        """Put slices of `parts` (after, last, planned) in the place of `slice_` and return them."""
        fresh = [
            Slice(self.next_number + index, after, last, planned, slice_.cuts + 1)
            for index, (after, last, planned) in enumerate(parts)
        ]
        self.next_number += len(fresh)
        at = self.slices.index(slice_)
        self.slices[at : at + 1] = fresh
        return fresh

    def renew(self, slice_: Slice) -> None:
        """Put a slice of the same ids, of which nothing is here, in the place of `slice_`."""
        fresh = Slice(self.next_number, slice_.after, slice_.last, slice_.planned, slice_.cuts)
        self.next_number += 1
        self.slices[self.slices.index(slice_)] = fresh


class Workplace:
    """A folder in which one export at a time is in progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one export. Raises FolderBusy when there is another, OutputError."""
        busy = FolderBusy(f"{self.folder}: another export of orders is in progress there", hint="wait for it to end")
        with contextlib.ExitStack() as stack:
            with disk_errors(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.folder / "lock", busy=busy))
            yield

    def unfinished(self, asked: Asked, *, now: datetime) -> Unfinished | None:
        """Return the unfinished export that was requested in the same words, null when there is none."""
        try:
            state = msgspec.json.decode((self.folder / _STATE).read_bytes(), type=Unfinished)
        except (OSError, msgspec.DecodeError):
            return None
        age = now - state.begun_at
        is_ours = state.version == _FORMAT_VERSION and state.asked == asked
        return state if is_ours and timedelta() <= age < timedelta(hours=LONGEST_HOURS) else None

    def keep(self, state: Unfinished) -> None:
        """Write where the export stands. Raises OutputError."""
        with disk_errors(self.folder), replacing(self.folder / _STATE) as partial:
            partial.write_bytes(msgspec.json.encode(state))

    def path(self, slice_: Slice) -> Path:
        """Return where the file of `slice_` is, or is to be."""
        return self.folder / f"slice-{slice_.number}.json.gz"

    def has(self, slice_: Slice) -> bool:
        """Return whether the file of `slice_` is here as it was noted."""
        path = self.path(slice_)
        return slice_.orders == 0 or (path.is_file() and sha256_of(path) == slice_.sha256)

    def clear(self) -> None:
        """Remove what an export left; only the lock stays."""
        for path in [self.folder / _STATE, *self.folder.glob("*slice-*.json.gz*")]:
            with contextlib.suppress(OSError):
                path.unlink()


def file_names(count: int) -> list[str]:
    """Return the names of `count` files of an export, which sort as they are numbered."""
    width = max(4, len(str(count)))
    return [f"orders-{number:0{width}d}.json.gz" for number in range(1, count + 1)]


def publish_files(files: Sequence[Path], destination: Path, evidence: bytes) -> list[Path]:
    """
    Put copies of `files` into `destination` under the names of an export, and `evidence` beside them, last.

    Those of an earlier export there are replaced, and removed where there were more. Without files there is one that
    holds an empty array. Raises OutputError; the folder then has no evidence, and the next attempt mends it.
    """
    with disk_errors(destination):
        destination.mkdir(parents=True, exist_ok=True)
        (destination / _EVIDENCE).unlink(missing_ok=True)
        names = file_names(max(1, len(files)))
        for path in sorted(destination.iterdir()):
            if _FILE.fullmatch(path.name) and path.name not in names:
                path.unlink()
        for name, source in zip(names, files, strict=False):
            with replacing(destination / name) as partial:
                _copy(source, partial)
        if not files:
            with replacing(destination / names[0]) as partial:
                partial.write_bytes(_NOTHING)
        with replacing(destination / _EVIDENCE) as partial:
            partial.write_bytes(evidence)
        sync(destination)
    return [destination / name for name in names]


def _copy(source: Path, partial: Path) -> None:
    """Give `partial` what is in `source`: as a second name where the disk knows such, which costs nothing."""
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        shutil.copyfile(source, partial)
