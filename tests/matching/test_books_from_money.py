"""
Books that are written from the money have no breaks, and each row that is not is exactly one, of the right status.

A world is a list of orders, each with what became of its money, and with what is wrong with its row in the books.
Amounts are made here by what happened, not by the rule that they check.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matching_world import Match, MatchFiles, match_arrow, match_large, orders_table, payments_table

from reconcile.matching.policy import MatchPolicy

few = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Order:
    """An order of `total`, what became of it, and what is wrong with its row in the books (None: nothing)."""

    total: int
    part: int
    fate: str
    wrong: str | None

    @property
    def payment(self) -> dict[str, Any]:
        """The payment's columns: authorized, captured, refunded and voided, and what the order has become."""
        total, part = self.total, self.part
        sums, status = {
            "authorized": ((total, 0, 0, 0), "placed"),
            "captured": ((total, total, 0, 0), "placed"),
            "captured in part, the rest voided": ((total, part, 0, total - part), "approved"),
            "captured in part, the rest open": ((total, part, 0, 0), "approved"),
            "refunded in part": ((total, total, part, 0), "placed"),
            "refunded": ((total, total, total, 0), "placed"),
            "voided": ((total, 0, 0, total), "placed"),
            "authorized anew": ((2 * total, total, 0, total), "placed"),
            "unpaid": ((0, 0, 0, 0), "placed"),
            "cancelled": ((total, 0, 0, total), "cancelled"),
            "cancelled and refunded": ((total, total, total, 0), "cancelled"),
            "abandoned": ((0, 0, 0, 0), "pending"),
        }[self.fate]
        names = ("authorized", "captured", "refunded", "voided")
        money = {f"{name}_amount_cents": cents for name, cents in zip(names, sums, strict=True)}
        return {"amount_cents": total, "order_status": status, "is_current_source": True, **money}

    @property
    def net(self) -> int:
        """What right books have of it."""
        if self.fate in ("refunded", "voided", "unpaid", "cancelled", "cancelled and refunded", "abandoned"):
            return 0
        taken = {"captured in part, the rest voided": self.total - self.part, "refunded in part": self.part}
        return self.total - taken.get(self.fate, 0)

    @property
    def booked(self) -> int:
        """What the books have."""
        refund = self.part if self.fate == "refunded in part" else 0
        wrongly = {"total": self.total, "cent": self.net + 1, "refund twice": self.net - refund}
        return wrongly[self.wrong] if self.wrong else self.net

    @property
    def status(self) -> str | None:
        """The status of the break that it is; None where it is none."""
        if self.booked == self.net:
            return None
        if self.fate == "unpaid":  # due, and not paid: right books have nothing of it
            return "not_paid" if self.booked == self.total else "amount_mismatch"
        return "status_mismatch" if self.net == 0 else "amount_mismatch"


fates = st.sampled_from(
    [
        "authorized", "captured", "captured in part, the rest voided", "captured in part, the rest open",
        "refunded in part", "refunded", "voided", "authorized anew", "unpaid", "cancelled", "cancelled and refunded",
        "abandoned",
    ]
)  # fmt: skip
orders = st.builds(
    lambda total, share, fate, wrong: Order(total, max(1, total * share // 100), fate, wrong),
    total=st.integers(2, 10**7),
    share=st.integers(1, 99),
    fate=fates,
    wrong=st.sampled_from([None, None, None, "total", "cent", "refund twice"]),
)
books = st.lists(orders, min_size=12, max_size=30)


def assert_found(match: Match, world: list[Order]) -> None:
    payments = [{"reference": f"R{n}", **order.payment} for n, order in enumerate(world)]
    rows = [{"reference": f"R{n}", "amount_cents": order.booked} for n, order in enumerate(world) if order.booked]

    items, _ = match(payments_table(payments), orders_table(rows), policy=MatchPolicy())
    found = {row["reference"]: row["status"] for row in items.to_pylist() if row["is_break"]}
    assert found == {f"R{n}": order.status for n, order in enumerate(world) if order.status}
    assert items.num_rows == len(world)


@settings(few, max_examples=6)
@given(world=books)
def test_right_books_have_no_breaks_and_each_wrong_row_is_one(world: list[Order]) -> None:
    assert_found(match_arrow, world)


@pytest.mark.slow
@settings(few, max_examples=2)
@given(world=books)
def test_so_it_is_on_duckdb(world: list[Order]) -> None:
    assert_found(match_large, world)


@pytest.mark.slow
@pytest.mark.parametrize("match", [match_arrow, match_large])
@settings(few, max_examples=100)
@given(world=books)
def test_so_it_is_in_many_more_worlds(match: Match, world: list[Order]) -> None:
    assert_found(match, world)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(600)
@settings(few, max_examples=2)
@given(world=books)
def test_so_it_is_on_spark(tmp_path_factory: pytest.TempPathFactory, world: list[Order]) -> None:
    pytest.importorskip("pyspark", reason="install the extra: reconcile[spark]")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    files = MatchFiles(Path(tmp_path_factory.mktemp("books")))
    assert_found(lambda *tables, **policy: files(*tables, engine="spark", **policy), world)
