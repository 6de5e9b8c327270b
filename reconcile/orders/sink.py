"""
The files that reading leaves: `orders.parquet` and `rejects.csv`, whole under their names or not there at all.

Knows how the columns of ORDERS are best stored. Does not know where the rows come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from reconcile.errors import OutputError
from reconcile.parquet import ParquetFile, parquet_file
from reconcile.schema import ORDERS

_ENCODINGS = {  # all but currency, date and file: their values are mostly different from row to row
    "source_line": "DELTA_BINARY_PACKED",
    **dict.fromkeys(("reference", "order_number", "order_id", "amount_cents", "reference_raw", "amount_raw"), "PLAIN"),
}


@contextmanager
def orders_parquet(path: Path) -> Iterator[ParquetFile]:
    """Open a file of ORDERS that becomes `path` when the block ends well; raises OutputError when the disk refuses."""
    with _refusals(path), parquet_file(path, ORDERS, encodings=_ENCODINGS) as file:
        yield file


@contextmanager
def text_file(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file that becomes `path` when the block ends well; raises OutputError as above."""
    partial = path.with_name(f".{path.name}.partial")
    with _refusals(path):
        try:
            with partial.open("w", encoding="utf-8", newline="") as text:
                yield text
            partial.replace(path)
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}",
            hint="check the folder, its permissions and the space on its disk",
        ) from error
