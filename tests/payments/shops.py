"""Worlds that change between two pulls, and what a file of payments holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world import times
from reconcile.sandbox.world.world import World
from reconcile.schema import PAYMENTS

# Behind every generated payment, and before the server's clock.
CLOSED = datetime(2026, 7, 1, tzinfo=UTC)


class Clock:
    """The world's clock: each change happens a minute after the one before."""

    def __init__(self) -> None:
        self.minutes = 0

    def __call__(self) -> int:
        self.minutes += 1
        return int((CLOSED + timedelta(minutes=self.minutes)).timestamp()) * 1_000_000


def today(world: World) -> dict[str, Any]:
    """Return how a server tells the time of `world`: what is created next lies behind the cut-off of a pull now."""
    clock = world._now
    assert isinstance(clock, Clock)
    return {"wall_clock": lambda: (CLOSED + timedelta(minutes=clock.minutes, seconds=30)).timestamp()}


def shop(payments: int = 60) -> World:
    """A world whose changes lie behind all of its payments, with a flag on every ninth of them."""
    world = World.generate(payments, now=Clock())
    for id_ in world.payment_ids()[::9]:
        world.update(id_, touch=False, mismatched_amounts=True)
    return world


def rows(path: Path) -> dict[str, dict]:
    return {row["payment_id"]: row for row in pq.read_table(path).to_pylist()}


def kept(mirror: Path) -> dict[str, dict]:
    """Return the payments of the last pull finished in a mirror, without the transactions that are kept with them."""
    found = pq.read_table(mirror / "payments.parquet", columns=PAYMENTS.names)
    return {row["payment_id"]: row for row in found.to_pylist()}


def flagged(world: World) -> list[str]:
    return [id_ for id_ in world.payment_ids() if world.payments.find(id_)["mismatched_amounts"]]


def unflagged(world: World) -> list[str]:
    return [id_ for id_ in world.payment_ids() if not world.payments.find(id_)["mismatched_amounts"]]


def money_moves(world: World, payment_id: str) -> None:
    """Capture something for the order of a payment: of all its times only that of its payment status changes."""
    order_id = world.payments.find(payment_id)["order_id"]
    world.add_transaction("captures", order_id, touch=False, amount_cents=77)
    world.update_order(order_id, touch=False, payment_updated_at=times.to_text(world._now()))


def change(world: World) -> None:
    """One of everything that an incremental pull can see by itself."""
    ids = unflagged(world)
    world.update(ids[3], reference="touched")
    ordered = next(id_ for id_ in ids[10:] if world.payments.find(id_)["order_id"])
    world.update_order(world.payments.find(ordered)["order_id"], total_amount_cents=1, status="cancelled")
    money_moves(world, next(id_ for id_ in reversed(ids) if world.payments.find(id_)["order_id"]))
    world.insert()
    world.update(flagged(world)[0], touch=False, mismatched_amounts=False)


def pages(server: SandboxServer) -> int:
    """Return how many pages of walks through everything were served: not those of what changed, not those by id."""
    return sum(
        request.query.get("sort") == "id"
        and request.query.get("page[size]") != "1"
        and "filter[q][id_in]" not in request.query
        and not any("updated_at" in name for name in request.query)
        and request.status == 200
        for request in server.requests
    )
