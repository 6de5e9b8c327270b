"""
What would do away with rejected rows: declarations for their amounts and dates, and rows that are no orders.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from reconcile.money import SYMBOLS
from reconcile.orders.cells.remedies import CONTINUES
from reconcile.orders.format import OrderFormat
from reconcile.orders.proposals.cells import for_amounts, for_dates
from reconcile.orders.proposals.choices import Choice, one_of, only
from reconcile.orders.proposals.columns import columns_of
from reconcile.orders.proposals.heads import Cells, Head
from reconcile.orders.rejects import Reject

_MOST_SEPARATORS = 3
_MOST_SKIPPED = 8
_MOST_CELLS = 500
_DIGIT = re.compile("[1-9]")
_CODE = re.compile(r"(?:in|than) ([A-Z]{3})\b")
_OF_AMOUNT = ("is not an amount", "could be read two ways", "has more decimals", "is not a whole number", 'has "')


def choices_for(head: Head, form: OrderFormat, cells: Cells | None) -> list[Choice]:
    """Return what may do away with rejects of `head`, not tried yet on the files; `cells` are those of the file."""
    remedies = [one.remedy for one in head.rejects]
    found = [*_of_amounts(head, form), *_of_dates(head, form), *_of_currencies(head, form, cells)]
    if any(one.reason == "does not say debit or credit" for one in head.rejects):
        found.append(only(sign_column=""))
    if CONTINUES in remedies:
        found.append(only(continuation_rows="empty"))
    if any("--float-keys" in one for one in remedies):
        found.append(only(float_keys="whole"))
    patterns = (*form.skip_rows, *dict.fromkeys([*_skipped(head.rejects), *_odd_rows(head.rejects, cells)]))
    if len(patterns) > len(form.skip_rows):
        found.append(only(skip_rows=patterns))
    if head.keyless < head.table.num_rows and "" not in patterns:
        found.append(only(skip_rows=(*patterns, "")))  # rows without any key, where others have one
    return found


def _of_amounts(head: Head, form: OrderFormat) -> list[Choice]:
    rejects = [one for one in head.rejects if one.value and one.reason.startswith(_OF_AMOUNT)]
    if not rejects:
        return []
    codes = [found[1] if (found := _CODE.search(one.reason)) else None for one in rejects]
    known = [code for code in (*codes, *head.table["currency_code"].to_pylist()) if code]
    usual = Counter(known).most_common(1)[0][0] if known else form.currency or "EUR"
    cells = [(one.value or "", code or usual) for one, code in zip(rejects, codes, strict=True)]
    good = zip(head.table["amount_raw"].to_pylist(), head.table["currency_code"].to_pylist(), strict=True)
    cells += [(text, code) for text, code in list(good)[:_MOST_CELLS] if text]
    ways = for_amounts(_spread(_of_each_shape(cells)), form)[:_MOST_SEPARATORS]
    is_minor = any(one.reason.startswith("is not a whole number of minor") for one in rejects)
    return [*(only(**declared) for declared in ways), *([only(amount_unit="major")] if is_minor else [])]


def _of_each_shape(cells: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return one of all cells that differ in digits from 1 to 9 alone: they are read in the same way."""
    return list({(_DIGIT.sub("9", text), code): (text, code) for text, code in cells}.values())


def _spread(cells: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return some of many cells, from the first to the last: each is read under every declaration."""
    return cells[:: max(1, len(cells) // _MOST_CELLS)]


def _of_dates(head: Head, form: OrderFormat) -> list[Choice]:
    texts = list(dict.fromkeys(one.value for one in head.rejects if " date " in one.reason and one.value))
    if not texts or form.date_format is not None:
        return []
    formats = for_dates(texts, form)
    if len(formats) < 2:
        return [only(date_format=formats[0][1]) if formats else only(ordered_on_column="")]
    return [one_of("date_format", [(f'if "{texts[0]}" is {day}', how) for day, how in formats])]


def _of_currencies(head: Head, form: OrderFormat, cells: Cells | None) -> list[Choice]:
    if form.currency is not None:
        return []
    texts = {one.value for one in head.rejects if one.value and "currency code" in one.reason}
    codes = [code for code, signs in SYMBOLS.items() if texts & set(signs)]
    if codes:
        return [one_of("currency", [(f"if the symbol is that of {code}", code) for code in codes])]
    blank = {one.column for one in head.rejects if one.reason == "is empty"}
    columns = [one for one in columns_of(cells) if one.name in blank and one.is_currency] if cells is not None else []
    if len(known := {text.upper() for one in columns for text in one.texts}) != 1:
        return []
    (code,) = known
    return [one_of("currency", [(f"if rows without a currency are in {code}", code)])]


def _odd_rows(rejects: Sequence[Reject], cells: Cells | None) -> list[str]:
    """Return how rows begin that have no digit anywhere, such as one of units below the header."""
    wanted = {(one.column, one.value) for one in rejects if one.column and one.value}
    if cells is None or not wanted:
        return []
    found = []
    for row in zip(*cells.columns, strict=True):
        is_wanted = any((name, text) in wanted for name, text in zip(cells.names, row, strict=True))
        if is_wanted and not any(sign.isdigit() for text in row for sign in text):
            found.append(next(text.strip() for text in row if text.strip()))
    return found if len(found) <= _MOST_SKIPPED else []


def _skipped(rejects: Sequence[Reject]) -> tuple[str, ...]:
    """Return the patterns by which rows that are no orders are left out."""
    unique = tuple(dict.fromkeys(_shorter(one.skip) for one in rejects if one.skip is not None))
    return unique if len(unique) <= _MOST_SKIPPED else ()


def _shorter(text: str) -> str:
    """Return a rule of one sign as a pattern."""
    return f"{text[:3]}*" if len(text) > _MOST_SKIPPED and len(set(text)) == 1 else text
