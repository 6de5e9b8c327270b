"""
Rows without a key that are the sum of those above them: rejected with the option that leaves them out.

Knows how such a sum is recognised from one batch to the next, in a file and over all files of a run. Leaves nothing out
itself: where it is an order after all, everybody hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from reconcile.files.arrow import compute as pc
from reconcile.orders.cells.rows import OrderRows
from reconcile.orders.cells.total_words import total_reject
from reconcile.orders.columns.mapping import KEYS, ColumnMap

_MOST_WAITING = 16  # batches that are held back until it is known whether a row is the last of its currency


@dataclass(slots=True)
class _Sum:
    """Rows of one currency so far: their number, their sum, and how many of them have each of the KEYS."""

    rows: int = 0
    cents: int = 0
    keyed: list[int] = field(default_factory=lambda: [0] * len(KEYS))

    def add(self, other: _Sum) -> None:
        self.rows += other.rows
        self.cents += other.cents
        self.keyed = [mine + more for mine, more in zip(self.keyed, other.keyed, strict=True)]

    def is_of(self, row: _Row) -> bool:
        """Whether `row` is the sum of these rows, two at least, and has no key of a kind that any of them has."""
        is_sum = self.rows > 1 and self.cents == row.cents != 0
        is_like = any(count and key for count, key in zip(self.keyed, row.keys, strict=True))
        return is_sum and any(self.keyed) and not is_like


class _Row(NamedTuple):
    line: int
    cents: int
    keys: tuple[str | None, ...]
    amount: str | None

    @property
    def sum(self) -> _Sum:
        return _Sum(1, self.cents, [int(key is not None) for key in self.keys])


class KeylessTotals:
    """
    Rejects the last row of its currency in a file that is the sum of the rows above it, and has no key like theirs.

    The rows above are those of the file, or those of all files of the run. Batches go through in their order, and are
    held back only behind a row that may be such a sum: memory does not grow with the files.
    """

    def __init__(self) -> None:
        self._run: dict[str, _Sum] = {}
        self.begin(None)

    def begin(self, columns: ColumnMap | None) -> None:
        """Begin with a file that has `columns`."""
        self._columns = columns
        self._file: dict[str, _Sum] = {}
        self._waiting: list[OrderRows] = []
        self._suspects: dict[str, _Row] = {}

    def add(self, rows: OrderRows) -> list[OrderRows]:
        """Take the next batch of the file; return those batches whose rows are settled."""
        for code, (last, others) in _last_rows(rows).items():
            if before := self._suspects.pop(code, None):  # it was not the last
                self._add(code, before.sum)
            self._add(code, others)
            if any(sums.get(code, _Sum()).is_of(last) for sums in (self._file, self._run)):
                self._suspects[code] = last
            else:
                self._add(code, last.sum)
        self._waiting.append(rows)
        if self._suspects and len(self._waiting) <= _MOST_WAITING:
            return []
        return self.settled()

    def settled(self) -> list[OrderRows]:
        """Return the batches that were held back: no row of its currency follows those that looked like a sum."""
        found, self._waiting = self._waiting, []
        suspects = {row.line: row for row in self._suspects.values()}
        self._suspects = {}
        return [self._without(rows, suspects) for rows in found] if suspects else found

    def _add(self, code: str, more: _Sum) -> None:
        for sums in (self._file, self._run):
            sums.setdefault(code, _Sum()).add(more)

    def _without(self, rows: OrderRows, suspects: dict[int, _Row]) -> OrderRows:
        lines = suspects.keys() & set(rows.table["source_line"].to_pylist())
        if not lines:
            return rows
        assert self._columns is not None, "a file has begun"
        places = self._columns.positions
        name = self._columns.names[places.get("amount", places.get("amount_cents", 0))]
        totals = [total_reject(row.line, row.keys, name, row.amount) for row in map(suspects.__getitem__, lines)]
        left = rows.without(lines)
        return replace(left, rejects=tuple(sorted((*left.rejects, *totals), key=lambda reject: reject.line)))


def _last_rows(rows: OrderRows) -> dict[str, tuple[_Row, _Sum]]:
    """Return the last row of each currency, and the sum of its others."""
    found: dict[str, tuple[_Row, _Sum]] = {}
    table = rows.table
    for one in rows.by_currency:
        if one.code is None:
            continue
        row = table.slice(int(one.rows[-1]), 1).to_pylist()[0]
        last = _Row(row["source_line"], row["amount_cents"] or 0, tuple(row[key] for key in KEYS), row["amount_raw"])
        keyed = [_filled(table[key], one.rows) - int(row[key] is not None) for key in KEYS]
        found[one.code] = last, _Sum(len(one.rows) - 1, one.cents - last.cents, keyed)
    return found


def _filled(column: pa.ChunkedArray[Any], rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    """Return how many of `rows` have something in `column`."""
    if column.null_count in (0, len(column)):
        return 0 if column.null_count else len(rows)
    return int(pc.is_valid(column).to_numpy()[rows].sum())
