"""
Spreadsheets of other programs (.xls, .ods) as order totals: what python-calamine tells of their cells, and no more.

Amounts are doubles, taken at 15 digits; only text is a key, as no number format is known that may show more.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from reconcile.errors import SettingsError
from reconcile.files.spreadsheets.cells import CellTexts, PlainCells
from reconcile.files.spreadsheets.others.calamine_book import open_other_workbook
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import OpenedOrders
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.spreadsheets.opened import refuse_packed, telling_unreadable
from reconcile.orders.spreadsheets.table import find_table


def open_other(source: OrderSource, _: SourceStream, form: OrderFormat) -> OpenedOrders:
    """
    Return the table in an .xls or .ods file.

    Raises OrderFileError when it cannot be read, or no sheet has the columns; SettingsError without the extra.
    """
    refuse_packed(source)
    with ExitStack() as stack:
        stack.enter_context(telling_unreadable(source))
        try:
            book = stack.enter_context(open_other_workbook(source.path, name=source.name))
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"{source.name}: {source.suffix} files need {error.name}, which is not installed",
                hint="install the extra: pip install 'reconcile[sheets]'; or save the file as .xlsx or CSV",
            ) from error
        cells = CellTexts(PlainCells(), number_keys="floats" if form.float_keys == "whole" else "unknown")
        found = find_table(book, cells, form)
        amount = found.columns.positions["amount"]
        floats = (found.columns.name("amount"),) if book.has_numbers(found.sheet, amount) else ()
        return replace(found.opened(stack), floats=floats, untold=book.untold)
    raise AssertionError("the block returns or raises")
