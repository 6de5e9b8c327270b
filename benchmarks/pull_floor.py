"""
A whole `reconcile pull` against a bare aiohttp loop that reads the same bytes and throws them away.

The pages are static files served by nginx from one core, so that what is measured is the client. The floor neither
checks, parses, keeps nor writes anything; both send the same requests, 16 at once, without a rate limit. Each round
takes both in turn; what is printed are medians of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _static_api
from benchmarks._process import cost_of

_PULL = """
import asyncio, sys, time
from pathlib import Path
from benchmarks._static_api import CREDENTIALS, UNTIL
from reconcile.commercelayer.client import CommerceLayer
from reconcile.payments.request import PullRequest
from reconcile.payments.pull import pull_to_parquet

async def pull(url, folder, mirror):
    async with CommerceLayer(api_url=url, auth_url=url, credentials=CREDENTIALS, rate_limit=False) as client:
        request = PullRequest(until=UNTIL.isoformat(), mirror=str(mirror or ""))
        await pull_to_parquet(client, folder / "payments.parquet", request)

url, folder, kept = sys.argv[1], Path(sys.argv[2]), sys.argv[3] == "kept"
started = time.perf_counter()
asyncio.run(pull(url, folder, folder / "mirror" if kept else None))
print(time.perf_counter() - started)
"""


def floor(url: str, pages: Path) -> tuple[float, float]:
    """Return the seconds of the floor's loop, and of its whole process."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks._floor", url, str(pages / "requests")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(told.split()[1]), time.perf_counter() - started


def whole_pull(url: str) -> tuple[float, float]:
    """Return the seconds of one `reconcile pull` as a process, and its peak resident memory in MB."""
    environ = os.environ | {
        "RECONCILE_CLIENT_ID": _static_api.CREDENTIALS.client_id,
        "RECONCILE_CLIENT_SECRET": _static_api.CREDENTIALS.client_secret,
        "RECONCILE_RATE_LIMIT": "false",
    }
    with tempfile.TemporaryDirectory() as name:
        to, mirror, until = f"{name}/payments.parquet", f"{name}/mirror", _static_api.UNTIL.isoformat()
        options = ["--via", "pages", "--api-url", url, "--until", until, "--to", to, "--mirror", mirror]
        cost = cost_of([sys.executable, "-m", "reconcile", "pull", "-q", *options], env=environ)
    return cost.seconds, cost.peak_mb


def kept_or_not(url: str, *, kept: bool) -> float:
    """Return the seconds of a pull with a mirror that outlives it (`kept`), or with none."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-c", _PULL, url, name, "kept" if kept else "not"]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(arguments: Sequence[str] | None = None) -> None:
    """Record the pages where they are not there yet, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=Path, help="folder in which recorded pages are kept [a temporary one]")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        for payments in chosen.payments:
            pages = (chosen.pages or Path(temporary)) / str(payments)
            _static_api.record(payments, pages)
            with _static_api.served(pages) as url:
                _measure(url, pages, payments, chosen.rounds)


def _measure(url: str, pages: Path, payments: int, rounds: int) -> None:
    floors, pulls, kept = [], [], []
    for _ in range(rounds):
        floors.append(floor(url, pages))
        pulls.append(whole_pull(url))
        kept.append((kept_or_not(url, kept=True), kept_or_not(url, kept=False)))
    loop, process = (statistics.median(values) for values in zip(*floors, strict=True))
    ratios = [seconds / loop for (seconds, _), (loop, _) in zip(pulls, floors, strict=True)]
    whole = [seconds / process for (seconds, _), (_, process) in zip(pulls, floors, strict=True)]
    median = statistics.median
    print(
        f"{payments:,} payments: `reconcile pull` {median(seconds for seconds, _ in pulls):.2f} s, floor {loop:.2f} s "
        f"(its process {process:.2f} s), ratio {median(ratios):.2f} (of the processes {median(whole):.2f})\n"
        f"{payments:,} payments: mirror kept / none {median(with_ / without for with_, without in kept):.3f}, "
        f"peak resident memory {max(megabytes for _, megabytes in pulls):.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
