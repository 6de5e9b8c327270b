"""A pull that is stopped goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from dying import Killed, exists, read, remove
from shops import Clock, kept, rows, today

from reconcile.errors import IncompletePull, MirrorError, OutputError, Unreachable, WrongMode
from reconcile.payments.mirror.commits import UnfinishedPull
from reconcile.payments.mirror.mirror import open_mirror
from reconcile.sandbox.world.world import World


def list_requests(server) -> int:
    return sum(request.path.endswith("/klarna_payments") for request in server.requests)


@pytest.fixture
def die_at_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, bool], None]:
    """Return a function that kills the pull before or after its commit of that number; 0 ends it."""

    commit = UnfinishedPull.commit

    def arm(number: int, after: bool) -> None:
        left = [number]

        def dying(self: UnfinishedPull, batches, bookmarks) -> None:
            left[0] -= 1
            if left[0] == 0 and not after:
                raise Killed
            if left[0] < 0 < number:
                raise Killed  # a dead process commits nothing more
            commit(self, batches, bookmarks)
            if left[0] == 0 and after:
                raise Killed

        monkeypatch.setattr(UnfinishedPull, "commit", dying)

    return arm


@pytest.mark.parametrize("after", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["before", "after"])
async def test_killed_at_any_commit_the_same_command_ends_with_the_same_bytes(
    serve, pull, tmp_path: Path, many_shards, die_at_commit, after: bool
) -> None:
    server = serve(World.generate(160))
    await pull(server, destination=tmp_path / "undisturbed.parquet")
    expected = read(tmp_path / "undisturbed.parquet")

    for number in range(1, 12):
        mirror = tmp_path / f"mirror-{number}"
        die_at_commit(number, after)
        try:
            await pull(server, mirror=mirror, commit_pages=1)
        except Killed:
            assert not exists(tmp_path / "payments.parquet"), number
        die_at_commit(0, after)
        await pull(server, mirror=mirror, commit_pages=1)

        assert read(tmp_path / "payments.parquet") == expected, number
        remove(tmp_path / "payments.parquet")


async def test_cancelled_at_any_page_nothing_is_read_twice(serve, pull, tmp_path: Path) -> None:
    server = serve(World.generate(160))
    undisturbed = await pull(server, destination=tmp_path / "undisturbed.parquet")

    for stop_at in range(1, 8):
        mirror = tmp_path / f"mirror-{stop_at}"
        before = list_requests(server)

        async def until_page(number: int, mirror: Path = mirror) -> None:
            def stop(progress) -> None:
                if progress.pages >= number and not task.cancelling():  # it is also told while it ends
                    task.cancel()

            task = asyncio.ensure_future(pull(server, mirror=mirror, on_progress=stop))
            with pytest.raises(asyncio.CancelledError):
                await task

        await until_page(stop_at)
        report = await pull(server, mirror=mirror)

        assert read(tmp_path / "payments.parquet") == read(tmp_path / "undisturbed.parquet")
        assert report.resumed
        # What changed since costs a count, a page, one of flagged payments, a count.
        assert report.requests <= undisturbed.requests + 3 + 4
        assert list_requests(server) - before <= 7 + 3 + 1 + 4


async def test_a_pull_that_gave_up_keeps_its_pages_and_ends_as_of_now(serve, pull, tmp_path: Path) -> None:
    world = World.generate(160, now=Clock())
    with pytest.raises(Unreachable) as caught:
        server = serve(world, "5xx:#5+", **today(world))
        await pull(server, mirror=tmp_path / "mirror", client={"retry_seconds": 1.0})
    world.insert()
    later = serve(world, **today(world))

    report = await pull(later, mirror=tmp_path / "mirror")

    assert "run the same command to resume" in (caught.value.hint or "")
    assert (report.payments, report.resumed) == (161, True)
    assert list_requests(later) == 8 - 3 + 4


async def test_after_a_finished_pull_the_next_one_starts_anew(serve, pull, tmp_path: Path) -> None:
    world = World.generate(60)
    server = serve(world)
    await pull(server, mirror=tmp_path / "mirror")
    world.delete(world.payment_ids()[0])

    report = await pull(server, mirror=tmp_path / "mirror")

    assert (report.payments, report.resumed) == (59, False)
    assert kept(tmp_path / "mirror") == rows(tmp_path / "payments.parquet")


async def test_each_window_has_its_own_unfinished_pull(serve, pull, tmp_path: Path) -> None:
    world = World.generate(160)
    with pytest.raises(Unreachable):
        await pull(serve(world, "5xx:#5+"), mirror=tmp_path / "mirror", client={"retry_seconds": 1.0})
    server = serve(world)
    since = world.payments.find(world.payment_ids()[80])["created_at"]

    narrow = await pull(server, mirror=tmp_path / "mirror", since=datetime.fromisoformat(since))
    whole = await pull(server, mirror=tmp_path / "mirror")

    assert not narrow.resumed
    assert whole.resumed
    assert whole.payments == 160


async def test_an_incomplete_pull_reads_only_the_bad_part_anew(serve, pull, tmp_path: Path, many_shards) -> None:
    world = World.generate(160)
    lost = world.payment_ids()[50]
    with pytest.raises(IncompletePull):
        await pull(serve(world, f"drop-row:{lost}"), mirror=tmp_path / "mirror")
    server = serve(world)

    report = await pull(server, mirror=tmp_path / "mirror")

    assert report.payments == 160
    assert report.resumed
    assert list_requests(server) <= 4 + 4


async def test_a_wrong_row_is_not_kept(serve, pull, tmp_path: Path) -> None:
    world = World.generate(60)
    with pytest.raises(WrongMode):
        await pull(serve(world, "wrong-mode:#3"), mirror=tmp_path / "mirror")

    report = await pull(serve(world), mirror=tmp_path / "mirror")

    assert report.payments == 60


async def test_a_mirror_takes_one_pull_at_a_time(serve, pull, tmp_path: Path) -> None:
    server = serve()
    with (
        open_mirror(tmp_path / "mirror", organization="sandbox", mode="live"),
        pytest.raises(MirrorError, match="in use by another pull"),
    ):
        await pull(server, mirror=tmp_path / "mirror")


async def test_a_mirror_of_another_mode_is_refused(serve, pull, tmp_path: Path) -> None:
    await pull(serve(World.generate(60, mode="test")), mirror=tmp_path / "mirror")

    with pytest.raises(MirrorError, match="mode test, this pull of mode live"):
        await pull(serve(), mirror=tmp_path / "mirror")


async def test_a_disk_that_takes_no_more_is_an_output_error(serve, pull, tmp_path: Path, monkeypatch) -> None:
    world = World.generate(160)
    commits = [0]
    write = UnfinishedPull._write

    def full(self, *arguments):
        commits[0] += 1
        if commits[0] == 3:
            raise OSError(28, "No space left on device")
        return write(self, *arguments)

    monkeypatch.setattr(UnfinishedPull, "_write", full)
    with pytest.raises(OutputError, match="No space left on device") as caught:
        await pull(serve(world), mirror=tmp_path / "mirror", commit_pages=1)
    report = await pull(serve(world), mirror=tmp_path / "mirror", commit_pages=1)

    assert caught.value.exit_code == 5
    assert (report.payments, report.resumed) == (160, True)


async def test_a_destination_that_cannot_be_written_is_said_before_anything_is_sent(
    serve, pull, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    server = serve()

    with pytest.raises(OutputError):
        await pull(server, destination=tmp_path / "file" / "payments.parquet")

    assert server.requests == []
