"""`reconcile pull` as a process that is killed: the same command goes on, and ends with the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from shops import pages
from signals import started

from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World

# A world of 2,000 payments is cut into so many: each ends with a page of its own, and one was under way in each.
SHARDS = 4 + 1


class Pulls:
    """Pulls of one world into one file, by processes of their own. No rate limit holds them back."""

    def __init__(self, server: SandboxServer, folder: Path) -> None:
        self.server = server
        self.destination = folder / "payments.parquet"
        self._command = [sys.executable, "-m", "reconcile", "pull", "--to", str(self.destination), "--via", "pages"]
        self._command += ["--mirror", str(folder / "mirror"), "--quiet"]
        self._environ = os.environ | {
            "RECONCILE_CLIENT_ID": server.client_id,
            "RECONCILE_CLIENT_SECRET": server.client_secret,
            "RECONCILE_API_URL": server.api_url,
            "RECONCILE_RATE_LIMIT": "false",
        }

    def pages(self) -> int:
        """Number of pages of walks through everything that were served, to all of them."""
        return pages(self.server)

    def stopped(self, sign: signal.Signals, *, after_requests: int, heeded: bool = True) -> tuple[int, str]:
        """
        Start a pull, stop it with `sign` when it has sent so many requests; return how it ended and what it said.

        Without `heeded` it ignores SIGINT from the start, as what a shell starts with `&`.
        """
        until = len(self.server.requests) + after_requests
        with started(self._command, env=self._environ, heeded=heeded) as process:
            while len(self.server.requests) < until and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(sign)
            _, said = process.communicate(timeout=300)
        return process.returncode, said

    def finished(self) -> bytes:
        """Run a pull to its end and return what it wrote."""
        subprocess.run(self._command, env=self._environ, check=True, timeout=900)
        return self.destination.read_bytes()


def killed_again_and_again(killed: Pulls, *, pages: int, kills: int) -> bytes:
    """Kill pulls at random moments, `pages` of them being all there is to read; return what the last one wrote."""
    moments = sorted(random.Random(kills).sample(range(1, pages * 9 // 10), kills))
    for before, moment in pairwise([0, *moments]):
        ended, said = killed.stopped(signal.SIGKILL, after_requests=moment - before)
        assert (ended, said) == (-signal.SIGKILL, "")
        assert not killed.destination.exists()
    return killed.finished()


@pytest.mark.slow
async def test_a_pull_killed_three_times_ends_with_the_same_bytes(serve, pull, tmp_path: Path) -> None:
    world = World.generate(2_000)
    await pull(serve(world), destination=tmp_path / "undisturbed.parquet")

    written = killed_again_and_again(Pulls(serve(world), tmp_path), pages=80, kills=3)

    assert written == (tmp_path / "undisturbed.parquet").read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_pull_killed_25_times_reads_less_than_5_percent_of_its_pages_twice(serve, tmp_path: Path) -> None:
    world = World.generate(1_000_000)
    (tmp_path / "undisturbed").mkdir()
    undisturbed, killed = Pulls(serve(world), tmp_path / "undisturbed"), Pulls(serve(world), tmp_path)
    expected = undisturbed.finished()

    assert killed_again_and_again(killed, pages=undisturbed.pages(), kills=25) == expected
    twice = killed.pages() / undisturbed.pages() - 1
    caught_up = sum(request.status == 200 for request in killed.server.requests) - killed.pages()
    print(
        f"25 x kill -9: {killed.pages():,} pages in place of {undisturbed.pages():,}: {twice:.1%} read twice; "
        f"{caught_up:,} other requests, what changed since among them"
    )
    assert twice < 0.05


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("sign", "heeded"),
    [
        pytest.param(signal.SIGINT, True, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.slow),
        (signal.SIGTERM, False),
    ],
    ids=["ctrl-c", "sigterm", "sigterm in the background"],
)
async def test_a_pull_that_is_told_to_stop_keeps_what_it_has(
    serve, pull, tmp_path: Path, sign: signal.Signals, heeded: bool
) -> None:
    world = World.generate(2_000)
    await pull(serve(world), destination=tmp_path / "undisturbed.parquet")
    pulls = Pulls(serve(world), tmp_path)

    ended, said = pulls.stopped(sign, after_requests=40, heeded=heeded)

    assert ended == 130
    assert said == "error: interrupted\nhint: run the same command to resume\n"
    assert not pulls.destination.exists()
    assert pulls.finished() == (tmp_path / "undisturbed.parquet").read_bytes()
    # What was under way when it was told is asked for again: at most one page of each walk.
    assert pulls.pages() <= 2_000 // 25 + 2 * SHARDS
