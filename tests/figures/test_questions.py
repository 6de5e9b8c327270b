"""Questions about breaks: what conditions choose, in which order, what it comes to; what is told of a typing error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.errors import SettingsError
from reconcile.figures.conditions import Conditions, Days, Least, chosen_from
from reconcile.figures.questions import SORT_KEYS, CurrencySum, check_names, shared_by, sorted_breaks, sums_of
from reconcile.files.duckdb import connected
from reconcile.schema import ITEMS, Row

EVERYTHING = Conditions()
RUN = {"business_date": date(2026, 11, 20), "kind": "break", "is_break": True, "status": "missing_order"}


def table(*rows: Row) -> pa.Table:
    numbered = [{**RUN, "item_id": f"{n:032x}", "break_id": f"{n:032x}", **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, ITEMS)


def stake(cents: int, code: str | None, **more: Any) -> Row:
    return {"at_stake_cents": cents, "at_stake_currency_code": code, **more}


def chosen(items: pa.Table, asked: Conditions, *order: str) -> list[Row]:
    with connected() as connection:
        connection.register("items", items)
        return sorted_breaks(connection, chosen_from("items", asked), order).to_pylist()


NAMES = st.sampled_from([None, "Nordics", "nordics", "Nord.cs", "DACH"])
ITEM = st.fixed_dictionaries(
    {
        "status": st.sampled_from(["missing_order", "amount_mismatch"]),
        "state": st.sampled_from(["new", "open", None]),
        "at_stake_cents": st.integers(0, 300),
        "at_stake_currency_code": st.sampled_from(["EUR", "SEK", None]),
        "age_days": st.sampled_from([None, 0, 3, 4, 90]),
        "data_age_days": st.sampled_from([None, -1, 3, 4, 90]),
        "market_name": NAMES,
        "order_method": NAMES,
        "payment_gateway_name": NAMES,
        "reference": st.sampled_from([None, "NW-1", "nw-12", "100%_"]),
        "accepted_reason": st.sampled_from([None, "known"]),
    }
)
ASKED: dict[str, tuple[Any, Callable[[Row], bool]]] = {
    "status": ("Amount differs", lambda row: row["status"] == "amount_mismatch"),
    "state": (["new", "reopened"], lambda row: row["state"] == "new"),
    "min_amount": (
        ["1.50EUR", "SEK 2"],
        lambda row: row["at_stake_cents"] >= {"EUR": 150, "SEK": 200}.get(row["at_stake_currency_code"], 999),
    ),
    "age": ("<=3", lambda row: row["age_days"] in (0, 3)),
    "data_age": ([">3", "none"], lambda row: row["data_age_days"] in (None, 4, 90)),
    "currency": (["none", "sek"], lambda row: row["at_stake_currency_code"] in (None, "SEK")),
    "method": ("nord.cs", lambda row: row["order_method"] == "Nord.cs"),
    "market": ("NORDICS", lambda row: (row["market_name"] or "").lower() == "nordics"),
    "gateway": (["no*", "none"], lambda row: row["payment_gateway_name"] != "DACH"),
    "text": (["w-1", "%_"], lambda row: row["reference"] is not None),
    "accepted": (False, lambda row: row["accepted_reason"] is None),
}


@given(rows=st.lists(ITEM, max_size=12), names=st.sets(st.sampled_from(sorted(ASKED)), max_size=4))
def test_conditions_hold_together_and_their_values_are_alternatives(rows: list[Row], names: set[str]) -> None:
    items = table(*rows)
    asked = Conditions.of(**{name: ASKED[name][0] for name in names})

    expected = [row["item_id"] for row in items.to_pylist() if all(ASKED[name][1](row) for name in names)]
    assert sorted(row["item_id"] for row in chosen(items, asked)) == expected
    assert set(asked.asked) == names


@pytest.mark.parametrize(
    ("word", "days"),
    [
        (">3", Days(4, None)),
        (">=3", Days(3, None)),
        ("< 3", Days(None, 2)),
        ("<=3", Days(None, 3)),
        ("3", Days(3, 3)),
        ("4-7", Days(4, 7)),
        ("none", Days()),
    ],
)
def test_days_are_written_as_people_do_and_as_reports_have_them(word: str, days: Days) -> None:
    assert Conditions.of(age=word).age == (days,)


@pytest.mark.parametrize(
    ("word", "least"),
    [
        ("100EUR", Least(10000, "EUR")),
        ("100.5 eur", Least(10050, "EUR")),
        ("JPY 100", Least(100, "JPY")),
        ("0.005KWD", Least(5, "KWD")),
    ],
)
def test_amounts_are_exact_in_their_currency(word: str, least: Least) -> None:
    assert Conditions.of(min_amount=word).min_amount == (least,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_amount": "100"}, '--min-amount "100": is not an amount with its currency'),
        ({"min_amount": "EUR"}, '--min-amount "EUR": is not an amount with its currency'),
        ({"min_amount": "EUR100EUR"}, '--min-amount "EUR100EUR": is not an amount with its currency'),
        (
            {"min_amount": "1,234EUR"},
            '--min-amount "1,234" could be read two ways, or does not follow what is declared',
        ),
        ({"min_amount": "100EURO"}, '--min-amount "100EURO": there is no currency EURO (did you mean EUR?)'),
        ({"status": "mising_order"}, '--status "mising_order": there is no such status (did you mean missing_order?)'),
        ({"status": "amounts differ"}, "(did you mean amount_mismatch?)"),
        ({"status": "?"}, '--status "?": there is no such status'),
        ({"state": "opne"}, '--state "opne": there is no such state (did you mean open?)'),
        ({"age": "three"}, '--age "three": is not a number of days'),
        ({"data_age": "->3"}, '--data-age "->3": is not a number of days'),
        ({"colour": "red"}, "there is no condition colour"),
    ],
)
def test_what_is_no_condition_is_told_with_what_is_nearest(given: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Conditions.of(**given)

    assert message in caught.value.message


def test_a_name_that_is_nowhere_in_the_run_is_told_with_those_that_are() -> None:
    items = table(stake(1, "EUR", market_name="Nordics"), stake(1, "XYZ", market_name="DACH"), stake(1, None))

    def told(**asked: str) -> SettingsError:
        with connected() as connection, pytest.raises(SettingsError) as caught:
            connection.register("items", items)
            check_names(connection, "items", Conditions.of(**asked))
        return caught.value

    error = told(market="Nordic")
    assert error.message == '--market "Nordic": there is no such market in the run (did you mean Nordics?)'
    assert error.hint == "there are DACH, Nordics"
    assert told(gateway="x*").hint == "there is none"
    assert told(currency="XYY").message == '--currency "XYY": there is no such currency in the run (did you mean XYZ?)'


def test_names_that_are_there_and_currencies_that_could_be_are_asked_for() -> None:
    items = table(stake(1, "XYZ", market_name="Nordics"))
    with connected() as connection:
        connection.register("items", items)
        for asked in ({"market": "nord*"}, {"market": "none"}, {"currency": "xyz"}, {"currency": "GBP"}):
            check_names(connection, "items", Conditions.of(**asked))


def test_sums_are_exact_by_currency_and_never_of_two() -> None:
    items = table(stake(2**62, "EUR"), stake(2**62, "EUR"), stake(3, "SEK"), stake(0, None))
    with connected() as connection:
        connection.register("items", items)
        sums = sums_of(connection, chosen_from("items", EVERYTHING))

    assert sums == (CurrencySum("EUR", 2, 2**63), CurrencySum("SEK", 1, 3), CurrencySum(None, 1, 0))


def test_the_largest_are_those_of_each_currency_in_turn() -> None:
    items = table(stake(5, "SEK"), stake(900, "EUR"), stake(700, "SEK"), stake(1, None), stake(800, "EUR"))

    amounts = [(row["at_stake_cents"], row["at_stake_currency_code"]) for row in chosen(items, EVERYTHING, "amount")]
    assert amounts == [(900, "EUR"), (700, "SEK"), (1, None), (800, "EUR"), (5, "SEK")]


def test_without_an_order_the_oldest_come_first_then_the_largest() -> None:
    days = [date(2026, 11, day) for day in (20, 18, 18)]
    items = table(*(stake(cents, "EUR", first_seen_on=day) for cents, day in zip((9, 1, 2), days, strict=True)))

    assert [row["at_stake_cents"] for row in chosen(items, EVERYTHING)] == [2, 1, 9]


@pytest.mark.parametrize("order", sorted(SORT_KEYS))
def test_every_order_is_one(order: str) -> None:
    items = table(stake(2, "EUR", reference="B"), stake(1, "EUR", reference="A", data_age_days=3, age_days=3))

    assert len(chosen(items, EVERYTHING, order)) == 2


def test_what_is_asked_for_shares_what_the_rest_does_not() -> None:
    paid = {"status": "amount_mismatch", "order_currency_code": "EUR", "payment_amount_cents": 500}
    listed = [stake(40, "EUR", difference_cents=40, **paid) for _ in range(3)]
    small = [stake(n, "EUR", difference_cents=n, **paid) for n in range(1, 9)]
    items = table(*listed, *small)
    with connected() as connection:
        connection.register("items", items)
        large = chosen_from("items", Conditions.of(min_amount="0.40EUR"))
        shared = [one.text for one in shared_by(connection, "items", large)]
        all_of_them = [one.text for one in shared_by(connection, "items", chosen_from("items", EVERYTHING))]

    assert shared == ["3 pairs differ by exactly 0.40 EUR"]
    assert "3 pairs differ by exactly 0.40 EUR" in all_of_them
