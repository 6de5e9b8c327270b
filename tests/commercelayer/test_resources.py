"""Pages as rows of PAYMENTS: what fills which column, and what is not believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.commercelayer.json_text import canonical_json
from reconcile.commercelayer.query import Window, behind, count_params, page_params, query_string, timestamp
from reconcile.commercelayer.relations import Wanted
from reconcile.commercelayer.resources import first_created_at, payments_from_pages
from reconcile.errors import IncompletePull, WrongMode
from reconcile.schema import MIRRORED

AT = "2026-01-02T03:04:05.678Z"


def payment(**changes: Any) -> dict[str, Any]:
    own = {"created_at": AT, "updated_at": AT, "reference": "R1", **changes.pop("attributes", {})}
    links = {"order": {"data": {"type": "orders", "id": "o1"}}}
    return {"id": "p1", "attributes": own, "relationships": links, "meta": {"mode": "live"}, **changes}


def order(**attributes: Any) -> dict[str, Any]:
    return {"id": "o1", "type": "orders", "attributes": {"number": "7", "total_amount_cents": 100, **attributes}}


def row_of(*data: dict[str, Any], included: list[dict[str, Any]] | None = None, mode: str | None = "live") -> Any:
    page = {"data": list(data), "included": [order()] if included is None else included}
    return payments_from_pages([json.dumps(page).encode()], expected_mode=mode).to_pylist()[0]


def test_columns_and_types_are_those_of_payments() -> None:
    empty = payments_from_pages([b'{"data":[]}'], expected_mode="live")

    assert empty.schema.equals(MIRRORED)
    assert empty.num_rows == 0


def test_attributes_that_are_missing_are_null() -> None:
    row = row_of(payment())

    assert row["mismatched_amounts"] is None
    assert row["payment_methods"] is None
    assert (row["order_id"], row["order_number"], row["total_amount_cents"]) == ("o1", "7", 100)
    assert row["created_at"] == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_a_payment_without_an_order_has_null_amounts() -> None:
    row = row_of(payment(relationships={"order": {"data": None}}), included=[])

    assert (row["order_id"], row["total_amount_cents"], row["currency_code"]) == (None, None, None)


@pytest.mark.parametrize(("sent", "number"), [(42, "42"), ("042", "042"), (None, None)])
def test_an_order_number_may_be_an_integer(sent: object, number: str | None) -> None:
    assert row_of(payment(), included=[order(number=sent)])["order_number"] == number


def test_a_status_nobody_knows_yet_is_kept() -> None:
    assert row_of(payment(), included=[order(status="on_hold")])["order_status"] == "on_hold"


def test_included_rows_of_other_types_are_passed_over() -> None:
    other = {"id": "g1", "type": "payment_gateways", "attributes": {"name": "Klarna"}}

    assert row_of(payment(), included=[other, order()])["order_number"] == "7"


def test_a_linked_order_that_is_missing_is_an_error_not_a_null() -> None:
    with pytest.raises(IncompletePull, match="payment p1 belongs to order o1, which is not in the page"):
        row_of(payment(), included=[])
    with pytest.raises(IncompletePull, match="does not say which order it belongs to"):
        row_of(payment(relationships={"order": {"links": {}}}))


def test_a_row_of_another_mode_is_an_error() -> None:
    with pytest.raises(WrongMode, match="payment p1 is of mode test, this pull of mode live"):
        row_of(payment(meta={"mode": "test"}))


@pytest.mark.parametrize(
    "changes",
    [{"total_amount_cents": 1.5}, {"total_amount_cents": "100"}, {"number": [1]}],
)
def test_an_amount_that_is_not_a_whole_number_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(IncompletePull):
        row_of(payment(), included=[order(**changes)])


def test_finer_times_are_cut_to_milliseconds() -> None:
    row = row_of(payment(attributes={"created_at": "2026-01-02T03:04:05.678999Z"}))

    assert row["created_at"] == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def test_a_time_that_is_none_is_an_error() -> None:
    with pytest.raises(IncompletePull, match="date-time"):
        row_of(payment(attributes={"created_at": "yesterday"}))


def test_credentials_sent_unasked_never_become_a_value() -> None:
    row = row_of(payment(attributes={"client_token": "canary", "auth_token": "canary"}))

    assert "canary" not in repr(row)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{"b": 1.10, "a": [1, 2.50E3, 123456789012345678901234567890]}', None),
        (b"null", None),
        (b"{}", "{}"),
        (b'"x"', '"x"'),
        ('{"é": "\\u00e9"}'.encode(), '{"é":"é"}'),
        (b'{"a": 1e400}', '{"a":1e400}'),
    ],
)
def test_json_is_kept_canonical_with_exact_numbers(sent: bytes, kept: str | None) -> None:
    if sent.startswith(b'{"b"'):
        kept = '{"a":[1,2.50E3,123456789012345678901234567890],"b":1.10}'

    assert canonical_json(sent) == kept


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANY_JSON)
def test_canonical_json_means_the_same_and_is_its_own_canon(value: Any) -> None:
    text = canonical_json(json.dumps(value, ensure_ascii=False, indent=1).encode())

    assert json.loads(text or "null") == value
    assert canonical_json((text or "null").encode()) == text


def test_the_first_created_is_read_from_a_count() -> None:
    assert first_created_at(json.dumps({"data": [{"attributes": {"created_at": AT}}]}).encode()) is not None
    assert first_created_at(b'{"data":[]}') is None
    assert first_created_at(b'{"data":[{"attributes":{"created_at":"2026-01-02T03:04:05"}}]}') is None


def test_a_page_asks_for_25_rows_behind_the_last_one_and_for_no_credential() -> None:
    window = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))

    params = page_params(window, Wanted())
    query = behind(query_string(params), "aB+,/9")

    assert params["page[size]"] == "25"
    assert params["page[number]"] == "1"
    assert "filter%5Bq%5D%5Bid_gt%5D=aB%2B%2C%2F9" in query
    assert "filter%5Bq%5D%5Bcreated_at_lt%5D=2026-02-01T00%3A00%3A00.000Z" in query
    assert "client_token" not in query
    assert "auth_token" not in query
    assert "[" not in query


def test_a_count_costs_one_row() -> None:
    assert count_params(Window(None, None)) == {
        "fields[klarna_payments]": "created_at",
        "page[number]": "1",
        "page[size]": "1",
        "sort": "created_at",
    }


def test_a_timestamp_is_utc_with_milliseconds() -> None:
    assert timestamp(datetime.fromisoformat("2026-01-01T01:00:00.123999+01:00")) == "2026-01-01T00:00:00.123Z"
