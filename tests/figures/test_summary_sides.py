"""Figures of both sides and the items together: hash totals of what names the rows, and ages from the data."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec.structs import astuple

from reconcile.errors import ProofFailed
from reconcile.figures.aging import aging_from_data
from reconcile.figures.proof import HashTotal, hash_totals
from reconcile.files.duckdb import connected
from reconcile.files.parquet import scan
from reconcile.matching.items import RunFacts
from reconcile.matching.match import match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.schema import ITEMS, ORDERS, PAYMENTS

NIGHT = date(2026, 4, 30)
PAYMENT = {"currency_code": "EUR", "total_amount_with_taxes_cents": 100, "order_status": "placed", "mode": "live"}
ORDER = {"currency_code": "EUR", "amount_cents": 100, "source_file": "orders.csv"}


def named(*names: str) -> str:
    """Add the names up as the README says, with nothing but the standard library."""
    return str(sum(int(hashlib.md5(name.encode()).hexdigest()[:15], 16) for name in names))


def write(folder: Path, payments: list[dict[str, Any]], orders: list[dict[str, Any]], **policy: Any) -> Path:
    rows = [
        {
            **PAYMENT,
            "order_id": f"O{n}",
            "created_at": datetime(2026, 4, 1, tzinfo=UTC),
            "updated_at": datetime.now(UTC),
        }
        | row
        for n, row in enumerate(payments)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=PAYMENTS), folder / "payments.parquet")
    lines = [
        {**ORDER, "source_line": n, "reference_raw": row.get("reference")} | row for n, row in enumerate(orders, 2)
    ]
    pq.write_table(pa.Table.from_pylist(lines, schema=ORDERS), folder / "orders.parquet")
    match_to_parquet(
        folder / "payments.parquet",
        folder / "orders.parquet",
        folder / "items.parquet",
        MatchPolicy(**policy),
        RunFacts(NIGHT, "run"),
    )
    return folder


def test_hash_totals_can_be_added_up_with_any_tool(tmp_path: Path) -> None:
    payments = [
        {"payment_id": "P1", "reference": "Ä1"},
        {"payment_id": "P2", "reference": None},
        {"payment_id": "P3", "reference": " x ", "currency_code": None},
    ]
    orders = [{"reference": "Ä1"}, {"reference": "7", "currency_code": "SEK"}, {"reference": "8", "source_file": None}]
    folder = write(tmp_path, payments, orders)
    totals = hash_totals(folder, are_orders_grouped=False)

    def line(code: str | None, total: str) -> HashTotal:
        return HashTotal(code, keys_in=total, keys_out=total)

    assert totals.payments == (line("EUR", named("P1 Ä1", "P2 ")), line(None, named("P3  x ")))
    assert totals.orders == (line("EUR", named("orders.csv:2", ":4")), line("SEK", named("orders.csv:3")))


@pytest.mark.parametrize(
    ("column", "other", "side"),
    [
        ("payment_id", "P3", "payments"),
        ("payment_reference", "C", "payments"),
        ("order_source_line", 3, "orders"),
        ("order_source_file", "other.csv", "orders"),
    ],
)
def test_a_row_that_came_out_under_another_name_stops_the_run(
    tmp_path: Path, column: str, other: object, side: str
) -> None:
    folder = write(tmp_path, [{"payment_id": "P1", "reference": "A"}], [{"reference": "A"}])
    (item,) = pq.read_table(folder / "items.parquet").to_pylist()
    pq.write_table(pa.Table.from_pylist([item | {column: other}], schema=ITEMS), folder / "items.parquet")

    with pytest.raises(ProofFailed, match=f"{side}: the hash total of their keys differs in the items"):
        hash_totals(folder, are_orders_grouped=False)


def test_order_rows_that_were_added_up_have_no_hash_total_that_came_out(tmp_path: Path) -> None:
    folder = write(tmp_path, [{"payment_id": "P1", "reference": "A"}], [{"reference": "A"}] * 2, group_orders="sum")
    (line,) = hash_totals(folder, are_orders_grouped=True).orders

    assert line == HashTotal("EUR", keys_in=named("orders.csv:2", "orders.csv:3"), keys_out=None)


def test_breaks_age_from_the_placing_of_the_order_or_the_date_of_its_row(tmp_path: Path) -> None:
    payments = [
        {"payment_id": "P1", "reference": "A", "placed_at": datetime(2026, 4, 26, 23, 59, tzinfo=UTC)},
        {"payment_id": "P2", "reference": "B"},
        {"payment_id": "P3", "reference": "C", "placed_at": datetime(2026, 5, 2, tzinfo=UTC)},
        {"payment_id": "P4", "reference": "D"},
    ]
    orders = [
        {"reference": "D", "ordered_on": date(2020, 1, 1)},
        {"reference": "C", "ordered_on": date(2020, 1, 1), "amount_cents": 40},
        {"reference": "X", "ordered_on": date(2026, 1, 1), "amount_cents": 7},
        {"reference": "Y", "amount_cents": 9, "currency_code": "SEK"},
    ]
    with connected() as connection:
        aging = aging_from_data(connection, scan(write(tmp_path, payments, orders) / "items.parquet"))

    found = {one.bucket: (one.count, list(map(astuple, one.amounts))) for one in aging}
    assert list(found) == ["0-1", "2-3", "4-7", "8-30", "31-60", "61-90", "over 90", "no date"]
    assert {name: of for name, of in found.items() if of[0]} == {
        "0-1": (1, [("EUR", 60)]),  # P3: what was placed after the night is as old as what was placed in it
        "4-7": (1, [("EUR", 100)]),  # P1
        "8-30": (1, [("EUR", 100)]),  # P2: created on the 1st
        "over 90": (1, [("EUR", 7)]),  # X; the pair of D is no break
        "no date": (1, [("SEK", 9)]),
    }
