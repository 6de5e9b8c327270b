"""Audit trails as rows: sorted, whole or counted, within the requests that they may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from served import Serve, fast_client, servers

from reconcile.payments.trails import Subject, Trails, read_trail, read_trails, value_of
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.schema import TRAIL

MANY = 1000


@pytest.fixture
def serve() -> Iterator[Serve]:
    with servers() as serve:
        yield serve


@pytest.fixture
def world() -> World:
    return World.generate(60)


def subjects_in(world: World, count: int) -> list[Subject]:
    """The first payments of `world` that have orders, each of another order."""
    rows = [world.payments.row(int(sequence)) for sequence in world.payments.alive()]
    by_order = {row["order_id"]: Subject(row["id"], row["order_id"]) for row in rows if row["order_id"]}
    return list(by_order.values())[:count]


async def read(server: SandboxServer, subjects: list[Subject], most_requests: int = MANY, **options: float) -> Trails:
    async with fast_client(server, **options) as client:
        await client.authenticate()
        return await read_trails(client, subjects, most_requests=most_requests)


def asked(server: SandboxServer) -> int:
    return sum(request.path.endswith(("/event_stores", "/versions")) for request in server.requests)


async def test_rows_are_sorted_by_payment_and_time_and_have_the_columns_of_the_table(
    serve: Serve, world: World
) -> None:
    subjects = subjects_in(world, 5)
    world.update_order(str(subjects[0].order_id), payment_status="refunded", total_amount_cents=1)
    found = await read(serve(world), subjects)

    rows: list[Any] = found.table.to_pylist()
    assert found.table.schema.equals(TRAIL, check_metadata=True)
    assert (found.left_out, found.unread, found.problem) == (0, 0, None)
    assert rows == sorted(rows, key=lambda row: (row["payment_id"], row["at"], row["resource_type"]))
    assert {(row["payment_id"], row["order_id"]) for row in rows} == {(o.payment_id, o.order_id) for o in subjects}
    assert {row["resource_type"] for row in rows} == {"klarna_payments", "orders"}
    (paid,) = [row for row in rows if row["after"] == '"refunded"']
    assert (paid["event"], paid["attribute"], paid["order_id"]) == ("update", "payment_status", subjects[0].order_id)
    assert paid["who"].startswith("integration ")
    assert [row["after"] for row in rows if row["attribute"] == "total_amount_cents"].count("1") == 1


async def test_changes_of_one_event_stand_by_attribute_and_events_of_one_moment_as_the_api_lists_them(
    serve: Serve,
) -> None:
    world = World.generate(60, now=lambda: 1_790_000_000_000_000)
    (one,) = subjects_in(world, 1)
    world.update(str(one.payment_id), reference_origin="A", reference="B", touch=False)
    world.update(str(one.payment_id), reference="C", touch=False)
    rows: list[Any] = (await read(serve(world), [one])).table.to_pylist()

    told = [(row["attribute"], row["after"]) for row in rows[-3:]]
    assert told == [("reference", '"B"'), ("reference_origin", '"A"'), ("reference", '"C"')]
    assert len({row["at"] for row in rows[-3:]}) == 1


async def test_one_trail_is_that_of_many(serve: Serve, world: World) -> None:
    subjects = subjects_in(world, 3)
    server = serve(world)
    async with fast_client(server) as client:
        await client.authenticate()
        alone = [row for one in subjects for row in await read_trail(client.get, one)]

    together = (await read(server, subjects)).table.to_pylist()
    assert sorted(alone, key=lambda row: str(row["payment_id"])) == together


async def test_an_order_of_several_payments_is_read_once_and_told_for_each(serve: Serve, world: World) -> None:
    (first, *_) = subjects_in(world, 1)
    second = Subject(world.insert({"order_id": first.order_id}), first.order_id)
    server = serve(world)
    found = await read(server, [first, second])

    assert asked(server) == found.requests == 3
    of_order = [row for row in found.table.to_pylist() if row["resource_type"] == "orders"]
    assert {row["payment_id"] for row in of_order} == {first.payment_id, second.payment_id}


async def test_what_requests_do_not_suffice_for_is_left_out_whole(serve: Serve, world: World) -> None:
    subjects = subjects_in(world, 4)
    server = serve(world)
    for most_requests in range(1, 9):
        before = asked(server)
        found = await read(server, subjects, most_requests)

        whole = most_requests // 2
        assert (asked(server) - before, found.requests) == (most_requests, most_requests)
        assert found.left_out == 4 - whole
        assert set(found.table["payment_id"].to_pylist()) == {one.payment_id for one in subjects[:whole]}


async def test_a_list_that_continues_takes_a_request_for_each_page(serve: Serve, world: World) -> None:
    (one,) = subjects_in(world, 1)
    for number in range(60):
        world.update(str(one.payment_id), reference=f"R{number}")

    assert (await read(serve(world), [one], 3)).left_out == 1
    found = await read(serve(world), [one], 4)
    assert (found.left_out, found.requests) == (0, 4)
    assert [row["after"] for row in found.table.to_pylist() if row["attribute"] == "reference"][-1] == '"R59"'


async def test_a_type_that_may_not_be_read_is_asked_for_once(serve: Serve, world: World) -> None:
    subjects = subjects_in(world, 5)
    server = serve(world, forbidden_trails=("orders",))
    found = await read(server, subjects)

    assert (found.unread, found.left_out) == (5, 0)
    assert asked(server) == 5 + 2  # event stores and versions of one order
    assert set(found.table["payment_id"].to_pylist()) == {one.payment_id for one in subjects}
    assert set(found.table["resource_type"].to_pylist()) == {"klarna_payments"}
    assert "orders: the history of" in str(found.problem)


async def test_what_is_gone_is_counted_and_the_others_are_read(serve: Serve, world: World) -> None:
    subjects = subjects_in(world, 3)
    world.delete(str(subjects[1].payment_id))
    found = await read(serve(world), subjects)

    assert (found.unread, found.left_out) == (1, 0)
    assert "there is no payment" in str(found.problem)
    of_payments = [row for row in found.table.to_pylist() if row["resource_type"] == "klarna_payments"]
    assert {row["payment_id"] for row in of_payments} == {subjects[0].payment_id, subjects[2].payment_id}


async def test_a_server_that_no_longer_answers_ends_the_reading_and_nothing_else(serve: Serve, world: World) -> None:
    subjects = subjects_in(world, 4)
    found = await read(serve(world, "5xx:#3+"), subjects, retry_seconds=5.0)

    assert (found.unread, found.left_out) == (3, 0)
    assert set(found.table["payment_id"].to_pylist()) == {subjects[0].payment_id}
    assert "attempts" in str(found.problem)


async def test_what_mends_itself_changes_nothing(serve: Serve, world: World) -> None:
    subjects = subjects_in(world, 6)
    expected = await read(serve(world), subjects)

    assert await read(serve(world, "5xx:#*3", "reset:#*4", "revoke:#5"), subjects) == expected


async def test_an_order_alone_has_a_trail(serve: Serve, world: World) -> None:
    (one,) = subjects_in(world, 1)
    found = await read(serve(world), [Subject(None, one.order_id)])

    assert {(row["payment_id"], row["order_id"]) for row in found.table.to_pylist()} == {(None, one.order_id)}


def test_values_are_read_back_exactly() -> None:
    assert [value_of(text) for text in (None, '"a"', "12", "[1]", "true")] == [None, "a", 12, [1], True]
    assert str(value_of("0.10")) == "0.10"
