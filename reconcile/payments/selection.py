"""
A pull of some days only: which rows belong to it, and which of those that left it are gone altogether.

The days are those of the order's placing, which can change: a payment leaves the days when its order is placed later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.by_id import payments_by_id
from reconcile.commercelayer.membership import are_in
from reconcile.commercelayer.query import Window
from reconcile.commercelayer.reading import Reading
from reconcile.payments.mirror.sorted_rows import KEY


def within(table: pa.Table, windows: Sequence[Window]) -> pa.Table:
    """Return the rows of `table` (columns of PAYMENTS) that belong to one of `windows`, which are apart."""
    wanted = reduce(pc.or_, (are_in(table, window) for window in windows))
    return table.filter(wanted)


async def gone_altogether(reading: Reading, lost: Collection[str], *, mode: str) -> set[str]:
    """
    Return those of the payments `lost` that the server no longer has; the others have only left the days of the pull.

    Raises as `payments_by_id`.
    """
    gone = set(lost)
    async for _, found in payments_by_id(reading, sorted(lost), mode=mode):
        gone.difference_update(found.column(KEY).to_pylist())
    return gone
