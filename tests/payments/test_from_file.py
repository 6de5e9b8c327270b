"""Payments from a file: what a pull wrote, in Parquet and CSV, and what is no table of payments."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from reconcile.errors import PaymentFileError
from reconcile.payments.beside import write_sorted_transactions
from reconcile.payments.from_file import copy_payments, copy_transactions
from reconcile.reports.csv_tables import write_csv
from reconcile.schema import PAYMENTS, TRANSACTIONS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def table(*ids: str, **changes: Any) -> pa.Table:
    row = dict.fromkeys(PAYMENTS.names) | {"created_at": NOON, "updated_at": NOON, "total_amount_cents": 2**53 + 1}
    return pa.Table.from_pylist([row | {"payment_id": one} | changes for one in ids], PAYMENTS)


def copied(tmp_path: Path, source: pa.Table, name: str = "given.parquet") -> pa.Table:
    pq.write_table(source, tmp_path / name)
    copy_payments(tmp_path / name, tmp_path / "payments.parquet")
    return pq.read_table(tmp_path / "payments.parquet")


def test_a_file_as_a_pull_writes_it_is_copied_byte_for_byte(tmp_path: Path) -> None:
    pq.write_table(table("A", "B", "a"), tmp_path / "given.parquet", compression="gzip")
    rows = copy_payments(tmp_path / "given.parquet", tmp_path / "payments.parquet")

    assert rows == 3
    assert (tmp_path / "payments.parquet").read_bytes() == (tmp_path / "given.parquet").read_bytes()


def test_rows_in_another_order_are_sorted(tmp_path: Path) -> None:
    assert copied(tmp_path, table("b", "B", "a")).column("payment_id").to_pylist() == ["B", "a", "b"]


def test_other_types_of_the_same_values_are_read_exactly(tmp_path: Path) -> None:
    given = table("A")
    loose = pa.table(
        {
            name: given[name].cast(pa.timestamp("us", tz="UTC") if pa.types.is_timestamp(field.type) else field.type)
            for name, field in zip(given.column_names, PAYMENTS, strict=True)
        }
    ).append_column("client_token", pa.array(["secret"]))
    found = copied(tmp_path, loose)

    assert found.schema.equals(PAYMENTS)
    assert found.equals(given)


@pytest.mark.parametrize("text", ["=1+1", "-70", "'=1", "a;=b", "", "007", "\t\n", 'say "hi", twice', "é\u200b"])
def test_a_csv_file_holds_every_text_exactly(tmp_path: Path, text: str) -> None:
    given = table("A", reference=text)
    write_csv(given, PAYMENTS, tmp_path / "given.csv")
    copy_payments(tmp_path / "given.csv", tmp_path / "payments.parquet")

    assert pq.read_table(tmp_path / "payments.parquet").equals(given)


def test_columns_the_matching_can_do_without_may_lack(tmp_path: Path) -> None:
    found = copied(tmp_path, table("A").drop_columns(["session_id", "metadata", "order_number", "mode"]))

    assert found.schema.equals(PAYMENTS)
    assert found.column("mode").to_pylist() == [None]


@pytest.mark.parametrize(
    "column", ["payment_id", "created_at", "reference", "order_id", "order_status", "currency_code"]
)
def test_columns_the_matching_needs_must_be_there(tmp_path: Path, column: str) -> None:
    with pytest.raises(PaymentFileError, match=f"given.parquet: has no column {column}\n"):
        copied(tmp_path, table("A").drop_columns([column]))


def test_one_amount_at_least_must_be_there(tmp_path: Path) -> None:
    amounts = ["total_amount_cents", "total_amount_with_taxes_cents", "place_total_amount_cents"]

    with pytest.raises(PaymentFileError, match="has no column total_amount_with_taxes_cents"):
        copied(tmp_path, table("A").drop_columns(amounts))


def test_a_payment_counts_once(tmp_path: Path) -> None:
    with pytest.raises(PaymentFileError, match="payment A occurs more than once"):
        copied(tmp_path, table("A", "B", "A"))


def test_a_payment_without_an_id_is_refused(tmp_path: Path) -> None:
    loose = table("A").set_column(0, "payment_id", pa.array([None], pa.string()))

    with pytest.raises(PaymentFileError, match="payment_id is empty in a row"):
        copied(tmp_path, loose)


def test_an_amount_that_is_a_fraction_is_refused(tmp_path: Path) -> None:
    (tmp_path / "given.csv").write_text(
        "payment_id,created_at,updated_at,reference,order_id,order_status,currency_code,total_amount_cents\n"
        "A,2026-11-20T12:00:00Z,2026-11-20T12:00:00Z,R1,O1,placed,EUR,12.5\n"
    )

    with pytest.raises(PaymentFileError, match="cannot be read as payments"):
        copy_payments(tmp_path / "given.csv", tmp_path / "payments.parquet")


def test_a_file_whose_name_is_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PaymentFileError, match=r"p\?\.csv: its name is not text in UTF-8"):
        copy_payments(tmp_path / "p\udcff.csv", tmp_path / "payments.parquet")


def moved(*ids: str, **changes: Any) -> pa.Table:
    row = dict.fromkeys(TRANSACTIONS.names) | {"order_id": "o1", "type": "captures", "amount_cents": 2**53 + 1}
    return pa.Table.from_pylist([row | {"transaction_id": one} | changes for one in ids], TRANSACTIONS)


def beside(tmp_path: Path, suffix: str = ".parquet") -> int | None:
    return copy_transactions(tmp_path / f"given{suffix}", tmp_path / "copied.parquet")


def test_transactions_beside_the_payments_are_copied_byte_for_byte(tmp_path: Path) -> None:
    write_sorted_transactions(moved("t1", "t2").to_batches(), tmp_path / "given.transactions.parquet")

    assert beside(tmp_path) == 2
    assert (tmp_path / "copied.parquet").read_bytes() == (tmp_path / "given.transactions.parquet").read_bytes()


def test_those_of_a_csv_file_are_the_same_table(tmp_path: Path) -> None:
    given = moved("t2", "t1", number="=1+1", succeeded=True, created_at=NOON)
    write_csv(given, TRANSACTIONS, tmp_path / "given.transactions.csv")

    assert beside(tmp_path, ".csv") == 2
    assert pq.read_table(tmp_path / "copied.parquet").equals(given.take([1, 0]))


def test_where_there_are_none_or_something_else_has_their_name_nothing_is_copied(tmp_path: Path) -> None:
    assert beside(tmp_path) is None
    (tmp_path / "given.transactions.csv").write_text("booked on,text,amount\n2026-11-20,rent,-900.00\n")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "given.transactions.parquet")

    assert beside(tmp_path) is None
    assert beside(tmp_path, ".csv") is None
    assert not (tmp_path / "copied.parquet").exists()


def test_an_amount_of_theirs_that_is_no_whole_number_is_refused(tmp_path: Path) -> None:
    write_csv(moved("t1"), TRANSACTIONS, tmp_path / "given.transactions.csv")
    text = (tmp_path / "given.transactions.csv").read_text()
    (tmp_path / "given.transactions.csv").write_text(text.replace(str(2**53 + 1), "12.5"))

    with pytest.raises(PaymentFileError, match=r"given.transactions.csv: cannot be read as transactions.*12\.5"):
        beside(tmp_path, ".csv")
