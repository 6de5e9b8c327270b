"""Exports of Commerce Layer as they come: gzipped JSON and CSV, flat and with related resources inside."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from reconcile.errors import OrderFileError
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.exports.files import export_file
from reconcile.sandbox.exports.plans import read_plan
from reconcile.sandbox.world.world import World

WORLD = World.generate(40)
TYPES = ("orders", "klarna_payments", "payment_methods")
PLACED = {"placed_at_not_null": "true"}
LEAN = ["id", "number", "reference", "currency_code", "total_amount_with_taxes_cents", "placed_at"]
EVERYTHING = ["*", "payment_source.*", "payment_method.*"]


def exported(resource_type: str = "orders", **attributes: Any) -> bytes:
    plan = read_plan({"resource_type": resource_type, **attributes}, TYPES, includes=True)
    return export_file(WORLD, Selections(WORLD), plan)


def placed_orders() -> list[dict[str, Any]]:
    rows = [WORLD.orders.row(int(sequence)) for sequence in WORLD.orders.alive()]
    return [row for row in rows if row["placed_at"] is not None]


EXPECTED = [
    (
        row["reference"],
        row["number"],
        row["id"],
        row["total_amount_with_taxes_cents"],
        row["currency_code"],
        row["placed_at"][:10],
    )
    for row in placed_orders()
]
COLUMNS = ("reference", "order_number", "order_id", "amount_cents", "currency_code", "ordered_on")


def rows_of(outcome: Any) -> list[tuple[Any, ...]]:
    return [(*row[:-1], str(row[-1])) for row in outcome.columns(*COLUMNS)]


@pytest.mark.parametrize("fields", [LEAN, ["*"], EVERYTHING], ids=["lean", "all", "related"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_an_export_of_orders_is_read_as_it_comes(read: Any, form: str, fields: list[str]) -> None:
    outcome = read(exported(format=form, fields=fields, filters=PLACED), name=f"orders.{form}.gz")

    assert (outcome.rejects, rows_of(outcome)) == ([], EXPECTED)


@pytest.mark.parametrize("basis", ["total_amount_cents", "place_total_amount_cents"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_amount_is_the_one_that_payments_are_compared_by(read: Any, form: str, basis: str) -> None:
    outcome = read(exported(format=form, fields=["*"], filters=PLACED), name=f"orders.{form}.gz", amount_basis=basis)

    assert [row[basis] for row in placed_orders()] == [row["amount_cents"] for row in outcome.rows]


@pytest.mark.parametrize("name", ["export", "orders.gz"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_an_export_without_a_helpful_name_is_told_by_its_content(read: Any, form: str, name: str) -> None:
    outcome = read(exported(format=form, fields=LEAN, filters=PLACED), name=name)

    assert rows_of(outcome) == EXPECTED


@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_reference_of_the_payment_source_is_taken_where_it_is_named(read: Any, form: str) -> None:
    fields = [*LEAN, "payment_source.reference", "payment_source.id"]

    outcome = read(
        exported(format=form, fields=fields, filters=PLACED),
        name=f"orders.{form}.gz",
        reference_column="payment_source.reference",
    )

    sources = [WORLD.payments.find(row["payment_source_id"]) for row in placed_orders()]
    assert [source["reference"] if source else None for source in sources] == [row["reference"] for row in outcome.rows]


def test_an_inner_column_of_a_list_is_a_reject_and_not_the_first_of_them(read: Any) -> None:
    rows = [{"id": "a", "number": "1", "currency_code": "EUR", "total_amount_with_taxes_cents": 100,
             "transactions": [{"reference": "T1"}, {"reference": "T2"}]}]  # fmt: skip

    outcome = read(json.dumps(rows), name="orders.json", reference_column="transactions.reference")

    (reject,) = outcome.rejects
    expected = ("transactions.reference", "is neither text nor a number")
    assert expected == (reject["column"], reject["reason"])


def test_an_object_that_is_not_there_is_an_order_without_the_column(read: Any) -> None:
    rows = [
        {"id": "a", "currency_code": "EUR", "total_amount_with_taxes_cents": 100, "payment_source": {"reference": "P"}},
        {"id": "b", "currency_code": "EUR", "total_amount_with_taxes_cents": 200, "payment_source": None},
        {"id": "c", "currency_code": "EUR", "total_amount_with_taxes_cents": 300},
    ]

    outcome = read(json.dumps(rows), name="orders.json", reference_column="payment_source.reference")

    assert outcome.columns("reference", "amount_cents") == [("P", 100), (None, 200), (None, 300)]


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("fields", [["*"], ["*", "order.*"]], ids=["flat", "with orders"])
def test_an_export_of_payments_is_refused_as_order_totals(read: Any, form: str, fields: list[str]) -> None:
    with pytest.raises(OrderFileError, match=r'a table of payments, not of order totals: .*"mismatched_amounts"'):
        read(exported("klarna_payments", format=form, fields=fields), name=f"payments.{form}.gz")


def test_an_empty_export_has_no_orders(read: Any) -> None:
    outcome = read(gzip.compress(b"[]"), name="orders-0001.json.gz")

    assert (outcome.rows, outcome.rejects) == ([], [])
