"""Whole numbers in JSON: minor units where it is known who wrote them, and asked for otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconcile.errors import OrderFileError

A1 = {"reference": "A1", "total": "10.00", "currency": "EUR"}


def refused(read: Any, rows: Any) -> tuple[str, str]:
    with pytest.raises(OrderFileError) as caught:
        read(json.dumps(rows), name="orders.json")
    return str(caught.value).partition(": ")[2], caught.value.hint or ""


KLARNA = {"order_id": "f33", "order_amount": 170100, "purchase_currency": "SEK", "merchant_reference1": "N1"}
STRIPE = {"id": "ch_1", "object": "charge", "amount": 1099, "currency": "usd", "metadata": {"order_id": "N1"}}
ADYEN = {"pspReference": "P1", "merchantReference": "N1", "amount": {"value": 1099, "currency": "EUR"}}
LAYER = {"number": "1", "reference": "N1", "currency_code": "SEK", "total_amount_with_taxes_cents": 170100}


@pytest.mark.parametrize(
    ("row", "money"),
    [
        (KLARNA, (170100, "SEK")),
        (STRIPE, (1099, "USD")),
        ({**STRIPE, "currency": "jpy"}, (1099, "JPY")),
        (ADYEN, (1099, "EUR")),
        ({"id": "x", "type": "orders", "attributes": LAYER}, (170100, "SEK")),
    ],
)
def test_minor_units_are_known_by_who_wrote_the_file(read: Any, row: Any, money: tuple[int, str]) -> None:
    for content in ([row], {"data": [row], "meta": {}}):
        outcome = read(json.dumps(content), name="orders.json")
        assert outcome.columns("amount_cents", "currency_code") == [money]
        assert outcome.columns("reference", "order_id") in ([("N1", None)], [(None, "N1")], [("N1", "x")])


@pytest.mark.parametrize("kind", ["house", "payout", None, 5])
def test_an_object_that_is_none_of_stripes_orders_is_asked_for(read: Any, kind: Any) -> None:
    problem, _ = refused(read, [STRIPE, {**STRIPE, "object": kind}])

    assert problem.startswith('column "amount" has whole numbers only')


SHOPIFY = {"id": 45, "name": "#1001", "order_number": 1001, "total_price": "35.00", "currency": "EUR",
           "created_at": "2026-11-01T10:00:00+01:00"}  # fmt: skip


def test_the_total_of_an_order_of_shopify_is_known(read: Any) -> None:
    prices = {"shop_money": {"amount": "35.00", "currency_code": "EUR"}}
    document = {"orders": [{**SHOPIFY, "total_price_set": prices, "total_tax_set": prices, "line_items": [{"id": 1}]}]}

    outcome = read(json.dumps(document), name="orders.json")

    assert outcome.columns("order_number", "amount_cents", "currency_code") == [("1001", 3500, "EUR")]


def test_minor_units_that_are_not_counted_alike_are_rejects(read: Any) -> None:
    rows = [KLARNA, {**KLARNA, "purchase_currency": "HUF"}]

    outcome = read(json.dumps(rows), name="orders.json")

    assert outcome.columns("currency_code") == [("SEK",)]
    assert [reject[3] for reject in outcome.reasons] == [
        "is in HUF, whose minor units are not counted alike everywhere"
    ]


def test_decimals_in_a_file_of_minor_units_are_not_read_as_such(read: Any) -> None:
    rows = [KLARNA, {**KLARNA, "order_amount": 12.5}]

    assert read(json.dumps(rows), name="orders.json").columns("amount_cents") == [(17010000,), (1250,)]
    assert [row["reason"] for row in read(json.dumps(rows), name="o.json", amount_unit="minor").rejects] == [
        "is not a whole number of minor units"
    ]


@pytest.mark.parametrize("amounts", [(1099,), (1099, 20), (0,), (-5, None), (12, "7")])
def test_whole_numbers_are_asked_for(read: Any, amounts: tuple[Any, ...]) -> None:
    rows = [{**A1, "total": amount} for amount in amounts]

    problem, hint = refused(read, rows)

    assert problem == 'column "total" has whole numbers only: they may be in minor units, such as cents'
    assert hint.startswith("add --amount-unit minor if ")
    found = [
        read(json.dumps(rows[:1]), name="o.json", amount_unit=unit).columns("amount_cents")
        for unit in ("minor", "major")
    ]
    assert found == [[(amounts[0],)], [(amounts[0] * 100,)]]


@pytest.mark.parametrize("amounts", [(10, 10.5), ("10", "11"), (10, "10.00")])
def test_amounts_that_show_their_decimals_are_not(read: Any, amounts: tuple[Any, ...]) -> None:
    rows = [{**A1, "total": amount} for amount in amounts]

    assert read(json.dumps(rows), name="o.json").columns("amount_cents")[0] == (1000,)
