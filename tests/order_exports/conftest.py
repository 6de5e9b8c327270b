"""A served world, and exports of its orders with waits a hundred times shorter than in earnest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exported import ExportOrders, Serve, rules

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.order_exports.export import ExportedOrders, export_orders
from reconcile.sandbox.faults import Faults
from reconcile.sandbox.seed import World
from reconcile.sandbox.server import SandboxServer

SPEED = 100


async def fast_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds / SPEED)


def fast_clock() -> float:
    return time.monotonic() * SPEED


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a world (default: 60 payments, exports of 20 records, no limit, no fault)."""
    servers: list[SandboxServer] = []

    def start(world: World | None = None, *faults: str, **options: Any) -> SandboxServer:
        options = {"limits": None, "exports": rules(), **options}
        server = SandboxServer(world or World.generate(60), faults=Faults.parse(faults), **options)
        server.__enter__()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def export(tmp_path: Path) -> ExportOrders:
    """Return a function that exports the orders of a server into `exports`, from the test's workplace."""

    async def run(server: SandboxServer, *, client: dict[str, Any] | None = None, **options: Any) -> ExportedOrders:
        settings: dict[str, Any] = {
            "api_url": server.api_url,
            "auth_url": server.auth_url,
            "credentials": Credentials(server.client_id, server.client_secret),
            "rate_limit": False,
            "first_retry_seconds": 0.1,
            "timeout_seconds": 10.0,
            "clock": fast_clock,
            "sleep": fast_sleep,
            **(client or {}),
        }
        options = {"workplace": tmp_path / "workplace", "mode": "live", **options}
        async with CommerceLayer(**settings) as opened:
            return await export_orders(opened, options.pop("destination", tmp_path / "exports"), **options)

    return run
