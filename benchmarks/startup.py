"""How long `reconcile --help` takes as a process, against an interpreter that imports click alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 15


def seconds(code: str) -> float:
    """Return the wall time of one process that runs `code`."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def main() -> None:
    """Print the medians of both and their ratio, pair by pair."""
    floor, ours = "import click", "from reconcile.cli.main import main; main(['--help'])"
    pairs = [(seconds(floor), seconds(ours)) for _ in range(RUNS)]
    ratio = statistics.median(our / least for least, our in pairs)
    print(
        f"--help: {statistics.median(our for _, our in pairs):.3f} s, `import click`: "
        f"{statistics.median(least for least, _ in pairs):.3f} s, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
