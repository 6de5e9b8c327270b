"""Predicates, one by one; and every selection equal to a look at all rows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from reconcile.sandbox.api.filters import PREDICATES, Condition, Path, holds, split_predicate
from reconcile.sandbox.api.query import read_list_query, read_parameters
from reconcile.sandbox.api.refusals import Refusal
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.world.resources import KLARNA_PAYMENTS, ORDERS
from reconcile.sandbox.world.world import World


@pytest.mark.parametrize(
    ("predicate", "value", "wanted", "expected"),
    [
        ("eq", "A", "A", True),
        ("eq", "a", "A", False),
        ("eq", None, "A", False),
        ("eq_or_null", None, "A", True),
        ("not_eq", "B", "A", True),
        ("not_eq", None, "A", False),
        ("not_eq_or_null", None, "A", True),
        ("in", "A", ("A", "B"), True),
        ("not_in", "C", ("A", "B"), True),
        ("not_in", None, ("A", "B"), False),
        ("not_in_or_null", None, ("A", "B"), True),
        ("not_eq_all", "C", ("A", "B"), True),
        ("lt", 1, 2, True),
        ("lteq", 2, 2, True),
        ("gt", 2, 2, False),
        ("gteq_any", 2, (1, 5), True),
        ("gteq_all", 2, (1, 5), False),
        ("matches", "Order-77", "order-%", True),
        ("matches", "Order-77", "order-_", False),
        ("does_not_match", "x.y", "x_y", False),
        ("start", "Web-1", "web", True),
        ("not_end", "Web-1", "1", False),
        ("cont_any", "Web-1", ("x", "B-"), True),
        ("not_cont_all", "Web-1", ("x", "B-"), False),
        ("null", None, True, True),
        ("null", "", True, False),
        ("null", "x", False, True),
        ("blank", "", True, True),
        ("blank", {}, True, True),
        ("present", "", True, False),
        ("not_null", "", True, True),
        ("true", True, True, True),
        ("false", True, True, False),
        ("jcont", {"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, True),
        ("jcont", {"a": [1, 2]}, {"a": [2]}, True),
        ("jcont", {"a": 1}, {"a": 2}, False),
    ],
)
def test_a_predicate(predicate: str, value: Any, wanted: Any, expected: bool) -> None:
    assert holds(predicate, value, wanted) is expected


def test_the_longest_predicate_is_meant() -> None:
    assert split_predicate("reference_not_eq_or_null") == ("reference", "not_eq_or_null")
    assert split_predicate("created_at_gteq_any") == ("created_at", "gteq_any")
    with pytest.raises(Refusal):
        split_predicate("eq")


WORLD = World.generate(300, seed=8)
SELECTIONS = Selections(WORLD)
PAYMENTS = [WORLD.payments.row(sequence) for sequence in range(1, 301)]
WORLD.delete(PAYMENTS[40]["id"])


def chosen(parameters: dict[str, str]) -> list[str]:
    query = read_list_query(parameters, KLARNA_PAYMENTS)
    sequences = SELECTIONS.select("klarna_payments", query.conditions, query.sort)
    return [WORLD.payments.row(int(sequence))["id"] for sequence in sequences]


INSTANTS = st.sampled_from([row["created_at"][:16] + ":30.000Z" for row in PAYMENTS[::7]])


@settings(max_examples=60, deadline=None)
@given(since=INSTANTS, until=INSTANTS, after=st.integers(0, 299), descending=st.booleans())
def test_a_window_walked_by_id_is_what_a_look_at_every_row_finds(since, until, after, descending) -> None:
    expected = [
        row["id"]
        for number, row in enumerate(PAYMENTS)
        if number > after and since <= row["created_at"] < until and number != 40
    ]
    found = chosen(
        {
            "sort": "-id" if descending else "id",
            "filter[q][created_at_gteq]": since,
            "filter[q][created_at_lt]": until,
            "filter[q][id_gt]": PAYMENTS[after]["id"],
        }
    )

    assert found == (expected[::-1] if descending else expected)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("predicate", "expected"),
    [("gt", range(101, 300)), ("gteq", range(100, 300)), ("lt", range(100)), ("lteq", range(101))],
)
def test_bounds_of_ids_compare_the_hidden_sequence(predicate, expected, descending) -> None:
    found = chosen({"sort": "-id" if descending else "id", f"filter[q][id_{predicate}]": PAYMENTS[100]["id"]})
    ids = [PAYMENTS[number]["id"] for number in expected if number != 40]

    assert found == (ids[::-1] if descending else ids)


@pytest.mark.parametrize(
    ("parameters", "matches"),
    [
        ({"reference_null": "true"}, lambda row, order: row["reference"] is None),
        ({"reference_origin_eq": "netsuite"}, lambda row, order: row["reference_origin"] == "netsuite"),
        ({"metadata_jcont": '{"channel": "se"}'}, lambda row, order: row["metadata"].get("channel") == "se"),
        (
            {"order_currency_code_in": "SEK,NOK"},
            lambda row, order: bool(order) and order["currency_code"] in {"SEK", "NOK"},
        ),
        ({"order_placed_at_null": "true"}, lambda row, order: not order or order["placed_at"] is None),
        (
            {"order_updated_at_gteq": "2025-06-01T00:00:00Z"},
            lambda row, order: bool(order) and order["updated_at"] >= "2025-06-01",
        ),
        (
            {"reference_or_order_number_end": "7"},
            lambda row, order: (row["reference"] or "").endswith("7") or bool(order and order["number"].endswith("7")),
        ),
        (
            {"created_at_or_order_updated_at_gteq": "2026-03-01"},
            lambda row, order: row["created_at"] >= "2026-03-01" or bool(order and order["updated_at"] >= "2026-03-01"),
        ),
        (
            {"id_in": f"{PAYMENTS[3]['id']},{PAYMENTS[9]['id']},nobodyhere"},
            lambda row, order: row in (PAYMENTS[3], PAYMENTS[9]),
        ),
        ({"id_eq": "nobodyhere"}, lambda row, order: False),
        ({"order_id_eq": PAYMENTS[5]["order_id"]}, lambda row, order: row["order_id"] == PAYMENTS[5]["order_id"]),
        (
            {"order_total_amount_cents_gt": "100000", "order_status_eq": "approved"},
            lambda row, order: bool(order) and order["total_amount_cents"] > 100_000 and order["status"] == "approved",
        ),
    ],
)
def test_a_filter_finds_what_a_look_at_every_row_finds(parameters, matches) -> None:
    expected = [row["id"] for row in PAYMENTS if row is not PAYMENTS[40] and matches(row, WORLD.order_of(row))]

    assert chosen({f"filter[q][{name}]": value for name, value in parameters.items()}) == expected


def test_sorts_put_nulls_last_and_first_when_descending() -> None:
    reference_of = {row["id"]: row["reference"] for row in PAYMENTS}
    rising = [reference_of[id_] for id_ in chosen({"sort": "reference"})]
    falling = [reference_of[id_] for id_ in chosen({"sort": "-reference"})]
    known = [reference for reference in rising if reference is not None]

    assert known == sorted(known)
    assert rising[-1] is None
    assert falling[0] is None
    assert falling[-1] == known[0]


def test_a_second_criterion_breaks_ties_of_the_first() -> None:
    ids = chosen({"sort": "reference_origin,-created_at"})
    rows = {row["id"]: row for row in PAYMENTS}
    first = [rows[id_] for id_ in ids if rows[id_]["reference_origin"] == "netsuite"]

    assert ids[: len(first)] == [row["id"] for row in first]
    assert [row["created_at"] for row in first] == sorted((row["created_at"] for row in first), reverse=True)


def test_orders_can_be_asked_for_by_their_payment_method() -> None:
    query = read_list_query({"filter[q][payment_method_payment_source_type_eq]": "klarna_payments"}, ORDERS)

    assert len(SELECTIONS.select("orders", query.conditions, query.sort)) == len(WORLD.orders)


def test_a_change_of_the_world_is_seen_by_the_next_selection() -> None:
    world = World.generate(10)
    selections = Selections(world)
    condition = Condition((Path("order", "status", "text"),), "eq", ("cancelled",))
    before = selections.select("klarna_payments", (condition,), (("id", False),))
    order = world.order_of(world.payments.row(2))
    assert order is not None
    world.update_order(order["id"], status="cancelled")
    after = selections.select("klarna_payments", (condition,), (("id", False),))

    assert 2 not in before.tolist()
    assert 2 in after.tolist()


def test_a_change_of_a_payment_alone_is_seen_too() -> None:
    world = World.generate(10)
    selections = Selections(world)
    condition = Condition((Path(None, "reference", "text"),), "eq", ("R-7",))
    before = selections.select("klarna_payments", (condition,), (("id", False),))
    world.update(world.payment_ids()[3], reference="R-7")
    after = selections.select("klarna_payments", (condition,), (("id", False),))

    assert (before.tolist(), after.tolist()) == ([], [4])


NAMES = st.sampled_from(
    [
        *("id", "created_at", "reference", "metadata", "order_id", "order_number", "order_placed_at"),
        *("order_status", "order_metadata", "order_total_amount_cents", "order_customer_email", "nothing"),
    ]
)
VALUES = st.one_of(
    st.sampled_from([PAYMENTS[7]["id"], PAYMENTS[7]["order_id"], "2025-01-01", "2025-01-01T00:00:00Z,2026-01-01", "7"]),
    st.sampled_from(["true", "false", "{}", '{"channel": "se"}', "a,b", ",", "-1", "%", "9999-12-31T23:59:59Z"]),
    st.text(max_size=8),
)


@settings(max_examples=300, deadline=None)
@given(
    names=st.lists(NAMES, min_size=1, max_size=2),
    predicate=st.sampled_from(PREDICATES),
    value=VALUES,
    sort=st.sampled_from(["", "id", "-created_at", "reference", "reference,-id", "x", ","]),
)
def test_a_filter_finds_rows_or_is_refused_and_never_breaks(names, predicate, value, sort) -> None:
    parameters = {"sort": sort, f"filter[q][{'_or_'.join(names)}_{predicate}]": value}
    try:
        found = chosen(parameters)
    except Refusal as refusal:
        event(refusal.code)
        return
    event("answered")

    assert len(found) == len(set(found)) <= 299


def test_a_query_string_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(Refusal, match="BAD_REQUEST"):
        read_parameters("filter%5Bq%5D%5Breference_eq%5D=%ff")
