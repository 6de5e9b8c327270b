"""The end-of-run table: exact text, any width, hostile texts, colour as a mere addition."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reconcile.figures.summary import Summary
from reconcile.money import EXPONENTS, format_amount
from reconcile.reports.terminal import grouped_amount, summary_table

Document = dict[str, Any]


def _amounts(
    code: str | None, count: int, payments: int | None, orders: int | None, difference: int | None, stake: int = 0
) -> dict[str, Any]:
    return {
        "currency_code": code,
        "count": count,
        "payment_amount_cents": payments,
        "order_amount_cents": orders,
        "difference_cents": difference,
        "at_stake_cents": stake,
    }


def _status(status: str, kind: str, *amounts: dict[str, Any]) -> dict[str, Any]:
    return {"status": status, "kind": kind, "count": sum(line["count"] for line in amounts), "amounts": list(amounts)}


def _control(code: str | None, rows: int, cents: int) -> dict[str, Any]:
    return {
        "currency_code": code,
        "rows_in": rows,
        "amount_in_cents": cents,
        "rows_out": rows,
        "amount_out_cents": cents,
    }


def made_of(document: Document) -> Summary:
    return msgspec.convert(document, Summary)


@pytest.fixture
def summary() -> Document:
    return {
        "version": 1,
        "business_date": "2026-11-22",
        "run_id": "20261122-ab12cd",
        "organization": "the-shop",
        "mode": "live",
        "amount_basis": "total_amount_with_taxes_cents",
        "verdict": "clean_with_exceptions",
        "counts": {"payments": 1401, "orders": 1393, "rejects": 2, "items": 1402, "breaks": 13},
        "statuses": [
            _status(
                "matched",
                "ok",
                _amounts("EUR", 1340, 12345678, 12345678, 0),
                _amounts("JPY", 40, 1234567, 1234567, 0),
            ),
            _status("not_placed", "info", _amounts(None, 9, None, None, None)),
            _status("amount_mismatch", "break", _amounts("EUR", 12, 123456, 123460, -4, 4)),
            _status("missing_payment", "break", _amounts("SEK", 1, None, 45600, None, 45600)),
        ],
        "control": {
            "payments": [_control("EUR", 1352, 12469134), _control("JPY", 40, 1234567), _control(None, 9, 0)],
            "orders": [_control("EUR", 1393, 12469138)],
        },
        "flag_agreement": {
            "flagged_and_differs": 3,
            "flagged_but_agrees": 2,
            "differs_not_flagged": 9,
            "agree": 1378,
            "not_comparable": 9,
        },
        "key_profile": {"payments": [], "orders": [], "passes": []},
        "roll_forward": [],
        "aging": [
            {"bucket": "0-1", "count": 11, "amounts": [{"currency_code": "EUR", "at_stake_cents": 4}]},
            {"bucket": "2-3", "count": 0, "amounts": []},
            {
                "bucket": "over 90",
                "count": 2,
                "amounts": [
                    {"currency_code": "EUR", "at_stake_cents": 0},
                    {"currency_code": "SEK", "at_stake_cents": 45600},
                ],
            },
        ],
    }


WIDE = """\
Exceptions to review: 13 breaks in 1,402 items, at stake EUR 0.04, SEK 456.00
2026-11-22 · the-shop · live · total_amount_with_taxes_cents · run 20261122-ab12cd

Status            Code             Kind   Currency  Items      Payments        Orders  Difference
Matched           matched          ok               1,380
                                          EUR       1,340    123,456.78    123,456.78        0.00
                                          JPY          40  1,234,567     1,234,567           0
Order not placed  not_placed       info   none          9
Amount differs    amount_mismatch  break  EUR          12      1,234.56      1,234.60       -0.04
No payment found  missing_payment  break  SEK           1                      456.00

Side         Currency   Rows        Amount
payments in            1,401
             EUR       1,352    124,691.34
             JPY          40  1,234,567
             none          9
orders in    EUR       1,393    124,691.38
rejected                   2

The API says    We find: differs  agrees
mismatched                     3       2
not mismatched                 9   1,378
Not comparable: 9

Days open  Currency  Breaks  At stake
0-1        EUR           11      0.04
over 90                   2
           EUR                   0.00
           SEK                 456.00"""


def test_the_table_shows_counts_and_amounts_per_status_and_currency(summary: Document) -> None:
    assert summary_table(made_of(summary), width=100, colour=False) == WIDE


NARROW = """\
Matched
  Code                           matched
  Kind                                ok
  Items                            1,380
  Currency                           EUR
  Items                            1,340
  Payments                    123,456.78
  Orders                      123,456.78
  Difference                        0.00
  Currency                           JPY
