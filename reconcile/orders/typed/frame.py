"""
A frame of order totals in memory, as any table of typed columns.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from reconcile.errors import OrderFileError, first_line
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import OpenedOrders
from reconcile.orders.typed.table import TypedSource, open_table

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class OrdersFrame:
    """Order totals that are here already, as an Arrow table, and what `source_file`, rejects and errors call it."""

    table: pa.Table
    name: str = "orders"

    def digest(self) -> tuple[str, int]:
        """Return SHA-256 and size in bytes of the table as a stream of Arrow; however its rows were batched."""
        sha256, size = hashlib.sha256(), 0
        whole = self.table.combine_chunks()
        for batch in whole.to_batches(max_chunksize=_BATCH_ROWS):
            message = batch.serialize()
            sha256.update(message)
            size += message.size
        return sha256.hexdigest(), size


def open_frame(frame: OrdersFrame, form: OrderFormat) -> OpenedOrders:
    """Return the rows of `frame`; raises OrderFileError when a column's type loses digits."""

    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return iter(frame.table.select(list(names)).to_batches(max_chunksize=_BATCH_ROWS))

    def damaged(error: Exception, column: str | None) -> OrderFileError:
        where = f'column "{column}" ' if column is not None else ""
        return OrderFileError(f"{where}cannot be read ({first_line(error)})", path=frame.name, column=column)

    source = TypedSource(frame.name, batches, damaged, remedy=_as_text, partitions={})
    return open_table(frame.table.schema, source, form)


def _as_text(role: str, name: str) -> str:
    """Return what to do about a column that has lost digits, or is no such thing as `role`."""
    decimals = ", as a decimal or in whole cents" if role == "amount" else ""
    return f'read the column as text{decimals} (in pandas, dtype={{"{name}": "string"}} when the file is read)'
