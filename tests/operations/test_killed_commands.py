"""
Every command killed before every change it makes on disk: nothing is lost, and the same command ends as if undisturbed.

The moments in which a date changes hands are tried at once, every change of every command by `make test-all`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nights import night
from places import SAMPLE

from reconcile.sandbox.server import SandboxServer

SCRIPT = Path(__file__).with_name("kill_points.py")
READING = (
    ("runs", "list", "--format", "json"),
    ("breaks", "list", "--format", "json"),
    ("runs", "verify"),
)
ACCEPTED, OTHER = "NW-2611-100812", "NW-2610-100408"


@dataclass(frozen=True, slots=True)
class Case:
    """A command to kill: its words, what of the disk it is about, the warehouse that it loads."""

    command: tuple[str, ...]
    compared: tuple[str, ...] = ("runs/2026", "runs/acceptances.csv", "ledger")
    warehouse: str | None = None
    refuses_twice: str | None = None
    """What the command says that has done its work when it was killed, and is run again."""


MATCH = ("match", "payments.csv", "orders.csv", "--mode", "live", "--no-xlsx", "--date")
LOAD = ("load", "runs/2026-11-20", "--to")
CASES = {
    "match": Case((*MATCH, "2026-11-21")),
    "match-again": Case((*MATCH, "2026-11-20", "--tolerance-cents", "5")),
    "run": Case(("run", "orders.csv", "--no-xlsx", "--date", "2026-11-21")),
    "pull": Case(("pull", "--to", "pulled.parquet"), ("pulled",)),
    "load-duckdb": Case((*LOAD, "duckdb:w.duckdb"), ("warehouse",), "duckdb:w.duckdb"),
    "load-parquet": Case((*LOAD, "parquet:warehouse"), ("warehouse",), "parquet:warehouse"),
    "accept": Case(("breaks", "accept", OTHER, "--reason", "known, too")),
    "withdraw": Case(("breaks", "withdraw", ACCEPTED, "--reason", "not so"), refuses_twice="is not accepted"),
    "import": Case(("breaks", "import", "sheet.csv")),
    "export": Case(("breaks", "export", "new.csv"), ("new.csv",)),
    "report": Case(("report", "--to", "page.html"), ("page.html",)),
}


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two nights, a decision, and a sheet in which another one is made."""
    folder = tmp_path_factory.mktemp("start")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(SAMPLE / "orders.csv", "orders.csv")
        shutil.copy(SAMPLE / "payments.csv", "payments.csv")
        night(19, xlsx=False)
        night(20, xlsx=False)
        from reconcile.history import breaks

        breaks.accept(Path("runs/2026-11-20"), [ACCEPTED], breaks.Grounds("known"))
        breaks.write_sheet(Path("runs/2026-11-20"), Path("sheet.csv"))
        lines = Path("sheet.csv").read_text().splitlines()
        reason = lines[0].split(",").index("accept_reason")
        cells = lines[3].split(",")
        cells[reason] = "by sheet"
        Path("sheet.csv").write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]) + "\n")
    return folder


def killed(case: Case, start: Path, place: Path, sandbox: SandboxServer, *, at: Sequence[str]) -> list[dict[str, Any]]:
    """Return what `kill_points.py` told: the undisturbed command, then each kill."""
    shutil.copytree(start, place / "start")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place / "start")
        if case.warehouse:
            from reconcile.warehouse.load import load_run

            load_run(Path("runs/2026-11-19"), case.warehouse)
    plan = place / "plan.json"
    plan.write_text(
        json.dumps(
            {
                "workplace": str(place / "start"),
                "command": case.command,
                "reading": READING,
                "at": at,
                "compared": case.compared,
                "warehouse": case.warehouse,
            }
        )
    )
    environ = os.environ | {
        "RECONCILE_API_URL": sandbox.api_url,
        "RECONCILE_CLIENT_ID": sandbox.client_id,
        "RECONCILE_CLIENT_SECRET": sandbox.client_secret,
        # Else numpy and pyarrow start threads as they are imported.
        "OPENBLAS_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
    }
    done = subprocess.run([sys.executable, SCRIPT, plan], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(case: Case, told: list[dict[str, Any]]) -> None:
    undisturbed, *kills = told
    assert undisturbed["status"] == 0, undisturbed["said"]
    assert kills, "the command changes something"
    for kill in kills:
        (listed, runs), (shown, _), (verified, problems) = kill["read"]
        assert (listed, shown, verified) == (0, 0, 0), (kill["before"], kill["read"])
        assert "CHANGED" not in problems
        dates = [run["business_date"] for run in json.loads(runs)]
        assert dates[:2] == ["2026-11-19", "2026-11-20"], (kill["before"], dates)
        repeated = case.refuses_twice is not None and case.refuses_twice in kill["said"]
        assert kill["status"] == 0 or repeated, (kill["before"], kill["said"])
        assert kill["after"] == undisturbed["after"], kill["before"]


@pytest.mark.parametrize(
    ("name", "at"),
    [
        pytest.param(
            "match-again",
            ["os.rename /runs/2026-11-20 ", "os.rename /runs/.2026-11-20.staging "],
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "load-parquet",
            ["os.rename /warehouse/.loading-unnamed,live,2026-11-20/payments "],
            marks=pytest.mark.slow,
        ),
        ("accept", ["open /runs/acceptances.csv "]),
    ],
)
def test_a_command_that_is_killed_as_something_changes_hands_loses_nothing(
    name: str, at: list[str], start: Path, sandbox: SandboxServer, tmp_path: Path
) -> None:
    told = killed(CASES[name], start, tmp_path / "kill", sandbox, at=at)

    assert len(told) == 1 + len(at), "each of these changes is made once"
    check(CASES[name], told)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", CASES)
def test_a_command_that_is_killed_before_any_change_loses_nothing(
    name: str, start: Path, sandbox: SandboxServer, tmp_path: Path
) -> None:
    check(CASES[name], killed(CASES[name], start, tmp_path / "kill", sandbox, at=["/", "execute", "close"]))
