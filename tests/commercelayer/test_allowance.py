"""One allowance for several processes: together they spend it and never exceed it, whoever dies meanwhile."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import deque
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_limiter import Server, VirtualTime, send

from reconcile.commercelayer.rate_limit import request_log, windows
from reconcile.commercelayer.rate_limit.limiter import Limiter
from reconcile.commercelayer.rate_limit.request_log import SharedLog
from reconcile.commercelayer.rate_limit.windows import Permit
from reconcile.errors import OutputError, SettingsError
from reconcile.sandbox.api.behaviour import Behaviour
from reconcile.sandbox.api.limits import Limits
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.world import World
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import connect

LONGEST_ANSWER = 30.0


def process(time: VirtualTime, path: Path, *, share: float = 1.0) -> Limiter:
    """What one process has: a limiter of its own, and the file."""
    shared = SharedLog(path, longest_answer_seconds=LONGEST_ANSWER)
    return Limiter(clock=time.clock, sleep=time.sleep, share=share, shared=shared)


@settings(max_examples=20, deadline=None)
@given(
    delays=st.lists(st.tuples(st.floats(0.001, 2.0), st.floats(0.001, 2.0)), min_size=1, max_size=20),
    processes=st.integers(1, 4),
    walkers=st.integers(1, 12),
    limit=st.sampled_from([40, 12, 7]),
)
def test_whatever_the_network_does_processes_together_are_not_rejected(
    tmp_path_factory: pytest.TempPathFactory,
    delays: list[tuple[float, float]],
    processes: int,
    walkers: int,
    limit: int,
) -> None:
    quickest = (min(there for there, _ in delays), min(back for _, back in delays))
    time, server = VirtualTime(), Server(limit, 60.0)
    path = tmp_path_factory.mktemp("shared") / "allowance"
    limiters = [process(time, path) for _ in range(processes)]
    queue = deque(delays[index % len(delays)] for index in range(4 * limit))

    async def walker(limiter: Limiter) -> None:
        while queue:
            await send(time, limiter, server, *queue.popleft())

    async def scenario() -> None:
        for limiter in limiters:  # each sees the shortest ways together, and what the headers say
            await time.run(send(time, limiter, server, *quickest))
        await time.run(*(walker(limiter) for limiter in limiters for _ in range(walkers)))

    asyncio.run(scenario())

    assert server.rejected == 0
    assert len(server.arrivals) == 4 * limit + processes


def test_processes_together_spend_the_allowance(tmp_path: Path) -> None:
    time, server = VirtualTime(), Server(200, 60.0)
    limiters = [process(time, tmp_path / "allowance") for _ in range(3)]
    left = [801]

    async def walker(limiter: Limiter) -> None:
        while left[0]:
            left[0] -= 1
            await send(time, limiter, server, 0.15, 0.15)

    async def scenario() -> None:
        await time.run(*(walker(limiter) for limiter in limiters for _ in range(6)))

    asyncio.run(scenario())

    least = 800 // 200 * 60.0
    assert server.rejected == 0
    assert least / server.arrivals[-1] >= 0.98


def test_a_share_is_that_of_all_processes_together(tmp_path: Path) -> None:
    time, server = VirtualTime(), Server(200, 60.0)
    limiters = [process(time, tmp_path / "allowance", share=0.5) for _ in range(2)]

    async def walker(limiter: Limiter) -> None:
        for _ in range(15):
            await send(time, limiter, server, 0.1, 0.1)

    asyncio.run(time.run(*(walker(limiter) for limiter in limiters for _ in range(8))))

    busiest = max(sum(start <= at < start + 60 for at in server.arrivals) for start in server.arrivals)
    assert busiest == 100


def test_what_others_send_takes_nothing_of_our_share_while_there_is_room(tmp_path: Path) -> None:
    time, server = VirtualTime(), Server(200, 60.0)
    limiter = process(time, tmp_path / "allowance", share=0.5)
    for _ in range(20):
        server.arrive(0.0)

    async def scenario() -> None:
        await time.run(send(time, limiter, server, 0.1, 0.1))
        await time.run(*(send(time, limiter, server, 0.1, 0.1) for _ in range(30)))

    asyncio.run(scenario())

    assert sum(at < 10 for at in server.arrivals) == 20 + 25
    assert server.rejected == 0


def test_what_a_killed_process_had_under_way_is_free_a_window_after_its_time_out(tmp_path: Path) -> None:
    time = VirtualTime()
    killed, other = (process(time, tmp_path / "allowance") for _ in range(2))
    sent: list[float] = []

    async def scenario() -> None:
        for _ in range(50):
            await killed.acquire("read", "klarna_payments")
        permit = await other.acquire("read", "klarna_payments")
        sent.append(time.now)
        other.settle(permit, answered=True)

    asyncio.run(time.run(scenario()))

    assert sent == [pytest.approx(LONGEST_ANSWER + 10.0, abs=0.1)]


def test_who_waits_for_others_answers_asks_again_only_when_it_can_pay(tmp_path: Path, monkeypatch) -> None:
    """A busy loop would open the file thousands of times."""
    time = VirtualTime()
    busy, other = (process(time, tmp_path / "allowance") for _ in range(2))
    asked = [0]
    delay_seconds = windows.Bound.delay_seconds

    def counted(*arguments, **options) -> float:
        asked[0] += 1
        return delay_seconds(*arguments, **options)

    monkeypatch.setattr(windows.Bound, "delay_seconds", counted)

    async def slow(permit: Permit) -> None:
        await time.sleep(5.0)
        busy.settle(permit, answered=True)

    async def scenario() -> float:
        permits = [await busy.acquire("read", "klarna_payments") for _ in range(50)]
        asked[0] = 0
        answers = [asyncio.ensure_future(slow(permit)) for permit in permits]
        await other.acquire("read", "klarna_payments")
        await asyncio.gather(*answers)
        return time.now

    at: list[float] = []

    async def run() -> None:
        at.append(await scenario())

    asyncio.run(time.run(run()))

    assert at == [pytest.approx(5.0 + 10.0 - 5.0 * 0.75, abs=0.1)]  # most of a round trip sooner than after the answer
    assert asked[0] <= 2 * 3


def test_a_429_of_one_process_pauses_all(tmp_path: Path) -> None:
    time = VirtualTime()
    rejected, other = (process(time, tmp_path / "allowance") for _ in range(2))
    sent: list[float] = []

    async def ask(limiter: Limiter) -> None:
        permit = await limiter.acquire("read", "klarna_payments")
        sent.append(time.now)
        await time.sleep(0.5)
        limiter.settle(permit, answered=True)

    async def scenario() -> None:
        permit = await rejected.acquire("read", "klarna_payments")
        rejected.settle(permit, answered=True, rejected=True)
        await time.run(*(ask(limiter) for limiter in (rejected, other) for _ in range(3)))

    asyncio.run(scenario())

    # Of each process one goes ahead.
    assert sent == [10.0, 10.0, 10.5, 10.5, 10.5, 10.5]


def test_live_and_test_keep_apart_and_tokens_do_not(tmp_path: Path) -> None:
    time = VirtualTime()
    live, test = (process(time, tmp_path / "allowance") for _ in range(2))
    live.assume_mode("live")
    test.assume_mode("test")
    at: list[float] = []

    async def scenario() -> None:
        for limiter, requests in ((live, 50), (test, 25)):
            for _ in range(requests):
                limiter.settle(await limiter.acquire("read", "orders"), answered=True)
        for limiter in (live, test) * 15:
            limiter.settle(await limiter.acquire("token", "oauth"), answered=True)
        at.append(time.now)
        await test.acquire("token", "oauth")
        at.append(time.now)

    asyncio.run(time.run(scenario()))

    assert at == [0.0, pytest.approx(60.0, abs=0.1)]


def test_what_was_sent_before_the_last_boot_counts_no_more(tmp_path: Path, monkeypatch) -> None:
    """The monotonic clock starts again with each boot: old times may lie ahead."""
    time = VirtualTime()
    time.now = 500_000.0
    before = process(time, tmp_path / "allowance")
    monkeypatch.setattr(request_log, "_BOOT_ID", tmp_path / "no-boot-id")
    time_after = VirtualTime()
    after = process(time_after, tmp_path / "allowance")

    async def spend(limiter: Limiter) -> None:
        for _ in range(50):
            limiter.settle(await limiter.acquire("read", "klarna_payments"), answered=True)

    asyncio.run(time.run(spend(before)))
    asyncio.run(time_after.run(spend(after)))

    assert time_after.now == 0.0


@pytest.mark.parametrize("cut", [30, 200, -1], ids=["in its head", "in its middle", "at its end"])
def test_a_file_that_was_cut_short_is_a_spent_allowance(tmp_path: Path, cut: int) -> None:
    time = VirtualTime()
    path = tmp_path / "allowance"

    async def ask() -> None:
        limiter = process(time, path)
        limiter.settle(await limiter.acquire("read", "klarna_payments"), answered=True)

    asyncio.run(time.run(*(ask() for _ in range(10))))
    path.write_bytes(path.read_bytes()[:cut])
    asyncio.run(time.run(ask()))

    assert time.now == 60.0


def test_a_file_that_is_something_else_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "reconcile.toml"
    path.write_text("[commercelayer]\n")

    with pytest.raises(SettingsError, match="is not a shared rate-limit file of reconcile, and was left as it is"):
        asyncio.run(process(VirtualTime(), path).acquire("read", "klarna_payments"))

    assert path.read_text() == "[commercelayer]\n"


def test_a_file_that_cannot_be_made_is_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"file.*: cannot be written"):
        asyncio.run(process(VirtualTime(), tmp_path / "file" / "allowance").acquire("read", "klarna_payments"))


PULL = """
import asyncio, json, sys
from pathlib import Path
from reconcile.commercelayer.client import CommerceLayer, Credentials
from reconcile.payments.pull import pull_to_parquet

