"""
An order's money, column by column: the same values that `transactions` gives row by row, or hands off.

Knows pages whose linkages are complete: whatever is linked is included on the same page, once. Takes what Arrow's JSON
reader made of the pages; `Unsure` says that something is not so, and the pages are read row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from reconcile.commercelayer.moments import within_calendar
from reconcile.commercelayer.relations import SUM_OF
from reconcile.commercelayer.transactions import KLARNA, nested, sha256_of_token
from reconcile.files.arrow import Column, Numbers, int32_column, present, text, text_column
from reconcile.files.arrow import compute as pc
from reconcile.money import MOST_CENTS

_BETWEEN = text("\n")
_NOWHERE = -1


class Unsure(Exception):
    """Something is not as on an ordinary page."""


@dataclass(frozen=True, slots=True)
class IncludedRows:
    """All resources that are included in some pages, and the number of the page that each is on."""

    rows: Column
    pages: Numbers
    types: Numbers
    names: list[str]

    @classmethod
    def of(cls, rows: Column, pages: Numbers) -> IncludedRows:
        """Take `rows`, each with an id and a type. Raises Unsure where one has none."""
        if field(rows, "type").null_count or field(rows, "id").null_count:
            raise Unsure
        types: Any = field(rows, "type").dictionary_encode()
        return cls(rows, pages, np.asarray(types.indices), types.dictionary.to_pylist())

    def places_of(self, type_: str) -> Numbers:
        """Return where the resources are whose type is, or ends with, `type_`."""
        codes = [code for code, name in enumerate(self.names) if name == type_ or name.endswith(type_)]
        return np.flatnonzero(np.isin(self.types, codes))

    def linked(self, type_: str, ids: Column, pages: Numbers) -> Numbers:
        """
        Return where the resource of `type_` is that each of `ids` links to from the page it is on; -1 without a link.

        Raises Unsure where a resource is on a page twice; one that is not on the page is nowhere, too.
        """
        places = self.places_of(type_)
        known, on = field(self.rows, "id").take(int32_column(places)), self.pages[places]
        if len(pc.unique(known)) < len(known):
            # The same resource may look different on another page, read at another moment.
            ids, known = _on_page(ids, pages), _on_page(known, on)
            if len(pc.unique(known)) < len(known):
                raise Unsure
        found = pc.fill_null(pc.index_in(ids, value_set=known, skip_nulls=True), _NOWHERE)
        at = np.frombuffer(found.buffers()[1], np.int32, len(found), 4 * found.offset)
        if not len(known):
            return at
        here = (at >= 0) & (on[at] == pages)  # nowhere is the last place, and masked
        return np.where(here, places[at], _NOWHERE)

    def values(self, places: Numbers, *path: str) -> Column:
        """Return the field at `path` of the resources at `places`, null for those nowhere."""
        column = field(self.rows, *path)
        return column.take(_with_nulls(places))


def field(rows: Any, *path: str) -> Column:
    """Return the field at `path` of each row. Arrow's reader has filled in nulls below whatever is missing."""
    for name in path:
        rows = rows.field(name)
    column: Column = rows
    return column


def money_columns(
    included: IncludedRows, orders: Numbers, pages: Numbers, payment_ids: Column, currencies: Column
) -> dict[str, Column]:
    """
    Return the columns of MIRRORED that come with an order's money, but for its own attributes; all have one length.

    `orders` are the places of the payments' orders (-1: none), `currencies` their currencies. The times of transactions
    are yet text: see `Transactions`.
    Raises Unsure.
    """
    market_ids = included.values(orders, "relationships", "market", "data", "id")
    markets = included.linked("markets", market_ids, pages)
    return {
        **_sources(included, orders, payment_ids),
        "market_id": market_ids,
        "market_name": included.values(markets, "attributes", "name"),
        **_transactions(included, orders, pages, currencies),
    }


def _sources(included: IncludedRows, orders: Numbers, payment_ids: Column) -> dict[str, Column]:
    """The current source of each order: its type, and whether the payment is it; null where there is none."""
    source = included.values(orders, "relationships", "payment_source", "data")
    ids, types = field(source, "id"), field(source, "type")
    if ids.null_count != types.null_count:
        raise Unsure
    is_current = pc.and_(pc.equal(types, text(KLARNA)), pc.equal(ids, payment_ids))
    return {"order_source_type": types, "is_current_source": is_current}


@dataclass(frozen=True, slots=True)
class _Linked:
    """Transactions one after another, type after type: the payment that each comes with, and where it is included."""

    rows: Numbers
    places: Numbers
    ends: tuple[int, ...]


