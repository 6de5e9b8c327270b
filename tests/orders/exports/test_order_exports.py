"""Exports of order totals: which orders, in which files, proved by what."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from exported import ExportOrders, contents, exported_ids, placed_ids, rules
from served import Serve

from reconcile.commercelayer.client import Credentials
from reconcile.errors import AuthError, EmptySide, FolderBusy, Refused, WrongMode
from reconcile.orders.exports.unfinished import Workplace
from reconcile.sandbox.server import SALES_CHANNEL_ID, SALES_CHANNEL_SECRET
from reconcile.sandbox.world.world import World

KLARNA = "payment_method_payment_source_type_eq"


async def test_every_order_placed_with_klarna_is_exported_once(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    world = World.generate(60)
    other = placed_ids(world)[3]
    world.update_order(other, payment_method_id=None)

    report = await export(serve(world))

    assert placed_ids(world) == exported_ids(tmp_path / "exports")
    assert other not in exported_ids(tmp_path / "exports")
    assert report.orders == report.count_before == report.count_after == len(placed_ids(world))
    assert [path.name for path in report.files] == [f"orders-000{number}.json.gz" for number in (1, 2, 3)]
    assert report.why_all is None


async def test_cancelled_and_refunded_orders_are_among_them(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    world = World.generate(300)
    statuses = {world.orders.find(order_id)["payment_status"] for order_id in placed_ids(world)}

    await export(serve(world, exports=rules(maximum=1_000)))

    assert {"voided", "refunded"} <= statuses
    assert placed_ids(world) == exported_ids(tmp_path / "exports")


async def test_a_window_is_of_the_time_of_placing(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    world = World.generate(60)
    times = {order_id: world.orders.find(order_id)["placed_at"] for order_id in placed_ids(world)}
    since, until = sorted(times.values())[10], sorted(times.values())[30]

    report = await export(serve(world), since=datetime.fromisoformat(since), until=datetime.fromisoformat(until))

    expected = [order_id for order_id, placed_at in times.items() if since <= placed_at < until]
    assert expected == exported_ids(tmp_path / "exports")
    assert (report.since, report.until) == (since, until)


async def test_the_same_orders_come_in_the_same_files(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    server = serve()

    await export(server, destination=tmp_path / "first")
    await export(server, destination=tmp_path / "second")

    assert contents(tmp_path / "first") == contents(tmp_path / "second")


async def test_the_evidence_says_what_was_asked_and_counted(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    await export(serve(), until=datetime(2026, 6, 1, tzinfo=UTC))

    evidence = json.loads((tmp_path / "exports" / "orders.json").read_bytes())
    wanted = {KLARNA: "klarna_payments", "placed_at_lt": "2026-06-01T00:00:00.000Z"}
    assert (evidence["organization"], evidence["mode"], evidence["filters"]) == ("sandbox", "live", wanted)
    assert evidence["orders"] == evidence["count_before"] == evidence["count_after"]
    assert evidence["records_per_export"] == 20
    created = [file["export_id"] for file in evidence["files"]]
    assert len(set(created)) == len(created) == 3


async def test_a_server_that_takes_everything_at_once_is_asked_once(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    server = serve(exports=rules(maximum=5_000))

    report = await export(server)

    assert len(report.files) == 1
    assert [request.method for request in server.requests].count("POST") == 2  # a token and an export


async def test_no_more_than_ten_exports_are_under_way(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    world = World.generate(250)

    report = await export(serve(world, exports=rules(maximum=11)))

    assert len(report.files) == -(-len(placed_ids(world)) // 11) > 10
    assert placed_ids(world) == exported_ids(tmp_path / "exports")


@pytest.mark.parametrize("where", ["lists and exports", "exports"])
async def test_where_payment_methods_are_no_filter_all_orders_are_exported_and_it_says_so(
    serve: Serve, export: ExportOrders, tmp_path: Path, where: str
) -> None:
    world = World.generate(60)
    klarna = placed_ids(world)
    world.update_order(klarna[3], payment_method_id=None)
    method = ("payment_method",)
    options = {"uncrossed": method} if where == "lists and exports" else {"exports": rules(uncrossed=method)}

    report = await export(serve(world, **options))

    assert klarna == exported_ids(tmp_path / "exports")
    assert report.why_all is not None
    assert KLARNA.removesuffix("_eq") in report.why_all
    assert json.loads((tmp_path / "exports" / "orders.json").read_bytes())["why_all"] == report.why_all


async def test_no_order_at_all_is_an_error_in_words(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    with pytest.raises(EmptySide, match=r"no order was placed with Klarna before 2024-01-01T00:00:00\.000Z"):
        await export(serve(), until=datetime(2024, 1, 1, tzinfo=UTC))

    assert not (tmp_path / "exports").exists()


async def test_no_order_at_all_is_an_empty_file_where_that_is_put_up_with(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    report = await export(serve(), until=datetime(2024, 1, 1, tzinfo=UTC), allow_empty=True)

    assert (report.orders, [path.name for path in report.files]) == (0, ["orders-0001.json.gz"])
    assert exported_ids(tmp_path / "exports") == []


async def test_files_of_an_earlier_export_do_not_stay_beside_new_ones(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    world = World.generate(60)
    await export(serve(world, exports=rules(maximum=11)))
    (tmp_path / "exports" / "of-the-erp.csv").touch()

    report = await export(serve(world))

    assert list(contents(tmp_path / "exports")) == [path.name for path in report.files]
    assert placed_ids(world) == exported_ids(tmp_path / "exports")
    assert (tmp_path / "exports" / "of-the-erp.csv").exists()


async def test_nothing_of_ours_goes_to_the_storage_and_nothing_of_its_addresses_stays(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    server = serve()

    await export(server)

    assert server.storage_requests
    assert not any(request.authorized for request in server.storage_requests)
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"X-Amz" not in path.read_bytes()


async def test_an_organization_that_exports_no_orders_says_so(
    serve: Serve, export: ExportOrders, tmp_path: Path
) -> None:
    with pytest.raises(Refused, match="resource_type") as raised:
        await export(serve(exports=rules(types=("klarna_payments",))))

    assert "export the orders in the dashboard" in str(raised.value.hint)
    assert not (tmp_path / "exports").exists()


async def test_credentials_that_may_not_list_orders_are_told(serve: Serve, export: ExportOrders) -> None:
    with pytest.raises(AuthError):
        await export(serve(), client={"credentials": Credentials(SALES_CHANNEL_ID, SALES_CHANNEL_SECRET)})


async def test_exports_of_the_other_mode_are_refused(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    with pytest.raises(WrongMode):
        await export(serve(World.generate(60, mode="test")), mode="live")

    assert not (tmp_path / "exports").exists()


async def test_two_exports_in_one_workplace_do_not_meet(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    with Workplace(tmp_path / "workplace").locked(), pytest.raises(FolderBusy):
        await export(serve())


async def test_exports_of_others_are_waited_for(serve: Serve, export: ExportOrders, tmp_path: Path) -> None:
    world = World.generate(60)
    server = serve(world, exports=rules(concurrent=2, maximum=15))

    first, second = await asyncio.gather(
        export(server, destination=tmp_path / "a", workplace=tmp_path / "of-a"),
        export(server, destination=tmp_path / "b", workplace=tmp_path / "of-b"),
    )

    assert first.orders == second.orders == len(placed_ids(world))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
