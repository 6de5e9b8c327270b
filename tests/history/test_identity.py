"""A break is what it is about: it is known again by payment, item, order, reference or number, each one once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.history.identity import BEFORE, HISTORY, SHARED_KEYS, identities
from reconcile.schema import ABOUT

ON = date(2026, 11, 20)
Row = dict[str, Any]


def one(item_id: str, **about: Any) -> Row:
    return dict.fromkeys(ABOUT.names) | {"item_id": item_id, "status": "missing_order"} | about


def was(item_id: str, days: int = 1, **about: Any) -> Row:
    since = ON - timedelta(days=days)
    return {"break_id": item_id, "first_seen_on": since} | one(item_id) | about


def known(item_id: str, break_id: str, days: int) -> Row:
    return {"item_id": item_id, "break_id": break_id, "first_seen_on": ON - timedelta(days=days)}


def found(tonight: list[Row], before: list[Row], history: list[Row] | None = None) -> dict[str, Row]:
    tables = (pa.Table.from_pylist(rows, schema) for rows, schema in ((tonight, ABOUT), (before, BEFORE)))
    table = identities(*tables, pa.Table.from_pylist(history or [], HISTORY), ON)
    return {row["item_id"]: row for row in table.to_pylist()}


def ids(tonight: list[Row], before: list[Row], history: list[Row] | None = None) -> dict[str, tuple[str, str, int]]:
    """Return item → (break, state, days since it was seen)."""
    rows = found(tonight, before, history).values()
    return {row["item_id"]: (row["break_id"], row["state"], (ON - row["first_seen_on"]).days) for row in rows}


@pytest.mark.parametrize(
    ("tonight", "before"),
    [
        ({"payment_id": "P1"}, {"payment_id": "P1"}),
        ({"order_id": "O1"}, {"order_id": "O1"}),
        *(({theirs: "R1"}, {ours: "R1"}) for columns in SHARED_KEYS[3:] for theirs in columns for ours in columns),
    ],
)
def test_it_goes_on_by_whatever_of_either_side_it_shares(tonight: Row, before: Row) -> None:
    row = found([one("now", status="amount_mismatch", **tonight)], [was("then", 9, **before)])["now"]

    assert (row["break_id"], row["state"], row["first_seen_on"]) == ("then", "open", ON - timedelta(days=9))
    assert (row["changed_from_status"], row["changed_from_item_id"]) == ("missing_order", "then")


def test_what_looks_as_before_has_not_changed() -> None:
    row = found([one("a", reference="R")], [was("a", reference="R")])["a"]

    assert (row["break_id"], row["changed_from_status"], row["changed_from_item_id"]) == ("a", None, None)


@pytest.mark.parametrize("blank", ["", " ", "\u3000", None])
def test_nothing_is_nothing_in_common(blank: str | None) -> None:
    assert ids([one("b", reference=blank)], [was("a", reference=blank)]) == {"b": ("b", "new", 0)}


def test_a_reference_is_no_order_number() -> None:
    assert ids([one("b", reference="1")], [was("a", order_number="1")]) == {"b": ("b", "new", 0)}


def test_the_payment_counts_before_the_item_and_the_order_before_a_reference() -> None:
    tonight = [one("x", payment_id="P", reference="R"), one("y", reference="R", order_id="O")]
    before = [was("y", payment_id="P"), was("z", 5, payment_id="Q", reference="R"), was("w", order_id="O")]

    assert ids(tonight, before) == {"x": ("y", "open", 1), "y": ("w", "open", 1)}


def test_the_oldest_goes_on_first_and_each_once() -> None:
    tonight = [one(name, reference="R") for name in ("d", "c")]
    before = [was("a", 1, reference="R"), was("b", 7, reference="R"), was("e", 3, reference="R")]

    assert ids(tonight, before) == {"c": ("b", "open", 7), "d": ("e", "open", 3)}


def test_a_row_that_is_in_a_pair_now_is_cleared_into_it() -> None:
    tonight = [one("pair", payment_id="P", matched_on="reference", reference="R", row_order_number="7")]
    before = [was("pair", 2, payment_id="P", reference="R"), was("row", 30, order_number="7", reference="other")]

    assert ids(tonight, before) == {"pair": ("pair", "open", 30)}


def test_another_payment_that_is_a_break_no_more_makes_nothing_older() -> None:
    tonight = [one("a", payment_id="P1", reference="R")]
    before = [was("a", 2, payment_id="P1", reference="R"), was("b", 30, payment_id="P2", reference="R")]

    assert ids(tonight, before) == {"a": ("a", "open", 2)}


def test_a_pair_that_falls_apart_goes_on_in_one_of_its_sides() -> None:
    tonight = [one("pair", payment_id="P", reference="R"), one("row", reference="R")]
    before = [was("pair", 4, payment_id="P", reference="R", matched_on="reference")]

    assert ids(tonight, before) == {"pair": ("pair", "open", 4), "row": ("row", "new", 0)}


def test_two_breaks_are_never_called_the_same() -> None:
    tonight = [one("pair", payment_id="P", reference="R"), one("row", reference="R")]
    before = [was("pair", 4, break_id="row", payment_id="P", reference="R", matched_on="reference")]
    history = [known("pair", "row", 9), known("row", "row", 9)]

    assert ids(tonight, before, history) == {"pair": ("row", "open", 9), "row": ("row-20261120", "new", 0)}


def test_what_was_there_long_ago_is_reopened_under_its_name() -> None:
    history = [known("a", "first", 40), known("b", "b", 20), known("first", "first", 40)]

    assert ids([one("a"), one("b"), one("c")], [], history) == {
        "a": ("first", "reopened", 40),
        "b": ("b", "reopened", 20),
        "c": ("c", "new", 0),
    }
    both = ids([one("a"), one("first")], [], history)
    assert both == {"a": ("first", "reopened", 40), "first": ("first-20261120", "new", 0)}


texts = st.sampled_from([None, "", "1", "2", "3"])
columns = {name: texts for group in SHARED_KEYS if group != ("item_id",) for name in group if name != "payment_id"}
some = st.lists(st.fixed_dictionaries(columns), max_size=6)


@settings(max_examples=80, deadline=None)
@given(tonight=some, before=some, same=st.integers(0, 6), days=st.lists(st.integers(1, 4), min_size=6, max_size=6))
def test_it_is_what_trying_every_pair_in_turn_gives(
    tonight: list[Row], before: list[Row], same: int, days: list[int]
) -> None:
    now = [one(f"{'both' if n < same else 'now'}{n}", **about) for n, about in enumerate(tonight)]
    then = [was(f"{'both' if n < same else 'then'}{n}", days[n], **about) for n, about in enumerate(before)]

    expected: dict[str, str] = {}
    for key in SHARED_KEYS:
        for old in sorted(then, key=lambda row: (row["first_seen_on"], row["item_id"])):
            for new in sorted(now, key=lambda row: row["item_id"]):
                shared = {old[name] for name in key} & {new[name] for name in key} - {None, ""}
                if shared and new["item_id"] not in expected and old["item_id"] not in expected.values():
                    expected[new["item_id"]] = old["item_id"]

    rows = found(now, then)
    assert {id_: row["break_id"] for id_, row in rows.items() if row["state"] == "open"} == expected
    assert len({row["break_id"] for row in rows.values()}) == len(now)
    backwards = found(now[::-1], then[::-1])
    assert backwards == rows


@pytest.mark.slow
@pytest.mark.parametrize("reference", ["R{}", "the same"])
def test_a_hundred_thousand_are_known_again_at_once(reference: str) -> None:
    many = 100_000
    tonight = [one(f"now{n:06}", reference=reference.format(n)) for n in range(many)]
    before = [was(f"then{n:06}", reference=reference.format(n)) for n in range(many)]
    tables = [pa.Table.from_pylist(rows, schema) for rows, schema in ((tonight, ABOUT), (before, BEFORE))]

    table = identities(*tables, HISTORY.empty_table(), ON)  # with every pair tried in turn it would take days

    assert set(table.column("state").to_pylist()) == {"open"}
