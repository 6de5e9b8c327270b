"""
Columns that stand inside objects, under names with dots: which plain names they answer to.

Knows names only. A member of the one object that holds all there is of a row (`attributes` in JSON:API, `node` in
GraphQL) answers to its own name as one outside does; `total.amount` with a currency beside it answers to `total`; any
other answers to its last part, where no second column has it. `mapping` decides what such a name is worth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from reconcile.orders.columns.names import folded

_ABOUT_ROWS = frozenset(
    ("id", "type", "links", "relationships", "meta", "cursor", "_id", "_index", "_score", "_type", "live")
)
"""What stands beside the object that holds a row, and says nothing of the order."""

_AMOUNTS = frozenset(("amount", "value"))
_CURRENCIES = frozenset(("currency", "currencycode", "currencyiso"))
_SAY_NOTHING = frozenset(
    ("attributes", "order", "orders", "data", "node", "document", "record", "item", "fields", "properties", "payload")
) | frozenset(("body", "header", "values", "totals", "amounts", "metadata", "source"))
"""Objects whose own name does not change what a total inside them is."""


@dataclass(frozen=True, slots=True)
class Answered:
    """
    What columns answer to, folded, each at the column's place.

    `plain` are names as of columns outside of objects, `last` those that count where no plain one does: empty where
    there is none. `is_total` says of a `last` name that it may be a total without a look at the object around it.
    """

    plain: tuple[str, ...]
    last: tuple[str, ...]
    is_total: tuple[bool, ...]


def answered(names: Sequence[str], inside: Collection[str]) -> Answered:
    """Return what `names` answer to; those of `inside` stand inside objects, under names with dots."""
    if not inside:
        plain = tuple(map(folded, names))
        return Answered(plain, ("",) * len(plain), (False,) * len(plain))
    around = _around(names, inside)
    spoken = [_spoken(name, names, inside).removeprefix(around) for name in names]
    is_inner = [name in inside and "." in short for name, short in zip(names, spoken, strict=True)]
    plain = tuple(map(folded, spoken))
    last = [folded(short.rpartition(".")[2]) if inner else "" for short, inner in zip(spoken, is_inner, strict=True)]
    outside = {one for one, inner in zip(plain, is_inner, strict=True) if not inner}
    times = Counter(last)
    return Answered(
        plain,
        tuple(one if times[one] == 1 and one not in outside else "" for one in last),
        tuple(inner and _SAY_NOTHING.issuperset(map(folded, short.split(".")[:-1]))
              for short, inner in zip(spoken, is_inner, strict=True)),
    )  # fmt: skip


def beside(place: int, names: Sequence[str], inside: Collection[str]) -> list[int]:
    """Return the places of the columns that stand in the same object as the one at `place`, none outside of objects."""
    if names[place] not in inside:
        return []
    parent = names[place].rpartition(".")[0]
    return [at for at, name in enumerate(names) if name in inside and name.rpartition(".")[0] == parent]


def _around(names: Sequence[str], inside: Collection[str]) -> str:
    """Return the beginning, with its dot, of all names that say something of the order, "" where they share none."""
    outer = {name.partition(".")[0] if name in inside else name for name in names} - _ABOUT_ROWS
    objects = {name.partition(".")[0] for name in inside}
    return f"{next(iter(outer))}." if len(outer) == 1 and outer <= objects else ""


def _spoken(name: str, names: Sequence[str], inside: Collection[str]) -> str:
    """Return the name of the object around an amount, where that holds nothing but its currency beside it."""
    parent, _, own = name.rpartition(".")
    if name not in inside or folded(own) not in _AMOUNTS:
        return name
    members = {folded(other.rpartition(".")[2]) for other in inside if other.rpartition(".")[0] == parent}
    alone = members == {folded(own)}
    return parent if alone or (members & _CURRENCIES and len(members & _AMOUNTS) == 1) else name
