"""The money of orders: what the rows tell of, what is stated, and what changes."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from reconcile.errors import InputError
from reconcile.sandbox.world.world import World

NOW = 1_790_000_000_000_000
NOW_TEXT = "2026-09-21T14:13:20.000Z"


def orders_of(world: World) -> list[dict]:
    return [world.orders.row(int(sequence)) for sequence in world.orders.alive()]


def summed(world: World, order: dict, name: str) -> int:
    return sum(row["amount_cents"] for row in world.money.of(order)[name] if row["succeeded"])


def sums(world: World, order: dict) -> tuple[int, int, int, int]:
    names = ("authorizations", "captures", "voids", "refunds")
    authorized, captured, voided, refunded = (summed(world, order, name) for name in names)
    return authorized, captured, voided, refunded


@pytest.fixture(scope="module")
def world() -> World:
    return World.generate(3000)


def test_what_succeeded_adds_up_to_the_status_of_the_order(world) -> None:
    for order in orders_of(world):
        total = order["total_amount_with_taxes_cents"]
        authorized, captured, voided, refunded = sums(world, order)
        open_cents = authorized - captured - voided
        match order["payment_status"]:
            case "unpaid":
                assert (authorized, captured, voided, refunded) == (0, 0, 0, 0)
            case "authorized":
                assert (open_cents, captured, refunded) == (total, 0, 0)
            case "voided":
                assert (authorized, captured, voided, refunded) == (total, 0, total, 0)
            case "paid":
                assert (open_cents, refunded) == (0, 0)
                assert 0 < captured <= total
            case "refunded":
                assert captured == refunded > 0
            case status:
                assert (status, open_cents) == ("partially_refunded", 0)
                assert 0 < refunded < captured <= total


def test_the_generated_shop_has_every_sort_of_story(world) -> None:
    seen: Counter[str] = Counter()
    for order in orders_of(world):
        of = world.money.of(order)
        rows = [row for rows in of.values() for row in rows]
        sources = {row["payment_source_id"] for row in rows if row["succeeded"]}
        klarna = {row["payment_source_id"] for row in rows if row["payment_source_type"] == "klarna_payments"}
        authorized, captured, voided, _ = sums(world, order)
        seen["failed"] += any(not row["succeeded"] for row in of["authorizations"])
        seen["failed, then not"] += len({row["succeeded"] for row in of["authorizations"]}) == 2
        seen["in parts"] += len(of["captures"]) > 1
        seen["rest voided"] += bool(captured and voided and captured + voided == authorized)
        seen["again after a void"] += bool(voided and authorized - voided >= order["total_amount_with_taxes_cents"])
        seen["two payments"] += len(sources) > 1 and len(klarna) > 1
        seen["by card"] += order["payment_source_type"] == "stripe_payments"
        seen["by card after Klarna"] += order["payment_source_type"] == "stripe_payments" and bool(klarna)
        seen["without a source"] += bool(rows) and order["payment_source_id"] is None
        seen["refunded twice"] += len(of["refunds"]) > 1
    kinds = 10

    assert len(seen) == kinds
    assert min(seen.values()) > 0, seen


def test_transactions_are_a_function_of_seed_and_order(world) -> None:
    again = World.generate(3000)
    ids = Counter()
    for order in orders_of(world)[:300]:
        of = world.money.of(order)
        assert of == again.money.of(order)
        ids.update(row["id"] for rows in of.values() for row in rows)
        for name, rows in of.items():
            for row in rows:
                assert world.money.find(name, row["id"]) == row
                assert order["created_at"] <= row["created_at"] <= order["updated_at"]
                assert row["currency_code"] == order["currency_code"]
                assert (row["gateway_transaction_id"] is None) is not row["succeeded"]

    assert max(ids.values()) == 1
    assert world.money.find("captures", "XXXXXXXXXX") is None


def test_numbers_count_through_all_transactions_of_an_order(world) -> None:
    order = next(order for order in orders_of(world) if order["payment_status"] == "partially_refunded")
    numbers = sorted(row["number"] for rows in world.money.of(order).values() for row in rows)

    assert numbers == [f"{order['number']}/T/{place:03d}" for place in range(1, len(numbers) + 1)]


def test_what_follows_names_what_it_follows(world) -> None:
    for order in orders_of(world)[:300]:
        of = world.money.of(order)
        authorizations = {row["id"]: row for row in of["authorizations"]}
        captures = {row["id"]: row for row in of["captures"]}
        for row in (*of["captures"], *of["voids"]):
            assert row["payment_source_id"] == authorizations[row["reference_authorization_id"]]["payment_source_id"]
        for row in of["refunds"]:
            assert row["payment_source_id"] == captures[row["reference_capture_id"]]["payment_source_id"]


PAYMENTS = [{"id": "P1", "order_id": "O1"}, {"id": "P2", "order_id": "O1"}]


def order_row(status: str = "paid", **changes: object) -> dict:
    return {
        "id": "O1",
        "number": "42",
        "currency_code": "EUR",
        "payment_status": status,
        "total_amount_with_taxes_cents": 1001,
        "placed_at": "2026-01-02T00:00:00.000Z",
        "updated_at": "2026-01-04T00:00:00.000Z",
        **changes,
    }


def small(order: dict, **options: object) -> World:
    return World.of_rows(PAYMENTS, [order], now=lambda: NOW, **options)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("unpaid", (0, 0, 0, 0)),
        ("free", (0, 0, 0, 0)),
        ("on_its_way", (0, 0, 0, 0)),
        ("authorized", (1001, 0, 0, 0)),
        ("partially_authorized", (501, 0, 0, 0)),
        ("paid", (1001, 1001, 0, 0)),
        ("partially_paid", (1001, 501, 0, 0)),
        ("voided", (1001, 0, 1001, 0)),
        ("partially_voided", (1001, 0, 501, 0)),
        ("refunded", (1001, 1001, 0, 1001)),
        ("partially_refunded", (1001, 1001, 0, 501)),
    ],
)
def test_an_order_of_which_nothing_is_stated_has_what_its_status_tells(status, expected) -> None:
    world = small(order_row(status))

    assert sums(world, world.orders.row(1)) == expected


def test_a_session_opened_after_an_order_was_placed_did_not_pay_it() -> None:
    world = small(order_row())
    world.insert({"id": "P3", "order_id": "O1"})
    (capture,) = world.money.of(world.orders.row(1))["captures"]

    assert capture["payment_source_id"] == "P2"


@pytest.mark.parametrize(
    ("status", "expected"), [("free", 0), ("partially_paid", 2), ("partially_voided", 2), ("authorized", 1)]
)
def test_an_order_of_the_shop_can_have_any_status_later(status, expected) -> None:
    world = World.generate(100)
    for order in orders_of(world)[:40]:
        world.update_order(order["id"], payment_status=status)
        total = order["total_amount_with_taxes_cents"]
        captured = {0: 0, 1: 0, 2: (total + 1) // 2}[expected]
        moved = sums(world, world.orders.find(order["id"]))
        open_cents = moved[0] - moved[1] - moved[2]

        assert open_cents == {0: 0, 1: total, 2: total - captured}[expected]
        assert max(moved[1], moved[2]) >= captured


def test_an_order_without_a_source_was_paid_with_its_latest_payment() -> None:
    latest, named = small(order_row()), small(order_row(payment_source_id="P1"))
    card = small(order_row(payment_source_id="card", payment_source_type="stripe_payments"))

    for world, source in ((latest, ("klarna_payments", "P2")), (named, ("klarna_payments", "P1"))):
        (capture,) = world.money.of(world.orders.row(1))["captures"]
        assert (capture["payment_source_type"], capture["payment_source_id"]) == source
    (capture,) = card.money.of(card.orders.row(1))["captures"]
    assert capture["payment_source_type"] == "stripe_payments"
    assert card.method_of(card.orders.row(1))["payment_source_type"] == "stripe_payments"


def test_a_new_status_brings_what_it_tells_of_and_leaves_what_was() -> None:
    world = small(order_row())
    before = world.money.of(world.orders.row(1))
    world.update_order("O1", total_amount_with_taxes_cents=5000)
    assert world.money.of(world.orders.row(1)) == before

    world.update_order("O1", payment_status="refunded")
    after = world.money.of(world.orders.row(1))

    assert after["captures"] == before["captures"]
    assert [(row["amount_cents"], row["created_at"]) for row in after["refunds"]] == [(1001, NOW_TEXT)]


def test_a_refund_added_later_is_listed_and_touches_the_order() -> None:
    world = small(order_row())
    (capture,) = world.money.of(world.orders.row(1))["captures"]
    id_ = world.add_transaction("refunds", "O1", amount_cents=500, reference_capture_id=capture["id"])
    order = world.orders.row(1)
    (refund,) = world.money.of(order)["refunds"]

    assert order["updated_at"] == refund["created_at"] == NOW_TEXT
    assert world.money.find("refunds", id_) == refund
    assert (refund["number"], refund["currency_code"], refund["succeeded"]) == ("42/T/003", "EUR", True)
    assert sums(world, order) == (1001, 1001, 0, 500)

    world.update_transaction("refunds", id_, touch=False, succeeded=False)
    assert sums(world, order) == (1001, 1001, 0, 0)
    with pytest.raises(KeyError):
        world.update_transaction("refunds", "nobody", succeeded=True)
    with pytest.raises(KeyError):
        world.add_transaction("refunds", "nobody", amount_cents=1)


def test_what_is_stated_is_all_there_is() -> None:
    captures = [{"id": "C1", "order_id": "O1", "amount_cents": 700, "payment_source_id": "P1"}]
    world = small(order_row(payment_source_id="P2"), transactions={"captures": captures})
    (capture,) = world.money.of(world.orders.row(1))["captures"]

    assert sums(world, world.orders.row(1)) == (0, 700, 0, 0)
    assert capture["payment_source_id"] == "P1"
    world.update_order("O1", payment_status="refunded")
    assert sums(world, world.orders.row(1)) == (0, 700, 0, 0)
    world.state_transactions("O1", {})
    assert sums(world, world.orders.row(1)) == (0, 0, 0, 0)
    with pytest.raises(KeyError):
        small(order_row(), transactions={"refunds": [{"id": "R", "order_id": "nobody", "amount_cents": 1}]})


def test_a_copied_order_has_money_too() -> None:
    world = World.generate(30)
    for _ in range(30):
        payment = world.payments.find(world.insert())
        assert payment is not None
        order = world.order_of(payment)
        if order is not None and order["payment_status"] != "unpaid":
            rows = [row for rows in world.money.of(order).values() for row in rows]
            assert {row["payment_source_id"] for row in rows} == {payment["id"]} == {order["payment_source_id"]}
            assert summed(world, order, "authorizations") == order["total_amount_with_taxes_cents"]


def write(folder: Path, **files: object) -> Path:
    given = {"klarna_payments": PAYMENTS, "orders": [order_row(market_id="M1")], **files}
    for name, rows in given.items():
        (folder / f"{name}.json").write_text(json.dumps(rows))
    return folder


def test_a_folder_may_hold_transactions_and_markets(tmp_path: Path) -> None:
    refunds = [{"id": "R1", "order_id": "O1", "amount_cents": 5}]
    world = World.load(write(tmp_path, refunds=refunds, markets=[{"id": "M1", "name": "Home", "code": "home"}]))

    assert sums(world, world.orders.row(1)) == (0, 0, 0, 5)
    assert world.markets.find("M1")["name"] == "Home"


def test_a_market_of_which_only_the_id_is_known_has_a_name(tmp_path: Path) -> None:
    world = World.load(write(tmp_path))

    assert world.markets.find("M1")["name"] == "Market M1"
    assert sums(world, world.orders.row(1)) == (1001, 1001, 0, 0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "R1", "order_id": "O9", "amount_cents": 5}, r"refunds\.json: row R1 belongs to order O9, which is mis"),
        ({"id": "R1", "order_id": "O1", "amount_cents": "5"}, r'refunds\.json: row R1 has no "amount_cents"'),
        ({"id": "R1", "order_id": "O1", "created_at": "soon"}, r'refunds\.json: row 1: created_at "soon" is not a ti'),
    ],
)
def test_a_file_of_transactions_that_is_none_is_refused(tmp_path: Path, row: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        World.load(write(tmp_path, refunds=[row]))