"""


def test_what_is_too_wide_is_written_one_below_the_other(summary: Document) -> None:
    written = summary_table(made_of(summary), width=40, colour=False)

    assert NARROW in written
    assert "13 breaks in 1,402\nitems, at stake EUR 0.04, SEK 456.00\n" in written
    assert "The API says    We find: differs  agrees\n" in written


@pytest.mark.parametrize("width", [40, 41, 55, 79, 80, 120])
def test_no_line_is_wider_than_asked_for(summary: Document, width: int) -> None:
    summary["statuses"].append(
        _status("duplicate_reference", "break", _amounts("EUR", 9**9, -(2**63), 2**63 - 1, -(2**63), 2**63 - 1))
    )
    lines = summary_table(made_of(summary), width=width, colour=False).splitlines()

    assert max(len(line) for line in lines) <= width
    assert any("-92,233,720,368,547,758.08" in line for line in lines)


@pytest.mark.parametrize("width", [100, 40])
def test_colour_only_adds_to_the_words(summary: Document, width: int) -> None:
    plain = summary_table(made_of(summary), width=width, colour=False)
    coloured = summary_table(made_of(summary), width=width, colour=True)

    assert re.sub(r"\x1b\[[0-9;]+m", "", coloured) == plain
    assert coloured.count("\x1b[0m") == len(re.findall(r"\x1b\[(?!0m)", coloured))
    assert "\x1b[31mAmount differs" in coloured
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    ("verdict", "breaks", "items", "expected"),
    [
        ("clean", 0, 1, "Clean: no breaks in 1 item"),
        ("clean_with_exceptions", 1, 2, "Exceptions to review: 1 break in 2 items"),
        ("over_limit", 1500, 20000, "Over limit: 1,500 breaks in 20,000 items"),
        ("unheard_of", 0, 0, "unheard_of: no breaks in 0 items"),
    ],
)
def test_the_first_line_is_the_verdict(summary: Document, verdict: str, breaks: int, items: int, expected: str) -> None:
    summary |= {"statuses": []}
    summary["counts"] |= {"breaks": breaks, "items": items}
    told = replace(made_of(summary), verdict=verdict)

    assert summary_table(told, width=80, colour=False).splitlines()[0] == expected


def test_the_keys_show_how_usable_they_are(summary: Document) -> None:
    summary["key_profile"] = {
        "payments": [{"key": "reference", "rows": 1401, "null": 16, "blank": 1}],
        "orders": [{"key": "reference", "rows": 1393, "null": 0, "blank": 4}],
        "passes": [
            {
                "key": "reference", "payments": 1384, "orders": 1389, "payment_keys_twice": 9, "order_keys_twice": 2,
                "shared_keys": 1380, "pairs": 1378,
            }
        ],
    }  # fmt: skip

    assert (
        "Key        Payments  Blank  Orders  Blank  On both sides  Duplicates  Pairs\n"
        "reference     1,384     17   1,389      4          1,380          11  1,378\n"
    ) in summary_table(made_of(summary), width=80, colour=False) + "\n"


def test_what_clean_up_rules_did_is_shown_for_the_keys_that_they_changed(summary: Document) -> None:
    nothing = {"changed": {"case": 0, "strip_prefix": 0}, "emptied": 0, "collisions": 0}
    orders = {"changed": {"case": 1200, "strip_prefix": 0}, "emptied": 3, "collisions": 0}
    summary["key_profile"] |= {
        "cleaning": [
            {"side": "payments", "key": "reference", **nothing},
            {"side": "payments", "key": "order_number", **nothing},
            {"side": "orders", "key": "reference", **orders},
            {"side": "orders", "key": "order_number", **nothing},
        ]
    }

    assert (
        "Clean-up      Key        Payments  Orders\n"
        "case          reference         0   1,200\n"
        "strip_prefix  reference         0       0\n"
        "left empty    reference                 3\n\n"
    ) in summary_table(made_of(summary), width=80, colour=False)


def test_a_run_without_rows_or_history_has_a_table_too(summary: Document) -> None:
    summary |= {"statuses": [], "control": {"payments": [], "orders": []}, "organization": None, "mode": None}
    summary["verdict"] = "clean"
    summary["counts"] = dict.fromkeys(summary["counts"], 0)
    summary["flag_agreement"] = dict.fromkeys(summary["flag_agreement"], 0)
    summary["aging"] = []

    assert summary_table(made_of(summary), width=80, colour=False) == (
        "Clean: no breaks in 0 items\n"
        "2026-11-22 · total_amount_with_taxes_cents · run 20261122-ab12cd\n\n"
        "Status  Code  Kind  Currency  Items  Payments  Orders  Difference\n\n"
        "Side         Currency  Rows  Amount\n"
        "payments in               0\n"
        "orders in                 0\n\n"
        "The API says    We find: differs  agrees\n"
        "mismatched                     0       0\n"
        "not mismatched                 0       0"
    )


def test_texts_from_outside_cannot_steer_the_terminal(summary: Document) -> None:
    summary["organization"] = "\x1b[2Jevil\u202e\n"
    summary["statuses"][3]["amounts"][0]["currency_code"] = "\x1b]0;x\x07"

    written = summary_table(made_of(summary), width=100, colour=False)

    assert "?[2Jevil??" in written
    assert all(sign.isprintable() or sign == "\n" for sign in written)


def test_wide_and_combining_signs_keep_the_columns_straight(summary: Document) -> None:
    found = made_of(summary)
    names = ("金額", "e\u0301", "plain", "x")
    statuses = tuple(replace(line, status=name) for line, name in zip(found.statuses, names, strict=True))
    lines = summary_table(replace(found, statuses=statuses), width=100, colour=False).splitlines()

    assert "金額    金額   ok               1,380" in lines
    assert "e\u0301       e\u0301      info   none          9" in lines


@given(cents=st.integers(-(2**63), 2**63 - 1), currency_code=st.sampled_from(sorted(EXPONENTS)))
def test_grouping_changes_nothing_but_commas(cents: int, currency_code: str) -> None:
    written = grouped_amount(cents, currency_code)

    assert written.replace(",", "") == format_amount(cents, currency_code)
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*(\.\d+)?", written)
