"""Text and minor units: what is read, what is refused and why, and that both ways agree."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.money import (
    ACCOUNTING_FORMS,
    CURRENCIES,
    EXPONENTS,
    MOST_CENTS,
    UNDECIMAL,
    AmountError,
    exponent,
    format_amount,
    parse_amount,
    parse_cents,
)

LISTS = Path(__file__).parent
CODES = st.sampled_from(sorted(EXPONENTS))
CENTS = st.integers(min_value=-MOST_CENTS, max_value=MOST_CENTS)


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
        ("110.0000", "EUR", 11000),
        ("-110.5000", "EUR", -11050),
        ("110.000000", "EUR", 11000),
        ("1.5000", "KWD", 1500),
        ("1.500", "KWD", 1500),
        ("1.50000", "CLF", 15000),
        ("12345.00", "HUF", 12345),
        ("12345.0", "HUF", 12345),
        ("12345.0000", "HUF", 12345),
        ("-0", "EUR", 0),
        ("46116860184273879.03", "EUR", MOST_CENTS),
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
        ("110.0050", "has more decimals than EUR, which has 2"),
        ("110.00500", "has more decimals than EUR, which has 2"),
        ("(12.30)", "is not an amount in EUR"),
        ("12.30-", "is not an amount in EUR"),
        ("12.30 CR", "is not an amount in EUR"),
        ("1e3", "is not an amount in EUR"),
        ("NaN", "is empty"),
        ("inf", "is not an amount in EUR"),
        ("0x10", "is not an amount in EUR"),
        ("1_000", "is not an amount in EUR"),
        (".5", "is not an amount in EUR"),
        ("5.", "is not an amount in EUR"),
        ("--5", "is not an amount in EUR"),
        ("- 5", "is not an amount in EUR"),
        ("12.30 EUR", "is not an amount in EUR"),
        ("\u0661\u0662", 'has "\u0661" (U+0661, ARABIC-INDIC DIGIT ONE) in place of a digit'),
        ("\u201312.00", 'has "\u2013" (U+2013, EN DASH) in place of a minus sign'),
        ("\\N", "is empty"),
        ("46116860184273879.04", "is too large"),
        ("9" * 5000, "is too large"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_amount(text, "EUR")

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("text", "code"), [("1.00", "JPY"), ("1.0000", "JPY"), ("1.0", "ISK"), ("12.50", "HUF"), ("12.000", "HUF")]
)
def test_decimals_of_a_currency_without_are_refused_unless_iso_4217_gives_it_some(text: str, code: str) -> None:
    with pytest.raises(AmountError, match=f"has more decimals than {code}, which has 0"):
        parse_amount(text, code)


@pytest.mark.parametrize(
    ("text", "form", "cents"),
    [
        ("(12.30)", "parentheses", -1230),
        ("12.30", "parentheses", 1230),
        ("-12.30", "parentheses", -1230),
        ("12.30-", "trailing_minus", -1230),
        ("12.30 CR", "cr_dr", -1230),
        ("12.30cr", "cr_dr", -1230),
        ("12.30 DR", "cr_dr", 1230),
        ("12.30 H", "soll_haben", -1230),
        ("12.30S", "soll_haben", 1230),
        ("12.30 EUR", "currency", 1230),
        ("EUR -12.30", "currency", -1230),
        ("-€12.30", "currency", -1230),
        ("12.30\u00a0€", "currency", 1230),
    ],
)
def test_a_form_of_accounting_is_read_only_where_it_is_declared(text: str, form: str, cents: int) -> None:
    others = tuple(name for name in ACCOUNTING_FORMS if name != form)

    assert parse_amount(text, "EUR", accounting=(form,)) == cents
    if not text.removeprefix("-").replace(".", "").isdecimal():
        with pytest.raises(AmountError):
            parse_amount(text, "EUR", accounting=others)


@pytest.mark.parametrize(
    "text",
    [
        "-(12.30)", "(-12.30)", "(12.30", "12.30)", "((12.30))", "-12.30-", "(12.30)-", "-12.30 CR", "(12.30) CR", "CR",
        "12.30 CR CR", "12.30 CR DR", "--12.30", "12.30 SEK", "$12.30", "EUR", "EUR EUR 12.30", "-€-12.30", "()", "-",
        "12.30-- ", "12.30 - 1", "kr 5", "1 2.30 EUR",
    ],
)  # fmt: skip
def test_two_signs_or_another_currency_are_refused_whatever_is_declared(text: str) -> None:
    with pytest.raises(AmountError):
        parse_amount(text, "EUR", accounting=tuple(ACCOUNTING_FORMS))


def test_forms_of_accounting_go_together_and_with_separators() -> None:
    forms = tuple(ACCOUNTING_FORMS)

    assert parse_amount("(€ 1.234,50)", "EUR", decimal=",", thousands=".", accounting=forms) == -123450
    assert parse_amount("1.234,50- EUR", "EUR", decimal=",", thousands=".", accounting=forms) == -123450
    assert parse_amount("kr 1 234,5000 CR", "SEK", decimal=",", thousands=" ", accounting=forms) == -123450
    assert parse_cents("(1250)", accounting=forms) == -1250


@given(CENTS, CODES)
def test_every_amount_comes_back_from_every_form_of_accounting(cents: int, code: str) -> None:
    digits, credit = format_amount(abs(cents), code), cents < 0
    written = {
        "parentheses": f"({digits})" if credit else digits,
        "trailing_minus": f"{digits}-" if credit else digits,
        "cr_dr": f"{digits} {'CR' if credit else 'DR'}",
        "soll_haben": f"{digits} {'H' if credit else 'S'}",
        "currency": f"{code} {format_amount(cents, code)}",
        "angle_brackets": f"<{digits}>" if credit else digits,
        "dash_decimals": f"{format_amount(cents, code)}.--" if "." not in digits else format_amount(cents, code),
        "spaced_sign": f"- {digits}" if credit else digits,
    }

    assert {form: parse_amount(text, code, accounting=(form,)) for form, text in written.items()} == dict.fromkeys(
        ACCOUNTING_FORMS, cents
    )


def listed(name: str) -> dict[str, str]:
    """
    Return code → number of a list.

    `iso_4217` is SIX's list one of 2026-01-01 (its minor units are the same in that of 2026-09-17);
    `commerce_layer_units` is what Commerce Layer's own frontend counts: https://github.com/commercelayer/app-elements
    packages/app-elements/src/helpers/currencies.ts at 152b1c0.
    """
    with (LISTS / f"{name}.tsv").open(encoding="utf-8", newline="") as text:
        return dict(list(csv.reader(text, delimiter="\t"))[1:])


def test_every_currency_in_circulation_has_the_decimals_of_iso_4217_but_for_those_of_commerce_layer() -> None:
    minor_units = {code: int(unit) for code, unit in listed("iso_4217").items() if unit.isdecimal()}
    expected = {**minor_units, "HUF": 0}
    withdrawn = {"ANG", "BGN", "BYR", "CUC", "HRK", "LTL", "SLL", "STD", "VEF", "ZWL"}

    assert {code: EXPONENTS.get(code) for code in minor_units if code not in UNDECIMAL} == {
        code: expected[code] for code in minor_units if code not in UNDECIMAL
    }
    assert sorted(set(EXPONENTS) - set(minor_units)) == sorted(withdrawn)


def test_every_currency_is_counted_as_commerce_layer_counts_it() -> None:
    units = {code: int(unit) for code, unit in listed("commerce_layer_units").items() if code in CURRENCIES}

    assert {code: 10 ** EXPONENTS[code] for code in units if code in EXPONENTS} == {
        code: unit for code, unit in units.items() if code in EXPONENTS
    }
    assert {code: unit for code, unit in units.items() if code not in EXPONENTS} == {"MGA": 5, "MRU": 5}


@pytest.mark.parametrize("code", sorted(code for code, unit in listed("iso_4217").items() if not unit.isdecimal()))
def test_a_code_without_a_minor_unit_is_no_currency_of_an_order(code: str) -> None:
    assert code not in CURRENCIES


@pytest.mark.parametrize("code", sorted(UNDECIMAL))
def test_a_currency_that_is_counted_in_fifths_is_only_read_in_minor_units(code: str) -> None:
    with pytest.raises(AmountError, match=f"is in {code}, which is not counted in decimals"):
        parse_amount("1", code)
    assert format_amount(5, code) == "5 minor units"


@pytest.mark.parametrize("text", ["12,34.5", "1,2345", ",123", "1,,234", "1234,567", "1,23"])
def test_misplaced_thousands_separators_are_refused(text: str) -> None:
    with pytest.raises(AmountError):
        parse_amount(text, "EUR", thousands=",")


@pytest.mark.parametrize("text", ["", "12.0", "1e3", "1,000", "0x1", "- 1", "\u0661", str(MOST_CENTS + 1)])
def test_cents_are_whole_numbers_in_plain_digits(text: str) -> None:
    with pytest.raises(AmountError):
        parse_cents(text)


@pytest.mark.parametrize("code", ["eur", "EURO", "", "XXX", "XTS"])
def test_an_unknown_currency_is_refused(code: str) -> None:
    with pytest.raises(AmountError, match="is not an ISO 4217 currency code"):
        parse_amount("1", code)


def test_an_unknown_currency_is_written_in_minor_units() -> None:
    assert format_amount(-5, "???") == "-5 minor units"
