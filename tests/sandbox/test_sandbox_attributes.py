"""What follows of an order's attributes from others."""

from __future__ import annotations

import pytest

from reconcile.sandbox.world.attributes import complete_order, format_money
from reconcile.sandbox.world.resources import AMOUNTS
from reconcile.sandbox.world.world import World


@pytest.mark.parametrize(
    ("cents", "currency_code", "text"),
    [
        (5700, "EUR", "€57,00"),
        (-500, "EUR", "-€5,00"),
        (123_456_789, "SEK", "1.234.567,89 kr"),
        (5700, "JPY", "5.700"),
        (5, "KWD", "0,005"),
        (5, None, "0,05"),
    ],
)
def test_formatted_amounts_are_for_show(cents, currency_code, text) -> None:
    assert format_money(cents, currency_code) == text


def test_every_amount_is_spelled_out_three_times() -> None:
    row = World.generate(10).orders.row(3)
    full = complete_order(row)

    for amount in AMOUNTS:
        cents = full[f"{amount}_cents"]
        if cents is not None:
            assert full[f"{amount}_float"] == cents / 100
            assert full[f"formatted_{amount}"] == format_money(cents, full["currency_code"])


def test_tax_and_taxable_parts_add_up() -> None:
    world = World.generate(200)
    for sequence in world.orders.alive().tolist():
        full = complete_order(world.orders.row(sequence))
        parts = full["subtotal_tax_amount_cents"] + full["shipping_tax_amount_cents"]
        taxable = full["subtotal_taxable_amount_cents"] + full["shipping_taxable_amount_cents"]

        assert parts == full["total_tax_amount_cents"]
        assert taxable == full["total_taxable_amount_cents"]


def test_what_a_row_says_stays_and_what_it_does_not_say_is_null() -> None:
    full = complete_order({"id": "A", "currency_code": "EUR", "total_amount_cents": 100, "total_amount_float": 7.0})

    assert full["total_amount_float"] == 7.0
    assert full["total_tax_amount_cents"] is None
    assert full["total_tax_amount_float"] is None
    assert "id" not in full
