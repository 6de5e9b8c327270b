"""
Which story an order's row tells of its money: a generated order its own, any other the plain one of its status.
"""

from __future__ import annotations

from reconcile.sandbox.world import times
from reconcile.sandbox.world.journal import NOTHING, Journal, Source, TransactionKeys, Transactions
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.shop import Shop
from reconcile.sandbox.world.stories import plain_story
from reconcile.sandbox.world.table import Table


class Teller:
    """
    Tells the transactions of orders. `shop` made those up to its own count; None made none.

    An order that does not name its payment source was paid with the latest of its Klarna payments that were there
    when it was placed, or else with the first.
    """

    def __init__(self, payments: Table, keys: TransactionKeys, shop: Shop | None) -> None:
        self._payments = payments
        self._keys = keys
        self._shop = shop

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
        payments = self._payments.alive()
        payments = payments[self._payments.columns["order"][payments] == sequence]
        if not len(payments):
            return None
        placed = times.from_text(order.get("placed_at") or order.get("updated_at"))
        before = payments[self._payments.columns["created_at"][payments] <= placed]
        chosen = before[-1] if len(before) else payments[0]
        return Source("klarna_payments", self._payments.row(int(chosen))["id"])
