"""A pull that meets 429s: everything waits for the window, one request goes ahead, and nothing is missing after it."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from reconcile.sandbox.api.limits import Limits
from reconcile.sandbox.world.world import World

# The documented 10 s of the burst's window, on the tests' fast clock.
PAUSE_SECONDS = 0.1


async def test_after_a_429_nothing_is_sent_for_a_window_and_then_one_request_alone(serve, pull, many_shards) -> None:
    latency = 0.02
    server = serve(World.generate(500), "429:#12", f"latency:{latency * 1000:.0f}")

    report = await pull(server)

    assert (report.payments, report.rate_limited) == (500, 1)
    arrived = [request.arrived_at for request in server.requests]
    gaps = [later - earlier for earlier, later in pairwise(arrived)]
    rejected = [request.status for request in server.requests].index(429)
    # What was on its way arrives yet: late, on a busy machine, which shortens the pause as the server sees it.
    pauses = [at for at in range(rejected, rejected + 8) if gaps[at] >= PAUSE_SECONDS / 2]
    assert any(gaps[at + 1] >= latency for at in pauses)


@pytest.mark.parametrize("seconds", ["", ":0", ":3", ":20"], ids=["without", "0 s", "3 s", "20 s"])
async def test_a_429_is_waited_out_with_and_without_retry_after(serve, pull, seconds: str) -> None:
    server = serve(World.generate(60), f"429:#3{seconds}")

    report = await pull(server)

    assert (report.payments, report.rate_limited, report.retries) == (60, 1, 1)
    rejected = [request.status for request in server.requests].index(429)
    waited = server.requests[rejected + 1].arrived_at - server.requests[rejected].arrived_at
    assert waited >= {"": 0.1, ":0": 0.1, ":3": 0.03, ":20": 0.2}[seconds] * 0.99


@pytest.mark.parametrize("json_body", [False, True], ids=["plain text", "json"])
async def test_a_limit_that_no_header_told_of_costs_time_and_no_payment(
    serve, pull, many_shards, json_body: bool
) -> None:
    """A client that believes in no limit at all is held back by the 429s alone."""
    # Windows of a second: in a shorter one a busy machine does not send enough to be held back.
    limits = Limits(read_average=60, read_burst=10, time_scale=10, json_body=json_body)
    server = serve(World.generate(500), limits=limits)

    report = await pull(
        server,
        client={"clock": lambda: time.monotonic() * 10, "sleep": lambda seconds: asyncio.sleep(seconds / 10)},
    )

    statuses = [request.status for request in server.requests]
    assert report.payments == 500
    assert report.rate_limited == statuses.count(429) > 0
    # No stampede: each pause costs one round of the walks at most.
    assert statuses.count(429) <= len(statuses) / 2
