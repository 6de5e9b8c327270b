"""Every resource type that requests may speak of: those with rows here, and the names of the others."""

from __future__ import annotations

from reconcile.sandbox.world.money_types import AUTHORIZATIONS, CAPTURES, MARKETS, OTHER_SOURCES, REFUNDS, VOIDS
from reconcile.sandbox.world.resources import (
    EVENT_STORES,
    EXPORTS,
    KLARNA_GATEWAYS,
    KLARNA_PAYMENTS,
    ORDERS,
    ORGANIZATIONS,
    PAYMENT_GATEWAYS,
    PAYMENT_METHODS,
    VERSIONS,
)

TYPES = {
    type_.name: type_
    for type_ in (
        *(KLARNA_PAYMENTS, ORDERS, KLARNA_GATEWAYS, PAYMENT_GATEWAYS, PAYMENT_METHODS),
        *(AUTHORIZATIONS, CAPTURES, VOIDS, REFUNDS, MARKETS, *OTHER_SOURCES),
        *(EXPORTS, EVENT_STORES, VERSIONS, ORGANIZATIONS),
    )
}
"""The resource types that have rows here."""

OTHER_TYPES = frozenset(
    name
    for type_ in TYPES.values()
    for relationship in type_.relationships.values()
    for name in relationship.types
    if name not in TYPES
) | {"transactions"}
"""Types that exist in the API but have no rows here: `fields[...]` may name them, an include finds none."""
