"""
Sorted rows: sort, drop what a later row replaces, merge files in flat memory, write Parquet with the same bytes.

Knows tables with a key, a `payment_id` as a rule.
Ids are sorted by their UTF-8 bytes, only to give a file an order of its own; the API's order is another one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.files.arrow import ahead, boolean_column, compute
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


def sorted_distinct(parts: Sequence[pa.Table], *, key: str = KEY, then: Sequence[str] = ()) -> pa.Table:
    """
    Return the rows of `parts` sorted by `key`; of several rows with one key the one that came last.

    `then` are columns whose values decide which of them is the last one.
    """
    together = pa.concat_tables(parts).combine_chunks()
    if together.num_rows < 2:
        return together
    keys = [(name, "ascending") for name in (key, *then)]
    rows = together.take(compute.sort_indices(together, sort_keys=keys))  # a stable sort
    ids = rows.column(key).combine_chunks()
    replaced = pc.equal(ids.slice(0, len(ids) - 1), ids.slice(1))
    if not pc.any(replaced).as_py():
        return rows
    kept = pa.concat_arrays([pc.invert(replaced), boolean_column([True])])
    return rows.filter(kept)


def merged_rows(
    runs: Sequence[Iterable[pa.RecordBatch]], *, key: str = KEY, then: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """
    Yield the rows of `runs` sorted by `key` and distinct, some ten thousand at a time.

    Each run is sorted by it and distinct; a row of a later run replaces that of an earlier one, unless `then` decides.
    Of each run a few hundred rows are held in memory, more when there are few runs.
    """
    ahead = max(_FEWEST_ROWS_AHEAD, _ROWS_AHEAD // max(1, len(runs)))
    heads = [head for run in runs if (head := _Head(run, key, ahead))]
    while heads:
        # Whatever is still to come from any run is larger than the smallest of the heads' last ids. As every head
        # holds many rows, many are at most that, and each is sorted once.
        bound = min(head.last for head in heads)
        batches = [batch for head in heads for batch in head.up_to(bound)]
        yield sorted_distinct([pa.Table.from_batches(batches)], key=key, then=then)
        heads = [head for head in heads if head]


class _Head:
    """The next rows of a run that is being merged: at least `ahead` of them while there are as many; then false."""

    def __init__(self, run: Iterable[pa.RecordBatch], key: str, ahead: int) -> None:
        self._coming = iter(run)
        self._key = key
        self._ahead = ahead
        self._batches: deque[pa.RecordBatch] = deque()
        self._rows = 0
        self._fill()

    def __bool__(self) -> bool:
        return bool(self._batches)

    @property
    def last(self) -> str:
        """The largest key held."""
        return self._last_of(self._batches[-1])

    def up_to(self, bound: str) -> list[pa.RecordBatch]:
        """Take away the rows whose key is at most `bound`."""
        taken = []
        while self._batches and self._last_of(self._batches[0]) <= bound:
            taken.append(self._batches.popleft())
        if self._batches:
            batch = self._batches[0]
            ids = batch.column(self._key)
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

    def _last_of(self, batch: pa.RecordBatch) -> str:
        last: str = batch.column(self._key)[batch.num_rows - 1].as_py()
        return last


def write_payments(tables: Iterable[pa.Table], destination: Path, *, columns: pa.Schema = PAYMENTS) -> int:
    """
    Write `columns` (PAYMENTS or MIRRORED) of `tables`, which may have more, to `destination`; return the rows written.

    The bytes depend on the rows only, not on how they are cut into tables.
    """
    selected = (table.select(columns.names).cast(columns) for table in tables)
    batches = (batch for table in ahead(selected) for batch in table.to_batches())
    return write_parquet(batches, columns, destination, encodings=_ENCODINGS, rows_per_group=ROW_GROUP_ROWS)
