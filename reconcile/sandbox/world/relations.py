"""
What a row is related to: from one resource to the next, by the name of the relationship.
"""

from __future__ import annotations

from reconcile.sandbox.world.journal import TRANSACTIONS
from reconcile.sandbox.world.resources import PAYMENT_SOURCE, Row
from reconcile.sandbox.world.world import World

Related = tuple[str, Row]
"""A resource type and a row of it."""


def related(world: World, type_name: str, row: Row, name: str) -> list[Related]:
    """
    Return what the relationship `name` of a row leads to, each with its type; a to-one leads to one or none.

    Relationships without rows here lead to nothing.
    """
    match name:
        case "order":
            return _one("orders", world.order_of(row))
        case "payment_gateway":
            gateway_id = row.get("payment_gateway_id")
            return _one("klarna_gateways", world.gateways.find(gateway_id) if gateway_id else None)
        case "payment_source":
            return _source(world, type_name, row)
        case "payment_method":
            return _one("payment_methods", world.method_of(row))
        case "payment_methods":
            method = world.methods.row(1)
            return _one("payment_methods", method if method["payment_gateway_id"] == row["id"] else None)
        case "market":
            return _one("markets", world.markets.find(row["market_id"]) if row.get("market_id") else None)
        case "reference_authorization" | "reference_capture":
            id_, type_ = row.get(f"{name}_id"), f"{name.removeprefix('reference_')}s"
            return _one(type_, world.money.find(type_, id_) if id_ else None)
    if name == "transactions" or name in TRANSACTIONS:
        return _transactions(world, type_name, row, name)
    return []


def _one(type_name: str, row: Row | None) -> list[Related]:
    return [] if row is None else [(type_name, row)]


def _source(world: World, type_name: str, row: Row) -> list[Related]:
    id_, type_ = row.get("payment_source_id"), row.get("payment_source_type") or PAYMENT_SOURCE.type
    if not id_:
        return []
    if type_ == PAYMENT_SOURCE.type:
        return _one(type_, world.payments.find(id_))
    order = row if type_name == "orders" else world.order_of(row)
    moments = {name: row[name] if order is None else order[name] for name in ("created_at", "updated_at")}
    return [(type_, {"id": id_, "order_id": None if order is None else order["id"], "metadata": {}, **moments})]


def _transactions(world: World, type_name: str, row: Row, name: str) -> list[Related]:
    if type_name != "orders":
        return [(name, one) for one in world.money.following(row, type_name, name)]
    of_order = world.money.of(row)
    if name != "transactions":
        return [(name, one) for one in of_order[name]]
    every = [(type_, one) for type_ in TRANSACTIONS for one in of_order[type_]]
    return sorted(every, key=lambda related: str(related[1]["number"]))
