"""Hostile and odd cells: amounts, currencies, references and dates, each read exactly or rejected."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

TOO_MANY = "has more decimals than"
TWO_WAYS = "could be read two ways"
NO_AMOUNT = "is not an amount in"
LARGE = "is too large"
CENTS = "is not a whole number of minor units"
GERMAN = {"decimal": ",", "thousands": "."}
MOST = 2**62 - 1


def one_row(read: Any, columns: str, row: str, **declared: Any) -> Any:
    return read(f"{columns}\n{row}\n", **declared)


@pytest.mark.parametrize(
    ("cell", "currency", "declared", "cents"),
    [
        ("12.30", "EUR", {}, 1230),
        ("12", "EUR", {}, 1200),
        ("0.01", "EUR", {}, 1),
        ("000012.30", "EUR", {}, 1230),
        ("-1.00", "EUR", {}, -100),
        ("+1.00", "EUR", {}, 100),
        ("-0.00", "EUR", {}, 0),
        (" 1 ", "EUR", {}, 100),
        ("\t1.00\t", "EUR", {}, 100),
        ("1.00\u00a0", "EUR", {}, 100),
        ("1.234", "KWD", {}, 1234),
        ("12345", "HUF", {}, 12345),
        ("12345", "JPY", {}, 12345),
        ("12345.00", "HUF", {}, 12345),
        ("1.0000", "KWD", {}, 1000),
        ("46116860184273879.03", "EUR", {}, MOST),
        ("0" * 39 + "1", "EUR", {}, 100),
        ("1.234,56", "EUR", GERMAN, 123456),
        ("1234,5", "EUR", GERMAN, 123450),
        ("0,50", "EUR", GERMAN, 50),
        ("1'234.56", "CHF", {"thousands": "'"}, 123456),
        ("1\u202f234,56", "EUR", {"decimal": ",", "thousands": "\u202f"}, 123456),
        ("1_234.50", "EUR", {"thousands": "_"}, 123450),
        ("1 234", "EUR", {"thousands": " "}, 123400),
        ("-1 234", "EUR", {"thousands": " "}, -123400),
        ("999.999.999,99", "EUR", GERMAN, 99999999999),
        ("\u22121.00", "EUR", {}, -100),
        ("'-12.50", "EUR", {}, -1250),
        ("'12.50", "EUR", {}, 1250),
        *((cell, "CHF", {"thousands": "apostrophe"}, 123456) for cell in ("1'234.56", "1\u2019234.56")),
        *(
            (f"1{blank}234,56", "EUR", {"decimal": ",", "thousands": "space"}, 123456)
            for blank in (" ", "\u00a0", "\u202f", "\u2009")
        ),
        *(
            (cell, "INR", {"thousands": ",", "grouping": "indian"}, cents)
            for cell, cents in (
                ("12,34,567.89", 123456789),
                ("4,500.00", 450000),
                ("999", 99900),
                ("123,456", 12345600),
            )
        ),
        *(
            (cell, "CHF", {"accounting": ("dash_decimals", "currency"), "thousands": "'"}, cents)
            for cell, cents in (("12.--", 1200), ("12,-", 1200), ("CHF 1'250.-", 125000), ("-5.–", -500))
        ),
        *(
            (cell, "USD", {"accounting": ("parentheses", "currency"), "thousands": ","}, -123456)
            for cell in ("$(1,234.56)", "($1,234.56)", "(1,234.56) $", "-$1,234.56", "$-1,234.56")
        ),
        ("- 10.00", "EUR", {"accounting": ("spaced_sign",)}, -1000),
        ("<10.00>", "EUR", {"accounting": ("angle_brackets",)}, -1000),
    ],
)
def test_amounts_are_exact(read: Any, cell: str, currency: str, declared: dict[str, str], cents: int) -> None:
    outcome = one_row(read, "reference;amount;currency", f"A;{cell};{currency}", **declared)

    assert outcome.columns("amount_cents", "amount_raw") == [(cents, cell)]


@pytest.mark.parametrize(
    ("cell", "currency", "declared", "reason"),
    [
        *((cell, "EUR", {}, "") for cell in ("+-1", "--1", "- 1", "1.00-", "(1.00)", "–1.00", "－1.00")),
        *((cell, "EUR", {}, "") for cell in (".5", "5.", ",5", "1e3", "1E+2", "1.23457E+11", "0x10", "1/2", "12:30")),
        *((cell, "EUR", {}, NO_AMOUNT) for cell in ("inf", "TRUE", "2026-11-22", "NULLS", "--")),
        *((cell, "EUR", {}, "is empty") for cell in ("NaN", "null", "N/A", "#N/A", "-", "\\N", " NULL ")),
        *((cell, "EUR", {}, NO_AMOUNT) for cell in ("€1.00", "1.00 EUR", "1.00CR", "10%", "$1", "=1.00", "'x1.00")),
        *((cell, "EUR", {}, NO_AMOUNT) for cell in ("1\u066b5", "1\u066c234")),
        *((cell, "EUR", {}, 'has "') for cell in ("\uff11.00", "\u0661\u0662", "\u20111.00")),
        *((cell, "EUR", {}, NO_AMOUNT) for cell in ("1\u200b.00", "\u202e1.00", "1_234.50", "amount", "1.00\x01")),
        ("", "EUR", {}, "is empty"),
        (" ", "EUR", {}, "is empty"),
        ("1.000", "EUR", {}, TOO_MANY),
        ("1.005", "EUR", {}, TOO_MANY),
        ("1.00", "JPY", {}, TOO_MANY),
        ("12345.50", "HUF", {}, TOO_MANY),
        ("1.0001", "KWD", {}, TOO_MANY),
        ("19.990000000000002", "EUR", {}, TOO_MANY),
        ("46116860184273879.04", "EUR", {}, LARGE),
        ("-46116860184273879.04", "EUR", {}, LARGE),
        ("9" * 5000, "EUR", {}, LARGE),
        ("1,234.56", "EUR", {}, TWO_WAYS),
        ("1.234,56", "EUR", {}, TWO_WAYS),
        ("1 234,56", "EUR", {}, TWO_WAYS),
        ("0.500", "EUR", GERMAN, TWO_WAYS),
        ("0.001", "EUR", GERMAN, TWO_WAYS),
        ("000.123", "EUR", GERMAN, TWO_WAYS),
        ("012.345", "EUR", GERMAN, TWO_WAYS),
        ("0,500", "EUR", {"thousands": ","}, TWO_WAYS),
        ("1.23", "EUR", GERMAN, TWO_WAYS),
        ("12.34,56", "EUR", GERMAN, ""),
        ("1234.567,89", "EUR", GERMAN, ""),
        ("12.50", "EUR", {"decimal": ","}, TWO_WAYS),
        ("12,34,567.89", "INR", {"thousands": ","}, ""),
        ("1,234,567.89", "INR", {"thousands": ",", "grouping": "indian"}, ""),
        ("0,12,345", "INR", {"thousands": ",", "grouping": "indian"}, ""),
        ("12.34.-", "CHF", {"accounting": ("dash_decimals",)}, ""),
        ("-(12.00)", "EUR", {"accounting": ("parentheses",)}, ""),
        ("1 2345", "EUR", {"thousands": " "}, ""),
        ("12.5", "XAU", {}, ""),
    ],
)
def test_what_is_not_exactly_one_amount_is_rejected(
    read: Any, cell: str, currency: str, declared: dict[str, str], reason: str
) -> None:
    outcome = one_row(read, "reference;amount;currency", f"A;{cell};{currency}", **declared)

    assert outcome.rows == []
    assert outcome.rejects[0]["source_line"] == "2"
    assert outcome.rejects[0]["reason"].startswith(reason)
    assert outcome.rejects[0]["remedy"]


@pytest.mark.parametrize("cell", ["12.50", "1.0", "1,000", "1e3", "0x1", str(MOST + 1), str(-MOST - 1), "1_0", "١"])
def test_cents_are_whole_numbers(read: Any, cell: str) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", f"A;{cell};EUR")

    assert outcome.rows == []
    assert outcome.rejects[0]["reason"] in (CENTS, LARGE)


@pytest.mark.parametrize("cents", [MOST, -MOST, 0, -1])
def test_cents_may_be_as_many_as_two_can_be_subtracted(read: Any, cents: int) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", f"A;{cents};EUR")

    assert outcome.columns("amount_cents") == [(cents,)]


@pytest.mark.parametrize(
    ("cell", "declared", "code"),
    [
        ("eur", {}, "EUR"),
        (" EUR ", {}, "EUR"),
        ("", {"currency": "SEK"}, "SEK"),
        ("BGN", {}, "BGN"),
        ("HRK", {}, "HRK"),
    ],
)
def test_currencies_are_read(read: Any, cell: str, declared: dict[str, str], code: str) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", f"A;100;{cell}", **declared)

    assert outcome.columns("currency_code", "amount_cents") == [(code, 100)]


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "EURO",
        "kr",
        "$",
        "978",
        "EUR/USD",
        "GBX",
        "CNH",
        "BTC",
        "DEM",
        "ısk",
        "u\u017fd",
        "EUR\u200b",
        "ＥＵＲ",
        "E UR",
        "<NA>",
    ],
)
def test_what_is_no_currency_is_rejected(read: Any, cell: str) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", f"A;100;{cell}")

    assert outcome.rows == []
    assert [row["column"] for row in outcome.rejects] == ["currency"]


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        *((text, text) for text in ("007", "1E5", "0x1F", "TRUE", "+49", "-5", "2026-11-22", "1.5", "9" * 30)),
        *((text, text) for text in ("=1+1", "@x", "NULL 1", "'s-Gravenhage", '="007', "1.0.0", "E+1")),
        *((text, None) for text in ("NULL", "\\N", "nan", "None", "-", "#N/A", " NULL ")),
        *((text, "007") for text in ("'007", '="007"')),
        ("'-A2", "-A2"),
        *((text, text) for text in ("A\u00adB", "A\tB", "\u202eABC", "\u200bA\u200b", "😀", "１２", "a" * 10_000)),
        ("Cafe\u0301", "Café"),
        ("\u212b", "Å"),
        ("\u00a0A\u00a0", "A"),
        (" A ", "A"),
        ("", None),
        (" ", None),
    ],
)
def test_references_are_texts(read: Any, cell: str, key: str | None) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", f"{cell};100;EUR", quote="")

    assert outcome.columns("reference", "reference_raw") == [(key, cell)]


@pytest.mark.parametrize("cell", ["1.23457E+11", "1e+5", "1,9E+18", "100408.0", " 100409.0 "])
def test_a_number_that_has_lost_what_it_was_is_no_reference(read: Any, cell: str) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", f"{cell};100;EUR", quote="")

    assert outcome.rows == []
    assert [(row["column"], row["value"]) for row in outcome.rejects] == [("reference", cell)]


def test_keys_that_were_numbers_are_whole_where_that_is_declared(read: Any) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", "100408.0;100;EUR", float_keys="whole")

    assert outcome.columns("reference", "reference_raw") == [("100408", "100408.0")]
    assert [(one.kind, one.column, one.cells) for one in outcome.report.tidied] == [("whole", "reference", 1)]


@pytest.mark.parametrize(
    ("cell", "declared", "code"),
    [
        ("€", None, "EUR"),
        ("zł", None, "PLN"),
        ("kr", "SEK", "SEK"),
        ("$", "USD", "USD"),
        ("€", "USD", "EUR"),
        ("NULL", "EUR", "EUR"),
    ],
)
def test_a_symbol_is_the_currency_that_is_declared_or_the_only_one_that_has_it(
    read: Any, cell: str, declared: str | None, code: str
) -> None:
    outcome = one_row(read, "reference;amount_cents;currency", f"A;100;{cell}", currency=declared)

    assert outcome.columns("currency_code") == [(code,)]


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("2026-11-22", date(2026, 11, 22)),
        (" 2026-11-22 ", date(2026, 11, 22)),
        ("2026-11-22T10:00", date(2026, 11, 22)),
        ("2026-11-22 10:00:00 +02", date(2026, 11, 22)),
        ("2026-11-22T23:59:59.123456789Z", date(2026, 11, 22)),
        ("9999-12-31", date(9999, 12, 31)),
        ("", None),
    ],
)
def test_iso_dates_are_read(read: Any, cell: str, day: date | None) -> None:
    outcome = one_row(read, "reference;amount_cents;currency;order_date", f"A;100;EUR;{cell}")

    assert outcome.columns("ordered_on") == [(day,)]


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-11-22T99:99", "2026-11-22T24:00:00", "2026-11-22T10:60", "2026-02-30", "0000-01-01", "20261122"),
        *("2026-W01-1", "2026-326", "2026-1-2", "22.11.2026", "22/11/2026", "1763769600", "2026-11-22T"),
        *("2026-11-22T10:00+02:00[Europe/Rome]", "２０２６-11-22", "__HIVE_DEFAULT_PARTITION__", "today"),
    ],
)
def test_other_dates_are_rejected_with_the_option_to_add(read: Any, cell: str) -> None:
    outcome = one_row(read, "reference;amount_cents;currency;order_date", f"A;100;EUR;{cell}")

    assert outcome.rows == []
    assert [row["column"] for row in outcome.rejects] == ["order_date"]
    assert "--ordered-on-column" in outcome.rejects[0]["remedy"]


def test_every_bad_cell_of_a_row_is_told_and_the_row_counted_once(read: Any) -> None:
    outcome = one_row(read, "reference;amount;currency;order_date", "A;x;EUR;z")

    assert [row["column"] for row in outcome.rejects] == ["amount", "order_date"]
    assert outcome.report.rejects == 1
