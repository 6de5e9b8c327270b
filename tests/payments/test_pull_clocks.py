"""A clock that is wrong takes no payment away: the pull says which clocks disagree, and publishes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dying import exists

from reconcile.cli.main import main
from reconcile.errors import WrongClock
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

_DECADES_AGO = -(10**9)  # seconds


def list_requests(server: SandboxServer) -> int:
    return sum(request.path.endswith("/klarna_payments") for request in server.requests)


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text("reference,total,currency\nR1,10.00,EUR\n")

    def run(server: SandboxServer, *words: str) -> Result:
        access = {"RECONCILE_CLIENT_ID": server.client_id, "RECONCILE_CLIENT_SECRET": server.client_secret}
        return CliRunner().invoke(main, [*words, "--api-url", server.api_url], env=access, catch_exceptions=False)

    return run


@pytest.mark.parametrize("seconds", [_DECADES_AGO, -3600, 3600, 10**9])
@pytest.mark.parametrize("incremental", [False, True])
async def test_a_server_whose_clock_is_wrong_is_an_error(
    serve, pull, tmp_path: Path, seconds: int, incremental: bool
) -> None:
    world = World.generate(60)
    if incremental:
        await pull(serve(world), mirror=tmp_path / "mirror", destination=tmp_path / "before.parquet")

    with pytest.raises(WrongClock, match=r"the server's clock says .*, this machine's clock says") as caught:
        await pull(serve(world, f"date:{seconds}"), mirror=tmp_path / "mirror", incremental=incremental)

    assert caught.value.exit_code == 4
    assert not exists(tmp_path / "payments.parquet")


@pytest.mark.parametrize("value", ["none", "odd"])
async def test_a_server_that_tells_no_time_is_read_by_our_clock(serve, pull, value: str) -> None:
    report = await pull(serve(None, f"date:{value}"))

    assert (report.payments, report.clock_offset_seconds) == (60, None)


@pytest.mark.parametrize("value", ["1", "none"])
async def test_a_payment_of_the_future_tells_that_all_clocks_are_behind(
    serve, pull, tmp_path: Path, value: str
) -> None:
    """The server and this machine agree, and both are wrong."""
    world = World.generate(60)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    newest = world.insert()
    order_id = world.payments.find(newest)["order_id"]
    world.update_order(order_id, touch=False, placed_at=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}")
    server = serve(world, f"date:{value}", wall_clock=yesterday.timestamp)

    with pytest.raises(WrongClock, match=f"payment {newest} was created on") as caught:
        await pull(server)
    report = await pull(server, until=yesterday)  # as the hint says

    assert "reads what is dated before" in (caught.value.hint or "")
    assert report.payments == 60


async def test_clocks_are_compared_by_a_request_that_is_sent_anyway(serve, pull) -> None:
    server = serve()

    await pull(server)

    assert list_requests(server) == 1 + 3 + 1  # a count, three pages, a count


@pytest.mark.usefixtures("many_shards")
async def test_many_payments_cost_one_request_more_to_be_cut(serve, pull) -> None:
    server = serve(World.generate(160))

    report = await pull(server)

    sorts = [request.query["sort"] for request in server.requests if request.path.endswith("/klarna_payments")]
    assert report.payments == 160
    assert (sorts.count("-created_at"), sorts.count("created_at")) == (1, 1 + 1)


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        ("date:-86400", ["fail", "clock"]),
        ("date:-200", ["warn", "clock"]),
        ("date:none", ["warn", "clock"]),
        ("date:1", ["ok", "clock"]),
    ],
)
def test_check_looks_at_the_clocks_as_the_pull_does(serve, command, fault: str, lines: list[str]) -> None:
    result = command(serve(None, fault), "check", "orders.csv")

    found = [line.split()[:2] for line in result.stdout.splitlines()]
    assert lines in found
    assert ["ok", "access"] in found
    assert result.exit_code == (4 if lines[0] == "fail" else 0)


@pytest.mark.parametrize("words", [["pull"], ["pull", "--dry-run"], ["run", "orders.csv"]], ids=" ".join)
def test_every_command_that_reads_payments_stops_at_a_wrong_clock(serve, command, words: list[str]) -> None:
    result = command(serve(None, f"date:{_DECADES_AGO}"), *words)

    assert result.exit_code == 4
    assert "the server's clock says " in result.stderr
    assert "hint: set this machine's clock" in result.stderr
