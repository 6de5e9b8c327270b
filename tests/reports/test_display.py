"""How figures and dates look in a locale: its separators and digits, our decimals, and not a digit more or less."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from babel import Locale
from babel.dates import format_skeleton
from babel.numbers import get_currency_precision, get_decimal_symbol, get_group_symbol
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.errors import SettingsError
from reconcile.money import EXPONENTS, format_amount
from reconcile.reports import display
from reconcile.reports.display import PLAIN, display_of

LOCALES = ("de-DE", "de-CH", "fr-CH", "en-US", "en-IN", "sv-SE", "pl-PL", "hi-IN", "bn-BD", "ar-EG", "fa-IR", "ff-Adlm")


@pytest.mark.parametrize(
    ("locale", "amount", "day"),
    [
        ("de-DE", "-1.234.567,89", "5.11.2026"),
        ("de-CH", "-1'234'567.89", "5.11.2026"),  # CLDR 48, which babel has since 2.19
        ("fr-CH", "-1'234'567,89", "05.11.2026"),
        ("fr-FR", "-1\u202f234\u202f567,89", "05/11/2026"),
        ("en-US", "-1,234,567.89", "11/5/2026"),
        ("sv-SE", "−1\u00a0234\u00a0567,89", "2026-11-05"),
        ("hi-IN", "-12,34,567.89", "5/11/2026"),
        ("ar-EG", "-١٬٢٣٤٬٥٦٧٫٨٩", "٥/١١/٢٠٢٦"),
        ("ar-AE", "-1,234,567.89", "5/11/2026"),
        ("bn-BD", "-১২,৩৪,৫৬৭.৮৯", "৫/১১/২০২৬"),  # Babel has no symbols of these digits: those of Latin ones stand in
        ("en-US-POSIX", "-1234567.89", "11/5/2026"),
    ],
)
def test_amounts_and_dates_look_as_in_the_locale(locale: str, amount: str, day: str) -> None:
    seen = display_of(locale)

    assert seen.amount(-123456789, "EUR") == amount
    assert seen.date("2026-11-05") == day


def test_without_a_locale_dates_are_iso_and_amounts_have_commas_and_a_point() -> None:
    assert display_of(None) is display_of("none") is PLAIN
    assert PLAIN.amount(-123456789, "EUR") == "-1,234,567.89"
    assert PLAIN.count(1000) == "1,000"
    assert PLAIN.date("2026-11-05") == "2026-11-05"
    assert PLAIN.minutes(datetime(2026, 11, 5, 3, 4, 5, tzinfo=UTC)) == "2026-11-05 03:04"
    assert PLAIN.instant("2026-11-05T03:04:05+02:00") == "2026-11-05 01:04:05 UTC"


def test_an_instant_is_in_utc_and_has_the_hours_of_a_day() -> None:
    assert display_of("de-DE").instant("2026-11-05T15:04:05+02:00") == "5.11.2026 13:04:05 UTC"
    assert display_of("fi-FI").minutes(datetime(2026, 11, 5, 15, 4, tzinfo=UTC)) == "5.11.2026 15.04"


@pytest.mark.parametrize("code", sorted(EXPONENTS))
def test_a_currency_has_our_decimals_whatever_the_locale_rounds_to(code: str) -> None:
    _, _, decimals = display_of("de-DE").amount(123456, code).partition(",")

    assert len(decimals) == EXPONENTS[code]


def test_decimals_are_not_what_cldr_says() -> None:
    assert [code for code in ("COP", "IQD", "HUF", "ALL") if get_currency_precision(code) != EXPONENTS[code]]


def test_an_unknown_currency_is_in_minor_units_and_no_amount_is_nothing() -> None:
    assert display_of("de-DE").amount(123456, "XXX") == "123.456 minor units"
    assert display_of("de-DE").amount(None, "EUR") == display_of("de-DE").amount(0, None) == ""


@pytest.mark.parametrize("locale", LOCALES)
@settings(deadline=None)
@given(cents=st.integers(-(10**24), 10**24), code=st.sampled_from(["EUR", "JPY", "KWD", "CLF"]))
def test_not_a_digit_is_lost_or_rounded(locale: str, cents: int, code: str) -> None:
    seen = display_of(locale)
    text = seen.amount(cents, code).replace(seen.group, "").replace(seen.decimal, ".").replace(seen.minus, "-")
    digits = "".join(str(int(sign)) if sign.isdecimal() else sign for sign in text)

    assert digits == format_amount(cents, code)


@pytest.mark.parametrize("locale", LOCALES)
def test_signs_and_order_are_those_of_babel_without_marks_of_direction(locale: str) -> None:
    seen, found = display_of(locale), Locale.parse(locale, sep="-")
    latin = {ord(sign): str(digit) for digit, sign in enumerate(seen.count(digit) for digit in range(10))}
    expected = format_skeleton("yMd", datetime(2026, 11, 5, tzinfo=UTC), locale=found)

    assert seen.date("2026-11-05").translate(latin) == expected.replace("\u200f", "")
    if found.default_numbering_system == "latn":
        assert (seen.decimal, seen.group) == (get_decimal_symbol(found), get_group_symbol(found))
    assert not set("\u061c\u200e\u200f") & set(seen.amount(-1, "EUR") + seen.date("2026-11-05"))


@pytest.mark.parametrize("tag", ["de-AT", "de_AT", "de_AT.UTF-8", "de_AT@euro", "DE-at", "de-AT-1996"])
def test_a_tag_may_be_written_as_the_web_or_as_posix_has_it(tag: str) -> None:
    assert display_of(tag).locale in ("de-AT", "de-AT-1996")
    assert display_of(tag).amount(123456, "EUR") == display_of("de-AT").amount(123456, "EUR")


def test_norwegian_may_have_its_older_code() -> None:
    assert display_of("no_NO") == display_of("nb-NO")


@pytest.mark.parametrize("tag", ["xx", "de-XX", "C", "POSIX", "", " ", "123", "de--DE", "../de", "de_DE\n", "noc"])
def test_what_is_no_locale_is_refused_with_examples(tag: str) -> None:
    with pytest.raises(SettingsError, match="is not known") as caught:
        display_of(tag)

    assert "de-DE" in str(caught.value.hint)


def test_without_babel_the_extra_is_named_and_plain_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel", None)
    display._read.cache_clear()
    with pytest.raises(SettingsError, match="needs Babel") as caught:
        display_of("de-DE")

    assert "pip install 'reconcile[locale]'" in str(caught.value.hint)
    assert display_of("none").count(1) == "1"


def test_a_text_that_is_no_number_stays_as_it_is() -> None:
    assert [display_of("de-DE").number(text) for text in (".5", "0.5", "1500", "half")] == [
        ".5",
        "0,5",
        "1.500",
        "half",
    ]


@pytest.mark.parametrize(("locale", "isolated"), [("de-DE", "1"), ("ar-EG", "\u20681\u2069")])
def test_figures_that_could_change_places_are_kept_apart(locale: str, isolated: str) -> None:
    assert display_of(locale).isolated("1") == isolated
