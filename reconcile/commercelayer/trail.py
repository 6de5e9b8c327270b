"""
What happened to a payment or an order: answers of `event_stores`, or of the older `versions`, as events.

Knows both shapes, how each list continues, and which values are for nobody's eyes: changes of credentials are left
out, of what is personal only that it changed is kept. How a page is requested is passed in.

Sources: https://docs.commercelayer.io/core-api-reference/event_stores and .../versions
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

import msgspec

from reconcile.commercelayer.clocks import in_utc
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.query import PAGE_SIZE, Params
from reconcile.errors import AuthError, CommerceLayerError, IncompletePull, Refused, UnknownPayment

Get = Callable[[str, Params], Awaitable[Document]]
ResourceType = Literal["klarna_payments", "orders"]

NOT_SHOWN = "(not shown)"
"""Stands for a value that is personal; null stays null."""

# Whatever has one of these in its name opens something: client_token, auth_token, an order's token, a gift card's code.
_SECRETS = ("token", "secret", "password", "gift_card_code")
_PERSONAL = ("payment_instrument", "payment_source_details", "customer_email", "metadata")
_QUERY = re.compile(r"[?#].*", re.DOTALL)  # of an address
_CURSOR = "page[after]"
_MOST_EVENTS = 100_000


@dataclass(frozen=True, slots=True)
class Event:
    """
    One thing that happened.

    `at` is in UTC, `event` is `create`, `update` or `destroy`, `who` says which application, user or worker it was,
    null when it is not reported. `changes` has the value before and after by the attribute's name, as the API gave
    them; numbers with a fraction are Decimal.
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


_pages = msgspec.json.Decoder(_Page, float_hook=Decimal)


def events_path(resource_type: ResourceType, id_: str) -> str:
    """Return the path of the event stores of a payment or an order."""
    return f"{resource_type}/{quote(id_, safe='')}/event_stores"


def versions_path(resource_type: ResourceType, id_: str) -> str:
    """Return the path of its versions: deprecated, and empty since August 2025 where still served."""
    return f"{resource_type}/{quote(id_, safe='')}/versions"


def events_params(after: str | None) -> dict[str, str]:
    """Return the parameters of the page of event stores behind the cursor `after`; null: of the first."""
    return {"page[size]": str(PAGE_SIZE)} | ({_CURSOR: after} if after is not None else {})


def versions_params(number: int) -> dict[str, str]:
    """Return the parameters of page `number` of the versions, from 1."""
    return {"page[number]": str(number), "page[size]": str(PAGE_SIZE), "sort": "id"}


def decode_events(body: bytes) -> list[Event]:
    """Return the events of a page, as it gives them. Raises CommerceLayerError when it has not the documented shape."""
    try:
        return [_event(row.attributes) for row in _decoded(body).data]
    except RecursionError as error:
        raise _unexpected("a value is nested too deeply") from error


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


async def read_history(get: Get, resource_type: ResourceType, id_: str) -> list[Event]:
    """
    Return what happened to a payment or an order, oldest first: its event stores, or its `versions` where those are
    refused.

    `get` gives the document of a path and parameters, with a token that is known to be good. Raises UnknownPayment
    when there is no such payment, Refused when there is no such order or neither list may be read (status 401),
    IncompletePull when a list does not move on, and whatever `get` raises.
    """
    refusals: list[Refused | AuthError] = []
    for read in (_event_stores, _versions):
        try:
            events = sorted(await read(get, resource_type, id_), key=lambda event: event.at)
        except (Refused, AuthError) as error:
            if isinstance(error, Refused) and error.status not in (400, 404):
                raise
            refusals.append(error)
            continue
        if events or not any(isinstance(one, AuthError) for one in refusals):
            return events
        break  # where event stores are kept, no version is: that there is none says nothing
    raise no_history(resource_type, id_, refusals)


async def _event_stores(get: Get, resource_type: ResourceType, id_: str) -> list[Event]:
    path = events_path(resource_type, id_)
    events: list[Event] = []
    after: str | None = None
    behind: set[str] = set()
    while True:
        page = await get(path, events_params(after))
        events += decode_events(page.body)
        after = next_cursor(page.body)
        if after is None:
            return events
        if after in behind or len(events) > _MOST_EVENTS:
            raise _endless(path)
        behind.add(after)


async def _versions(get: Get, resource_type: ResourceType, id_: str) -> list[Event]:
    path = versions_path(resource_type, id_)
    events: list[Event] = []
    number = 0
    while True:
        number += 1
        page = await get(path, versions_params(number))
        events += decode_events(page.body)
        if not page.ids or len(events) >= (page.record_count or 0):
            return events
        if len(events) > _MOST_EVENTS:
            raise _endless(path)


def _endless(path: str) -> IncompletePull:
    return IncompletePull(f"{path}: the list does not move on", hint="run it again later; nothing was kept")


def no_history(resource_type: ResourceType, id_: str, refusals: Sequence[Refused | AuthError]) -> CommerceLayerError:
    """Return the error for a payment or an order of which neither list may be read."""
    if all(isinstance(one, Refused) and one.code == "RECORD_NOT_FOUND" for one in refusals):
        hint = "ids are case-sensitive; a token of the other mode, or with a scope, does not see it"
        if resource_type == "orders":
            text = f"orders: there is no order {id_}, or its history is not available"
            return Refused(text, status=404, code="RECORD_NOT_FOUND", hint=hint)
        text = f"klarna_payments: there is no payment {id_}, or its history is not available"
        return UnknownPayment(text, payment_ids=(id_,), hint=hint)
    words = "; ".join(one.message for one in refusals)
    is_forbidden = any(isinstance(one, AuthError) for one in refusals)
    return Refused(
        f"{resource_type}: the history of {id_} cannot be read: {words}",
        status=401 if is_forbidden else next(one.status for one in refusals if isinstance(one, Refused)),
        hint="event stores need the credentials of an integration whose role may read them",
    )


def _decoded(body: bytes) -> _Page:
    try:
        return _pages.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unexpected(str(error)) from error


def _event(attributes: _Attributes) -> Event:
    changes = attributes.payload if attributes.payload is not None else attributes.changes or {}
    at = attributes.created_at
    pairs = {name: _pair(change) for name, change in changes.items() if not _is_secret(name)}
    return Event(
        at=at.replace(tzinfo=UTC) if at.tzinfo is None else in_utc(at),
        event=attributes.event,
        who=_who(attributes.who or {}),
        changes={name: (_shown(name, old), _shown(name, new)) for name, (old, new) in pairs.items()},
    )


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRETS)


def _shown(name: str, value: Any) -> Any:
    """Return the value of the attribute `name` as anybody may see it."""
    return NOT_SHOWN if name in _PERSONAL and value is not None else _without_secrets(value)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _shown(name, inner) for name, inner in value.items() if not _is_secret(name)}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    if isinstance(value, str) and value.startswith(("https://", "http://")):
        return _QUERY.sub("…", value)  # a link to the checkout has a token there
    return value


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
        f"the history of a resource does not have the documented shape: {what}", hint="the API may have changed"
    )
