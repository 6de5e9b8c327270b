"""
How many requests a pull costs by exports, under the documented limits, against those that its pages would take.

The sandbox runs in a process of its own, takes at most 5,000 payments in an export and ten exports at once, and needs
two seconds for one. Requests are all that were sent to the API and the token endpoint; downloads are not among them.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.commercelayer.query import PAGE_SIZE
from reconcile.payments.pull import pull_to_parquet
from reconcile.payments.report import PullReport
from reconcile.payments.request import PullRequest

CREDENTIALS = Credentials("bench", "bench-secret")


async def pull(url: str, folder: Path) -> PullReport:
    """Pull everything by exports and return the report."""
    origin = url.removesuffix("/api")
    async with CommerceLayer(api_url=url, auth_url=origin, credentials=CREDENTIALS) as client:
        return await pull_to_parquet(
            client, folder / "payments.parquet", PullRequest(mirror=str(folder / "mirror"), via="exports")
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve a world, pull it by exports, print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000)
    payments = parser.parse_args(arguments).payments
    secrets = ["--client-id", CREDENTIALS.client_id, "--client-secret", CREDENTIALS.client_secret]
    command = [sys.executable, "-m", "reconcile", "sandbox", "-q", "--payments", str(payments), *secrets]
    with tempfile.TemporaryDirectory() as name, subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        url = sandbox.stdout.readline().strip()
        started = time.perf_counter()
        try:
            report = asyncio.run(pull(url, Path(name)))
        finally:
            sandbox.terminate()
        seconds = time.perf_counter() - started
    assert (report.payments, report.transport) == (payments, "exports")
    print(
        f"{payments:,} payments by exports: {report.requests} requests in {seconds:.0f} s, {report.rate_limited} "
        f"rejected; pages alone: {-(-payments // PAGE_SIZE):,}",
        flush=True,
    )


if __name__ == "__main__":
    main()
