"""A command loads the libraries that it needs, and no others: most of a small one's time is loading them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "sample_data"
SCRIPT = """
import sys
from reconcile.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *sys.modules)
"""
MATCH = ("match", str(SAMPLE / "payments.csv"), str(SAMPLE / "orders.csv"), "--mode", "live", "--date", "2026-11-20")
SPREADSHEETS = {"html.parser", "xml.parsers.expat", "reconcile.files.spreadsheets.cells"}
HEAVY = {"aiohttp", "duckdb", "jinja2", "msgspec", "narwhals", "numpy", "pandas", "pyarrow", "xlsxwriter"}


@pytest.mark.parametrize(
    ("words", "left_out"),
    [
        (("--help",), HEAVY - {"msgspec"}),
        (("run", "--help"), HEAVY - {"msgspec"}),
        ((*MATCH, "--no-html", "--no-xlsx"), {"aiohttp", "jinja2", "pandas", "xlsxwriter", *SPREADSHEETS}),
        ((*MATCH, "--no-xlsx"), {"aiohttp", "pandas", "xlsxwriter"}),
        (("orders", "inspect", str(SAMPLE / "orders.csv")), {"aiohttp", "jinja2", "narwhals", "pandas", "xlsxwriter"}),
        (("init",), HEAVY - {"msgspec"}),
    ],
    ids=lambda given: " ".join(given[:2]) if isinstance(given, tuple) else "",
)
def test_a_command_loads_only_what_it_needs(words: tuple[str, ...], left_out: set[str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    *_, loaded = (line for line in done.stdout.splitlines() if line.startswith("loaded:"))
    assert done.returncode == 0, done.stderr
    assert left_out & set(loaded.split()) == set()
