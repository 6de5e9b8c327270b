"""
What stands in a cell for nothing, and amounts as they are meant: without a spreadsheet's guard, with a plain minus.
"""

from __future__ import annotations

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.money import GUARDED_AMOUNT, MINUS, PLACEHOLDERS


def as_meant(texts: Column) -> Column:
    """Return amounts as they are meant: a minus sign of any locale, no guard, nothing in place of a placeholder."""
    texts = pc.replace_substring(texts, MINUS, "-")
    texts = pc.replace_substring_regex(texts, GUARDED_AMOUNT, r"\1")
    found: Column = pc.if_else(is_placeholder(texts), "", texts)
    return found


def is_placeholder(texts: Column) -> Column:
    """Return whether each text is one of PLACEHOLDERS; false for null."""
    found: Column = pc.is_in(pc.utf8_trim_whitespace(texts), value_set=pa.array(PLACEHOLDERS))
    return found
