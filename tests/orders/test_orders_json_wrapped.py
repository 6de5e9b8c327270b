"""JSON with its rows inside: the list is found, and objects in rows have columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import map_columns
from reconcile.orders.format import DETECTED
from reconcile.orders.text.json_walk import JsonWalk

A1 = {"reference": "A1", "total": "10.00", "currency": "EUR"}
A2 = {"reference": "A2", "total": "11.00", "currency": "EUR"}
BOTH = [("A1", 1000, "EUR"), ("A2", 1100, "EUR")]
MONEY = ("reference", "amount_cents", "currency_code")


def refused(read: Any, content: Any, name: str = "orders.json", **declared: Any) -> tuple[str, str]:
    with pytest.raises(OrderFileError) as caught:
        read(content if isinstance(content, str) else json.dumps(content), name=name, **declared)
    return str(caught.value).partition(": ")[2], caught.value.hint or ""


@pytest.mark.parametrize(
    "document",
    [
        {"data": [A1, A2], "meta": {"count": 2}},
        {"meta": {"page": {"n": 1}}, "orders": [A1, A2]},
        {"response": {"numFound": 2, "docs": [A1, A2]}},
        {"columns": ["reference", "total"], "rows": [A1, A2]},
        {"data": [A1, A2], "included": [{"id": 1}]},
        {"data": {"orders": {"edges": [{"node": A1, "cursor": "x"}, {"node": A2, "cursor": "y"}]}}},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_only_list_of_objects_has_the_rows(read: Any, document: Any, indent: int | None) -> None:
    outcome = read(json.dumps(document, indent=indent), name="orders.json")

    assert outcome.columns(*MONEY, "source_line") == [(*row, line) for line, row in enumerate(BOTH, 1)]


@pytest.mark.parametrize("rest", [{"b": [A2]}, {"b": []}, {"c": {"b": [A2]}}])
@pytest.mark.parametrize("turned", [False, True])
def test_several_lists_are_an_error_with_the_option(read: Any, rest: Any, turned: bool) -> None:
    document = {**rest, "a": [A1]} if turned else {"a": [A1], **rest}

    problem, hint = refused(read, document)

    other = "c.b" if "c" in rest else "b"
    first, second = (other, "a") if turned else ("a", other)
    assert problem == f'the rows may be in any of several lists: "{first}", "{second}"'
    assert hint == f"name the right one, e.g. --records {first}"
    assert read(json.dumps(document), name="orders.json", records="a").columns(*MONEY) == BOTH[:1]


def test_a_list_that_comes_after_megabytes_of_rows_is_an_error_too(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.orders.text.blocks.BLOCK_BYTES", 256)
    many = {"orders": [A1] * 50, "meta": {"pages": [1, 2]}}
    assert len(read(json.dumps(many), name="orders.json").rows) == 50

    problem, _ = refused(read, {**many, "refunds": [A2]})

    assert problem == 'the rows may be in any of several lists: "orders", "refunds"'


def test_what_is_included_before_the_rows_is_not_taken_for_them(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"included": [A2] * 5, "data": [A1]}
    assert read(json.dumps(document), name="orders.json").columns(*MONEY) == BOTH[:1]
    monkeypatch.setattr("reconcile.orders.text.blocks.BLOCK_BYTES", 64)

    problem, _ = refused(read, document)

    assert problem == 'the rows may be in any of several lists: "included", "data"'
    assert read(json.dumps(document), name="orders.json", records="data").columns(*MONEY) == BOTH[:1]


def test_a_list_twice_under_one_key_is_refused(read: Any) -> None:
    row = json.dumps(A1)

    assert refused(read, f'{{"a": [{row}], "a": [{row}]}}')[0] == 'list "a" occurs more than once in the file'
    assert refused(read, f'{{"a": [{row}], "a": [{row}]}}', records="a")[0].startswith('list "a" occurs more')


def test_a_list_that_is_not_there_is_told_with_those_that_are(read: Any) -> None:
    problem, hint = refused(read, {"data": [A1]}, records="orders")

    assert problem == 'there is no list of objects "orders" in the file; the lists of objects are "data"'
    assert hint == "correct --records"
    assert refused(read, {"data": [A1]}, records="data.x")[0].startswith('there is no list of objects "data.x"')


def test_a_list_with_an_odd_name_is_quoted_for_a_shell(read: Any) -> None:
    assert refused(read, {"all orders": [A1], "b": [A2]})[1] == 'name the right one, e.g. --records "all orders"'


@pytest.mark.parametrize("document", [{"data": []}, {"data": {"orders": []}, "meta": {"ids": [1]}}])
def test_an_empty_list_has_no_rows(read: Any, document: Any) -> None:
    assert read(json.dumps(document), name="orders.json").rows == []


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            {"columns": ["reference", "total"], "rows": [["A1", "1.00"]]},
            'the rows are written by columns, under "rows"',
        ),
        ({"reference": ["A1"], "total": ["1.00"]}, 'the rows are written by columns, under "reference"'),
        ({"reference": {"0": "A1", "1": "A2"}, "total": {"0": "1", "1": "2"}}, "the rows are written by columns"),
        ({"A1": A1, "A2": A2}, 'the rows are members of one object, under keys such as "A1"'),
        ({"orders": {"A1": A1, "A2": A2}}, 'the rows are members of one object, under keys such as "A1", in "orders"'),
    ],
)
def test_rows_in_another_form_are_refused_by_name(read: Any, document: Any, problem: str) -> None:
    found, hint = refused(read, document)

    assert found == problem
    assert hint.startswith("export it with one object per row: [{…}, {…}]")


def test_one_object_is_a_row_unless_it_may_be_around_others(read: Any) -> None:
    one = {**A1, "line_items": [{"sku": "S", "amount": "1.00"}]}
    assert read(json.dumps(one), name="orders.json").columns(*MONEY) == BOTH[:1]
    batch = {**A1, "orders": [A2]}
    assert read(json.dumps(batch), name="orders.ndjson").columns(*MONEY) == BOTH[:1]

    problem, hint = refused(read, batch)

    assert problem == 'this may be one order, or a list of orders under "orders"'
    assert hint == 'name the list with --records orders, or add --records "" if it is one order'
    assert read(json.dumps(batch), name="o.json", records="orders").columns(*MONEY) == BOTH[1:]
    assert read(json.dumps(batch), name="o.json", records="").columns(*MONEY) == BOTH[:1]


def test_objects_one_after_another_need_not_be_on_one_line(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.orders.text.blocks.BLOCK_BYTES", 40)
    content = f"\n{json.dumps(A1, indent=1)}\n\n{json.dumps(A2, indent=1)}{json.dumps(A1)}\n"

    assert read(content, name="orders.json").columns("reference", "source_line") == [("A1", 2), ("A2", 8), ("A1", 12)]


def test_documents_one_after_another_have_no_list_of_all_rows(read: Any) -> None:
    content = "\n".join(json.dumps({"data": [row]}) for row in (A1, A2))

    assert "objects follow one another" in refused(read, content, records="data")[0]


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.integers() | st.text('a",[]{}\\:\n', max_size=5) | st.lists(st.integers() | st.text(max_size=3)),
        lambda inner: st.dictionaries(st.text('a]}\\":.', max_size=3), inner, max_size=3),
        max_leaves=8,
    ).filter(lambda value: isinstance(value, dict)),
    st.lists(st.dictionaries(st.text('a"[{', max_size=2), st.integers(), max_size=2), min_size=1, max_size=4),
    st.integers(1, 9),
)
def test_a_list_is_found_wherever_the_pieces_end(around: Any, rows: list[Any], size: int) -> None:
    text = json.dumps({"before": around, "rows": rows, "after": around}).encode()
    walk = JsonWalk((text[at : at + size] for at in range(0, len(text), size)), "orders.json")

    found = {
        one.path: [json.loads(value) for group in walk.elements() for value in group.texts]
        for one in walk.lists()
        if one.path == "rows"
    }

    assert found == {"rows": rows}


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (("attributes.reference", "attributes.total", "attributes.currency"), {}),
        (("totals.grand_total", "totals.currency", "metadata.reference"), {}),
        (("total.amount", "total.currencyCode", "keys.reference"), {}),
    ],
)
def test_names_inside_objects_answer_to_their_last_part(inside: tuple[str, ...], expected: dict[str, str]) -> None:
    columns = map_columns(("id", *inside), DETECTED, path="o.json", inside=inside)

    assert {columns.name("reference"), columns.name("amount"), columns.name("currency")} == set(inside) | set(expected)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (
            {"reference": "A", "shipping": {"total": "5.00"}, "currency": "EUR"},
            'no column is clearly the amount: it may be "shipping.total"',
        ),
        (
            {"total": "1.00", "currency": "EUR", "a": {"reference": "A"}, "b": {"reference": "B"}},
            "there is no reference",
        ),
        ({"reference": "A", "tax": {"amount": "5.00"}, "currency": "EUR"}, "there is no amount column"),
    ],
)
def test_what_stands_inside_another_thing_is_not_taken_for_the_order(read: Any, row: Any, problem: str) -> None:
    assert refused(read, [row])[0].startswith(problem)


def test_what_the_order_itself_has_wins(read: Any) -> None:
    row = {**A1, "payment": {"reference": "P", "total": "9.00", "currency": "SEK"}}

    assert read(json.dumps([row]), name="orders.json").columns(*MONEY) == BOTH[:1]


def test_an_amount_is_in_the_currency_beside_it(read: Any) -> None:
    row = {"reference": "A", "currency": "EUR", "total": {"amount": "10.00", "currencyCode": "SEK"}}

    assert read(json.dumps([row]), name="orders.json").columns(*MONEY) == [("A", 1000, "SEK")]


@pytest.mark.parametrize("later", [{"total": "5.00"}, {"total": ["5.00"]}, {"total": 5}])
def test_a_total_without_its_object_is_a_reject(read: Any, later: Any) -> None:
    first = {"reference": "A", "total": {"amount": "10.00", "currencyCode": "EUR"}}

    outcome = read(json.dumps([first, {"reference": "B", **later}]), name="o.json", amount_column="total.amount")

    assert outcome.reasons[0][:2] + outcome.reasons[0][3:] == ("2", "total.amount", "is neither text nor a number")
    assert outcome.columns("reference") == [("A",)]


def test_a_key_twice_in_an_object_inside_is_a_reject(read: Any) -> None:
    content = '[{"reference": "A", "total": {"amount": "1.00", "amount": "2.00", "currency": "EUR"}}]'

    assert read(content, name="o.json").reasons == [
        ("1", "total.amount", '"2.00"', "occurs more than once in the object")
    ]


def test_a_currency_that_turns_up_inside_a_later_row_is_a_reject(read: Any) -> None:
    rows = [{"reference": "A", "totals": {"total": "1.00"}}] * 2
    late = {"reference": "B", "totals": {"total": "1.00", "currency": "SEK"}}
    content = "\n".join(map(json.dumps, rows)) + "\n" + " " * (5 << 20) + "\n" + json.dumps(late)

    outcome = read(content, name="o.ndjson", currency="EUR")

    assert [(line, column) for line, column, _, _ in outcome.reasons] == [("4", "totals.currency")]


def test_a_document_of_commerce_layer_needs_no_option(read: Any) -> None:
    order = {
        "id": "wBX", "type": "orders", "links": {"self": "https://x/orders/wBX"}, "meta": {"mode": "live"},
        "attributes": {
            "number": "100408", "reference": "NW-1", "metadata": {"reference": "other"}, "currency_code": "SEK",
            "total_amount_with_taxes_cents": 170100, "place_total_amount_cents": None, "placed_at": "2026-10-21",
        },
        "relationships": {"market": {"data": {"type": "markets", "id": "m"}}},
    }  # fmt: skip
    document = {"data": [order], "included": [{"id": "m", "type": "markets"}], "meta": {"record_count": 1}}

    outcome = read(json.dumps(document), name="orders.json")

    assert outcome.columns("reference", "order_number", "order_id", "amount_cents", "currency_code") == [
        ("NW-1", "100408", "wBX", 170100, "SEK")
    ]


def test_a_document_of_payments_of_commerce_layer_is_refused(read: Any) -> None:
    payment = {"id": "p", "type": "klarna_payments", "attributes": {"reference": "NW-1", "mismatched_amounts": False}}

    assert refused(read, {"data": [payment], "meta": {}})[0].startswith("this is a table of payments")
