"""Doubles become the text they are taken to mean: never another amount, and never one made of noise."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.files.doubles import double_text
from reconcile.money import AmountError, parse_amount


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.3, "12.3"),
        (0.1 + 0.2, "0.3"),
        (1.005 * 1000, "1005"),
        (-0.0, "0"),
        (-19.99, "-19.99"),
        (1e-7, "0.0000001"),
        (4503599627370496.0, "4503599627370496"),
        (9007199254740991.0, "9007199254740991"),
        (1234567890123.45, "1234567890123.45"),
        (12345678901234.56, "12345678901234.560546875"),
        (9007199254740992.0, "9.00719925474099200e+15"),
        (1e22, "1e+22"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_a_double_is_the_decimal_it_is_taken_to_mean(value: float, text: str) -> None:
    assert double_text(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_every_amount_survives_being_a_double(amount: Decimal) -> None:
    cents = int(amount * 100)

    assert parse_amount(double_text(float(amount)), "EUR") == cents


@given(st.floats())
def test_no_double_becomes_an_amount_that_is_another_by_half_a_cent(value: float) -> None:
    try:
        cents = parse_amount(double_text(value), "EUR")
    except AmountError:
        return

    assert abs(Decimal(cents) / 100 - Decimal(value)) < Decimal("0.005")
