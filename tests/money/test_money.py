"""Text and minor units: what is read, what is refused and why, and that both ways agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.money import EXPONENTS, INT64_MAX, AmountError, exponent, format_amount, parse_amount, parse_cents

CODES = st.sampled_from(sorted(EXPONENTS))
CENTS = st.integers(min_value=-INT64_MAX, max_value=INT64_MAX)


@given(CENTS, CODES)
def test_every_amount_comes_back_from_its_text(cents: int, code: str) -> None:
    assert parse_amount(format_amount(cents, code), code) == cents


@given(CENTS)
def test_every_whole_number_of_cents_comes_back(cents: int) -> None:
    assert parse_cents(str(cents)) == cents


@given(st.text(max_size=12), CODES)
def test_no_text_is_read_without_being_digits_sign_and_point(text: str, code: str) -> None:
    try:
        cents = parse_amount(text, code)
    except AmountError:
        return
    bare = text.strip()

    assert set(bare) <= set("0123456789+-.")
    assert parse_amount(format_amount(cents, code), code) == cents


@pytest.mark.parametrize(
    ("code", "decimals"),
    [("EUR", 2), ("SEK", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("HUF", 0), ("BGN", 2), ("HRK", 2), ("ISK", 0)],
)
def test_a_currency_has_the_decimals_commerce_layer_counts(code: str, decimals: int) -> None:
    assert exponent(code) == decimals


@pytest.mark.parametrize(
    ("text", "code", "cents"),
    [
        ("1234.50", "EUR", 123450),
        ("1234.5", "EUR", 123450),
        ("1234", "EUR", 123400),
        ("1234", "JPY", 1234),
        ("0.001", "KWD", 1),
        ("-0.01", "EUR", -1),
        ("+7", "EUR", 700),
        (" 12.30\t", "EUR", 1230),
        ("\u00a012.30", "EUR", 1230),
        ("000012.30", "EUR", 1230),
        ("-0", "EUR", 0),
        ("92233720368547758.07", "EUR", INT64_MAX),
    ],
)
def test_a_plain_amount_is_read(text: str, code: str, cents: int) -> None:
    assert parse_amount(text, code) == cents


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "cents"),
    [
        ("1.234,50", ",", ".", 123450),
        ("1234,5", ",", ".", 123450),
        ("1.234.567", ",", ".", 123456700),
        ("1 234,50", ",", " ", 123450),
        ("1\u202f234,50", ",", "\u202f", 123450),
        ("1'234.50", ".", "'", 123450),
        ("-1,234.5", ".", ",", -123450),
    ],
)
def test_declared_separators_are_read(text: str, decimal: str, thousands: str, cents: int) -> None:
    assert parse_amount(text, "EUR", decimal=decimal, thousands=thousands) == cents


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" \u00a0", "is empty"),
        ("12,30", 'could be read two ways, or does not follow what is declared (decimal = ".")'),
        ("1,234", 'could be read two ways, or does not follow what is declared (decimal = ".")'),
        ("1.000", "has more decimals than EUR, which has 2"),
        ("1e3", "is not an amount in EUR"),
        ("NaN", "is not an amount in EUR"),
        ("inf", "is not an amount in EUR"),
        ("0x10", "is not an amount in EUR"),
        ("1_000", "is not an amount in EUR"),
        (".5", "is not an amount in EUR"),
        ("5.", "is not an amount in EUR"),
        ("--5", "is not an amount in EUR"),
        ("- 5", "is not an amount in EUR"),
        ("12.30 EUR", "is not an amount in EUR"),
        ("\u0661\u0662", "is not an amount in EUR"),
        ("92233720368547758.08", "is too large"),
        ("9" * 5000, "is too large"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text, "EUR")

    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["12,34.5", "1,2345", ",123", "1,,234", "1234,567", "1,23"])
def test_misplaced_thousands_separators_are_refused(text: str) -> None:
    with pytest.raises(AmountError):
        parse_amount(text, "EUR", thousands=",")


@pytest.mark.parametrize("text", ["", "12.0", "1e3", "1,000", "0x1", "- 1", "\u0661", str(INT64_MAX + 1)])
def test_cents_are_whole_numbers_in_plain_digits(text: str) -> None:
    with pytest.raises(AmountError):
        parse_cents(text)


@pytest.mark.parametrize("code", ["eur", "EURO", "", "XXX", "XTS"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(AmountError, match="is not an ISO 4217 currency code"):
        parse_amount("1", code)


def test_an_unknown_currency_is_written_in_minor_units() -> None:
    assert format_amount(-5, "???") == "-5 minor units"
