"""
Tables in HTML, and workbooks in Excel's XML of 2003: what programs write that call it .xls, and under its own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from reconcile.errors import OrderFileError
from reconcile.files.encodings import marked_encoding
from reconcile.files.spreadsheets.cells import CellTexts, PlainCells
from reconcile.files.spreadsheets.others.excel_2003 import Excel2003Book
from reconcile.files.spreadsheets.others.html_tables import HtmlBook, encoding_of
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import OpenedOrders
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.spreadsheets.opened import telling_unreadable
from reconcile.orders.spreadsheets.table import find_table
from reconcile.orders.text.blocks import TextBlocks

_HEAD_BYTES = 4096
_PIECE_BYTES = 64 << 10


def open_html(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    """Return the first table of a page that has the columns; raises OrderFileError when there is none."""
    head = _head(stream, source)
    encoding = form.encoding or marked_encoding(head) or encoding_of(head)

    @contextmanager
    def opened() -> Iterator[Iterator[str]]:
        with closing(SourceStream(source)) as again:
            blocks = TextBlocks(again, path=source.name, encoding=encoding, block_bytes=_PIECE_BYTES)
            yield (block.decode() for block in blocks)

    with ExitStack() as stack:
        stack.enter_context(telling_unreadable(source))
        book = HtmlBook(opened, name=source.name)
        found = find_table(book, CellTexts(PlainCells()), form).opened(stack)
        return replace(found, encoding=encoding or "utf-8")
    raise AssertionError("the block returns or raises")


def open_excel_2003(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    """Return the table in Excel's XML of 2003; raises OrderFileError when it is none, or no sheet has the columns."""
    _head(stream, source)
    with ExitStack() as stack:
        stack.enter_context(telling_unreadable(source))
        book = Excel2003Book(lambda: closing(SourceStream(source)), name=source.name)
        return find_table(book, CellTexts(PlainCells(book.formats)), form).opened(stack)
    raise AssertionError("the block returns or raises")


def _head(stream: SourceStream, source: OrderSource) -> bytes:
    """Return the first bytes; raises OrderFileError where there are none."""
    if head := stream.read(_HEAD_BYTES):
        return head
    raise OrderFileError("there is nothing in the file", path=source.name, hint="export it again")
