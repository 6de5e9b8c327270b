"""Tables and lines of text on a terminal that is too narrow for them."""

from __future__ import annotations

import pytest

from reconcile.reports.text_table import TextTable, fold, render, without

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


@pytest.mark.parametrize(
    ("width", "header"),
    [
        (17, ("Run", "Note", "Sum")),
        (16, ("Run", "Sum")),
        (11, ("Run", "Sum")),
        (10, ("Sum",)),
        (2, ("Run", "Note", "Sum")),
    ],
)
def test_spare_columns_go_one_by_one_until_the_rest_fits(width: int, header: tuple[str, ...]) -> None:
    """They are 5, 4, 5 and 4 wide, two blanks between them; where nothing helps, none of them goes."""
    table = TextTable(("Run", "Note", "Empty", "Sum"), frozenset({"Run"}), [("r-123", "good", "", "1.00")], [""])
    fewer = without(table, ["Empty"], ["Note", "Run"], width=width)

    assert (fewer.header, len(fewer.rows[0])) == (header, len(header))


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