async def main(api_url, auth_url, secret, folder, name):
    where = {"api_url": api_url, "auth_url": auth_url, "allowance": Path(folder) / "allowance"}
    async with CommerceLayer(credentials=Credentials("sandbox", secret), **where) as client:
        print("ready", flush=True)
        sys.stdin.readline()
        report = await pull_to_parquet(client, Path(folder) / f"{name}.parquet")
        print(json.dumps([report.payments, report.rate_limited]))

asyncio.run(main(*sys.argv[1:]))
"""


def logged(path: Path) -> dict[str, Any]:
    """What the file says of each class of traffic."""
    logs: dict[str, Any] = json.loads(path.read_bytes().partition(b"\n")[2])["logs"]
    return logs


async def test_the_setting_makes_a_client_count_in_the_file(tmp_path: Path) -> None:
    with SandboxServer(World.generate(30), Behaviour(limits=None)) as sandbox:
        chosen = Settings.of(api_url=sandbox.api_url, allowance=str(tmp_path / "new" / "allowance"))
        async with connect(chosen, Secrets(sandbox.client_id, sandbox.client_secret)) as client:
            for _ in range(3):
                await client.get("klarna_payments", {})

    logs = logged(tmp_path / "new" / "allowance")
    assert {name: log["granted"] for name, log in logs.items()} == {"token": 1, "live read": 3}


@pytest.mark.slow
def test_three_pulls_at_once_keep_to_one_limit_and_take_each_other_for_nobody_else(tmp_path: Path) -> None:
    """Each alone would spend all of it: 50 reads in 0.25 s."""
    limits = Limits(time_scale=40)
    with (
        SandboxServer(World.generate(1_250), Behaviour(limits=limits, client_id="sandbox")) as sandbox,
        ExitStack() as stack,
    ):
        command = [sys.executable, "-c", PULL, sandbox.api_url, sandbox.auth_url, sandbox.client_secret, str(tmp_path)]
        pulls = [
            stack.enter_context(
                subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for name in ("one", "two", "three")
        ]
        assert [pull.stdout and pull.stdout.readline() for pull in pulls] == ["ready\n"] * 3
        said = [pull.communicate("go\n", timeout=300)[0] for pull in pulls]
        reads = [request.status for request in sandbox.requests if request.method == "GET"]

    assert [json.loads(out) for out in said] == [[1_250, 0]] * 3
    assert set(reads) == {200}
    log = logged(tmp_path / "allowance")["live read"]
    assert log["granted"] == len(reads)
    assert all(ours for _, _, _, _, ours in log["entries"])
