"""
What happened to a payment or an order, event by event: the audit trail behind `event_stores` and `versions`.

The trail of a row begins with events that follow from the row itself, so a generated world has one without keeping
it; changes made while it is served are noted behind them. Credentials are in it, as they are among the attributes.
That `mismatched_amounts` leaves an event is not documented.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconcile.sandbox.world import times
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.ids import id_key, id_of
from reconcile.sandbox.world.resources import ResourceType, Row
from reconcile.sandbox.world.table import Table

Changes = dict[str, tuple[Any, Any]]

TRACKED = ("klarna_payments", "orders")
_INDEX_BITS = 16
_CREATED = ("order_id", "payment_gateway_id", "session_id", "client_token", "payment_methods")
_TOTALS = ("currency_code", "total_amount_cents", "total_tax_amount_cents", "total_amount_with_taxes_cents")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: `event` is create, update or destroy, `changes` has old and new value by name."""

    event: str
    at: int
    """Microseconds since 1970."""
    changes: Changes
    actor: str


@dataclass(frozen=True, slots=True)
class Event:
    """A step of the trail of one resource. `code` is a number that no other event has."""

    code: int
    resource_type: str
    resource_id: str
    step: Step
    who: Row

    @property
    def id(self) -> str:
        """The event's identifier: its millisecond and a number behind it."""
        return f"{self.step.at // 1000}-{self.code}"


class Trails:
    """The trails of one world's payments and orders."""

    def __init__(self, payments: Table, orders: Table, seed: int) -> None:
        self._tables: dict[str, Table] = dict(zip(TRACKED, (payments, orders), strict=True))
        self._who = _actors(seed)
        self._first_rows: dict[tuple[str, str], Row] = {}
        self._noted: dict[tuple[str, str], list[Step]] = {}
        self._destroyed: dict[str, int] = {}

    def note_update(self, resource_type: str, before: Row, after: Row, at: int) -> None:
        """Note what changed between two states of a row; nothing when nothing did."""
        changes = {
            name: (before.get(name), value)
            for name, value in after.items()
            if before.get(name) != value and _is_told(TYPES[resource_type], name)
        }
        if changes:
            key = (resource_type, before["id"])
            self._first_rows.setdefault(key, before)
            self._noted.setdefault(key, []).append(Step("update", at, changes, "integration"))

    def note_destroy(self, payment_id: str, at: int) -> None:
        """Note that a payment was deleted."""
        self._destroyed[payment_id] = at

    def of(self, resource_type: str, id_: str) -> list[Event]:
        """Return the events of a living payment or order, oldest first; of anything else there are none."""
        table = self._tables.get(resource_type)
        row = None if table is None else table.find(id_)
        if table is None or row is None:
            return []
        sequence = table.sequence(id_)
        assert sequence is not None, "a row that is there has a sequence"
        first = self._first_rows.get((resource_type, id_), row)
        steps = [
            *(_payment_steps(first) if resource_type == "klarna_payments" else _order_steps(first)),
            *self._noted.get((resource_type, id_), ()),
        ]
        return [
            Event(_code(resource_type, sequence, index), resource_type, id_, step, self._who[step.actor])
            for index, step in enumerate(steps)
        ]

    def destroyed(self) -> list[Event]:
        """Return the end of every payment that was deleted, in the order of their deletion."""
        events = []
        for id_, at in self._destroyed.items():
            sequence = self._tables["klarna_payments"].sequence(id_)
            assert sequence is not None, "a deleted row keeps its sequence"
            code = _code("klarna_payments", sequence, (1 << _INDEX_BITS) - 1)
            step = Step("destroy", at, {}, "integration")
            events.append(Event(code, "klarna_payments", id_, step, self._who[step.actor]))
        return events

    def find(self, event_id: str) -> Event | None:
        """Return the event of a living row with this identifier."""
        _, _, number = event_id.partition("-")
        if not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        return next((event for event in self.coded(int(number)) if event.id == event_id), None)

    def coded(self, code: int) -> list[Event]:
        """Return the event with this code as a list of one, or of none."""
        resource_type, sequence = TRACKED[code & 1], code >> (_INDEX_BITS + 1)
        table = self._tables[resource_type]
        alive = table.is_alive(sequence)
        events = self.of(resource_type, table.row(sequence)["id"]) if alive else self.destroyed()
        return [event for event in events if event.code == code]

    def everything(self) -> Iterator[Event]:
        """Yield every event there is: payments, orders, deletions."""
        for resource_type, table in self._tables.items():
            for sequence in table.alive().tolist():
                yield from self.of(resource_type, table.row(sequence)["id"])
        yield from self.destroyed()


