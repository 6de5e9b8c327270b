"""
The rows of one resource, by hidden sequence: generated or loaded ones underneath, changes on top.

Knows sequences, ids and the instants worth an index. Sequences start at 1, are never
given twice, and outlive their row: the id of a deleted row can still be requested in `id_gt`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import IdKey, id_of, sequence_of
from reconcile.sandbox.world.resources import Row

Column = npt.NDArray[np.int64]

_KEPT_ROWS = 4096


class Table:
    """
    One resource's rows.

    `base_row(sequence)` makes the row underneath; `columns` are arrays over 0…`count` (index 0 is nobody) that are
    kept in step with changes; `ids` names the ids that do not hide their sequence (loaded rows).
    """

    def __init__(
        self,
        *,
        count: int,
        base_row: Callable[[int], Row],
        key: IdKey,
        columns: Mapping[str, Column],
        ids: Mapping[str, int] | None = None,
    ) -> None:
        self.last_sequence = count
        self.version = 0
        self.columns = dict(columns)
        self._base_count = count
        # Small worlds are read over and over, and making a row takes longer than telling of it.
        self._base_row = lru_cache(_KEPT_ROWS)(base_row)
        self._key = key
        # One page asks for the same few ids over and over: an order for each of its relationships.
        self._hidden = lru_cache(_KEPT_ROWS)(partial(sequence_of, key))
        self._ids = None if ids is None else dict(ids)
        self._changed: dict[int, Row] = {}
        self._deleted: set[int] = set()
        self._alive: Column | None = None

    def __len__(self) -> int:
        return self.last_sequence - len(self._deleted)

    def row(self, sequence: int) -> Row:
        """Return the row at `sequence`, as it is now. It must not be changed by the caller."""
        row = self._changed.get(sequence)
        return row if row is not None else self._base_row(sequence)

    def sequence(self, id_: str) -> int | None:
        """Return the sequence of `id_`, of a living or a deleted row, or None when there never was one."""
        if self._ids is not None:
            return self._ids.get(id_)
        sequence = self._hidden(id_)
        return sequence if sequence is not None and 1 <= sequence <= self.last_sequence else None

    def find(self, id_: str) -> Row | None:
        """Return the living row with this id."""
        sequence = self.sequence(id_)
        return None if sequence is None or sequence in self._deleted else self.row(sequence)

    def is_alive(self, sequence: int) -> bool:
        """Return whether the row at `sequence` is there."""
        return 1 <= sequence <= self.last_sequence and sequence not in self._deleted

    def alive(self) -> Column:
        """Return the sequences of all living rows, ascending."""
        if self._alive is None:
            every = np.arange(1, self.last_sequence + 1, dtype=np.int64)
            gone = np.fromiter(self._deleted, np.int64, len(self._deleted))
            self._alive = np.delete(every, gone - 1) if len(gone) else every
        return self._alive

    def insert(self, row: Row, **columns: int) -> str:
        """Add `row` at the end of the sequence and return its id (the row's own, or a new one)."""
        self.last_sequence += 1
        sequence = self.last_sequence
        id_ = row.get("id") or id_of(self._key, sequence)
        if self._ids is not None:
            self._ids[id_] = sequence
        self._changed[sequence] = {**row, "id": id_}
        for name, column in self.columns.items():
            self.columns[name] = np.append(column, columns.get(name, times.NULL))
        self._changed_something()
        return id_

    def update(self, id_: str, changes: Row, **columns: int) -> Row:
        """Replace attributes of the living row `id_` and return the row. Raises KeyError when there is none."""
        sequence = self.sequence(id_)
        if sequence is None or sequence in self._deleted:
            raise KeyError(id_)
        row = self._changed[sequence] = {**self.row(sequence), **changes}
        for name, value in columns.items():
            self.columns[name][sequence] = value
        self._changed_something()
        return row

    def delete(self, id_: str) -> None:
        """Remove the living row `id_`. Raises KeyError when there is none."""
        sequence = self.sequence(id_)
        if sequence is None or sequence in self._deleted:
            raise KeyError(id_)
        self._deleted.add(sequence)
        self._changed_something()

    def _changed_something(self) -> None:
        self._alive = None
        self.version += 1
