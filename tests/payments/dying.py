"""What tests that kill a pull share: the death, and files looked at from tests that are asynchronous."""

from __future__ import annotations

from pathlib import Path

from reconcile.payments.beside import transactions_beside


class Killed(BaseException):
    """The process is gone: nothing after it runs in the product, not even what saves the rest."""


def read(path: Path) -> bytes:
    """Return a file of payments and the one of their transactions beside it."""
    return path.read_bytes() + transactions_beside(path).read_bytes()


def exists(path: Path) -> bool:
    return path.exists()


def remove(path: Path) -> None:
    path.unlink()
    transactions_beside(path).unlink()
