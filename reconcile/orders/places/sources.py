"""
An order file as the formats see it: its name, its format, and its bytes, unpacked, with a digest.

Knows files on this machine, their packing, and how one is copied here up to the size that is allowed. Where they come
from is said in `places`; what stands inside them is not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from reconcile.errors import OrderFileError
from reconcile.files.streams import LARGEST_RATIO, PackedTooWell, Readable, Watched
from reconcile.orders.places.archives import MemberStream, only_member
from reconcile.orders.places.packing import ARCHIVE, STREAMS, DamagedPacking

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OrderSource:
    """
    One file: where it lies here, what it is called, the suffix of its format (".csv") and of its packing ("" or ".gz").

    `name` is the path or address as given, without credentials: what `source_file`, rejects and errors call the file.
    Of a file in a folder that was named, `partitions` are the columns that the names of its folders hold (null for
    Hive's default partition), and `folder` is that folder's name.
    """

    path: Path
    suffix: str
    compression: str
    name: str
    partitions: Mapping[str, str | None] = field(default_factory=dict)
    folder: str | None = None


class SourceStream:
    """
    The unpacked bytes of an order file, read forward; digest and size are those of the file as it came.

    `read` raises OrderFileError when the system refuses, when the packed file is damaged, and when it unpacks to more
    than a table can be.
    """

    def __init__(self, source: OrderSource) -> None:
        self._name = source.name
        self._member: MemberStream | None = None
        try:
            self._file = _HashedFile(source.path)
        except OSError as error:
            raise unreadable(source.name, error) from error
        try:
            self._plain = self._unpacked(source)
        except BaseException as error:
            self.close()
            if isinstance(error, DamagedPacking):
                raise self._damaged(error) from error
            if isinstance(error, OSError):
                raise unreadable(source.name, error) from error
            raise

    def _unpacked(self, source: OrderSource) -> Readable:
        if source.compression == ARCHIVE:
            member = self._member = MemberStream(source.path, only_member(source.path, name=source.name))
            return Watched(member, lambda: member.packed_bytes)
        if source.compression:
            return Watched(STREAMS[source.compression](self._file), lambda: self._file.bytes_read)
        return self._file

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes (all of the rest when negative), nothing at the end."""
        try:
            return self._plain.read(size)
        except DamagedPacking as error:
            raise self._damaged(error) from error
        except PackedTooWell as error:
            raise OrderFileError(
                f"it unpacks to more than {LARGEST_RATIO} times its size: this cannot be a table of order totals",
                path=self._name,
                hint="if it is one, unpack it and name the file itself",
            ) from error
        except OSError as error:
            raise unreadable(self._name, error) from error

    def digest(self) -> tuple[str, int]:
        """Return SHA-256 and size in bytes of the whole file as it came; what nobody has read yet is read now."""
        try:
            return self._file.hexdigest(), self._file.bytes_read
        except OSError as error:
            raise unreadable(self._name, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        if self._member is not None:
            self._member.close()

    def _damaged(self, error: DamagedPacking) -> OrderFileError:
        return OrderFileError(
            f"the compressed file is damaged or truncated ({error})", path=self._name, hint="export it again"
        )


class _HashedFile:
    """A file that digests what is read from it."""

    def __init__(self, path: Path) -> None:
        self._raw = path.open("rb", buffering=0)
        self._sha256 = hashlib.sha256()
        self.bytes_read = 0
        self.close = self._raw.close

    def read(self, size: int = -1) -> bytes:
        got = self._raw.read(size)
        self._sha256.update(got)
        self.bytes_read += len(got)
        return got

    def hexdigest(self) -> str:
        while self.read(1 << 20):
            pass
        return self._sha256.hexdigest()


def unreadable(name: str | Path, error: OSError) -> OrderFileError:
    """Return the error for a file that the system does not let us read."""
    return OrderFileError(
        f"the file cannot be read: {error.strerror or error}", path=name, hint="check the path and its permissions"
    )


def copy_pieces(source: Readable, destination: BinaryIO, *, name: str, limit_bytes: int) -> int:
    """Copy `source` to its end and return the bytes; raises OrderFileError above `limit_bytes`."""
    copied = 0
    while piece := source.read(_PIECE_BYTES):
        copied += len(piece)
        check_size(copied, name=name, limit_bytes=limit_bytes)
        destination.write(piece)
    return copied


def check_size(size_bytes: int, *, name: str, limit_bytes: int) -> None:
    """Raise OrderFileError when a file of `size_bytes` is larger than allowed."""
    if size_bytes > limit_bytes:
        raise OrderFileError(
            f"the file is larger than {limit_bytes:,} bytes",
            path=name,
            hint="is it the right one? If it is, allow for it with --download-limit",
        )
