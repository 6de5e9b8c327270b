"""Small worlds for hypothesis: few keys, so that rows meet often; every column that a rule looks at."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from matching_world import orders_table, payments_table, transactions_table

from reconcile.matching.keys.rules import NO_RULES, CleanRules, Replacement
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.population import Population
from reconcile.matching.tolerance import Tolerance

keys = st.sampled_from(
    [None, "", " ", "A", "A ", "a", "PO-A", "po- a", "B", "C", "é", "e\u0301", "É", "\u00a0D", "7", "007", "PO-"]
)
ids = st.sampled_from([None, "x", "y", "z"])
currencies = st.sampled_from(["EUR", "EUR", "EUR", "EUR", "EUR", "JPY", "=E", "", " \n\u3000", None])
cents = st.sampled_from([None, 0, 1, 10000, 10000, 10000, 10001, 9950, 5000, -10000, 2**55, 2**55 + 1, 2**56, -(2**63)])
days = st.integers(0, 3).map(lambda day: date(2026, 3, 30) + timedelta(days=day))
hours = st.sampled_from([0, 4, 12, 21, 22, 23])
moments = st.builds(lambda day, hour: datetime(day.year, day.month, day.day, hour, tzinfo=UTC), days, hours)
methods = st.sampled_from([None, "Klarna", "KLARNA Pay later", "Card", "card on file"])

sums = st.sampled_from([0, 0, 1, 4000, 5000, 10000, 10000, 2**56])
money = st.none() | st.fixed_dictionaries(
    {f"{name}_amount_cents": sums for name in ("authorized", "captured", "refunded", "voided")}
)
plain_payment_rows = st.fixed_dictionaries(
    {
        "reference": keys,
        "order_reference": st.none() | keys,
        "order_number": keys,
        "order_id": ids,
        "total_amount_with_taxes_cents": cents,
        "currency_code": currencies,
        "total_amount_cents": cents,
        "order_status": st.sampled_from(["placed", "placed", "approved", "pending", "cancelled", "archived", None]),
        "payment_status": st.sampled_from(
            ["paid", "paid", "paid", "unpaid", "refunded", "partially_refunded", "promised", None]
        ),
        "is_current_source": st.sampled_from([None, None, True, False]),
        "mismatched_amounts": st.sampled_from([None, False, True]),
        "mode": st.sampled_from(["live", "live", "test", None]),
        "market_name": st.sampled_from([None, "Nordics", "DACH"]),
        "payment_gateway_name": st.sampled_from([None, "Klarna"]),
        "created_at": moments,
        "placed_at": st.none() | moments,
    }
)
payment_rows = st.tuples(plain_payment_rows, money).map(lambda both: both[0] | (both[1] or {}))
order_rows = st.fixed_dictionaries(
    {
        "reference": keys,
        "order_number": keys,
        "order_id": ids,
        "amount_cents": cents,
        "currency_code": currencies,
        "ordered_on": st.none() | days,
        "method": methods,
        "carried": st.sampled_from([None, '{"Country": "SE"}', '{"Country": "DE"}']),
    }
)


def rows_to_tables(world: tuple[list[Any], list[Any]]) -> tuple[pa.Table, pa.Table]:
    return payments_table(world[0]), orders_table(world[1])


transaction_rows = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["authorizations", "captures", "captures", "refunds", "voids"]),
        "order_id": st.sampled_from(["x", "y"]),
        "payment_id": st.sampled_from([None, "P1", "P2", "P3", "P9"]),
        "amount_cents": st.sampled_from([0, 4000, 5000, 5000, 10000, 10000, 2**56, None]),
        "currency_code": st.sampled_from(["EUR", "EUR", "EUR", "EUR", "JPY"]),
        "succeeded": st.sampled_from([True, True, True, True, False, None]),
    }
)
transactions = st.lists(transaction_rows, min_size=2, max_size=8).map(transactions_table)
worlds = st.tuples(st.lists(payment_rows, max_size=8), st.lists(order_rows, max_size=8)).map(rows_to_tables)

tolerances = st.builds(
    Tolerance, cents=st.sampled_from([None, 0, 1, 60]), percent=st.sampled_from([None, "0", "0.5", "0.0001", "100"])
)


def policy_of(on: list[str], general: Tolerance, **settings: Any) -> MatchPolicy:
    return MatchPolicy(on=tuple(on), tolerance_cents=general.cents, tolerance_percent=general.percent, **settings)


rules = st.builds(
    CleanRules,
    case=st.sampled_from([None, "fold"]),
    replace=st.lists(
        st.sampled_from([Replacement("[ .-]"), Replacement("^P"), Replacement("(A)$", r"\1\1"), Replacement("0", "É")]),
        max_size=2,
    ).map(tuple),
    strip_prefix=st.lists(st.sampled_from(["PO", "PO-", "po-", "0"]), max_size=2).map(tuple),
    strip_suffix=st.lists(st.sampled_from(["A", "-A", "É"]), max_size=2).map(tuple),
    strip_zeros=st.booleans(),
    keys=st.sampled_from([("reference",), ("reference", "order_number")]),
    sides=st.sampled_from([("payments", "orders"), ("orders",)]),
)

populations = st.builds(
    Population,
    time_zone=st.sampled_from(["UTC", "Europe/Stockholm", "America/New_York"]),
    covers=st.sampled_from([None, None, "2026-03-31..", "..2026-03-31", "2026-03-30..2026-04-01"]),
    listed_only=st.booleans(),
    methods=st.sampled_from([("*klarna*",), ("klarna", "card*")]),
)
policies = st.builds(
    policy_of,
    on=st.lists(st.sampled_from(["reference", "order_reference", "order_number", "order_id"]), min_size=1, unique=True),
    general=tolerances,
    tolerances=st.dictionaries(
        st.sampled_from(["JPY", "EUR", "market:Nordics", "market:DACH", "gateway:Klarna"]), tolerances, max_size=3
    ),
    lag_days=st.integers(0, 3),
    group_orders=st.sampled_from([None, "sum"]),
    mode=st.sampled_from([None, "live"]),
    clean=st.just(NO_RULES) | rules,
    population=st.just(Population()) | populations,
    amount_basis=st.sampled_from(["due", "due", "captured", "total_amount_with_taxes_cents", "total_amount_cents"]),
    refunds=st.sampled_from([None, "booked_apart"]),
)
