"""A served world, and pulls from it with waits a hundred times shorter than in earnest."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from served import Serve, fast_client, servers

from reconcile.commercelayer.client import CommerceLayer
from reconcile.payments.pull import PullReport, pull_to_parquet
from reconcile.payments.request import PullRequest
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

REQUESTED = (
    *("since", "until", "mirror", "via", "incremental", "overlap", "commit_seconds", "commit_pages"),
    *("personal", "money"),
)

Pull = Callable[..., Awaitable[PullReport]]

_stalling: weakref.WeakSet[SandboxServer] = weakref.WeakSet()


def _client_of(server: SandboxServer, **options: Any) -> CommerceLayer:
    """A client of `server` whose clock and waits are fast; one that stalls is given up after 0.8 s."""
    patience = {"timeout_seconds": 0.8} if server in _stalling else {}
    return fast_client(server, **patience | options)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a world (default: 60 payments, no limit, no fault)."""
    with servers() as start:

        def serve(world: World | None = None, *faults: str, **options: Any) -> SandboxServer:
            server = start(world, *faults, **options)
            if any("stall" in fault for fault in faults):
                _stalling.add(server)
            return server

        yield serve


def _request_of(options: dict[str, Any]) -> PullRequest:
    overlap = options.pop("overlap", timedelta(hours=1))
    moments = {name: options.pop(name).isoformat() for name in ("since", "until") if options.get(name)}
    mirror = str(options.pop("mirror", None) or "")
    return PullRequest(mirror=mirror, overlap_minutes=overlap / timedelta(minutes=1), **moments, **options)


@pytest.fixture
def pull(tmp_path: Path) -> Pull:
    """Return a function that pulls from a server into `payments.parquet` of the test's folder."""

    async def run(server: SandboxServer, *, client: dict[str, Any] | None = None, **options: Any) -> PullReport:
        destination = options.pop("destination", tmp_path / "payments.parquet")
        request = _request_of({name: options.pop(name) for name in REQUESTED if name in options})
        async with _client_of(server, **(client or {})) as opened:
            return await pull_to_parquet(opened, destination, request, **options)

    return run


@pytest.fixture
def client_of() -> Callable[..., CommerceLayer]:
    """Return the function that makes the tests' client of a server."""
    return _client_of


@pytest.fixture
def many_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut small worlds too."""
    monkeypatch.setattr("reconcile.payments.page_walks.shard_count", lambda payments: 4 if payments >= 4 else 1)


@pytest.fixture
def moment() -> Callable[[str], datetime]:
    """Return the function that gives the first instant of a date."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
