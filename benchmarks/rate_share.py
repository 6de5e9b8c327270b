"""
How much of the rate limit a pull spends: the least time its requests could take, over the time they took.

The sandbox runs in a process of its own with the documented windows, time 20 times faster (200 reads in 3 s, 50 in
0.5 s), and answers after 20 to 75 ms. What is lost between two requests weighs 20 times as much as in earnest.

**Least possible time.** A perfect client knows every page beforehand, has a network without delay and a clock in step
with the server's: it sends 50 requests at once, 50 more whenever the burst's window lets it, and the next 200 when
the average's window does. Request k of N (from 0) can thus arrive `k // 200` average windows and `k % 200 // 50` burst
windows after the first, and not sooner; the last one's answer comes at once. N is every read the pull sent, its counts
included; how many of them were pages is printed beside it. `rate_share` 0.5 halves both figures.

**Time taken** is one call of `pull_to_parquet` in a warm interpreter: from the request for a token to the published
file. The share until the last answer leaves out what follows it: merging the rows and publishing the file.

**Several processes** share one allowance through a file; each pulls everything. Their requests are added up, and the
time is that from the first request of any of them to the last answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIME_SCALE = 20
LATENCY_MILLISECONDS = "20-75"
SECRETS = {"RECONCILE_CLIENT_ID": "bench", "RECONCILE_CLIENT_SECRET": "bench"}


@dataclass(frozen=True, slots=True)
class Round:
    """One pull: reads sent, pages among them at the least, 429s, and seconds to the last answer and to the end."""

    reads: int
    least_pages: int
    rejected: int
    answered_seconds: float
    seconds: float
    started_at: float


def least_seconds(requests: int, *, average: int, burst: int) -> float:
    """Return the least time from the first of `requests` to the last, under both windows at `TIME_SCALE`."""
    last = requests - 1
    return (last // average * 60 + last % average // burst * 10) / TIME_SCALE


@contextlib.contextmanager
def sandbox(payments: int, mode: str) -> Iterator[str]:
    """Serve so many payments from a process of its own; give the API's address."""
    words = ["--payments", str(payments), "--mode", mode, "--time-scale", str(TIME_SCALE)]
    words += ["--fault", f"latency:{LATENCY_MILLISECONDS}", "--quiet"]
    command = [sys.executable, "-m", "reconcile", "sandbox", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | SECRETS)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.communicate()


async def pull(
    api_url: str, folder: Path, *, payments: int, rate_share: float = 1.0, allowance: Path | None = None
) -> Round:
    """Pull everything once, with a mirror, and return what it took."""
    from reconcile.commercelayer.client import CommerceLayer, Credentials
    from reconcile.payments.pull import pull_to_parquet
    from reconcile.payments.request import PullRequest

    answered = [0.0]
    async with CommerceLayer(
        api_url=api_url,
        auth_url=api_url.removesuffix("/api"),
        credentials=Credentials(*SECRETS.values()),
        rate_share=rate_share,
        allowance=allowance,
    ) as client:
        settle = client.limiter.settle

        def noting(*arguments: Any, **options: Any) -> None:
            answered[0] = time.monotonic()
            settle(*arguments, **options)

        client.limiter.settle = noting  # type: ignore[method-assign] # the last answer is nowhere else to be seen
        started = time.monotonic()
        report = await pull_to_parquet(client, folder / "payments.parquet", PullRequest(mirror=str(folder / "mirror")))
        ended = time.monotonic()
        assert report.payments == payments
        reads = client.statistics.requests["read"]
    return Round(reads, -(-payments // 25), report.rate_limited, answered[0] - started, ended - started, started)


def warm_up() -> None:
    """Have everything imported and set up that a first pull would wait for."""
    with sandbox(200, "live") as api_url, tempfile.TemporaryDirectory() as name:
        asyncio.run(pull(api_url, Path(name), payments=200))


def measure(payments: int, *, mode: str, rate_share: float, rounds: int) -> None:
    """Print the median share of `rounds` pulls, each from a server that has seen nothing."""
    average, burst = (200, 50) if mode == "live" else (100, 25)
    average, burst = int(average * rate_share), int(burst * rate_share)
    wholes, untils, done = [], [], []
    for _ in range(rounds):
        with sandbox(payments, mode) as api_url, tempfile.TemporaryDirectory() as name:
            one = asyncio.run(pull(api_url, Path(name), payments=payments, rate_share=rate_share))
        least = least_seconds(one.reads, average=average, burst=burst)
        wholes.append(least / one.seconds)
        untils.append(least / one.answered_seconds)
        done.append(one)
    print(
        f"{payments:,} payments, {mode}, rate_share {rate_share:g}: "
        f"share until the last answer {statistics.median(untils):.3f} ({min(untils):.3f} to {max(untils):.3f}), "
        f"until the file is published {statistics.median(wholes):.3f}; "
        f"{sum(one.rejected for one in done)} rejected; "
        f"{statistics.median(one.reads for one in done):g} reads for at least {done[0].least_pages} pages; "
        f"{statistics.median(one.seconds for one in done):.2f} s",
        flush=True,
    )


def measure_shared(payments: int, *, processes: int, rounds: int) -> None:
    """Print the median share that so many pulls at once spend together, of one allowance."""
    code = (
        "import asyncio, dataclasses, json, sys; from pathlib import Path; from benchmarks import rate_share\n"
        "api_url, folder, payments = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])\n"
        "allowance = folder.parent / 'allowance'\n"
        "one = asyncio.run(rate_share.pull(api_url, folder, payments=payments, allowance=allowance))\n"
        "print(json.dumps(dataclasses.asdict(one)))"
    )
    shares, rejected = [], 0
    for _ in range(rounds):
        with sandbox(payments, "live") as api_url, tempfile.TemporaryDirectory() as name:
            pulls = []
            for number in range(processes):
                folder = Path(name) / str(number)
                folder.mkdir()
                command = [sys.executable, "-c", code, api_url, str(folder), str(payments)]
                pulls.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            done = [Round(**json.loads(process.communicate()[0])) for process in pulls]
        first = min(one.started_at for one in done)
        last = max(one.started_at + one.answered_seconds for one in done)
        shares.append(least_seconds(sum(one.reads for one in done), average=200, burst=50) / (last - first))
        rejected += sum(one.rejected for one in done)
    print(
        f"{processes} processes, {payments:,} payments each, one allowance: share {statistics.median(shares):.3f} "
        f"({min(shares):.3f} to {max(shares):.3f}) until the last answer; {rejected} rejected",
        flush=True,
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; `--payments`, `--mode`, `--rate-share`, `--rounds`. Without any: the cases that matter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payments", type=int)
    parser.add_argument("--mode", choices=["live", "test"], default="live")
    parser.add_argument("--rate-share", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(arguments)
    warm_up()
    if chosen.payments:
        measure(chosen.payments, mode=chosen.mode, rate_share=chosen.rate_share, rounds=chosen.rounds)
        return
    measure(16_000, mode="live", rate_share=1.0, rounds=chosen.rounds)
    measure(40_000, mode="live", rate_share=1.0, rounds=min(3, chosen.rounds))
    measure(100_000, mode="live", rate_share=1.0, rounds=1)
    measure(16_000, mode="test", rate_share=1.0, rounds=min(3, chosen.rounds))
    measure(16_000, mode="live", rate_share=0.5, rounds=min(3, chosen.rounds))
    measure_shared(10_000, processes=3, rounds=min(3, chosen.rounds))


if __name__ == "__main__":
    main()
