"""
reconcile as a process: start-up, signals, a full disk.

What a command says when nothing happens to its process is asked of it in this one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from places import ROOT, SAMPLE
from signals import started

from reconcile.cli.main import main
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.faults import Faults
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

WAYS = {
    "ctrl-c": (signal.SIGINT, True),
    "sigterm": (signal.SIGTERM, True),
    "sigterm in the background": (signal.SIGTERM, False),
}
"""A signal, and whether SIGINT is heeded: a shell has it ignored in what it starts with `&`."""
OFTEN = [
    pytest.param(way, id=name, marks=() if name == "sigterm in the background" else pytest.mark.slow)
    for name, way in WAYS.items()
]
COMMAND = [sys.executable, "-m", "reconcile"]


def named(sandbox: SandboxServer) -> dict[str, str]:
    """Variables that name a server and who asks."""
    return {
        "RECONCILE_CLIENT_ID": sandbox.client_id,
        "RECONCILE_CLIENT_SECRET": sandbox.client_secret,
        "RECONCILE_API_URL": sandbox.api_url,
    }


def said(words: list[str], sandbox: SandboxServer, **more: str) -> Result:
    """Give the command the `words` in this process, and return what it says to them."""
    return CliRunner().invoke(main, words, env=named(sandbox) | more, catch_exceptions=False)


def test_help_imports_nothing_heavy() -> None:
    code = """
import sys
from reconcile.cli.main import main
heavy = {"pandas", "pyarrow", "aiohttp", "duckdb", "numpy", "narwhals", "asyncio"}
print(sorted(heavy & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "[]\n"


def test_a_usage_error_exits_with_2() -> None:
    result = subprocess.run([*COMMAND, "run", "--no-such-option"], capture_output=True, text=True, check=False)

    assert result.returncode == 2
    assert "No such option" in result.stderr


def interrupted(command: list[str], world: World, way: tuple[signal.Signals, bool]) -> tuple[int, str]:
    """Tell `command` to end while a server that has gone quiet keeps it waiting; return its exit code and words."""
    with (
        SandboxServer(world, Behaviour(faults=Faults.parse("stall:#9+"), limits=None)) as sandbox,
        started(command, env=os.environ | named(sandbox), heeded=way[1]) as process,
    ):
        while len(sandbox.requests) < 9 and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(way[0])
        _, told = process.communicate(timeout=300)
    return process.returncode, told


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", OFTEN)
def test_an_interrupted_run_says_so_and_the_same_command_goes_on(
    way: tuple[signal.Signals, bool], workplace: Path
) -> None:
    world = World.load(SAMPLE / "commerce_layer")
    words = ["run", str(SAMPLE / "orders.csv"), "--date", "2026-11-20"]
    status, told = interrupted([*COMMAND, *words], world, way)
    assert status == 130, told
    assert told == "error: interrupted\nhint: run the same command to resume\n"
    assert not Path("runs/2026-11-20").exists()

    with SandboxServer(world, Behaviour(limits=None)) as sandbox:
        result = said([*words, "--no-html", "--no-xlsx"], sandbox)

    assert (result.exit_code, result.stdout) == (0, "runs/2026-11-20\n"), result.stderr
    figures = json.loads(Path("runs/2026-11-20/summary.json").read_bytes())
    assert figures["pull"]["resumed"]
    assert not any("the pull" in warning["text"] for warning in figures["warnings"])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", OFTEN)
def test_the_nightly_job_ends_as_the_command_does_when_it_is_told_to(
    way: tuple[signal.Signals, bool], workplace: Path
) -> None:
    (workplace / "exports").mkdir()
    (workplace / "exports" / "orders-2026-11-20.csv").write_bytes((SAMPLE / "orders.csv").read_bytes())
    command = [sys.executable, str(ROOT / "jobs" / "nightly.py"), "--date", "2026-11-20"]
    world = World.load(SAMPLE / "commerce_layer")
    status, told = interrupted(command, world, way)

    assert status == 130, told
    assert told == "2026-11-20: interrupted; run the same command to resume\n"


def test_a_pull_that_goes_on_says_that_it_is_up_to_date(workplace: Path) -> None:
    world = World.load(SAMPLE / "commerce_layer")
    with SandboxServer(world, Behaviour(faults=Faults.parse("5xx:#9+"), limits=None)) as sandbox:
        words = ["pull", "--to", "payments.parquet"]
        broken = said(words, sandbox, RECONCILE_RETRY_SECONDS="0.5")
    with SandboxServer(world, Behaviour(limits=None)) as sandbox:
        whole = said(words, sandbox)

    assert (broken.exit_code, whole.exit_code) == (4, 0), broken.stderr + whole.stderr
    assert "; resumed an interrupted pull, and brought it up to date; " in whole.stderr
    assert "warning" not in whole.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that holds less than a run folder."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("filled", [0, 40, 80, 110, 120])
def test_a_full_disk_is_one_clear_error_and_nothing_is_published(
    sandbox: SandboxServer, workplace: Path, small_disk: Path, filled: int
) -> None:
    (small_disk / "filler").write_bytes(os.urandom(filled * 1024))
    words = ["run", str(SAMPLE / "orders.csv"), "--date", "2026-11-20", "--out", str(small_disk / "runs")]
    result = said(words, sandbox)

    assert result.exit_code == 5, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("error: ")
    assert "hint: " in result.stderr
    assert result.stdout == ""
    assert [path.name for path in (small_disk / "runs").glob("2*")] == []


def test_an_output_folder_that_cannot_be_written_is_told_before_anything_is_sent(workplace: Path) -> None:
    with SandboxServer(World.load(SAMPLE / "commerce_layer"), Behaviour(limits=None)) as sandbox:
        words = ["run", str(SAMPLE / "orders.csv"), "--out", "/proc/runs"]
        result = said(words, sandbox)

        assert sandbox.requests == []
    assert result.exit_code == 5
    assert result.stderr.startswith("error: /proc/runs: cannot be ")
    assert "Traceback" not in result.stderr
