"""What breaks have in common is told; what chance explains is not. And the way from one side's total to the other's."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matching_world import Row, match_arrow, orders_table, payments_table
from msgspec.structs import asdict

from reconcile.errors import ProofFailed
from reconcile.figures.patterns import find_patterns
from reconcile.figures.totals import bridge_of
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import ControlTotals, Total


def items(payments: list[Row], orders: list[Row]) -> pa.Table:
    found, _ = match_arrow(payments_table(payments), orders_table(orders), policy=MatchPolicy())
    return found


def pairs(*amounts: tuple[int, int], **more: Any) -> tuple[list[Row], list[Row]]:
    payments = [{"reference": f"R{n}", "amount_cents": paid, **more} for n, (paid, _) in enumerate(amounts)]
    orders = [{"reference": f"R{n}", "amount_cents": total} for n, (_, total) in enumerate(amounts)]
    return payments, orders


def test_one_difference_shared_by_many_is_told() -> None:
    payments, orders = pairs((1250, 1000), (2250, 2000), (5250, 5000), (700, 600), (1000, 1000))

    (pattern,) = find_patterns(items(payments, orders))

    assert asdict(pattern) == {
        "kind": "difference",
        "status": "amount_mismatch",
        "currency_code": "EUR",
        "value": 250,
        "count": 3,
        "of": 4,
        "text": "3 pairs differ by exactly 2.50 EUR",
    }


def test_one_rate_shared_by_many_is_told() -> None:
    payments, orders = pairs((12500, 10000), (25000, 20000), (37500, 30000), (90000, 71234))

    (pattern,) = find_patterns(items(payments, orders))

    assert (pattern.kind, pattern.value, pattern.count, pattern.of) == ("rate", "1.250", 3, 4)
    assert pattern.text == "3 payments are 1.250 times their order total: a tax, a discount, a unit?"


def test_a_rate_is_found_though_cents_were_rounded_and_said_with_all_its_decimals() -> None:
    nets = (1999, 4999, 12345, 7201, 30011)
    payments, orders = pairs(*((round(net * 1.0825), net) for net in nets), (5000, 4000), (7000, 100))

    (pattern,) = find_patterns(items(payments, orders))

    assert (pattern.kind, pattern.value, pattern.count, pattern.of) == ("rate", "1.0825", 5, 7)


def test_a_rate_is_found_where_signs_are_turned() -> None:
    (pattern,) = find_patterns(items(*pairs((12500, -12500), (25100, -25100), (37500, -37500))))

    assert (pattern.kind, pattern.value, pattern.count) == ("rate", "-1.000", 3)


def test_two_rates_are_told_each_and_no_pair_counts_twice() -> None:
    by_tax = [(n * 119, n * 100) for n in (100, 200, 300, 400)]
    by_unit = [(n * 100, n) for n in (1100, 1200, 1300)]

    found = find_patterns(items(*pairs(*by_tax, *by_unit)))

    assert [(one.value, one.count, one.of) for one in found] == [("1.190", 4, 7), ("100.000", 3, 7)]


def test_breaks_of_one_status_that_share_a_payment_method_are_told() -> None:
    payments = [{"reference": f"G{n}"} for n in range(9)]
    orders: list[Row] = [{"reference": f"G{n}", "method": "Klarna"} for n in range(9)]
    orders += [{"reference": f"X{n}", "method": "Klarna Card"} for n in range(6)]

    (pattern,) = find_patterns(items(payments, orders))

    assert (pattern.kind, pattern.status, pattern.value, pattern.count, pattern.of) == (
        "method", "missing_payment", "Klarna Card", 6, 6,
    )  # fmt: skip
    assert pattern.text == '6 of 6 breaks "No payment found" have the payment method "Klarna Card"'


def test_breaks_of_which_each_has_a_method_that_no_matched_item_has_are_told() -> None:
    payments = [{"reference": f"G{n}"} for n in range(9)]
    orders: list[Row] = [{"reference": f"G{n}", "method": "Klarna"} for n in range(9)]
    orders += [{"reference": f"X{n}", "method": f"Klarna {n % 4}"} for n in range(8)]

    (pattern,) = find_patterns(items(payments, orders))

    assert (pattern.kind, pattern.value, pattern.count, pattern.of) == ("method", "another", 8, 8)
    assert pattern.text.endswith("have a payment method that no matched item has")


def test_a_status_whose_breaks_share_a_file_is_told_where_its_rows_mostly_match() -> None:
    """Four rows are no crowd among all breaks, but they are all of their status."""
    orders = [{"reference": f"G{n}", "source_file": "good.csv", "line": n} for n in range(60)]
    orders += [{"reference": f"H{n}", "source_file": "more.csv", "line": n} for n in range(400)]
    payments: list[Row] = [{"reference": f"{x}{n}"} for x, most in (("G", 60), ("H", 400)) for n in range(most)]
    orders += [{"reference": f"X{n}", "source_file": "good.csv", "line": 100 + n} for n in range(4)]
    for n in range(1, 70):  # as many in each file
        payments[n * 6] |= {"amount_cents": 20_000 + n * n}

    found = find_patterns(items(payments, orders))

    assert [(one.kind, one.status, one.value, one.count, one.of) for one in found if one.kind == "file"] == [
        ("file", "missing_payment", "good.csv", 4, 4)
    ]


def test_a_day_on_which_far_more_breaks_than_on_others_is_told() -> None:
    good, bad = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    payments = [{"reference": f"G{n}", "placed_at": good + timedelta(days=10 * n)} for n in range(20)]
    payments += [{"reference": f"B{n}", "placed_at": bad} for n in range(4)]
    orders = [{"reference": f"G{n}"} for n in range(20)]

    (pattern,) = find_patterns(items(payments, orders))

    assert (pattern.kind, pattern.value, pattern.count) == ("day", "2026-03-02", 4)
    assert pattern.text == "4 of 4 payments of 2026-03-02 are breaks"


def test_a_file_in_which_far_more_breaks_is_told() -> None:
    orders = [{"reference": f"G{n}", "source_file": "good.csv", "line": n} for n in range(20)]
    orders += [{"reference": f"X{n}", "source_file": "bad.csv", "line": n} for n in range(5)]
    payments = [{"reference": f"G{n}"} for n in range(20)]

    (pattern,) = find_patterns(items(payments, orders))

    assert (pattern.kind, pattern.value, pattern.count) == ("file", "bad.csv", 5)


@pytest.mark.parametrize(
    ("payments", "orders"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(*pairs((1250, 1000), (2250, 2000)), id="two of a kind"),
        pytest.param(*pairs(*((1000 + n * n, 1000) for n in range(1, 30))), id="each another"),
        pytest.param(*pairs(*((1000, 1000) for _ in range(30))), id="no breaks"),
        pytest.param([{"reference": f"A{n}"} for n in range(9)], [], id="one day, all of them"),
    ],
)
def test_what_has_nothing_in_common_makes_no_pattern(payments: list[Row], orders: list[Row]) -> None:
    assert find_patterns(items(payments, orders)) == ()


def test_patterns_of_a_file_are_those_of_the_table(tmp_path: Any) -> None:
    table = items(*pairs((1250, 1000), (2250, 2000), (5250, 5000)))
    pq.write_table(table, tmp_path / "items.parquet")

    assert find_patterns(tmp_path / "items.parquet") == find_patterns(table) != []


def test_the_bridge_explains_the_difference_of_the_totals_to_the_cent() -> None:
    payments = [
        {"reference": "A", "amount_cents": 1000},
        {"reference": "B", "amount_cents": 500},
        {"reference": "C", "amount_cents": 70, "currency_code": "SEK"},
        {"reference": "D", "order_status": "draft", "amount_cents": 3},
    ]
    orders = [
        {"reference": "A", "amount_cents": 900},
        {"reference": "C", "amount_cents": 8},
        {"reference": "Z", "amount_cents": 11, "ordered_on": date(2026, 3, 1)},
    ]
    _, report = match_arrow(payments_table(payments), orders_table(orders), policy=MatchPolicy())

    eur, sek = bridge_of(report.control)

    assert (eur.payment_amount_cents, eur.order_amount_cents, eur.difference_cents) == (1500, 919, 581)
    assert {step.status: step.difference_cents for step in eur.statuses} == {
        "amount_mismatch": 100,
        "currency_mismatch": -8,
        "missing_order": 500,
        "missing_payment": -11,
        "not_placed": 0,
    }
    assert (sek.difference_cents, sek.unexplained_cents) == (70, 0)


def test_a_difference_that_nothing_explains_is_a_proof_that_failed() -> None:
    came_in = Total("payments", "EUR", None, rows=1, amount_cents=5)
    came_out = Total("payments", "EUR", "missing_order", rows=1, amount_cents=4)
    control = ControlTotals((came_in,), (came_out,))

    with pytest.raises(ProofFailed, match="1 minor units of EUR are explained by no status"):
        bridge_of(control)
