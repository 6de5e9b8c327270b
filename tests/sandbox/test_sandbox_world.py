"""The generated shop, worlds from files, changes, and the order totals an ERP would export."""

from __future__ import annotations

import csv
import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

from reconcile.errors import InputError
from reconcile.money import parse_amount
from reconcile.sandbox.world.order_totals import write_order_totals
from reconcile.sandbox.world.resources import ORDERS
from reconcile.sandbox.world.world import World


def rows_of(world: World) -> tuple[list[dict], list[dict]]:
    payments = [world.payments.row(int(sequence)) for sequence in world.payments.alive()]
    return payments, [world.orders.row(int(sequence)) for sequence in world.orders.alive()]


def test_a_seed_means_one_world() -> None:
    assert rows_of(World.generate(200, seed=3)) == rows_of(World.generate(200, seed=3))
    assert rows_of(World.generate(200, seed=3)) != rows_of(World.generate(200, seed=4))


def test_a_generated_world_has_what_reconciling_must_cope_with() -> None:
    payments, orders = rows_of(World.generate(4000))
    per_order = Counter(row["order_id"] for row in payments)

    assert {row["currency_code"] for row in orders} == {"SEK", "NOK", "DKK", "EUR", "GBP", "CHF", "PLN", "USD"}
    assert {True, False, None} == {row["mismatched_amounts"] for row in payments}
    assert {row["status"] for row in orders} > {"pending", "draft", "placed", "approved", "cancelled"}
    assert any(row["reference"] is None for row in payments)
    assert per_order[None] > 0
    assert max(count for order, count in per_order.items() if order) > 1
    assert all((row["placed_at"] is None) == (row["status"] in ORDER_STATUSES_BEFORE_PLACING) for row in orders)
    assert all(row["created_at"] <= row["updated_at"] for row in orders)
    created = [row["created_at"] for row in payments]
    assert created != sorted(created)
    assert sum(a <= b for a, b in itertools.pairwise(created)) / len(created) > 0.95


ORDER_STATUSES_BEFORE_PLACING = {"pending", "draft", "placing", "editing"}


def test_half_of_all_payments_can_fall_on_one_day() -> None:
    world = World.generate(2000, busiest_day_share=0.5)
    days = Counter(str(world.payments.row(sequence)["created_at"])[:10] for sequence in range(1, 2001))
    ordinary = Counter(row["created_at"][:10] for row in rows_of(World.generate(2000))[0])

    assert days.most_common(1)[0][0] == "2025-11-28"
    assert 900 < days["2025-11-28"] < 1050
    assert ordinary.most_common(1)[0][1] < 100


def test_an_orders_amounts_add_up() -> None:
    for row in rows_of(World.generate(500))[1]:
        total = row["subtotal_amount_cents"] + row["shipping_amount_cents"] + row["discount_amount_cents"]
        tax = 0 if row["tax_included"] else row["total_tax_amount_cents"]

        assert row["total_amount_cents"] == total > 0
        assert row["total_amount_with_taxes_cents"] == total + tax + row["gift_card_amount_cents"] > 0


def test_the_payment_source_of_an_order_is_its_latest_payment_as_a_rule() -> None:
    payments, orders = rows_of(World.generate(5000))
    latest = {row["order_id"]: row["id"] for row in payments}
    sources = {row["id"]: row["payment_source_id"] for row in orders}
    older = [row for row in payments if row["id"] == sources.get(row["order_id"]) != latest[row["order_id"]]]

    assert 10 < sum(row["payment_source_type"] == "stripe_payments" for row in orders) < 150
    assert any(row["payment_source_id"] is None for row in orders if row["placed_at"])
    assert 0 < len(older) < 60
    assert sum(sources[order] == payment for order, payment in latest.items() if order) > 0.9 * len(orders)


def test_an_inserted_payment_is_the_last_and_created_now() -> None:
    world = World.generate(20, now=lambda: 1_790_000_000_123_000)
    id_ = world.insert({"reference": "R"}, order={"number": "7", "total_amount_cents": 100})

    assert world.payment_ids()[-1] == id_
    row = world.payments.find(id_)
    assert row is not None
    assert row["created_at"] == "2026-09-21T14:13:20.123Z"
    order = world.order_of(row)
    assert order is not None
    assert order["number"] == "7"


