"""
Days: of a time zone, as instants and back; and periods of them.

The one clock of a run: business dates, lags, ages and periods are days of one time zone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from reconcile.errors import SettingsError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Names of the days of the week."""

_DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1)
# Days that the calendar of every time zone has.
_LEAST_DAY, _MOST_DAY = ((day - _EPOCH).days for day in (date(1, 1, 3), date(9999, 12, 29)))

_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Period(Struct, frozen=True):
    """The days from `first` to `last`, both included; null where there is no end."""

    first: date | None = None
    last: date | None = None

    @property
    def end(self) -> date:
        """The day after the last. Needs a last one."""
        assert self.last is not None, "asked only where it is known"
        return self.last + timedelta(days=1)


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return the time zone `name`. Raises SettingsError when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, a path, a folder of names
        raise SettingsError(
            f'time_zone "{name}" is unknown', hint="give the name of an IANA time zone, such as Europe/Stockholm"
        ) from None


def starts_at(day: date, time_zone: str) -> datetime:
    """Return the instant at which `day` begins in `time_zone`, in UTC."""
    return datetime.combine(day, time(), zone_of(time_zone)).astimezone(UTC)


def day_of(moment: datetime, time_zone: str) -> date:
    """Return the day on which an instant is in `time_zone`."""
    return moment.astimezone(zone_of(time_zone)).date()


def days_of(moments: Any, time_zone: str) -> Any:
    """
    Return the day (date32) of each of `moments`, an Arrow array of UTC milliseconds, in `time_zone`; null for null.

    By this machine's time zones alone: what Arrow knows of them depends on how it was built.
    """
    import numpy as np  # with them comes Arrow, which a command's help does without
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = moments.cast(pa.timestamp("ms", "UTC")).cast(pa.int64())
    seconds = whole.drop_null().to_numpy(zero_copy_only=False) // 1000
    utc_days, which = np.unique(seconds // _DAY_SECONDS, return_inverse=True)
    # The local day of an instant is that of UTC, the one before or the one after.
    starts = np.array([[_start(day, time_zone), _start(day + 1, time_zone)] for day in utc_days.tolist()])
    later = (seconds[:, None] >= starts.reshape(-1, 2)[which]).sum(axis=1)
    found = pa.array((utc_days[which] - 1 + later).astype(np.int32), pa.int32())
    days: Any = pc.replace_with_mask(pa.nulls(len(whole), pa.int32()), whole.is_valid(), found)
    return days.cast(pa.date32())


def period_of(text: str | None) -> Period:
    """
    Return the days that `text` names: a month (2026-11), a day (2026-11-20), or from..to, either end of which may be
    missing; without ends for None.

    Raises SettingsError when it names none.
    """
    if text is None:
        return Period()
    start, dots, end = (part.strip() for part in text.partition(".."))
    found, last = _days(start), _days(end)
    if (found or (dots and not start)) and (last or not end):
        first = found.first if found else None
        period = Period(first, last.last if last else None) if dots else found or Period()
        if period.first is None or period.last is None or period.first <= period.last:
            return period
    raise SettingsError(
        f'covers "{text}" is not a period',
        hint="write a month (2026-11), a day (2026-11-20), or from..to (2026-11-01..2026-11-20, 2026-11-01..)",
    )


def weekdays_of(names: Sequence[str]) -> frozenset[int]:
    """Return days of the week as `date.weekday` has them: Monday is 0. Raises SettingsError for a name that is none."""
    if unknown := [name for name in names if name not in WEEKDAYS]:
        raise SettingsError(f'"{unknown[0]}" is not a day of the week: name some of {", ".join(WEEKDAYS)}')
    return frozenset(map(WEEKDAYS.index, names))


def _days(text: str) -> Period | None:
    """Return the days of one month or one day, null where `text` is neither."""
    try:
        if month := _MONTH.fullmatch(text):
            first = date(int(month[1]), int(month[2]), 1)
            return Period(first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
        if _DAY.fullmatch(text):
            return Period(date.fromisoformat(text), date.fromisoformat(text))
    except (ValueError, OverflowError):
        return None
    return None


def _start(day: int, time_zone: str) -> int:
    """Return when the local day `day` (since 1970) begins, in seconds of UTC."""
    bounded = min(max(day, _LEAST_DAY), _MOST_DAY)
    return round(starts_at(_EPOCH + timedelta(days=bounded), time_zone).timestamp()) + (day - bounded) * _DAY_SECONDS
