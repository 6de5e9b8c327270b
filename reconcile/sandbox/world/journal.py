"""
The journal of one order: its authorizations, captures, voids and refunds, written down one after the other.

Gives each its id, its number (`42/T/001`) and its instant. Knows nothing of why money moved; see `stories`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import IdKey, id_key, id_of
from reconcile.sandbox.world.resources import Row

TRANSACTIONS = ("authorizations", "captures", "voids", "refunds")
"""The types of transactions, in the order in which money goes through them."""

Transactions = Mapping[str, tuple[Row, ...]]
"""The transactions of one order by type, each type in the order of their numbers."""

NOTHING: Transactions = dict.fromkeys(TRANSACTIONS, ())

MOST_PER_ORDER = 64
"""A journal has fewer transactions than this: their ids hide the order's sequence and a number below it."""

_STEP = 20 * 1_000_000
"""Between two attempts in a checkout, in microseconds."""

_LAST = times.from_text("9999-12-31T23:59:59.000Z")
"""The last instant of a transaction: an order may name a later one, which cannot be counted on from."""


@dataclass(frozen=True, slots=True)
class Source:
    """A payment source: its type and its id."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class TransactionKeys:
    """What the ids of a world's transactions are made with."""

    of_type: Mapping[str, IdKey]

    @classmethod
    def of(cls, seed: int) -> TransactionKeys:
        """Return the keys of the world of `seed`."""
        return cls({name: id_key(seed, name) for name in TRANSACTIONS})


@dataclass(slots=True)
class Journal:
    """
    What happens to the money of `order` (its row, at hidden place `sequence`).

    Amounts are minor units of the order's currency. A transaction is written down when its method is called.
    """

    order: Row
    sequence: int
    keys: TransactionKeys
    _written: list[tuple[str, Row]] = field(default_factory=list)
    _in_checkout: int = 0

    def authorize(self, amount: int, source: Source, *, succeeded: bool = True) -> Row:
        """Write down an authorization and return it."""
        return self._write("authorizations", amount, source, {}, succeeded=succeeded)

    def capture(self, authorization: Row, amount: int, *, succeeded: bool = True) -> Row:
        """Write down the capture of `amount` out of an authorization and return it."""
        return self._follow("captures", authorization, amount, succeeded=succeeded)

    def void(self, authorization: Row, amount: int) -> Row:
        """Write down that `amount` of an authorization is given back uncaptured, and return it."""
        return self._follow("voids", authorization, amount)

    def refund(self, capture: Row, amount: int, *, succeeded: bool = True) -> Row:
        """Write down a refund of `amount` out of a capture and return it."""
        return self._follow("refunds", capture, amount, succeeded=succeeded)

    def leave_checkout(self) -> None:
        """Say that what was written so far happened before the order was placed."""
        self._in_checkout = len(self._written)

    def closed(self) -> Transactions:
        """Return everything that was written, with instants from the order's placement to its last change."""
        placed = times.from_text(self.order.get("placed_at") or self.order.get("created_at"))
        ended = max(placed, times.from_text(self.order.get("updated_at")))
        later = len(self._written) - self._in_checkout
        for place, (_, row) in enumerate(self._written):
            step = place - self._in_checkout
            moment = placed + (step * _STEP if step < 0 else (ended - placed) * step // max(later - 1, 1))
            row["created_at"] = row["updated_at"] = times.to_text(min(moment, _LAST))
        return {name: tuple(row for type_, row in self._written if type_ == name) for name in TRANSACTIONS}

    def _follow(self, type_: str, former: Row, amount: int, *, succeeded: bool = True) -> Row:
        source = Source(former["payment_source_type"], former["payment_source_id"])
        reference = "reference_capture_id" if type_ == "refunds" else "reference_authorization_id"
        return self._write(type_, amount, source, {reference: former["id"]}, succeeded=succeeded)

    def _write(self, type_: str, amount: int, source: Source, reference: Row, *, succeeded: bool) -> Row:
        place = len(self._written) + 1
        assert place < MOST_PER_ORDER, "a story has few transactions"
        id_ = id_of(self.keys.of_type[type_], self.sequence * MOST_PER_ORDER + place)
        row = transaction_row(type_, id_, self.order, place)
        row |= {
            "payment_source_type": source.type,
            "payment_source_id": source.id,
            "amount_cents": amount,
            **({} if succeeded else FAILED),
            **reference,
        }
        self._written.append((type_, row))
        return row


FAILED: Row = {
    "succeeded": False,
    "message": "The transaction was declined.",
    "error_code": "declined",
    "error_detail": "The payment gateway refused the transaction.",
    "gateway_transaction_id": None,
}
"""What a transaction that failed says of itself."""


def transaction_row(type_: str, id_: str, order: Row, place: int) -> Row:
    """Return the row of the transaction number `place` of an order, but for amount, source and instants."""
    digest = hashlib.blake2b(f"{type_}/{id_}".encode(), digest_size=32).hexdigest()
    return {
        "id": id_,
        "order_id": order["id"],
        "number": f"{order.get('number') or order['id']}/T/{place:03d}",
        "payment_method_type": None,
        "currency_code": order.get("currency_code"),
        "succeeded": True,
        "message": None,
        "error_code": None,
        "error_detail": None,
        "token": digest[32:],
        "gateway_transaction_id": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:32]}",
        "reference": None,
        "reference_origin": None,
        "metadata": {},
    }
