"""A served world, and exports of its orders with waits a hundred times shorter than in earnest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exported import ExportOrders, rules
from served import Serve, fast_client, servers

from reconcile.orders.exports.export import ExportedOrders, OrdersWanted, export_to_folder
from reconcile.sandbox.server import SandboxServer


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves a world (default: 60 payments, exports of 20 records, no limit, no fault)."""
    with servers(exports=rules()) as start:
        yield start


@pytest.fixture
def export(tmp_path: Path) -> ExportOrders:
    """Return a function that exports the orders of a server into `exports`, from the test's workplace."""

    async def run(server: SandboxServer, *, client: dict[str, Any] | None = None, **options: Any) -> ExportedOrders:
        workplace, on_file = options.pop("workplace", tmp_path / "workplace"), options.pop("on_file", None)
        destination = options.pop("destination", tmp_path / "exports")
        wanted = OrdersWanted(**{"mode": "live", **options})
        async with fast_client(server, **(client or {})) as opened:
            return await export_to_folder(opened, destination, wanted, workplace=workplace, on_file=on_file)

    return run
