"""
Commits of a pull in progress: rows and bookmarks in one file each, both there or neither.

Knows how to keep rows safe and give them back in order. Does not know the API, and does not read bookmarks: they are
bytes whose meaning is the pull's.

Each commit is one new `rows` file, written beside, synced and renamed: it holds the rows since the commit before and,
in its metadata, the bookmarks *after* these rows. Its name counts commits; files that pile up are merged into one that
is named after the first and last commit in it, and a file whose commits another one covers is a leftover of a crash.
Inside each file the rows are sorted by id and distinct, so that the end is one streaming merge in flat memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pyarrow as pa

from reconcile.errors import MirrorError, OutputError
from reconcile.files.arrow import compute, int32_column
from reconcile.files.disk import sync
from reconcile.payments.mirror.sorted_rows import merged_rows, sorted_distinct
from reconcile.schema import MIRRORED

WALK = "walk"
ROWS = MIRRORED.append(pa.field(WALK, pa.int32(), nullable=False, metadata={"description": "the walk that read it"}))
"""Columns of a commit: a payment, and the number of the walk that read it."""

_BOOKMARKS = b"reconcile.payments.bookmarks"
_FILE = re.compile(r"rows-(\d{8})-(\d{8})\.arrow")
# A commit that was not renamed yet, and files that were passing through when the process died: see `passing_file`.
_PASSING = re.compile(r"rows-\d{8}-\d{8}\.new|payments-\d+\.json\.gz")
_MOST_RECORD_BYTES = 1024 * 1024
# When so many files below one of these sizes (in rows), and not below a smaller one, have piled up, they are merged.
MANY_FILES = 256
_SIZES = (65_536, 2_097_152)
_BATCH_ROWS = 256  # read at once, from each of many files: what a merge holds in memory


@dataclass(frozen=True, slots=True, order=True)
class _RowsFile:
    first: int
    last: int
    rows: int
    path: Path


class UnfinishedPull:
    """The commits of a pull in progress: `bookmarks` as of the last one, null before the first."""

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self._folder = folder
        self._durable = durable
        self.bookmarks: bytes | None = None
        refuse_links(folder.parent, folder)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._files = _files_of(folder)
        if self._files:
            self.bookmarks = _bookmarks_of(self._files[-1].path)

    def commit(self, batches: Sequence[pa.RecordBatch], bookmarks: bytes) -> None:
        """
        Keep `batches` (columns ROWS) and the `bookmarks` after them, both or neither.

        When it returns they survive a crash. Raises OutputError when they cannot be written; what was committed
        before stays.
        """
        rows = sorted_distinct([pa.Table.from_batches(batches, schema=ROWS)])
        number = self._files[-1].last + 1 if self._files else 1
        with writing(self._folder):
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

    @property
    def folder(self) -> Path:
        """Where its commits are."""
        return self._folder

    @contextlib.contextmanager
    def passing_file(self, name: str) -> Iterator[IO[bytes]]:
        """
        Give a file for what is needed for a moment, and must not outlast it: an export holds tokens of transactions.

        It has no name once it is open, so that it is gone with the process. Raises OutputError.
        """
        path = self._folder / name
        with writing(self._folder):
            file = path.open("w+b")
        with file:
            path.unlink()
            yield file

    def forget(self) -> None:
        """Drop all commits, all of them at once."""
        with writing(self._folder):
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


def last_bookmarks(folder: Path) -> bytes | None:
    """
    Return the bookmarks of the newest commit in `folder`, null when there is none.

    Looks only: what a crash has left stays. Raises MirrorError when the commit is damaged.
    """
    commits = [(int(match[2]), path) for path in folder.glob("*") if (match := _FILE.fullmatch(path.name))]
    return _bookmarks_of(max(commits)[1]) if commits else None


def rows_per_walk(rows: pa.Table) -> Counter[int]:
    """Return how many of `rows` (columns ROWS) each walk has read, by its number."""
    return Counter({one["values"]: one["counts"] for one in compute.value_counts(rows.column(WALK)).to_pylist()})


def with_walk(rows: pa.RecordBatch, number: int) -> pa.RecordBatch:
    """Return `rows` (columns MIRRORED) as ROWS, all of them read by the walk `number`."""
    numbers = pa.repeat(pa.scalar(number, pa.int32()), rows.num_rows)
    return pa.RecordBatch.from_arrays([*rows.columns, numbers], schema=ROWS)


def damaged_mirror(path: Path) -> MirrorError:
    """Return the error that a file of the mirror is missing something or cannot be read."""
    return MirrorError(
        f"{path}: this file of the mirror is incomplete or cannot be read",
        hint="remove the mirror folder; the payments are then pulled again from scratch",
    )


def refuse_links(*folders: Path) -> None:
    """Raise MirrorError when one of `folders` is a symbolic link: what is removed there would be removed elsewhere."""
    for folder in folders:
        if folder.is_symlink():
            raise MirrorError(
                f"{folder}: is a symbolic link, and not a folder of the mirror",
                hint="remove the link; to have the mirror elsewhere, name that folder with --mirror",
            )


def small_file(path: Path) -> bytes:
    """Return what is in a file of a few lines. Raises OSError, also when it is not a file, or far larger than that."""
    # A pipe in place of a file would keep us waiting for ever.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        content = file.read(_MOST_RECORD_BYTES + 1)
    if len(content) > _MOST_RECORD_BYTES:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses into an OutputError about the mirror in `folder`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"{folder}: the mirror cannot be written: {reason}",
            hint="free some space or name another mirror folder; what was already pulled is kept",
        ) from error


def _bookmarks_of(path: Path) -> bytes | None:
    with _open_rows(path) as reader:
        return (reader.schema.metadata or {}).get(_BOOKMARKS)


def _rows_in(path: Path) -> int:
    """Return how many rows are in a file, having looked at all of them: it may have been damaged meanwhile."""
    rows = 0
    with _open_rows(path) as reader:
        for batch in _batches(reader, path):
            try:
                batch.validate(full=True)
            except pa.ArrowException as error:
                raise damaged_mirror(path) from error
            rows += batch.num_rows
    return rows


def _merge_of(files: Sequence[_RowsFile]) -> Iterator[pa.Table]:
    with contextlib.ExitStack() as stack:
        readers = [(stack.enter_context(_open_rows(file.path)), file.path) for file in files]
        yield from merged_rows([_batches(reader, path) for reader, path in readers])


def _batches(reader: pa.ipc.RecordBatchFileReader, path: Path) -> Iterator[pa.RecordBatch]:
    try:
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index).replace_schema_metadata(None)
    except (OSError, pa.ArrowException) as error:
        raise damaged_mirror(path) from error


@contextlib.contextmanager
def _open_rows(path: Path) -> Iterator[pa.ipc.RecordBatchFileReader]:
    if not path.is_file():  # a pipe would keep us waiting for ever
        raise damaged_mirror(path)
    try:
        file = pa.OSFile(str(path), "rb")
        reader = pa.ipc.open_file(file)
    except (OSError, pa.ArrowException) as error:
        raise damaged_mirror(path) from error
    with file:
        if not reader.schema.equals(ROWS):
            raise damaged_mirror(path)
        yield reader


def _files_of(folder: Path) -> list[_RowsFile]:
    """
    The commits in `folder`, oldest first. Files of a commit or a merge that did not come to its end are removed.

    What else is there is left alone.
    """
    found = []
    for path in folder.iterdir():
        if (match := _FILE.fullmatch(path.name)) is not None:
            found.append(_RowsFile(int(match[1]), int(match[2]), _rows_in(path), path))
        elif _PASSING.fullmatch(path.name) is not None:
            path.unlink()  # written beside and never renamed, or needed for a moment
    kept: list[_RowsFile] = []
    for file in sorted(found, key=lambda file: (file.first, -file.last)):
        if kept and file.last <= kept[-1].last:
            file.path.unlink()  # merged into the file before
            continue
        if file.first != (kept[-1].last + 1 if kept else 1):
            raise damaged_mirror(file.path)
        kept.append(file)
    return kept
