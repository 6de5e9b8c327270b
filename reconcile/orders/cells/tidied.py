"""
Cells as they are meant: without what a spreadsheet or a database has put around or in place of a text.

Knows the guard of a spreadsheet ('-12.50, '00123), a formula that is a text (="00123"), what databases and frames write
for nothing (NULL, \\N, nan), and numbers that stand in place of a key and have lost what it was. Every cell that is
changed is counted; nothing is guessed of a key that has lost digits.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from reconcile.files.arrow import Column, text_bytes
from reconcile.files.arrow import compute as pc
from reconcile.money import PLACEHOLDERS
from reconcile.orders.cells.left_out import KEY_ROLES
from reconcile.orders.cells.meant import is_placeholder
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import RawRows
from reconcile.orders.rejects import Reject
from reconcile.orders.report import TidiedKind

LOST_DIGITS = "is a number that has lost digits"
A_FLOAT = "was a number with decimals"

_LONGEST_PLACEHOLDER = max(map(len, PLACEHOLDERS))
_FORMULA = re.compile(r'="([^"]*)"')
_GUARDED = re.compile(r"'([-=+@0-9].*)", re.DOTALL)
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+", re.IGNORECASE)
_FLOAT = re.compile(r"[0-9]+\.0")
_INVISIBLE = "[\u00ad\u200b-\u200f\u2010\u2011\u2060-\u2064\ufeff]"


Told = Counter[tuple[TidiedKind, str]]
"""Cells that were changed, by what was done and the file's own name of the column."""


def with_tidy_keys(raw: RawRows, columns: ColumnMap, form: OrderFormat) -> tuple[RawRows, Told]:
    """
    Return `raw` with its keys as they are meant, and how many were changed.

    What stood there is in `RawRows.written`. A key that has lost what it was is a reject of its row.
    """
    roles = [role for role in KEY_ROLES if role in raw.cells]
    plain = frozenset(role for role in roles if _are_plain(raw.cells[role]))
    cells, written = dict(raw.cells), {}
    rejects: list[Reject] = []
    rejected = {(reject.line, reject.column) for reject in raw.rejects}
    told: Told = Counter()
    for role in roles:
        texts, name = cells[role], columns.name(role)
        told["merged", name] += raw.merged.get(role, 0)
        if role in plain:
            continue
        told["invisible", name] += _with_invisible(texts)
        odd = _odd(texts)
        if not len(odd):
            continue
        meant = [_meant(text, form) for text in texts.take(odd).to_pylist()]
        told.update((one.kind, name) for one in meant if one.kind is not None)
        spoilt = [(row, one) for row, one in zip(odd.tolist(), meant, strict=True) if one.reason is not None]
        found = [Reject(raw.lines[row].as_py(), name, one.key, one.reason or "") for row, one in spoilt]
        rejects += [reject for reject in found if (reject.line, reject.column) not in rejected]
        mask = np.zeros(len(texts), np.bool_)
        mask[odd] = True
        written[role] = texts
        cells[role] = pc.replace_with_mask(texts, pa.array(mask), pa.array([one.key for one in meant], pa.string()))
    return replace(raw, cells=cells, written=written, rejects=(*raw.rejects, *rejects), plain=plain), told


Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


def _are_plain(texts: Column) -> bool:
    """Whether each text is ASCII, begins with what is not taken off, and ends in a digit: a key as it stands."""
    starts, signs = text_bytes(texts)
    first, behind = starts[:-1], starts[1:]
    if texts.null_count or not len(texts) or not (behind > first).all():
        return False
    begin, end, before = signs[first], signs[behind - 1], signs[behind - 2]
    is_kept = (begin > ord(" ")) & (begin != ord("'"))
    is_number = (end >= ord("0")) & (end <= ord("9")) & ((end > ord("0")) | (before != ord(".")))
    whole = signs[starts[0] : starts[-1]]
    return bool((is_kept & is_number).all()) and whole.max() < 128 and not (whole == ord("+")).any()


def _odd(texts: Column) -> Rows:
    """Return the rows of those texts that may not be what they look like, by their first and last bytes."""
    filled, first, last, signs = _edges(texts)
    if len(filled) and (np.minimum(signs[first], signs[last]) <= ord(" ")).any():
        filled, first, last, signs = _edges(pc.utf8_trim_whitespace(texts))
    if not len(filled):
        return filled
    is_odd = (signs[first] == ord("'")) | (signs[first] == ord("="))
    is_odd |= (signs[last] == ord("0")) & (signs[np.maximum(last - 1, 0)] == ord("."))
    if (last - first < _LONGEST_PLACEHOLDER).any():
        is_odd |= _where(is_placeholder(texts), filled)
    whole = signs[first[0] : last[-1] + 1].tobytes()
    if b"E+" in whole or b"e+" in whole:
        is_odd |= _where(pc.match_substring_regex(texts, r"[Ee]\+"), filled)
    odd: Rows = filled[is_odd]
    return odd


def _edges(texts: Column) -> tuple[Rows, Rows, Rows, Any]:
    """Return the rows of the texts that are not empty, where each begins and ends (its last byte), and all bytes."""
    starts, signs = text_bytes(texts)
    filled: Any = np.flatnonzero(starts[1:] > starts[:-1])
    return filled, starts[:-1][filled], starts[1:][filled] - 1, signs


def ends_in_digit(texts: Column) -> Any:
    """Return for each text whether its last byte is a digit (bool, numpy)."""
    filled, _, last, signs = _edges(texts)
    found = np.zeros(len(texts), np.bool_)
    found[filled] = (signs[last] >= ord("0")) & (signs[last] <= ord("9"))
    return found


def _where(claim: Column, rows: Rows) -> Any:
    return pc.fill_null(claim, False).to_numpy(zero_copy_only=False)[rows]


class _Key(NamedTuple):
    """A key as it is meant, and what was done to it; or why it cannot be read."""

    key: str | None
    kind: TidiedKind | None = None
    reason: str | None = None


def _meant(text: str | None, form: OrderFormat) -> _Key:
    key = (text or "").strip()
    if key in PLACEHOLDERS:
        return _Key(None, "placeholder")
    if found := _FORMULA.fullmatch(key):
        return _Key(found[1], "formula")
    if found := _GUARDED.fullmatch(key):
        return _Key(found[1], "guard")
    if _SCIENTIFIC.fullmatch(key):
        return _Key(text, reason=LOST_DIGITS)
    if _FLOAT.fullmatch(key):
        return _Key(key.partition(".")[0], "whole") if form.float_keys == "whole" else _Key(text, reason=A_FLOAT)
    return _Key(text)


def _with_invisible(texts: Column) -> int:
    _, signs = text_bytes(texts)
    if not len(signs) or signs.max() < 128:
        return 0
    return int(pc.sum(pc.match_substring_regex(texts, _INVISIBLE)).as_py() or 0)
