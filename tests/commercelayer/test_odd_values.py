"""What is only odd stays a value of its record; what is missing names the record; nothing ends in a traceback."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.commercelayer.document import Quota, decode_document, decode_error, http_date, quota
from reconcile.commercelayer.document import retry_after_seconds as retry_after
from reconcile.commercelayer.json_text import canonical_json, canonical_jsons, readable
from reconcile.commercelayer.query import timestamp
from reconcile.commercelayer.resources import payments_from_documents
from reconcile.commercelayer.sending.auth import Claims, UnusableToken, claims_of, token_from_answer
from reconcile.errors import IncompletePull

AT = "2026-01-02T03:04:05.678Z"
PAGE: dict[str, Any] = {
    "data": [
        {
            "id": "pay1",
            "attributes": {"created_at": AT, "updated_at": AT, "reference": "R1", "metadata": {"k": "v"}},
            "relationships": {"order": {"data": {"type": "orders", "id": "o1"}}},
            "meta": {"mode": "live"},
        }
    ],
    "included": [
        {"id": "o1", "type": "orders", "attributes": {"number": "7", "currency_code": "EUR", "total_amount_cents": 100}}
    ],
    "meta": {"record_count": 1},
}


def read(body: bytes) -> dict[str, Any]:
    row: dict[str, Any] = payments_from_documents([decode_document(body, {})], expected_mode="live").to_pylist()[0]
    return row


def page(**changes: Any) -> bytes:
    """The page with other attributes, those of the order in `order`."""
    content = json.loads(json.dumps(PAGE))
    content["included"][0]["attributes"].update(changes.pop("order", {}))
    content["data"][0]["attributes"].update(changes)
    return json.dumps(content).encode()


@pytest.mark.parametrize("name", ["payment_methods", "payment_instrument", "metadata", "reference"])
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"a\xffb", "a\ufffdb"),
        (b"a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"),
        (b"a\\ud83db", "a\ufffdb"),
        (b"a\\uDC00", "a\ufffd"),
        (b"a\\ud83d\\ud83d\\ude00", "a\ufffd\U0001f600"),
        (b"\\ud83d\\ude00", "\U0001f600"),
        (b"\\\\ud83d", "\\ud83d"),
        (b"a\\u0000b", "a\x00b"),
    ],
)
def test_text_that_is_not_unicode_is_kept_as_far_as_it_can_be_read(name: str, sent: bytes, kept: str) -> None:
    body = page(**{name: "HERE"}).replace(b"HERE", sent)

    found = read(body)[name]

    assert (found if name == "reference" else json.loads(found)) == kept


@given(st.text(st.characters(codec=None)))
@example("\ud83d\ude00")
def test_whatever_python_can_write_becomes_text(text: str) -> None:
    found = json.loads(readable(json.dumps({"a": text}).encode()))["a"]

    found.encode()
    if text.isascii():
        assert found == text


@given(st.binary(max_size=30))
def test_readable_bytes_are_utf_8_and_stay_as_they_are(content: bytes) -> None:
    assert readable(content).decode() is not None
    assert readable(readable(content)) == readable(content)


@pytest.mark.parametrize("sent", [b"1" * 5_000, b"[" * 5_000 + b"]" * 5_000])
def test_json_that_cannot_be_sorted_is_kept_as_it_was_sent(sent: bytes) -> None:
    assert canonical_json(sent) == sent.decode()
    assert canonical_jsons([b'{"b":1,"a":2}', b"null", sent]) == ['{"a":2,"b":1}', None, sent.decode()]


@pytest.mark.parametrize("cents", [2**62, -(2**62), 2**63, -(2**63) - 1, 10**40])
def test_an_amount_that_cannot_be_added_up_is_unknown(cents: int) -> None:
    row = read(page(order={"total_amount_cents": cents, "total_amount_with_taxes_cents": 2**62 - 1}))

    assert (row["total_amount_cents"], row["total_amount_with_taxes_cents"]) == (None, 2**62 - 1)


def test_a_currency_without_letters_is_none() -> None:
    assert read(page(order={"currency_code": ""}))["currency_code"] is None


def test_a_currency_nobody_knows_is_kept() -> None:
    assert read(page(order={"currency_code": "zloty?"}))["currency_code"] == "zloty?"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
        ("9999-12-31T23:59:59-14:00", datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates_at_the_ends_of_the_calendar_are_dates(sent: str, kept: datetime) -> None:
    row = read(page(created_at=sent, updated_at=sent, order={"placed_at": sent, "updated_at": sent}))

    assert [row[name] for name in ("created_at", "updated_at", "placed_at", "order_updated_at")] == [kept] * 4
    assert timestamp(kept) == sent[:19] + timestamp(kept)[19:]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"created_at": "yesterday"}, "payment pay1: created_at 'yesterday' is not a date-time"),
        ({"updated_at": "\x1b[2J"}, r"payment pay1: updated_at '\x1b[2J' is not a date-time"),
        ({"order": {"placed_at": ""}}, "payment pay1: placed_at '' is not a date-time"),
        ({"created_at": None}, "payment pay1 does not have the documented shape: Expected `str`, got `null`"),
        ({"reference": 7}, "payment pay1 does not have the documented shape: Expected `str | null`, got `int`"),
        ({"order": {"total_amount_cents": "1"}}, "order o1 does not have the documented shape: Expected `int | null`"),
    ],
)
def test_what_is_not_as_documented_names_its_record(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(IncompletePull) as caught:
        read(page(**changes))

    assert caught.value.message.startswith(f"klarna_payments: {said}")
    assert caught.value.hint


@pytest.mark.parametrize(
    "token", ["", "a\nb", "a\rb", "a b", "a\x00", "t\u00f6ken", "\ufffd", "x" * 70_000, "a\r\nX-Injected: 1"]
)
def test_a_token_that_no_header_can_hold_is_refused(token: str) -> None:
    with pytest.raises(UnusableToken):
        token_from_answer(json.dumps({"access_token": token}).encode(), asked_at=0.0)


@pytest.mark.parametrize("lifetime", [0, -1, 10**30, -(10**30)])
def test_a_token_lives_for_a_time_that_can_be(lifetime: int) -> None:
    token = token_from_answer(json.dumps({"access_token": "x", "expires_in": lifetime}).encode(), asked_at=0.0)

    assert 0 < token.renew_at < token.expires_at <= 10 * 366 * 86_400


def test_claims_that_nobody_can_read_are_none() -> None:
    import base64

    payload = {"organization": {"slug": "../x"}, "application": {"kind": "a\x1b"}, "scope": "a\nb", "test": False}
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()

    assert claims_of(f"e30.{encoded}.x") == Claims(mode="live")
    assert claims_of(f"e30.{deep}.x") == Claims()


@pytest.mark.parametrize(
    "text",
    [
        "Fri, 31 Dec 9999 23:59:59 -1400",
        "Thu, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Thu, 01 Jan 2020 00:00:00 +999999999999999999999",
        "\x00",
        "9" * 8_000,
    ],
)
def test_a_header_date_without_sense_is_none(text: str) -> None:
    assert http_date(text) is None


def test_figures_of_headers_are_believed_up_to_a_point() -> None:
    headers = {"X-Ratelimit-Limit": "9" * 20, "X-Ratelimit-Interval": "60", "X-Ratelimit-Remaining": "9" * 8_000}

    assert quota(headers) == Quota(100_000, 60.0, 100_000)
    assert quota({**headers, "X-Ratelimit-Limit": "9" * 8_000}) is None
    assert retry_after({"Retry-After": "9" * 8_000}) == 86_400.0
    assert (
        retry_after({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": "Fri, 20 Nov 2026 00:00:00 GMT"})
        == 86_400.0
    )


@pytest.mark.parametrize(
    "body", [b'{"errors":[{"title":"\xff","detail":"\\ud83d"}]}', b'{"errors":[{"meta":' + b"[" * 10**5]
)
def test_an_error_body_without_sense_is_an_error_all_the_same(body: bytes) -> None:
    assert decode_error(422, body).message.startswith("status 422")


def test_times_are_written_with_four_digits_of_a_year() -> None:
    assert timestamp(datetime(1, 1, 1, tzinfo=UTC)) == "0001-01-01T00:00:00.000Z"
    assert timestamp(datetime.max.replace(tzinfo=UTC) - timedelta(days=1)).startswith("9999-12-30T23")
