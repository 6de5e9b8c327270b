"""A served world, and pulls from it with waits a hundred times shorter than in earnest."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.pull.pull import PullReport, pull_to_parquet
from reconcile.sandbox.faults import Faults
from reconcile.sandbox.seed import World
from reconcile.sandbox.server import SandboxServer

SPEED = 100

_stalling: weakref.WeakSet[SandboxServer] = weakref.WeakSet()

Serve = Callable[..., SandboxServer]
Pull = Callable[..., Awaitable[PullReport]]


async def fast_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / SPEED)


def fast_clock() -> float:
    return time.monotonic() * SPEED


def _client_of(server: SandboxServer, **options: Any) -> CommerceLayer:
    """
    A client of `server` whose clock and waits are fast.

    An answer may take its time on a busy machine; that of a server that stalls is given up after 0.3 s.
    """
    settings: dict[str, Any] = {
        "api_url": server.api_url,
        "auth_url": server.auth_url,
        "credentials": Credentials(server.client_id, server.client_secret),
        "rate_limit": False,
        "first_retry_seconds": 0.1,
        "timeout_seconds": 0.3 if server in _stalling else 10.0,
        "clock": fast_clock,
        "sleep": fast_sleep,
        **options,
    }
    return CommerceLayer(**settings)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a world (default: 60 payments, no limit, no fault)."""
    servers: list[SandboxServer] = []

    def start(world: World | None = None, *faults: str, **options: Any) -> SandboxServer:
        server = SandboxServer(world or World.generate(60), faults=Faults.parse(faults), **{"limits": None, **options})
        server.__enter__()
        if any("stall" in fault for fault in faults):
            _stalling.add(server)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def pull(tmp_path: Path) -> Pull:
    """Return a function that pulls from a server into `payments.parquet` of the test's folder."""

    async def run(server: SandboxServer, *, client: dict[str, Any] | None = None, **options: Any) -> PullReport:
        destination = options.pop("destination", tmp_path / "payments.parquet")
        async with _client_of(server, **(client or {})) as opened:
            return await pull_to_parquet(opened, destination, **options)

    return run


@pytest.fixture
def client_of() -> Callable[..., CommerceLayer]:
    """Return the function that makes the tests' client of a server."""
    return _client_of


@pytest.fixture
def many_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut small worlds too."""
    monkeypatch.setattr("reconcile.pull.walkers.shard_count", lambda payments: 4)


@pytest.fixture
def moment() -> Callable[[str], datetime]:
    """Return the function that gives the first instant of a date."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
