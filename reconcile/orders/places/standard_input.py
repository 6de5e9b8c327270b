"""
Standard input as an order file: read once, to its end, into a file.

Knows that a terminal is not one. Does not know what comes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reconcile.errors import OrderFileError
from reconcile.orders.places.pieces import copy_pieces
from reconcile.orders.places.sources import unreadable


def bring(destination: Path, limit_bytes: int) -> None:
    """Write all of standard input to `destination`; raises OrderFileError when it is a terminal or too large."""
    if sys.stdin is None or sys.stdin.isatty():
        raise OrderFileError(
            "nothing is piped into standard input", path="-", hint="pipe a file into the command, or name the file"
        )
    with destination.open("wb") as file:
        copy_pieces(_Input(), file, name="-", limit_bytes=limit_bytes)


class _Input:
    def read(self, size: int = -1) -> bytes:
        try:
            return sys.stdin.buffer.read(size)
        except OSError as error:
            raise unreadable("-", error) from error
