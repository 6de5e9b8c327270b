"""An audit trail for people: their time, money in its currency, nothing twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from reconcile.reports.trail_text import _Change, steps_of
from reconcile.schema import Row


def row(second: int, attribute: str | None, before: Any, after: Any, **others: Any) -> Row:
    texts = (None if value is None else json.dumps(value) for value in (before, after))
    return {
        "at": datetime(2026, 3, 29, 0, 59, second, tzinfo=UTC),
        "event": "update",
        "resource_type": "orders",
        "attribute": attribute,
        **dict(zip(("before", "after"), texts, strict=True)),
        "who": None,
        **others,
    }


def changes(*rows: Row, currency_code: str | None = "EUR") -> list[tuple[str, str, str]]:
    return [
        (one.attribute, one.before, one.after) for step in steps_of(rows, currency_code, "UTC") for one in step.changes
    ]


def test_rows_of_one_event_are_one_step_in_the_time_of_the_zone() -> None:
    rows = [
        row(58, "status", None, "draft", event="create", who="integration a"),
        row(59, "placed", False, True, resource_type="klarna_payments"),
        row(59, "status", "draft", "placed"),
        row(59, None, None, None, event="destroy"),
    ]
    steps = steps_of(rows, "EUR", "Europe/Berlin")

    assert [(step.at, step.noun, step.event, step.who) for step in steps] == [
        ("2026-03-29 01:59:58", "order", "created", "integration a"),
        ("2026-03-29 01:59:59", "payment", "updated", ""),
        ("2026-03-29 01:59:59", "order", "updated", ""),
        ("2026-03-29 01:59:59", "order", "deleted", ""),
    ]
    assert [step.changes for step in steps] == [
        (_Change("status", "", "draft"),),
        (_Change("placed", "false", "true"),),
        (_Change("status", "draft", "placed"),),
        (),
    ]


def test_amounts_are_money_of_the_order() -> None:
    assert changes(row(1, "total_amount_cents", 123456, 0)) == [("total_amount_cents", "1,234.56 EUR", "0.00 EUR")]
    assert changes(row(1, "total_amount_cents", 5, None), currency_code="JPY") == [("total_amount_cents", "5 JPY", "")]
    assert changes(row(1, "total_amount_cents", 5, 6), currency_code=None) == [("total_amount_cents", "5", "6")]


def test_an_amount_is_of_the_currency_that_the_order_had_then() -> None:
    rows = [
        row(1, "total_amount_cents", None, 100),
        row(2, "currency_code", "JPY", "EUR"),
        row(2, "total_amount_cents", 100, 200),
        row(3, "total_amount_cents", 200, 300),
    ]

    assert changes(*rows) == [
        ("total_amount_cents", "", "100 JPY"),
        ("currency_code", "JPY", "EUR"),
        ("total_amount_cents", "100 JPY", "2.00 EUR"),
        ("total_amount_cents", "2.00 EUR", "3.00 EUR"),
    ]


def test_what_says_the_same_again_is_left_out_and_what_is_long_is_cut() -> None:
    rows = [
        row(1, "formatted_total_amount", "€1", "€2"),
        row(1, "payment_methods", None, [{"identifier": "x" * 99}]),
        row(1, "tax_rate", 0.1, 0.2),
        row(1, "total_amount_float", 1.0, 2.0),
        row(1, "updated_at", "a", "b"),
    ]

    (methods, rate) = changes(*rows)
    assert rate == ("tax_rate", "0.1", "0.2")
    assert methods[2].startswith('[{"identifier"')
    assert (len(methods[2]), methods[2][-1]) == (40, "…")
