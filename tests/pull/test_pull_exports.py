"""Payments that come by exports: the same bytes as by pages, whatever the server's rules and moods."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.pull import PullReport
from reconcile.sandbox.exports import ExportRules
from reconcile.sandbox.seed import World
from reconcile.sandbox.server import SandboxServer

RULES = ExportRules(maximum=20, time_scale=100.0)


def rules(**changes: object) -> ExportRules:
    return ExportRules(**{"maximum": 20, "time_scale": 100.0, **changes})  # type: ignore[arg-type]


@pytest.fixture
def by_pages(serve: Callable[..., SandboxServer], pull: Callable[..., object], tmp_path: Path):
    async def read(world: World) -> bytes:
        destination = tmp_path / "by_pages.parquet"
        await pull(serve(world), destination=destination)
        return destination.read_bytes()

    return read


async def test_exports_give_the_same_bytes_as_pages(serve, pull, by_pages, tmp_path: Path) -> None:
    world = World.generate(110)

    report: PullReport = await pull(serve(world, exports=rules()), via="exports")

    assert report.transport == "exports"
    assert await by_pages(world) == (tmp_path / "payments.parquet").read_bytes()
    print(report)
