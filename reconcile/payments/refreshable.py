"""
Whether the Klarna session of a flagged payment can be written again, and what helps where it cannot.

Each payment is in one class, the first that holds. Klarna closes a session when its order is placed and forgets it 48
hours after its last update. A payment's `updated_at` is never before that of its session: what is too old by it is so
in any case. Reads and writes nothing.

Source: https://docs.commercelayer.io/how-tos/placing-orders/payments/klarna/adding-the-payment-source
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from reconcile.schema import Row

SESSION_LASTS = timedelta(hours=48)
"""After its last update Klarna forgets a session."""

LEFT_ALONE = timedelta(minutes=30)
"""An order that changed more recently may have its customer at the checkout."""


class Refreshable(StrEnum):
    """The classes, in the order in which they are judged."""

    VANISHED = "vanished"
    AGREES_NOW = "agrees_now"
    NO_ORDER = "no_order"
    SUPERSEDED = "superseded"
    CLOSED = "closed"
    EXPIRED = "expired"
    IN_USE = "in_use"
    REFRESH = "refresh"


LABEL_OF_REFRESHABLE = MappingProxyType(
    {
        Refreshable.VANISHED: "Gone",
        Refreshable.AGREES_NOW: "Agrees now",
        Refreshable.NO_ORDER: "No order",
        Refreshable.SUPERSEDED: "Another payment counts",
        Refreshable.CLOSED: "Order placed or cancelled",
        Refreshable.EXPIRED: "Session expired",
        Refreshable.IN_USE: "Order in use",
        Refreshable.REFRESH: "Can be refreshed",
    }
)
"""What people read."""

REMEDY_OF = MappingProxyType(
    {
        Refreshable.VANISHED: "nothing to do: the payment is no longer there, and the next run is without it",
        Refreshable.AGREES_NOW: "nothing to do: the API no longer flags it, and the next run sees that",
        Refreshable.NO_ORDER: "link the payment to its order in Commerce Layer, or delete it there",
        Refreshable.SUPERSEDED: "nothing to do: another payment stands for its order",
        Refreshable.CLOSED: "Klarna closed the session when the order was placed: capture less or refund what is too "
        "much, have what is missing paid separately, or correct the order",
        Refreshable.EXPIRED: "Klarna forgot the session 48 hours after its last update: it can only be replaced, by "
        "its customer at the checkout, which makes a new payment",
        Refreshable.IN_USE: "wait: the order changed within the last 30 minutes, and its customer may be at the "
        "checkout; plan again later",
        Refreshable.REFRESH: "reconcile refresh --apply has Klarna's session written again with the order as it is",
    }
)
"""What to do about a payment of each class."""

_PLACED = frozenset({"placed", "approved", "cancelled"})


def refreshable(payment: Row | None, now: datetime, *, is_newest: bool) -> Refreshable:
    """
    Return the class of a flagged payment, a row of PAYMENTS as it is `now` (UTC); null when it is gone.

    `is_newest`: no later payment of its order is known. That decides only where the order's source is not known.
    """
    if payment is None:
        return Refreshable.VANISHED
    if not payment["mismatched_amounts"]:
        return Refreshable.AGREES_NOW
    return next(class_ for class_, holds in _RUNGS if holds(payment, now, is_newest))


def _is_superseded(payment: Row, now: datetime, is_newest: bool) -> bool:
    is_current = payment["is_current_source"]
    return not (is_newest if is_current is None else is_current)


def _is_in_use(payment: Row, now: datetime, is_newest: bool) -> bool:
    changed_at = payment["order_updated_at"]
    return payment["order_status"] == "placing" or (changed_at is not None and now - changed_at < LEFT_ALONE)


_RUNGS: tuple[tuple[Refreshable, Callable[[Row, datetime, bool], bool]], ...] = (
    (Refreshable.NO_ORDER, lambda payment, now, is_newest: payment["order_id"] is None),
    (Refreshable.SUPERSEDED, _is_superseded),
    (
        Refreshable.CLOSED,
        lambda payment, now, is_newest: payment["placed_at"] is not None or payment["order_status"] in _PLACED,
    ),
    (Refreshable.EXPIRED, lambda payment, now, is_newest: now - payment["updated_at"] >= SESSION_LASTS),
    (Refreshable.IN_USE, _is_in_use),
    (Refreshable.REFRESH, lambda payment, now, is_newest: True),
)
