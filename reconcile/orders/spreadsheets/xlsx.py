"""Spreadsheets (.xlsx, .xlsm) of order totals, read as they are stored."""

from __future__ import annotations

from contextlib import ExitStack

from reconcile.files.spreadsheets.cells import CellTexts
from reconcile.files.spreadsheets.package import open_workbook
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import OpenedOrders
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.spreadsheets.opened import refuse_packed, telling_unreadable
from reconcile.orders.spreadsheets.table import find_table


def open_xlsx(source: OrderSource, _: SourceStream, form: OrderFormat) -> OpenedOrders:
    """Return the table in a spreadsheet; raises OrderFileError when it cannot be read, or no sheet has the columns."""
    refuse_packed(source)
    with ExitStack() as stack:
        stack.enter_context(telling_unreadable(source))
        book = stack.enter_context(open_workbook(source.path, name=source.name))
        return find_table(book, CellTexts(book), form).opened(stack)
    raise AssertionError("the block returns or raises")
