"""Exports, storage and the way to them fail at every step; a pull that is stopped goes on where it was."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dying import Killed, exists, read, remove
from export_rules import rules
from shops import flagged, pages

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.exports import jobs
from reconcile.commercelayer.exports.documents import BrokenExport, Export, payments_export
from reconcile.commercelayer.exports.download import Download
from reconcile.commercelayer.exports.jobs import ExportJobs
from reconcile.commercelayer.exports.rows import ExportedPart
from reconcile.commercelayer.query import Window
from reconcile.commercelayer.relations import Wanted
from reconcile.errors import CommerceLayerError, OutputError, Unreachable
from reconcile.payments.mirror.commits import UnfinishedPull
from reconcile.sandbox.api.faults import ANSWERS, EXPORTS, STORAGE
from reconcile.sandbox.world.world import World

PAYMENTS = 30
"""With 20 to an export: one creation that is refused, one edge, two exports."""
EXPORTED = 2
PASSING = sorted({*ANSWERS} - {"latency"})
OFTEN = ("5xx", "truncate", "429")  # of those that are alike; all of them with the slow tests
REQUESTS = range(1, 11)


def below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*.gz"))


@pytest.fixture
def exports_at(client_of) -> Callable[[Any], Awaitable[int]]:
    """Return a function that asks a server how many exports were ever created there."""

    async def count(server) -> int:
        async with client_of(server) as client:
            return (await client.get("exports", {})).record_count or 0

    return count


def exported(reference: str) -> dict[str, object]:
    """Return the document that exports everything."""
    return payments_export(Window(None, None), Wanted(), with_types=True, narrowed=False, reference=reference)


@pytest.fixture
def world() -> World:
    return World.generate(PAYMENTS)


@pytest.fixture
async def expected(serve, pull, tmp_path: Path, world: World) -> bytes:
    await pull(serve(world), destination=tmp_path / "by_pages.parquet")
    return read(tmp_path / "by_pages.parquet")


@pytest.mark.parametrize(
    "kind", [kind if kind in OFTEN else pytest.param(kind, marks=pytest.mark.slow) for kind in PASSING]
)
async def test_a_fault_at_any_request_changes_nothing_and_exports_nothing_twice(
    serve, pull, tmp_path: Path, world: World, expected: bytes, exports_at, kind: str
) -> None:
    for number in REQUESTS:
        server = serve(world, f"{kind}:#{number}", exports=rules())

        report = await pull(server, via="exports")

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.transport == "exports", number
        assert await exports_at(server) == EXPORTED, number


@pytest.mark.parametrize("kind", sorted(EXPORTS))
@pytest.mark.parametrize("types", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["together", "apart"])
async def test_an_export_that_goes_wrong_once_is_started_or_created_again(
    serve, pull, tmp_path: Path, world: World, expected: bytes, kind: str, types: bool, monkeypatch
) -> None:
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 20.0)
    for number in (1, 2, 3, 4):
        report = await pull(serve(world, f"{kind}:#{number}", exports=rules(source_types=types)), via="exports")

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.transport == "exports", number


@pytest.mark.parametrize("kind", ["export-fail", "export-stuck"])
async def test_exports_that_always_go_wrong_are_made_up_for_by_pages(
    serve, pull, tmp_path: Path, world: World, expected: bytes, kind: str, monkeypatch
) -> None:
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 10.0)

    report = await pull(serve(world, kind, exports=rules()), via="exports")

    assert read(tmp_path / "payments.parquet") == expected
    assert report.transport == "pages"
    assert report.transport_reason in ("the export failed", "the export makes no progress")


@pytest.mark.parametrize("kind", sorted(STORAGE))
async def test_a_fault_of_the_storage_at_any_request_is_survived(
    serve, pull, tmp_path: Path, world: World, expected: bytes, exports_at, kind: str
) -> None:
    for number in range(1, 4):
        server = serve(world, f"{kind}:#{number}", exports=rules())

        report = await pull(server, via="exports", mirror=tmp_path / "mirror")

        assert read(tmp_path / "payments.parquet") == expected, number
        assert (report.transport, await exports_at(server)) == ("exports", EXPORTED), number
        assert below(tmp_path) == []


@pytest.mark.parametrize("kind", sorted(STORAGE))
async def test_a_storage_that_gives_nothing_is_made_up_for_by_pages(
    serve, pull, tmp_path: Path, world: World, expected: bytes, kind: str
) -> None:
    report = await pull(serve(world, kind, exports=rules()), via="exports", client={"retry_seconds": 1.0})

    assert read(tmp_path / "payments.parquet") == expected
    assert report.transport == "pages"
    assert report.warnings


async def test_a_broken_download_goes_on_where_it_broke(serve, pull, world: World) -> None:
    server = serve(world, "storage-truncate:#1", exports=rules())

    await pull(server, via="exports")

    assert Counter(one.status for one in server.storage_requests)[206] == 1


async def test_many_faults_at_once(serve, pull, tmp_path: Path, world: World, expected: bytes) -> None:
    faults = ["5xx:0.1", "reset:0.05", "truncate:0.05", "html:0.05", "429:0.05:1", "storage-5xx:0.2"]
    faults += ["storage-truncate:0.3", "storage-expired:0.2", "export-fail:0.2", "export-interrupt:0.2"]

    for types in (True, False):
        await pull(serve(world, *faults, exports=rules(source_types=types)), via="exports")

        assert read(tmp_path / "payments.parquet") == expected


@pytest.mark.parametrize("kind", ["5xx", "html", "reset"])
async def test_a_fault_that_stays_ends_in_one_error_and_no_file_and_can_be_resumed(
    serve, pull, tmp_path: Path, world: World, expected: bytes, kind: str
) -> None:
    for number in REQUESTS[:6]:
        mirror = tmp_path / f"mirror-{number}"
        with pytest.raises(Unreachable):
            await pull(
                serve(world, f"{kind}:#{number}+", exports=rules()),
                via="exports",
                mirror=mirror,
                client={"retry_seconds": 1.0},
            )
        assert not exists(tmp_path / "payments.parquet")

        # Another server knows none of the exports that the first one was asked for.
        await pull(serve(world, exports=rules()), via="exports", mirror=mirror)

        assert read(tmp_path / "payments.parquet") == expected, number
        remove(tmp_path / "payments.parquet")


@pytest.fixture
def stop_at_request(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], object]], None]:
    """Return a function that has something called when the client sends its request of that number, files included."""
    originals = {name: getattr(CommerceLayer, name) for name in ("_exchange", "download")}

    def arm(number: int, stop: Callable[[], object]) -> None:
        left = [number]

        def counted(send):
            async def sending(*args: Any, **options: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    stop()
                return await send(*args, **options)

            return sending

        for name, original in originals.items():
            monkeypatch.setattr(CommerceLayer, name, counted(original))

    return arm


@pytest.mark.parametrize("types", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["together", "apart"])
async def test_cancelled_at_any_request_the_same_command_goes_on_and_exports_nothing_twice(
    serve, pull, tmp_path: Path, world: World, expected: bytes, exports_at, types: bool, stop_at_request
) -> None:
    for number in range(1, 22):
        server, mirror = serve(world, exports=rules(source_types=types)), tmp_path / f"mirror-{number}"
        task = asyncio.ensure_future(pull(server, via="exports", mirror=mirror))
        stop_at_request(number, task.cancel)
        await asyncio.wait([task])
        stop_at_request(0, task.cancel)
        if not task.cancelled():
            assert number > 9, "it takes more requests than that"
            break
        assert below(mirror) == [], number

        report = await pull(server, via="exports", mirror=mirror)

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.transport.startswith("exports")
        assert pages(server) <= 2, "what lies before the first slice"
        assert await exports_at(server) == EXPORTED, number
        assert below(mirror) == []
        remove(tmp_path / "payments.parquet")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_killed_at_any_commit_the_same_command_ends_with_the_same_bytes(
    serve, pull, tmp_path: Path, world: World, expected: bytes, after: bool, monkeypatch
) -> None:
    commit = UnfinishedPull.commit
    for number in range(1, 9):
        left = [number]

        def dying(self, batches, bookmarks, left=left) -> None:
            left[0] -= 1
            if left[0] < 0 or (left[0] == 0 and not after):
                raise Killed  # a dead process commits nothing more
            commit(self, batches, bookmarks)
            if left[0] == 0:
                raise Killed

        server, mirror = serve(world, exports=rules()), tmp_path / f"mirror-{number}"
        monkeypatch.setattr(UnfinishedPull, "commit", dying)
        try:
            await pull(server, via="exports", mirror=mirror)
        except Killed:
            assert not exists(tmp_path / "payments.parquet"), number
            assert below(tmp_path) == [], "an export holds tokens of transactions"
        monkeypatch.setattr(UnfinishedPull, "commit", commit)

        await pull(server, via="exports", mirror=mirror)

        assert read(tmp_path / "payments.parquet") == expected, number
        remove(tmp_path / "payments.parquet")


@pytest.mark.parametrize(("first", "then"), [("exports", "pages"), ("pages", "exports"), ("exports", "auto")])
async def test_an_unfinished_pull_may_go_on_the_other_way(
    serve, pull, tmp_path: Path, world: World, expected: bytes, first: str, then: str, many_shards
) -> None:
    for number in (4, 6, 7):
        mirror = tmp_path / f"mirror-{number}"
        with pytest.raises(CommerceLayerError):
            await pull(
                serve(world, f"5xx:#{number}+", exports=rules()),
                via=first,
                mirror=mirror,
                client={"retry_seconds": 1.0},
            )

        report = await pull(serve(world, exports=rules()), via=then, mirror=mirror)

        assert read(tmp_path / "payments.parquet") == expected, number
        assert report.resumed


async def test_an_unfinished_pull_may_go_one_way_and_back(
    serve, pull, tmp_path: Path, world: World, expected: bytes
) -> None:
    for via in ("exports", "pages"):
        with pytest.raises(CommerceLayerError):
            await pull(
                serve(world, "5xx:#2+" if via == "pages" else "5xx:#5+", exports=rules()),
                via=via,
                mirror=tmp_path / "mirror",
                client={"retry_seconds": 1.0},
            )

    report = await pull(serve(world, exports=rules()), via="exports", mirror=tmp_path / "mirror")

    assert read(tmp_path / "payments.parquet") == expected
    assert report.resumed
    assert "exports" in report.transport


async def test_a_disk_that_takes_no_file_stops_the_pull_and_not_the_way_it_goes(
    serve, pull, tmp_path: Path, world: World, expected: bytes, exports_at, monkeypatch
) -> None:
    server, mirror = serve(world, exports=rules()), tmp_path / "mirror"

    def full(*_: object) -> None:
        raise OutputError("no room")

    monkeypatch.setattr(Download, "keep", full)
    with pytest.raises(OutputError):
        await pull(server, via="exports", mirror=mirror)
    monkeypatch.undo()

    report = await pull(server, via="exports", mirror=mirror)

    assert read(tmp_path / "payments.parquet") == expected
    assert report.transport.startswith("exports")
    assert (pages(server), await exports_at(server)) == (1, EXPORTED)


async def test_killed_after_the_window_was_cut_the_same_slices_are_gone_on_with(
    serve, pull, tmp_path: Path, world: World, exports_at, monkeypatch
) -> None:
    commit, dead = UnfinishedPull.commit, []

    def dying(self, batches, bookmarks) -> None:
        if batches or dead:
            dead.append(True)
            raise Killed  # before the first rows are kept
        commit(self, batches, bookmarks)

    world.update(world.payment_ids()[0], touch=False, mismatched_amounts=True)
    server = serve(world, exports=rules())
    monkeypatch.setattr(UnfinishedPull, "commit", dying)
    with pytest.raises(Killed):
        await pull(server, via="exports", mirror=tmp_path / "mirror")
    monkeypatch.undo()
    world.delete(flagged(world)[0])  # by positions the edge would be another one now

    report = await pull(server, via="exports", mirror=tmp_path / "mirror")

    assert report.payments == PAYMENTS - 1
    assert (pages(server), await exports_at(server)) == (1, EXPORTED)


async def test_an_export_that_was_no_good_is_not_taken_up_again(serve, client_of) -> None:
    async with client_of(serve(exports=rules(maximum=100))) as client:
        jobs = ExportJobs(client)
        document = exported("ours/1")
        export = await jobs.create(document, reference="ours/1")
        found = await jobs.find("ours/1")
        jobs.discard(export.id)

        assert found is not None
        assert found.id == export.id
        assert await jobs.find("ours/1") is None


async def test_an_export_of_somebody_else_is_not_taken_for_ours(serve, client_of) -> None:
    async with client_of(serve(exports=rules(maximum=100))) as client:
        jobs = ExportJobs(client)
        document = exported("theirs")
        export = await jobs.create(document, reference="theirs")

        with pytest.raises(BrokenExport, match="no longer exists"):
            await jobs.completed(export.id, reference="ours/1")


async def test_what_no_other_export_mends_is_not_exported_again(
    serve, pull, tmp_path: Path, world: World, expected: bytes, exports_at, monkeypatch
) -> None:
    def unreadable(*_: object, **__: object) -> list[ExportedPart]:
        raise BrokenExport("rows of another shape", final=True)

    monkeypatch.setattr("reconcile.payments.export_walks.exported_parts", unreadable)
    server = serve(world, exports=rules())

    report = await pull(server, via="exports")

    assert read(tmp_path / "payments.parquet") == expected
    assert (report.transport, report.transport_reason) == ("pages", "rows of another shape")
    assert await exports_at(server) == EXPORTED


@pytest.mark.parametrize("counted", [None, 1])
async def test_where_exports_count_wrong_the_list_decides(
    serve, pull, tmp_path: Path, world: World, expected: bytes, counted: int | None, monkeypatch
) -> None:
    completed = ExportJobs.completed

    async def miscounted(self: ExportJobs, export_id: str, *, reference: str) -> Export:
        return msgspec.structs.replace(await completed(self, export_id, reference=reference), records_count=counted)

    monkeypatch.setattr(ExportJobs, "completed", miscounted)

    report = await pull(serve(world, exports=rules()), via="exports")

    assert read(tmp_path / "payments.parquet") == expected
    assert (report.transport, report.rewalks, report.count_before) == ("exports", 0, PAYMENTS)
