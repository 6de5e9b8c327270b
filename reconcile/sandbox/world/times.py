"""
Instants as the database keeps them: whole microseconds since 1970, UTC; answers show milliseconds.

The difference matters: a row shown as `…00.123Z` may lie after `…00.123`, so `created_at_lteq` with a shown
time can miss the very row it was taken from. A half-open window of `_gteq` and `_lt` never does.
"""

from __future__ import annotations

from datetime import UTC, datetime

NULL = -(2**63)
"""Stands for "no time" in columns of instants; below every real one."""


def to_text(instant: int) -> str | None:
    """Return `instant` as answers show it (`2018-01-01T12:00:00.000Z`), None for NULL."""
    if instant == NULL:
        return None
    seconds, micros = divmod(instant, 1_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{micros // 1000:03d}Z"


def from_text(text: object) -> int:
    """
    Return the instant an ISO 8601 text names: a date is its midnight, no offset is UTC.

    None is NULL. Raises ValueError for everything else.
    """
    if text is None:
        return NULL
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000) * 1000 if moment.microsecond % 1000 == 0 else _exact(moment)


def _exact(moment: datetime) -> int:
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1_000_000 + moment.microsecond
