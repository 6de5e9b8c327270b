"""
Writes of klarna payments: what may be written, what is refused and how, what a write does.

Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/create and .../update ; codes of the
jsonapi-resources engine. Creating a payment opens a session at Klarna and makes it the order's payment source.
Klarna closes a session when the order is placed and forgets it two days after its last update: `_update` is then
refused, as for a payment that is not its order's source; with which words is not documented.
"""

from __future__ import annotations

import hashlib

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.bodies import check_flags, check_texts, read_attributes, read_data, read_relationships
from reconcile.sandbox.world import times
from reconcile.sandbox.world.resources import KLARNA_PAYMENTS, PAYMENT_SOURCE, Row
from reconcile.sandbox.world.world import World

SESSION_LASTS = 48 * 3600 * 1_000_000
"""How long Klarna keeps a session after its last update, in microseconds."""

_REFERENCES = ("reference", "reference_origin")
_CREATABLE = frozenset({*_REFERENCES, "metadata"})
_WRITABLE = frozenset({*_CREATABLE, "auth_token", "_update"})
_METHODS = [{"identifier": "pay_later", "name": "Pay later.", "asset_urls": {}}]


def create_payment(world: World, body: bytes) -> Row:
    """Create the payment that the document in `body` asks for and return its row. Raises Refusal."""
    data = read_data(body, KLARNA_PAYMENTS.name, None)
    attributes = read_attributes(data, _CREATABLE)
    check_texts(attributes, _REFERENCES)
    order = _order(world, read_relationships(data, ("order",)).get("order"))
    if order.get("placed_at") is not None:
        raise refusals.invalid_value("order", "invalid", "is placed already")
    method = world.method_of(order)
    if method is None or method["payment_source_type"] != KLARNA_PAYMENTS.name:
        raise refusals.invalid_value("order", "invalid", "has another payment method")
    written = {name: value for name, value in attributes.items() if name != "metadata" or value is not None}
    seed = f"{world.seed}/{world.payments.last_sequence}/{order['id']}"
    digest = hashlib.blake2b(seed.encode(), digest_size=32).hexdigest()
    id_ = world.insert(
        {
            "session_id": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}",
            "client_token": f"eyJhbGciOiJSUzI1NiJ9.{digest[32:]}",
            "payment_methods": _METHODS,
            "mismatched_amounts": False,
            **written,
            "order_id": order["id"],
        }
    )
    world.update_order(order["id"], payment_source_id=id_, payment_source_type=PAYMENT_SOURCE.type)
    return _found(world, id_)


def patch_payment(world: World, id_: str, body: bytes) -> Row:
    """Change the payment `id_` as the document in `body` says and return its row. Raises Refusal."""
    row = _found(world, id_)
    data = read_data(body, KLARNA_PAYMENTS.name, id_)
    attributes = read_attributes(data, _WRITABLE)
    check_texts(attributes, (*_REFERENCES, "auth_token"))
    check_flags(attributes, ("_update",))
    changes = {name: value for name, value in attributes.items() if name != "_update"}
    relationships = read_relationships(data, ("order",))
    if "order" in relationships:
        changes["order_id"] = _order(world, relationships["order"])["id"]
    if attributes.get("_update") is True:
        _check_session(world, {**row, **changes})
        # The session at Klarna is written again with the order's amounts of now, so they agree.
        changes |= {"mismatched_amounts": False, "session_updated_at": times.to_text(world.now())}
    elif changes:
        changes["session_updated_at"] = _session_updated_at(row)
    return world.update(id_, **changes) if changes else row


def delete_payment(world: World, id_: str) -> None:
    """Delete the payment `id_`, and nullify it as its order's source. Refuses one that money went through."""
    order = world.order_of(_found(world, id_))
    if order is not None:
        moved = {row["payment_source_id"] for rows in world.money.of(order).values() for row in rows}
        if id_ in moved or order.get("placed_at") is not None:
            raise refusals.locked(id_)
    world.delete(id_)


def _found(world: World, id_: str) -> Row:
    row = world.payments.find(id_)
    if row is None:
        raise refusals.not_found(id_)
    return row


def _check_session(world: World, row: Row) -> None:
    """Raise Refusal where Klarna does not write a session again."""
    order = world.order_of(row)
    if order is None:
        raise refusals.invalid_value("order", "blank", "can't be blank")
    source_type = order.get("payment_source_type") or PAYMENT_SOURCE.type
    if order.get("placed_at") is not None or order.get("status") in {"placed", "approved", "cancelled"}:
        raise refusals.invalid_value("_update", "invalid", "the session was closed when the order was placed")
    if (source_type, order.get("payment_source_id")) != (PAYMENT_SOURCE.type, row["id"]):
        raise refusals.invalid_value("_update", "invalid", "is not the payment source of the order")
    if world.now() - times.from_text(_session_updated_at(row)) > SESSION_LASTS:
        raise refusals.invalid_value("_update", "invalid", "the session has expired")


def _session_updated_at(row: Row) -> str:
    """Return when a payment's session was last written: not when its references were."""
    return str(row.get("session_updated_at") or row["updated_at"])


def _order(world: World, link: object) -> Row:
    """Return the order that a relationship of a document names. Raises Refusal."""
    target = link.get("data") if isinstance(link, dict) else None
    if not isinstance(target, dict) or target.get("type") != "orders":
        detail = "order - must exist"
        raise refusals.Refusal(
            422, "VALIDATION_ERROR", "must exist", detail, pointer="/data/relationships/order", meta={"error": "blank"}
        )
    order = world.orders.find(str(target.get("id")))
    if order is None:
        raise refusals.not_found(str(target.get("id")))
    return order
