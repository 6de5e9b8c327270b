"""Whatever breaks an export of orders: the same files as without it, or an error and nothing published."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from exported import ExportOrders, contents, exported_ids, placed_ids, rules
from served import Serve

from reconcile.commercelayer.exports.placed_orders import IdRange, PlacedOrders, count_orders
from reconcile.errors import CommerceLayerError, IncompletePull, OutputError, Unreachable
from reconcile.orders.exports import export as exporting
from reconcile.orders.exports import export_slices, unfinished
from reconcile.orders.exports.unfinished import Asked, Slice, Unfinished, Workplace
from reconcile.sandbox.world.world import World

WORLD = World.generate(60)
UNTIL = datetime(2026, 7, 1, tzinfo=UTC)
REQUESTS = 13  # a token, two counts, a refusal, two cuts, three exports, looks at them, a count
OF_THE_WIRE = ("5xx", "reset", "reset-body", "truncate", "invalid-json", "html", "429", "revoke")
OF_EXPORTS = ("export-fail", "export-interrupt", "export-stuck", "export-lost-row")
OF_STORAGE = ("storage-5xx", "storage-reset-body", "storage-truncate", "storage-expired")


class Stop(Exception):
    """What ends an attempt in these tests, as Ctrl-C would."""


_undisturbed: dict[str, bytes] = {}


@pytest.fixture
async def undisturbed(serve: Serve, export: ExportOrders, tmp_path: Path) -> dict[str, bytes]:
    """The files of an export that nothing goes wrong with; the same for all tests, so made once."""
    if not _undisturbed:
        await export(serve(WORLD), destination=tmp_path / "undisturbed", workplace=tmp_path / "elsewhere", until=UNTIL)
        _undisturbed.update(contents(tmp_path / "undisturbed"))
    return _undisturbed


def left_in(workplace: Path) -> list[str]:
    return [path.name for path in workplace.iterdir()]


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
@pytest.mark.parametrize("kind", OF_THE_WIRE)
async def test_a_fault_at_any_request_leaves_no_trace(
    serve: Serve, export: ExportOrders, tmp_path: Path, undisturbed: dict[str, bytes], kind: str, number: int
) -> None:
    await export(serve(WORLD, f"{kind}:#{number}"), until=UNTIL)

    assert undisturbed == contents(tmp_path / "exports")
    assert placed_ids(WORLD) == exported_ids(tmp_path / "exports")


@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
async def test_an_attempt_that_ends_at_any_request_is_gone_on_with(
    serve: Serve, export: ExportOrders, tmp_path: Path, undisturbed: dict[str, bytes], number: int
) -> None:
    server = serve(WORLD, f"5xx:#{number}")
    impatient = {"retry_seconds": 0.0}

    try:
        await export(server, until=UNTIL, client=impatient)
    except CommerceLayerError:
        assert not (tmp_path / "exports").exists()
        await export(server, until=UNTIL, client=impatient)

    assert undisturbed == contents(tmp_path / "exports")
    assert left_in(tmp_path / "workplace") == ["lock"]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("kind", [*OF_EXPORTS, *OF_STORAGE])
async def test_a_fault_of_an_export_or_its_file_leaves_no_trace(
    serve: Serve,
    export: ExportOrders,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    kind: str,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconcile.commercelayer.exports.jobs.PATIENCE_SECONDS", 20.0)

    await export(serve(WORLD, f"{kind}:#{number}"), until=UNTIL)

    assert undisturbed == contents(tmp_path / "exports")


async def test_files_that_always_lack_a_row_are_never_published(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    with pytest.raises(IncompletePull) as raised:
        await export(serve(WORLD, "export-lost-row"), until=UNTIL)

    # Several slices are under way at once: which one is told is not said.
    told = re.search(r"the file holds (\d+) orders, the server counts (\d+)", str(raised.value))
    assert told is not None
    assert int(told[1]) == int(told[2]) - 1

    assert not (tmp_path / "exports").exists()


async def test_a_storage_that_is_not_to_be_had_is_told(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as raised:
        await export(serve(WORLD, "storage-5xx"), until=UNTIL, client={"retry_seconds": 5.0})

    assert "a firewall must allow the storage" in str(raised.value.hint)
    assert "X-Amz" not in raised.value.explained()


@pytest.fixture
def stopping() -> Iterator[Any]:
    """Return what ends an attempt after so many files."""

    def after(files: int) -> Any:
        counter = iter(range(1, files))

        def on_file(_orders: int, _of: int) -> None:
            if next(counter, None) is None:
                raise Stop

        return on_file

    return after


@pytest.mark.parametrize("files", [1, 2, 3])
async def test_files_that_have_come_are_not_fetched_again(
    serve: Serve, export: ExportOrders, tmp_path: Path, undisturbed: dict[str, bytes], stopping: Any, files: int
) -> None:
    server = serve(WORLD)
    with pytest.raises(Stop):
        await export(server, until=UNTIL, on_file=stopping(files))
    created, fetched = posts(server), len(server.storage_requests)

    report = await export(server, until=UNTIL)

    assert report.resumed
    assert undisturbed == contents(tmp_path / "exports")
    assert posts(server) - created <= 1, "a token, and no export that was created before"
    assert len(server.storage_requests) - fetched <= 3 - files


def day_of_changes(world: World, *, number: int) -> None:
    """Orders of the slice `number` become dearer or lose their date, and one is placed behind its first id."""
    ids = sorted(placed_ids(world))
    ordered = ids[number * 16 : number * 16 + 16]
    world.update_order(ordered[3], total_amount_with_taxes_cents=123_456)
    world.update_order(ordered[7], status="cancelled", payment_status="voided")


@pytest.mark.parametrize("what", ["nothing", "changed", "placed", "changed everywhere"])
async def test_what_was_changed_or_placed_since_it_broke_off_is_exported_anew(
    serve: Serve, export: ExportOrders, tmp_path: Path, stopping: Any, what: str
) -> None:
    world = World.generate(60)
    server = serve(world)
    with pytest.raises(Stop):
        await export(server, on_file=stopping(2))
    created = posts(server)
    for number in {"changed": [0], "changed everywhere": [0, 1, 2]}.get(what, []):
        day_of_changes(world, number=number)
    if what == "placed":
        world.insert()
    await export(serve(world), destination=tmp_path / "undisturbed", workplace=tmp_path / "elsewhere")

    report = await export(server)

    assert contents(tmp_path / "exports") == contents(tmp_path / "undisturbed")
    assert exported_ids(tmp_path / "exports") == placed_ids(world)
    assert report.resumed
    anew = {"nothing": 0, "changed": 1, "placed": 1, "changed everywhere": 3}[what]
    assert posts(server) - created <= 1 + 1 + anew, "a token, the slice that was missing, and those that changed"


async def test_an_export_begins_anew_where_changes_cannot_be_listed(
    serve: Serve, export: ExportOrders, tmp_path: Path, stopping: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.generate(60)
    server = serve(world)
    with pytest.raises(Stop):
        await export(server, on_file=stopping(2))
    day_of_changes(world, number=1)
    original = PlacedOrders.filters

    def unheard_of(placed: PlacedOrders, ids: IdRange | None = None) -> dict[str, str]:
        filters = original(placed, ids)
        return {name.replace("updated_at_gteq", "altered_at_gteq"): value for name, value in filters.items()}

    monkeypatch.setattr(PlacedOrders, "filters", unheard_of)

    await export(server)

    await export(serve(world), destination=tmp_path / "undisturbed", workplace=tmp_path / "elsewhere")
    assert contents(tmp_path / "exports") == contents(tmp_path / "undisturbed")


def posts(server: Any) -> int:
    return sum(request.method == "POST" for request in server.requests)


async def test_a_cancelled_attempt_is_gone_on_with(
    serve: Serve, export: ExportOrders, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    server, first = serve(WORLD), asyncio.Event()
    attempt = asyncio.ensure_future(export(server, until=UNTIL, on_file=lambda *_: first.set()))
    await first.wait()
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert not (tmp_path / "exports" / "orders.json").exists()

    await export(server, until=UNTIL)

    assert undisturbed == contents(tmp_path / "exports")


async def test_a_file_that_was_damaged_meanwhile_is_fetched_again(
    serve: Serve, export: ExportOrders, tmp_path: Path, undisturbed: dict[str, bytes], stopping: Any
) -> None:
    server = serve(WORLD)
    with pytest.raises(Stop):
        await export(server, until=UNTIL, on_file=stopping(3))
    for path in (tmp_path / "workplace").glob("slice-*"):
        path.write_bytes(path.read_bytes()[:-1])

    await export(server, until=UNTIL)

    assert undisturbed == contents(tmp_path / "exports")


@pytest.mark.parametrize("name", ["orders-0001.json.gz", "orders-0002.json.gz", "orders-0003.json.gz", "orders.json"])
async def test_a_disk_that_fills_while_files_are_published_leaves_no_evidence(
    serve: Serve,
    export: ExportOrders,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(WORLD)
    await export(server, until=UNTIL)

    def replacing(destination: Path) -> Any:
        if destination.name == name:
            raise OSError(28, "No space left on device", str(destination))
        return genuine(destination)

    genuine = unfinished.replacing
    with monkeypatch.context() as patched:
        patched.setattr(unfinished, "replacing", replacing)
        with pytest.raises(OutputError):
            await export(server, until=UNTIL)
    assert not (tmp_path / "exports" / "orders.json").exists()
    fetched = len(server.storage_requests)

    await export(server, until=UNTIL)

    assert undisturbed == contents(tmp_path / "exports")
    assert len(server.storage_requests) == fetched


async def test_orders_that_go_while_they_are_exported_are_no_reason_to_stop(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    world = World.generate(60)
    gone = placed_ids(world)[-1]

    def on_file(_orders: int, _of: int) -> None:
        if world.orders.find(gone):
            with world.lock:
                world.orders.delete(gone)

    report = await export(serve(world), on_file=on_file)

    assert report.count_after == report.count_before - 1
    assert report.count_after <= report.orders <= report.count_before


async def test_orders_placed_meanwhile_are_for_the_next_export(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    world = World.generate(60)
    before = placed_ids(world)
    placed_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    order = {"status": "placed", "placed_at": placed_at, "number": "N", "currency_code": "EUR"}

    await export(serve(world), on_file=lambda *_: world.insert({}, order=order))

    assert before == exported_ids(tmp_path / "exports")


async def test_more_orders_in_a_slice_than_when_it_was_cut_are_cut_again(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    world = World.generate(60)
    server = serve(world, exports=rules(maximum=20))
    late = [row["id"] for row in map(world.orders.find, placed_ids(world))][-8:]
    for order_id in late:
        world.update_order(order_id, placed_at=None)

    def on_file(_orders: int, _of: int) -> None:
        for order_id in late:  # backdated, as an import does it
            world.update_order(order_id, placed_at="2026-01-01T00:00:00.000Z")

    report = await export(server, on_file=on_file)

    assert report.count_before + len(late) == report.count_after
    assert report.count_before <= report.orders <= report.count_after


def test_an_export_begun_long_ago_or_for_something_else_is_not_gone_on_with(tmp_path: Path) -> None:
    place, asked, now = Workplace(tmp_path), Asked("shop", "live", None, None), datetime(2026, 7, 1, tzinfo=UTC)
    with place.locked():
        place.keep(Unfinished(asked, "reconcile-1", now, "2026-07-01T00:00:00.000Z", 1, 20, [Slice(1)]))

    assert place.unfinished(asked, now=now + timedelta(hours=1)) is not None
    assert place.unfinished(asked, now=now + timedelta(hours=2)) is None
    assert place.unfinished(asked, now=now - timedelta(hours=1)) is None
    assert place.unfinished(Asked("shop", "test", None, None), now=now) is None
    (tmp_path / "unfinished.json").write_bytes(b"{")
    assert place.unfinished(asked, now=now) is None


async def test_a_server_that_ignores_where_slices_end_is_found_out(
    serve: Serve, export: ExportOrders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unbounded(placed: PlacedOrders, ids: IdRange | None = None) -> dict[str, str]:
        return genuine(placed, IdRange(None, ids.last) if ids is not None else None)

    genuine = PlacedOrders.filters
    monkeypatch.setattr(PlacedOrders, "filters", unbounded)

    with pytest.raises(IncompletePull):
        await export(serve(World.generate(45), exports=rules(maximum=30)), until=UNTIL)

    assert not (tmp_path / "exports").exists()


async def test_counts_that_the_files_do_not_account_for_publish_nothing_and_begin_anew(
    serve: Serve, export: ExportOrders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def miscounted(client: Any, placed: PlacedOrders, ids: IdRange | None = None) -> int:
        counted = await count_orders(client, placed, ids)
        return counted if ids is not None else counted + 2

    server = serve(WORLD)
    with monkeypatch.context() as patched:
        patched.setattr(exporting, "count_orders", miscounted)
        patched.setattr(export_slices, "count_orders", miscounted)
        with pytest.raises(IncompletePull, match="the files hold 48, the server counted 50 before and 50 after"):
            await export(server, until=UNTIL)
    assert not (tmp_path / "exports").exists()

    report = await export(server, until=UNTIL)

    assert (report.orders, report.resumed) == (48, False)
