"""
The transactions of a world: what the rows of its orders tell of, until something else is stated.

An order of which no transactions are stated has those that its `payment_status` tells of, for the amounts that it had
at first: a total that is changed later does not change what was authorized. From the moment a transaction of an
order is stated, added or changed, its transactions are what was stated, and the status tells nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache

from reconcile.sandbox.world.attributes import spell_out
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.ids import id_of, sequence_of
from reconcile.sandbox.world.journal import (
    MOST_PER_ORDER,
    NOTHING,
    TRANSACTIONS,
    TransactionKeys,
    Transactions,
    transaction_row,
)
from reconcile.sandbox.world.money_types import BALANCES
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.table import Table

_KEPT_ORDERS = 4096
_STATED_FROM = 1 << 50
"""Ids of stated transactions hide numbers from here on; those of told ones hide their order's place below."""

Tell = Callable[[int, Row], Transactions]
"""Returns the transactions that an order's row at a hidden place tells of."""


class Money:
    """The transactions of the orders in a table. `tell` says what the row of an order tells of."""

    def __init__(self, orders: Table, keys: TransactionKeys, tell: Tell) -> None:
        self._orders = orders
        self._keys = keys
        self._tell = tell
        self._told = lru_cache(_KEPT_ORDERS)(self._told_with)
        self._first: dict[int, Row] = {}
        self._moved: dict[str, Transactions] = {}
        self._stated: dict[str, dict[str, dict[str, Row]]] = {}
        self._orders_of: dict[tuple[str, str], str] = {}
        self._next = _STATED_FROM

    def of(self, order: Row) -> Transactions:
        """Return the transactions of an order's row, by type. They must not be changed by the caller."""
        stated = self._stated.get(order["id"])
        if stated is not None:
            return {name: tuple(rows.values()) for name, rows in stated.items()}
        moved = self._moved.get(order["id"])
        if moved is not None:
            return moved
        sequence = self._orders.sequence(order["id"])
        if sequence is None or order.get("payment_status") in (None, "free"):
            return NOTHING
        return self._told(sequence, order["payment_status"])

    def find(self, type_: str, id_: str) -> Row | None:
        """Return the transaction of a type with this id."""
        order_id = self._orders_of.get((type_, id_))
        if order_id is None:
            place = sequence_of(self._keys.of_type[type_], id_)
            sequence = 0 if place is None or place >= _STATED_FROM else place // MOST_PER_ORDER
            if not self._orders.is_alive(sequence):
                return None
            order_id = self._orders.row(sequence)["id"]
        order = self._orders.find(order_id)
        rows = () if order is None else self.of(order)[type_]
        return next((row for row in rows if row["id"] == id_), None)

    def everything(self, type_: str) -> Iterator[Row]:
        """Yield every transaction of a type, in the order of their orders: meant for small worlds."""
        for sequence in self._orders.alive().tolist():
            yield from self.of(self._orders.row(sequence))[type_]

    def note_change(self, before: Row, after: Row) -> None:
        """Take note of a change of an order: what its new status tells of beside what was there happens now."""
        sequence = self._orders.sequence(after["id"])
        assert sequence is not None, "the order is there"
        there = {row["id"]: row for rows in self.of(before).values() for row in rows}
        first = self._first.setdefault(sequence, before)
        if before.get("payment_status") == after.get("payment_status") or after["id"] in self._stated:
            return
        told = self._tell(sequence, {**first, "payment_status": after.get("payment_status")})
        self._moved[after["id"]] = {
            name: tuple(_at_its_time(row, there.get(row["id"]), after["updated_at"]) for row in rows)
            for name, rows in told.items()
        }

    def state(self, transactions: Mapping[str, Iterable[Row]]) -> None:
        """Say that there are no transactions of any order but these, by type. Raises KeyError for an unknown order."""
        by_order: dict[str, dict[str, list[Row]]] = {}
        for name, rows in transactions.items():
            for row in rows:
                by_order.setdefault(row["order_id"], {}).setdefault(name, []).append(row)
        for sequence in self._orders.alive().tolist():
            order = self._orders.row(sequence)
            self.state_order(order, by_order.pop(order["id"], {}))
        for order_id in by_order:
            raise KeyError(order_id)

    def state_order(self, order: Row, transactions: Mapping[str, Iterable[Row]]) -> None:
        """Say what all transactions of an order are, by type."""
        self._stated[order["id"]] = {name: {} for name in TRANSACTIONS}
        for name in TRANSACTIONS:
            for row in transactions.get(name, ()):
                self._put(name, order, row)

    def add(self, type_: str, order: Row, row: Row) -> Row:
        """Add one transaction to an order, beside those it has, and return it with its id."""
        self._keep(order)
        return self._put(type_, order, row)

    def change(self, type_: str, id_: str, changes: Row) -> Row:
        """Change a transaction and return its row. Raises KeyError for an unknown one."""
        row = self.find(type_, id_)
        if row is None:
            raise KeyError(id_)
        order = self._orders.find(row["order_id"])
        assert order is not None, "found through its order"
        self._keep(order)
        changed = self._stated[order["id"]][type_][id_] = {**row, **changes}
        return changed

    def complete(self, row: Row, type_: str) -> Row:
        """Return all attributes of a transaction: floats, formatted amounts, and what is left of it."""
        full = {**self._balances(row, type_), **row}
        for amount in ("amount", *BALANCES[type_]):
            spell_out(full, amount, full.get("currency_code"))
        return {name: full.get(name) for name in TYPES[type_].attributes}

    def following(self, row: Row, type_: str, name: str) -> tuple[Row, ...]:
        """Return the transactions `name` of an order that refer to one of its authorizations or captures."""
        order = self._orders.find(row["order_id"])
        reference = "reference_capture_id" if type_ == "captures" else "reference_authorization_id"
        rows = () if order is None else self.of(order)[name]
        return tuple(one for one in rows if one.get(reference) == row["id"])

    def _told_with(self, sequence: int, payment_status: str) -> Transactions:
        row = self._first.get(sequence) or self._orders.row(sequence)
        return self._tell(sequence, {**row, "payment_status": payment_status})

    def _keep(self, order: Row) -> None:
        """Take what an order's row tells of as stated."""
        if order["id"] not in self._stated:
            self.state_order(order, self.of(order))

    def _put(self, type_: str, order: Row, row: Row) -> Row:
        stated = self._stated[order["id"]]
        id_ = row.get("id")
        if id_ is None:
            self._next += 1
            id_ = id_of(self._keys.of_type[type_], self._next)
        place = 1 + sum(len(rows) for rows in stated.values())
        full: Row = {
            **transaction_row(type_, id_, order, place),
            "payment_source_type": order.get("payment_source_type") or "klarna_payments",
            "payment_source_id": order.get("payment_source_id"),
            "created_at": order.get("updated_at"),
            "updated_at": order.get("updated_at"),
            **row,
            "id": id_,
        }
        stated[type_][id_] = full
        self._orders_of[type_, id_] = order["id"]
        return full

    def _balances(self, row: Row, type_: str) -> Row:
        if type_ not in ("authorizations", "captures"):
            return {}
        names = ("captures", "voids") if type_ == "authorizations" else ("refunds",)
        gone = [_succeeded(self.following(row, type_, name)) for name in names]
        left = row["amount_cents"] - gone[0] if row["succeeded"] else 0
        if type_ == "captures":
            return {"refund_amount_cents": left, "refund_balance_cents": left}
        open_ = left - gone[1] if row["succeeded"] else 0
        return {"capture_amount_cents": open_, "capture_balance_cents": open_, "void_balance_cents": open_}


def _at_its_time(row: Row, former: Row | None, now: str) -> Row:
    """Return a transaction that is told of anew: as it was there before, else as of now."""
    if former is not None:
        as_before = {**row, "created_at": former["created_at"], "updated_at": former["updated_at"]}
        if as_before == former:
            return former
    return {**row, "created_at": now, "updated_at": now}


def _succeeded(rows: Iterable[Row]) -> int:
    return sum(row["amount_cents"] for row in rows if row["succeeded"])
