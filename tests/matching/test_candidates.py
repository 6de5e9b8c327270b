"""Rows near one without a partner: what is alike is said, the nearest first, and a pair has none."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from matching_world import MatchFiles, Row, orders_table, payments_table

from reconcile.matching.policy import MatchPolicy
from reconcile.matching.suggestions.candidates import MOST, Candidate, candidates

MARCH = {"ordered_on": date(2026, 3, 1)}
ALIKE = "the same reference but for case, punctuation or zeros"
ONE = "the reference differs by 1 character"
OTHER = "its amount is another total of the payment's order"
HUNDRED = "100 times the amount, or a hundredth: cents taken for units?"


class Near:
    """Match rows in a folder, and look near the one item whose payment id or order line is `name`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.match = MatchFiles(folder, large=False)

    def __call__(self, payments: list[Row], orders: list[Row], name: str | int, **policy: Any) -> tuple[Candidate, ...]:
        items, _ = self.match(payments_table(payments), orders_table(orders), policy=MatchPolicy(**policy))
        pq.write_table(items, self.folder / "items.parquet")
        (item,) = (one for one in items.to_pylist() if name in (one["payment_id"], one["order_source_line"]))
        with duckdb.connect() as connection:
            return candidates(connection, self.folder, item)


@pytest.fixture
def near(tmp_path: Path) -> Near:
    return Near(tmp_path)


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"reference": "ab-0012"}, [ALIKE, "the same amount", "the same day"]),
        ({"reference": "AB0015", "ordered_on": date(2026, 3, 9)}, [ONE, "the same amount", "8 days apart"]),
        ({"reference": "AB0015", "amount_cents": 7}, [ONE, "another amount", "the same day"]),
        ({"reference": "AB0015", "amount_cents": 7, "ordered_on": None}, [ONE, "another amount"]),
        ({"reference": "Zzzz", "ordered_on": date(2026, 3, 4)}, ["the same amount", "3 days apart"]),
        ({"reference": "Zzzz", "amount_cents": 1_000_000}, [HUNDRED, "the same day"]),
        ({"reference": "Zzzz", "amount_cents": 100}, [HUNDRED, "the same day"]),
        ({"reference": "Zzzz", "amount_cents": 8403}, [OTHER, "the same day"]),
    ],
)
def test_an_order_row_is_near_a_payment_for_a_reason(near: Near, order: Row, why: list[str]) -> None:
    payment = {"reference": "AB0012", "total_amount_cents": 8403}

    (one,) = near([payment], [MARCH | order], "P1")
    assert list(one.why) == why
    assert (one.name, one.status, one.currency_code) == ("orders.csv:2", "missing_payment", "EUR")


@pytest.mark.parametrize(
    "order",
    [
        {"reference": "AB0099", "amount_cents": 7},  # two of six signs
        {"reference": "Zzzz", "ordered_on": date(2026, 3, 5)},  # four days apart
        {"reference": "Zzzz"},  # no date
        {"reference": "Zzzz", "currency_code": "SEK", **MARCH},
        {"reference": "Zzzz", "amount_cents": 9999, **MARCH},
        {"reference": None, "amount_cents": None, **MARCH},
    ],
)
def test_what_is_alike_by_chance_is_not_told(near: Near, order: Row) -> None:
    assert near([{"reference": "AB0012"}], [order], "P1") == ()


def test_payments_are_near_an_order_row_with_their_status(near: Near) -> None:
    placed = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
    payments = [
        {"reference": "AB0012", "placed_at": placed},
        {"reference": "AB0015", "order_status": "pending", "placed_at": placed},
        {"reference": "XY", "amount_cents": 12345, "total_amount_cents": 10000, "placed_at": placed},
    ]
    orders = [
        {"reference": "AB0012", **MARCH},
        {"reference": "AB0013", **MARCH},
        {"reference": "XY", "amount_cents": 12345},
    ]

    found = near(payments, orders, 3)
    assert [(one.name, one.status, one.why) for one in found] == [
        ("P1", "matched", (ONE, "the same amount", "1 day apart")),
        ("P2", "not_placed", (ONE, "another total is the amount", "1 day apart")),
        ("P3", "matched", ("another total is the amount", "1 day apart")),
    ]
    assert {one.day for one in found} == {placed.date()}


@pytest.mark.parametrize("name", ["P1", 2])
def test_order_rows_that_were_added_up_are_near_with_their_sum(near: Near, name: str | int) -> None:
    orders = [{"reference": "AB0013", "amount_cents": cents} for cents in (6000, 4000)]

    (one,) = near([{"reference": "AB0012"}], orders, name, group_orders="sum")
    assert (one.amount_cents, one.why) == (10000, (ONE, "the same amount"))


@pytest.mark.parametrize("reference", ["x" * 10_000, "AB0012é"])
def test_references_that_are_too_long_or_not_plain_are_not_measured(near: Near, reference: str) -> None:
    assert near([{"reference": reference}], [{"reference": reference[:-1] + "z", "amount_cents": 7}], "P1") == ()


def test_a_reference_counted_up_does_not_bring_its_paired_neighbours(near: Near) -> None:
    pairs = [{"reference": f"NW-10000{n}", "amount_cents": n + 1} for n in range(9)]
    payments = [*pairs, {"reference": "NW-100009", "amount_cents": 77}]

    assert near(payments, pairs, "P10") == ()


def test_a_pair_has_no_candidates_and_nothing_has_more_than_a_few(near: Near) -> None:
    assert near([{"reference": "A"}], [{"reference": "A"}, {"reference": "B", **MARCH}], "P1") == ()
    many = near([{"reference": "ABCDEFGH"}], [{"reference": f"ABCDEFG{n}", **MARCH} for n in range(9)], "P1")
    assert [one.name for one in many] == [f"orders.csv:{line}" for line in range(2, 2 + MOST)]
