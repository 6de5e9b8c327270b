"""
The mirror: the local copy of payments, rows and bookmarks in one commit.

Knows how to keep rows safe and give them back in order. Does not know the API, and does not read bookmarks: they are
bytes whose meaning is the pull's.

    mirror/
      mirror.json              whose rows these are
      lock                     held while a pull is under way
      payments.parquet         rows of the last pull that was finished; beside it, what `finished` notes of it
      unfinished/<window>/     one pull under way per window
        rows-00000001-00000001.arrow

Each commit is one new `rows` file, written beside, synced and renamed: it holds the rows since the commit before and,
in its metadata, the bookmarks *after* these rows. Either both are there or neither is. Its name counts commits;
files that pile up are merged into one that is named after the first and last commit in it, and a file whose commits
another one covers is a leftover of a crash. Inside each file the rows are sorted by id and distinct, so that the end
is one streaming merge in flat memory.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec
import pyarrow as pa

from reconcile.arrow import compute, int32_column
from reconcile.disk import replacing, sync
from reconcile.errors import MirrorError, OutputError
from reconcile.rows import merged_rows, sorted_distinct
from reconcile.schema import PAYMENTS

FORMAT_VERSION = 1

WALK = "walk"
ROWS = PAYMENTS.append(pa.field(WALK, pa.int32(), nullable=False, metadata={"description": "the walk that read it"}))
"""Columns of a commit: a payment, and the number of the walk that read it."""

_BOOKMARKS = b"reconcile.pull.bookmarks"
_FILE = re.compile(r"rows-(\d{8})-(\d{8})\.arrow")
# When so many files below one of these sizes (in rows), and not below a smaller one, have piled up, they are merged.
MANY_FILES = 256
_SIZES = (65_536, 2_097_152)
_BATCH_ROWS = 256  # read at once, from each of many files: what a merge holds in memory


class _Identity(msgspec.Struct, frozen=True):
    version: int
    organization: str
    mode: str
    fields: list[str]


@dataclass(frozen=True, slots=True, order=True)
class _RowsFile:
    first: int
    last: int
    rows: int
    path: Path


def open_mirror(folder: Path, *, organization: str, mode: str, fields: Sequence[str] = PAYMENTS.names) -> Mirror:
    """
    Open the mirror at `folder`, made if it is missing, and lock it until it is closed.

    Raises MirrorError when it belongs to another organization, mode or field set, was written by an incompatible
    version, is damaged, or is in use; OutputError when it cannot be written.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    try:
        _lock(folder, lock)
        _check_identity(folder, _Identity(FORMAT_VERSION, organization, mode, list(fields)))
    except BaseException:
        lock.close()
        raise
    return Mirror(folder, lock=lock)


def bookmarks_in(folder: Path, window: str, *, organization: str, mode: str) -> bytes | None:
    """
    Return the bookmarks of the pull of `window` under way in the mirror `folder`, null when there is none.

    Looks only: nothing is made, locked or cleared. Raises MirrorError as `open_mirror` does, but for a mirror in use.
    """
    if not (folder / "mirror.json").exists():
        return None
    _check_identity(folder, _Identity(FORMAT_VERSION, organization, mode, list(PAYMENTS.names)))
    commits = [
        (int(match[2]), path) for path in _unfinished(folder, window).glob("*") if (match := _FILE.fullmatch(path.name))
    ]
    if not commits:
        return None
    with _open_rows(max(commits)[1]) as reader:
        return (reader.schema.metadata or {}).get(_BOOKMARKS)


@contextlib.contextmanager
def scratch_mirror(beside: Path) -> Iterator[Mirror]:
    """Give a mirror that lives only as long as the pull, in the folder of `beside`: nothing can be resumed."""
    with _writing(beside.parent):
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
        """Return the pull of `window` (a text that names it) that is under way, empty when there is none."""
        return UnfinishedPull(_unfinished(self.folder, window), durable=self._durable)

    def finish(self, pull: UnfinishedPull, merged: Path) -> None:
        """Forget the commits of `pull`, whose rows are in `merged` (a Parquet file), and take over a copy of it."""
        # First of all: a pull that is done must not be taken for one under way, whatever happens from here on.
        pull.forget()
        if self._durable:
            with _writing(self.folder):
                with replacing(self.payments) as partial:
                    shutil.copyfile(merged, partial)
                sync(self.folder)


