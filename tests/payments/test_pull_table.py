"""What a pull writes: every payment of the world, as PAYMENTS says, the same bytes each time."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from export_rules import rules

from reconcile.commercelayer.query import timestamp
from reconcile.errors import SettingsError
from reconcile.payments.pull import PullProgress, pull_to_table
from reconcile.sandbox.server import SandboxServer
from reconcile.sandbox.world.attributes import complete_order
from reconcile.sandbox.world.world import World
from reconcile.schema import PAYMENTS, TRANSACTIONS

UNTIL = datetime(2030, 1, 1, tzinfo=UTC)


SUMS = {
    "authorized_amount_cents": "authorizations",
    "captured_amount_cents": "captures",
    "refunded_amount_cents": "refunds",
    "voided_amount_cents": "voids",
}


def expected_rows(world: World, *, personal: bool = False, money: bool = True) -> list[dict[str, Any]]:
    """The rows of `world` by its own tables, without the client."""
    rows = []
    for payment_id in world.payment_ids():
        payment = world.payments.find(payment_id)
        assert payment is not None
        order = world.order_of(payment) or {}
        read = ("payment_methods", *(("payment_instrument", "metadata") if personal else ()))
        canonical = {
            name: None if payment[name] is None else msgspec.json.encode(payment[name], order="sorted").decode()
            for name in read
        }
        rows.append(
            dict.fromkeys(PAYMENTS.names)
            | {
                name: payment.get(name)
                for name in ("reference", "reference_origin", "mismatched_amounts", "session_id")
            }
            | {name: order.get(name) for name in PAYMENTS.names if "total_amount" in name}
            | {name: order.get(name) for name in ("payment_status", "currency_code")}
            | canonical
            | {
                "payment_id": payment_id,
                "created_at": payment["created_at"],
                "updated_at": payment["updated_at"],
                "mode": payment.get("mode") or world.mode,
                "order_id": order.get("id"),
                "order_number": order.get("number"),
                "order_reference": order.get("reference"),
                "order_status": order.get("status"),
                "placed_at": order.get("placed_at"),
                "order_updated_at": order.get("updated_at"),
            }
            | (expected_money(world, payment, order) if money else {})
        )
    return sorted(rows, key=lambda row: row["payment_id"].encode())


def expected_money(world: World, payment: dict[str, Any], order: dict[str, Any]) -> dict[str, Any]:
    gateway = world.gateways.find(payment["payment_gateway_id"])
    assert gateway is not None
    found = {"payment_gateway_id": gateway["id"], "payment_gateway_name": gateway["name"]}
    if not order:
        return found
    market = world.markets.find(order["market_id"])
    assert market is not None
    source = order["payment_source_type"] if order["payment_source_id"] else None
    moved = world.money.of(order)
    sums = {
        column: sum(one["amount_cents"] for one in moved[type_] if one["succeeded"]) for column, type_ in SUMS.items()
    }
    return {
        **found,
        **sums,
        "cancelled_at": complete_order(order).get("cancelled_at"),
        "market_id": market["id"],
        "market_name": market["name"],
        "order_source_type": source,
        "is_current_source": None if source is None else (order["payment_source_id"] == payment["id"]),
    }


def expected_transactions(world: World) -> list[dict[str, Any]]:
    """The transactions of all orders that a payment belongs to, by the world's own tables."""
    orders = {order["id"]: order for id_ in world.payment_ids() if (order := order_of(world, id_))}
    rows = [
        {
            "transaction_id": one["id"],
            "type": type_,
            "order_id": order["id"],
            "payment_id": one["payment_source_id"] if one["payment_source_type"] == "klarna_payments" else None,
            **{name: one[name] for name in ("number", "amount_cents", "currency_code", "succeeded", "created_at")},
            "gateway_transaction_id": one["gateway_transaction_id"],
            "token_sha256": None if one["token"] is None else sha256(one["token"].encode()).hexdigest(),
        }
        for order in orders.values()
        for type_, moved in world.money.of(order).items()
        for one in moved
    ]
    return sorted(rows, key=lambda row: [row[name].encode() for name in ("order_id", "type", "transaction_id")])


