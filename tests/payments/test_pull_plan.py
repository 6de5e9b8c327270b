"""The plan of a pull: after one token and one count, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from shops import change, shop, today

from reconcile.cli.main import main
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.rate_limit.limiter import Allowance
from reconcile.errors import MirrorError, Unreachable
from reconcile.operations.plan import Plan, least_minutes, plan
from reconcile.sandbox.api.limits import DOCUMENTED
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import connect

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that plans a pull from a server with the test's mirror."""

    async def run(server: SandboxServer, **options: object) -> Plan:
        settings = Settings.of(api_url=server.api_url, mirror=str(tmp_path / "mirror"), **options)
        monkeypatch.setattr(
            "reconcile.operations.plan.connect", lambda *access: at_the_servers_time(connect(*access), server)
        )
        return await plan(settings, Secrets(server.client_id, server.client_secret))

    return run


def at_the_servers_time(client: CommerceLayer, server: SandboxServer) -> CommerceLayer:
    client.wall_clock = lambda: datetime.fromtimestamp(server.wall_clock(), UTC)
    return client


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)

    def run(server: SandboxServer, *words: str) -> Result:
        access = {"RECONCILE_CLIENT_ID": server.client_id, "RECONCILE_CLIENT_SECRET": server.client_secret}
        return CliRunner().invoke(main, [*words, "--api-url", server.api_url], env=access, catch_exceptions=False)

    return run


def paths(server: SandboxServer) -> list[str]:
    return [request.path for request in server.requests]


async def test_a_plan_costs_a_token_and_a_count(serve, planned, tmp_path: Path) -> None:
    server = serve(World.generate(600), limits=DOCUMENTED)

    found = await planned(server)

    assert paths(server) == ["/oauth/token", "/api/klarna_payments"]
    assert (found.payments, found.left, found.incremental, found.unfinished) == (600, 600, False, False)
    assert (found.organization, found.mode, found.transport) == ("sandbox", "live", "pages")
    assert found.by_pages.requests == pytest.approx(600 / 25, abs=4)
    assert found.by_pages.minutes == 0  # fewer than a burst allows at once
    assert list(tmp_path.iterdir()) == []


async def test_the_pull_costs_what_the_plan_says(serve, planned, pull) -> None:
    for payments in (10, 600, 3000):
        server = serve(World.generate(payments))
        found = await planned(server)

        report = await pull(server)

        assert found.by_pages.requests == pytest.approx(report.requests, rel=0.15, abs=3), payments


@pytest.mark.parametrize(
    ("requests", "allowance", "minutes"),
    [
        (50, Allowance(200, 60), 0.0),
        (51, Allowance(200, 60), 1 / 6),
        (200, Allowance(200, 60), 0.5),
        (201, Allowance(200, 60), 1.0),
        (4_000, Allowance(200, 60), 19.0),
        (4_000, Allowance(100, 60), 39.0),
        (4_000, None, None),
    ],
)
def test_minutes_follow_from_both_windows(requests: int, allowance: Allowance | None, minutes: float | None) -> None:
    assert least_minutes(requests, allowance) == (None if minutes is None else pytest.approx(minutes))


async def test_half_the_rate_takes_twice_the_time(serve, planned) -> None:
    server = serve(World.generate(20_000), limits=DOCUMENTED)

    whole, half = await planned(server), await planned(server, rate_share=0.5)

    assert (whole.by_pages.minutes, half.by_pages.minutes) == (4.0, 8.0)


async def test_the_transport_is_the_one_a_pull_would_take(serve, planned) -> None:
    server = serve(World.generate(3_000))

    chosen = await planned(server, via="auto")
    small = await planned(serve(World.generate(10)), via="auto")

    assert (chosen.transport, small.transport) == ("exports", "pages")
    assert chosen.by_exports is not None
    assert chosen.by_exports.requests < chosen.by_pages.requests / 10


