"""What is set aside as asked is told as notes, with rows, amounts and the option, and makes no verdict worse."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from nights import night_of, said

from reconcile.figures.summary import read_summary

BOOKS = (
    "reference,amount,currency,payment_method,order_date\n"
    "R1,10.00,EUR,Klarna,2026-11-19\n"
    "R2,7.50,EUR,PayPal,2026-11-19\n"
    "R3,2.00,SEK,Invoice,2026-11-19\n"
    "R4,5.00,EUR,Klarna,2026-10-02\n"
)
PAYMENTS = [
    {"reference": "R1"},
    {"reference": "R9", "placed_at": datetime(2026, 10, 1, tzinfo=UTC)},
]


def test_rows_of_other_methods_and_other_days_are_notes() -> None:
    summary = read_summary(night_of(PAYMENTS, BOOKS, covers="2026-11-01.."))
    notes = {one.code: one for one in summary.warnings}

    assert summary.verdict == "clean"
    assert {one.level for one in summary.warnings} == {"note"}
    assert notes["other_methods"].figures == {"rows": 2, "amount_cents": {"EUR": 750, "SEK": 200}}
    assert notes["other_methods"].text == (
        "set aside, as other payment methods have paid them: 2 order rows (7.50 EUR, 2.00 SEK); "
        "--methods says which are Klarna's"
    )
    assert notes["out_of_period"].figures == {
        "payments": 1,
        "payments_amount_cents": {"EUR": 1000},
        "orders": 1,
        "orders_amount_cents": {"EUR": 500},
    }
    assert "1 payment (10.00 EUR) and 1 order row (5.00 EUR); --covers" in notes["out_of_period"].text


def test_payments_that_a_list_leaves_out_are_a_note() -> None:
    summary = read_summary(night_of(PAYMENTS, "reference,amount,currency\nR1,10.00,EUR\n", listed_only=True))

    (note,) = summary.warnings
    assert (note.code, note.level, note.figures) == ("not_listed", "note", {"rows": 1, "amount_cents": {"EUR": 1000}})


def test_notes_are_told_as_notes_by_the_command() -> None:
    night_of(PAYMENTS, BOOKS, covers="2026-11-01..", day=19)
    result = said(
        "match", "payments.parquet", "orders.csv", "--date", "2026-11-19", "--covers", "2026-11-01..", "--no-xlsx"
    )

    assert (result.exit_code, Path(result.stdout.strip()).name) == (0, "2026-11-19")
    assert "note: set aside, as other payment methods have paid them" in result.stderr
