"""
Which story an order's row tells of its money: a generated order its own, any other the plain one of its status.
"""

from __future__ import annotations

import numpy as np

from reconcile.sandbox.world.journal import NOTHING, Journal, Source, TransactionKeys, Transactions
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.shop import Shop
from reconcile.sandbox.world.stories import plain_story
from reconcile.sandbox.world.table import Column, Table


class Teller:
    """
    Tells the transactions of orders. `shop` made those up to its own count; None made none.

    An order that does not name its payment source was paid with the latest of its Klarna payments.
    """

    def __init__(self, payments: Table, keys: TransactionKeys, shop: Shop | None) -> None:
        self._payments = payments
        self._keys = keys
        self._shop = shop
        self._latest: Column | None = None
        self._version = -1

    def __call__(self, sequence: int, order: Row) -> Transactions:
        """Return the transactions of the order at `sequence`, when its row is `order`."""
        if self._shop is not None and sequence <= self._shop.order_count:
            return self._shop.transactions(sequence, order)
        source = self._source(sequence, order)
        if source is None:
            return NOTHING
        journal = Journal(order, sequence, self._keys)
        plain_story(journal, source)
        return journal.closed()

    def _source(self, sequence: int, order: Row) -> Source | None:
        if order.get("payment_source_id"):
            return Source(order.get("payment_source_type") or "klarna_payments", order["payment_source_id"])
        if self._latest is None or self._version != self._payments.version:
            of_payment, alive = self._payments.columns["order"], self._payments.alive()
            self._latest = np.zeros(int(of_payment.max()) + 1, np.int64)
            self._latest[of_payment[alive]] = alive
            self._version = self._payments.version
        payment = int(self._latest[sequence]) if sequence < len(self._latest) else 0
        return Source("klarna_payments", self._payments.row(payment)["id"]) if payment else None
