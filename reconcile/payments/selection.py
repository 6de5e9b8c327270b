"""
A pull of some days only: which rows belong to it, and which of those that left it are gone altogether.

The days are those of the order's placing, which can change: a payment leaves the days when its order is placed later.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.by_id import IDS_AT_ONCE, payments_by_id
from reconcile.commercelayer.query import Window
from reconcile.commercelayer.reading import Reading
from reconcile.payments.mirror.sorted_rows import KEY
from reconcile.schema import UTC_MS


def within(table: pa.Table, windows: Sequence[Window]) -> pa.Table:
    """Return the rows of `table` (columns of PAYMENTS) that belong to one of `windows`, which are apart."""
    wanted: Any = pa.scalar(value=False)
    for window in windows:
        chosen = _between(table.column("created_at"), window.since, window.until)
        if (placing := window.placing) is not None:
            placed = table.column("placed_at")
            is_so = pc.is_null(placed) if placing.never else _between(placed, placing.since, placing.until)
            chosen = pc.and_(chosen, is_so)
        wanted = pc.or_(wanted, chosen)
    return table.filter(wanted)


async def gone_altogether(reading: Reading, lost: Collection[str], *, mode: str) -> set[str]:
    """
    Return those of the payments `lost` that the server no longer has; the others have only left the days of the pull.

    Raises as `payments_by_id`.
    """
    listed, gone = sorted(lost), set(lost)
    for start in range(0, len(listed), IDS_AT_ONCE):
        found = await payments_by_id(reading, listed[start : start + IDS_AT_ONCE], mode=mode)
        gone.difference_update(found.column(KEY).to_pylist())
    return gone


def _between(moments: Any, since: datetime | None, until: datetime | None) -> Any:
    """Whether each of `moments` is at or after `since` and before `until`; no moment is not."""
    chosen = pc.is_valid(moments)
    if since is not None:
        chosen = pc.and_(chosen, pc.fill_null(pc.greater_equal(moments, pa.scalar(since, UTC_MS)), False))
    if until is not None:
        chosen = pc.and_(chosen, pc.fill_null(pc.less(moments, pa.scalar(until, UTC_MS)), False))
    return chosen