def order_of(world: World, payment_id: str) -> dict[str, Any] | None:
    payment = world.payments.find(payment_id)
    assert payment is not None
    return world.order_of(payment)


def as_read(path: Path) -> list[dict[str, Any]]:
    rows = pq.read_table(path).to_pylist()
    return [
        {name: timestamp(value) if isinstance(value, datetime) else value for name, value in row.items()}
        for row in rows
    ]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


async def test_the_file_holds_every_payment_of_the_world(serve, pull, tmp_path: Path) -> None:
    server = serve(World.generate(400, seed=3))

    report = await pull(server)

    assert as_read(tmp_path / "payments.parquet") == expected_rows(server.world)
    assert pq.read_schema(tmp_path / "payments.parquet").equals(PAYMENTS)
    assert (report.payments, report.count_before, report.count_after) == (400, 400, 400)
    assert as_read(tmp_path / "transactions.parquet") == expected_transactions(server.world)
    assert pq.read_schema(tmp_path / "transactions.parquet").equals(TRANSACTIONS)


async def test_shards_give_the_same_bytes_as_one_walk(serve, pull, tmp_path: Path, request) -> None:
    server = serve(World.generate(180, seed=3))
    one = await pull(server, destination=tmp_path / "one.parquet")
    request.getfixturevalue("many_shards")
    several = await pull(server, destination=tmp_path / "several.parquet", commit_pages=2)

    assert one.shards == 1
    assert several.shards > 2
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "several.parquet").read_bytes()


async def test_half_of_all_payments_at_one_time_are_cut_as_finely_as_needed(serve, pull, many_shards) -> None:
    world = World.generate(160, seed=5)
    ids = world.payment_ids()
    day = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for index, payment_id in enumerate(ids[:80]):
        world.update(payment_id, touch=False, created_at=timestamp(day + timedelta(minutes=index)))

    report = await pull(serve(world))

    assert report.payments == 160
    assert report.shards >= 4


async def test_since_and_until_narrow_the_window_half_open(serve, pull, tmp_path: Path) -> None:
    server = serve()
    days = {row["payment_id"]: row["placed_at"] or row["created_at"] for row in expected_rows(server.world)}
    since, until = (sorted(days.values())[index] for index in (10, 40))

    report = await pull(server, since=datetime.fromisoformat(since), until=datetime.fromisoformat(until))

    inside = {payment_id for payment_id, day in days.items() if since <= day < until}
    assert {row["payment_id"] for row in as_read(tmp_path / "payments.parquet")} == inside
    assert (report.since, report.until) == (datetime.fromisoformat(since), datetime.fromisoformat(until))


async def test_a_window_that_ends_before_it_starts_is_refused(serve, pull) -> None:
    with pytest.raises(SettingsError, match="since must be before until"):
        await pull(serve(), since=UNTIL, until=UNTIL)


async def test_an_until_in_the_future_is_cut_to_the_servers_now(serve, pull) -> None:
    report = await pull(serve(), until=datetime(2099, 1, 1, tzinfo=UTC))

    assert report.payments == 60
    assert report.until <= report.finished_at
    assert report.until.microsecond == 0


async def test_an_empty_window_gives_an_empty_table(serve, pull, tmp_path: Path) -> None:
    report = await pull(serve(), until=datetime(2001, 1, 1, tzinfo=UTC))

    assert report.payments == 0
    assert pq.read_table(tmp_path / "payments.parquet").schema.equals(PAYMENTS)


async def test_no_request_asks_for_a_credential_or_for_page_two(serve, pull) -> None:
    server = serve()
    await pull(server)

    lists = [request for request in server.requests if request.path.endswith("/klarna_payments")]
    assert all("token" not in request.query["fields[klarna_payments]"] for request in lists)
    assert {request.query["page[number]"] for request in lists} == {"1"}
    assert len(lists) == 5  # a count, three pages, a count


