"""
Which rows a list request means: conditions and sort to sequences, through indexes where there are some.

Ids and instants are arrays: a window of `created_at`, an `id_gt`, a count need no look at a row. Everything else
looks at every row that is left. A selection is kept until the world changes, so a walk by `id_gt` through one
window pays for it once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reconcile.sandbox.api.filters import Condition, Path, holds
from reconcile.sandbox.api.refusals import filter_not_allowed
from reconcile.sandbox.world import times
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.table import Table
from reconcile.sandbox.world.world import World

Sequences = npt.NDArray[np.int64]
Sort = tuple[tuple[str, bool], ...]

_KEPT_BYTES = 256 * 1024 * 1024
_ABSENCE = {"null": True, "blank": True, "not_null": False, "present": False}
_COMPARE = {
    "eq": np.equal,
    "lt": np.less,
    "lteq": np.less_equal,
    "gt": np.greater,
    "gteq": np.greater_equal,
}
_BOUNDS = {"gt": (1, None), "gteq": (0, None), "lt": (None, 0), "lteq": (None, 1)}


class Selections:
    """
    The selections of one world, the most recent ones kept. `others` are tables that are not the world's.

    Conditions that cross a relationship of `uncrossed` are refused, as where the vendor has not opened it to filters.
    """

    def __init__(
        self, world: World, others: Mapping[str, Table] | None = None, *, uncrossed: Collection[str] = ()
    ) -> None:
        self._world = world
        self._uncrossed = frozenset(uncrossed)
        self._tables = {
            **(others or {}),
            "klarna_payments": world.payments,
            "orders": world.orders,
            "klarna_gateways": world.gateways,
            "payment_gateways": world.gateways,
            "payment_methods": world.methods,
            "markets": world.markets,
        }
        self._kept: OrderedDict[Any, Sequences] = OrderedDict()
        self._kept_bytes = 0

    @property
    def types(self) -> tuple[str, ...]:
        """The resource types that have a table."""
        return tuple(self._tables)

    def table(self, type_: str) -> Table:
        """Return the table behind a resource type."""
        return self._tables[type_]

    def select(self, type_: str, conditions: tuple[Condition, ...], sort: Sort) -> Sequences:
        """
        Return the sequences of the rows that satisfy every condition, in the order of `sort`.

        Raises Refusal for a condition that crosses where it may not.
        """
        for path in (path for one in conditions for path in one.paths):
            if path.crossing in self._uncrossed:
                raise filter_not_allowed(f"{path.crossing}_{path.attribute}")
        bounds = [one for one in conditions if _bounds_id(one)] if sort in _BY_ID else []
        others = tuple(one for one in conditions if one not in bounds)
        chosen = self._kept_or_chosen(type_, others, sort)
        for bound in bounds:
            chosen = self._cut(type_, chosen, bound, descending=sort[0][1])
        return chosen

    def _kept_or_chosen(self, type_: str, conditions: tuple[Condition, ...], sort: Sort) -> Sequences:
        if any(one.predicate == "jcont" for one in conditions):  # a JSON value cannot be a key
            return self._choose(type_, conditions, sort)
        key = (type_, conditions, sort, self.table(type_).version, self._world.orders.version)
        chosen = self._kept.get(key)
        if chosen is None:
            chosen = self._choose(type_, conditions, sort)
            self._keep(key, chosen)
        self._kept.move_to_end(key)
        return chosen

    def _choose(self, type_: str, conditions: tuple[Condition, ...], sort: Sort) -> Sequences:
        chosen = self.table(type_).alive()
        slow = []
        for one in conditions:
            mask = self._indexed(type_, chosen, one)
            if mask is None:
                slow.append(one)
            else:
                chosen = chosen[mask]
        if slow:
            kept = [seq for seq in chosen.tolist() if all(self._satisfies(type_, seq, one) for one in slow)]
            chosen = np.array(kept, np.int64)
        for name, descending in reversed(sort):
            chosen = self._sorted(type_, chosen, name, descending=descending)
        return chosen

    def _indexed(self, type_: str, chosen: Sequences, one: Condition) -> npt.NDArray[np.bool_] | None:
        """Return which of `chosen` satisfy the condition, or None when no index knows."""
        if len(one.paths) > 1:
            return None
        path = one.paths[0]
        values = self._column(type_, chosen, path)
        if values is None:
            return None
        wanted = one.wanted[0]
        if path.kind == "id" and one.predicate not in _ABSENCE:
            wanted = self._sequences(type_, path, one.predicate, wanted)
        null = values == (0 if path.kind == "id" else times.NULL)
        if one.predicate in _ABSENCE:
            return np.asarray(null == (wanted is _ABSENCE[one.predicate]))
        if one.predicate == "in":
            return np.asarray(np.isin(values, np.array(wanted, np.int64)) & ~null)
        compare = _COMPARE.get(one.predicate)
        return None if compare is None else np.asarray(compare(values, wanted) & ~null)

    def _column(self, type_: str, chosen: Sequences, path: Path) -> Sequences | None:
        table = self.table(type_)
        if path.crossing is None:
            if path.kind == "id":
                return chosen
            column = table.columns.get(path.attribute)
            return None if column is None else column[chosen]
        if path.crossing == "order":
            orders = table.columns["order"][chosen]
            if path.kind == "id":
                return orders
            column = self._world.orders.columns.get(path.attribute)
            return None if column is None else column[orders]
        return None

    def _sequences(self, type_: str, path: Path, predicate: str, wanted: Any) -> Any:
        """Return the sequences behind the ids in `wanted`; refuses an id that hides none, unless it is sought."""
        table = self.table(TYPES[type_].crossings[path.crossing] if path.crossing else type_)
        texts = wanted if isinstance(wanted, tuple) else (wanted,)
        found = [table.sequence(text) for text in texts]
        if predicate in {"eq", "in"}:
            sequences = [sequence for sequence in found if sequence is not None]
            return tuple(sequences) if predicate == "in" else (sequences[0] if sequences else -1)
        if None in found:
            # What a real server does with an id that hides nothing is not documented; it cannot be compared.
            raise filter_not_allowed(f"{path.attribute}_{predicate}", why=f'has the value "{texts[0]}", no id')
        return tuple(found) if isinstance(wanted, tuple) else found[0]

    def _cut(self, type_: str, chosen: Sequences, bound: Condition, *, descending: bool) -> Sequences:
        sequence = self._sequences(type_, bound.paths[0], bound.predicate, bound.wanted[0])
        after, before = _BOUNDS[bound.predicate]
        rising = chosen[::-1] if descending else chosen
        if after is not None:
            rising = rising[np.searchsorted(rising, sequence + after) :]
        if before is not None:
            rising = rising[: np.searchsorted(rising, sequence + before)]
        return rising[::-1] if descending else rising

    def _satisfies(self, type_: str, sequence: int, one: Condition) -> bool:
        return any(
            holds(one.predicate, *self._operands(type_, sequence, path, one.predicate, wanted))
            for path, wanted in zip(one.paths, one.wanted, strict=True)
        )

    def _operands(self, type_: str, sequence: int, path: Path, predicate: str, wanted: Any) -> tuple[Any, Any]:
        """Return a row's value and what is wanted of it, both comparable: ids and instants as numbers."""
        if path.kind in {"id", "time"}:
            column = self._column(type_, np.array([sequence]), path)
            if column is not None:
                nobody = 0 if path.kind == "id" else times.NULL
                number = int(column[0])
                if path.kind == "id" and predicate not in _ABSENCE:
                    wanted = self._sequences(type_, path, predicate, wanted)
                return (None if number == nobody else number), wanted
        row: Row | None = self.table(type_).row(sequence)
        if path.crossing is not None and row is not None:
            row = self._across(row, path.crossing)
        value = None if row is None else row.get(path.attribute)
        if path.kind == "time" and value is not None:
            value = times.from_text(value)
        return value, wanted

    def _across(self, row: Row, crossing: str) -> Row | None:
        if crossing == "order":
            return self._world.order_of(row)
        if crossing == "payment_method":
            return self._world.method_of(row)
        return self._world.payments.find(row["payment_source_id"]) if row.get("payment_source_id") else None

    def _sorted(self, type_: str, chosen: Sequences, name: str, *, descending: bool) -> Sequences:
        """Return `chosen` sorted by one attribute, stable; nulls are last, and first when descending (PostgreSQL)."""
        table = self.table(type_)
        if name == "id":
            values = chosen
        elif name in table.columns:
            values = table.columns[name][chosen]
            values = np.where(values == times.NULL, np.iinfo(np.int64).max, values)
        else:
            texts = [table.row(sequence).get(name) for sequence in chosen.tolist()]
            ranks = {text: rank for rank, text in enumerate(sorted({text for text in texts if text is not None}))}
            values = np.array([len(ranks) if text is None else ranks[text] for text in texts], np.int64)
        order = np.argsort(-values if descending else values, kind="stable")
        return chosen[order]

    def _keep(self, key: Any, chosen: Sequences) -> None:
        self._kept[key] = chosen
        self._kept_bytes += chosen.nbytes
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= oldest.nbytes


_BY_ID: tuple[Sort, ...] = ((("id", False),), (("id", True),))


def _bounds_id(one: Condition) -> bool:
    return one.predicate in _BOUNDS and len(one.paths) == 1 and one.paths[0].kind == "id" and not one.paths[0].crossing
