"""`reconcile refresh --apply` killed at every step, with answers that come and that are lost: nothing is sent twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flagged import RECORD, Shop, outcomes, recorded, said, writes
from nights import OUT
from served import servers

from reconcile.sandbox.server import SandboxServer

SCRIPT = Path(__file__).with_name("killed_refresh.py")
APPLY = ("refresh", "--apply", "--yes")

Ended = Callable[[SandboxServer, int | None], int]


@pytest.fixture
def applied(workplace: Path) -> Iterator[Ended]:
    """Return a function that applies the plan in a process, killed at a step or not, and returns its exit code."""
    command = [sys.executable, str(SCRIPT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        takes, gives = process.stdin, process.stdout

        def apply(server: SandboxServer, step: int | None) -> int:
            environ = {
                "RECONCILE_CLIENT_ID": server.client_id,
                "RECONCILE_CLIENT_SECRET": server.client_secret,
                "RECONCILE_API_URL": server.api_url,
            }
            takes.write(json.dumps([step, os.fspath(workplace), environ, APPLY]) + "\n")
            takes.flush()
            return int(gives.readline())

        yield apply
        takes.close()


def killed_at(step: int, fault: tuple[str, ...], applied: Ended) -> bool:
    """Kill it at a step, and apply the same plan again; return whether there was such a step."""
    shutil.rmtree(OUT, ignore_errors=True)
    shop = Shop(refresh=3)
    shop.run()
    with ExitStack() as stack:
        serve = stack.enter_context(servers())
        assert said(serve(shop.world), "refresh").exit_code == 0
        server = serve(shop.world, *fault)
        if applied(server, step) >= 0:
            return False
        is_cut = RECORD.exists() and not RECORD.read_bytes().endswith(b"\n")
        on_record = len(recorded())
        ended = applied(server, None)
        assert max(writes(server).values(), default=0) <= 1

    cleared = {id_ for id_ in shop.ids() if shop.world.payments.find(id_)["mismatched_amounts"] is False}
    found = outcomes()
    assert {id_ for id_, outcome in found.items() if outcome == "flag_cleared"} == cleared
    assert set(found) == set(shop.ids())
    assert set(writes(server)) <= cleared
    unknown = Counter(found.values())["unknown"]
    assert ended == (4 if unknown else 0)
    assert unknown <= 3 if on_record or is_cut else not unknown
    return True


def test_what_is_killed_is_found_and_sent_at_most_once(applied: Ended) -> None:
    for step in (7, 11, 16):  # in the middle of it: intents are on record, some are sent, some answered
        assert killed_at(step, (), applied)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [(), ("write-lost",), ("write-empty",)], ids=["answered", "lost", "empty"])
def test_it_may_be_killed_at_every_step(fault: tuple[str, ...], applied: Ended) -> None:
    steps = 0
    while killed_at(steps, fault, applied):
        steps += 1

    assert steps >= 30
