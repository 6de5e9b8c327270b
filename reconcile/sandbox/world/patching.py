"""
PATCH of a klarna payment: what may be written, what is refused and how, what `_update` does.

Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/update ; codes of the jsonapi-resources
engine.
"""

from __future__ import annotations

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.bodies import check_flags, check_texts, read_attributes, read_data, read_relationships
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.world import World

_TEXTS = ("auth_token", "reference", "reference_origin")
_WRITABLE = frozenset({*_TEXTS, "metadata", "_update"})


def patch_payment(world: World, id_: str, body: bytes) -> Row:
    """Change the payment `id_` as the document in `body` says and return its row. Raises Refusal."""
    row = world.payments.find(id_)
    if row is None:
        raise refusals.not_found(id_)
    data = read_data(body, "klarna_payments", id_)
    attributes = read_attributes(data, _WRITABLE)
    check_texts(attributes, _TEXTS)
    check_flags(attributes, ("_update",))
    changes = {name: value for name, value in attributes.items() if name != "_update"}
    changes.update(_order_link(world, read_relationships(data, ("order",))))
    if attributes.get("_update") is True:
        if world.order_of({**row, **changes}) is None:
            raise refusals.invalid_value("order", "blank", "can't be blank")
        # The session at Klarna is written again with the order's amounts of now, so they agree.
        changes["mismatched_amounts"] = False
    return world.update(id_, **changes) if changes else row


def _order_link(world: World, relationships: Row) -> Row:
    if "order" not in relationships:
        return {}
    link = relationships["order"]
    target = link.get("data") if isinstance(link, dict) else None
    if not isinstance(target, dict) or target.get("type") != "orders":
        detail = "order - must exist"
        raise refusals.Refusal(
            422, "VALIDATION_ERROR", "must exist", detail, pointer="/data/relationships/order", meta={"error": "blank"}
        )
    if world.orders.find(str(target.get("id"))) is None:
        raise refusals.not_found(str(target.get("id")))
    return {"order_id": str(target["id"])}
