"""Breaks as tables of text: what of a break is shown, what was decided about it, and the largest with their causes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from reconcile.figures.questions import CurrencySum
from reconcile.reports.break_tables import LARGEST_COLUMNS, break_table, largest_text, sums_table
from reconcile.reports.display import Display
from reconcile.schema import ITEMS

LISTED = pa.schema([*ITEMS, pa.field("currency_code", pa.string()), pa.field("decision", pa.string())])
ROW = {
    "item_id": "f" * 32, "break_id": "4b5902e8" + "0" * 24, "status": "amount_mismatch", "state": "new", "age_days": 0,
    "reference": "NW-1", "at_stake_cents": 123456, "at_stake_currency_code": "EUR", "currency_code": "EUR",
}  # fmt: skip


def listed(**more: Any) -> dict[str, str]:
    table = break_table(pa.Table.from_pylist([ROW | more], LISTED))
    return dict(zip(table.header, table.rows[0], strict=True))


def test_amounts_are_in_decimals_of_their_currency() -> None:
    assert listed(difference_cents=-123456)["Difference"] == "-1,234.56"
    assert listed(currency_code="JPY")["At stake"] == "123,456"


def test_what_was_decided_is_said_with_its_reason_and_what_holds_no_longer_too() -> None:
    assert listed()["Decision"] == ""
    assert listed(decision="accepted", accepted_reason="rounding")["Decision"] == "accepted: rounding"
    assert listed(decision="accepted since")["Decision"] == "accepted since"
    assert listed(accepted_for="missing_order, 1.00 EUR: known")["Decision"] == (
        "no longer: missing_order, 1.00 EUR: known"
    )


def test_a_break_without_a_reference_is_named_by_its_payment() -> None:
    assert listed(reference=None, payment_id="P1")["Reference"] == "P1"


def test_texts_from_outside_cannot_steer_the_terminal() -> None:
    assert listed(reference="\x1b[2JNW\n1", suggestion="a\tb")["Reference"] == "?[2JNW?1"


def test_sums_are_by_currency_and_say_where_there_is_none() -> None:
    table = sums_table([CurrencySum("EUR", 1200, 123456), CurrencySum(None, 3, 0)])

    assert table.rows == [("EUR", "1,200", "1,234.56"), ("none", "3", "")]


CAUSE = "the order total is 100 times the payment: cents taken for units?"
LARGEST = pa.Table.from_pylist([ROW | {"suggestion": CAUSE}, ROW | {"reference": None}], LISTED).select(LARGEST_COLUMNS)


def test_a_likely_cause_stands_whole_below_its_break() -> None:
    german = Display(decimal=",", group=".")

    assert largest_text(LARGEST, width=None, colour=False, display=german).splitlines() == [
        "Break     Status          Reference  Currency  At stake",
        "4b5902e8  Amount differs  NW-1       EUR       1.234,56",
        f"          {CAUSE}",
        "4b5902e8  Amount differs             EUR       1.234,56",
    ]


def test_on_few_columns_a_cause_is_folded_and_on_fewer_one_cell_among_others() -> None:
    assert largest_text(LARGEST, width=56, colour=False).splitlines()[2:4] == [
        "          the order total is 100 times the payment:",
        "            cents taken for units?",
    ]
    assert "  Likely cause" in largest_text(LARGEST, width=40, colour=False)
