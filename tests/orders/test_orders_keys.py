"""An order table needs one key, whichever: its reference, the order's number or its id."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile.errors import OrderFileError


@pytest.mark.parametrize("key", ["reference", "order_number", "order_id"])
def test_any_one_key_is_enough(read: Any, key: str) -> None:
    rows = read(f"{key},total,currency\n K-1 ,10.00,EUR\n,,\nK-2,20.00,EUR\n")

    assert rows.columns(key, "amount_cents", "source_line") == [("K-1", 1000, 2), ("K-2", 2000, 4)]
    others = {"reference", "order_number", "order_id"} - {key}
    assert rows.columns(*sorted(others)) == [(None, None), (None, None)]


def test_further_rows_of_an_order_are_known_by_the_key_that_is_there(read: Any) -> None:
    text = "order_number,total,currency\n1,10.00,EUR\n1,,\n2,20.00,EUR\n"
    rows = read(text, continuation_rows="empty")

    assert rows.columns("order_number", "amount_cents") == [("1", 1000), ("2", 2000)]


def test_a_table_without_any_key_is_refused(read: Any) -> None:
    with pytest.raises(OrderFileError, match="there is no reference column"):
        read("total,currency\n10.00,EUR\n")


def test_a_reference_that_may_be_there_under_another_name_is_asked_for(read: Any) -> None:
    text = "Ihre Referenz,order_number,total,currency\nR1,1,10.00,EUR\n"
    with pytest.raises(OrderFileError, match="no column is clearly the reference"):
        read(text)

    assert read(text, reference_column="Ihre Referenz").columns("reference", "order_number") == [("R1", "1")]
    assert read(text, reference_column="").columns("reference", "order_number") == [(None, "1")]


ALMOST_PLAIN = st.text("A0", min_size=1, max_size=3)
KEYS = ALMOST_PLAIN | st.builds(
    "".join, st.tuples(st.sampled_from(["", "'", "=", " ", "+", "é", "-"]), ALMOST_PLAIN, st.sampled_from("0.a +Ee"))
)
ODD = [
    "'00",
    "'A0",
    "=A0",
    "0.0",
    "A.0",
    "A.10",
    "0E+0",
    "1e+10",
    "10 ",
    " 10",
    "é0",
    "0",
    "+0",
    "N/A",
    "null",
    "total",
    "-",
]


@settings(max_examples=50)
@given(st.lists(KEYS | st.sampled_from(ODD), min_size=1, max_size=4))
@example(["A0", "1"])
@example([" 10"])
@example(["0", "10.0"])
@example(["A0", "0E+0"])
@example(["A0", "", "A0"])
@example(["e\u03010", "A\u200b0"])
def test_keys_among_plain_ones_mean_what_they_mean_among_others(read: Any, keys: list[str]) -> None:
    """Columns of plain keys are taken as they stand, all others by what each key is: it must not show."""
    lines = [f"{key},1.00,EUR\n" for key in keys]
    header = "order_number,amount,currency\n"

    alone, beside = read(header + "".join(lines)), read(header + "".join(lines) + "Über,3.00,EUR\n")

    names = ("order_number", "amount_cents", "source_line")
    assert [*alone.columns(*names), ("Über", 300, len(keys) + 2)] == beside.columns(*names)
    assert alone.reasons == beside.reasons
    assert alone.report.tidied == beside.report.tidied
