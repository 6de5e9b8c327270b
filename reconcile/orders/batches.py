"""
Batches of a file to rows, several at once, in the order of the file.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa

from reconcile.errors import OrderFileError
from reconcile.orders.cells.rows import OrderRows, order_rows, own_rows
from reconcile.orders.cells.suspects import KeylessTotals
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, RawRows

WORKERS = max(2, min(4, os.cpu_count() or 1))


def finished(
    raw: RawRows | pa.Table, columns: ColumnMap, form: OrderFormat, source_file: str, *, is_delivery: bool = False
) -> OrderRows:
    """Return the rows of what a batch reads, a leaf's or a table of ORDERS."""
    if isinstance(raw, pa.Table):
        return own_rows(raw, columns, form, is_delivery=is_delivery)
    return order_rows(raw, columns, form, source_file=source_file, is_delivery=is_delivery)


def settled(
    rows: Iterable[OrderRows], columns: ColumnMap, form: OrderFormat, sums: KeylessTotals
) -> Iterator[OrderRows]:
    """Yield the `rows` of a file when it is known that they neither continue others nor are the sum of them."""
    before = None
    sums.begin(columns)
    for found in rows:
        done = found.after(before, form)
        before = done.last or before
        yield from sums.add(done)
    yield from sums.settled()


def in_order(
    batches: Iterable[Batch], finish: Callable[[RawRows | pa.Table], OrderRows], pool: ThreadPoolExecutor
) -> Iterator[OrderRows]:
    """Yield what `finish` makes of each of `batches`, in their order, with a few of them in progress at once."""

    def read(batch: Batch) -> OrderRows:
        return finish(batch())

    waiting: deque[Future[OrderRows]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(read, batch))
            if len(waiting) > WORKERS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except OrderFileError:
        for earlier in waiting:  # an error further up in the file is reported first, however fast its block was
            earlier.result()
        raise
    finally:
        for rest in waiting:
            rest.cancel()
