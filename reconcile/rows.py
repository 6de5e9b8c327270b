"""
Sorted rows: sort, drop what a later row replaces, merge files in flat memory, write Parquet with the same bytes.

Knows tables with a `payment_id`. Does not know where rows come from, and judges nothing about them.
Ids are sorted by their UTF-8 bytes, only to give a file an order of its own; the API's order is another one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.parquet import write_parquet
from reconcile.schema import PAYMENTS

KEY = "payment_id"

# Rows of a Parquet row group: the unit of memory of everything that streams over payments (about 16 MB decoded).
ROW_GROUP_ROWS = 32_768


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
    kept = pa.concat_arrays([pc.invert(replaced), pa.array([True])])
    return rows.filter(kept)


def merged_rows(runs: Sequence[Iterable[pa.RecordBatch]]) -> Iterator[pa.Table]:
    """
    Yield the rows of `runs` sorted by id and distinct, a few batches at a time.

    Each run is sorted by id and distinct; a row of a later run replaces that of an earlier one. Holds one batch of
    each run in memory.
    """
    heads = [head for head in map(_Head, runs) if head.rows is not None]
    while heads:
        # Whatever is still to come from any run is larger than the smallest of the heads' last ids.
        bound = min(head.last for head in heads)
        yield sorted_distinct([part for head in heads if (part := head.up_to(bound)) is not None])
        heads = [head for head in heads if head.rows is not None]


class _Head:
    """The batch of a run that is being merged."""

    def __init__(self, run: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(run)
        self.rows: pa.RecordBatch | None = None
        self.last = ""
        self._advance()

    def _advance(self) -> None:
        self.rows = next((batch for batch in self._batches if batch.num_rows), None)
        if self.rows is not None:
            self.last = self.rows.column(KEY)[self.rows.num_rows - 1].as_py()

    def up_to(self, bound: str) -> pa.Table | None:
        """Take the rows whose id is at most `bound` away from the head."""
        rows = self.rows
        assert rows is not None
        if self.last <= bound:
            self._advance()
            return pa.Table.from_batches([rows])
        ids = rows.column(KEY)
        length = bisect_right(range(rows.num_rows), bound, key=lambda index: ids[index].as_py())
        self.rows = rows.slice(length)
        return pa.Table.from_batches([rows.slice(0, length)]) if length else None


def write_payments(tables: Iterable[pa.Table], destination: Path) -> int:
    """
    Write `tables` (PAYMENTS, and perhaps more columns) to `destination` and return the number of rows.

    The bytes depend on the rows only, not on how they are cut into tables.
    """
    batches = (batch for table in tables for batch in table.select(PAYMENTS.names).cast(PAYMENTS).to_batches())
    return write_parquet(batches, PAYMENTS, destination, rows_per_group=ROW_GROUP_ROWS)
