"""
The copying of a fetched order file, piece by piece, up to the size that is allowed.

Knows the limit and its error. Does not know where the bytes come from.
"""

from __future__ import annotations

from typing import BinaryIO

from reconcile.errors import OrderFileError
from reconcile.orders.places.packing import Readable

_PIECE_BYTES = 1 << 20


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
