"""Titles above the header are passed over where only one line can be the header; what follows the table stays a row."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.errors import OrderFileError

DATEV = (
    '"EXTF";700;21;"Buchungsstapel";13;20261121120000000;;"RE";"";"";29098;55003;20260101;4;20261101;20261130;"";"";1\r\n'
    "Umsatz (ohne Soll/Haben-Kz);Soll/Haben-Kennzeichen;WKZ Umsatz;Kurs;Konto;Belegdatum;Belegfeld 1;Buchungstext\r\n"
    '119,00;"S";"EUR";;10001;2011;"RE-1";"Müller"\r\n'
    '20,50;"H";"EUR";;10002;2111;"RE-2";""\r\n'
)


def test_a_datev_file_is_read_with_its_signs(read: Any) -> None:
    outcome = read(DATEV.encode("cp1252"), sign_column="Soll/Haben-Kennzeichen")

    assert outcome.columns("reference", "amount_cents", "currency_code", "source_line") == [
        ("RE-1", 11900, "EUR", 3),
        ("RE-2", -2050, "EUR", 4),
    ]
    (file,) = outcome.report.files
    assert (file.system, file.taken, file.encoding) == ("DATEV", {"decimal": ","}, "cp1252")


def test_what_the_user_declares_of_a_datev_file_counts_before_what_its_format_says(read: Any) -> None:
    text = DATEV.replace("119,00", "119.00").replace("20,50", "20.50")

    outcome = read(text, decimal=".", sign_column="Soll/Haben-Kennzeichen")

    assert outcome.columns("amount_cents") == [(11900,), (-2050,)]
    assert (outcome.report.files[0].taken, outcome.report.files[0].encoding) == ({}, "utf-8")


def test_a_datev_file_that_is_utf_8_is_read_as_such(read: Any) -> None:
    outcome = read(DATEV.replace("RE-1", "RÉ-1"), sign_column="Soll/Haben-Kennzeichen")

    assert outcome.columns("reference") == [("RÉ-1",), ("RE-2",)]


@pytest.mark.parametrize(
    "title",
    [
        "Orders of November\n",
        "Orders, November\n\n",
        '"Orders, November"\nfrom,to\n2026-11-01,2026-11-30\n',
        "Customer line items;;;\n;;;\nprinted;21.11.2026;;\n",
        "it's a list\n\n\n",
        "line\n" * 29,
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_title_above_the_header_is_passed_over(read: Any, title: str, delimiter: str) -> None:
    table = "reference,amount,currency\nR1,12.50,EUR\n".replace(",", delimiter)

    outcome = read(title + table)

    assert outcome.columns("reference", "amount_cents", "source_line") == [("R1", 1250, title.count("\n") + 2)]


@pytest.mark.parametrize("title", ["line\n" * 100, "a,b,c\n" * 100])
def test_a_header_far_below_is_not_looked_for(read: Any, title: str) -> None:
    with pytest.raises(OrderFileError, match=r"orders\.csv:1: there is no reference column among"):
        read(title + "reference,amount,currency\nR1,12.50,EUR\n")


def test_two_lines_that_could_be_the_header_are_asked_for(read: Any) -> None:
    table = "reference,amount,currency\nR1,12.50,EUR\n"

    with pytest.raises(OrderFileError, match=r"orders\.csv:2: several lines could be the header: 2, 5"):
        read(f"two tables\n{table}\n{table}")


def test_a_table_above_the_header_is_never_passed_over(read: Any) -> None:
    table = "order no;price;cur\n1;2.00;EUR\n2;3.00;EUR\nreference;amount;currency\nR1;1.00;EUR\n"

    with pytest.raises(OrderFileError, match=r'orders\.csv:1: there is no amount column among "order no", "price"'):
        read(table)


def test_a_first_line_that_can_be_the_header_is_the_header(read: Any) -> None:
    outcome = read("reference,amount,currency\nreference,total,currency\nR1,1,EUR\n")

    assert outcome.columns("reference") == [("R1",)]
    assert outcome.reasons == [("2", "currency", "currency", "is not an ISO 4217 currency code")]
    assert read("reference,amount,currency\nreference,amount,currency\nR1,1,EUR\n", currency="EUR").reasons == [
        ("2", "amount", "amount", "repeats the header")
    ]


def test_a_column_named_by_the_user_tells_the_header_too(read: Any) -> None:
    outcome = read(
        "List of orders\nBeleg,Preis,Waehrung\n7,12.50,EUR\n", reference_column="Beleg", amount_column="Preis"
    )

    assert outcome.columns("reference", "amount_cents", "currency_code") == [("7", 1250, "EUR")]


def test_a_sum_below_the_table_is_never_dropped(read: Any) -> None:
    outcome = read("reference,amount,currency\nR1,1,EUR\nR2,2,EUR\n,3,EUR\nSum,3,\n")

    assert outcome.columns("reference", "amount_cents") == [("R1", 100), ("R2", 200)]
    assert outcome.reasons == [
        ("4", "amount", "3", "looks like a total"),
        ("5", "amount", "3", "looks like a total"),
    ]
    assert "--skip-rows" in outcome.rejects[0]["remedy"]
