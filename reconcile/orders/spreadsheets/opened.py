"""A spreadsheet of order totals, opened: what is wrong with it is told as of a file of orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconcile.errors import OrderFileError
from reconcile.files.spreadsheets.package import Workbook, open_workbook
from reconcile.files.spreadsheets.unreadable import NotASpreadsheet
from reconcile.orders.columns.not_a_table import known_as
from reconcile.orders.places.sources import unreadable


@contextmanager
def open_order_workbook(path: Path, *, name: str) -> Iterator[Workbook]:
    """
    Open the spreadsheet at `path`, called `name` in messages.

    Raises OrderFileError when it is none, or when what is read of it in the block is damaged.
    """
    try:
        with open_workbook(path, name=name) as book:
            yield book
    except NotASpreadsheet as error:
        if known := known_as(error.head):
            raise OrderFileError(f"this is {known[0]}, not a spreadsheet", path=name, hint=known[1]) from error
        raise OrderFileError(error.problem, path=name, hint=error.hint) from error
    except OSError as error:
        raise unreadable(path, error) from error