def _transactions(included: IncludedRows, orders: Numbers, pages: Numbers, currencies: Column) -> dict[str, Column]:
    """The sums of each order's transactions, and the transactions."""
    rows, places, ends, are_there = [], [], [0], []
    for type_ in SUM_OF:
        lists: Any = included.values(orders, "relationships", type_, "data")
        offsets = np.frombuffer(lists.buffers()[1], np.int32, len(lists) + 1, 4 * lists.offset)
        of_type = np.repeat(np.arange(len(lists)), np.diff(offsets))
        ids = field(lists.values, "id").slice(int(offsets[0]), len(of_type))
        found = included.linked(type_, ids, pages[of_type])
        if (found == _NOWHERE).any():
            raise Unsure
        rows.append(of_type)
        places.append(found)
        ends.append(ends[-1] + len(found))
        are_there.append(present(lists))
    linked = _Linked(np.concatenate(rows), np.concatenate(places), tuple(ends))
    sums = _sums(included, linked, are_there, currencies)
    return {**sums, "transactions": _lists(included, linked, np.logical_or.reduce(are_there))}


def _sums(included: IncludedRows, linked: _Linked, are_there: list[Numbers], currencies: Column) -> dict[str, Column]:
    """The sum of each type, null where it is not known."""
    amounts = included.values(linked.places, "attributes", "amount_cents")
    bounds = pc.min_max(amounts).as_py()
    largest = max(abs(bounds["min"] or 0), abs(bounds["max"] or 0))
    if largest * len(amounts) > MOST_CENTS:
        raise Unsure  # a sum of some may be too large
    codes = included.values(linked.places, "attributes", "currency_code")
    if pc.any(pc.equal(codes, text(""))).as_py():
        raise Unsure
    succeeded = _true(included.values(linked.places, "attributes", "succeeded"))
    counted = succeeded & _true(pc.equal(codes, currencies.take(int32_column(linked.rows)))) & present(amounts)
    unknown = _added_up(linked, succeeded & ~counted, len(currencies))
    filled = np.frombuffer(pc.fill_null(amounts, 0).buffers()[1], np.int64, len(amounts))
    totals = _added_up(linked, np.where(counted, filled, 0), len(currencies))
    return {
        column: _whole_numbers(total, there & (odd == 0))
        for column, total, odd, there in zip(SUM_OF.values(), totals, unknown, are_there, strict=True)
    }


def _added_up(linked: _Linked, values: Numbers, payments: int) -> list[Numbers]:
    """The sum of `values` for each payment, by type. They come in the payments' order: exact, in whole numbers."""
    sums = []
    for start, end in zip(linked.ends, linked.ends[1:], strict=False):
        running = np.concatenate([[0], np.cumsum(values[start:end], dtype=np.int64)])
        edges = np.searchsorted(linked.rows[start:end], np.arange(payments + 1))
        sums.append(np.diff(running[edges]))
    return sums


def _lists(included: IncludedRows, linked: _Linked, are_there: Numbers) -> Column:
    """The transactions of each payment's order."""
    in_turn = np.argsort(linked.rows, kind="stable")  # by payment, and for each by type
    places = linked.places[in_turn]
    types = np.repeat(np.arange(len(SUM_OF)), np.diff(linked.ends))[in_turn]
    sources = included.values(places, "relationships", "payment_source", "data")
    source_ids, source_types = field(sources, "id"), field(sources, "type")
    if source_ids.null_count != source_types.null_count:
        raise Unsure
    tokens = included.values(places, "attributes", "token").to_pylist()

    def own(name: str) -> Column:
        return included.values(places, "attributes", name)

    columns = [
        included.values(places, "id"),
        text_column(list(SUM_OF)).take(int32_column(types)),
        pc.if_else(pc.equal(source_types, text(KLARNA)), source_ids, pa.nulls(len(places), pa.string())),
        own("number"),
        own("amount_cents"),
        own("currency_code"),
        own("succeeded"),
        own("gateway_transaction_id"),
        text_column([sha256_of_token(token) for token in tokens]),
        within_calendar(own("created_at")),
    ]
    return nested(columns, np.bincount(linked.rows, minlength=len(are_there)), are_there)


def _true(column: Column) -> Numbers:
    """Return for each row of `column`, booleans, whether it is true; null is not."""
    values: Any = pc.fill_null(column, False).buffers()[1]
    bits = np.unpackbits(np.frombuffer(values, np.uint8), bitorder="little")
    flags: Numbers = bits[: len(column)].astype(np.bool_)
    return flags


def _whole_numbers(values: Numbers, known: Numbers) -> Column:
    """Return `values` as a column of int64, null where they are not `known`."""
    numbers = np.ascontiguousarray(values, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(numbers), [_validity(known), pa.py_buffer(numbers.data)])


def _with_nulls(places: Numbers) -> Column:
    """Return `places` as a column of int32, null for those that are nowhere."""
    numbers = np.ascontiguousarray(places, np.int32)
    return pa.Array.from_buffers(pa.int32(), len(numbers), [_validity(numbers >= 0), pa.py_buffer(numbers.data)])


def _validity(known: Numbers) -> pa.Buffer | None:
    return None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little").data)


def _on_page(ids: Column, pages: Numbers) -> Column:
    joined: Column = pc.binary_join_element_wise(ids, int32_column(pages).cast(pa.string()), _BETWEEN)
    return joined
