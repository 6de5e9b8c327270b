"""
Which rows a window selects, by what the rows themselves say: the same rule that the server is asked by.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.query import Window
from reconcile.schema import UTC_MS


def are_in(rows: Any, window: Window) -> Any:
    """
    Return for each of `rows` (columns of PAYMENTS) whether `window` selects it by its creation and its order's placing.

    Bounds are cut to whole milliseconds, as they are sent. What changed when is not looked at.
    """
    chosen = _between(rows.column("created_at"), window.since, window.until)
    if (placing := window.placing) is None:
        return chosen
    placed = rows.column("placed_at")
    is_so = pc.is_null(placed) if placing.never else _between(placed, placing.since, placing.until)
    return pc.and_(chosen, is_so)


def _between(moments: Any, since: datetime | None, until: datetime | None) -> Any:
    """Whether each of `moments` is at or after `since` and before `until`; no moment is not."""
    chosen = pc.is_valid(moments)
    if since is not None:
        chosen = pc.and_(chosen, pc.fill_null(pc.greater_equal(moments, _scalar(since)), False))
    if until is not None:
        chosen = pc.and_(chosen, pc.fill_null(pc.less(moments, _scalar(until)), False))
    return chosen


def _scalar(at: datetime) -> Any:
    return pa.scalar(at.replace(microsecond=at.microsecond // 1000 * 1000), UTC_MS)
