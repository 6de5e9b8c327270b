"""JSON: a number's text is what stands in the file, and every broken or odd value is named."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.errors import OrderFileError
from reconcile.orders.text.json_elements import json_elements

LOST = "is a number with a fraction or an exponent, which no longer says what the key was"
NOISE = "has the noise of a float behind its decimals"
ROW = {"reference": "R1", "amount": "1.00", "currency": "EUR"}


def row(**cells: str) -> str:
    """Return one object with `cells` as raw JSON."""
    raw = {name: json.dumps(value) for name, value in ROW.items()} | cells
    return "{" + ",".join(f"{json.dumps(name)}: {value}" for name, value in raw.items()) + "}"


@pytest.mark.parametrize("array", [True, False])
def test_numbers_keep_their_digits(read: Any, array: bool) -> None:
    rows = [
        row(reference="123456789012345678901234567890", amount="12.30"),
        row(reference='"007"', amount='"12.3"'),
        row(reference='"1E5"', amount="-12"),
        row(reference='"caf\\u00e9 \\"x\\""'),
        row(reference="null"),
    ]
    content = f"[{', '.join(rows)}]" if array else "\n".join(rows)

    outcome = read(content, name="orders.json" if array else "orders.ndjson")

    assert outcome.columns("reference", "amount_cents", "amount_raw", "source_line") == [
        ("123456789012345678901234567890", 1230, "12.30", 1),
        ("007", 1230, "12.3", 2),
        ("1E5", -1200, "-12", 3),
        ('café "x"', 100, "1.00", 4),
        (None, 100, "1.00", 5),
    ]


def test_declared_separators_are_those_of_texts_not_of_numbers(read: Any) -> None:
    content = f"[{row(amount='1234.5')}, {row(amount=json.dumps('1.234,50'))}, {row(amount=json.dumps('12.30'))}]"

    outcome = read(content, name="orders.json", decimal=",", thousands=".")

    assert outcome.columns("amount_cents") == [(123450,), (123450,)]
    assert [reject[2] for reject in outcome.reasons] == ["12.30"]


def test_lines_of_ndjson_are_physical_ones(read: Any) -> None:
    content = f"\n\r\n{row()}\r\n\r\n{row()}"

    assert read(content, name="orders.jsonl").columns("source_line") == [(3,), (5,)]


def test_keys_may_come_in_any_order_or_be_missing(read: Any) -> None:
    content = '{"amount": 1.0, "reference": "a", "currency": "EUR"}\n{"currency": "EUR", "amount": 2}'

    assert read(content, name="orders.ndjson").columns("reference", "amount_cents") == [("a", 100), (None, 200)]


@pytest.mark.parametrize(
    ("raw", "reject"),
    [
        (row(amount="1e3"), ("amount", "1e3", "is not an amount in EUR")),
        (row(amount="19.989999999999998"), ("amount", "19.989999999999998", NOISE)),
        (row(reference="1E5"), ("reference", "1E5", LOST)),
        (row(reference="1.0"), ("reference", "1.0", LOST)),
        (row(amount="12.345"), ("amount", "12.345", "has more decimals than EUR, which has 2")),
        (row(amount="null"), ("amount", "", "is empty")),
        (row(amount="true"), ("amount", "true", "is neither text nor a number")),
        (row(reference='{"a": [1]}'), ("reference", '{"a": [1]}', "is neither text nor a number")),
        (
            '{"reference": "a", "amount": 1, "amount": 2, "currency": "EUR"}',
            ("amount", "2", "occurs more than once in the object"),
        ),
        ("[1, 2]", ("", "[1, 2]", "is not a JSON object")),
        ("17", ("", "17", "is not a JSON object")),
    ],
)  # fmt: skip
def test_an_odd_value_is_a_reject_of_its_row_only(read: Any, raw: str, reject: tuple[str, ...]) -> None:
    outcome = read(f"[{row()}, {raw}, {row()}]", name="orders.json")

    assert outcome.reasons == [("2", *reject)]
    assert outcome.columns("source_line") == [(1,), (3,)]


def test_a_key_named_twice_inside_another_value_is_no_repetition(read: Any) -> None:
    content = f"[{row(lines=json.dumps([{'amount': 1}, {'amount': 2}]))}]"

    assert read(content, name="orders.json").columns("amount_cents") == [(100,)]


def test_an_empty_array_has_no_rows(read: Any) -> None:
    assert read(" [ \n] ", name="orders.json").rows == []


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("", None, "there is nothing in the file"),
        (f"[{row()}, {row()}", 2, "the JSON array is never closed"),
        (f"[{row()},]", 2, "this is not valid JSON"),
        (f"[{row()}] {row()}", None, "there is text after the JSON array"),
        (f"{row()}\n{row()[:-3]}", 2, "this is not valid JSON"),
        (f'{{"data": [{row()},', 2, "the JSON array is never closed"),
        (f'{{"data": [{row()}], "more": [1, 2', 2, "the JSON array is never closed"),
        ("[" * 100_000 + "]" * 100_000, None, "there is no object with columns in the file"),
        ("[" + '{"a":' * 100_000 + "1" + "}" * 100_000 + "]", 1, "this is not valid JSON"),
        (row(reference='"\\ud800"'), 1, "this is not valid JSON"),
        ("reference,amount\n", 1, "this is not valid JSON"),
    ],
)
def test_a_broken_text_is_one_error_with_its_place(read: Any, content: str, line: int | None, problem: str) -> None:
    with pytest.raises(OrderFileError) as caught:
        read(content, name="orders.json")

    assert caught.value.line == line
    assert problem in str(caught.value)
    assert caught.value.hint


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a",[]{}\\\n', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a]}\\", max_size=2), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.lists(VALUES, max_size=5), st.integers(1, 9), st.sampled_from([None, 2]))
def test_an_array_is_cut_at_its_own_commas_wherever_the_pieces_end(
    values: list[Any], size: int, indent: int | None
) -> None:
    text = (" \n" + json.dumps(values, indent=indent) + "\n").encode().lstrip()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]

    groups = list(json_elements(iter(pieces), "orders.json"))

    assert [json.loads(one) for group in groups for one in group.texts] == values
    assert [place for group in groups for place in group.lines] == list(range(1, len(values) + 1))
