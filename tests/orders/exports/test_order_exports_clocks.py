"""An export of orders ends at a clock that can be right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from exported import ExportOrders, placed_ids
from served import Serve

from reconcile.errors import WrongClock
from reconcile.sandbox.world.world import World


async def test_a_server_whose_clock_is_wrong_is_an_error(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    with pytest.raises(WrongClock, match="the server's clock says"):
        await export(serve(None, "date:-86400"))

    assert not list(tmp_path.glob("exports"))


async def test_an_order_of_the_future_tells_that_all_clocks_are_behind(serve: Serve, export: ExportOrders) -> None:
    world = World.generate(60)
    newest = placed_ids(world)[3]
    world.update_order(newest, placed_at="2026-11-01T00:00:00.000Z")
    yesterday = datetime(2026, 10, 31, tzinfo=UTC)
    server = serve(world, wall_clock=yesterday.timestamp)

    with pytest.raises(WrongClock, match=f"order {newest} was placed on 2026-11-01 00:00:00 UTC"):
        await export(server)
    report = await export(server, until=yesterday - timedelta(seconds=1))

    assert report.orders == len(placed_ids(world)) - 1
