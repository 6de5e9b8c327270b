"""
Declarations that would read cells: separators, groups and forms of amounts, formats of dates.

Every candidate is tried on the cells with the one function that reads such a cell; what reads the most of them with the
least declared comes first. Two that read the same cells as other values are both told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import product
from typing import Any

from reconcile.money import ACCOUNTING_FORMS, AmountError, parse_amount
from reconcile.orders.dates import day_as
from reconcile.orders.format import OrderFormat
from reconcile.orders.proposals.choices import Declared

_MARKS = ((".", ","), (",", "."), (",", " "), (".", " "), (".", "'"), (",", "'"), (",", "_"), (".", "_"))
_SEPARATORS: tuple[tuple[str, str | None, str], ...] = (
    (".", None, "thousands"),
    (",", None, "thousands"),
    *((*marks, grouping) for grouping in ("thousands", "indian") for marks in _MARKS),
)
_SHAPES = {
    "parentheses": r"\(.*\)",
    "angle_brackets": r"<.*>",
    "dash_decimals": r"[.,](-|–|—)",
    "cr_dr": r"(?i)(cr|dr)$",
    "soll_haben": r"[HS]$",
    "currency": r"[^\W\d_]|[€£$¥₹₺₴₪￥]",
    "trailing_minus": r"[0-9].*-$",
    "spaced_sign": r"^[+-] ",
}
_DATES = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%y",
    "%d/%m/%y", "%m/%d/%y", "%b %d, %Y", "%d %b %Y", "%d-%b-%Y", "%b-%d-%y", "%d-%b-%y", "%B %d, %Y", "%d %B %Y",
)  # fmt: skip
_TIMES = (
    "",
    " %H:%M",
    " %H:%M:%S",
    " %H:%M:%S %p",
    " %I:%M:%S %p",
    ", %I:%M:%S %p",
    " %I:%M %p",
    " %H:%M:%S %z",
    " %H:%M:%S %Z",
)

Amounts = Sequence[tuple[str, str]]
"""Cells of amounts, each with the currency of its row."""


def for_amounts(cells: Amounts, form: OrderFormat) -> list[Declared]:
    """Return what reads more of `cells` than `form` does: what declares least first, then what reads them otherwise."""
    known = _read(cells, form, {})
    tried = [(_read(cells, form, declared), declared) for declared in _of_amounts(cells, form)]
    # Where no declaration reads all cells that some read, they are written in several ways, and none of them is right.
    readable = sum(any(one is not None for one in ways) for ways in zip(*(read for read, _ in tried), strict=True))
    found: dict[tuple[int | None, ...], Declared] = {}
    for read, declared in tried:
        if len(read) - _unread(read) == readable > len(known) - _unread(known):
            found.setdefault(read, _least(cells, form, declared, read))
    best = found.values()
    return sorted(best, key=lambda one: sum(len(value) if isinstance(value, tuple) else 1 for value in one.values()))


def _of_amounts(cells: Amounts, form: OrderFormat) -> Iterator[dict[str, Any]]:
    texts = [text.strip() for text, _ in cells]
    shaped = tuple(
        name
        for name in ACCOUNTING_FORMS
        if any(re.search(_SHAPES[name], text) for text in texts) or name in form.accounting
    )
    for decimal, thousands, grouping in _SEPARATORS:
        if form.decimal not in (None, decimal) or form.thousands not in (None, thousands):
            continue
        for forms in dict.fromkeys((tuple(form.accounting), shaped)):
            yield {"decimal": decimal, "thousands": thousands, "grouping": grouping, "accounting": forms}


def _least(cells: Amounts, form: OrderFormat, declared: dict[str, Any], read: tuple[int | None, ...]) -> Declared:
    """Return those of `declared` without which the cells are read otherwise."""
    least = dict(declared)
    for name in ("grouping", "thousands", "decimal"):
        without = {key: value for key, value in least.items() if key != name}
        if _read(cells, form, without) == read:
            least = without
    for one in least["accounting"]:
        fewer = {**least, "accounting": tuple(name for name in least["accounting"] if name != one)}
        if one not in form.accounting and _read(cells, form, fewer) == read:
            least = fewer
    if least["accounting"] == tuple(form.accounting):
        del least["accounting"]
    return {key: value for key, value in least.items() if value is not None}


def _read(cells: Amounts, form: OrderFormat, declared: Declared) -> tuple[int | None, ...]:
    how = {
        "decimal": declared.get("decimal") or form.decimal or ".",
        "thousands": declared.get("thousands") or form.thousands,
        "grouping": declared.get("grouping") or form.grouping,
        "accounting": declared.get("accounting", form.accounting),
    }
    if how["decimal"] == how["thousands"]:
        return (None,) * len(cells)
    return tuple(_cents(text, code, how) for text, code in cells)


def _cents(text: str, code: str, how: dict[str, Any]) -> int | None:
    try:
        return parse_amount(text, code, **how)
    except AmountError:
        return None


def _unread(read: Sequence[int | None]) -> int:
    return sum(one is None for one in read)


def for_dates(texts: Sequence[str], form: OrderFormat) -> list[tuple[date, str]]:
    """Return the formats that read all of `texts`, the usual ones first, each with the day that the first text is."""
    found: dict[tuple[object, ...], tuple[date, str]] = {}
    for how, time in product(_DATES, _TIMES):
        days = [day_as(text.strip(), how + time, form.time_zone) for text in texts]
        known = [day for day in days if day is not None]
        if len(known) == len(texts):
            found.setdefault(tuple(days), (known[0], how + time))
    return list(found.values())