class UnfinishedPull:
    """The commits of a pull under way: `bookmarks` as of the last one, null before the first."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._durable = durable
        self.bookmarks: bytes | None = None
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._files = _files_of(folder)
        if self._files:
            with _open_rows(self._files[-1].path) as reader:
                self.bookmarks = (reader.schema.metadata or {}).get(_BOOKMARKS)

    def commit(self, batches: Sequence[pa.RecordBatch], bookmarks: bytes) -> None:
        """
        Keep `batches` (columns ROWS) and the `bookmarks` after them, both or neither.

        When it returns they survive a crash. Raises OutputError when they cannot be written; what was committed
        before stays.
        """
        rows = sorted_distinct([pa.Table.from_batches(batches, schema=ROWS)])
        number = self._files[-1].last + 1 if self._files else 1
        with _writing(self._folder):
            self._files.append(self._write(number, number, [rows], bookmarks))
            self._merge_files(bookmarks)
        self.bookmarks = bookmarks

    def rows(self) -> Iterator[pa.Table]:
        """Yield all rows, sorted by id and distinct (the row committed last stays), a few thousand at a time."""
        return _merge_of(self._files)

    def rows_of(self, walks: Sequence[int]) -> Iterator[pa.Table]:
        """Yield those of the `rows` that one of the walks with the numbers `walks` has read."""
        numbers = int32_column(walks)
        for table in self.rows():
            yield table.filter(compute.is_in(table.column(WALK), value_set=numbers))

    def passing_file(self, name: str) -> Path:
        """Return a path for a file needed for a moment; what a crash leaves there is gone when the pull goes on."""
        return self._folder / name

    def forget(self) -> None:
        """Drop all commits, all of them at once."""
        with _writing(self._folder):
            forgotten = self._folder.with_name(f"{self._folder.name}.forgotten")
            shutil.rmtree(forgotten, ignore_errors=True)  # of a crash
            self._folder.rename(forgotten)
            sync(self._folder.parent)
            shutil.rmtree(forgotten, ignore_errors=True)
            self._folder.mkdir(parents=True, exist_ok=True)
        self._files = []
        self.bookmarks = None

    def _write(self, first: int, last: int, tables: Iterator[pa.Table] | list[pa.Table], bookmarks: bytes) -> _RowsFile:
        path = self._folder / f"rows-{first:08d}-{last:08d}.arrow"
        beside = path.with_suffix(".new")
        schema = ROWS.with_metadata({_BOOKMARKS: bookmarks})
        rows = 0
        with beside.open("wb") as file:
            with pa.ipc.new_file(file, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
                for table in tables:
                    writer.write_table(table.replace_schema_metadata(schema.metadata), max_chunksize=_BATCH_ROWS)
                    rows += table.num_rows
            if self._durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
        if self._durable:
            sync(self._folder)
        return _RowsFile(first, last, rows, path)

    def _merge_files(self, bookmarks: bytes) -> None:
        """
        Merge many files of about one size into one. After a crash both may be there: `_files_of`.

        The newest files are the smallest; those of the next size stand before them and wait until they are many, too.
        """
        end = len(self._files)
        for size in _SIZES:
            start = end
            while start and self._files[start - 1].rows < size:
                start -= 1
            if end - start >= MANY_FILES:
                alike = self._files[start:end]
                self._files[start:end] = [self._write(alike[0].first, alike[-1].last, _merge_of(alike), bookmarks)]
                for file in alike:
                    file.path.unlink()
                return
            end = start


def rows_per_walk(rows: pa.Table) -> Counter[int]:
    """Return how many of `rows` (columns ROWS) each walk has read, by its number."""
    return Counter({one["values"]: one["counts"] for one in compute.value_counts(rows.column(WALK)).to_pylist()})


def _unfinished(folder: Path, window: str) -> Path:
    return folder / "unfinished" / hashlib.sha256(window.encode()).hexdigest()[:16]


def _merge_of(files: Sequence[_RowsFile]) -> Iterator[pa.Table]:
    with contextlib.ExitStack() as stack:
        yield from merged_rows([_batches(stack.enter_context(_open_rows(file.path))) for file in files])


def _batches(reader: pa.ipc.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(index).replace_schema_metadata(None) for index in range(reader.num_record_batches))


@contextlib.contextmanager
def _open_rows(path: Path) -> Iterator[pa.ipc.RecordBatchFileReader]:
    try:
        file = pa.OSFile(str(path), "rb")
        reader = pa.ipc.open_file(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise _damaged(path) from error
    with file:
        yield reader


def _files_of(folder: Path) -> list[_RowsFile]:
    """The commits in `folder`, oldest first. Files of a commit or a merge that did not come to its end are removed."""
    found = []
    for path in folder.iterdir():
        match = _FILE.fullmatch(path.name)
        if match is None:
            path.unlink()  # written beside, never renamed
            continue
        with _open_rows(path) as reader:
            rows = sum(reader.get_batch(index).num_rows for index in range(reader.num_record_batches))
        found.append(_RowsFile(int(match[1]), int(match[2]), rows, path))
    kept: list[_RowsFile] = []
    for file in sorted(found, key=lambda file: (file.first, -file.last)):
        if kept and file.last <= kept[-1].last:
            file.path.unlink()  # merged into the file before
            continue
        if file.first != (kept[-1].last + 1 if kept else 1):
            raise _damaged(file.path)
        kept.append(file)
    return kept


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
        with _writing(folder):
            with replacing(path) as partial:
                partial.write_bytes(msgspec.json.format(msgspec.json.encode(wanted), indent=2))
            sync(folder)
        return
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Identity)
    except (OSError, msgspec.DecodeError) as error:
        raise _damaged(path) from error
    differences = {
        "format version": (found.version, wanted.version),
        "organization": (found.organization, wanted.organization),
        "mode": (found.mode, wanted.mode),
    }
    for what, (has, wants) in differences.items():
        if has != wants:
            raise _another(folder, f"it is of {what} {has}, this pull of {what} {wants}")
    if found.fields != wanted.fields:
        raise _another(folder, "it holds other fields than this pull")


def _another(folder: Path, why: str) -> MirrorError:
    return MirrorError(
        f"{folder}: the mirror belongs to something else: {why}",
        hint="name another mirror folder, or remove this one (its payments are then pulled again)",
    )


def _damaged(path: Path) -> MirrorError:
    return MirrorError(
        f"{path}: this file of the mirror is missing something or cannot be read",
        hint="remove the mirror folder; the payments are then pulled again from the start",
    )


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{folder}: the mirror cannot be written: {reason}",
            hint="make room or name another mirror folder; what was pulled before is kept",
        ) from error
