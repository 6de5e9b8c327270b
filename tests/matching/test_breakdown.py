"""Figures by market, gateway and carried columns: the lines of each add up to the statuses."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from matching_world import match_arrow, orders_table, payments_table
from worlds import policies, worlds

from reconcile.figures.breakdown import MOST_VALUES, breakdowns_of
from reconcile.figures.patterns import find_patterns
from reconcile.figures.statuses import statuses_of
from reconcile.files.duckdb import connected
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.tolerance import Tolerance


@settings(max_examples=10, deadline=None)
@given(world=worlds, policy=policies)
def test_the_lines_of_a_breakdown_add_up_to_the_statuses(world: tuple[pa.Table, pa.Table], policy: MatchPolicy) -> None:
    items, _ = match_arrow(*world, policy=policy)
    with connected() as connection:
        table = connection.from_arrow(items)
        connection.register("some_items", table.to_arrow_table())
        statuses, found = statuses_of(connection, "some_items"), breakdowns_of(connection, "some_items")

    whole: Counter[Any] = Counter()
    for status in statuses:
        for line in status.amounts:
            whole["items", line.currency_code] += line.count
            whole["payments", line.currency_code] += line.payment_amount_cents or 0
            whole["orders", line.currency_code] += line.order_amount_cents or 0
            whole["breaks", line.currency_code] += line.count if status.kind == "break" else 0
            whole["stake", line.currency_code] += line.at_stake_cents if status.kind == "break" else 0
    for breakdown in found:
        sums: Counter[Any] = Counter()
        for one in breakdown.lines:
            sums["items", one.currency_code] += one.count
            sums["payments", one.currency_code] += one.payment_amount_cents or 0
            sums["orders", one.currency_code] += one.order_amount_cents or 0
            sums["breaks", one.currency_code] += one.breaks
            sums["stake", one.currency_code] += one.at_stake_cents
        assert sums == whole
    columns = [name for name in ("market_name", "payment_gateway_name") if items[name].null_count < len(items)]
    carried = ["Country"] if items["order_carried"].null_count < len(items) else []
    assert [one.column for one in found] == columns + carried


def breakdown(items: pa.Table) -> list[tuple[str, str | None, int, int]]:
    with connected() as connection:
        connection.register("some_items", items)
        found = breakdowns_of(connection, "some_items")
    return [(one.title, line.value, line.count, line.breaks) for one in found for line in one.lines]


def test_the_value_with_the_most_breaks_comes_first_and_blank_ones_are_told() -> None:
    names = [None, "Nordics", "DACH", "DACH"]
    payments = [{"reference": f"R{n}", "market_name": name} for n, name in enumerate(names)]
    orders = [{"reference": f"R{n}", "amount_cents": 10000 + (n == 3)} for n in range(4)]

    items, _ = match_arrow(payments_table(payments), orders_table(orders), policy=MatchPolicy())

    assert breakdown(items) == [("Market", "DACH", 2, 1), ("Market", "", 1, 0), ("Market", "Nordics", 1, 0)]


def test_values_beyond_the_first_are_told_together_and_any_name_of_a_column_is_found() -> None:
    name = "Sales/\"channel\"~'x' {}"
    escaped = name.replace('"', '\\"')
    orders = [{"reference": f"R{n}", "carried": f'{{"{escaped}": "{n:03}"}}'} for n in range(MOST_VALUES + 7)]
    payments = [{"reference": f"R{n}"} for n in range(MOST_VALUES + 7)]

    items, _ = match_arrow(payments_table(payments), orders_table(orders), policy=MatchPolicy())

    lines = breakdown(items)
    assert len(lines) == MOST_VALUES + 1
    assert lines[0] == (name, "000", 1, 0)
    assert lines[-1] == (name, None, 7, 0)


def test_breaks_that_share_a_carried_value_are_a_pattern() -> None:
    name = "Sales {channel}"
    orders = [{"reference": f"R{n}", "carried": f'{{"{name}": "web"}}'} for n in range(20)]
    orders += [{"reference": f"X{n}", "carried": f'{{"{name}": "{{shop}}"}}'} for n in range(4)]
    payments = [{"reference": f"R{n}"} for n in range(20)]

    items, _ = match_arrow(payments_table(payments), orders_table(orders), policy=MatchPolicy())

    (pattern,) = [one for one in find_patterns(items) if one.kind == "carried"]
    assert (pattern.value, pattern.count, pattern.of) == ("Sales {channel}: {shop}", 4, 4)
    assert pattern.text == '4 of 4 breaks "No payment found" have "{shop}" as Sales {channel}'


def test_a_market_s_tolerance_goes_before_a_gateway_s_and_that_before_a_currency_s() -> None:
    shops = [(None, None), (None, "Klarna"), ("Nordics", "Klarna"), ("Nordics", None), ("DACH", None)]
    payments = [
        {"reference": f"R{n}", "market_name": market, "payment_gateway_name": gateway, "amount_cents": 10000 + cents}
        for n, (market, gateway, cents) in enumerate((*shop, cents) for shop in shops for cents in (1, 2, 3, 4))
    ]
    orders = [{"reference": f"R{n}"} for n in range(len(payments))]
    tolerances = {
        "EUR": Tolerance(cents=1),
        "gateway:Klarna": Tolerance(cents=2),
        "market:Nordics": Tolerance(cents=3),
        "market:DACH": Tolerance(percent="0.02"),  # of 100.00; the 1 cent of the currency is smaller
    }

    items, _ = match_arrow(payments_table(payments), orders_table(orders), policy=MatchPolicy(tolerances=tolerances))

    agree = {row["reference"]: row["amounts_agree"] for row in items.to_pylist()}
    found = [sum(agree[f"R{4 * shop + n}"] for n in range(4)) for shop in range(len(shops))]
    assert found == [1, 2, 3, 3, 1]
