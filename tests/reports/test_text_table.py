"""Tables and lines of text on a terminal that is too narrow for them."""

from __future__ import annotations

import pytest

from reconcile.reports.text_table import TextTable, fitted, fold, render, without

ROWS = [("r1", "matched", "1.00"), ("r2", "a word, and so many more that they fit no line", "-22.50")]
TABLE = TextTable(("Run", "Words", "Amount"), frozenset({"Run", "Words"}), ROWS, ["", ""])

STACKED = """\
r1
  Words                          matched
  Amount                            1.00
r2
  Words
    a word, and so many more that they
    fit no line
  Amount                          -22.50"""


def test_words_that_do_not_fit_beside_their_name_go_below_it() -> None:
    assert render(TABLE, 40, colour=False) == STACKED


def test_values_stand_no_further_from_their_names_than_the_widest_needs() -> None:
    table = TextTable(TABLE.header, TABLE.left, [("r" * 90, "matched", "1.00"), ("r2", "x" * 50, "2.00")], ["", ""])
    lines = render(table, 80, colour=False).splitlines()

    assert max(len(line) for line in lines if not line.startswith("r")) == len("  Words ") + 50
    assert "  Words" + "matched".rjust(51) in lines


BREAKS = TextTable(
    ("Break", "Reference", "Code", "Sum", "Cause"),
    frozenset({"Break", "Reference", "Code", "Cause"}),
    [("4b5902e8", "NW-2611-100812", "amount_mismatch", "-1.00", "the order total is 100 times the payment")],
    [""],
)
"""Its columns are 8, 14, 15, 5 and 40 wide, with two blanks between them: 90."""


def on(width: int | None) -> list[str]:
    table = fitted(BREAKS, width, spare=("Code", "Cause"), whole=("Break", "Reference"))
    return render(table, width, colour=False).splitlines()[1:]


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (None, "4b5902e8  NW-2611-100812  amount_mismatch  -1.00  the order total is 100 times the payment"),
        (90, "4b5902e8  NW-2611-100812  amount_mismatch  -1.00  the order total is 100 times the payment"),
        (89, "4b5902e8  NW-2611-100812  amount_mismatch  -1.00  the order total is 100 times the payme…"),
        (70, "4b5902e8  NW-2611-100812  amount_mismatch  -1.00  the order total is…"),
        (69, "4b5902e8  NW-2611-100812  -1.00  the order total is 100 times the pa…"),
        (53, "4b5902e8  NW-2611-100812  -1.00  the order total is…"),
        (52, "4b5902e8  NW-2611-100812  -1.00"),
        (31, "4b5902e8  NW-2611-100812  -1.00"),
        (30, "4b5902e8  NW-2611-1008…  -1.00"),
        (26, "4b5902e8  NW-2611-…  -1.00"),
    ],
)
def test_words_are_cut_before_columns_go_and_what_names_a_row_at_last(width: int | None, line: str) -> None:
    """The widest words first, down to 20 columns; then Code, then Cause; then the reference, and never the id."""
    assert on(width) == [line]


def test_what_fits_in_no_way_has_all_its_cells_one_below_the_other() -> None:
    assert on(25) == [
        "  Reference", "    NW-2611-100812", "  Code    amount_mismatch", "  Sum               -1.00", "  Cause",
        "    the order total is", "    100 times the payment",
    ]  # fmt: skip


def test_wide_signs_are_cut_to_columns_and_not_to_signs() -> None:
    table = TextTable(
        ("Run", "Words"), frozenset({"Run", "Words"}), [("r1", "金額が一致しない注文です。確認が必要です")], [""]
    )

    assert (
        render(fitted(table, 30, whole=("Run",)), 30, colour=False).splitlines()[1] == "r1   金額が一致しない注文です…"
    )


def test_a_column_of_figures_is_never_cut() -> None:
    table = TextTable(("Run", "Sum"), frozenset({"Run"}), [("a name of many words", "123,456,789.00")], [""])

    assert render(fitted(table, 24, spare=()), 24, colour=False).splitlines()[1] == "a name…  123,456,789.00"


def test_a_table_without_some_columns_has_all_others() -> None:
    fewer = without(BREAKS, ["Code", "Sum"])

    assert fewer.header == ("Break", "Reference", "Cause")
    assert [len(row) for row in fewer.rows] == [3]


@pytest.mark.parametrize(
    ("line", "folded"),
    [
        ("ok    settings     short", "ok    settings     short"),
        (
            "ok    settings     words that go on below themselves",
            "ok    settings     words that go on\n                   below themselves",
        ),
        (
            "    a_column_with_a_long_name     a value of several words",
            "    a_column_with_a_long_name     a\n      value of several words",
        ),
        ("x" * 50, "x" * 50),
        ("  see " + "x" * 50, "  see\n    " + "x" * 50),
    ],
    ids=["fits", "below its text", "too narrow for that", "no word is broken", "a long word below"],
)
def test_a_line_is_folded_below_its_text(line: str, folded: str) -> None:
    assert fold(line, 40) == folded
