"""Payments that come by exports: the same bytes as by pages, whatever the server's rules, and what it costs."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from dying import exists, read
from export_rules import rules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.commercelayer.exports import jobs
from reconcile.commercelayer.exports.documents import Export, payments_export
from reconcile.commercelayer.exports.jobs import ExportJobs
from reconcile.commercelayer.query import Window
from reconcile.commercelayer.relations import Wanted
from reconcile.errors import IncompletePull
from reconcile.sandbox.world.world import World

PAYMENTS = 70
"""So many that with 20 to an export the window is cut twice."""


def created(server) -> list[Any]:
    return [
        one for one in server.requests if one.method == "POST" and one.path.endswith("/exports") and one.status == 201
    ]


def by_id(server) -> int:
    """Return how many requests asked for payments by their ids."""
    return sum("filter[q][id_in]" in one.query and one.path.endswith("/klarna_payments") for one in server.requests)


async def by_pages(serve, pull, world: World, tmp_path: Path, **options: Any) -> bytes:
    await pull(serve(world), destination=tmp_path / "by_pages.parquet", **options)
    return read(tmp_path / "by_pages.parquet")


async def test_exports_give_the_bytes_that_pages_give(serve, pull, tmp_path: Path) -> None:
    world = World.generate(PAYMENTS)
    server = serve(world, exports=rules())

    report = await pull(server, via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert (report.payments, report.count_before, report.count_after) == (PAYMENTS, PAYMENTS, PAYMENTS)
    assert (report.transport, report.rewalks, report.warnings) == ("exports", 0, ())
    assert len(created(server)) == 4


async def test_texts_numbers_and_nulls_come_as_they_do_by_pages(serve, pull, tmp_path: Path) -> None:
    payments = [
        {"reference": 'a "}],[{ \\" \\\\', "metadata": {"n": 1.10, "deep": [{"x": "]}"}, []], "e": "é\u2028"}},
        {"reference": None, "mismatched_amounts": None, "payment_instrument": None, "metadata": {}},
        {"reference": "007", "payment_methods": [{"identifier": "pay_later"}], "session_id": ""},
    ]
    world = World.generate(1)
    for payment in payments:
        world.insert({**payment, "created_at": "2025-01-01T00:00:00.123456Z"}, order={"number": "12"})
    world.insert({"created_at": "2025-01-02T00:00:00Z"})

    await pull(serve(world, exports=rules(maximum=3)), via="exports", mode="live")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")


@pytest.mark.parametrize("span", [("2025-03-01", None), (None, "2025-03-01"), ("2025-01-01", "2025-06-01")])
async def test_a_narrowed_window_is_the_same_either_way(serve, pull, tmp_path: Path, span, moment) -> None:
    world = World.generate(PAYMENTS)
    since, until = (moment(end) if end else None for end in span)

    await pull(serve(world, exports=rules()), via="exports", since=since, until=until)

    assert await by_pages(serve, pull, world, tmp_path, since=since, until=until) == read(tmp_path / "payments.parquet")


async def test_where_exports_do_not_say_what_an_order_is_paid_with_its_payments_are_read_by_id(
    serve, pull, tmp_path: Path
) -> None:
    world = World.generate(PAYMENTS)
    server = serve(world, exports=rules(source_types=False))

    report = await pull(server, via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert (report.transport, report.warnings) == ("exports", ())
    assert len(created(server)) == 4
    assert 0 < by_id(server) <= 4  # of the twenty of an export at most


async def test_where_that_costs_as_much_as_pages_these_are_read_if_the_choice_is_ours(
    serve, pull, tmp_path: Path
) -> None:
    world = World.generate(2_000)
    server = serve(world, exports=rules(maximum=600, source_types=False))

    report = await pull(server, via="auto")

    assert report.transport == "pages"
    assert "payment_source.type is not exportable" in report.transport_reason
    assert report.warnings == ()
    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")


@pytest.mark.parametrize("refusal", [{"types": ("orders",)}, {"includes": False}], ids=["payments", "what is related"])
async def test_what_is_not_exported_here_goes_by_pages_and_the_report_says_why(
    serve, pull, tmp_path: Path, refusal: dict[str, Any]
) -> None:
    world = World.generate(PAYMENTS)

    report = await pull(serve(world, exports=rules(**refusal)), via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert report.transport == "pages"
    assert "VALIDATION_ERROR" in report.transport_reason
    assert report.warnings[0].text.startswith("payments were read by pages, although exports were requested")


async def test_few_payments_go_by_pages_where_the_choice_is_ours(serve, pull) -> None:
    server = serve(World.generate(PAYMENTS), exports=rules())

    report = await pull(server, via="auto")

    assert (report.transport, report.transport_reason) == ("pages", "fewer than 2,000 payments")
    assert not created(server)


async def test_many_payments_go_by_exports_where_the_choice_is_ours(serve, pull, tmp_path: Path) -> None:
    world = World.generate(2_000)
    server = serve(world, exports=rules(maximum=600))

    report = await pull(server, via="auto")

    assert (report.transport, report.transport_reason) == ("exports", "2,000 payments or more")
    assert report.requests <= 20
    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")


async def test_an_empty_window_needs_no_export(serve, pull, moment) -> None:
    server = serve(World.generate(20), exports=rules())

    report = await pull(server, via="exports", until=moment("2001-01-01"))

    assert (report.payments, report.warnings) == (0, ())
    assert not created(server)


async def test_payments_of_one_moment_that_are_too_many_go_by_pages(serve, pull, tmp_path: Path) -> None:
    world = World.generate(30)
    for _ in range(25):
        world.insert({"created_at": "2025-05-05T05:05:05.555Z"}, order={"number": "1"})

    report = await pull(serve(world, exports=rules()), via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert report.transport == "exports, then pages"
    assert report.transport_reason == "too many payments of one moment for an export"


async def test_no_more_than_ten_are_under_way_and_few_requests_ask_after_them(serve, pull) -> None:
    server = serve(World.generate(400), exports=rules(records_per_second=100.0))

    report = await pull(server, via="exports")

    assert (report.payments, report.retries) == (400, 0)
    assert len(created(server)) == 20
    assert all(one.status in (200, 201) for one in server.requests[4:] if one.method == "POST")
    assert report.requests <= 90


async def test_where_others_take_all_the_room_we_wait_for_it(serve, pull, client_of, tmp_path: Path) -> None:
    world = World.generate(PAYMENTS)
    server = serve(world, exports=rules(records_per_second=4.0))
    foreign = payments_export(
        Window(None, None), Wanted(money=False), with_types=False, narrowed=False, reference="somebody else"
    )
    foreign["data"]["attributes"]["filters"] = {"id_in": ",".join(world.payment_ids()[:20])}  # type: ignore[index]
    async with client_of(server) as client:
        for _ in range(9):
            await client.post("exports", foreign)

    report = await pull(server, via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert report.transport == "exports"
    assert any(one.method == "POST" and one.path.endswith("/exports") and one.status == 422 for one in server.requests)


async def test_rows_deleted_meanwhile_are_no_loss(serve, pull, tmp_path: Path, monkeypatch) -> None:
    world = World.generate(20)
    server = serve(world, exports=rules())

    async def deleting(self: ExportJobs, export_id: str, *, reference: str) -> Export:
        world.delete(world.payment_ids()[3])
        return await completed(self, export_id, reference=reference)

    completed = ExportJobs.completed
    monkeypatch.setattr(ExportJobs, "completed", deleting)
    report = await pull(server, via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert (report.payments, report.count_before, report.count_after) == (19, 20, 19)


async def test_a_row_lost_once_is_found_by_another_export(serve, pull, tmp_path: Path) -> None:
    world = World.generate(PAYMENTS)
    server = serve(world, "export-lost-row:#2", exports=rules())

    report = await pull(server, via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert (report.rewalks, len(created(server))) == (1, 5)


async def test_a_row_lost_from_every_export_is_read_from_a_page(serve, pull, tmp_path: Path) -> None:
    world = World.generate(PAYMENTS)

    report = await pull(serve(world, "export-lost-row", exports=rules()), via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert (report.transport, report.transport_reason) == ("pages", "the counts do not agree")


async def test_a_row_lost_from_exports_and_pages_is_an_incomplete_pull(serve, pull, tmp_path: Path) -> None:
    world = World.generate(20)
    faults = ["export-lost-row", f"drop-row:{world.payment_ids()[10]}"]

    with pytest.raises(IncompletePull, match="19 payments seen in walk 3, the server counted 20 before it, 20 after"):
        await pull(serve(world, *faults, exports=rules()), via="exports", mirror=tmp_path / "mirror")

    assert not exists(tmp_path / "payments.parquet")
    assert not exists(tmp_path / "mirror" / "payments.parquet")


async def test_the_storage_gets_nothing_of_ours(serve, pull) -> None:
    server = serve(World.generate(PAYMENTS), exports=rules())

    await pull(server, via="exports")

    assert len(server.storage_requests) == 4
    assert all(one.status == 200 and not one.authorized for one in server.storage_requests)


async def test_credentials_and_addresses_of_files_are_never_asked_for_or_logged(
    serve, pull, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(World.generate(40, canary="canary"), "storage-5xx:#1", "storage-expired:#3", exports=rules())

    report = await pull(server, via="exports")

    said = " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("reconcile"))
    assert "POST exports" in said
    for secret in ("X-Amz", "canary", '_token"', server.storage_url, server.client_secret):
        assert secret not in said + repr(report)


async def test_a_token_with_a_scope_exports_no_more_than_it_may_list(serve, pull, client_of) -> None:
    server = serve(World.generate(20), exports=rules())

    for options in ({"scope": "market:code:eu"}, {}):
        await pull(server, via="exports", client=options)

    async with client_of(server) as client:
        listed = json.loads((await client.get("exports", {"sort": "id", "fields[exports]": "jwt_filters"})).body)
    assert [one["attributes"]["jwt_filters"] for one in listed["data"]] == [True, False]


async def test_exports_that_cannot_be_filtered_are_asked_after_one_by_one(
    serve, pull, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("poll_params", "reference_params"):
        monkeypatch.setattr(jobs, name, lambda _: {"filter[q][no_such_thing_eq]": "1"})
    world = World.generate(PAYMENTS)
    server = serve(world, "reset-body:#7", "export-fail:#2", exports=rules())

    report = await pull(server, via="exports")

    assert await by_pages(serve, pull, world, tmp_path) == read(tmp_path / "payments.parquet")
    assert report.transport == "exports"
    assert len(created(server)) == 4  # one a slice, one again; the answer to one of them was lost


payments = st.fixed_dictionaries(
    {
        "created_at": st.sampled_from([f"2025-01-0{day}T00:00:00.{ms:03d}Z" for day in (1, 2) for ms in (0, 1, 2)]),
        "reference": st.none() | st.text(max_size=5),
        "mismatched_amounts": st.none() | st.booleans(),
        "metadata": st.dictionaries(st.text(max_size=3), st.none() | st.integers() | st.text(max_size=3), max_size=2),
        "order_id": st.none() | st.sampled_from(["oA", "oB", "oC"]),
    }
)


@given(listed=st.lists(payments, min_size=1, max_size=24), maximum=st.integers(11, 16), types=st.booleans())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_payments_both_ways_give_the_same_bytes(
    serve, pull, tmp_path: Path, listed: list[dict[str, Any]], maximum: int, types: bool
) -> None:
    """Many share a moment, an order, or have none."""
    orders = [{"id": order_id, "number": order_id[1], "total_amount_cents": 100} for order_id in ("oA", "oB", "oC")]
    world = World.of_rows([{**row, "id": f"p{number}"} for number, row in enumerate(listed)], orders)

    asyncio.run(pull(serve(world, exports=rules(maximum=maximum, source_types=types)), via="exports"))

    assert asyncio.run(by_pages(serve, pull, world, tmp_path)) == read(tmp_path / "payments.parquet")
