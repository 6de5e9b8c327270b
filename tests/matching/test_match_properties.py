"""What holds for any two tables: all engines read the rules as they are, nothing is lost, nothing is counted twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matching_world import BUSINESS_DATE, Match, match_arrow, match_pandas, orders_table, payments_table
from oracle import Item, expected_items, known, with_money
from worlds import policies, transactions, worlds

from reconcile.matching.policy import MatchPolicy
from reconcile.schema import ITEMS, ITEMS_ORDER, ORDERS, PAYMENTS

World = tuple[pa.Table, pa.Table]
few = settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def seen(items: pa.Table) -> Counter[Item]:
    return Counter(
        (
            item["payment_id"],
            () if item["order_source_line"] is None else (item["order_source_line"],),
            item["status"],
            item["matched_on"],
            item["difference_cents"],
            item["amounts_agree"],
        )
        for item in items.to_pylist()
    )


@settings(few, max_examples=15)
@given(world=worlds, policy=policies)
def test_frames_give_what_a_plain_reading_of_the_rules_gives(world: World, policy: MatchPolicy) -> None:
    assert_plain_reading(world, policy)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(few, max_examples=250, derandomize=False)
@given(world=worlds, policy=policies)
def test_frames_give_it_for_many_more_worlds(world: World, policy: MatchPolicy) -> None:
    assert_plain_reading(world, policy)


def assert_plain_reading(world: World, policy: MatchPolicy) -> None:
    items, _ = match_arrow(*world, policy=policy)

    payments, orders = (table.to_pylist() for table in world)
    assert seen(items) == Counter(expected_items(payments, orders, policy, BUSINESS_DATE))


@pytest.mark.slow
@settings(few, max_examples=12)
@given(world=worlds, money=transactions, policy=policies)
def test_so_it_is_where_payments_share_an_order(world: World, money: pa.Table, policy: MatchPolicy) -> None:
    items, _ = match_arrow(*world, policy=policy, transactions=money)

    tables = (*world, money)
    payments, orders, transactions = (table.to_pylist() for table in tables)
    assert seen(items) == Counter(expected_items(payments, orders, policy, BUSINESS_DATE, transactions))


@pytest.mark.slow
@settings(few, max_examples=20)
@given(world=worlds, policy=policies)
def test_all_engines_give_the_same_items_and_report(
    every: tuple[Match, ...], world: World, policy: MatchPolicy
) -> None:
    (items, report), *others = (match(*world, policy=policy) for match in every)

    assert [found.to_pylist() for found, _ in others] == [items.to_pylist()] * len(others)
    assert [found for _, found in others] == [report] * len(others)


@few
@given(world=worlds, policy=policies)
def test_every_row_is_in_exactly_one_item(world: World, policy: MatchPolicy) -> None:
    items, report = match_arrow(*world, policy=policy)

    payment_ids = items.column("payment_id").drop_null().to_pylist()
    assert sorted(payment_ids) == sorted(world[0].column("payment_id").to_pylist())
    assert len(set(items.column("item_id").to_pylist())) == items.num_rows == report.items
    rows = {side: sum(t.rows for t in report.control.outgoing if t.side == side) for side in ("payments", "orders")}
    assert rows == {"payments": world[0].num_rows, "orders": world[1].num_rows}


@few
@given(world=worlds, policy=policies)
def test_control_totals_are_the_sums_of_the_sides(world: World, policy: MatchPolicy) -> None:
    _, report = match_arrow(*world, policy=policy)

    sums: Counter[Any] = Counter()
    for total in report.control.outgoing:
        sums[total.side, total.currency_code] += total.amount_cents
    expected: Counter[Any] = Counter()
    for row in map(known, with_money(world[0].to_pylist(), [], policy)):
        expected["payments", row["currency_code"]] += row["amount"] or 0
    for row in map(known, world[1].to_pylist()):
        expected["orders", row["currency_code"]] += row["amount_cents"] or 0
    assert sums == expected


@pytest.mark.slow
@few
@given(world=worlds, policy=policies, shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(world: World, policy: MatchPolicy, shuffle: Any) -> None:
    items, report = match_arrow(*world, policy=policy)
    orders = (shuffle.sample(range(table.num_rows), table.num_rows) for table in world)
    shuffled = [table.take(pa.array(order, pa.int64())) for table, order in zip(world, orders, strict=True)]

    again, report_again = match_arrow(*shuffled, policy=policy)
    assert again.to_pylist() == items.to_pylist()
    assert report_again == report


@pytest.mark.slow
@few
@given(world=worlds, policy=policies)
def test_an_unrelated_row_changes_nothing_else(world: World, policy: MatchPolicy) -> None:
    # Of amounts that no other row has: else a suggestion would know of them.
    stranger = {"payment_id": "stranger", "order_id": "stranger", "reference": "stranger", "order_number": "stranger"}
    payments = pa.concat_tables([world[0], payments_table([stranger | {"amount_cents": 31_415}])])
    unknown = {"reference": "nobody", "order_number": "nobody", "order_id": "nobody", "line": 99, "amount_cents": 2}
    orders = pa.concat_tables([world[1], orders_table([unknown])])
    items, _ = match_arrow(*world, policy=policy)
    more, _ = match_arrow(payments, orders, policy=policy)

    known = [item for item in more.to_pylist() if item["payment_id"] != "stranger" and item["order_source_line"] != 99]
    assert known == items.to_pylist()


@pytest.mark.slow
@few
@given(world=worlds, policy=policies)
def test_items_are_sorted_and_of_the_schema(world: World, policy: MatchPolicy) -> None:
    items, _ = match_pandas(*world, policy=policy)

    def place(item: dict[str, Any]) -> list[tuple[bool, Any]]:
        cells = [item[column] for column in ITEMS_ORDER]
        return [(cell is None, cell.encode() if isinstance(cell, str) else cell or 0) for cell in cells]

    rows = items.to_pylist()
    assert items.schema.equals(ITEMS)
    assert rows == sorted(rows, key=place)


@pytest.mark.slow
@few
@given(world=worlds)
def test_swapping_the_sides_finds_the_same_pairs(world: World) -> None:
    """Where neither side has rows to leave out, the rule is symmetric: one of each, or nobody."""
    standing = {"order_status": "placed", "is_current_source": None}
    payments = [{**row, **standing, "order_id": row["payment_id"]} for row in world[0].to_pylist()]
    orders = [{**row, "order_id": None} for row in world[1].to_pylist()]
    policy = MatchPolicy(on=("reference", "order_number"))
    items, _ = match_arrow(table(payments, PAYMENTS), table(orders, ORDERS), policy=policy)

    swapped_payments = payments_table(
        [{"payment_id": str(row["source_line"]), "order_id": str(row["source_line"]), **keys_of(row)} for row in orders]
    )
    swapped_orders = orders_table([{"line": int(row["payment_id"][1:]), **keys_of(row)} for row in payments])
    swapped, _ = match_arrow(swapped_payments, swapped_orders, policy=policy)
    pairs = {(i["payment_id"], str(i["order_source_line"])) for i in items.to_pylist() if i["matched_on"]}
    assert pairs == {(f"P{i['order_source_line']}", i["payment_id"]) for i in swapped.to_pylist() if i["matched_on"]}


def table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def keys_of(row: dict[str, Any]) -> dict[str, Any]:
    return {"reference": row["reference"], "order_number": row["order_number"]}
