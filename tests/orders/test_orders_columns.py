"""Columns are found by name, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.columns.mapping import map_columns
from reconcile.orders.format import OrderFormat


def mapped(*names: str, **declared: Any) -> dict[str, str]:
    return map_columns(names, OrderFormat(**declared), path="orders.csv", line=1).as_dict()


@pytest.mark.parametrize("name", ["Total Amount", "total-amount", "TOTAL_AMOUNT", " total.amount", "TotalAmount"])
def test_case_blanks_and_signs_of_a_name_do_not_matter(name: str) -> None:
    assert mapped("Reference", name, "Currency Code") == {
        "reference": "Reference",
        "amount": name,
        "currency": "Currency Code",
    }


def test_the_columns_of_a_commerce_layer_export_are_all_known() -> None:
    names = (
        "id", "number", "reference", "reference_origin", "status", "currency_code", "subtotal_amount_cents",
        "total_amount_cents", "total_amount_with_taxes_cents", "place_total_amount_cents", "placed_at", "created_at",
    )  # fmt: skip

    assert mapped(*names) == {
        "reference": "reference",
        "amount": "total_amount_with_taxes_cents",
        "currency": "currency_code",
        "order_number": "number",
        "order_id": "id",
        "ordered_on": "placed_at",
    }
    assert mapped(*names, amount_basis="total_amount_cents")["amount"] == "total_amount_cents"


def test_a_named_column_wins_over_known_names() -> None:
    assert mapped("reference", "Beleg", "amount", "cur", reference_column="beleg", currency_column="cur") == {
        "reference": "Beleg",
        "amount": "amount",
        "currency": "cur",
    }


def test_a_name_is_taken_exactly_before_it_is_taken_loosely() -> None:
    assert mapped("ref", "Gross", "gross", "currency", amount_column="gross")["amount"] == "gross"


def test_an_optional_column_can_be_left_unread() -> None:
    assert "ordered_on" not in mapped("reference", "amount", "currency", "order_date", ordered_on_column="")


@pytest.mark.parametrize(
    ("names", "declared", "message", "hint"),
    [
        (
            ("reference", "amount", "total", "currency"),
            {},
            'orders.csv:1: several columns could be the amount: "amount", "total"',
            'name the right one, e.g. --amount-column "amount"',
        ),
        (
            ("reference", "order reference", "amount", "currency"),
            {},
            'orders.csv:1: several columns could be the reference: "reference", "order reference"',
            'name the right one, e.g. --reference-column "reference"',
        ),
        (
            ("reference", "reference", "amount", "currency"),
            {},
            'orders.csv:1: column "reference" occurs 2 times, and would be the reference',
            'name it by its position, e.g. --reference-column "#1", or name another column',
        ),
        (
            ("amount", "currency"),
            {},
            'orders.csv:1: there is no reference column among "amount", "currency"',
            None,
        ),
        (
            ("reference", "amount", "currency"),
            {"amount_column": "gross"},
            'orders.csv:1: there is no column "gross" among "reference", "amount", "currency"',
            "the columns are as above: correct --amount-column",
        ),
        (
            ("reference", "amount"),
            {},
            'orders.csv:1: there is no currency column among "reference", "amount"',
            "name it with --currency-column, or add --currency EUR when every amount is in one currency",
        ),
    ],
)
def test_a_column_that_is_missing_or_not_one_is_an_error_with_the_option_to_write(
    names: tuple[str, ...], declared: dict[str, Any], message: str, hint: str | None
) -> None:
    with pytest.raises(OrderFileError) as caught:
        mapped(*names, **declared)

    assert str(caught.value) == message
    assert hint is None or caught.value.hint == hint


def test_ten_thousand_columns_make_a_short_message() -> None:
    with pytest.raises(OrderFileError) as caught:
        mapped(*(f"column {n}" * 50 for n in range(10_000)))

    assert len(str(caught.value)) < 3000


@pytest.mark.parametrize("name", ["amount_cents", "Total Cents", "total_amount_with_taxes_cents"])
def test_cents_columns_are_minor_units_and_others_are_not(read: Any, name: str) -> None:
    assert read(f"reference,{name},currency\nR1,1250,EUR\n").columns("amount_cents") == [(1250,)]
    assert read(f"reference,{name},currency\nR1,12.50,EUR\n").reasons == [
        ("2", name, "12.50", "is not a whole number of minor units")
    ]


def test_one_currency_for_all_fills_what_the_file_leaves_open(read: Any) -> None:
    assert read("reference,amount\nR1,1\n", currency="jpy").columns("amount_cents", "currency_code") == [(1, "JPY")]
    assert read("reference,amount,currency\nR1,1,\nR2,1, sek \n", currency="EUR").columns("currency_code") == [
        ("EUR",),
        ("SEK",),
    ]


@pytest.mark.parametrize(
    "declared",
    [
        {"currency": "EURO"},
        {"decimal": "x"},
        {"thousands": "0"},
        {"decimal": ",", "thousands": ","},
        {"delimiter": ";;"},
        {"delimiter": "a"},
        {"delimiter": '"'},
        {"quote": "|"},
        {"encoding": "klingon"},
        {"encoding": "base64"},
        {"amount_basis": "subtotal_amount_cents"},
    ],
)
def test_an_impossible_declaration_is_a_settings_error_with_a_remedy(declared: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as caught:
        OrderFormat(**declared)

    assert caught.value.hint
