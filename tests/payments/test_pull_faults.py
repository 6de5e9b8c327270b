"""Every fault of the sandbox at every request: the same bytes as without, or one error and no file."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import pytest
from dying import exists, read

from reconcile.errors import CommerceLayerError, IncompletePull, Unreachable, WrongMode
from reconcile.sandbox.api.faults import ANSWERS, LISTS
from reconcile.sandbox.api.limits import Limits
from reconcile.sandbox.world.world import World

# A count, three pages, a count: and one more, where nothing happens.
API_REQUESTS = range(1, 7)
REAL_TIME = {"rate_limit": True, "clock": time.monotonic, "sleep": asyncio.sleep}
PASSING = ["5xx", "reset", "reset-body", "truncate", "invalid-json", "html", "stall", "stall-body", "429", "revoke"]
OFTEN = ("5xx", "truncate", "429")  # of those that are alike; all of them with the slow tests


async def reference(serve, pull, tmp_path: Path) -> bytes:
    await pull(serve(), destination=tmp_path / "undisturbed.parquet")
    return read(tmp_path / "undisturbed.parquet")


@pytest.mark.parametrize(
    "kind", [kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.slow) for kind in PASSING]
)
async def test_a_fault_at_any_request_changes_nothing(serve, pull, tmp_path: Path, kind: str) -> None:
    expected = await reference(serve, pull, tmp_path)
    for number in API_REQUESTS:
        report = await pull(serve(None, f"{kind}:#{number}"))

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.retries == (number <= 5), number


@pytest.mark.parametrize(
    "kind", [kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.slow) for kind in PASSING[:9]]
)
async def test_a_fault_that_stays_ends_in_one_error_and_no_file(serve, pull, tmp_path: Path, kind: str) -> None:
    for number in API_REQUESTS[:5]:
        with pytest.raises(Unreachable) as caught:
            await pull(serve(None, f"{kind}:#{number}+"), client={"retry_seconds": 1.0, "timeout_seconds": 0.05})

        assert caught.value.hint
        assert not exists(tmp_path / "payments.parquet")


@pytest.mark.parametrize("kind", ["token-5xx", "token-reset", "token-html"])
async def test_a_token_endpoint_that_fails_once_is_asked_again(serve, pull, kind: str) -> None:
    report = await pull(serve(None, f"{kind}:#1"))

    assert (report.payments, report.retries) == (60, 1)


async def test_short_tokens_are_renewed_on_the_way(serve, pull, tmp_path: Path) -> None:
    expected = await reference(serve, pull, tmp_path)

    moments = itertools.count()  # the server's time goes by its own work: a busy machine makes no token die sooner
    server = serve(None, "short-token:#1+:0.1", clock=lambda: next(moments) / 100)
    await pull(server)

    assert read(tmp_path / "payments.parquet") == expected
    assert sum(request.path == "/oauth/token" for request in server.requests) > 1


async def test_many_faults_at_once_in_many_shards(serve, pull, tmp_path: Path, many_shards) -> None:
    expected = await reference(serve, pull, tmp_path)
    faults = ["5xx:0.1", "reset:0.05", "truncate:0.05", "html:0.05", "invalid-json:0.05", "429:0.05:1", "latency:0-5"]

    for commit_pages in (1, 2, 100):
        await pull(serve(None, *faults), commit_pages=commit_pages)

        assert read(tmp_path / "payments.parquet") == expected


@pytest.mark.parametrize(
    "change", ["delete", "insert", "insert-old", "update", "drop-row", "wrong-count", "wrong-count:-1"]
)
async def test_what_changes_once_during_a_pull_is_proved_or_refused(serve, pull, tmp_path: Path, change: str) -> None:
    """Ends with a table that lies between the counts, whatever happens at whichever list request."""
    kind, _, value = change.partition(":")
    for number in API_REQUESTS:
        world = World.generate(60)
        report = await pull(serve(world, f"{kind}:#{number}" + (f":{value}" if value else "")))

        present = set(world.payment_ids())
        assert report.count_after <= report.payments <= report.count_before, number
        assert report.payments >= len(present) - (kind == "insert"), number


async def test_a_row_lost_once_is_found_by_walking_again(serve, pull, tmp_path: Path) -> None:
    expected = await reference(serve, pull, tmp_path)
    last_page = 4

    report = await pull(serve(None, f"drop-row:#{last_page}"))

    assert read(tmp_path / "payments.parquet") == expected
    assert report.payments == 60


async def test_a_row_that_is_always_lost_is_an_incomplete_pull(serve, pull, tmp_path: Path) -> None:
    world = World.generate(60)
    lost = world.payment_ids()[30]

    with pytest.raises(
        IncompletePull, match="59 payments seen in walk 3, the server counted 60 before it, 60 after"
    ) as e:
        await pull(serve(world, f"drop-row:{lost}"))

    assert "nothing is published" in (e.value.hint or "")
    assert not exists(tmp_path / "payments.parquet")


async def test_only_the_shard_that_fails_is_walked_again(serve, pull, tmp_path: Path, many_shards) -> None:
    world = World.generate(160)
    server = serve(world, "drop-row:#9")

    report = await pull(server)

    assert report.payments == 160
    assert report.rewalks <= 1


async def test_counts_that_are_always_wrong_are_an_incomplete_pull(serve, pull, tmp_path: Path) -> None:
    for fault in ("wrong-count", "wrong-count:-1"):
        with pytest.raises(IncompletePull):
            await pull(serve(None, fault))

        assert not exists(tmp_path / "payments.parquet")


async def test_a_row_of_the_other_mode_stops_the_pull(serve, pull, tmp_path: Path) -> None:
    for number in (2, 3, 4):
        with pytest.raises(WrongMode, match="is of mode test, this pull of mode live"):
            await pull(serve(None, f"wrong-mode:#{number}"), mirror=tmp_path / "mirror")

        assert not exists(tmp_path / "payments.parquet")


async def test_the_limits_of_the_api_are_spent_without_one_rejection(serve, pull) -> None:
    # Windows of half a second: on a busy machine what was sent apart may arrive a little closer.
    server = serve(World.generate(400), limits=Limits(read_average=40, read_burst=10, time_scale=20))

    report = await pull(server, client=REAL_TIME)

    assert report.payments == 400
    assert report.rate_limited == 0
    assert all(request.status == 200 for request in server.requests)


async def test_several_pulls_at_once_behind_one_address_end_all(serve, pull, tmp_path: Path) -> None:
    server = serve(World.generate(100), limits=Limits(read_average=40, read_burst=10, time_scale=100))

    reports = await asyncio.gather(
        *(pull(server, client=REAL_TIME, destination=tmp_path / f"{number}.parquet") for number in range(3))
    )

    assert [report.payments for report in reports] == [100, 100, 100]


def test_no_fault_kind_is_forgotten() -> None:
    changes = {"delete", "insert", "insert-old", "update", "drop-row", "wrong-mode", "wrong-count"}
    absurd = {"odd-id", "first-page", "circle", "absurd-count"}  # test_pull_absurd
    covered = {*PASSING, "latency"} | changes | absurd

    assert covered == {*ANSWERS, *LISTS}


def test_every_error_of_a_pull_exits_with_4() -> None:
    assert {error.exit_code for error in (Unreachable, IncompletePull, WrongMode, CommerceLayerError)} == {4}
