"""Incremental nights: what they ask again, and what the run folder tells of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from places import SAMPLE

from reconcile.cli.main import main
from reconcile.operations.night import open_breaks, run
from reconcile.operations.staged_run import RunResult
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    with SandboxServer(World.load(SAMPLE / "commerce_layer"), Behaviour(limits=None)) as started:
        yield started


def night(server: SandboxServer, day: int, **options: object) -> RunResult:
    settings = Settings.of(api_url=server.api_url, orders=(str(SAMPLE / "orders.csv"),), **options)
    return run(settings, Secrets(server.client_id, server.client_secret), business_date=date(2026, 11, day))


def pull_of(result: RunResult) -> dict[str, object]:
    pull: dict[str, object] = msgspec.json.decode((result.folder / "manifest.json").read_bytes())["pull"]
    return pull


@pytest.mark.slow
def test_an_incremental_night_gives_the_items_of_a_full_one(server: SandboxServer) -> None:
    night(server, 20)
    payment = server.world.payments.find(server.world.payment_ids()[5])
    server.world.update_order(payment["order_id"], total_amount_with_taxes_cents=1)

    result = night(server, 21, incremental=True)
    full = night(server, 21, out="full", mirror="another")

    assert (result.folder / "payments.parquet").read_bytes() == (full.folder / "payments.parquet").read_bytes()
    assert result.summary.statuses == full.summary.statuses
    assert [one.code for one in result.summary.warnings] == ["stale_orders"]
    told = pull_of(result)
    assert (told["incremental"], told["payments"], told["count_after"]) == (True, 400, 400)
    assert told["updated"] >= 1
    assert told["rechecked"] >= len(open_breaks(Path("runs")) - {payment["id"]})


@pytest.mark.slow
def test_an_open_break_that_is_deleted_is_missed_and_told(server: SandboxServer) -> None:
    """It is not flagged, and nothing changed: only because it was a break is it asked for."""
    first = night(server, 20)
    breaks = pq.read_table(first.folder / "breaks.parquet").to_pylist()
    broken = next(row["payment_id"] for row in breaks if row["payment_id"] and row["mismatched_amounts"] is False)
    server.world.delete(broken)

    result = night(server, 21, incremental=True)

    (vanished,) = [one for one in result.summary.warnings if one.code == "vanished"]
    assert vanished.text == "1 payment has vanished since the previous pull: see vanished.parquet in the mirror"
    assert (pull_of(result)["vanished"], pull_of(result)["payments"]) == (1, 399)
    assert pq.read_table(".reconcile/vanished.parquet").column("payment_id").to_pylist() == [broken]


@pytest.mark.slow
def test_what_an_incremental_night_cannot_name_is_a_warning_of_the_run(server: SandboxServer) -> None:
    first = night(server, 20)
    quiet = set(server.world.payment_ids()) - open_breaks(Path("runs"))
    flagged = pq.read_table(first.folder / "payments.parquet", filters=[("mismatched_amounts", "=", True)])
    server.world.delete(min(quiet - set(flagged.column("payment_id").to_pylist())))

    result = night(server, 21, incremental=True)

    (warning,) = [one for one in result.summary.warnings if one.code == "unnamed_vanished"]
    assert warning.text.startswith("the server counts 1 payment fewer than are in the result")


@pytest.mark.slow
def test_a_first_night_that_was_to_be_incremental_says_that_it_was_not(server: SandboxServer) -> None:
    result = night(server, 20, incremental=True)

    assert "no pull has been finished in this mirror" in result.summary.warnings[0].text
    assert pull_of(result)["incremental"] is False


@pytest.mark.slow
def test_without_runs_there_are_no_open_breaks(tmp_path: Path) -> None:
    assert open_breaks(tmp_path / "nowhere") == set()


@pytest.mark.slow
def test_the_option_goes_over_the_file_and_the_file_over_the_default(server: SandboxServer, workplace: Path) -> None:
    (workplace / "reconcile.toml").write_text("[pull]\nincremental = true\noverlap_minutes = 5\n")
    access = {"RECONCILE_CLIENT_ID": server.client_id, "RECONCILE_CLIENT_SECRET": server.client_secret}

    def said(*options: str) -> str:
        return CliRunner().invoke(main, ["pull", "--api-url", server.api_url, *options], env=access).stderr

    assert "an incremental pull was requested" in said()
    assert "complete: the server counted 400 before" in said("--full")
    assert "by id; the server counts 400 in total" in said()
