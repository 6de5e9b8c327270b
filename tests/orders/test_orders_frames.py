"""Order totals in a frame: read by the rules for files, whatever kind of frame it is, and given back as that kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import reconcile
from reconcile.matching.frames import table_of
from reconcile.orders.format import OrderFormat
from reconcile.orders.typed.frame import OrdersFrame, open_frame
from reconcile.schema import ORDERS

CSV = """\
Order reference,Gross total,Currency,Order date
 007,"1,234.50",EUR,2026-11-02
B2,-12.3,EUR,2026-11-03
C3,40,JPY,
"""
KINDS: dict[str, Callable[[str], Any]] = {
    "pandas of numpy": lambda path: pd.read_csv(path, dtype=object, keep_default_na=False, na_values=[""]),
    "pandas, nullable": lambda path: pd.read_csv(path, dtype="string", dtype_backend="numpy_nullable"),
    "pandas of Arrow": lambda path: pd.read_csv(path, dtype="string[pyarrow]"),
    "polars": lambda path: pl.read_csv(path, infer_schema=False),
    "polars, lazy": lambda path: pl.scan_csv(path, infer_schema=False),
    "arrow": lambda path: pa.Table.from_pandas(pd.read_csv(path, dtype="string")),
    "duckdb": lambda path: duckdb.read_csv(path, all_varchar=True),
}


@pytest.fixture
def book(tmp_path: Path) -> str:
    path = tmp_path / "book.csv"
    path.write_text(CSV, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_is_read_as_its_file_would_be(kind: str, book: str) -> None:
    given = KINDS[kind](book)
    found = reconcile.read_orders(given, thousands=",")
    of_file = table_of(reconcile.read_orders(book, thousands=","), "orders").to_pylist()

    assert type(found) is type(given)
    assert table_of(found, "orders").cast(ORDERS).to_pylist() == [
        {**row, "source_file": "orders", "source_line": row["source_line"] - 1} for row in of_file
    ]
    assert [row["amount_cents"] for row in of_file] == [123450, -1230, 40]


def test_numbers_with_types_keep_their_digits() -> None:
    amounts = [Decimal("12.30"), Decimal("-0.05")]
    frames = {
        "objects": pd.DataFrame({"reference": [7, 8], "total": amounts, "currency": "EUR"}),
        "doubles": pd.DataFrame({"reference": [7, 8], "total": [12.3, -0.05], "currency": "EUR"}),
        "Arrow": pa.table(
            {"reference": [7, 8], "total": pa.array(amounts, pa.decimal128(9, 4)), "currency": ["EUR"] * 2}
        ),
        "DuckDB": duckdb.sql(
            "SELECT * FROM (VALUES (7, 12.30, 'EUR'), (8, -0.05, 'EUR')) AS t (reference, total, currency)"
        ),
    }
    for kind, frame in frames.items():
        rows = table_of(reconcile.read_orders(frame), "orders").to_pylist()

        assert [(row["reference"], row["amount_cents"]) for row in rows] == [("7", 1230), ("8", -5)], kind


FLOATS: dict[str, Callable[[list[float | None]], Any]] = {
    "numpy": lambda values: of_totals(pd.Series(values, dtype="float64")),
    "nullable": lambda values: of_totals(pd.Series(values, dtype="Float64")),
    "Arrow in pandas": lambda values: of_totals(pd.Series(values, dtype="double[pyarrow]")),
    "objects": lambda values: of_totals(pd.Series(values, dtype=object)),
    "Arrow": lambda values: pa.table(
        {"reference": references(values), "total": pa.array(values, pa.float64()), "currency": ["EUR"] * len(values)}
    ),
    "Polars": lambda values: pl.DataFrame({"reference": references(values), "total": values, "currency": "EUR"}),
    "DuckDB": lambda values: duckdb.from_arrow(FLOATS["Arrow"](values)),
}


def references(values: Sequence[object]) -> list[str]:
    return [f"R{at}" for at in range(len(values))]


def of_totals(totals: Any) -> pd.DataFrame:
    return pd.DataFrame({"reference": references(totals), "total": totals, "currency": "EUR"})


@pytest.mark.parametrize("kind", FLOATS)
def test_amounts_that_are_floats_are_read_at_15_digits_where_that_is_exact(kind: str) -> None:
    frame = FLOATS[kind]([12.3, 0.1 + 0.2, 19.989999999999998, -1e9, 999999999999.99])

    rows = table_of(reconcile.read_orders(frame), "orders").to_pylist()

    assert [row["amount_cents"] for row in rows] == [1230, 30, 1999, -(10**11), 99999999999999]
    assert [row["amount_raw"] for row in rows][:3] == ["12.3", "0.3", "19.99"]


@pytest.mark.parametrize("kind", FLOATS)
def test_a_missing_amount_among_floats_is_a_row_that_cannot_be_read(kind: str) -> None:
    for missing in (None, math.nan):
        with pytest.raises(reconcile.ReconcileError, match="orders:2: total is empty"):
            reconcile.read_orders(FLOATS[kind]([12.3, missing]))


@pytest.mark.parametrize("kind", FLOATS)
def test_minor_units_that_a_null_has_made_floats_are_whole_numbers(kind: str) -> None:
    table = table_of(FLOATS[kind]([1230.0, 2.0**53 - 1]), "orders").rename_columns(
        ["reference", "amount_cents", "currency"]
    )

    assert reconcile.read_orders(table)["amount_cents"].to_pylist() == [1230, 2**53 - 1]
    for wrong in (12.5, 2.0**53):
        changed = table.set_column(1, "amount_cents", pa.array([1230.0, wrong]))
        with pytest.raises(reconcile.ReconcileError, match="orders:2: amount_cents"):
            reconcile.read_orders(changed)


def test_that_an_amount_was_a_float_is_in_the_report() -> None:
    for total, floats in ((12.3, ("total",)), ("12.3", ())):
        frame = pa.table({"reference": ["A"], "total": [total], "currency": ["EUR"]})

        assert open_frame(OrdersFrame(frame), OrderFormat()).floats == floats


def test_what_was_read_may_be_read_again_as_it_is(book: str) -> None:
    orders = reconcile.read_orders(book, thousands=",")
    chosen = orders[orders["currency_code"] == "EUR"]

    pd.testing.assert_frame_equal(reconcile.read_orders(chosen), chosen.reset_index(drop=True))


def test_columns_and_units_are_declared_by_keywords() -> None:
    frame = pd.DataFrame({"Ref": ["A"], "Betrag": ["1.701,50"], "Art": ["Rechnung"]})
    (row,) = reconcile.read_orders(
        frame,
        reference_column="Ref",
        amount_column="Betrag",
        decimal=",",
        thousands=".",
        currency="SEK",
        only={"Art": ["Rechnung"]},
    ).to_dict("records")

    assert (row["reference"], row["amount_cents"], row["currency_code"]) == ("A", 170150, "SEK")


def test_rows_that_cannot_be_read_are_told_by_their_number(tmp_path: Path) -> None:
    frame = pl.DataFrame({"reference": ["A", "B"], "total": ["12.30", "12,3O"], "currency": ["EUR", "EUR"]})
    with pytest.raises(reconcile.ReconcileError, match='orders:2: total "12,3O" is not an amount in EUR'):
        reconcile.read_orders(frame)
    rejects = tmp_path / "rejects.csv"

    assert reconcile.read_orders(frame, max_rejects=1, rejects=rejects)["reference"].to_list() == ["A"]
    assert "12,3O" in rejects.read_text(encoding="utf-8")


BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a float of 32 bits": (
        lambda: reconcile.read_orders(
            pd.DataFrame({"reference": ["A"], "total": [12.3], "currency": ["EUR"]}).astype({"total": "float32"})
        ),
        'orders: column "total" is a float (float): its digits are no longer exact',
        'read the column as text, as a decimal or in whole cents (in pandas, dtype={"total": "string"} when the file',
    ),
    "a reference that is a float": (
        lambda: reconcile.read_orders(pd.DataFrame({"reference": [7.0], "total": ["12.30"], "currency": ["EUR"]})),
        'orders: column "reference" is a float (double): its digits are no longer exact',
        'read the column as text (in pandas, dtype={"reference": "string"} when the file is read)',
    ),
    "a float with more decimals than its currency": (
        lambda: reconcile.read_orders(FLOATS["numpy"]([12.3, 0.1 + 0.2, 12.345, 1.001])),
        "orders: 2 rows cannot be read, 0 allowed\n"
        '  orders:3: total "12.345" has more decimals than EUR, which has 2\n'
        '  orders:4: total "1.001" has more decimals than EUR, which has 2',
        "export the decimals of the currency: nothing is rounded here",
    ),
    "no key": (
        lambda: reconcile.read_orders(pa.table({"total": ["12.30"], "currency": ["EUR"]})),
        'orders: there is no reference column among "total", "currency"',
        "",
    ),
    "a number": (
        lambda: reconcile.read_orders(5),
        "orders: is of type int, neither paths nor a frame",
        'read_orders("orders.csv"), read_orders(["october.csv", "november.csv"]) or read_orders(frame)',
    ),
    "frames in a list": (
        lambda: reconcile.read_orders([pd.DataFrame({"a": [1]})]),
        "orders: is of type list, neither paths nor a frame",
        'read_orders("orders.csv")',
    ),
    "a query, too": (
        lambda: reconcile.read_orders(pd.DataFrame({"a": [1]}), sql="SELECT 1", database="duckdb:x"),
        "a frame and a query are given",
        "read each by itself",
    ),
    "a wrong word": (
        lambda: reconcile.read_orders(pd.DataFrame({"a": [1]}), header_line="first"),
        "header_line: expected a whole number",
        "",
    ),
    "a word for a list": (
        lambda: reconcile.read_orders(pd.DataFrame({"a": [1]}), only={"Type": "sale"}),
        "only: expected a list",
        "",
    ),
    "rejects that are no number": (
        lambda: reconcile.read_orders(pd.DataFrame({"a": [1]}), max_rejects="few"),
        "max_rejects: expected a whole number",
        "",
    ),
}


@pytest.mark.parametrize("given", BAD)
def test_what_cannot_be_read_is_told_with_the_remedy(given: str) -> None:
    call, message, hint = BAD[given]
    with pytest.raises(reconcile.ReconcileError) as caught:
        call()

    assert caught.value.message.startswith(message)
    assert (caught.value.hint or "").startswith(hint)


def test_the_digest_of_a_frame_is_that_of_its_rows_however_they_came() -> None:
    table = pa.table({"reference": ["A", "B", "C"]})
    parts = pa.concat_tables([table.slice(0, 1), table.slice(1)])

    assert OrdersFrame(table).digest() == OrdersFrame(parts).digest()
    assert OrdersFrame(table).digest() != OrdersFrame(table.slice(1)).digest()
