"""
The audit trails of payments and their orders as rows of TRAIL: of one, or of many within a number of requests.

A trail takes a request for each page of what happened to a payment, and for each of what happened to its order. Does
not know whose trails are wanted, or why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from reconcile.commercelayer.json_text import canonical_json
from reconcile.commercelayer.trail import Event, Get, ResourceType, read_history
from reconcile.errors import AuthError, CommerceLayerError, Refused, Unreachable
from reconcile.schema import TRAIL, Row

if TYPE_CHECKING:
    from reconcile.commercelayer.client import CommerceLayer
    from reconcile.commercelayer.document import Document
    from reconcile.commercelayer.query import Params

_exact_json = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a trail is of: a payment and its order, by their ids; null where there is none."""

    payment_id: str | None
    order_id: str | None

    @property
    def resources(self) -> Iterator[tuple[ResourceType, str]]:
        """The type and id of each."""
        if self.payment_id is not None:
            yield "klarna_payments", self.payment_id
        if self.order_id is not None:
            yield "orders", self.order_id


@dataclass(frozen=True, slots=True)
class Trails:
    """
    The trails of several subjects: a table of TRAIL, and how many of them are not in it or not whole.

    `left_out` are those for which requests did not suffice, `unread` those that could not be read, `problem` says why:
    of the first of them. `requests` were sent.
    """

    table: pa.Table
    requests: int = 0
    left_out: int = 0
    unread: int = 0
    problem: str | None = None


def nothing_read(subjects: Sequence[Subject], error: CommerceLayerError | None = None) -> Trails:
    """Return the trails of `subjects` of which none could be read, because of `error`."""
    return Trails(TRAIL.empty_table(), unread=len(subjects), problem=error.message if error else None)


async def read_trail(get: Get, subject: Subject) -> list[Row]:
    """
    Return what happened to `subject`, rows of TRAIL, oldest first.

    `get` gives the document of a path and parameters. Raises as `reconcile.commercelayer.trail.read_history`.
    """
    return _rows(subject, [(type_, await read_history(get, type_, id_)) for type_, id_ in subject.resources])


async def read_trails(client: CommerceLayer, subjects: Sequence[Subject], *, most_requests: int) -> Trails:
    """
    Return what happened to `subjects`, whose payments are distinct, with `most_requests` at most.

    They are read in their order; what cannot be read is counted, and is no error. `client` has a token that is known
    to be good.
    """
    reader = _Reader(client, most_requests)
    rows: list[Row] = []
    unread = left_out = 0
    for place, subject in enumerate(subjects):
        try:
            found = [(type_, await reader.events_of(type_, id_)) for type_, id_ in subject.resources]
        except _OutOfRequests:
            left_out = len(subjects) - place
            break
        except (Unreachable, AuthError) as error:  # so would be everything that follows
            reader.note(error)
            unread += len(subjects) - place
            break
        rows += _rows(subject, [(type_, events) for type_, events in found if events is not None])
        unread += any(events is None for _, events in found)
    rows.sort(key=lambda row: row["payment_id"] or "")  # a stable sort
    return Trails(pa.Table.from_pylist(rows, TRAIL), reader.requests, left_out, unread, reader.problem)


class _OutOfRequests(Exception):
    """All requests are spent."""


class _Reader:
    """Reads what happened to one thing after the other; to an order of several payments once."""

    def __init__(self, client: CommerceLayer, most_requests: int) -> None:
        self.requests = 0
        self.problem: str | None = None
        self._client = client
        self._most_requests = most_requests
        self._forbidden: set[ResourceType] = set()
        self._known: dict[tuple[ResourceType, str], list[Event] | None] = {}

    async def events_of(self, resource_type: ResourceType, id_: str) -> list[Event] | None:
        """Return the events, null where they cannot be read. Raises _OutOfRequests, Unreachable, AuthError."""
        key = resource_type, id_
        if key not in self._known:
            self._known[key] = None if resource_type in self._forbidden else await self._read(resource_type, id_)
        return self._known[key]

    def note(self, error: CommerceLayerError) -> None:
        """Remember why something could not be read, unless there was a reason before."""
        self.problem = self.problem or error.message

    async def _read(self, resource_type: ResourceType, id_: str) -> list[Event] | None:
        try:
            return await read_history(self._get, resource_type, id_)
        except (Unreachable, AuthError):
            raise
        except CommerceLayerError as error:
            self.note(error)
            if isinstance(error, Refused) and error.status == 401:
                self._forbidden.add(resource_type)  # to ask again for each of them would be as many refusals
            return None

    async def _get(self, path: str, params: Params) -> Document:
        if self.requests >= self._most_requests:
            raise _OutOfRequests
        self.requests += 1
        return await self._client.get(path, params)


def _rows(subject: Subject, found: Sequence[tuple[ResourceType, Sequence[Event]]]) -> list[Row]:
    together = chain.from_iterable([(type_, event) for event in events] for type_, events in found)
    ordered = sorted(together, key=lambda one: (one[1].at, one[0]))  # stable: as the API lists them
    return [row for type_, event in ordered for row in _rows_of(subject, type_, event)]


def _rows_of(subject: Subject, resource_type: ResourceType, event: Event) -> Iterator[Row]:
    head = {
        "payment_id": subject.payment_id,
        "order_id": subject.order_id,
        "at": event.at,
        "event": event.event,
        "resource_type": resource_type,
    }
    names: list[str | None] = [*sorted(event.changes)]
    for name in names or [None]:
        old, new = event.changes[name] if name is not None else (None, None)
        yield head | {"attribute": name, "before": _text(old), "after": _text(new), "who": event.who}


def _text(value: Any) -> str | None:
    return None if value is None else canonical_json(_exact_json.encode(value))


def value_of(text: str | None) -> Any:
    """Return the value that `before` or `after` of TRAIL is; numbers with a fraction are Decimal."""
    return None if text is None else _values.decode(text)


_values = msgspec.json.Decoder(float_hook=Decimal)
