"""
Order files as they are named, found and opened: each by the format of its suffix.

Knows the formats and the function that opens each of them. What a format is, the leaves know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeAlias

from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import OpenedOrders
from reconcile.orders.places.places import Place, brought, find_places, refuse_overwriting
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.text.delimited import open_delimited
from reconcile.orders.text.json_text import open_json
from reconcile.orders.typed.parquet_table import open_parquet

Leaf = Callable[[OrderSource, SourceStream, OrderFormat], OpenedOrders]
OrderPaths: TypeAlias = str | Path | OrdersQuery | Sequence[str | Path | Place | OrdersQuery]


def _open_xlsx(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    from reconcile.orders.spreadsheets.xlsx import open_xlsx  # as the others: few runs have a spreadsheet

    return open_xlsx(source, stream, form)


def _open_other(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    from reconcile.orders.spreadsheets.others import open_other

    return open_other(source, stream, form)


def _open_html(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    from reconcile.orders.spreadsheets.marked_up import open_html

    return open_html(source, stream, form)


def _open_excel_2003(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    from reconcile.orders.spreadsheets.marked_up import open_excel_2003

    return open_excel_2003(source, stream, form)


SOURCES: dict[str, tuple[str, Leaf]] = {
    ".csv": ("csv", open_delimited),
    ".tsv": ("csv", open_delimited),
    ".txt": ("csv", open_delimited),
    ".json": ("json", open_json),
    ".ndjson": ("json", open_json),
    ".jsonl": ("json", open_json),
    ".xlsx": ("xlsx", _open_xlsx),
    ".xlsm": ("xlsx", _open_xlsx),
    ".parquet": ("parquet", open_parquet),
    ".pq": ("parquet", open_parquet),
    ".xls": ("xls", _open_other),
    ".ods": ("ods", _open_other),
    ".html": ("html", _open_html),
    ".htm": ("html", _open_html),
    ".xml": ("xml", _open_excel_2003),
}
"""Suffix → name of the format, and the function that opens it."""


def sources_of(
    stack: ExitStack, paths: OrderPaths, form: OrderFormat, outputs: Sequence[Path | None]
) -> tuple[Iterable[OrderSource], list[OrdersQuery]]:
    """Find what `paths` mean: files, handed over one by one and gone when `stack` is closed, and queries."""
    given = [paths] if isinstance(paths, str | Path | OrdersQuery) else list(paths)
    queries = [one for one in given if isinstance(one, OrdersQuery)]
    files = [one for one in given if not isinstance(one, OrdersQuery)]
    if queries and not files:
        return (), queries
    formats = list(SOURCES)
    places = find_places(files, formats)
    refuse_overwriting(places, [output for output in outputs if output is not None])
    return stack.enter_context(closing(brought(places, formats, limit_bytes=form.download_limit_bytes))), queries
