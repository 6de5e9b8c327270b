"""Rows that are wider or shorter than their header, columns by position, and the line of the header by option."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.format import OrderFormat

ROWS = [("A1", 1000), ("A2", 2000)]
CAREFUL = 'A"9,1.00,EUR\n'  # a quote inside a cell: the block is read record by record


@pytest.mark.parametrize(
    "text",
    [
        "reference,total,currency,,,\nA1,10.00,EUR\nA2,20.00,EUR\n",
        "reference,total,currency\nA1,10.00,EUR,\nA2,20.00,EUR,\n",
        "reference,total,currency\nA1,10.00,EUR\nA2,20.00,EUR, ,\n",
        "reference,total,currency,note\nA1,10.00,EUR\nA2,20.00,EUR,x\n",
        "reference,total,currency,note,more\nA1,10.00,EUR\nA2,20.00,EUR\n",
        ",reference,total,currency\n0,A1,10.00,EUR\n1,A2,20.00,EUR\n",
    ],
)
@pytest.mark.parametrize("is_careful", [False, True])
def test_cells_that_have_no_name_and_nothing_in_them_make_no_difference(read: Any, text: str, is_careful: bool) -> None:
    first = "9," if text.startswith(",") else ""
    outcome = read(text + (first + CAREFUL if is_careful else ""))

    more = [('A"9', 100)] if is_careful else []
    assert outcome.columns("reference", "amount_cents") == ROWS + more
    assert outcome.rejects == []
    assert outcome.columns("source_line") == [(line,) for line in range(2, 4 + is_careful)]


@pytest.mark.parametrize(
    ("rows", "line", "reason"),
    [
        ("A1,10.00,EUR,\nA2,1,020.00,EUR\n", "3", "has 4 cells, the header has 3"),
        ("A1,10.00,EUR,,\nA2,1,020.00,EUR\n", "3", "has 4 cells, the header has 3"),
        ("A1,10.00,EUR,,\nA2,20.00,EUR,,x\n", "3", "has 5 cells, the header has 3"),
        ("A1,10.00,EUR\nA2,20.00\n", "3", "has 2 cells, the header has 3"),
        ("A1,10.00,EUR\nA2\n", "3", "has 1 cell, the header has 3"),
        ("A1,10.00,EUR,\n,,,x\n", "3", "has 4 cells, the header has 3"),
        ("A1,10.00,EUR\nx,A2,1,843.5,EUR\n", "3", "has 5 cells, the header has 3"),
    ],
)
def test_nobody_knows_which_cell_is_which_where_there_are_too_many_or_too_few(
    read: Any, rows: str, line: str, reason: str
) -> None:
    outcome = read("reference,total,currency\n" + rows, currency="EUR")

    assert outcome.columns("reference", "amount_cents") == [("A1", 1000)]
    assert [(row["source_line"], row["reason"]) for row in outcome.rejects] == [(line, reason)]


def test_the_rows_stay_in_their_order_wherever_short_ones_stand(read: Any) -> None:
    rows = "".join(f"A{n},{n}.00,EUR{'' if n % 3 else ',note'}\n" for n in range(1, 200))

    outcome = read("reference,total,currency,note\n" + rows)

    assert outcome.columns("reference", "amount_cents", "source_line") == [
        (f"A{n}", 100 * n, n + 1) for n in range(1, 200)
    ]


def test_a_column_may_be_named_by_its_position(read: Any) -> None:
    text = "number,total,total,currency,number\nA1,9.00,10.00,EUR,1\nA2,19.00,20.00,EUR,2\n"

    outcome = read(text, reference_column="#1", amount_column="#3", order_number_column="#5")

    assert outcome.columns("reference", "order_number", "amount_cents") == [("A1", "1", 1000), ("A2", "2", 2000)]
    with pytest.raises(OrderFileError) as caught:
        read(text, reference_column="number", amount_column="#3")
    assert caught.value.hint == 'name it by its position, e.g. --reference-column "#1", or name another column'
    with pytest.raises(OrderFileError, match='there is no column "#6"'):
        read(text, reference_column="#6", amount_column="#3")


def test_a_column_that_is_called_like_a_position_goes_first(read: Any) -> None:
    outcome = read("reference,total,#1,currency\nA1,9.00,A9,EUR\n", reference_column="#1")

    assert outcome.columns("reference") == [("A9",)]


TWO_TABLES = """Summary
reference;total;currency
All;30.00;EUR

Details
reference;total;currency
A1;10.00;EUR
A2;20.00;EUR
"""


def test_of_several_lines_that_could_be_the_header_one_must_be_named(read: Any) -> None:
    with pytest.raises(OrderFileError, match="several lines could be the header: 2, 6") as caught:
        read(TWO_TABLES)

    assert (caught.value.hint or "").startswith(
        "if the header is line 6, add --header-line 6: reads 2 rows (EUR 30.00), 0 rejected; or if the header is line 2"
    )
    outcome = read(TWO_TABLES, header_line=6)
    assert outcome.columns("reference", "amount_cents", "source_line") == [("A1", 1000, 7), ("A2", 2000, 8)]


def test_the_header_is_found_far_down_and_where_it_is_declared(read: Any) -> None:
    above = "".join(f"Line {n} of a long letter\n" for n in range(60))

    assert read(above + "reference;total;currency\nA1;10.00;EUR\n").columns("source_line") == [(62,)]
    outcome = read(above + "key;sum;money\nA1;10.00;EUR\n", header_line=61, reference_column="key",
                   amount_column="sum", currency_column="money")  # fmt: skip
    assert outcome.columns("reference", "source_line") == [("A1", 62)]


def test_a_line_that_is_not_there_is_an_error(read: Any) -> None:
    with pytest.raises(OrderFileError, match="there is no header in line 9"):
        read("reference,total,currency\nA1,10.00,EUR\n", header_line=9)
    with pytest.raises(SettingsError):
        OrderFormat(header_line=0)
