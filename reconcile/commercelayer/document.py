"""
JSON:API documents: bytes and headers in, values out.

Knows the envelope (rows' ids, what has no fixed shape in them, `meta.record_count`), error bodies, and the headers that
say something about the answer: clock, rate limit, `Retry-After`. Does not know payments or orders, opens no socket and
looks at no clock.

Sources: https://docs.commercelayer.io/core/handling-errors, https://docs.commercelayer.io/core/rate-limits
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from reconcile.commercelayer.json_text import readable

# More of an error's text says nothing more, and an HTML page would fill the screen.
_MESSAGE_LENGTH = 300

# Figures of headers are not believed beyond these: each request of a window takes memory, and a day is long enough.
_MOST_REQUESTS = 100_000
_MOST_DIGITS = 18
_LONGEST_WAIT_SECONDS = 86_400.0


class BrokenBody(Exception):
    """The body of a good answer is not a JSON:API document: cut, HTML, or something else. Ask again."""


class FreeForm(msgspec.Struct, frozen=True, gc=False):
    """Attributes whose values are JSON of any shape, as they were sent; the API documents no fields inside."""

    payment_methods: msgspec.Raw = msgspec.Raw(b"null")
    payment_instrument: msgspec.Raw = msgspec.Raw(b"null")
    metadata: msgspec.Raw = msgspec.Raw(b"null")


_NOTHING_FREE = FreeForm()


class _Row(msgspec.Struct, frozen=True, gc=False):
    id: str
    attributes: FreeForm | None = None


class _Meta(msgspec.Struct, frozen=True):
    record_count: int | None = None


class _Envelope(msgspec.Struct, frozen=True):
    data: list[_Row] | _Row | None
    meta: _Meta = _Meta()


class _Error(msgspec.Struct, frozen=True):
    title: str | None = None
    detail: str | None = None
    code: str | None = None
    meta: msgspec.Raw = msgspec.Raw(b"")


class _Rule(msgspec.Struct, frozen=True):
    error: str | None = None
    count: int | None = None


class _Errors(msgspec.Struct, frozen=True):
    errors: list[_Error] | _Error


_envelopes = msgspec.json.Decoder(_Envelope)
_error_bodies = msgspec.json.Decoder(_Errors)
_rules = msgspec.json.Decoder(_Rule)


@dataclass(frozen=True, slots=True)
class Document:
    """
    One answer of the API that is a JSON:API document.

    `ids` are the rows' ids in the server's order (one id for a single resource). `record_count` is the number of
    rows the request selects on all its pages, null for a single resource. `date` is the server's clock as it was sent
    (`http_date` reads it). `body` holds every attribute, and is left undecoded: the rows are read in batches.
    `free_form` are the rows' values that only a decoder of its own kind can find in it, one for each of `ids`.
    """

    ids: Sequence[str]
    record_count: int | None
    date: str | None
    body: bytes = field(repr=False)
    free_form: Sequence[FreeForm] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ApiError:
    """
    The API's own words for a refusal. `message` fits in one line and holds no control characters.

    Of a validation, `reason` is the rule that was broken (`meta.error`) and `allowed` its figure (`meta.count`).
    """

    code: str | None
    message: str
    reason: str | None = None
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """What `X-Ratelimit-*` says about the average window: requests allowed, in how many seconds, and left."""

    limit: int
    interval_seconds: float
    remaining: int | None


def decode_document(body: bytes, headers: Mapping[str, str]) -> Document:
    """
    Return the document in the `body` of a 200 or 201.

    What is not Unicode in it is replaced: see `json_text`. Raises BrokenBody when it is none; the text says what was
    found, never what it contained.
    """
    body = readable(body)
    try:
        envelope = _envelopes.decode(body)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise BrokenBody(_what_it_is(body)) from error
    rows = envelope.data
    if not isinstance(rows, list):
        rows = [rows] if rows is not None else []
    return Document(
        ids=[row.id for row in rows],
        record_count=envelope.meta.record_count,
        date=headers.get("Date"),
        body=body,
        free_form=[row.attributes or _NOTHING_FREE for row in rows],
    )


def decode_error(status: int, body: bytes) -> ApiError:
    """Return what the body of a 4xx or 5xx says. A body without JSON:API errors is summed up, never quoted."""
    try:
        errors = _error_bodies.decode(readable(body)).errors
    except (ValueError, RecursionError):
        return ApiError(code=None, message=f"status {status}, {_what_it_is(body)}")
    # The token endpoint may send one object where the API sends a list.
    listed = errors if isinstance(errors, list) else [errors]
    if not listed:
        return ApiError(code=None, message=f"status {status}")
    words = "; ".join(": ".join(part for part in (error.title, error.detail) if part) for error in listed)
    code = listed[0].code
    message = " ".join(part for part in (f"status {status}", code, words and f"({words})") if part)
    rule = _rule_of(listed[0])
    return ApiError(code=code, message=_one_line(message), reason=rule.error, allowed=rule.count)


def _rule_of(error: _Error) -> _Rule:
    try:
        return _rules.decode(error.meta)
    except (ValueError, RecursionError):  # there is none, or one of another shape: the words have to do
        return _Rule()


def quota(headers: Mapping[str, str]) -> Quota | None:
    """Return the rate limit the headers describe, or null when they do not (fully) describe one."""
    requests, interval = headers.get("X-Ratelimit-Limit"), headers.get("X-Ratelimit-Interval")
    if requests is None or interval is None:
        return None
    try:
        limit, interval_seconds = int(requests), float(interval)
    except ValueError:
        return None
    if limit < 1 or not 0 < interval_seconds < 86_400:
        return None
    limit, remaining = min(limit, _MOST_REQUESTS), _whole_number(headers.get("X-Ratelimit-Remaining", ""))
    return Quota(limit, interval_seconds, None if remaining is None else min(remaining, limit))


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return `Retry-After` in seconds, given as a number or as a date (then measured from the server's `Date`)."""
    text = headers.get("Retry-After", "").strip()
    if (seconds := _whole_number(text)) is not None:
        return min(float(seconds), _LONGEST_WAIT_SECONDS)
    until, now = http_date(text), http_date(headers.get("Date")) if text else None
    return min(max(0.0, (until - now).total_seconds()), _LONGEST_WAIT_SECONDS) if until and now else None


def _whole_number(text: str) -> int | None:
    # Digits without end are no number of requests or seconds, and Python does not read them either.
    return int(text[:_MOST_DIGITS]) if text.isdecimal() else None


def http_date(text: str | None) -> datetime | None:
    """Return the moment in an HTTP date, in whole seconds UTC, or null when it is missing or unreadable."""
    if not text:
        return None
    try:
        parsed = parsedate_to_datetime(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _what_it_is(body: bytes) -> str:
    start = body[:256].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html", b"<")):
        return "an HTML page in place of JSON"
    if start.startswith((b"{", b"[")):
        return "a body that is not a complete JSON:API document"
    return "a body that is not JSON"


def _one_line(text: str) -> str:
    plain = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return plain if len(plain) <= _MESSAGE_LENGTH else plain[: _MESSAGE_LENGTH - 1] + "…"