def _is_told(type_: ResourceType, name: str) -> bool:
    """Return whether events tell of `name`: an attribute, or what a relationship leads to."""
    return name in type_.attributes or name.removesuffix("_id") in type_.relationships


def _code(resource_type: str, sequence: int, index: int) -> int:
    return (sequence << _INDEX_BITS | index) << 1 | TRACKED.index(resource_type)


def _actors(seed: int) -> Mapping[str, Row]:
    """Return who does things: the shop, an integration, and the API's own workers."""
    key = id_key(seed, "applications")
    return {
        "shop": {"application": {"id": id_of(key, 1), "kind": "sales_channel", "public": True, "confidential": False}},
        "integration": {
            "application": {"id": id_of(key, 2), "kind": "integration", "public": False, "confidential": True},
            "owner": {
                "id": id_of(id_key(seed, "users"), 1),
                "type": "User",
                "email": "finance@example.com",
                "first_name": "Fran",
                "last_name": "Ledger",
            },
        },
        "worker": {"worker": {"id": id_of(id_key(seed, "workers"), 1), "type": "KlarnaPaymentWorker"}},
    }


def _payment_steps(row: Row) -> list[Step]:
    """Return what must have happened for a payment to look like `row`."""
    created = times.from_text(row["created_at"])
    updated = max(created, times.from_text(row["updated_at"]))
    made: Changes = {name: (None, row.get(name)) for name in _CREATED if row.get(name) is not None}
    steps = [Step("create", created, made, "shop")]
    named: Changes = {name: (None, row[name]) for name in ("reference", "reference_origin") if row.get(name)}
    if named:
        steps.append(Step("update", created + (updated - created) // 2, named, "integration"))
    paid: Changes = {name: (None, row[name]) for name in ("auth_token", "payment_instrument") if row.get(name)}
    if paid:
        steps.append(Step("update", updated, paid, "shop"))
    if row.get("mismatched_amounts"):
        steps.append(Step("update", updated, {"mismatched_amounts": (False, True)}, "worker"))
    return _touching(steps)


def _order_steps(row: Row) -> list[Step]:
    """Return what must have happened for an order to look like `row`."""
    created = times.from_text(row["created_at"])
    updated = max(created, times.from_text(row["updated_at"]))
    steps = [Step("create", created, {"status": (None, "draft"), "payment_status": (None, "unpaid")}, "shop")]
    status, placed = row.get("status"), times.from_text(row.get("placed_at"))
    if status != "draft":
        totals: Changes = {name: (None, row[name]) for name in _TOTALS if row.get(name) is not None}
        filled = created if placed == times.NULL else created + max(0, placed - created) // 2
        steps.append(Step("update", filled, {"status": ("draft", "pending"), **totals}, "shop"))
    if placed != times.NULL:
        authorized = {"status": ("pending", "placed"), "payment_status": ("unpaid", "authorized")}
        steps.append(Step("update", max(_last_at(steps), placed), authorized, "shop"))
    before = {name: new for step in steps for name, (_, new) in step.changes.items()}
    last: Changes = {
        name: (before.get(name), row[name])
        for name in ("status", "payment_status")
        if row.get(name) is not None and row[name] != before.get(name)
    }
    if last:
        steps.append(Step("update", max(_last_at(steps), updated), last, "integration"))
    return _touching(steps)


def _last_at(steps: list[Step]) -> int:
    """Return when the last of `steps` happened."""
    return steps[-1].at


def _touching(steps: list[Step]) -> list[Step]:
    """Return `steps` with `updated_at` among the changes of each update, as the API records it."""
    touched = steps[:1]
    for before, step in itertools.pairwise(steps):
        moment = (times.to_text(before.at), times.to_text(step.at))
        touched.append(Step(step.event, step.at, {**step.changes, "updated_at": moment}, step.actor))
    return touched
