"""
Bytes that are read forward, and no more of them than an honest table packs.

Knows when what is packed unpacks to more than a table can be. Does not know how it is packed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

LARGEST_RATIO = 500
"""
How many bytes one packed byte may stand for, from ROOM_BYTES on.

A row holds at least a reference that no other row has, some eight bytes that do not pack: a table would need rows of
4,000 repeated characters to come near. What is made to fill memory or a disk packs a thousandfold and more.
"""
ROOM_BYTES = 64 << 20


class Readable(Protocol):
    """Bytes that are read forward."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, all of the rest when negative."""


class PackedTooWell(Exception):
    """What comes out is so much more than what went in that it cannot be a table."""


class Watched:
    """A stream of unpacked bytes that ends with PackedTooWell where no table would continue."""

    def __init__(self, plain: Readable, packed_bytes: Callable[[], int]) -> None:
        self._plain = plain
        self._packed_bytes = packed_bytes
        self._bytes = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, nothing at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        got = self._plain.read(size)
        self._bytes += len(got)
        if self._bytes > ROOM_BYTES and self._bytes > LARGEST_RATIO * self._packed_bytes():
            raise PackedTooWell
        return got
