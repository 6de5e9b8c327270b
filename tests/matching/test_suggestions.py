"""What a break may mean: said where there is a reason, the same on every engine, and never a match."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from matching_world import Match, MatchFiles, Row, match_pandas, orders_table, payments_table, transactions_table

from reconcile.matching.policy import MatchPolicy
from reconcile.matching.population import Population

POLICY = MatchPolicy()


@pytest.fixture(params=["frames", pytest.param("files", marks=pytest.mark.slow)])
def match(request: pytest.FixtureRequest, tmp_path: Path) -> Match:
    """Suggestions are made of what was matched, by DuckDB on every engine: of totals in a table or in a file."""
    return match_pandas if request.param == "frames" else MatchFiles(tmp_path, large=False)


def suggestions(
    match: Match, payments: list[Row], orders: list[Row], **policy: Any
) -> dict[tuple[str, str], str | None]:
    items, _ = match(payments_table(payments), orders_table(orders), policy=MatchPolicy(**policy))
    return {
        (row["status"], row["payment_id"] or f"{row['order_source_file']}:{row['order_source_line']}"): row[
            "suggestion"
        ]
        for row in items.to_pylist()
    }


@pytest.mark.parametrize(
    ("payment", "order", "text"),
    [
        ({"amount_cents": 1250}, 125000, "the order total is 100 times the payment: cents taken for units?"),
        ({"amount_cents": 125000}, 1250, "the payment is 100 times the order total: units taken for cents?"),
        ({"amount_cents": 1250}, -1250, "the order total has the opposite sign: a credit?"),
        ({"amount_cents": 1250}, 0, "the order total is 0"),
        ({"amount_cents": 1250}, 1520, "two digits of the amounts stand the other way round"),
        (
            {"amount_cents": 1250, "total_amount_cents": 1000},
            1000,
            "the order total is the total_amount_cents of the payment's order: another basis?",
        ),
        (
            {"amount_cents": 1250, "place_total_amount_cents": 1300},
            1300,
            "the order total is what it was when the order was placed: changed since?",
        ),
        ({"amount_cents": 1250}, 1249, None),
        ({"amount_cents": 2**55 - 1}, 2**55 - 3, None),
    ],
)
def test_a_difference_in_amounts_is_explained_where_there_is_a_reason(
    match: Match, payment: Row, order: int, text: str | None
) -> None:
    found = suggestions(match, [{"reference": "R", **payment}], [{"reference": "R", "amount_cents": order}])

    assert found == {("amount_mismatch", "P1"): text}


def sums(*cents: int) -> Row:
    names = ("authorized", "captured", "refunded", "voided")
    return {f"{name}_amount_cents": one for name, one in zip(names, cents, strict=True)}


SAID_OF_MONEY = [
    (sums(10000, 10000, 5000, 0), 10000, "amount_mismatch", "the books have the total before the refund of 50.00"),
    (sums(10000, 10000, 2500, 0), 5000, "amount_mismatch", "the books have the refund of 25.00 twice"),
    (
        sums(10000, 6000, 0, 4000),
        10000,
        "amount_mismatch",
        "the books have the total, of which 40.00 was given back without having been captured",
    ),
    (sums(10000, 10000, 10000, 0), 10000, "status_mismatch", "all of it was refunded: 100.00"),
    (sums(10000, 0, 0, 10000), 1, "status_mismatch", "nothing was captured: what was authorized was voided"),
    ({"order_status": "cancelled"}, 10000, "status_mismatch", "the order was cancelled"),
    ({"order_status": "editing"}, 10000, "status_mismatch", "the order was never placed"),
    (sums(0, 0, 0, 0), 10000, "not_paid", "nothing was captured"),
    (sums(0, 9000, 0, 0), 10000, "partly_paid", "10.00 of what is due was neither captured nor is it authorized"),
    (
        {"payment_status": "partially_paid"},
        10000,
        "money_unknown",
        "the payment status does not say how much: pull the transactions",
    ),
    ({"payment_status": "promised"}, 10000, "money_unknown", "the payment status is not one that is known"),
]
"""A payment, its order total, the status of the pair, and what is said of it."""


def test_what_became_of_the_money_is_told(match: Match) -> None:
    payments = [{"reference": f"R{n}", **payment} for n, (payment, *_) in enumerate(SAID_OF_MONEY)]
    orders = [{"reference": f"R{n}", "amount_cents": order} for n, (_, order, *_) in enumerate(SAID_OF_MONEY)]
    found = suggestions(match, payments, orders)

    assert found == {(status, f"P{n}"): text for n, (_, _, status, text) in enumerate(SAID_OF_MONEY, start=1)}


@pytest.mark.parametrize("basis", ["due", "total_amount_with_taxes_cents"])
def test_a_refund_that_the_books_leave_out_is_told_with_its_day(match: Match, basis: str) -> None:
    """The day is that of the time zone: half past eleven at night in UTC is the day after in Berlin."""
    payments = [
        {"reference": "R1", "order_id": "A", **sums(10000, 10000, 5000, 0)},
        {"reference": "R2", "order_id": "B", **sums(10000, 10000, 5000, 0)},
    ]
    moment = datetime(2026, 11, 12, 23, 30, tzinfo=UTC)
    refund = {"type": "refunds", "created_at": moment}
    refunds = [
        {**refund, "order_id": "A", "amount_cents": 5000},
        {**refund, "order_id": "A", "amount_cents": 9000, "succeeded": False},
        {**refund, "order_id": "B", "amount_cents": 2000},
        {**refund, "order_id": "B", "amount_cents": 3000},
    ]
    items, _ = match(
        payments_table(payments),
        orders_table([{"reference": "R1"}, {"reference": "R2"}]),
        policy=MatchPolicy(amount_basis=basis, population=Population(time_zone="Europe/Berlin")),
        transactions=transactions_table(refunds),
    )

    assert {row["reference"]: row["suggestion"] for row in items.to_pylist()} == {
        "R1": "the books have the total before the refund of 50.00 of 13 November",
        "R2": "the books have the total before the refunds of 50.00",
    }


@pytest.mark.parametrize(
    ("written", "exported", "how"),
    [
        ("NW-100912", "nw 100912", "the same reference but for case, punctuation or zeros, the same amount"),
        ("007", "7", "the same reference but for case, punctuation or zeros, the same amount"),
        ("NW-100912", "NW-100921", "the reference differs by one character, the same amount"),
        ("NW-100912", "NW-10091", "the reference differs by one character, the same amount"),
        ("NW-100912", "NW-1009129", "the reference differs by one character, the same amount"),
        ("NW-100912", "NX-100912", "the reference differs by one character, the same amount"),
    ],
)
def test_references_that_are_near_point_at_each_other(match: Match, written: str, exported: str, how: str) -> None:
    found = suggestions(match, [{"reference": written}], [{"reference": exported}])

    assert found == {
        ("missing_order", "P1"): f'order row orders.csv:2 "{exported}": {how}',
        ("missing_payment", "orders.csv:2"): f'payment P1 "{written}": {how}',
    }


def test_references_that_are_not_near_or_near_with_another_amount_are_no_reason(match: Match) -> None:
    found = suggestions(
        match,
        [{"reference": "NW-100912", "amount_cents": 1}, {"reference": "NW-200000", "amount_cents": 2}],
        [{"reference": "NW-100919", "amount_cents": 3}, {"reference": "NX-300000", "amount_cents": 4}],
    )

    assert set(found.values()) == {None}


def test_a_reference_that_is_the_same_but_for_its_form_is_told_with_another_amount_too(match: Match) -> None:
    found = suggestions(match, [{"reference": "A-1"}], [{"reference": "a1", "amount_cents": 5}])

    assert found["missing_order", "P1"] == (
        'order row orders.csv:2 "a1": the same reference but for case, punctuation or zeros, another amount'
    )


def test_equal_amounts_explain_when_the_dates_are_close(match: Match) -> None:
    placed = {"placed_at": datetime(2026, 3, 5, 23, 59, tzinfo=UTC)}
    found = suggestions(
        match,
        [{"reference": "ABCDE", **placed}, {"reference": "FGHIJ", "amount_cents": 777, **placed}, {"amount_cents": 5}],
        [
            {"reference": "12345", "ordered_on": date(2026, 3, 6)},
            {"reference": "67890", "ordered_on": date(2026, 3, 9), "amount_cents": 777},
            {"reference": None, "ordered_on": date(2026, 3, 1), "amount_cents": 5},
        ],
    )

    assert found == {
        ("missing_order", "P1"): 'order row orders.csv:2 "12345": the same amount, 1 day apart',
        ("missing_payment", "orders.csv:2"): 'payment P1 "ABCDE": the same amount, 1 day apart',
        ("missing_order", "P2"): None,
        ("missing_payment", "orders.csv:3"): None,
        ("missing_reference", "P3"): "order row orders.csv:4: the same amount, the same day",
        ("missing_reference", "orders.csv:4"): "payment P3: the same amount, the same day",
    }


def test_without_dates_an_amount_explains_when_nobody_else_has_it(match: Match) -> None:
    found = suggestions(
        match,
        [{"reference": "A", "amount_cents": 77}, {"reference": "B"}, {"reference": "C"}],
        [{"reference": "X", "amount_cents": 77}, {"reference": "Y"}],
    )

    assert found["missing_order", "P1"] == 'order row orders.csv:2 "X": the same amount, which no other row has'
    assert {found["missing_order", "P2"], found["missing_order", "P3"], found["missing_payment", "orders.csv:3"]} == {
        None
    }


def test_several_that_are_as_likely_are_counted(match: Match) -> None:
    day = date(2026, 3, 1)
    found = suggestions(
        match,
        [{"reference": "A"}],
        [{"reference": key, "ordered_on": day} for key in ("V", "W", "X")],
    )

    assert found["missing_order", "P1"] == 'order row orders.csv:2 "V": the same amount, the same day, as 2 more'


def test_an_amount_that_many_rows_share_explains_nothing(match: Match) -> None:
    day = date(2026, 3, 1)
    found = suggestions(
        match, [{"reference": "A"}], [{"reference": f"unlike {n}", "ordered_on": day} for n in range(21)]
    )

    assert set(found.values()) == {None}


def test_another_currency_is_another_amount(match: Match) -> None:
    found = suggestions(match, [{"reference": "ABCDE"}], [{"reference": "ABCDX", "currency_code": "SEK"}])

    assert set(found.values()) == {None}


def test_duplicates_say_how_many_they_are_and_whether_they_agree_together(match: Match) -> None:
    found = suggestions(
        match,
        [{"reference": "A", "amount_cents": 300}, {"reference": "B"}, {"reference": "B"}],
        [
            {"reference": "A", "amount_cents": 100},
            {"reference": "A", "amount_cents": 200},
            {"reference": "B", "amount_cents": 1},
        ],
    )

    assert found["duplicate_reference", "P1"] == (
        "1 payment and 2 order rows have this reference, and together the same amount"
    )
    assert found["duplicate_reference", "orders.csv:4"] == "2 payments and 1 order row have this reference"


def test_what_agrees_has_no_suggestion(match: Match) -> None:
    found = suggestions(match, [{"reference": "A"}, {"order_status": "draft"}], [{"reference": "A"}])

    assert set(found.values()) == {None}


def test_a_suggestion_pairs_nobody(match: Match) -> None:
    items, report = match(
        payments_table([{"reference": "NW-100912"}]), orders_table([{"reference": "NW-100921"}]), policy=POLICY
    )

    assert items.num_rows == 2
    assert items.column("matched_on").null_count == 2
    assert [one.pairs for one in report.passes] == [0, 0, 0, 0]


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Asia/Tokyo"])
def test_days_are_those_of_utc_wherever_the_machine_is(
    match: Match, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    late = datetime(2026, 3, 10, 23 if zone.startswith("Asia") else 1, 30, tzinfo=UTC)
    try:
        found = suggestions(
            match,
            [{"reference": "A-1", "placed_at": late, "created_at": late}],
            [{"reference": "Z-99999", "ordered_on": date(2026, 3, 10)}],
        )
    finally:
        monkeypatch.undo()
        time.tzset()

    assert found["missing_order", "P1"] == 'order row orders.csv:2 "Z-99999": the same amount, the same day'
