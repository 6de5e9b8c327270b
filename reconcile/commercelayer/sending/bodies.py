"""
Bodies of answers: how much of one is read, and how it is unpacked.

Knows sizes and gzip, the only packing that is requested. Takes pieces as they come, unpacks no more than it may keep,
and so holds no more in memory than that, whatever is sent. Opens no connection, and does not know what a body means.
"""

from __future__ import annotations

import zlib

MEGABYTE = 1024 * 1024

MOST_BYTES = 64 * MEGABYTE
"""Of a document. A page of 25 payments is some 40 kB; free-form attributes can make it larger, but not so large."""

MOST_TOKEN_BYTES = MEGABYTE
"""Of an answer with a token."""

MOST_ERROR_BYTES = MEGABYTE
"""Of an error: what follows is not read, for its first lines say what there is to say."""

_GZIP = 16 + zlib.MAX_WBITS


class TooLarge(Exception):
    """A body is larger than may be read."""


class NotPacked(Exception):
    """A body is not packed as its headers say, or in a way that was not requested."""


class Body:
    """A body that is coming: `add` its pieces, then take it `whole`. `encoding` is the header Content-Encoding."""

    def __init__(self, encoding: str, *, most_bytes: int) -> None:
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise NotPacked("an answer compressed in a way that was not requested")
        self._most = most_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._inflater = zlib.decompressobj(_GZIP) if "gzip" in encoding else None

    def add(self, piece: bytes) -> None:
        """Take in what has come. Raises TooLarge, and NotPacked for what is not gzip though it says so."""
        if self._inflater is None:
            self._keep(piece)
            return
        while piece:
            if self._inflater.eof:  # a second member follows, as RFC 1952 allows
                self._inflater = zlib.decompressobj(_GZIP)
            try:
                # One byte more than there is room for shows that it is too much.
                self._keep(self._inflater.decompress(piece, self._most - self._size + 1))
            except zlib.error as error:
                raise NotPacked("an answer that claims to be gzip and is not") from error
            piece = self._inflater.unconsumed_tail or self._inflater.unused_data

    def whole(self) -> bytes:
        """Return the body, unpacked. Raises NotPacked when its end is missing."""
        if self._inflater is not None and self._parts and not self._inflater.eof:
            raise NotPacked("a truncated answer")
        return self.read()

    def read(self) -> bytes:
        """Return what has come by now, at most as many bytes as may be kept."""
        return b"".join(self._parts)[: self._most]

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._most:
            raise TooLarge
