"""Frames of every kind that a user has: equal items, of the kind that was given; and what is no frame."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from matching_world import BUSINESS_DATE, orders_table, payments_table, transactions_table

import reconcile
from reconcile.errors import OrderFileError, PaymentFileError
from reconcile.history.states import BreakStates
from reconcile.matching.frames import table_of
from reconcile.matching.items import RunFacts
from reconcile.matching.match import match_frames
from reconcile.matching.policy import MatchPolicy
from reconcile.schema import ITEMS

RUN = RunFacts(BUSINESS_DATE, None, BreakStates(BUSINESS_DATE))
MOMENT = datetime(2026, 3, 1, 22, 30, 5, 123_000, tzinfo=UTC)
NULLABLE = {pa.int64(): pd.Int64Dtype(), pa.string(): pd.StringDtype(), pa.bool_(): pd.BooleanDtype()}
PAYMENTS_GIVEN = payments_table(
    [
        {"reference": "007", "placed_at": MOMENT, "mismatched_amounts": True},
        {"reference": "B", "amount_cents": 2**53 + 1, "mismatched_amounts": False},
        {"reference": "Ü", "amount_cents": None, "order_number": "17"},
        {"reference": None, "currency_code": "SEK"},
    ]
)
ORDERS_GIVEN = orders_table(
    [
        {"reference": "007", "ordered_on": date(2026, 3, 2)},
        {"reference": "B", "amount_cents": 2**53},
        {"reference": "Z", "amount_cents": None, "currency_code": None},
    ]
)
MONEY_GIVEN = transactions_table([{"type": "captures", "order_id": "O1", "payment_id": "P1"}])


def of_numpy(table: pa.Table) -> pd.DataFrame:
    """A frame of numpy's own types: objects where a value is missing, dates without a zone as in files of text."""
    frame = table.replace_schema_metadata().to_pandas(integer_object_nulls=True)
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in frame if name == "ordered_on"})


def chunks(table: pa.Table) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))


KINDS: dict[str, tuple[Callable[[pa.Table], Any], type]] = {
    "pandas of numpy": (of_numpy, pd.DataFrame),
    "pandas, nullable": (lambda table: table.to_pandas(types_mapper=NULLABLE.get), pd.DataFrame),
    "pandas of Arrow": (lambda table: table.to_pandas(types_mapper=pd.ArrowDtype), pd.DataFrame),
    "pandas, objects": (lambda table: table.to_pandas(types_mapper=pd.ArrowDtype).astype(object), pd.DataFrame),
    "pandas, categories": (lambda table: of_numpy(table).astype({"currency_code": "category"}), pd.DataFrame),
    "pandas, with an index": (lambda table: of_numpy(table).set_index(table.column_names[0]), pd.DataFrame),
    "polars": (pl.from_arrow, pl.DataFrame),
    "polars, lazy": (lambda table: pl.from_arrow(table).lazy(), pl.LazyFrame),
    "arrow": (lambda table: table, pa.Table),
    "arrow, in batches": (chunks, pa.Table),
    "arrow, one batch": (lambda table: table.combine_chunks().to_batches()[0], pa.Table),
    "duckdb": (lambda table: duckdb.from_arrow(table), duckdb.DuckDBPyRelation),
}


@pytest.fixture(scope="module")
def expected() -> pa.Table:
    return match_frames(PAYMENTS_GIVEN, ORDERS_GIVEN, MatchPolicy(), RUN, transactions=MONEY_GIVEN).items


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_gives_equal_items_of_its_kind(kind: str, expected: pa.Table) -> None:
    make, type_ = KINDS[kind]
    sides = [make(table) for table in (PAYMENTS_GIVEN, ORDERS_GIVEN)]
    found = match_frames(*sides, MatchPolicy(), RUN, transactions=make(MONEY_GIVEN)).items

    assert isinstance(found, type_)
    assert table_of(found, "items").cast(ITEMS).equals(expected)


def floated(table: pa.Table) -> pa.Table:
    """Whole numbers as a missing value makes them in pandas."""
    for at, field in enumerate(table.schema):
        if pa.types.is_int64(field.type):
            table = table.set_column(at, field.name, table.column(at).cast(pa.float64()))
    return table


@pytest.mark.parametrize("kind", KINDS)
def test_whole_numbers_that_have_become_floats_give_equal_items(kind: str) -> None:
    payments = payments_table([{"reference": "A"}, {"reference": "B", "amount_cents": 2**53 - 1}, {"reference": "C"}])
    orders = orders_table([{"reference": "A"}, {"reference": "B", "amount_cents": None}, {"reference": "C"}])
    make, _ = KINDS[kind]
    whole, found = (
        reconcile.match_payments(*sides, business_date=BUSINESS_DATE, mode="live").items
        for sides in ((payments, orders), (make(floated(payments)), make(floated(orders))))
    )

    assert table_of(found, "items").cast(ITEMS).equals(whole)


def test_kinds_may_be_mixed_and_the_payments_decide(expected: pa.Table) -> None:
    payments, orders = pl.from_arrow(PAYMENTS_GIVEN), duckdb.from_arrow(ORDERS_GIVEN)
    found = match_frames(payments, orders, MatchPolicy(), RUN, transactions=of_numpy(MONEY_GIVEN)).items

    assert isinstance(found, pl.DataFrame)
    assert found.to_arrow().cast(ITEMS).equals(expected)


