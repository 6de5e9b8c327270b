"""
What happened to a payment: answers of `event_stores`, or of the older `versions`, as events.

Knows both shapes, and how each list continues. How a page is requested is passed in. `client_token` and `auth_token`
are credentials: their changes are left out.

Sources: https://docs.commercelayer.io/core-api-reference/event_stores and .../versions
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from reconcile.commercelayer.clocks import in_utc
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.query import PAGE_SIZE, PAYMENTS_PATH, Params
from reconcile.errors import AuthError, CommerceLayerError, IncompletePull, Refused, UnknownPayment

Get = Callable[[str, Params], Awaitable[Document]]

_SECRETS = ("client_token", "auth_token")
_CURSOR = "page[after]"
_MOST_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class Event:
    """
    One thing that happened.

    `at` is in UTC, `event` is `create`, `update` or `destroy`, `who` says which application, user or worker it was,
    null when it is not reported. `changes` has the value before and after by the attribute's name, as the API gave
    them.
    """

    at: datetime
    event: str
    who: str | None
    changes: Mapping[str, tuple[Any, Any]]


class _Attributes(msgspec.Struct, frozen=True):
    created_at: datetime
    event: str
    who: dict[str, Any] | None = None
    payload: dict[str, Any] | None = None  # of an event store
    changes: dict[str, Any] | None = None  # of a version


class _Row(msgspec.Struct, frozen=True):
    attributes: _Attributes


class _Links(msgspec.Struct, frozen=True):
    next: str | None = None


class _Page(msgspec.Struct, frozen=True):
    data: list[_Row]
    links: _Links = _Links()


_pages = msgspec.json.Decoder(_Page)


def events_path(payment_id: str) -> str:
    """Return the path of the event stores of a payment."""
    return f"{PAYMENTS_PATH}/{quote(payment_id, safe='')}/event_stores"


def versions_path(payment_id: str) -> str:
    """Return the path of the versions of a payment: deprecated, and empty since August 2025 where still served."""
    return f"{PAYMENTS_PATH}/{quote(payment_id, safe='')}/versions"


def events_params(after: str | None) -> dict[str, str]:
    """Return the parameters of the page of event stores behind the cursor `after`; null: of the first."""
    return {"page[size]": str(PAGE_SIZE)} | ({_CURSOR: after} if after is not None else {})


def versions_params(number: int) -> dict[str, str]:
    """Return the parameters of page `number` of the versions, from 1."""
    return {"page[number]": str(number), "page[size]": str(PAGE_SIZE), "sort": "id"}


def decode_events(body: bytes) -> list[Event]:
    """Return the events of a page, as it gives them. Raises CommerceLayerError when it has not the documented shape."""
    return [_event(row.attributes) for row in _decoded(body).data]


def next_cursor(body: bytes) -> str | None:
    """
    Return the cursor of the page that follows, null at the end.

    Only the cursor is taken from `links.next`: the address in it is not followed. Raises CommerceLayerError when
    there is none in it.
    """
    following = _decoded(body).links.next
    if following is None:
        return None
    try:
        return parse_qs(urlsplit(following).query)[_CURSOR][0]
    except (KeyError, ValueError):
        raise _unexpected("links.next has no cursor") from None


async def read_history(get: Get, payment_id: str) -> list[Event]:
    """
    Return what happened to a payment, oldest first: its event stores, or its `versions` where those are refused.

    `get` gives the document of a path and parameters. Raises UnknownPayment when there is no such payment, Refused when
    neither list may be read, IncompletePull when a list does not move on, and whatever `get` raises.
    """
    refusals: list[Refused | AuthError] = []
    for read in (_event_stores, _versions):
        try:
            return sorted(await read(get, payment_id), key=lambda event: event.at)
        except (Refused, AuthError) as error:
            if isinstance(error, Refused) and error.status not in (400, 404):
                raise
            refusals.append(error)
    raise no_history(payment_id, refusals)


async def _event_stores(get: Get, payment_id: str) -> list[Event]:
    events: list[Event] = []
    after: str | None = None
    behind: set[str] = set()
    while True:
        page = await get(events_path(payment_id), events_params(after))
        events += decode_events(page.body)
        after = next_cursor(page.body)
        if after is None:
            return events
        if after in behind or len(events) > _MOST_EVENTS:
            raise _endless(events_path(payment_id))
        behind.add(after)


async def _versions(get: Get, payment_id: str) -> list[Event]:
    events: list[Event] = []
    number = 0
    while True:
        number += 1
        page = await get(versions_path(payment_id), versions_params(number))
        events += decode_events(page.body)
        if not page.ids or len(events) >= (page.record_count or 0):
            return events
        if len(events) > _MOST_EVENTS:
            raise _endless(versions_path(payment_id))


def _endless(path: str) -> IncompletePull:
    return IncompletePull(f"{path}: the list does not move on", hint="run it again later; nothing was kept")


def no_history(payment_id: str, refusals: Sequence[Refused | AuthError]) -> CommerceLayerError:
    """Return the error for a payment of which neither list may be read."""
    if all(isinstance(one, Refused) and one.code == "RECORD_NOT_FOUND" for one in refusals):
        return UnknownPayment(
            f"klarna_payments: there is no payment {payment_id}, or its history is not available",
            payment_ids=(payment_id,),
            hint="ids are case-sensitive; a token of the other mode, or with a scope, does not see it",
        )
    words = "; ".join(one.message for one in refusals)
    return Refused(
        f"klarna_payments: the history of {payment_id} cannot be read: {words}",
        status=next((one.status for one in refusals if isinstance(one, Refused)), 401),
        hint="event stores need the credentials of an integration",
    )


def _decoded(body: bytes) -> _Page:
    try:
        return _pages.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unexpected(str(error)) from error


def _event(attributes: _Attributes) -> Event:
    changes = attributes.payload if attributes.payload is not None else attributes.changes
    at = attributes.created_at
    return Event(
        at=at.replace(tzinfo=UTC) if at.tzinfo is None else in_utc(at),
        event=attributes.event,
        who=_who(attributes.who or {}),
        changes={name: _pair(change) for name, change in _without_secrets(changes or {}).items()},
    )


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(inner) for name, inner in value.items() if name not in _SECRETS}
    return [_without_secrets(inner) for inner in value] if isinstance(value, list) else value


def _pair(change: Any) -> tuple[Any, Any]:
    """Recorded answers say from and to, the schema's example shows a list of two."""
    match change:
        case {"from": old, "to": new} | [old, new]:
            return old, new
        case _:
            return None, change


def _who(who: Mapping[str, Any]) -> str | None:
    """Kind and id of each of them; a person's name and address are left out."""
    parts = []
    for role in ("application", "owner", "worker"):
        if isinstance(one := who.get(role), dict):
            kind = one.get("kind") or one.get("type") or role
            parts.append(" ".join(str(part) for part in (kind, one.get("id")) if part))
    return ", ".join(parts) or None


def _unexpected(what: str) -> CommerceLayerError:
    return CommerceLayerError(
        f"the history of a payment does not have the documented shape: {what}", hint="the API may have changed"
    )
