"""A small served world, and requests to it over plain sockets: the sandbox is not tested with the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asking import Asker, Clock

from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

Serve = Callable[..., Asker]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of exports are written in real time, whatever the test's clock says: a busy machine may take long."""
    monkeypatch.setattr("reconcile.sandbox.exports.exports._PATIENCE_SECONDS", 60.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a world (default: 60 payments, no limit) and gives an Asker for it."""
    servers: list[SandboxServer] = []

    def start(world: World | None = None, **options: Any) -> Asker:
        server = SandboxServer(world or World.generate(60), Behaviour(**{"limits": None, **options}))
        server.__enter__()
        servers.append(server)
        return Asker(server)

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def shared_server() -> Iterator[SandboxServer]:
    with SandboxServer(World.generate(60), Behaviour(limits=None)) as server:
        yield server


@pytest.fixture(scope="session")
def ask(shared_server: SandboxServer) -> Asker:
    """An Asker of a world of 60 payments that no test changes."""
    return Asker(shared_server)


@pytest.fixture(scope="session")
def payment_ids(shared_server: SandboxServer) -> list[str]:
    """The ids of that world's payments in the order of the hidden sequence."""
    return shared_server.world.payment_ids()
