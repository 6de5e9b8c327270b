"""
The business date of a run that has begun and not ended: whoever asks for "today" soon after goes on with it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec

from reconcile.files.disk import disk_errors
from reconcile.runs.manifest import write_json

UNFINISHED_NAME = ".unfinished.json"

KEPT_FOR = timedelta(hours=23)
"""How long after it began a run is gone on with: the next night is another date."""


class _Unfinished(msgspec.Struct, frozen=True):
    """A run in progress, or one that was interrupted or refused."""

    business_date: date
    began_at: datetime


def unfinished_date(out: Path, now: datetime) -> date | None:
    """Return the business date of a run in `out` that began lately and has not ended, null where there is none."""
    try:
        found = msgspec.json.decode((out / UNFINISHED_NAME).read_bytes(), type=_Unfinished)
        began_at = found.began_at.astimezone(UTC)
    except (OSError, msgspec.DecodeError, OverflowError):
        return None
    return found.business_date if timedelta() <= now - began_at < KEPT_FOR else None


@contextlib.contextmanager
def remembered(out: Path, business_date: date) -> Iterator[None]:
    """Keep `business_date` in `out` as that of an unfinished run, until the block ends well."""
    now = datetime.now(UTC)
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        if unfinished_date(out, now) != business_date:
            write_json(out / UNFINISHED_NAME, _Unfinished(business_date, now))
    yield
    (out / UNFINISHED_NAME).unlink(missing_ok=True)