async def test_an_unfinished_pull_is_told_with_what_is_left(serve, planned, pull, tmp_path: Path) -> None:
    world = World.generate(160)
    with pytest.raises(Unreachable):
        await pull(serve(world, "5xx:#5+"), mirror=tmp_path / "mirror", client={"retry_seconds": 1.0})
    before = files(tmp_path)

    found = await planned(serve(world))

    assert (found.unfinished, found.payments, found.left) == (True, 160, 160 - 75)
    assert ("unfinished", "an interrupted pull resumes: 85 are left, then 0 are read again for changes since") in list(
        found.lines()
    )
    assert (found.transport, found.why_transport) == ("pages", "as asked for")
    auto = await planned(serve(world), via="auto")
    assert (auto.transport, auto.why_transport) == ("pages", "the unfinished pull resumes the way it began")
    assert files(tmp_path) == before


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def test_an_incremental_pull_is_planned_by_what_changed(serve, planned, pull, tmp_path: Path) -> None:
    world = World.generate(160)
    await pull(serve(world), mirror=tmp_path / "mirror")
    for id_ in world.payment_ids()[:30]:
        world.update(id_, reference="touched", mismatched_amounts=True)
    await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)
    server, before = serve(world), files(tmp_path)

    found = await planned(server, incremental=True)
    assert files(tmp_path) == before
    report = await pull(serve(world), mirror=tmp_path / "mirror", incremental=True)

    assert paths(server) == ["/oauth/token", "/api/klarna_payments"]
    assert (found.incremental, found.by_exports, found.transport) == (True, None, "pages")
    assert found.payments == report.updated
    assert found.rechecked >= report.rechecked
    assert found.by_pages.requests == pytest.approx(report.requests, abs=2)


async def test_a_pull_that_is_to_be_brought_up_to_date_is_planned_as_that(serve, planned, pull, tmp_path: Path) -> None:
    world = shop(160)
    for request in (5, 8):  # in the middle of everything, then of what changed since
        with pytest.raises(Unreachable):
            await pull(
                serve(world, f"5xx:#{request}+", **today(world)),
                mirror=tmp_path / "mirror",
                client={"retry_seconds": 0.5},
            )
        change(world)
    server, before = serve(world, **today(world)), files(tmp_path)

    found = await planned(server)

    assert files(tmp_path) == before
    assert (found.incremental, found.goes_on, found.unfinished) == (True, True, True)
    assert found.rechecked >= 18
    assert paths(server) == ["/oauth/token", *["/api/klarna_payments"] * 2]
    pulled = next(message for subject, message in found.lines() if subject == "pull")
    assert pulled.startswith("brings the rows of an interrupted pull up to date: ")
    report = await pull(serve(world, **today(world)), mirror=tmp_path / "mirror")
    assert report.payments == 162


async def test_without_a_finished_pull_the_plan_says_why_everything_is_pulled(serve, planned) -> None:
    found = await planned(serve(), incremental=True)

    assert not found.incremental
    assert ("pull", "everything: 60 in total; no pull has been finished in this mirror") in list(found.lines())


async def test_a_mirror_of_another_mode_is_refused_as_by_the_pull(serve, planned, pull, tmp_path: Path) -> None:
    await pull(serve(World.generate(60, mode="test")), mirror=tmp_path / "mirror")

    with pytest.raises(MirrorError, match="mode test, this pull of mode live"):
        await planned(serve())


@pytest.mark.parametrize("words", [["pull"], ["run", "orders.csv"]], ids=["pull", "run"])
def test_the_commands_show_the_plan_and_write_nothing(serve, command, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "orders.csv").write_text("reference,total,currency\nR1,10.00,EUR\n")

    result = command(serve(World.generate(20_000), limits=DOCUMENTED), *words, "--dry-run")

    assert result.exit_code == 0
    assert result.stdout == (
        "access       sandbox, live\n"
        "pull         everything: 20,000 in total\n"
        "by pages     about 824 requests, at least 4.0 minutes at the rate limit\n"
        "by exports   about 19 requests, no wait for the rate limit\n"
        "and by id    up to 800 requests, where exports lack the type of a source\n"
        "transport    pages: as asked for\n"
        "disk         about 36 MB\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]