async def test_the_table_is_the_file(serve, pull, client_of, tmp_path: Path) -> None:
    server = serve()
    await pull(server)
    async with client_of(server) as client:
        table = await pull_to_table(client)

    assert table.equals(pq.read_table(tmp_path / "payments.parquet"))


async def test_progress_ends_at_the_whole(serve, pull) -> None:
    told: list[PullProgress] = []

    await pull(serve(), on_progress=told.append)

    assert (told[-1].payments, told[-1].expected_payments, told[-1].pages) == (60, 60, 3)


@pytest.mark.slow
async def test_progress_tells_of_waits_and_of_a_total_that_stays(serve, pull) -> None:
    """One request a minute, which here takes 0.6 s: a count, a page, a count."""
    told: list[PullProgress] = []

    await pull(serve(World.generate(20)), on_progress=told.append, client={"rate_limit": True, "rate_share": 0.005})

    held_back = [one.hold_seconds for one in told if one.hold_seconds]
    assert 10 < max(held_back) <= 60.1
    assert len(set(held_back)) > 5
    assert {one.expected_payments for one in told} == {20}
    assert {one.left_seconds for one in told if not one.payments} == {60.0}
    assert (told[-1].payments, told[-1].left_seconds) == (20, 0)


async def test_who_is_told_may_stop_the_pull(serve, pull) -> None:
    def stop(progress: PullProgress) -> None:
        raise LookupError

    with pytest.raises((LookupError, ExceptionGroup)):
        await pull(serve(), on_progress=stop)


async def test_the_report_is_plain_json_without_secrets(serve, pull) -> None:
    server: SandboxServer = serve()

    report = await pull(server)

    text = msgspec.json.encode(report.as_dict()).decode()
    assert server.client_secret not in text
    assert report.as_dict()["transport"] == "pages"
    assert report.organization == "sandbox"


async def test_nothing_is_left_beside_the_file(serve, pull, tmp_path: Path) -> None:
    await pull(serve())

    assert names_in(tmp_path) == ["payments.parquet", "transactions.parquet"]


async def test_names_and_card_digits_are_read_only_where_that_is_wanted(serve, pull, tmp_path: Path) -> None:
    server = serve(World.generate(40))

    await pull(server)
    rows = as_read(tmp_path / "payments.parquet")
    await pull(server, personal=True)

    assert {(row["payment_instrument"], row["metadata"]) for row in rows} == {(None, None)}
    assert as_read(tmp_path / "payments.parquet") == expected_rows(server.world, personal=True)


async def test_without_money_nothing_of_it_is_asked_for(serve, pull, tmp_path: Path) -> None:
    server = serve(World.generate(40))

    await pull(server, money=False)

    assert as_read(tmp_path / "payments.parquet") == expected_rows(server.world, money=False)
    assert {one.query["include"] for one in server.requests if "include" in one.query} == {"order"}
    assert names_in(tmp_path) == ["payments.parquet"]


@pytest.mark.parametrize("via", ["pages", "exports"])
async def test_no_token_of_a_transaction_is_in_any_file_or_log(
    serve, pull, tmp_path: Path, caplog: pytest.LogCaptureFixture, via: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(World.generate(60, canary="canary"), exports=rules())

    report = await pull(server, via=via, mirror=tmp_path / "mirror")

    hashes = pq.read_table(tmp_path / "transactions.parquet").column("token_sha256").to_pylist()
    assert sum(one is not None for one in hashes) > 20
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 4
    for path in files:
        rows = pq.read_table(path).to_pylist() if path.suffix == ".parquet" else path.read_bytes()
        assert "canary" not in str(rows), path
    said = " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("reconcile"))
    assert "klarna_payments" in said
    assert "canary" not in said + repr(report)
