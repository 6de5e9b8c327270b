"""
The transactions of a pull's orders as one table, out of rows that each hold those of their order.

Knows that payments may share an order and were read at different moments: what was read with the newest state of the
order stands, whole. Sorts in flat memory: runs of rows on disk, merged.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from reconcile.files.arrow import boolean_column, text_column, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.payments.beside import write_sorted_transactions
from reconcile.payments.finished import batches_in
from reconcile.payments.mirror.sorted_rows import merged_rows, sorted_distinct
from reconcile.schema import TRANSACTIONS, UTC_MS

_ROWS_PER_RUN = 65_536
_BATCH_ROWS = 512  # read at once, from each of many runs

_LONG_AGO = text_column(["0001-01-01T00:00:00Z"]).cast(UTC_MS)[0]
_ORDER = "order_id"
_THEN = ("order_updated_at", "payment_id")
_READ = [_ORDER, *_THEN, "transactions"]
_SORTED = (_ORDER, "type", "transaction_id")


def write_transactions(rows: Iterable[pa.RecordBatch], destination: Path) -> int:
    """
    Write the transactions in `rows` (columns MIRRORED) to `destination`, columns TRANSACTIONS; return their number.

    Sorted by order, type and id, each once. The bytes depend on the rows only.
    """
    with tempfile.TemporaryDirectory(prefix=f".{destination.name}.", dir=destination.parent) as folder:
        runs = [_read(path) for path in _sorted_runs(rows, Path(folder))]
        flat = (_flat(table) for table in merged_rows(runs, key=_ORDER, then=_THEN))
        return write_sorted_transactions(flat, destination)


def readings_of(payments: Path) -> Iterator[pa.RecordBatch]:
    """Yield what `write_transactions` needs of a file of MIRRORED. Raises MirrorError."""
    return batches_in(payments, columns=_READ)


def _sorted_runs(rows: Iterable[pa.RecordBatch], folder: Path) -> Iterator[Path]:
    """Write what there is of orders, some ten thousand rows at a time, sorted by them, each order once; yield files."""
    for number, part in enumerate(_parts(rows)):
        table = sorted_distinct(part, key=_ORDER, then=_THEN)
        path = folder / f"{number}.arrow"
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.ipc.new_file(str(path), table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=_BATCH_ROWS)
        yield path


def _parts(rows: Iterable[pa.RecordBatch]) -> Iterator[list[pa.Table]]:
    part: list[pa.Table] = []
    for batch in rows:
        read = pc.and_(pc.is_valid(batch.column(_ORDER)), pc.is_valid(batch.column("transactions")))
        rows_read = batch.select(_READ).filter(read)
        # Nulls would be sorted last: an order that does not say when it changed is not the newest.
        changed_at = pc.fill_null(rows_read.column("order_updated_at"), _LONG_AGO)
        part.append(pa.Table.from_batches([rows_read.set_column(1, "order_updated_at", changed_at)]))
        if sum(table.num_rows for table in part) >= _ROWS_PER_RUN:
            yield part
            part = []
    if part:
        yield part


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path), "rb") as file:
        reader = pa.ipc.open_file(file)
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)


def _flat(orders: pa.Table) -> pa.RecordBatch:
    """Return the transactions of `orders`, one row for each, sorted and distinct."""
    lists: Any = whole_column(orders.column("transactions"))
    values = lists.flatten()
    columns = {field.name: values.field(field.name) for field in TRANSACTIONS if field.name != _ORDER}
    columns[_ORDER] = whole_column(orders.column(_ORDER)).take(pc.list_parent_indices(lists))
    rows = pa.RecordBatch.from_arrays([columns[name] for name in TRANSACTIONS.names], schema=TRANSACTIONS)
    if rows.num_rows < 2:
        return rows
    rows = rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in _SORTED]))
    repeated = boolean_column([True] * (rows.num_rows - 1))
    for name in _SORTED:
        ids = rows.column(name)
        repeated = pc.and_(repeated, pc.equal(ids.slice(0, len(ids) - 1), ids.slice(1)))
    return rows.filter(pa.concat_arrays([pc.invert(repeated), boolean_column([True])]))
