"""Order totals from Commerce Layer's own exports: one command, and the evidence in the run folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from served import Serve, servers

from reconcile.cli.main import main
from reconcile.errors import CommerceLayerError, EmptySide, SettingsError, TooManyRejects
from reconcile.operations import night as nights
from reconcile.runs.verify import verify_run
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.exports.exports import ExportRules
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings

NIGHT = date(2026, 11, 20)
CANARY = "canary-of-klarna-tokens"


@pytest.fixture
def served() -> Iterator[Serve]:
    """Return a function that serves a world (default: 40 payments) which exports twenty records at most."""
    with servers(40, exports=ExportRules(maximum=20, time_scale=1_000.0), canary=CANARY) as serve:
        yield serve


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask after exports without waiting a second for each."""
    monkeypatch.setattr("reconcile.commercelayer.exports.jobs.pause_seconds", lambda *_: 0.005)


def night(server: SandboxServer, out: Path, **options: Any) -> nights.RunResult:
    """Run a night with exported order totals against `server`."""
    settings = Settings.of(
        **{
            "api_url": server.api_url,
            "orders": ("commerce-layer",),
            "out": str(out),
            "mirror": str(out / "mirror"),
            "retry_seconds": 3,
            **options,
        }
    )
    return nights.run(settings, Secrets(server.client_id, server.client_secret), business_date=NIGHT)


def items_of(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "items.parquet").to_pylist()


def test_every_placed_order_meets_its_payment(served: Serve, tmp_path: Path) -> None:
    world = World.generate(300)
    placed = [row for row in map(world.orders.row, world.orders.alive().tolist()) if row["placed_at"]]
    for row in placed[::3]:
        world.update_order(row["id"], touch=False, reference=None)
    for row in placed[::6]:
        world.update_order(row["id"], touch=False, number=f"other-{row['id']}")

    folder = night(served(world), tmp_path, amount_basis="total_amount_with_taxes_cents").folder

    items, payers = items_of(folder), defaultdict(set)
    for row in pq.read_table(folder / "transactions.parquet").to_pylist():
        if row["succeeded"] and row["payment_id"]:
            payers[row["order_id"]].add(row["payment_id"])
    shared = {order_id for order_id, several in payers.items() if len(several) > 1}
    # Of these some are two payments for one order row: nobody is paired.
    left = {item["order_id"] for item in items if item["status"] == "duplicate_reference"}
    assert left < shared
    paired = [item for item in items if item["matched_on"] is not None]
    assert len(paired) == len(placed) - len(left)
    assert {item["order_id"] for item in paired} == {row["id"] for row in placed} - left
    assert not {item["status"] for item in items} & {"missing_order", "missing_payment"}
    keys = {item["matched_on"] for item in paired}
    assert {"reference", "order_reference", "order_number", "order_id"} >= keys >= {"reference"}
    assert not any(item["difference_cents"] for item in paired)


def test_the_files_are_kept_as_evidence_and_verified(served: Serve, tmp_path: Path) -> None:
    folder = night(served(), tmp_path).folder

    manifest = json.loads((folder / "manifest.json").read_bytes())
    names = ["evidence/orders-0001.json.gz", "evidence/orders-0002.json.gz"]
    assert names == [file["path"] for file in manifest["inputs"]["files"]]
    evidence = json.loads((folder / "evidence" / "orders.json").read_bytes())
    assert [file["sha256"] for file in evidence["files"]] == [file["sha256"] for file in manifest["inputs"]["files"]]
    assert manifest["orders_export"]["orders"] == sum(file["rows"] for file in manifest["inputs"]["files"])
    assert verify_run(folder).problems == ()
    (folder / names[0]).write_bytes(b"")
    assert any(names[0] in problem for problem in verify_run(folder).problems)


