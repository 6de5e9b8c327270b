"""A payment refreshed over HTTP: sent once, whatever becomes of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from served import Serve, fast_client, servers

from reconcile.commercelayer.refreshing import Refreshed, refresh_session
from reconcile.errors import Refused, Unreachable
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)


@pytest.fixture
def serve() -> Iterator[Serve]:
    with servers(wall_clock=NOW.timestamp) as start:
        yield start


def shop(sessions: int = 1) -> tuple[World, list[str]]:
    """A world with flagged payments of orders that are not placed, and their ids."""
    world = World.generate(5, now=lambda: int(NOW.timestamp()) * 1_000_000)
    ids = []
    for number in range(sessions):
        order = {"number": str(number), "currency_code": "EUR", "status": "pending"}
        ids.append(world.insert({"mismatched_amounts": True, "updated_at": "2026-11-20T05:00:00.000Z"}, order=order))
        world.update_order(world.payments.find(ids[-1])["order_id"], payment_source_id=ids[-1])
    return world, ids


def writes(server: SandboxServer) -> list[int]:
    """Return the statuses of the writes, 0 where the answer was lost."""
    return [request.status for request in server.requests if request.method == "PATCH"]


async def refreshed(server: SandboxServer, id_: str, **options: object) -> tuple[Refreshed, int]:
    """Refresh a payment; return what is said of it, and how often it was about to be sent."""
    begun = []

    async def before() -> None:
        begun.append(id_)

    async with fast_client(server, **options) as client:
        return await refresh_session(client, id_, before=before), len(begun)


async def test_an_answer_tells_the_flag_and_holds_no_credential(serve: Serve) -> None:
    world, (id_,) = shop()
    server = serve(world, canary="CANARY")
    answer, begun = await refreshed(server, id_)

    assert (answer, begun) == (Refreshed(mismatched_amounts=False, updated_at=NOW), 1)
    (write,) = [request for request in server.requests if request.method == "PATCH"]
    assert write.query == {"fields[klarna_payments]": "mismatched_amounts,updated_at"}


async def test_an_empty_answer_is_one(serve: Serve) -> None:
    world, (id_,) = shop()

    assert await refreshed(serve(world, "write-empty"), id_) == (Refreshed(), 1)
    assert world.payments.find(id_)["mismatched_amounts"] is False


@pytest.mark.parametrize(
    "fault", ["write-lost", "write-5xx", "write-late:#1:20000", "reset:#1", "5xx:#1", "invalid-json:#1", "html:#1"]
)
async def test_what_may_have_been_done_is_not_sent_again(serve: Serve, fault: str) -> None:
    world, (id_,) = shop()
    server = serve(world, fault)
    with pytest.raises(Unreachable) as error:
        await refreshed(server, id_, timeout_seconds=0.5)

    assert error.value.may_be_done
    assert error.value.attempts == 1
    assert len(writes(server)) == 1


@pytest.mark.parametrize("fault", ["429:#1,2", "revoke:#1"])
async def test_what_was_refused_for_rate_or_token_is_sent_again(serve: Serve, fault: str) -> None:
    world, (id_,) = shop()
    server = serve(world, fault)
    _, begun = await refreshed(server, id_)

    assert begun == len(writes(server)) > 1
    assert writes(server)[-1] == 200


async def test_a_server_that_is_not_there_has_done_nothing(serve: Serve) -> None:
    world, (id_,) = shop()
    with pytest.raises(Unreachable) as error:
        async with fast_client(serve(world), api_url="http://127.0.0.1:9/api", retry_seconds=0.5) as client:
            await client.authenticate()
            await refresh_session(client, id_, before=lambda: asyncio.sleep(0))

    assert not error.value.may_be_done


async def test_a_refusal_is_in_the_servers_words(serve: Serve) -> None:
    world, (id_,) = shop()
    world.update_order(world.payments.find(id_)["order_id"], status="placed", placed_at="2026-11-20T05:30:00.000Z")
    with pytest.raises(Refused, match="the session was closed when the order was placed") as error:
        await refreshed(serve(world), id_)

    assert error.value.status == 422


async def test_nothing_is_sent_where_something_speaks_against_it(serve: Serve) -> None:
    world, (id_,) = shop()
    server = serve(world)

    async def before() -> None:
        raise LookupError

    async with fast_client(server) as client:
        with pytest.raises(LookupError):
            await refresh_session(client, id_, before=before)

    assert writes(server) == []
