"""
What a small command takes as a process, against an interpreter that imports what it cannot do without.

`--help` against click alone; a match of four rows, without page and workbook, against click, pyarrow and duckdb.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 9
SAMPLE = Path(__file__).parents[1] / "sample_data"
_COMMAND = "from reconcile.cli.main import main; main({words!r})"
_MATCH = ["match", "payments.csv", "orders.csv", "--mode", "live", "--no-html", "--no-xlsx", "--quiet"]


def seconds(code: str, folder: Path) -> float:
    """Return the wall time of one process that runs `code` in `folder`."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, cwd=folder, check=True)
    return time.perf_counter() - started


def compared(name: str, floor: str, words: list[str], folder: Path) -> None:
    """Print the medians of both and their ratio, pair by pair."""
    ours = _COMMAND.format(words=words)
    pairs = []
    for _ in range(RUNS):
        shutil.rmtree(folder / "runs", ignore_errors=True)
        pairs.append((seconds(floor, folder), seconds(ours, folder)))
    ratio = statistics.median(our / least for least, our in pairs)
    print(
        f"{name}: {statistics.median(our for _, our in pairs):.3f} s, `{floor}`: "
        f"{statistics.median(least for least, _ in pairs):.3f} s, ratio {ratio:.2f}"
    )


def main() -> None:
    """Measure both."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("payments.csv", "orders.csv"):
            lines = (SAMPLE / name).read_text(encoding="utf-8").splitlines(keepends=True)[:5]
            (folder / name).write_text("".join(lines), encoding="utf-8")
        compared("--help", "import click", ["--help"], folder)
        compared("match of 4 rows", "import click, pyarrow, duckdb", _MATCH, folder)


if __name__ == "__main__":
    main()
