"""
The files that reading leaves: `orders.parquet` and `rejects.csv`, whole under their names or not there at all.

Knows how the columns of ORDERS are best stored.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pyarrow as pa

from reconcile.files.disk import disk_errors, replacing
from reconcile.files.parquet import ParquetFile, parquet_file
from reconcile.schema import ORDERS

_ENCODINGS = {  # all but currency, date and file: their values are mostly different from row to row
    "source_line": "DELTA_BINARY_PACKED",
    **dict.fromkeys(
        ("reference", "order_number", "order_id", "amount_cents", "reference_raw", "amount_raw", "document"), "PLAIN"
    ),
}


_MOST_WAITING = 4  # tables between the reading and the writing


class OrdersSink:
    """Writes tables of ORDERS in their order, behind the back of whoever reads the next ones."""

    def __init__(self, file: ParquetFile, writer: ThreadPoolExecutor) -> None:
        self._file = file
        self._writer = writer  # of one thread, so that the order is kept
        self._waiting: deque[Future[None]] = deque()

    def write(self, table: pa.Table) -> None:
        """Append `table`; raises OSError when the disk has refused an earlier one."""
        self._waiting.append(self._writer.submit(self._write_now, table))
        self._wait(_MOST_WAITING)

    def finish(self) -> None:
        """Wait until everything is written; raises as `write` does."""
        self._wait(0)

    def _wait(self, most: int) -> None:
        while len(self._waiting) > most:
            self._waiting.popleft().result()

    def _write_now(self, table: pa.Table) -> None:
        for batch in table.to_batches():
            self._file.write(batch)


@contextmanager
def orders_parquet(path: Path, schema: pa.Schema = ORDERS) -> Iterator[OrdersSink]:
    """
    Open a file of `schema` (ORDERS or DELIVERY) that becomes `path` when the block ends well.

    Raises OutputError when the disk refuses.
    """
    with (
        disk_errors(path),
        parquet_file(path, schema, encodings=_ENCODINGS) as file,
        ThreadPoolExecutor(1, thread_name_prefix="orders-parquet") as writer,
    ):
        sink = OrdersSink(file, writer)
        yield sink
        sink.finish()


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file that becomes `path` when the block ends well; raises OutputError as above."""
    with disk_errors(path), replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as text:
        yield text
        text.flush()
