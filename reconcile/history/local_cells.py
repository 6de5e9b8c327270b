"""
Dates and amounts as people write them in a spreadsheet of their country: read where they have one meaning only.

Knows ISO dates, and days, months and years in the orders that countries have; where dates have dots, the day comes
first. Of an amount the last of point and comma is the decimal sign. Guesses nothing: what could be two dates has two.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date

from reconcile.money import EXPONENTS, AmountError, parse_amount

_TIME = re.compile(r"[T ]0{1,2}:00(:00(\.0+)?)?$")  # a spreadsheet's date may be written with the midnight it begins
_PARTS = re.compile(r"([0-9]{1,4})([./-]) ?([0-9]{1,2})\2 ?([0-9]{1,4})\.?")
_THOUSANDS = re.compile(r"(?<=[0-9])[ \u00a0\u2009\u202f'’](?=[0-9]{3}(?![0-9]))")
_TWO_WAYS = re.compile(r"[+-]?([1-9][0-9]{0,2})[.,]([0-9]{3})")


def dates_in(text: str) -> tuple[date, ...]:
    """Return every date that `text` may mean, none where it is no date; a year of two digits is of this century."""
    text = _TIME.sub("", text.strip())
    with suppress(ValueError):
        return (date.fromisoformat(text),)
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return ()
    first, sign, second, third = parts.groups()
    orders = [(third, second, first)]  # year, month and day
    if len(first) > 2:
        orders = [(first, second, third)]
    elif sign != ".":
        orders += [(third, first, second), *([(first, second, third)] if len(third) == 2 else [])]
    found = []
    for year, month, day in orders:
        with suppress(ValueError):
            if len(year) in (2, 4) and len(day) < 3:
                found.append(date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day)))
    return tuple(dict.fromkeys(found))


def amount_in(text: str, currency_code: str) -> int:
    """
    Return the amount in `text` in minor units; the currency may stand beside it.

    Raises AmountError when it is none, or could be two: 1,234 is a thousand here and a little more than one there.
    """
    plain = _THOUSANDS.sub("", " ".join(text.split()))
    decimal = max(".,", key=plain.rfind)
    thousands = "," if decimal == "." else "."
    maybe = _TWO_WAYS.fullmatch(plain)
    if maybe and not (decimal == "." and EXPONENTS.get(currency_code) == len(maybe[2])):  # as we write it ourselves
        raise AmountError(text, f"could be read two ways: {maybe[1]}{maybe[2]} or {maybe[1]}.{maybe[2]}")
    declared = thousands if thousands in plain else None
    return parse_amount(plain, currency_code, decimal=decimal, thousands=declared, accounting=("currency",))
