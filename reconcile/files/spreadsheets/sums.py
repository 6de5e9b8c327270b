"""
Formulas that add up the cells above or below: of a row of totals, which is no order.

Knows SUM, SUBTOTAL and AGGREGATE over several rows of the formula's own column, or over the column of a table. A sum
along the row, over another sheet or by a condition is an amount like any other. Calculates nothing.
"""

from __future__ import annotations

import re

_CALL = re.compile(r"[=+]*(?:SUM|SUBTOTAL|AGGREGATE)\((.*)\)", re.IGNORECASE | re.DOTALL)
_CELL = r"\$?([A-Z]{1,3})\$?([0-9]{1,7})"
_RANGES = re.compile(rf"(?<![!A-Za-z0-9_$:]){_CELL}(?::{_CELL})?(?![A-Za-z0-9_(:!])")
_TABLE = re.compile(r"\[[^\[\]]+\]")  # Orders[Total]


def adds_up(formula: str, letters: str, line: int) -> bool:
    """Whether `formula`, in column `letters` of the row `line`, is a sum over several other rows of that column."""
    call = _CALL.fullmatch(formula.strip())
    if call is None:
        return False
    if _TABLE.search(call[1]) and not set("@#") & set(call[1]):  # not along the row: Orders[@Net]
        return True
    rows: set[int] = set()
    for first, start, last, end in _RANGES.findall(call[1]):
        low, high = sorted((int(start), int(end or start)))
        if first == (last or first) == letters and not low <= line <= high:
            rows |= {low, high}
    return len(rows) > 1
