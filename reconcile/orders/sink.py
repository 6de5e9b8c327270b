"""
`orders.parquet`: rows of ORDERS written as they come, complete under its name or not there at all.

Knows the file's form, which depends on the rows alone and not on how they were cut into batches: the same rows give
the same bytes. Does not know where the rows come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError
from reconcile.schema import ORDERS

ROWS_PER_GROUP = 1 << 17
_DICTIONARY: Any = ["currency_code", "ordered_on", "source_file"]  # columns of few values
_ENCODINGS = {
    "source_line": "DELTA_BINARY_PACKED",
    "amount_cents": "PLAIN",
    **dict.fromkeys(("reference", "order_number", "order_id", "reference_raw", "amount_raw"), "PLAIN"),
}


class OrdersParquet:
    """Gathers tables of ORDERS into row groups of ROWS_PER_GROUP rows and writes each as it fills."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(
            path,
            ORDERS,
            compression="zstd",
            compression_level=1,
            use_dictionary=_DICTIONARY,
            column_encoding=_ENCODINGS,
        )
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0

    def write(self, table: pa.Table) -> None:
        """Append the rows of `table`."""
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        if self._waiting_rows >= ROWS_PER_GROUP:
            self._write_groups(at_end=False)

    def close(self) -> None:
        """Write what is waiting, and the footer."""
        self._write_groups(at_end=True)
        self._writer.close()

    def abandon(self) -> None:
        """Close the file as it is; nobody is to read it."""
        self._waiting = []
        self._writer.close()

    def _write_groups(self, *, at_end: bool) -> None:
        rows = pa.concat_tables(self._waiting) if self._waiting else ORDERS.empty_table()
        whole = rows.num_rows if at_end else rows.num_rows - rows.num_rows % ROWS_PER_GROUP
        for start in range(0, whole, ROWS_PER_GROUP):
            group = rows.slice(start, min(ROWS_PER_GROUP, whole - start))
            # Pages break at chunk borders: one chunk, or the bytes would tell how the rows came.
            self._writer.write_table(group.combine_chunks(), row_group_size=ROWS_PER_GROUP)
        self._waiting = [rows.slice(whole)] if whole < rows.num_rows else []
        self._waiting_rows = rows.num_rows - whole


@contextmanager
def orders_parquet(path: Path) -> Iterator[OrdersParquet]:
    """
    Yield a sink that becomes `path` when the block ends well, and leaves nothing behind otherwise.

    Raises OutputError when the disk or the folder refuses.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        sink = OrdersParquet(partial)
        try:
            yield sink
            sink.close()
            partial.replace(path)
        except BaseException:
            with suppress(OSError):  # the disk that refused the rows refuses the footer too: the first error tells why
                sink.abandon()
            raise
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """Yield a UTF-8 text file that becomes `path` when the block ends; raises OutputError as above."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as text:
            yield text
        partial.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{path}: cannot be written: {error.strerror or error}", hint="check the folder, its permissions and the disk"
    )
