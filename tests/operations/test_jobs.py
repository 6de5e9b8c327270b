"""The jobs, as a scheduler starts them: their own settings, public names only, the exit codes of the command."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from nights import said
from places import ROOT, SAMPLE

import reconcile

JOBS = ROOT / "jobs"
BARE = {"RECONCILE_HTML": "false", "RECONCILE_XLSX": "false"}
Job = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def job(values: dict[str, str], workplace: Path) -> Job:
    """Run a job in an empty folder with the settings that it ships with; the environment names the sandbox."""
    (workplace / "exports").mkdir()
    (workplace / "exports" / "orders-2026-11-20.csv").write_bytes((SAMPLE / "orders.csv").read_bytes())
    environ = {
        "RECONCILE_API_URL": values["api"],
        "RECONCILE_CLIENT_ID": values["client_id"],
        "RECONCILE_CLIENT_SECRET": values["client_secret"],
    }

    def start(name: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(JOBS / name), *words]
        return subprocess.run(command, env=os.environ | environ | more, capture_output=True, text=True, check=False)

    return start


@pytest.fixture
def published(job: Job, values: dict[str, str]) -> Callable[[str], None]:
    """Return a function that publishes the run of a date, as the nightly job does, without starting it."""

    def run(day: str) -> None:
        words = f"run exports/orders-2026-11-20.csv {values['options']} --date {day} --no-html --no-xlsx".split()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RECONCILE_CLIENT_ID", values["client_id"])
            patch.setenv("RECONCILE_CLIENT_SECRET", values["client_secret"])
            assert said(*words).exit_code == 0

    return run


@pytest.mark.slow
def test_nightly_publishes_and_tells_the_limits_that_are_exceeded(job: Job) -> None:
    result = job("nightly.py", "--date", "2026-11-20")

    assert result.returncode == 1, result.stderr
    assert result.stdout == "runs/2026-11-20\n"
    assert result.stderr.splitlines() == [
        "2026-11-20: over_limit, 400 payments, 362 order rows, 33 breaks",
        "over limit: breaks>25: 33 breaks",
        "over limit: amount>500.00EUR: 1688.93 EUR at stake in breaks",
        "over limit: currency_mismatch>0: 2 items are currency_mismatch",
    ]


@pytest.mark.slow
def test_nightly_goes_on_with_the_order_book_of_the_night_before(job: Job, workplace: Path) -> None:
    for path in (SAMPLE / "days").iterdir():
        (workplace / "exports" / path.name).write_bytes(path.read_bytes())
    nights = [
        job("nightly.py", "--date", f"2026-11-{day}", RECONCILE_COVERS="2026-11-18..", **BARE) for day in (18, 19)
    ]

    assert [night.returncode for night in nights] == [0, 0], nights[1].stderr
    assert "33 order rows" in nights[0].stderr
    assert "54 order rows" in nights[1].stderr  # 22 more, one of which replaces another


@pytest.mark.slow
def test_nightly_within_its_limits_ends_with_0(job: Job) -> None:
    assert job("nightly.py", "--date", "2026-11-20", RECONCILE_FAIL_ON="breaks>33", **BARE).returncode == 0


def test_nightly_ends_as_the_command_does(job: Job) -> None:
    result = job("nightly.py", "--date", "2026-11-20", RECONCILE_CLIENT_SECRET="wrong")

    assert result.returncode == 4
    assert "invalid_client" in result.stderr
    assert "Traceback" not in result.stderr


def test_adhoc_prints_the_breaks(job: Job) -> None:
    result = job("adhoc.py", "exports/orders-2026-11-20.csv", "--since", "2026-11-01")

    assert result.returncode == 0, result.stderr
    assert "amount_mismatch      break" in result.stdout
    assert "NW-2611-" in result.stdout


def test_warehouse_loads_each_date_once_however_often_it_runs(job: Job, published: Callable[[str], None]) -> None:
    for day in ("2026-11-20", "2026-11-21"):
        published(day)
    first = job("warehouse.py", "--to", "duckdb:warehouse.duckdb", "--to", "parquet:warehouse")
    again = job("warehouse.py", "--to", "duckdb:warehouse.duckdb", "--to", "parquet:warehouse")

    assert first.returncode == again.returncode == 0, first.stderr + again.stderr
    for source in ("klarna_items", "read_parquet('warehouse/items/*/*/*/*.parquet', hive_partitioning = true)"):
        with duckdb.connect("warehouse.duckdb", read_only=True) as connection:
            counts = connection.execute(
                f"SELECT business_date::TEXT, count(*) FROM {source} GROUP BY 1 ORDER BY 1"
            ).fetchall()
        assert [day for day, _ in counts] == ["2026-11-20", "2026-11-21"], source
        assert all(count == 408 for _, count in counts), source


def test_warehouse_takes_the_target_of_its_settings(job: Job, published: Callable[[str], None]) -> None:
    published("2026-11-20")
    result = job("warehouse.py", "--date", "2026-11-20")

    assert result.returncode == 0, result.stderr
    assert Path("warehouse.duckdb").is_file()


@pytest.mark.parametrize("path", sorted(JOBS.glob("*.py")), ids=lambda path: path.name)
def test_a_job_is_short_and_uses_public_names_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "reconcile"
    }
    imported = {
        name.name for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for name in node.names
    }

    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    assert used <= set(reconcile.__all__)
    assert not any(name.startswith("reconcile.") for name in imported)
    assert path.with_suffix(".toml").is_file()
