"""
Sorted rows: sort, drop what a later row replaces, merge files in flat memory, write Parquet with the same bytes.

Knows tables with a `payment_id`.
Ids are sorted by their UTF-8 bytes, only to give a file an order of its own; the API's order is another one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.files.arrow import ahead, boolean_column
from reconcile.files.parquet import write_parquet
from reconcile.schema import PAYMENTS

KEY = "payment_id"

# Rows of a Parquet row group: the unit of memory of everything that streams over payments (about 16 MB decoded).
ROW_GROUP_ROWS = 32_768

# Of each run that is merged so many rows are held at least: enough that a step of the merge is worth its cost.
_FEWEST_ROWS_AHEAD = 32
_ROWS_AHEAD = 4_096  # of all runs together

# These values hardly repeat: a dictionary of them would cost more time than it saves space.
_ENCODINGS = dict.fromkeys(
    (
        *("payment_id", "reference", "created_at", "updated_at", "session_id", "metadata", "order_id", "order_number"),
        *("order_reference", "total_amount_cents", "total_amount_with_taxes_cents", "place_total_amount_cents"),
        *("placed_at", "order_updated_at"),
    ),
    "PLAIN",
)


def sorted_distinct(parts: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of `parts` sorted by id; of several rows with one id the one that came last."""
    together = pa.concat_tables(parts).combine_chunks()
    if together.num_rows < 2:
        return together
    rows = together.take(pc.sort_indices(together, sort_keys=[(KEY, "ascending")]))  # a stable sort
    ids = rows.column(KEY).combine_chunks()
    replaced = pc.equal(ids.slice(0, len(ids) - 1), ids.slice(1))
    if not pc.any(replaced).as_py():
        return rows
    kept = pa.concat_arrays([pc.invert(replaced), boolean_column([True])])
    return rows.filter(kept)


def merged_rows(runs: Sequence[Iterable[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """
    Yield the rows of `runs` sorted by id and distinct, some ten thousand at a time.

    Each run is sorted by id and distinct; a row of a later run replaces that of an earlier one. Of each run a few
    hundred rows are held in memory, more when there are few runs.
    """
    ahead = max(_FEWEST_ROWS_AHEAD, _ROWS_AHEAD // max(1, len(runs)))
    heads = [head for run in runs if (head := _Head(run, ahead))]
    while heads:
        # Whatever is still to come from any run is larger than the smallest of the heads' last ids. As every head
        # holds many rows, many are at most that, and each is sorted once.
        bound = min(head.last for head in heads)
        batches = [batch for head in heads for batch in head.up_to(bound)]
        yield sorted_distinct([pa.Table.from_batches(batches)])
        heads = [head for head in heads if head]


class _Head:
    """The next rows of a run that is being merged: at least `ahead` of them while there are as many; then false."""

    def __init__(self, run: Iterable[pa.RecordBatch], ahead: int) -> None:
        self._coming = iter(run)
        self._ahead = ahead
        self._batches: deque[pa.RecordBatch] = deque()
        self._rows = 0
        self._fill()

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def last(self) -> str:
        """The largest id held."""
        return _last_id(self._batches[-1])

    def up_to(self, bound: str) -> list[pa.RecordBatch]:
        """Take away the rows whose id is at most `bound`."""
        taken = []
        while self._batches and _last_id(self._batches[0]) <= bound:
            taken.append(self._batches.popleft())
        if self._batches:
            batch = self._batches[0]
            ids = batch.column(KEY)
            length = bisect_right(range(batch.num_rows), bound, key=lambda index: ids[index].as_py())
            if length:
                taken.append(batch.slice(0, length))
                self._batches[0] = batch.slice(length)
        self._rows -= sum(batch.num_rows for batch in taken)
        self._fill()
        return taken

    def _fill(self) -> None:
        while self._rows < self._ahead and (batch := next(self._coming, None)) is not None:
            if batch.num_rows:
                self._batches.append(batch)
                self._rows += batch.num_rows


def _last_id(batch: pa.RecordBatch) -> str:
    last: str = batch.column(KEY)[batch.num_rows - 1].as_py()
    return last


def write_payments(tables: Iterable[pa.Table], destination: Path) -> int:
    """
    Write `tables` (PAYMENTS, and perhaps more columns) to `destination` and return the number of rows.

    The bytes depend on the rows only, not on how they are cut into tables.
    """
    selected = (table.select(PAYMENTS.names).cast(PAYMENTS) for table in tables)
    batches = (batch for table in ahead(selected) for batch in table.to_batches())
    return write_parquet(batches, PAYMENTS, destination, encodings=_ENCODINGS, rows_per_group=ROW_GROUP_ROWS)
