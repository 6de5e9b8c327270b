"""
Which break is which: a break is what it is about, not how it looks tonight.

The one place that knows when a break goes on from one of the run before, which of them become one, and what a break is
called that was there long ago, or never. Takes whole tables of breaks, and works in time that grows with their number,
however many share a key. What is kept of breaks, and how, is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from reconcile.files.arrow import Numbers, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.schema import ABOUT, ITEMS, table_schema

SHARED_KEYS = (
    ("payment_id",),
    ("item_id",),
    ("order_id",),
    ("reference", "payment_reference", "order_reference", "row_reference"),
    ("order_number", "row_order_number"),
)
"""What two breaks may share that are one, in the order in which it is tried: a string of any of these columns."""

BEFORE = pa.schema([*ABOUT, ITEMS.field("break_id"), ITEMS.field("first_seen_on")])
"""What is needed of a break of the run before."""

FOLLOWED = (*BEFORE.names, "state", "at_stake_currency_code", "at_stake_cents")
"""Columns of breaks that are followed from one run to the next: what they are about, and what they put at stake."""

HISTORY = table_schema(
    ("item_id", pa.string(), "as in ITEMS"),
    ("break_id", pa.string(), "as in ITEMS: the break that this item was last"),
    ("first_seen_on", pa.date32(), "business date of the first run in which that break was there"),
    required=("item_id", "break_id", "first_seen_on"),
)
"""What the ledger knows of breaks before a run: one row per item that ever was a break."""

IDENTITY = pa.schema(
    ITEMS.field(name)
    for name in ("item_id", "break_id", "first_seen_on", "state", "changed_from_status", "changed_from_item_id")
)
"""What a break of tonight is found to be."""

_EPOCH = date(1970, 1, 1)


def identities(tonight: pa.Table, before: pa.Table, known: pa.Table, business_date: date) -> pa.Table:
    """
    Return IDENTITY of the breaks `tonight` (ABOUT), sorted by item_id.

    `before` are the breaks of the latest earlier run (BEFORE), `known` those of all earlier runs (HISTORY). Each break
    goes on from at most one, and at most one goes on from each: the oldest first, then by item_id. A break of an order
    row alone whose row now stands in another is cleared into it, which is then as old as the older of both.
    """
    tonight = tonight.select(ABOUT.names).sort_by("item_id").combine_chunks()
    known = known.select(HISTORY.names).combine_chunks()
    before = _oldest_first(before, known, business_date)
    came_from = _came_from(tonight, before)
    goes_on = came_from >= 0
    place = pa.array(came_from, mask=~goes_on)
    since_before = _of(before, "first_seen_on").cast(pa.int32()).to_numpy(zero_copy_only=False)
    since = np.full(tonight.num_rows, (business_date - _EPOCH).days, np.int32)
    since[goes_on] = since_before[came_from[goes_on]]
    _make_one(tonight, before, came_from, since, since_before)

    seen, break_ids = _called(tonight, before, known, goes_on, business_date)
    first_seen_on = pa.array(since, pa.int32()).cast(pa.date32())
    state = pc.if_else(pa.array(goes_on), "open", pc.if_else(pc.is_valid(seen), "reopened", "new"))
    columns = [
        _of(tonight, "item_id"),
        pc.coalesce(_of(before, "break_id").take(place), break_ids),
        pc.if_else(pa.array(goes_on), first_seen_on, pc.coalesce(seen, first_seen_on)),
        state,
        *(_where_other(_of(before, name).take(place), _of(tonight, name)) for name in ("status", "item_id")),
    ]
    return pa.table(dict(zip(IDENTITY.names, columns, strict=True))).cast(IDENTITY)


def _oldest_first(before: pa.Table, known: pa.Table, business_date: date) -> pa.Table:
    """Return `before` with `first_seen_on` as the ledger has it: it knows of runs that came late."""
    before = before.select(BEFORE.names).combine_chunks()
    place = pc.index_in(_of(before, "item_id"), value_set=_of(known, "item_id"))
    of_ledger = _of(known, "first_seen_on").take(place)
    first = pc.coalesce(of_ledger, _of(before, "first_seen_on"), pa.scalar(business_date, pa.date32()))
    at = before.schema.get_field_index("first_seen_on")
    before = before.set_column(at, BEFORE.field(at), first)
    return before.sort_by([("first_seen_on", "ascending"), ("item_id", "ascending")]).combine_chunks()


def _came_from(tonight: pa.Table, before: pa.Table) -> Numbers:
    """Return for each break of tonight the row of the break `before` that it goes on from; -1 where there is none."""
    came_from = np.full(tonight.num_rows, -1, np.int64)
    is_free = np.ones(before.num_rows, np.bool_)
    for columns in SHARED_KEYS:
        shared = _shared(_Side.of(tonight, columns, came_from < 0), _Side.of(before, columns, is_free))
        pairs = _by_rank(*shared) if len(columns) == 1 else _in_turn(*shared)
        came_from[pairs[0]] = pairs[1]
        is_free[pairs[1]] = False
    return came_from


def _make_one(tonight: pa.Table, before: pa.Table, came_from: Numbers, since: Numbers, since_before: Numbers) -> None:
    """Make breaks that go on, `since` a day, as old as those that are cleared into them."""
    heirs = (came_from >= 0) & (_is_null(tonight, "payment_id") | ~_is_null(tonight, "matched_on"))
    is_left = _is_null(before, "payment_id")
    is_left[came_from[came_from >= 0]] = False
    none = tonight.num_rows
    for columns in SHARED_KEYS[2:]:
        ours, theirs = _shared(_Side.of(tonight, columns, heirs), _Side.of(before, columns, is_left))
        if not len(theirs.rows):
            continue
        first = np.full(max(ours.texts.max(), theirs.texts.max()) + 1, none)
        np.minimum.at(first, ours.texts, ours.rows)
        heir = np.full(before.num_rows, none)
        np.minimum.at(heir, theirs.rows, first[theirs.texts])
        found = np.flatnonzero(heir < none)
        np.minimum.at(since, heir[found], since_before[found])
        is_left[found] = False


def _called(
    tonight: pa.Table, before: pa.Table, known: pa.Table, goes_on: Numbers, business_date: date
) -> tuple[Any, Any]:
    """
    Return since when each break was known that does not go on, null for a new one; and what it is called.

    It is called by its first item_id. Where another break is called so, because that one went on when the two parted,
    the date makes the name its own.
    """
    item_ids = _of(tonight, "item_id")
    place = pc.index_in(item_ids, value_set=_of(known, "item_id"))
    once = _of(known, "break_id").take(place)
    is_back = ~goes_on & pc.is_valid(place).to_numpy(zero_copy_only=False)
    is_back &= ~pc.is_in(once, value_set=_of(before, "break_id")).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(is_back)
    names = once.take(pa.array(rows)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    is_first = np.zeros(tonight.num_rows, np.bool_)
    is_first[rows[np.unique(names, return_index=True)[1]]] = True
    back = pa.array(is_first)
    nothing = pa.scalar(None, pa.string())
    dated = pc.binary_join_element_wise(item_ids, f"{business_date:%Y%m%d}", "-")
    fresh = pc.if_else(pc.is_valid(place), dated, item_ids)
    seen = pc.if_else(back, _of(known, "first_seen_on").take(place), pa.scalar(None, pa.date32()))
    return seen, pc.coalesce(pc.if_else(back, once, nothing), fresh)


@dataclass(frozen=True, slots=True)
class _Side:
    """Strings of breaks: the `texts` of some columns, and the `rows` that they are of."""

    rows: Numbers
    texts: Any

    @classmethod
    def of(cls, breaks: pa.Table, columns: tuple[str, ...], wanted: Numbers) -> _Side:
        """Return the strings of the rows that are `wanted`; blank ones say nothing."""
        rows, texts = [np.empty(0, np.int64)], [pa.array([], pa.string())]
        for name in columns:
            column = _of(breaks, name)
            length = pc.fill_null(pc.binary_length(pc.utf8_trim_whitespace(column)), 0)
            chosen = np.flatnonzero(wanted & (length.to_numpy(zero_copy_only=False) > 0))
            rows.append(chosen)
            texts.append(column.take(pa.array(chosen)))
        return cls(np.concatenate(rows), pa.concat_arrays(texts))


def _shared(ours: _Side, theirs: _Side) -> tuple[_Side, _Side]:
    """Return of both sides the strings that both have, as numbers, each once per row, rows in their order."""
    both = pc.unique(ours.texts.filter(pc.is_in(ours.texts, value_set=theirs.texts)))
    sides = []
    for side in (ours, theirs):
        numbers = pc.fill_null(pc.index_in(side.texts, value_set=both), -1).to_numpy(zero_copy_only=False)
        found = np.unique(np.stack([side.rows, numbers])[:, numbers >= 0], axis=1)
        sides.append(_Side(found[0], found[1]))
    return sides[0], sides[1]


def _by_rank(ours: _Side, theirs: _Side) -> tuple[Numbers, Numbers]:
    """Pair rows that have one string each: the first of a string with the first, the second with the second."""
    ranked = []
    for side in (ours, theirs):
        order = np.argsort(side.texts, kind="stable")
        texts = side.texts[order]
        rank = np.arange(len(texts)) - np.searchsorted(texts, texts)
        ranked.append((texts * (len(ours.rows) + len(theirs.rows)) + rank, side.rows[order]))
    (our_places, our_rows), (their_places, their_rows) = ranked
    _, here, there = np.intersect1d(our_places, their_places, assume_unique=True, return_indices=True)
    return our_rows[here], their_rows[there]


def _in_turn(ours: _Side, theirs: _Side) -> tuple[Numbers, Numbers]:
    """Pair rows that may have several strings: theirs one after the other, each with the first of ours still left."""
    pairs = np.array(list(_each_in_turn(ours, theirs)), np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _each_in_turn(ours: _Side, theirs: _Side) -> Iterator[tuple[int, int]]:
    waiting: dict[int, list[int]] = {}
    for row, text in zip(ours.rows[::-1].tolist(), ours.texts[::-1].tolist(), strict=True):
        waiting.setdefault(text, []).append(row)  # the last is the first in order
    texts_of: dict[int, list[int]] = {}
    for row, text in zip(theirs.rows.tolist(), theirs.texts.tolist(), strict=True):
        texts_of.setdefault(row, []).append(text)
    taken: set[int] = set()
    for their_row, texts in texts_of.items():
        for rows in (waiting[text] for text in texts):
            while rows and rows[-1] in taken:
                rows.pop()
        first = min((waiting[text][-1] for text in texts if waiting[text]), default=None)
        if first is not None:
            taken.add(first)
            yield first, their_row


def _of(table: pa.Table, column: str) -> Any:
    return whole_column(table.column(column))


def _is_null(table: pa.Table, column: str) -> Numbers:
    nulls: Numbers = pc.is_null(_of(table, column)).to_numpy(zero_copy_only=False).copy()
    return nulls


def _where_other(was: Any, now: Any) -> Any:
    """Return `was` where it is known and not what it is `now`."""
    return pc.if_else(pc.fill_null(pc.not_equal(was, now), False), was, pa.scalar(None, pa.string()))
