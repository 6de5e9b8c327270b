"""A look at order totals tells what a run would read."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.inspection import CurrencyTotal, inspect_orders


def written(folder: Path, *lines: str) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join(("reference,order_number,total,currency,note", *lines)) + "\n")
    return path


def test_keys_are_counted_with_and_without_a_value_and_shared_ones_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "B,1,1.00,EUR,", "B,2,2.00,EUR,", "A,2,3.00,SEK,", ",2,4.00,EUR,", " ,,5.00,EUR,")

    reference, number, order_id = inspect_orders(path).keys

    assert (reference.rows, reference.without, reference.distinct, reference.shared) == (3, 2, 2, 2)
    assert reference.examples == ("B",)
    assert (number.rows, number.without, number.distinct, number.shared) == (4, 1, 2, 3)
    assert (order_id.rows, order_id.without, order_id.distinct, order_id.shared) == (0, 5, 0, 0)


def test_totals_are_exact_per_currency(tmp_path: Path) -> None:
    path = written(tmp_path, "A,,90071992547409.93,EUR,", "B,,0.01,EUR,", "C,,-5,JPY,")

    assert inspect_orders(path).totals == (
        CurrencyTotal("EUR", 2, 9007199254740994),
        CurrencyTotal("JPY", 1, -5),
    )


def test_first_rows_are_those_of_the_first_file_and_no_more_than_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"R{number},,1.00,EUR," for number in range(100)))

    look = inspect_orders(path, first_rows=3)

    assert [row["reference"] for row in look.first_rows] == ["R0", "R1", "R2"]
    assert look.report.rows == 100


def test_rejects_are_shown_but_stop_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, *(f"R{number},,x,EUR," for number in range(30)), "A,,1.00,EUR,")

    look = inspect_orders(path, first_rejects=2)

    assert [(one["source_line"], one["value"]) for one in look.rejects] == [("2", "x"), ("3", "x")]
    assert look.report.rejects == 30
    assert look.report.rows == 1


def test_columns_without_a_meaning_are_told(tmp_path: Path) -> None:
    (file,) = inspect_orders(written(tmp_path, "A,,1.00,EUR,n")).report.files

    assert file.unread == ("note",)


def test_a_file_that_cannot_be_read_is_an_error_as_in_a_run(tmp_path: Path) -> None:
    with pytest.raises(OrderFileError, match="no such file"):
        inspect_orders(tmp_path / "none.csv")
