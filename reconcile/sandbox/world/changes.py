"""
Changes to the world in the middle of a pull: the row a fault deletes, inserts or updates, chosen by chance but
always the same for the same seed, kind and request number.
"""

from __future__ import annotations

from reconcile.sandbox.api.faults import Fault, chance
from reconcile.sandbox.world import times
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.world import World

_YEAR = 365 * 24 * 3600 * 1_000_000


def apply_change(world: World, fault: Fault, number: int) -> None:
    """Carry out a `delete`, `insert`, `insert-old` or `update` fault at list request `number`."""
    match fault.kind:
        case "delete":
            row = _row(world, fault, number)
            if row is not None:
                world.delete(row["id"])
        case "update":
            row = _row(world, fault, number)
            if row is not None:
                _raise_total(world, row)
        case "insert":
            world.insert()
        case "insert-old":
            id_ = world.insert()
            newest = int(world.payments.columns["created_at"][:-1].max())
            backdated = times.to_text(newest - _YEAR)
            world.update(id_, touch=False, created_at=backdated, updated_at=backdated)


def _row(world: World, fault: Fault, number: int) -> Row | None:
    if fault.value:
        return world.payments.find(fault.value)
    alive = world.payments.alive()
    if not len(alive):
        return None
    return world.payments.row(int(alive[int(chance(f"{world.seed}/{fault.kind}/{number}") * len(alive))]))


def _raise_total(world: World, payment: Row) -> None:
    """Make the order of a payment dearer, as an edit would, and flag the payment: its intent is now out of date."""
    world.update(payment["id"], mismatched_amounts=True)
    order = world.order_of(payment)
    if order is not None:
        amounts = ("subtotal_amount_cents", "total_amount_cents", "total_amount_with_taxes_cents")
        raised = {name: order[name] + 1_00 for name in amounts if order.get(name) is not None}
        world.update_order(order["id"], **raised)