def test_items_of_a_relation_can_be_joined_where_it_came_from() -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE table_ AS SELECT 'none of these' AS reference")
    connection.execute("CREATE TABLE notes AS SELECT '007' AS reference, 'call them' AS note")
    items = match_frames(connection.from_arrow(PAYMENTS_GIVEN), ORDERS_GIVEN, MatchPolicy(), RUN).items
    joined = items.join(connection.table("notes"), "reference").select("status, note")

    assert joined.fetchall() == [("flagged_by_api", "call them")]
    assert connection.sql("SELECT count(*) FROM items").fetchall() == [(5,)]
    assert connection.sql("SHOW TABLES").fetchall() == [("notes",), ("table_",)]


def test_sums_in_duckdb_are_whole_numbers() -> None:
    orders = duckdb.sql(
        "SELECT '007' AS reference, sum(cents) AS amount_cents, 'EUR' AS currency_code FROM (VALUES (4000), (6000)) "
        "AS lines (cents) GROUP BY ALL"
    )
    items = match_frames(PAYMENTS_GIVEN.slice(0, 1), orders, MatchPolicy(), RUN).items

    assert (items["status"].to_pylist(), items["order_amount_cents"].to_pylist()) == (["flagged_by_api"], [10000])


def test_a_frame_that_is_written_to_later_changes_nothing() -> None:
    cents = np.array([1, 2])
    frame = pd.DataFrame({"payment_id": ["P1", "P2"], "cents": cents}, copy=False)
    table = table_of(frame, "payments")
    cents[:] = 9

    assert (frame["cents"].tolist(), table.column("cents").to_pylist()) == ([9, 9], [1, 2])


def test_instants_of_any_precision_and_days_with_a_time_are_taken() -> None:
    payments = of_numpy(PAYMENTS_GIVEN.slice(0, 1))
    payments["created_at"] += pd.Timedelta(nanoseconds=1)
    orders = of_numpy(ORDERS_GIVEN.slice(0, 1))
    orders["ordered_on"] += pd.Timedelta(hours=23)
    (item,) = match_frames(payments, orders, MatchPolicy(), RUN).items.to_dict("records")

    assert item["payment_created_at"] == pd.Timestamp("2026-03-01", tz="UTC")
    assert item["ordered_on"] == date(2026, 3, 2)


async def never() -> None:
    """Something to await."""


PARQUET = Path("november.parquet")
BAD: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a path": (
        lambda: PARQUET,
        'is the path "november.parquet", not a frame',
        'read it first: payments = pandas.read_parquet("november.parquet")',
    ),
    "a coroutine": (
        never,
        "is a coroutine, not a frame",
        "write `payments = await …`, or call the function whose name ends in _sync",
    ),
    "nothing": (lambda: None, "is None, not a frame", "give a frame of pandas or Polars, an Arrow table"),
    "rows": (lambda: [{"payment_id": "P1"}], "is of type list, not a frame", "give a frame of pandas or Polars"),
    "a column": (lambda: pd.Series(["P1"]), "is of type Series, not a frame", "give a frame of pandas or Polars"),
    "a column of Polars": (lambda: pl.Series(["P1"]), "is of type Series, not a frame", "give a frame"),
    "an array": (lambda: pa.array(["P1"]), "is of type StringArray, not a frame", "give a frame"),
    "no columns": (pd.DataFrame, "has no columns", "is this the frame that you mean?"),
    "values of two kinds": (
        lambda: pd.DataFrame({"payment_id": [1, "P1"]}),
        "cannot be read: Conversion failed for column payment_id with type object: ",
        "give each column a name of its own, and values of one kind",
    ),
    "a name twice": (
        lambda: pd.DataFrame([["P1", "P2"]], columns=["payment_id", "payment_id"]),
        "cannot be read: Duplicate column names found: ['payment_id', 'payment_id']",
        "give each column a name of its own",
    ),
    "a relation that fails": (
        lambda: duckdb.sql("SELECT error('no such thing') AS payment_id"),
        "cannot be read: Invalid Input Error: no such thing",
        "give each column",
    ),
    "texts as times": (
        lambda: pd.DataFrame({"payment_id": ["P1"], "reference": ["A"], "created_at": ["2026-03-01"]}),
        'column "created_at" is large_string',
        'the column must be timestamp[ms, tz=UTC]; in pandas: pandas.to_datetime(frame["created_at"], utc=True)',
    ),
    "numbers as references": (
        lambda: pd.DataFrame({"payment_id": ["P1"], "reference": [7], "created_at": [MOMENT]}),
        'column "reference" is int64',
        "the column must be string; read it as text: a number has lost its leading zeros",
    ),
}


@pytest.mark.parametrize("given", BAD)
def test_what_is_no_frame_of_payments_is_told_with_the_remedy(given: str) -> None:
    make, problem, hint = BAD[given]
    with pytest.raises(PaymentFileError) as caught:
        match_frames(make(), ORDERS_GIVEN, MatchPolicy(), RUN)

    assert caught.value.message.startswith(f"payments: {problem}")
    assert str(caught.value.hint).startswith(hint)


def test_a_path_of_orders_is_read_with_their_reader() -> None:
    with pytest.raises(OrderFileError) as caught:
        match_frames(PAYMENTS_GIVEN, "orders.csv", MatchPolicy(), RUN)

    assert caught.value.hint == 'read it first: orders = reconcile.read_orders("orders.csv")'
