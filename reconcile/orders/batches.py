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
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch

WORKERS = max(2, min(4, os.cpu_count() or 1))


def finished(batch: Batch, columns: ColumnMap, form: OrderFormat, source_file: str, *, is_delivery: bool) -> OrderRows:
    """Return the rows of `batch`, a leaf's or of a table of ORDERS."""
    raw = batch()
    if isinstance(raw, pa.Table):
        return own_rows(raw, columns, form, is_delivery=is_delivery)
    return order_rows(raw, columns, form, source_file=source_file, is_delivery=is_delivery)


def in_order(tasks: Iterable[Callable[[], OrderRows]], pool: ThreadPoolExecutor) -> Iterator[OrderRows]:
    """Yield what `tasks` return, in their order, with a few of them in progress at once."""
    waiting: deque[Future[OrderRows]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(task))
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
