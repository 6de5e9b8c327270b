"""Pages read column by column: the same rows as row by row, or hands off."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.commercelayer.document import Document, decode_document
from reconcile.commercelayer.page_columns import payment_columns
from reconcile.commercelayer.resources import payments_from_documents, payments_from_pages
from reconcile.errors import IncompletePull, WrongMode

AT = "2026-01-02T03:04:05.678Z"
Page = dict[str, Any]


def page(rows: int = 3) -> Page:
    """An ordinary page: payments with orders of their own, the last without one."""
    data: list[Page] = [
        {
            "id": f"p{number}",
            "type": "klarna_payments",
            "attributes": {
                "created_at": AT,
                "updated_at": AT,
                "reference": f"R{number}",
                "mismatched_amounts": number == 1,
                "metadata": {"b": number, "a": 1.10},
                "payment_methods": [{"identifier": "pay_later"}],
            },
            "relationships": {"order": {"data": {"type": "orders", "id": f"o{number}"} if number < rows - 1 else None}},
            "meta": {"mode": "live"},
        }
        for number in range(rows)
    ]
    included = [
        {
            "id": f"o{number}",
            "type": "orders",
            "attributes": {"number": str(number), "total_amount_cents": number * 100},
        }
        for number in range(rows - 1)
    ]
    return {"data": data, "included": included, "meta": {"record_count": rows}}


def document(content: Page) -> Document:
    return decode_document(json.dumps(content).encode(), {})


def both(documents: list[Document], mode: str | None = "live") -> tuple[pa.RecordBatch, pa.RecordBatch]:
    by_rows = payments_from_pages([one.body for one in documents], expected_mode=mode)
    return payments_from_documents(documents, expected_mode=mode), by_rows


def test_an_ordinary_page_is_read_by_columns() -> None:
    documents = [document(page()), document(page(1)), document({"data": [], "meta": {"record_count": 0}})]

    assert payment_columns(documents, expected_mode="live") is not None
    by_columns, by_rows = both(documents)
    assert by_columns.equals(by_rows)
    assert by_columns.num_rows == 4


def test_an_order_is_that_of_its_own_page() -> None:
    """Read at two moments, the same order may have two totals."""
    later = page(2)
    later["data"][0]["id"], later["included"][0]["attributes"]["total_amount_cents"] = "p9", 777

    by_columns, by_rows = both([document(page(2)), document(later)])

    assert by_columns.column("total_amount_cents").to_pylist() == [0, None, 777, None]
    assert by_columns.equals(by_rows)


def changed(change: Callable[[Page], None]) -> Document:
    content = page()
    change(content)
    return document(content)


ODD: dict[str, Callable[[Page], None]] = {
    "number as an integer": lambda p: p["included"][0]["attributes"].update(number=42),
    "finer than milliseconds": lambda p: p["data"][0]["attributes"].update(created_at="2026-01-02T03:04:05.678912Z"),
    "another resource included": lambda p: p["included"].append({"id": "m1", "type": "markets", "attributes": {}}),
    "no mode": lambda p: p["data"][0].pop("meta"),
    "a payment twice": lambda p: p["data"].append(p["data"][0]),
    "cents too large": lambda p: p["included"][0]["attributes"].update(total_amount_cents=2**63),
    "cents that cannot be added up": lambda p: p["included"][0]["attributes"].update(total_amount_cents=-(2**62)),
    "no currency at all": lambda p: p["included"][0]["attributes"].update(currency_code=""),
    "cents far too large": lambda p: p["included"][0]["attributes"].update(total_amount_cents=-(10**40)),
    "beyond the calendar": lambda p: p["included"][0]["attributes"].update(placed_at="9999-12-31T23:59:59-14:00"),
    "before the calendar": lambda p: p["data"][0]["attributes"].update(created_at="0001-01-01T00:00:00+14:00"),
    "the calendar's end": lambda p: p["data"][0]["attributes"].update(updated_at="9999-12-31T23:59:59.999999Z"),
    "half a surrogate pair": lambda p: p["data"][0]["attributes"].update(reference="R\ud83d", metadata={"\udc00": "x"}),
    "control characters": lambda p: p["data"][0]["attributes"].update(reference="R\x00\x1b", metadata={"a": "\x00"}),
    "a strange currency": lambda p: p["included"][0]["attributes"].update(currency_code="\x00 euros?"),
    "a number of 5,000 digits": lambda p: p["data"][0]["attributes"].update(metadata={"n": 10**4_000}),
    "an order twice": lambda p: p["included"].append(p["included"][0]),
    "no orders at all": lambda p: (p.pop("included"), p.update(data=p["data"][2:]))[0],
}


@pytest.mark.parametrize("change", ODD.values(), ids=list(ODD))
def test_what_is_not_ordinary_gives_the_same_rows(change: Callable[[Page], None]) -> None:
    by_columns, by_rows = both([changed(change), document(page(1))])

    assert by_columns.equals(by_rows)


WRONG: dict[str, Callable[[Page], None]] = {
    "a fraction of a cent": lambda p: p["included"][0]["attributes"].update(total_amount_cents=1.5),
    "cents with an exponent": lambda p: p["included"][0]["attributes"].update(total_amount_cents=1e2),
    "cents as text": lambda p: p["included"][0]["attributes"].update(total_amount_cents="100"),
    "a number as reference": lambda p: p["data"][0]["attributes"].update(reference=7),
    "an id that is a number": lambda p: p["included"][0].update(id=7),
    "no created_at": lambda p: p["data"][0]["attributes"].pop("created_at"),
    "no time": lambda p: p["data"][0]["attributes"].update(updated_at="yesterday"),
    "no attributes": lambda p: p["data"][0].pop("attributes"),
    "a linkage left out": lambda p: p["data"][2]["relationships"]["order"].pop("data"),
    "relationships left out": lambda p: p["data"][2].pop("relationships"),
    "the order is not in the page": lambda p: p["included"].pop(0),
    "an order without attributes": lambda p: p["included"][0].pop("attributes"),
    "an order without a type": lambda p: p["included"][0].pop("type"),
    "an order without an id": lambda p: p["included"][1].pop("id"),
    "a truth as text": lambda p: p["data"][0]["attributes"].update(mismatched_amounts="true"),
    "attributes that are nothing": lambda p: p["data"][0].update(attributes=None),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_refused_in_the_same_words(change: Callable[[Page], None]) -> None:
    documents = [document(page(1)), changed(change)]

    with pytest.raises(IncompletePull) as by_rows:
        payments_from_pages([one.body for one in documents], expected_mode="live")
    with pytest.raises(IncompletePull) as by_columns:
        payments_from_documents(documents, expected_mode="live")

    assert str(by_columns.value) == str(by_rows.value)


def test_a_row_of_the_other_mode_stops_the_pull() -> None:
    documents = [changed(lambda content: content["data"][1]["meta"].update(mode="test"))]

    with pytest.raises(WrongMode):
        payments_from_documents(documents, expected_mode="live")
    assert payments_from_documents(documents, expected_mode=None).num_rows == 3


TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
CENTS = st.none() | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(TEXTS, TEXTS, VALUES, CENTS, st.none() | st.booleans()), max_size=4))
def test_any_values_come_out_the_same(rows: list[tuple[Any, ...]]) -> None:
    content = page(len(rows) + 1)
    for row, order, (reference, status, free, cents, flag) in zip(
        content["data"], content["included"], rows, strict=False
    ):
        row["attributes"] |= {"reference": reference, "metadata": free, "mismatched_amounts": flag}
        order["attributes"] |= {"status": status, "total_amount_cents": cents}

    by_columns, by_rows = both([document(content)])

    assert by_columns.equals(by_rows)
