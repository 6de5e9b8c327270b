"""
Columns that are carried beside the totals: one JSON object per row, by the names that the user gives them.

Knows how they are written. What they mean is nobody's business here: figures are broken down by them.
"""

from __future__ import annotations

import json

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.orders.cells.left_out import is_filled
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import RawRows


def carried_texts(raw: RawRows, columns: ColumnMap, form: OrderFormat) -> Column:
    """Return for each row what its filled cells of `form.carry` hold, outer white space stripped; null without any."""
    joined: Column = pa.nulls(len(raw.lines), pa.string())
    for name in (name for name in form.carry if name in columns.marks):
        member = _members(name, raw.shown[columns.marks[name]])
        both = pc.binary_join_element_wise(joined, member, ", ")  # null where either is
        joined = pc.coalesce(both, joined, member)
    if joined.null_count == len(joined):
        return joined
    found: Column = pc.binary_join_element_wise("{", joined, "}", "")
    return found


def _members(name: str, texts: Column) -> Column:
    """Return each text as a member of an object: few are different, and each of those is written once."""
    trimmed = pc.utf8_trim_whitespace(pc.if_else(is_filled(texts), texts, None)).dictionary_encode()
    written = [
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(text, ensure_ascii=False)}"
        for text in trimmed.dictionary.to_pylist()
    ]
    members: Column = pa.array(written, pa.string()).take(trimmed.indices)
    return members
