"""A spreadsheet of order totals, opened: what is wrong with it is told as of a file of orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reconcile.errors import OrderFileError
from reconcile.files.spreadsheets.unreadable import NotASpreadsheet
from reconcile.orders.columns.not_a_table import known_as
from reconcile.orders.places.sources import OrderSource, unreadable


def refuse_packed(source: OrderSource) -> None:
    """Raise OrderFileError for a spreadsheet that is packed once more."""
    if source.compression:
        raise OrderFileError(
            "a spreadsheet inside another compression cannot be read",
            path=source.name,
            hint="uncompress it first: a spreadsheet is compressed inside",
        )


@contextmanager
def telling_unreadable(source: OrderSource) -> Iterator[None]:
    """Raise OrderFileError when `source` turns out in the block to be no spreadsheet, or damaged."""
    try:
        yield
    except NotASpreadsheet as error:
        if known := known_as(error.head):
            raise OrderFileError(f"this is {known[0]}, not a spreadsheet", path=source.name, hint=known[1]) from error
        raise OrderFileError(error.problem, path=source.name, hint=error.hint) from error
    except OSError as error:
        raise unreadable(source.path, error) from error
