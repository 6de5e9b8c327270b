"""
Which rows of an order are its total, where orders have several that a column tells apart, such as a type of amounts.

A value of that column which each of these orders has may name their totals. Which one does is for people to say: every
one is told with some of its amounts, and so is that all rows count.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from reconcile.orders.columns.mapping import KEYS
from reconcile.orders.proposals.choices import Choice, one_of
from reconcile.orders.proposals.columns import Column

_MOST_VALUES = 20
_MOST_KINDS = 4
_SAMPLES = 3
_SIGNS_OF_PATTERNS = set("*?")
_ADDED_UP = "where several rows of an order count, --group-orders sum adds them up"


class _Row(NamedTuple):
    at: int
    key: str
    cents: int
    text: str
    values: dict[str, str]


class _Kind(NamedTuple):
    """
    A value that each order has: where these rows are, their sum, some of their amounts.

    `is_once`: it is one row of each order; `is_sum`: that is the sum of the others, which are several.
    """

    column: str
    value: str
    rows: frozenset[int]
    cents: int
    shown: str
    is_once: bool
    is_sum: bool


def several_rows(table: pa.Table) -> frozenset[str]:
    """Return the keys that several rows of a table of ORDERS have, where those are most of them; else none."""
    count = Counter(key for key in _keys(table) if key is not None)
    found = frozenset(key for key, rows in count.items() if rows > 1)
    return found if len(found) > max(1, len(count) / 2) else frozenset()


def telling(columns: Sequence[Column]) -> tuple[str, ...]:
    """Return the names of columns that may tell the rows of an order apart: few words come again and again there."""
    names = Counter(one.name for one in columns)
    return tuple(
        one.name
        for one in columns
        if one.name.strip() and names[one.name] == 1 and "=" not in one.name and not one.is_amount
        if not one.is_currency and 1 < len({*map(str.casefold, one.texts)}) <= min(_MOST_VALUES, len(one.texts) / 2)
    )


def of_kinds(table: pa.Table, names: Sequence[str]) -> Choice:
    """Return the choice between rows of the orders in a table of ORDERS that carries the columns `names`."""
    rows = _rows_of(table, several_rows(table))
    kinds: dict[frozenset[int], _Kind] = {}
    for kind in (kind for name in names for kind in _kinds(rows, name)):
        kinds.setdefault(kind.rows, kind)  # of two columns that say the same, the first
    best = sorted(kinds.values(), key=lambda kind: (not kind.is_sum, -kind.cents))[:_MOST_KINDS]
    if not best:
        return Choice()
    ways = [(_condition(kind), {kind.column: (kind.value,)}) for kind in best]
    found = one_of("only", [*ways, ("if all rows of an order together are its total", {})])
    return Choice(found.ways, [_ADDED_UP])


def _condition(kind: _Kind) -> str:
    of_it = f'with "{kind.value}" in {kind.column} ({kind.shown})'
    rows = f"is its row {of_it}" if kind.is_once else f"is that of its rows {of_it}"
    return f"if the total of an order {rows}{', the sum of its others' if kind.is_sum else ''}"


def _rows_of(table: pa.Table, keys: frozenset[str]) -> list[_Row]:
    return [
        _Row(at, key, row["amount_cents"] or 0, row["amount_raw"] or "", json.loads(row["carried"] or "{}"))
        for at, (key, row) in enumerate(zip(_keys(table), table.to_pylist(), strict=True))
        if key in keys
    ]


def _keys(table: pa.Table) -> list[str | None]:
    columns = [table[name].to_pylist() for name in KEYS]
    return [next(filter(None, keys), None) for keys in zip(*columns, strict=True)]


def _kinds(rows: Sequence[_Row], name: str) -> Iterator[_Kind]:
    """Yield the values of a column that each order has, unless all rows have it."""
    whole = _sums(rows)
    found: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        found[row.values.get(name, "").casefold()].append(row)
    for mine in found.values():
        value, sums = mine[0].values.get(name, ""), _sums(mine)
        if not value or _SIGNS_OF_PATTERNS & set(value) or len(sums) < len(whole) or len(mine) == len(rows):
            continue
        is_once, others = len(mine) == len(sums), len(rows) - len(mine)
        yield _Kind(
            name,
            value,
            frozenset(row.at for row in mine),
            sum(sums.values()),
            ", ".join(row.text for row in mine[:_SAMPLES]),
            is_once,
            is_once and others > len(sums) and all(cents == whole[key] - cents != 0 for key, cents in sums.items()),
        )


def _sums(rows: Sequence[_Row]) -> dict[str, int]:
    """Return the sum of each order's rows."""
    sums: defaultdict[str, int] = defaultdict(int)
    for row in rows:
        sums[row.key] += row.cents
    return sums
