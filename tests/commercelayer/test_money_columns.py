"""An order's money: which resource fills which column, and the same column by column as row by row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.commercelayer.document import Document, decode_document
from reconcile.commercelayer.page_columns import payment_columns
from reconcile.commercelayer.relations import SUM_OF
from reconcile.commercelayer.resources import payments_from_documents, payments_from_pages
from reconcile.errors import IncompletePull

AT = "2026-01-02T03:04:05.678Z"
Page = dict[str, Any]


def transaction(type_: str, id_: str, cents: int | None, source: str | None = "p0", **own: Any) -> Page:
    link = None if source is None else {"type": "klarna_payments", "id": source}
    attributes = {"number": f"1/T/{id_}", "amount_cents": cents, "currency_code": "EUR", "succeeded": True}
    return {
        "id": id_,
        "type": type_,
        "attributes": {**attributes, "token": f"secret-{id_}", "created_at": AT, **own},
        "relationships": {"payment_source": {"data": link}},
    }


def order(id_: str, source: Page | None, **transactions: list[str]) -> Page:
    return {
        "id": id_,
        "type": "orders",
        "attributes": {"number": id_, "currency_code": "EUR", "total_amount_cents": 100, "cancelled_at": AT},
        "relationships": {
            "payment_source": {"data": source},
            "market": {"data": {"type": "markets", "id": "m1"}},
            **{name: {"data": [{"type": name, "id": id_} for id_ in transactions.get(name, [])]} for name in SUM_OF},
        },
    }


def payment(id_: str, order_id: str | None) -> Page:
    return {
        "id": id_,
        "type": "klarna_payments",
        "attributes": {"created_at": AT, "updated_at": AT},
        "relationships": {
            "order": {"data": {"type": "orders", "id": order_id} if order_id else None},
            "payment_gateway": {"data": {"type": "klarna_gateways", "id": "g1"}},
        },
        "meta": {"mode": "live"},
    }


def page() -> Page:
    """Two payments of one order, which the second one pays; one of an order paid by card; one without an order."""
    card = {"type": "stripe_payments", "id": "p2"}
    return {
        "data": [payment("p0", "o0"), payment("p1", "o0"), payment("p2", "o2"), payment("p3", None)],
        "included": [
            order("o0", {"type": "klarna_payments", "id": "p1"}, authorizations=["t1", "t2"], captures=["t1"]),
            order("o2", card, refunds=["t9"], voids=["t5"]),
            transaction("authorizations", "t1", 70, "p1"),
            transaction("authorizations", "t2", 30, succeeded=False),
            transaction("captures", "t1", 70, "p1", number=7),
            transaction("refunds", "t9", 40, None),
            {**transaction("voids", "t5", 5), "relationships": {"payment_source": {"data": card}}},
            {"id": "p2", "type": "stripe_payments"},
            {"id": "m1", "type": "markets", "attributes": {"name": "Sweden"}},
            {"id": "g1", "type": "klarna_gateways", "attributes": {"name": "Klarna"}},
        ],
        "meta": {"record_count": 4},
    }


def document(content: Page) -> Document:
    return decode_document(json.dumps(content).encode(), {})


def both(documents: list[Document]) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    by_rows = payments_from_pages([one.body for one in documents], expected_mode="live")
    return payments_from_documents(documents, expected_mode="live"), by_rows


def ordinary() -> Page:
    content = page()
    content["included"][4]["attributes"]["number"] = "7"
    return content


def changed(change: Callable[[Page], None]) -> Document:
    content = ordinary()
    change(content)
    return document(content)


def test_sums_are_of_transactions_that_succeeded_and_each_order_says_what_it_is_paid_with() -> None:
    rows = payments_from_pages([json.dumps(page()).encode()], expected_mode="live").to_pylist()

    sums = [[row[column] for column in SUM_OF.values()] for row in rows]
    assert sums == [[70, 70, 0, 0], [70, 70, 0, 0], [0, 0, 40, 5], [None] * 4]
    assert [(row["order_source_type"], row["is_current_source"]) for row in rows] == [
        ("klarna_payments", False),
        ("klarna_payments", True),
        ("stripe_payments", False),
        (None, None),
    ]
    assert [(row["market_id"], row["market_name"], row["cancelled_at"] is not None) for row in rows[::3]] == [
        ("m1", "Sweden", True),
        (None, None, False),
    ]
    assert {(row["payment_gateway_id"], row["payment_gateway_name"]) for row in rows} == {("g1", "Klarna")}


def test_each_payment_comes_with_the_transactions_of_its_order_and_no_token() -> None:
    rows = payments_from_pages([json.dumps(page()).encode()], expected_mode="live").to_pylist()

    named = [
        [(one["type"], one["transaction_id"], one["payment_id"]) for one in row["transactions"] or []] for row in rows
    ]
    of_the_first = [("authorizations", "t1", "p1"), ("authorizations", "t2", "p0"), ("captures", "t1", "p1")]
    assert named == [of_the_first, of_the_first, [("refunds", "t9", None), ("voids", "t5", None)], []]
    assert rows[3]["transactions"] is None
    first = rows[0]["transactions"][0]
    assert first["token_sha256"] == hashlib.sha256(b"secret-t1").hexdigest()
    assert rows[0]["transactions"][2]["number"] == "7"
    assert "secret" not in repr(rows)


def test_an_ordinary_page_is_read_by_columns() -> None:
    documents = [document(ordinary()), document({"data": [], "meta": {"record_count": 0}}), document(ordinary())]

    assert payment_columns(documents, expected_mode="live") is not None
    by_columns, by_rows = both(documents)
    assert by_columns.equals(by_rows)
    assert by_columns.num_rows == 8


def attributes(place: int, **own: Any) -> Callable[[Page], None]:
    return lambda content: content["included"][place]["attributes"].update(own)


def of_order(name: str, value: Any, place: int = 0) -> Callable[[Page], None]:
    return lambda content: content["included"][place]["relationships"].update({name: value})


def without(place: int, name: str) -> Callable[[Page], None]:
    return lambda content: content["included"][place].pop(name)


ODD: dict[str, Callable[[Page], None]] = {
    "a number as an integer": attributes(4, number=7),
    "another currency": attributes(2, currency_code="SEK"),
    "another currency of one that failed": attributes(3, currency_code="SEK"),
    "no currency": attributes(2, currency_code=None),
    "a blank currency": attributes(2, currency_code=""),
    "an order without a currency": attributes(0, currency_code=None),
    "an amount that is missing": attributes(2, amount_cents=None),
    "one of those that failed": attributes(3, amount_cents=None),
    "an amount too large": attributes(2, amount_cents=2**62),
    "an amount beyond all": attributes(2, amount_cents=10**30),
    "a sum too large": lambda p: (
        attributes(2, amount_cents=2**62 - 1)(p),
        attributes(3, amount_cents=1, succeeded=True)(p),
    ),
    "not known whether it succeeded": attributes(2, succeeded=None),
    "no token": attributes(2, token=None),
    "no time": attributes(2, created_at=None),
    "a time beyond the calendar": attributes(2, created_at="9999-12-31T23:59:59-14:00"),
    "a finer time": attributes(2, created_at="2026-01-02T03:04:05.678912Z"),
    "captures that are not linked": of_order("captures", {"links": {}}),
    "captures that are no relation": lambda p: p["included"][0]["relationships"].pop("captures"),
    "captures that are null": of_order("captures", {"data": None}),
    "a source that is not linked": of_order("payment_source", {"links": {}}),
    "no source": of_order("payment_source", {"data": None}),
    "a source of no type": of_order("payment_source", {"data": {"id": "p0"}}),
    "no market": of_order("market", {"data": None}),
    "an order without relations": without(0, "relationships"),
    "a transaction without attributes": without(2, "attributes"),
    "a transaction without relations": without(2, "relationships"),
    "a transaction of a source of no type": of_order("payment_source", {"data": {"id": "p0"}}, 2),
    "a market without attributes": without(8, "attributes"),
    "a market that is not included": lambda p: p["included"].pop(8),
    "a gateway that is not included": lambda p: p["included"].pop(9),
    "a gateway of the general type": lambda p: p["included"][9].update(type="payment_gateways"),
    "a transaction that is not included": lambda p: p["included"].pop(4),
    "a transaction twice": lambda p: p["included"].append(p["included"][2]),
    "a transaction linked twice": of_order("captures", {"data": [{"type": "captures", "id": "t1"}] * 2}),
    "nothing of the order is linked": lambda p: p["included"][0].update(relationships={}),
    "an unknown type with odd attributes": lambda p: p["included"].append(
        {"id": "x", "type": "parcels", "attributes": {"number": [1], "name": 7, "token": {}}}
    ),
    "no gateway": lambda p: p["data"][0]["relationships"].update(payment_gateway={"data": None}),
}


@pytest.mark.parametrize("change", ODD.values(), ids=list(ODD))
def test_what_is_not_ordinary_gives_the_same_rows(change: Callable[[Page], None]) -> None:
    by_columns, by_rows = both([changed(change), document(ordinary())])

    assert by_columns.to_pylist() == by_rows.to_pylist()


UNKNOWN = {
    "another currency": "authorized_amount_cents",
    "no currency": "authorized_amount_cents",
    "an amount that is missing": "authorized_amount_cents",
    "an amount too large": "authorized_amount_cents",
    "a sum too large": "authorized_amount_cents",
    "captures that are not linked": "captured_amount_cents",
    "a transaction that is not included": "captured_amount_cents",
}


@pytest.mark.parametrize(("name", "column"), UNKNOWN.items())
def test_a_sum_that_is_not_known_is_null_and_the_others_stay(name: str, column: str) -> None:
    row = payments_from_documents([changed(ODD[name])], expected_mode="live").to_pylist()[0]

    assert [name for name in SUM_OF.values() if row[name] is None] == [column]


def test_what_failed_is_in_no_sum_whatever_it_says() -> None:
    for name in ("another currency of one that failed", "one of those that failed", "not known whether it succeeded"):
        row = payments_from_documents([changed(ODD[name])], expected_mode="live").to_pylist()[0]

        assert row["authorized_amount_cents"] == (0 if name.startswith("not") else 70), name


WRONG: dict[str, Callable[[Page], None]] = {
    "a fraction of a cent": attributes(2, amount_cents=1.5),
    "cents as text": attributes(4, amount_cents="70"),
    "a token that is a number": attributes(2, token=7),
    "no moment": attributes(2, created_at="yesterday"),
    "a link without an id": of_order("captures", {"data": [{"type": "captures"}]}),
    "a list that is none": of_order("captures", {"data": {"type": "captures", "id": "t1"}}),
    "an order without attributes": without(0, "attributes"),
    "a market's name that is a number": attributes(8, name=7),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_refused_in_the_same_words_and_no_token_is_in_them(change: Callable[[Page], None]) -> None:
    documents = [document(ordinary()), changed(change)]

    with pytest.raises(IncompletePull) as by_rows:
        payments_from_pages([one.body for one in documents], expected_mode="live")
    with pytest.raises(IncompletePull) as by_columns:
        payments_from_documents(documents, expected_mode="live")

    assert str(by_columns.value) == str(by_rows.value)
    assert "secret" not in str(by_rows.value)


CENTS = st.none() | st.integers(-1_000, 1_000) | st.sampled_from([2**61, 2**62 - 1, 1 - 2**62, 2**62, -(2**63)])
TEXTS = st.none() | st.sampled_from(["EUR", "SEK", "", "é"])
TRANSACTIONS = st.lists(
    st.tuples(st.sampled_from(list(SUM_OF)), st.integers(0, 2), CENTS, TEXTS, st.none() | st.booleans(), st.booleans()),
    max_size=8,
)


@given(TRANSACTIONS, TEXTS)
def test_any_transactions_come_out_the_same(given: list[tuple[Any, ...]], currency: str | None) -> None:
    orders = [order(f"o{n}", None if n else {"type": "klarna_payments", "id": "p0"}) for n in range(3)]
    orders[1]["attributes"]["currency_code"] = currency
    included = []
    for number, (type_, of, cents, code, succeeded, linked) in enumerate(given):
        id_ = f"t{number // 2}"  # ids of two types may be the same
        if linked and (type_, id_) not in {(one["type"], one["id"]) for one in included}:
            included.append(transaction(type_, id_, cents, currency_code=code, succeeded=succeeded))
            orders[of]["relationships"][type_]["data"].append({"type": type_, "id": id_})
    data = [payment("p0", "o0"), payment("p1", "o1"), payment("p2", "o0"), payment("p3", "o2")]
    content = {"data": data, "included": [*included, *orders], "meta": {"record_count": 4}}

    by_columns, by_rows = both([document(content), document(page())])

    assert by_columns.to_pylist() == by_rows.to_pylist()
