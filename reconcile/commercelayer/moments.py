"""
Times as the API writes them, as columns of moments.
"""

from __future__ import annotations

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.schema import UTC_MS

# The first and the last moment of the calendar, 0001-01-01 and the end of 9999, in milliseconds since 1970.
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999


def within_calendar(texts: Column) -> Column:
    """
    Return the moments that `texts` say; what an offset carries beyond the calendar is its first or last moment.

    Raises ArrowInvalid for what is no moment.
    """
    moments = texts.cast(UTC_MS)
    milliseconds = moments.cast(pa.int64())
    bounds = pc.min_max(milliseconds).as_py()
    if bounds["min"] is None or _FIRST <= bounds["min"] <= bounds["max"] <= _LAST:
        return moments
    later = pc.max_element_wise(milliseconds, pa.scalar(_FIRST), skip_nulls=False)
    within: Column = pc.min_element_wise(later, pa.scalar(_LAST), skip_nulls=False).cast(UTC_MS)
    return within


def moments_of(*texts: Column) -> list[Column]:
    """
    Return `within_calendar` of columns of one length, read in one go: each call of Arrow's that sets Python's lock free
    has to wait for it after.
    """
    read = within_calendar(pa.concat_arrays(texts))
    return [read.slice(at * len(texts[0]), len(texts[0])) for at in range(len(texts))]
