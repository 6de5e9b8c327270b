"""
The mirror: the local copy of payments, and what it belongs to.

Knows its folder, its lock, and how the rows of a finished pull are taken over. What is in a commit of a pull in
progress is known to `commits`.

    mirror/
      mirror.json              whose rows these are
      lock                     held while a pull is in progress
      payments.parquet         rows of the last pull that was finished; beside it, what `finished` notes of it
      unfinished/<window>/     one pull in progress per window
        rows-00000001-00000001.arrow
      resumed/<window>/        rows of a pull that was resumed, which are to be brought up to date
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from reconcile.errors import MirrorError
from reconcile.files.disk import replacing, sync
from reconcile.payments.mirror.commits import (
    UnfinishedPull,
    damaged_mirror,
    last_bookmarks,
    refuse_links,
    small_file,
    writing,
)
from reconcile.schema import MIRRORED

_FORMAT_VERSION = 1


class _Identity(msgspec.Struct, frozen=True):
    version: int
    organization: str
    mode: str
    fields: list[str]


def open_mirror(folder: Path, *, organization: str, mode: str, fields: Sequence[str] = MIRRORED.names) -> Mirror:
    """
    Open the mirror at `folder`, made if it is missing, and lock it until it is closed.

    Raises MirrorError when it belongs to another organization, mode or field set, was written by an incompatible
    version, is damaged, or is in use; OutputError when it cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
        lock = os.fdopen(os.open(folder / "lock", flags, 0o666), "wb")
    try:
        _lock(folder, lock)
        _check_identity(folder, _Identity(_FORMAT_VERSION, organization, mode, list(fields)))
    except BaseException:
        lock.close()
        raise
    return Mirror(folder, lock=lock)


def bookmarks_in(folder: Path, window: str, *, organization: str, mode: str) -> bytes | None:
    """
    Return the bookmarks of the pull of `window` in progress in the mirror `folder`, null when there is none.

    Looks only: nothing is made, locked or cleared. Raises MirrorError as `open_mirror` does, but for a mirror in use.
    """
    if not (folder / "mirror.json").exists():
        return None
    _check_identity(folder, _Identity(_FORMAT_VERSION, organization, mode, list(MIRRORED.names)))
    return last_bookmarks(_unfinished(folder, window))


@contextlib.contextmanager
def scratch_mirror(beside: Path) -> Iterator[Mirror]:
    """Give a mirror that lives only as long as the pull, in the folder of `beside`: nothing can be resumed."""
    with writing(beside.parent):
        folder = Path(tempfile.mkdtemp(prefix=f".{beside.name}.", dir=beside.parent))
    try:
        yield Mirror(folder, lock=None, durable=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Mirror:
    """An open mirror; a context manager. Made by `open_mirror` and `scratch_mirror`."""

    def __init__(self, folder: Path, *, lock: IO[bytes] | None, durable: bool = True) -> None:
        self.folder = folder
        self._lock = lock
        self._durable = durable

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            self._lock.close()  # which unlocks

    @property
    def payments(self) -> Path:
        """Rows of the last finished pull; the file may not exist yet."""
        return self.folder / "payments.parquet"

    def unfinished(self, window: str) -> UnfinishedPull:
        """Return the pull of `window` (a string that names it) that is in progress, empty when there is none."""
        return UnfinishedPull(_unfinished(self.folder, window), durable=self._durable)

    def resumed(self, window: str) -> Path:
        """Return the folder for the rows of a pull of `window` that was resumed; see `pull.resumed`."""
        folder = resumed_folder(self.folder, window)
        refuse_links(folder.parent, folder)
        return folder

    def finish(self, pull: UnfinishedPull, merged: Path) -> None:
        """Take over a copy of `merged` (a Parquet file), and forget the commits of `pull`, whose rows are in it."""
        if self._durable:
            with writing(self.folder):
                with replacing(self.payments) as partial:
                    shutil.copyfile(merged, partial)
                sync(self.folder)
        # Last: a crash before leaves a pull to resume, which brings itself up to date, and no page is lost.
        pull.forget()


def resumed_folder(folder: Path, window: str) -> Path:
    """Return where in the mirror `folder` the rows of a resumed pull of `window` are, or would be."""
    return folder / "resumed" / _name_of(window)


def _unfinished(folder: Path, window: str) -> Path:
    return folder / "unfinished" / _name_of(window)


def _name_of(window: str) -> str:
    return hashlib.sha256(window.encode()).hexdigest()[:16]


def _lock(folder: Path, lock: IO[bytes]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise MirrorError(
            f"{folder}: the mirror is in use by another pull", hint="wait until it is done, or name another mirror"
        ) from error


def _check_identity(folder: Path, wanted: _Identity) -> None:
    path = folder / "mirror.json"
    if not path.exists():
        with writing(folder):
            with replacing(path) as partial:
                partial.write_bytes(msgspec.json.format(msgspec.json.encode(wanted), indent=2))
            sync(folder)
        return
    try:
        found = msgspec.json.decode(small_file(path), type=_Identity)
    except (OSError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise damaged_mirror(path) from error
    differences = {
        "format version": (found.version, wanted.version),
        "organization": (found.organization, wanted.organization),
        "mode": (found.mode, wanted.mode),
    }
    for what, (has, wants) in differences.items():
        if has != wants:
            raise _another(folder, f"it is of {what} {_shown(has)}, this pull of {what} {wants}")
    if found.fields != wanted.fields:
        raise _another(folder, "it has different fields from this pull")


def _shown(value: object) -> str:
    """What a file says, in one line."""
    text = str(value)[:100]
    return text if text.isprintable() else ascii(text)


def _another(folder: Path, why: str) -> MirrorError:
    return MirrorError(
        f"{folder}: the mirror belongs to something else: {why}",
        hint="name another mirror folder, or remove this one (its payments are then pulled again)",
    )
