"""Worlds that tests have served, and clients for whom time goes a hundred times faster than in earnest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

SPEED = 100

Serve = Callable[..., SandboxServer]


@contextlib.contextmanager
def servers(payments: int = 60, **defaults: Any) -> Iterator[Serve]:
    """
    Give a function that serves a world until the block ends: by default one of so many payments, without limits.

    It takes the world, faults, and options of the server beside `defaults`.
    """
    with contextlib.ExitStack() as running:

        def serve(world: World | None = None, *faults: str, **options: Any) -> SandboxServer:
            options = {"limits": None, **defaults, **options}
            served = world or World.generate(payments)
            return running.enter_context(SandboxServer(served, Behaviour(faults=Faults.parse(faults), **options)))

        yield serve


def fast_client(server: SandboxServer, **options: Any) -> CommerceLayer:
    """
    Return a client of `server` whose clock and waits are fast, and whose time of day is the server's.

    An answer may take its time on a busy machine.
    """
    settings: dict[str, Any] = {
        "api_url": server.api_url,
        "auth_url": server.auth_url,
        "credentials": Credentials(server.client_id, server.client_secret),
        "rate_limit": False,
        "first_retry_seconds": 0.1,
        "timeout_seconds": 10.0,
        "clock": _fast_clock,
        "wall_clock": lambda: datetime.fromtimestamp(server.wall_clock(), UTC),
        "sleep": _fast_sleep,
        **options,
    }
    return CommerceLayer(**settings)


async def _fast_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / SPEED)


def _fast_clock() -> float:
    return time.monotonic() * SPEED
