"""
Dates of a whole column at once: ISO 8601, or as the user declares; nothing else is taken for a date.

Knows that a column has few different dates: each string is read once. A time with an offset is an instant, and its date
the one that it has in the time zone of the business days; without one it is local time, and the date the one written.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

import pyarrow as pa

from reconcile.days import day_of, days_of
from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc

_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]+)?)?( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?"
_ISO_DATE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({_TIME})?$"
_OF_INSTANT = (
    r"^.{10}[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})[0-9.,]*)? ?(?P<zone>Z|UTC|[+-][0-9:]+)$"
)
_DAY_MS = 86_400_000


def read_dates(
    texts: Column, *, date_format: str | None = None, time_zone: str = "UTC"
) -> tuple[Column, dict[int, str]]:
    """
    Return date32 per text, null for null and blank ones, and the reason per unreadable row index.

    `date_format` is one of `strptime`; ISO dates are read beside it, as the typed columns of a file give them. A time
    with an offset has the date that it has in `time_zone`.
    """
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.date32()), {}
    written = texts.dictionary_encode()  # many orders have one date: each is read once
    trimmed = pc.ascii_trim_whitespace(written.dictionary)
    shaped = pc.match_substring_regex(trimmed, _ISO_DATE)
    heads = pc.if_else(shaped, pc.utf8_slice_codeunits(trimmed, 0, 10), None).dictionary_encode()
    days = pc.take(pa.array([_iso_day(text) for text in heads.dictionary.to_pylist()], pa.date32()), heads.indices)
    days = _of_instants(pc.if_else(shaped, trimmed, None), days, time_zone)
    reason = "is not an ISO date (YYYY-MM-DD)"
    if date_format is not None:
        days = pc.coalesce(
            pa.array([day_as(text, date_format, time_zone) for text in trimmed.to_pylist()], pa.date32()), days
        )
        reason = f'is not a date like "{date_format}"'
    found = pc.take(days, written.indices)
    if found.null_count == texts.null_count:
        return found, {}
    rows = pc.indices_nonzero(pc.and_(pc.is_null(found), pc.is_valid(texts)))
    places = zip(rows.to_pylist(), texts.take(rows).to_pylist(), strict=True)
    return found, {row: reason for row, text in places if text and text.strip()}


def _of_instants(texts: Column, days: Column, time_zone: str) -> Column:
    """Return `days`, the dates written in `texts`, as dates of `time_zone` where a text has an offset."""
    parts = pc.extract_regex(texts, _OF_INSTANT)
    zones = pc.struct_field(parts, "zone")
    if zones.null_count == len(zones):
        return days
    written = zones.dictionary_encode()
    offsets = pc.take(pa.array(map(_offset_ms, written.dictionary.to_pylist()), pa.int64()), written.indices)
    moments = pc.subtract(pc.multiply(days.cast(pa.int32()).cast(pa.int64()), _DAY_MS), offsets)
    for name, unit in (("hour", 3_600_000), ("minute", 60_000), ("second", 1_000)):
        part = pc.struct_field(parts, name)
        filled = pc.if_else(pc.equal(pc.fill_null(part, ""), ""), "0", part).cast(pa.int64())
        moments = pc.add(moments, pc.multiply(filled, unit))
    found: Column = pc.coalesce(days_of(moments.cast(pa.timestamp("ms", "UTC")), time_zone), days)
    return found


def _offset_ms(zone: str | None) -> int | None:
    """Return the offset that is written as Z, UTC, +hh, +hhmm or +hh:mm in milliseconds."""
    if zone is None:
        return None
    if zone in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (int(digits[:2]) * 60 + int(digits[2:])) * 60_000


def is_date_format(text: str) -> bool:
    """Whether a date written as `text` says comes back as it was, and an ISO date is not read as another day by it."""
    day = date(2031, 10, 12)
    try:
        if datetime.strptime(day.strftime(text), text).date() != day:  # noqa: DTZ007  (only its date matters)
            return False
    except ValueError:
        return False
    return day_as(day.isoformat(), text, "UTC") in (None, day)


@lru_cache(maxsize=10_000)  # a year's days come again in each batch
def _iso_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def day_as(text: str, date_format: str, time_zone: str) -> date | None:
    """Return the date that `text` is by a format of `strptime`, null where it is none; of an instant in `time_zone`."""
    if not text.isascii():  # strptime takes the digits of any script
        return None
    try:
        found = datetime.strptime(text, date_format)  # noqa: DTZ007  (without an offset it is local time)
        return found.date() if found.tzinfo is None else day_of(found, time_zone)
    except (ValueError, OverflowError):
        return None
