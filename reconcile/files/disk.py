"""
A file is whole under its name or not there at all; and what a disk's refusal means to the reader.

Knows temporary names, syncing and error numbers.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from reconcile.errors import OutputError, ReconcileError

_REMEDIES = {
    errno.ENOSPC: "free some space there, or write to another disk; nothing was published",
    errno.EDQUOT: "free some space there, or write to another disk; nothing was published",
    errno.EACCES: "choose another folder, or change its permissions",
    errno.EPERM: "choose another folder, or change its permissions",
    errno.EROFS: "choose another folder: this file system is read-only",
    errno.ENOTDIR: "choose another folder: a file is in the way",
    errno.EEXIST: "choose another folder: a file is in the way",
}
_OTHERWISE = "check the folder, its permissions and the space on its disk"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(destination: Path) -> Iterator[Path]:
    """
    Give a name beside `destination` to write to; when the block ends well the file is synced and put in its place.

    Raises OSError as the disk does; `destination` is then as it was.
    """
    if not destination.name:
        raise IsADirectoryError(errno.EISDIR, "is a folder, not the name of a file", str(destination))
    partial = destination.with_name(f".{destination.name}.partial")
    if partial.is_symlink():
        partial.unlink()  # writing would go to wherever it leads
    try:
        yield partial
        sync(partial)
        partial.replace(destination)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def append(path: Path, content: bytes) -> None:
    """
    Add `content` to the end of a file, which is made where there is none, and see it safely on disk.

    Raises OSError as the disk does; the file is then as it was.
    """
    with path.open("ab", buffering=0) as file:
        length = file.tell()
        try:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(length)
            raise
    sync(path.parent)


def remove_tree(path: Path, *, inside: Path) -> None:
    """
    Remove what is at `path`, a folder with everything in it; nothing where there is nothing.

    A link is removed itself, and what it leads to stays. Raises OSError as the disk does, and for a path that does not
    lie in the folder `inside`.
    """
    if path.name == ".." or not path.parent.resolve().is_relative_to(inside.resolve()):
        raise PermissionError(errno.EPERM, f"is outside of {inside}, where nothing is removed", str(path))
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(error: OSError, where: Path) -> OutputError:
    """Return the OutputError for an OSError met while writing `where`, with the remedy."""
    hint = _REMEDIES.get(error.errno or 0, _OTHERWISE)
    return OutputError(f"{error.filename or where}: cannot be written: {error.strerror or error}", hint=hint)


@contextlib.contextmanager
def disk_errors(where: Path) -> Iterator[None]:
    """Turn an OSError of the block into an OutputError about `where`."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, where) from error


@contextlib.contextmanager
def locked(path: Path, *, busy: ReconcileError | None = None) -> Iterator[None]:
    """
    Hold the lock file `path` during the block. While another process holds it: raise `busy`, or wait if there is none.

    The file stays: removing it would let two later processes lock two different files. Raises OSError as the disk does.
    """
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy is not None else 0))
        except BlockingIOError:
            assert busy is not None, "who waits is not refused"
            raise busy from None
        yield
