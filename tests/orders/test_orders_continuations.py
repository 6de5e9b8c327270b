"""Rows of line items go with their order where that is declared: left out, counted, and never anything else."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.figures.warnings import grouping_warnings
from reconcile.orders.cells.remedies import CONTINUES

SHOPIFY = (
    "Name,Financial Status,Currency,Total,Created at,Lineitem name\n"
    "#1001,paid,EUR,30.00,2026-11-20 09:50:26 +0100,Shirt\n"
    "#1001,,,,,Socks\n"
    "#1001,,,,,Hat\n"
    "#1002,paid,EUR,20.00,2026-11-21 09:50:26 +0100,Shirt\n"
    "#1003,paid,SEK,10.00,2026-11-21 10:50:26 +0100,Hat\n"
    "#1003,,,,,Hat\n"
)
XERO = (
    "InvoiceNumber,Reference,InvoiceDate,Total,InvoiceAmountDue,LineAmount,Currency\n"
    "INV-1,R1,2026-11-20,30.00,0.00,10.00,EUR\n"
    "INV-1,R1,2026-11-20,30.00,0.00,20.00,EUR\n"
    "INV-2,R1,2026-11-20,30.00,0.00,30.00,EUR\n"
    "INV-3,R3,2026-11-20,5.00,0.00,5.00,EUR\n"
    "INV-3,R3,2026-11-20,6.00,0.00,6.00,EUR\n"
)


def test_line_items_without_a_total_are_rejects_that_say_what_to_declare(read: Any) -> None:
    outcome = read(SHOPIFY.replace("Financial Status", "Status"), reference_column="Name")

    assert [(row["source_line"], row["column"], row["remedy"]) for row in outcome.rejects] == [
        (line, column, CONTINUES) for line in ("3", "4", "7") for column in ("Total", "Currency")
    ]


@pytest.mark.parametrize("declared", [{"continuation_rows": "empty"}, {}])
def test_line_items_without_a_total_are_left_out_and_counted(read: Any, declared: dict[str, str]) -> None:
    outcome = read(SHOPIFY, reference_column="Name", **declared)

    assert outcome.columns("reference", "order_number", "amount_cents", "source_line") == [
        ("#1001", "#1001", 3000, 2),
        ("#1002", "#1002", 2000, 5),
        ("#1003", "#1003", 1000, 6),
    ]
    assert (outcome.report.rows, outcome.report.rejects, outcome.report.continuation_rows) == (3, 0, 3)
    assert outcome.report.files[0].continuation_rows == 3


def test_line_items_that_repeat_the_total_are_left_out_and_counted(read: Any) -> None:
    outcome = read(XERO, continuation_rows="repeated", order_number_column="InvoiceNumber")

    assert outcome.columns("order_number", "reference", "amount_cents", "source_line") == [
        ("INV-1", "R1", 3000, 2),
        ("INV-2", "R1", 3000, 4),
        ("INV-3", "R3", 500, 5),
        ("INV-3", "R3", 600, 6),
    ]
    assert outcome.report.continuation_rows == 1


def test_lines_of_xero_are_left_out_by_its_own_format_and_never_those_of_another_invoice(read: Any) -> None:
    outcome = read(XERO)

    assert outcome.columns("document", "reference", "amount_cents", "source_line") == [
        ("INV-1", "R1", 3000, 2),
        ("INV-2", "R1", 3000, 4),
        ("INV-3", "R3", 500, 5),
        ("INV-3", "R3", 600, 6),
    ]
    assert outcome.report.files[0].taken == {"continuation_rows": "repeated"}


@pytest.mark.parametrize(
    "row",
    [
        "R2,,",  # another order without a total
        ",,",  # no order at all
        "R1,5,",  # a total of its own
        "R1,,SEK",
    ],
)
def test_a_row_that_is_not_surely_a_further_one_stays_a_reject_or_a_row(read: Any, row: str) -> None:
    outcome = read(f"reference,amount,currency,note\nR1,1,EUR,\n{row},x\n", continuation_rows="empty")

    assert outcome.report.continuation_rows == 0
    assert outcome.report.rejects == 1


def test_an_order_whose_first_row_has_no_total_is_told_once(read: Any) -> None:
    outcome = read("reference,amount,currency\nR1,1,EUR\nR2,,\nR2,,\nR2,,\n", continuation_rows="empty")

    assert [line for line, *_ in outcome.reasons] == ["3", "3"]
    assert (outcome.report.rejects, outcome.report.continuation_rows) == (1, 2)


@pytest.mark.parametrize("kind", ["empty", "repeated"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_it_makes_no_difference_where_a_block_ends(
    read: Any, monkeypatch: pytest.MonkeyPatch, kind: str, quote: str
) -> None:
    more = ",," if kind == "empty" else ",1.00,EUR"
    rows = [f"{quote}R{n}{quote}{',1.00,EUR' if item == 0 else more}" for n in range(60) for item in range(n % 4 + 1)]
    text = "\n".join(("reference,amount,currency", *rows))
    whole = read(text, continuation_rows=kind)

    monkeypatch.setattr("reconcile.orders.text.blocks.BLOCK_BYTES", 50)
    pieces = read(text, continuation_rows=kind)

    assert whole.columns("reference") == [(f"R{n}",) for n in range(60)]
    assert whole.report.continuation_rows == 90
    assert pieces.rows == whole.rows
    assert (pieces.rejects, pieces.report.continuation_rows) == ([], 90)


def test_the_first_row_of_a_file_never_goes_on_with_the_file_before(read: Any, tmp_path: Any) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("reference,amount,currency\nR1,1.00,EUR\n")

    outcome = read.paths(tmp_path / "*.csv", continuation_rows="repeated")

    assert outcome.columns("reference") == [("R1",), ("R1",)]


def test_totals_that_may_be_repeated_on_each_line_are_a_caution_where_rows_are_added_up(read: Any) -> None:
    lines = XERO.replace("InvoiceNumber", "Invoice").replace("InvoiceAmountDue", "Line total")

    (warning,) = grouping_warnings(read(lines).report)

    assert 'column "Line total" suggests order lines' in warning.text
    assert grouping_warnings(read(lines, continuation_rows="repeated").report) == []
    assert grouping_warnings(read(XERO).report) == []
    assert grouping_warnings(read("reference,amount,currency,note\nR1,1,EUR,x\n").report) == []
