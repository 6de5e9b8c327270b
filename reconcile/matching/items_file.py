"""
The file of items: its bytes depend on nothing but the items.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from reconcile.files.parquet import write_parquet
from reconcile.schema import ITEMS


def write_items(batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write ITEMS to `path` and return how many. Equal items are equal bytes, however they were batched."""
    return write_parquet(batches, ITEMS, path, encodings=_ENCODINGS, rows_per_group=_ROWS_PER_GROUP, beside=True)


_ROWS_PER_GROUP = 61_440  # one is written while the next is made: together what one of the usual size takes
_MANY_VALUES = frozenset(
    (
        "item_id", "reference", "payment_id", "payment_reference", "order_id", "order_number", "order_reference",
        "row_reference", "row_order_number", "break_id", "links_dashboard",
    )
)  # fmt: skip
# A dictionary pays for strings and dates of few values only.
_ENCODINGS = {
    field.name: "PLAIN"
    for field in ITEMS
    if field.name in _MANY_VALUES or not (pa.types.is_string(field.type) or pa.types.is_date(field.type))
}
