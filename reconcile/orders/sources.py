"""
The order files themselves: which ones are meant, of what kind they are, and their bytes with a digest.

Knows paths, globs, suffixes and compressions. Does not know what stands inside a file.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from reconcile.errors import OrderFileError

_GLOB_MARKS = frozenset("*?[")


class Readable(Protocol):
    """Bytes that are read forward."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all of the rest when negative."""


def _gunzipped(raw: Readable) -> Readable:
    return gzip.GzipFile(fileobj=cast(BinaryIO, raw), mode="rb")


COMPRESSIONS: dict[str, Callable[[Readable], Readable]] = {".gz": _gunzipped}
"""Suffix → the stream of what the compressed file holds."""


@dataclass(frozen=True, slots=True)
class OrderSource:
    """One file: its path as given (`name`), the suffix of its format (".csv") and of its compression ("" or ".gz")."""

    path: Path
    suffix: str
    compression: str

    @property
    def name(self) -> str:
        """The path as given: what `source_file`, rejects and errors call the file."""
        return str(self.path)


class SourceStream:
    """
    The uncompressed bytes of an order file, read forward; digest and size are those of the file as it is on disk.

    `read` raises OrderFileError when the system refuses, or when the compressed stream is damaged.
    """

    def __init__(self, source: OrderSource) -> None:
        self._path = source.path
        try:
            self._file = _HashedFile(source.path)
        except OSError as error:
            raise unreadable(source.path, error) from error
        decompress = COMPRESSIONS.get(source.compression)
        self._plain: Readable = decompress(self._file) if decompress else self._file

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes (all of the rest when negative), nothing at the end."""
        try:
            return self._plain.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise OrderFileError(
                f"the compressed file is damaged or cut off ({error})", path=self._path, hint="export it again"
            ) from error
        except OSError as error:
            raise unreadable(self._path, error) from error

    def digest(self) -> tuple[str, int]:
        """Return SHA-256 and size in bytes of the whole file on disk; what nobody has read yet is read now."""
        try:
            return self._file.hexdigest(), self._file.bytes_read
        except OSError as error:
            raise unreadable(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


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


def find_sources(paths: str | Path | Sequence[str | Path], formats: Sequence[str]) -> list[OrderSource]:
    """
    Return the files that `paths` mean, in the order given, those of one glob pattern by name.

    `formats` are the suffixes that can be read. Raises OrderFileError when a file or a match is missing, is not a
    regular file, has another suffix, or is meant twice (its rows would be counted twice).
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    seen: set[Path] = set()
    sources = []
    for path in (found for one in given for found in _expanded(Path(one))):
        source = _source(path, formats)
        if (resolved := path.resolve()) in seen:
            raise OrderFileError(
                "the file is given twice", path=path, hint="its rows would be counted twice: name it once"
            )
        seen.add(resolved)
        sources.append(source)
    if not sources:
        raise OrderFileError("no order file is named", path="orders", hint="name at least one file")
    return sources


def unreadable(path: Path, error: OSError) -> OrderFileError:
    """Return the error for a file that the system does not let us read."""
    return OrderFileError(
        f"the file cannot be read: {error.strerror or error}", path=path, hint="check the path and its permissions"
    )


def _expanded(path: Path) -> list[Path]:
    text = str(path)
    if not _GLOB_MARKS & set(text) or path.exists():
        return [path]
    found = sorted(Path(match) for match in glob.glob(text, recursive=True))  # noqa: PTH207  (keeps paths as given)
    files = [match for match in found if not match.is_dir()]
    if not files:
        raise OrderFileError(
            "no file matches this pattern", path=path, hint="check the folder, and quote the pattern for the shell"
        )
    return files


def _source(path: Path, formats: Sequence[str]) -> OrderSource:
    if path.is_dir():
        raise OrderFileError(
            "this is a folder, not a file", path=path, hint=f'name the files in it, e.g. "{path}/*.csv"'
        )
    if not path.exists():
        raise OrderFileError("there is no such file", path=path, hint="check the path; it is relative to where you are")
    if not path.is_file():
        raise OrderFileError("this is not a regular file", path=path, hint="save it to a file first")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    suffix = suffixes[-1] if suffixes else ""
    if suffix not in formats:
        raise OrderFileError(
            f'files ending in "{suffix + compression}" cannot be read' if suffix else "the name has no known ending",
            path=path,
            hint=f"export it as one of {', '.join(formats)}; text formats also with {', '.join(COMPRESSIONS)}",
        )
    return OrderSource(path, suffix, compression)
