"""
Packed files: gzip, Zstandard and zip, unpacked as a stream.

Knows what makes a packed file damaged. Memory does
not grow with what is packed, and no name that stands in an archive is ever used as a path. Does not know formats.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from io import IOBase
from typing import BinaryIO, cast

import pyarrow as pa

from reconcile.files.streams import Readable

TOO_SHORT = "it ends too early"


class DamagedPacking(Exception):
    """The packed bytes are not what they should be; the message says in which way."""


def gunzipped(packed: Readable) -> Readable:
    """Return what the gzip members in `packed` hold, one after the other."""
    return _Gunzipped(packed)


def unzstd(packed: Readable) -> Readable:
    """Return what the Zstandard frames in `packed` hold, one after the other."""
    return _Unzstd(packed)


STREAMS: dict[str, Callable[[Readable], Readable]] = {".gz": gunzipped, ".zst": unzstd}
"""Suffix → the stream of what the packed file holds."""

ARCHIVE = ".zip"
PACKINGS = (*STREAMS, ARCHIVE)
"""Every suffix of a packed file."""


class _Gunzipped:
    def __init__(self, packed: Readable) -> None:
        self._plain = gzip.GzipFile(fileobj=cast(BinaryIO, packed), mode="rb")

    def read(self, size: int = -1) -> bytes:
        try:
            return self._plain.read(size)
        except EOFError as error:
            raise DamagedPacking(TOO_SHORT) from error
        except (zlib.error, gzip.BadGzipFile) as error:
            is_other = "Not a gzipped file" in str(error)
            said = "it is not gzip, or something follows the compressed bytes" if is_other else str(error)
            raise DamagedPacking(said) from error


class _Unzstd:
    def __init__(self, packed: Readable) -> None:
        file = pa.PythonFile(cast(IOBase, _ForArrow(packed)), mode="r")
        self._plain = pa.CompressedInputStream(file, "zstd")

    def read(self, size: int = -1) -> bytes:
        try:
            return self._plain.read(size if size >= 0 else None)
        except OSError as error:
            if error.errno is not None:  # the disk's; Arrow's own have no number
                raise
            raise DamagedPacking(_in_words(str(error))) from error


def _in_words(said: str) -> str:
    if "Truncated" in said:
        return TOO_SHORT
    if "too much memory" in said:
        return "it needs too much memory: compress it without --long"
    return said


class _ForArrow:
    """What Arrow asks of a Python file; closing is left to the owner."""

    closed = False

    def __init__(self, packed: Readable) -> None:
        self.read = packed.read

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing."""