def test_a_payment_inserted_without_a_word_is_like_the_others() -> None:
    world = World.generate(20)
    row = world.payments.find(world.insert())

    assert row is not None
    assert row["reference"] == "NEW-00000021"
    order = world.order_of(row)
    assert order is not None
    assert set(order) >= set(world.orders.row(1))


def test_a_deleted_payment_is_gone_and_its_sequence_is_not() -> None:
    world = World.generate(20)
    second = world.payment_ids()[1]
    world.delete(second)

    assert world.payments.find(second) is None
    assert world.payments.sequence(second) == 2
    assert len(world.payments) == 19
    with pytest.raises(KeyError):
        world.delete(second)


def test_an_update_touches_updated_at_unless_told_not_to() -> None:
    world = World.generate(20, now=lambda: 1_790_000_000_000_000)
    first, second = world.payment_ids()[:2]
    before = world.payments.row(2)["updated_at"]
    world.update(first, reference="X")
    world.update(second, touch=False, reference="Y")

    assert world.payments.row(1)["updated_at"] == "2026-09-21T14:13:20.000Z"
    assert world.payments.row(2)["updated_at"] == before
    assert world.payments.row(2)["reference"] == "Y"


def write_world(folder: Path, payments: object, orders: object) -> Path:
    (folder / "klarna_payments.json").write_text(json.dumps(payments))
    (folder / "orders.json").write_text(json.dumps(orders))
    return folder


def test_a_loaded_world_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    payments = [
        {"id": "zzz", "order_id": "O1", "created_at": "2026-01-02T00:00:00.000Z"},
        {"id": "aaa", "order_id": None, "created_at": "2026-01-01T00:00:00.000Z", "mode": "test"},
    ]
    world = World.load(write_world(tmp_path, payments, [{"id": "O1", "number": "1"}]))

    assert world.payment_ids() == ["zzz", "aaa"]
    assert world.payments.row(1)["payment_methods"] == []
    assert world.order_of(world.payments.row(1))["number"] == "1"  # type: ignore[index]
    assert world.order_of(world.payments.row(2)) is None


@pytest.mark.parametrize(
    ("payments", "orders", "message"),
    [
        ({}, [], "not an array of flat objects"),
        ([{"reference": "R"}], [], 'row 1 has no "id"'),
        ([{"id": "A"}, {"id": "A"}], [], "two rows have the same id"),
        ([{"id": "A", "created_at": "yesterday"}], [], 'row 1: created_at "yesterday" is not a time'),
        ([{"id": "A", "order_id": "O"}], [], "payment A belongs to order O, which is missing"),
    ],
)
def test_a_folder_that_is_no_world_is_refused(tmp_path: Path, payments: object, orders: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        World.load(write_world(tmp_path, payments, orders))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"klarna_payments\.json: cannot be read \(No such file"):
        World.load(tmp_path)


def test_order_totals_are_those_of_the_placed_orders_except_what_is_planted(tmp_path: Path) -> None:
    world = World.generate(6000)
    planted = write_order_totals(world, tmp_path / "orders.csv", seed=5)
    with (tmp_path / "orders.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    orders = {row["reference"]: row for row in rows_of(world)[1] if row["placed_at"]}
    same = [
        line
        for line in lines
        if line["reference"] in orders
        and line["currency_code"] == orders[line["reference"]]["currency_code"]
        and parse_amount(line["total_amount"], line["currency_code"])
        == orders[line["reference"]]["total_amount_with_taxes_cents"]
    ]

    assert sum(planted.values()) == len(orders)
    assert len(lines) == len(orders) - planted["missing"] + planted["twice"] + planted["unknown"]
    assert len(same) == planted["same"] + 2 * planted["twice"] + planted["unknown"]
    assert 0 < sum(planted.values()) - planted["same"] < 0.006 * len(orders)
    assert (tmp_path / "orders.csv").read_bytes().count(b"\r") == 0


def test_there_are_117_attributes_of_an_order() -> None:
    assert len(ORDERS.attributes) == len(set(ORDERS.attributes)) == 117
