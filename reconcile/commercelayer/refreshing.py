"""
The one write that is made to a payment: `_update`, which has Klarna's session written again with the order as it is.

Knows how it is sent and what its answer says. Sent with sparse fields, for a full answer holds credentials. Which
payments are worth it, and what is recorded of it, is known elsewhere.

Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/update
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.client import BeforeSending, CommerceLayer
from reconcile.commercelayer.query import PAYMENTS_PATH

_SPARSE = {"fields[klarna_payments]": "mismatched_amounts,updated_at"}


class Refreshed(msgspec.Struct, frozen=True):
    """What the answer to an accepted `_update` says of the payment; null where it says nothing, as one of 204."""

    mismatched_amounts: bool | None = None
    updated_at: datetime | None = None


class _Resource(msgspec.Struct, frozen=True):
    id: str
    attributes: Refreshed = Refreshed()


class _Document(msgspec.Struct, frozen=True):
    data: _Resource


_documents = msgspec.json.Decoder(_Document)


async def refresh_session(client: CommerceLayer, payment_id: str, *, before: BeforeSending) -> Refreshed:
    """
    Have the session of the payment written again, and return what the answer says of it.

    `before` is awaited immediately before it is sent, and again where the server refused it for its rate. Raises what
    `before` raises, and as `CommerceLayer.patch`: after Unreachable with `may_be_done` only reading the payment tells.
    """
    assert is_id(payment_id), "an id becomes a part of an address"
    body = {"data": {"type": PAYMENTS_PATH, "id": payment_id, "attributes": {"_update": True}}}
    answer = await client.patch(f"{PAYMENTS_PATH}/{payment_id}", body, params=_SPARSE, before=before)
    try:
        resource = _documents.decode(answer.body).data
    except (ValueError, RecursionError):  # it was accepted, and says no more
        return Refreshed()
    return resource.attributes if resource.id == payment_id else Refreshed()
