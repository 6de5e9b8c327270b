"""Amounts whose sign stands elsewhere: in two columns, or as a kind of row that is declared to be negative."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.format import OrderFormat

TWO_SIDED = "reference,debit,credit,currency\n"


def sided(read: Any, rows: str, **declared: Any) -> Any:
    return read(TWO_SIDED + rows, debit_column="debit", credit_column="credit", **declared)


def test_debits_are_positive_and_credits_negative(read: Any) -> None:
    outcome = sided(read, "A1,10.00,,EUR\nA2,,10.00,EUR\nA3,0.00,3.00,EUR\nA4,4.00,0,EUR\nA5,0,0,EUR\nA6,-5.00,,EUR\n")

    assert outcome.columns("reference", "amount_cents") == [
        ("A1", 1000), ("A2", -1000), ("A3", -300), ("A4", 400), ("A5", 0), ("A6", -500),
    ]  # fmt: skip
    assert outcome.columns("amount_raw") == [("10.00",), ("10.00",), ("3.00",), ("4.00",), ("0",), ("-5.00",)]


@pytest.mark.parametrize("row", ["A1,1.00,2.00,EUR", "A1,,,EUR", "A1,x,,EUR", "A1,,x,EUR"])
def test_a_row_with_both_sides_or_none_is_rejected(read: Any, row: str) -> None:
    outcome = sided(read, row + "\n")

    assert outcome.rows == []
    assert outcome.report.rejects == 1


def test_two_columns_are_asked_for(read: Any) -> None:
    with pytest.raises(OrderFileError) as caught:
        read(TWO_SIDED + "A1,10.00,,EUR\n")

    assert "--debit-column debit --credit-column credit" in (caught.value.hint or "")


def test_kinds_of_rows_have_the_sign_that_is_declared(read: Any) -> None:
    text = "reference,total,currency,type\nA1,10.00,EUR,SALE\nA2,4.00,EUR,return\nA3,-2.00,EUR,CORRECTION\n"

    outcome = read(text, sign_column="type", signs={"RETURN": "-"})

    assert outcome.columns("reference", "amount_cents") == [("A1", 1000), ("A2", -400), ("A3", -200)]
    strict = read(text, sign_column="type", signs={"RETURN": "-", "SALE": "+"})
    assert strict.reasons == [("4", "type", "CORRECTION", "has no declared sign")]


def test_a_return_with_a_minus_sign_could_be_meant_either_way(read: Any) -> None:
    outcome = read("reference,total,currency,type\nA1,-4.00,EUR,RETURN\n", sign_column="type", signs={"RETURN": "-"})

    assert outcome.reasons == [("2", "type", "RETURN", "has a sign of its own as well")]


@pytest.mark.parametrize(
    "declared",
    [
        {"debit_column": "a"},
        {"credit_column": "a"},
        {"debit_column": "a", "credit_column": "b", "amount_column": "c"},
        {"debit_column": "a", "credit_column": "b", "sign_column": "c"},
        {"signs": {"RETURN": "-"}},
        {"sign_column": "type", "signs": {"RETURN": "minus"}},
    ],
)
def test_what_contradicts_itself_is_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        OrderFormat(**declared)
