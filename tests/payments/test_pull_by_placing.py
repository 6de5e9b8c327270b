"""`--since` and `--until`: a payment belongs to the day its order was placed, one that never was to its creation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from shops import Clock, rows, today

from reconcile.errors import WrongClock
from reconcile.sandbox.world.world import World

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
END = datetime(2026, 4, 1, tzinfo=UTC)
MARCH = {"since": FIRST, "until": END}


def text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def world_around_march(payments: int = 40) -> World:
    """A payment a day from mid-February on, each order placed a week later; every fourth one never is."""
    world = World.generate(payments, now=Clock())
    for number, id_ in enumerate(world.payment_ids()):
        created = FIRST + timedelta(days=number - 14, hours=9)
        world.update(id_, touch=False, created_at=text(created), updated_at=text(created))
        if (order_id := world.payments.find(id_)["order_id"]) is not None:
            placed = None if number % 4 == 3 else text(created + timedelta(days=7))
            world.update_order(order_id, touch=False, placed_at=placed, updated_at=text(created))
    return world


def in_march(world: World) -> set[str]:
    found = set()
    for id_ in world.payment_ids():
        payment = world.payments.find(id_)
        order = world.order_of(payment)
        day = (order or {}).get("placed_at") or payment["created_at"]
        if text(FIRST) <= day < text(END):
            found.add(id_)
    return found


@pytest.mark.parametrize("via", ["pages", "exports"])
async def test_a_payment_belongs_to_the_day_of_its_orders_placing(serve, pull, tmp_path: Path, via: str) -> None:
    world = world_around_march()
    wanted = in_march(world)
    created = {id_ for id_ in world.payment_ids() if text(FIRST) <= world.payments.find(id_)["created_at"] < text(END)}
    assert wanted - created, "some of the month were created before it"
    assert created - wanted, "some that were created in it belong to the next"
    assert any(row["placed_at"] is None for row in await _pulled(serve, pull, world, tmp_path, via=via))

    report = await pull(serve(world), via=via, **MARCH)

    assert set(rows(tmp_path / "payments.parquet")) == wanted
    assert report.payments == report.count_after == len(wanted)


async def _pulled(serve, pull, world: World, folder: Path, *, via: str) -> list[dict]:
    await pull(serve(world), via=via, destination=folder / "before.parquet", **MARCH)
    return pq.read_table(folder / "before.parquet").to_pylist()


async def test_many_shards_give_the_same(serve, pull, tmp_path: Path, many_shards) -> None:
    world = world_around_march(160)

    report = await pull(serve(world), since=FIRST)

    late = {id_ for id_ in world.payment_ids() if _day_of(world, id_) >= text(FIRST)}
    assert set(rows(tmp_path / "payments.parquet")) == late
    assert report.shards > 2


def _day_of(world: World, id_: str) -> str:
    payment = world.payments.find(id_)
    order = world.order_of(payment)
    return (order or {}).get("placed_at") or payment["created_at"]


@pytest.mark.parametrize("incremental", [True, False])
async def test_a_payment_whose_order_is_placed_later_leaves_the_days_and_has_not_vanished(
    serve, pull, tmp_path: Path, incremental: bool
) -> None:
    world = world_around_march()
    server, mirror = serve(world, **today(world)), tmp_path / "mirror"
    await pull(server, mirror=mirror, **MARCH)
    before = rows(tmp_path / "payments.parquet")
    leaves = next(
        id_ for id_, row in before.items() if row["placed_at"] is None and world.order_of(world.payments.find(id_))
    )
    gone = next(id_ for id_, row in before.items() if row["placed_at"] is not None)
    world.update_order(world.payments.find(leaves)["order_id"], placed_at=text(END + timedelta(days=3)))
    world.delete(gone)

    report = await pull(serve(world, **today(world)), mirror=mirror, incremental=incremental, **MARCH)

    after = set(rows(tmp_path / "payments.parquet"))
    assert leaves not in after
    if incremental:  # the deletion is seen by nothing that changed: the count tells of it
        assert after == in_march(world) | {gone}
        assert [warning.code for warning in report.warnings] == ["unnamed_vanished"]
    else:
        assert after == in_march(world)
        assert report.vanished == 1
        assert set(rows(mirror / "vanished.parquet")) == {gone}


async def test_an_incremental_pull_sees_what_comes_into_the_days(serve, pull, tmp_path: Path) -> None:
    world = world_around_march()
    mirror = tmp_path / "mirror"
    await pull(serve(world, **today(world)), mirror=mirror, **MARCH)
    comes = next(
        id_
        for id_ in world.payment_ids()
        if _day_of(world, id_) < text(FIRST) and world.order_of(world.payments.find(id_))
    )
    world.update_order(world.payments.find(comes)["order_id"], placed_at=text(FIRST + timedelta(days=3)))

    report = await pull(serve(world, **today(world)), mirror=mirror, incremental=True, **MARCH)

    assert report.incremental
    assert comes in in_march(world)
    assert set(rows(tmp_path / "payments.parquet")) == in_march(world)


async def test_a_record_of_the_future_stops_a_pull_until_now_and_is_left_out_as_the_error_says(
    serve, pull, tmp_path: Path
) -> None:
    world = world_around_march()
    future = world.payment_ids()[3]  # never placed
    world.update(future, touch=False, created_at="2099-01-01T00:00:00.000Z")

    with pytest.raises(WrongClock, match="2099") as caught:
        await pull(serve(world, **today(world)), since=FIRST)

    until = datetime.fromisoformat(caught.value.hint.split("--until ")[1].split()[0])
    await pull(serve(world, **today(world)), since=FIRST, until=until)
    kept = set(rows(tmp_path / "payments.parquet"))
    assert kept == {id_ for id_ in world.payment_ids() if _day_of(world, id_) >= text(FIRST)} - {future}
