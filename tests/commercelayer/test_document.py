"""JSON:API documents, headers and error bodies: bytes in, values out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconcile.commercelayer.document import (
    BrokenBody,
    Quota,
    decode_document,
    decode_error,
    http_date,
    quota,
    retry_after_seconds,
)

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


def test_a_list_gives_its_ids_in_the_servers_order_and_its_count() -> None:
    body = b'{"data":[{"id":"b","type":"x"},{"id":"a","attributes":{"n":1e400}}],"meta":{"record_count":7}}'

    document = decode_document(body, {"Date": DATE})

    assert (list(document.ids), document.record_count, document.date) == (["b", "a"], 7, DATE)


def test_a_single_resource_and_nothing_are_documents_too() -> None:
    assert list(decode_document(b'{"data":{"id":"a"}}', {}).ids) == ["a"]
    assert list(decode_document(b'{"data":null}', {}).ids) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "an empty body"),
        (b"<!DOCTYPE html><html>", "an HTML page in place of JSON"),
        (b"oops", "a body that is not JSON"),
        (b'{"data":[{"id":"a"', "a body that is not a complete JSON:API document"),
        (b'{"errors":[]}', "a body that is not a complete JSON:API document"),
        (b'{"data":[{"id":1}]}', "a body that is not a complete JSON:API document"),
        (b"[" * 100_000, "a body that is not a complete JSON:API document"),
    ],
)
def test_anything_else_is_a_broken_body_that_is_not_quoted(body: bytes, said: str) -> None:
    with pytest.raises(BrokenBody) as caught:
        decode_document(body, {})

    assert str(caught.value) == said


def test_a_document_does_not_show_its_body() -> None:
    assert "secret" not in repr(decode_document(b'{"data":[],"meta":{"x":"secret"}}', {}))


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            b'{"errors":[{"title":"Bad","detail":"page","code":"INVALID_PAGE_VALUE","status":"400"}]}',
            "INVALID_PAGE_VALUE",
            "status 400 INVALID_PAGE_VALUE (Bad: page)",
        ),
        (b'{"errors":{"title":"invalid_client","code":"UNAUTHORIZED","status":400}}', "UNAUTHORIZED", None),
        (b'{"errors":[{"title":"a"},{"title":"b"}]}', None, "status 400 (a; b)"),
        (b'{"errors":[]}', None, "status 400"),
        (b"<html>", None, "status 400, an HTML page in place of JSON"),
        (b'{"errors":[{"detail":"a\\n\\u001b[31mb"}]}', None, "status 400 (a [31mb)"),
    ],
)
def test_an_error_gives_the_apis_own_words_in_one_line(body: bytes, code: str | None, message: str | None) -> None:
    error = decode_error(400, body)

    assert error.code == code
    assert error.message == (message or error.message)


def test_a_long_error_is_shortened() -> None:
    assert len(decode_error(422, b'{"errors":[{"detail":"' + b"x" * 5000 + b'"}]}').message) == 300


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Ratelimit-Limit": "200", "X-Ratelimit-Interval": "60", "X-Ratelimit-Remaining": "9"}, Quota(200, 60, 9)),
        ({"X-Ratelimit-Limit": "200", "X-Ratelimit-Interval": "0.6"}, Quota(200, 0.6, None)),
        ({"X-Ratelimit-Limit": "200"}, None),
        ({"X-Ratelimit-Limit": "0", "X-Ratelimit-Interval": "60"}, None),
        ({"X-Ratelimit-Limit": "200", "X-Ratelimit-Interval": "nan"}, None),
        ({"X-Ratelimit-Limit": "many", "X-Ratelimit-Interval": "60"}, None),
    ],
)
def test_the_quota_is_read_only_when_it_says_something(headers: dict[str, str], expected: Quota | None) -> None:
    assert quota(headers) == expected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("Sun, 22 Nov 2026 10:00:05 GMT", 5.0), ("Sun, 22 Nov 2026 09:00:00 GMT", 0.0), ("soon", None)],
)
def test_retry_after_is_a_number_or_a_date_of_the_servers_clock(text: str, seconds: float | None) -> None:
    assert retry_after_seconds({"Retry-After": text, "Date": DATE}) == seconds


def test_an_http_date_is_utc_or_nothing() -> None:
    assert http_date(DATE) == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert http_date("yesterday") is None
    assert http_date(None) is None