@pytest.mark.slow
def test_equal_orders_give_equal_bytes(served: Serve, tmp_path: Path) -> None:
    server = served()

    first, second = (night(server, tmp_path / name).folder for name in ("a", "b"))

    for name in ("orders.parquet", "items.parquet", "evidence/orders-0001.json.gz"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert set(pq.read_table(first / "orders.parquet")["source_file"].to_pylist()) == {
        "evidence/orders-0001.json.gz",
        "evidence/orders-0002.json.gz",
    }


@pytest.mark.slow
def test_files_and_exports_stand_side_by_side(served: Serve, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("reference,total,currency\nFROM-THE-ERP,1.00,EUR\n")

    folder = night(served(), tmp_path / "runs", orders=(str(more), "commerce-layer")).folder

    files = json.loads((folder / "manifest.json").read_bytes())["inputs"]["files"]
    assert [Path(file["path"]).name for file in files] == ["more.csv", "orders-0001.json.gz", "orders-0002.json.gz"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The items of a night that nothing goes wrong with."""
    rules = ExportRules(maximum=20, time_scale=1_000.0)
    with SandboxServer(World.generate(40), Behaviour(limits=None, exports=rules, canary=CANARY)) as server:
        return (night(server, tmp_path_factory.mktemp("undisturbed")).folder / "items.csv").read_bytes()


# A token, two counts, a refusal, a cut, two exports, looks at them, a count; then the pull.
@pytest.mark.parametrize(
    "number", [number if number == 3 else pytest.param(number, marks=pytest.mark.slow) for number in range(1, 15)]
)
def test_a_night_that_breaks_off_anywhere_publishes_nothing_and_the_next_goes_on(
    served: Serve, tmp_path: Path, number: int, undisturbed: bytes
) -> None:
    server = served(None, f"5xx:#{number}")

    try:
        folder = night(server, tmp_path, retry_seconds=0.001).folder
    except CommerceLayerError:
        assert not (tmp_path / "2026-11-20").exists()
        folder = night(server, tmp_path, retry_seconds=0.001).folder

    assert (folder / "items.csv").read_bytes() == undisturbed


def test_orders_of_all_payment_methods_are_told(served: Serve, tmp_path: Path) -> None:
    result = night(served(uncrossed=("payment_method",)), tmp_path)

    assert {"all_methods_exported", "order_amounts_are_ours"} <= {one.code for one in result.summary.warnings}


def test_a_total_that_the_api_does_not_have_is_a_reject(served: Serve, tmp_path: Path) -> None:
    world = World.generate(40)
    order = next(row for row in map(world.orders.row, world.orders.alive().tolist()) if row["placed_at"])
    world.update_order(order["id"], total_amount_with_taxes_cents=None)

    with pytest.raises(TooManyRejects, match=r"evidence/orders-0001\.json\.gz:1: total_amount_with_taxes_cents"):
        night(served(world), tmp_path)


def test_no_orders_stop_the_night_unless_that_is_put_up_with(served: Serve, tmp_path: Path) -> None:
    server, early = served(), {"until": "2024-07-01", "on_empty_payments": "warn"}

    with pytest.raises(EmptySide):
        night(server, tmp_path, **early)
    folder = night(server, tmp_path, **early, on_empty_orders="warn").folder

    assert pq.read_table(folder / "orders.parquet").num_rows == 0


def test_a_match_sends_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="only files are read") as raised:
        nights.match(Settings.of(orders=("commerce-layer",)), tmp_path / "payments.parquet", business_date=NIGHT)

    assert "reconcile orders export --to exports" in str(raised.value.hint)


@pytest.mark.parametrize("words", [["commerce-layer"], ["--orders", "commerce-layer"]])
def test_check_and_dry_run_count_what_would_be_exported(served: Serve, words: list[str], workplace: Path) -> None:
    server = served()
    access = {"RECONCILE_CLIENT_ID": server.client_id, "RECONCILE_CLIENT_SECRET": server.client_secret}

    def said(command: str, *more: str) -> str:
        line = [command, *words, "--api-url", server.api_url, *more]
        return CliRunner().invoke(main, line, env=access, catch_exceptions=False).stdout

    count = len([row for row in map(server.world.orders.row, server.world.orders.alive().tolist()) if row["placed_at"]])
    assert f"ok    orders       {count} orders paid with Klarna can be exported" in said("check")
    assert f"orders       {count} to export, about 8 requests" in said("run", "--dry-run")
    assert not list(workplace.iterdir())


@pytest.mark.slow
def test_nothing_secret_is_left_by_a_night(served: Serve, workplace: Path) -> None:
    server = served(None, "storage-expired:#1", "storage-5xx:#2")
    environ = {"RECONCILE_CLIENT_ID": server.client_id, "RECONCILE_CLIENT_SECRET": server.client_secret}

    result = subprocess.run(
        [sys.executable, "-m", "reconcile", "run", "--orders", "commerce-layer", "--api-url", server.api_url, "-vv"],
        env=os.environ | environ,
        capture_output=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr.decode()
    seen = b"\n".join([result.stdout, result.stderr, *(p.read_bytes() for p in workplace.rglob("*") if p.is_file())])
    for secret in (CANARY, "X-Amz", server.storage_url, server.client_secret):
        assert secret.encode() not in seen
