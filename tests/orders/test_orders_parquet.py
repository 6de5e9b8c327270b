"""Parquet: exact types are read, doubles at 15 digits, other floats are refused, and our own file passes through."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.read import read_orders_to_parquet
from reconcile.schema import ORDERS


@pytest.fixture
def read_table(read: Any, tmp_path: Path) -> Any:
    def read_it(columns: dict[str, pa.Array], **declared: Any) -> Any:
        path = tmp_path / "orders.parquet"
        count = len(next(iter(columns.values())))
        filled = {"reference": pa.array(["R"] * count), "amount": pa.array(["1"] * count), "currency": ["EUR"] * count}
        pq.write_table(pa.table({**filled, **columns}), path)
        return read.paths(path, **declared)

    return read_it


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array(["007", " x ", None]), ["007", "x", None]),
        (pa.array(["007", "x", None], pa.large_string()), ["007", "x", None]),
        (pa.array(["007", "x", None]).dictionary_encode(), ["007", "x", None]),
        (pa.array([b"007", b"x", None]), ["007", "x", None]),
        (pa.array([7, -(2**63), None]), ["7", str(-(2**63)), None]),
        (pa.array([Decimal(10**29), None], pa.decimal128(30, 0)), [str(10**29), None]),
    ],
)
def test_references_keep_their_digits(read_table: Any, column: pa.Array, texts: list[str | None]) -> None:
    assert read_table({"reference": column}).columns("reference") == [(text,) for text in texts]


@pytest.mark.parametrize(
    ("column", "cents"),
    [
        (pa.array(["12.30", "-1"]), [1230, -100]),
        (pa.array([12, -1]), [1200, -100]),
        (pa.array([Decimal("12.3000"), Decimal("-0.5000")], pa.decimal128(18, 4)), [1230, -50]),
        (pa.array([Decimal(0), Decimal("100")], pa.decimal128(30, 10)), [0, 10000]),
        (pa.array([Decimal("1200"), Decimal(0)], pa.decimal256(40, 2)), [120000, 0]),
    ],
)
def test_exact_amounts_are_read_exactly(read_table: Any, column: pa.Array, cents: list[int]) -> None:
    assert read_table({"amount": column}).columns("amount_cents") == [(value,) for value in cents]


def test_typed_amounts_do_not_follow_the_separators_declared_for_texts(read_table: Any) -> None:
    column = pa.array([Decimal("12.30")], pa.decimal128(18, 2))

    assert read_table({"amount": column}, decimal=",", thousands=".").columns("amount_cents") == [(1230,)]


def test_a_decimal_with_more_than_the_currencys_digits_is_rejected(read_table: Any) -> None:
    outcome = read_table({"amount": pa.array([Decimal("12.3450")], pa.decimal128(18, 4))})

    assert outcome.reasons == [("1", "amount", "12.345", "has more decimals than EUR, which has 2")]


@pytest.mark.parametrize(
    ("name", "kind", "remedy"),
    [
        ("reference", pa.float64(), "export it as text"),
        ("reference", pa.float32(), "export it as text"),
        ("amount", pa.float32(), "export it as text, as a decimal or in whole cents"),
        ("amount", pa.float16(), "export it as text, as a decimal or in whole cents"),
    ],
)
def test_floats_that_have_lost_digits_are_never_trusted(
    read_table: Any, name: str, kind: pa.DataType, remedy: str
) -> None:
    with pytest.raises(OrderFileError) as caught:
        read_table({name: pa.array([1.0]).cast(kind)})

    assert caught.value.column == name
    assert f'column "{name}" is a float ({kind}): its digits are no longer exact' in str(caught.value)
    assert caught.value.hint == f"{remedy}, or name another column with --{name}-column"


def test_doubles_are_amounts_at_fifteen_digits_and_the_report_says_so(read_table: Any) -> None:
    values = [19.99, 0.1 + 0.2, -1234567.1, 1000.0, 19.989999999999998, 0.125, 1e22, float("nan"), float("inf"), None]

    outcome = read_table({"amount": pa.array(values, pa.float64())}, decimal=",")

    assert outcome.columns("amount_cents") == [(1999,), (30,), (-123456710,), (100000,), (1999,)]
    assert [(line, value, reason) for line, _, value, reason in outcome.reasons] == [
        ("6", "0.125", "has more decimals than EUR, which has 2"),
        ("7", "1e+22", "is not an amount in EUR"),
        ("8", "", "is empty"),
        ("9", "inf", "is not an amount in EUR"),
        ("10", "", "is empty"),
    ]
    assert outcome.report.files[0].floats == ("amount",)
    assert read_table({"amount": pa.array([1])}).report.files[0].floats == ()


def test_members_of_structs_are_columns_with_dots(read: Any, tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": ["a", "b", "c"],
            "totals": [{"total": "1.00", "more": {"currency": "EUR"}}, None, {"total": "3.00", "more": None}],
            "keys": [{"reference": "A"}, {"reference": "B"}, {"reference": "C"}],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")

    outcome = read.paths(tmp_path / "a.parquet", only={"keys.reference": ("A", "B")})

    assert outcome.columns("reference", "amount_cents", "currency_code") == [("A", 100, "EUR")]
    assert [(line, column) for line, column, _, _ in outcome.reasons] == [
        ("2", "totals.total"),
        ("2", "totals.more.currency"),
    ]
    assert outcome.report.files[0].unread == ("id",)


def test_doubles_in_a_column_of_cents_are_whole_cents(read_table: Any) -> None:
    outcome = read_table({"amount": pa.array([1050.0, 10.5])}, amount_unit="minor")

    assert outcome.columns("amount_cents") == [(1050,)]
    assert [reason[3] for reason in outcome.reasons] == ["is not a whole number of minor units"]


def test_other_types_are_refused_by_name(read_table: Any) -> None:
    with pytest.raises(OrderFileError, match='column "reference" is bool, which is not valid as reference'):
        read_table({"reference": pa.array([True])})


@pytest.mark.parametrize(
    "column",
    [
        pa.array([date(2026, 3, 29)]),
        pa.array([datetime.fromisoformat("2026-03-29T23:59")], pa.timestamp("us")),
        pa.array([datetime(2026, 3, 29, 23, 59, tzinfo=UTC)], pa.timestamp("ms", "UTC")),
        pa.array(["2026-03-29T23:59:59+02:00"]),
    ],
)
def test_dates_are_cut_from_times(read_table: Any, column: pa.Array) -> None:
    assert read_table({"order_date": column}).columns("ordered_on") == [(date(2026, 3, 29),)]


def test_a_row_is_named_by_its_number(read_table: Any) -> None:
    assert read_table({"amount": pa.array(["1", None, "2"])}).columns("source_line") == [(1,), (3,)]


def test_texts_that_are_not_utf_8_are_refused(read_table: Any) -> None:
    with pytest.raises(OrderFileError, match="is not a readable Parquet file"):
        read_table({"reference": pa.array([b"\xff\xfe"])})


def test_our_own_file_passes_through_unchanged(read: Any, tmp_path: Path) -> None:
    source = tmp_path / "erp.csv"
    source.write_text("reference,amount,currency,order_date\n é ,1.00,EUR,2026-01-02\n,2,JPY,\n")
    first, second = tmp_path / "orders.parquet", tmp_path / "again.parquet"
    read_orders_to_parquet(source, first, rejects=tmp_path / "r.csv")

    report = read_orders_to_parquet(first, second, rejects=tmp_path / "r.csv")

    assert second.read_bytes() == first.read_bytes()
    assert report.rows == 2
    assert pq.read_schema(second).equals(ORDERS, check_metadata=True)


@pytest.mark.parametrize(
    ("name", "values", "problem"),
    [
        ("amount_cents", pa.array([1.0]), "its type is double, not int64"),
        ("currency_code", pa.array(["EURO"]), '"EURO" is not an ISO 4217 currency code'),
        ("reference", pa.array([" R1"]), "some keys are blank, padded or not Unicode NFC"),
    ],
)
def test_a_file_with_our_columns_and_other_content_is_refused(
    read: Any, tmp_path: Path, name: str, values: pa.Array, problem: str
) -> None:
    cells = {field.name: pa.nulls(1, field.type) for field in ORDERS} | {name: values}
    pq.write_table(pa.table(cells), tmp_path / "orders.parquet")

    with pytest.raises(OrderFileError, match=problem) as caught:
        read.paths(tmp_path / "orders.parquet")

    assert caught.value.column == name


@pytest.mark.parametrize("content", [b"", b"PAR1", b"reference,amount\n" * 10])
def test_a_file_that_is_no_parquet_is_one_error(read: Any, content: bytes) -> None:
    with pytest.raises(OrderFileError, match="is not a readable Parquet file"):
        read(content, name="orders.parquet")


def test_a_damaged_page_is_one_error(read: Any, tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"reference": ["R" * 50] * 99, "amount": ["1"] * 99, "currency": ["EUR"] * 99}), path)
    damaged = bytearray(path.read_bytes())
    damaged[4:40] = b"\xff" * 36
    path.write_bytes(damaged)

    with pytest.raises(OrderFileError, match="is not a readable Parquet file"):
        read.paths(path)


def test_a_file_of_orders_of_an_earlier_version_is_our_own_and_has_nulls_for_newer_columns(
    read: Any, tmp_path: Path
) -> None:
    row = {"reference": "A", "amount_cents": 5, "currency_code": "EUR", "source_file": "erp.csv", "source_line": 7}
    own = pa.Table.from_pylist([row | {"method": "klarna"}], ORDERS)
    earlier = own.select(ORDERS.names[:10])
    assert earlier.column_names[-1] == "amount_raw"

    pq.write_table(earlier, tmp_path / "earlier.parquet")
    pq.write_table(own, tmp_path / "own.parquet")

    found = [read.paths(tmp_path / name).rows for name in ("earlier.parquet", "own.parquet")]

    assert found == [[dict.fromkeys(ORDERS.names) | row], [dict.fromkeys(ORDERS.names) | row | {"method": "klarna"}]]
