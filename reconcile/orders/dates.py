"""
Dates of a whole column at once: ISO 8601, or as the user declares; nothing else is taken for a date.

Knows that a column has few different dates: each string is read once. A time of day is cut away, as is its zone: the
date is the one written.
"""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc

_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:([0-5][0-9]|60)([.,][0-9]+)?)?( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?"
_ISO_DATE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({_TIME})?$"


def read_dates(texts: Column, *, date_format: str | None = None) -> tuple[Column, dict[int, str]]:
    """
    Return date32 per text, null for null and blank ones, and the reason per unreadable row index.

    `date_format` is one of `strptime`; ISO dates are read beside it, as the typed columns of a file give them.
    """
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.date32()), {}
    written = texts.dictionary_encode()  # many orders have one date: each is read once
    trimmed = pc.ascii_trim_whitespace(written.dictionary)
    shaped = pc.match_substring_regex(trimmed, _ISO_DATE)
    heads = pc.if_else(shaped, pc.utf8_slice_codeunits(trimmed, 0, 10), None).dictionary_encode()
    days = pc.take(pa.array([_iso_day(text) for text in heads.dictionary.to_pylist()], pa.date32()), heads.indices)
    reason = "is not an ISO date (YYYY-MM-DD)"
    if date_format is not None:
        days = pc.coalesce(pa.array([_day(text, date_format) for text in trimmed.to_pylist()], pa.date32()), days)
        reason = f'is not a date like "{date_format}"'
    found = pc.take(days, written.indices)
    if found.null_count == texts.null_count:
        return found, {}
    rows = pc.indices_nonzero(pc.and_(pc.is_null(found), pc.is_valid(texts)))
    places = zip(rows.to_pylist(), texts.take(rows).to_pylist(), strict=True)
    return found, {row: reason for row, text in places if text and text.strip()}


def is_date_format(text: str) -> bool:
    """Whether a date written as `text` says comes back as it was, and an ISO date is not read as another day by it."""
    day = date(2031, 10, 12)
    try:
        if datetime.strptime(day.strftime(text), text).date() != day:  # noqa: DTZ007  (only its date matters)
            return False
    except ValueError:
        return False
    return _day(day.isoformat(), text) in (None, day)


def _iso_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _day(text: str, date_format: str) -> date | None:
    if not text.isascii():  # strptime takes the digits of any script
        return None
    try:
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007  (only its date matters)
    except ValueError:
        return None
