"""
The generated shop: what payment and order number `sequence` look like, as a pure function of seed and sequence.

A Klarna merchant in the Nordics, DACH, the Netherlands, Poland, the United Kingdom and the United States over two
years: more orders in the evening, at weekends and in November, growth over time; checkouts that were given up,
sessions opened again for the same order, payments without a reference, orders imported later from another
shop. What is asked of a whole world (instants, which order) are arrays; everything else is worked out when a
row is read.
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import id_key, id_of
from reconcile.sandbox.world.journal import Journal, Source, TransactionKeys, Transactions
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.rhythm import CLOSED, OPENED, Instants, rhythm, shares
from reconcile.sandbox.world.stories import Attempts, shop_story

Sequences = npt.NDArray[np.int64]

_SECOND = 1_000_000
_HOUR = 3600 * _SECOND
_DAY = 24 * _HOUR

_NEW_YEARS = tuple(
    int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * _SECOND for year in range(OPENED.year + 1, CLOSED.year + 1)
)

REOPENED_SHARE = 0.07
IMPORTED_SHARE = 0.015
DETACHED_SHARE = 0.002
_UNREFERENCED_PER_10_000 = 350
_CARDS_FROM_ORDER = 300
_CARD_PER_1_000 = 20
_SOURCELESS_PER_1_000 = 4

# share of orders, name, country, currency, language, tax rate, prices include tax, smallest price step, dearest item
MARKETS = (
    (0.27, "Sweden", "SE", "SEK", "sv", 0.25, True, 10_00, 2_499),
    (0.10, "Norway", "NO", "NOK", "nb", 0.25, True, 10_00, 2_499),
    (0.08, "Denmark", "DK", "DKK", "da", 0.25, True, 5_00, 1_799),
    (0.16, "Germany", "DE", "EUR", "de", 0.19, True, 1_00, 249),
    (0.06, "Austria", "AT", "EUR", "de", 0.20, True, 1_00, 249),
    (0.06, "Finland", "FI", "EUR", "fi", 0.255, True, 1_00, 249),
    (0.05, "Netherlands", "NL", "EUR", "nl", 0.21, True, 1_00, 249),
    (0.11, "United Kingdom", "GB", "GBP", "en", 0.20, True, 1_00, 199),
    (0.04, "Switzerland", "CH", "CHF", "de", 0.081, True, 1_00, 299),
    (0.03, "Poland", "PL", "PLN", "pl", 0.23, True, 5_00, 999),
    (0.04, "United States", "US", "USD", "en", 0.0825, False, 1_00, 249),
)
_MARKET_OF = tuple(market for market, share in enumerate(MARKETS) for _ in range(round(share[0] * 100)))

# status, payment_status, fulfillment_status by share of orders; the first four were never placed
STATUSES = (
    (0.060, "pending", "unpaid", "unfulfilled"),
    (0.030, "draft", "unpaid", "unfulfilled"),
    (0.005, "placing", "unpaid", "unfulfilled"),
    (0.005, "editing", "unpaid", "unfulfilled"),
    (0.080, "placed", "authorized", "unfulfilled"),
    (0.700, "approved", "paid", "fulfilled"),
    (0.040, "approved", "authorized", "in_progress"),
    (0.030, "approved", "partially_refunded", "fulfilled"),
    (0.020, "approved", "refunded", "fulfilled"),
    (0.030, "cancelled", "voided", "unfulfilled"),
)
_NOT_PLACED = 4

_METHODS = (
    ("pay_later", "Pay later."),
    ("pay_over_time", "Pay in instalments."),
    ("pay_now", "Pay now."),
)


class Shop:
    """
    `payments` payments and their orders.

    `busiest_day_share` is the least share of payments created on one day, below 1: a sale, an import.
    Arrays are indexed by sequence, from 1 (index 0 is nobody): `order_of` holds order sequences (0 is none),
    instants are microseconds since 1970.
    """

    def __init__(self, payments: int, seed: int, *, busiest_day_share: float = 0.0) -> None:
        self.payment_count = payments
        self.payment_key = id_key(seed, "klarna_payments")
        self.order_key = id_key(seed, "orders")
        self.gateway_id = id_of(id_key(seed, "klarna_gateways"), 1)
        self.card_key = id_key(seed, "stripe_payments")
        self.market_ids = [id_of(id_key(seed, "markets"), place) for place in range(1, len(MARKETS) + 1)]
        self.transaction_keys = TransactionKeys.of(seed)
        self._seed_bytes = hashlib.blake2b(str(seed).encode(), digest_size=16).digest()

        reopened = shares(seed, "reopened", payments) < REOPENED_SHARE
        reopened[:2] = False
        order_of = np.cumsum(~reopened) - 1
        self.order_count = int(order_of[-1])
        self.last_payment = np.zeros(self.order_count + 1, np.int64)
        self.last_payment[order_of] = np.arange(payments + 1)
        detached = shares(seed, "detached", payments) < DETACHED_SHARE
        self.order_of: Sequences = np.where(detached, 0, order_of)

        self._lay_out_time(seed, order_of, busiest_day_share)

    def _lay_out_time(self, seed: int, order_of: Sequences, busiest_day_share: float) -> None:
        payments, orders = self.payment_count, self.order_count
        closed = int(CLOSED.timestamp()) * _SECOND
        created = rhythm(seed, payments, busiest_day_share)
        imported = shares(seed, "imported", orders) < IMPORTED_SHARE
        moved = (imported * shares(seed, "moved", orders) * 60 * _DAY).astype(np.int64)
        opened = int(OPENED.timestamp()) * _SECOND
        self.created_at: Instants = np.maximum(created - moved[order_of], opened)

        placed_after = (shares(seed, "placed", orders) * 900 * _SECOND).astype(np.int64) + 30 * _SECOND
        bounds = np.cumsum([share[0] for share in STATUSES])[:-1]
        self.status_of = np.searchsorted(bounds, shares(seed, "status", orders), side="right")
        placed = self.status_of >= _NOT_PLACED
        placed_at = np.minimum(self.created_at[self.last_payment] + placed_after, closed)
        later = (shares(seed, "later", orders) ** 3 * 30 * _DAY).astype(np.int64)
        self.order_placed_at: Instants = np.where(placed, placed_at, times.NULL)
        self.order_updated_at: Instants = np.minimum(placed_at + later, closed)

        first_payment = self.first_payment = np.zeros(orders + 1, np.int64)
        first_payment[order_of[::-1]] = np.arange(payments, -1, -1)
        basket = (shares(seed, "basket", orders) ** 2 * 2 * _HOUR).astype(np.int64) + 20 * _SECOND
        self.order_created_at: Instants = np.maximum(self.created_at[first_payment] - basket, opened)

        current = self.last_payment[order_of] == np.arange(payments + 1)
        touched = (shares(seed, "touched", payments) * 600 * _SECOND).astype(np.int64)
        own = np.minimum(self.created_at + touched, closed)
        self.updated_at: Instants = np.where(current & placed[order_of], placed_at[order_of], own)
        for column in (self.created_at, self.updated_at, self.order_created_at, self.order_updated_at):
            column[0] = times.NULL
        self.order_placed_at[0] = times.NULL

    def payment(self, sequence: int) -> Row:
        """Return payment `sequence` as a flat row: attributes, `id`, `order_id`, `payment_gateway_id`."""
        dice = self._dice(b"p", sequence)
        order = int(self.order_of[sequence])
        market = MARKETS[_MARKET_OF[self._dice(b"o", order)[0] % 100]] if order else MARKETS[0]
        superseded = order and self.last_payment[order] != sequence
        reference = self.reference(order) if order else f"IMP-{sequence:08d}"
        method = _METHODS[dice[1] % 3]
        token = f"{dice[2]:08x}-{dice[3]:08x}-{dice[4]:08x}-{dice[5]:08x}"
        flagged = dice[6] % 1000
        return {
            "id": id_of(self.payment_key, sequence),
            "order_id": id_of(self.order_key, order) if order else None,
            "payment_gateway_id": self.gateway_id,
            "session_id": _session_id(dice),
            "client_token": f"eyJhbGciOiJSUzI1NiJ9.{token}",
            "payment_methods": [{"identifier": method[0], "name": method[1], "asset_urls": {}}],
            "auth_token": None if superseded or dice[11] % 12 == 0 else token,
            "mismatched_amounts": None if superseded or flagged < 30 else flagged < 52,
            "payment_instrument": {"issuer": "klarna", "issuer_type": method[0]} if dice[11] % 3 else None,
            "created_at": times.to_text(int(self.created_at[sequence])),
            "updated_at": times.to_text(int(self.updated_at[sequence])),
            "reference": reference if dice[0] % 10_000 >= _UNREFERENCED_PER_10_000 else None,
            "reference_origin": "netsuite" if dice[12] % 4 else None,
            "metadata": {} if dice[13] % 5 else {"channel": market[2].lower(), "cart": dice[13] % 100_000},
        }

    def attempts(self, sequence: int) -> Attempts:
        """
        Return what order `sequence` was tried to be paid with: as a rule its latest session, and that is its source.

        One in eight with several sessions is paid with an older one, a few do not say what they were paid with, and
        since the shop takes cards, from its 300th order on, a few are paid by card in the end. Of the orders that
        were never placed one in three does not say.
        """
        dice = self._dice(b"o", sequence)
        last = int(self.last_payment[sequence])
        sessions = [
            Source("klarna_payments", id_of(self.payment_key, payment))
            for payment in range(int(self.first_payment[sequence]), last + 1)
            if self.order_of[payment] or payment == last
        ]
        if self.status_of[sequence] < _NOT_PLACED:
            return Attempts(sessions[-1], tuple(sessions[:-1]), None if dice[1] % 3 == 0 else sessions[-1])
        throw = dice[13] % 1000
        if throw < _CARD_PER_1_000 and sequence >= _CARDS_FROM_ORDER:
            card = Source("stripe_payments", id_of(self.card_key, sequence))
            return Attempts(card, tuple(sessions), card)
        if len(sessions) > 1 and dice[14] % 8 == 0:
            return Attempts(sessions[0], (), sessions[0])
        named = None if throw >= 1000 - _SOURCELESS_PER_1_000 else sessions[-1]
        return Attempts(sessions[-1], tuple(sessions[:-1]), named)

    def transactions(self, sequence: int, order: Row) -> Transactions:
        """Return what happened to the money of order `sequence`, when its row is `order`."""
        journal = Journal(order, sequence, self.transaction_keys)
        shop_story(journal, self.attempts(sequence), self._dice(b"t", sequence))
        return journal.closed()

    def reference(self, order: int) -> str:
        """Return the reference the shop writes on order number `order`, and on its payments."""
        opened_at = self.order_created_at[order]
        year = OPENED.year + sum(opened_at >= new_year for new_year in _NEW_YEARS)
        return f"W{year % 100}-{1_000_000 + order:07d}"

    def order(self, sequence: int) -> Row:
        """Return order `sequence` as a flat row of the attributes that are not derived from others."""
        dice = self._dice(b"o", sequence)
        market = _MARKET_OF[dice[0] % 100]
        _, _, country, currency, language, rate, tax_included, step, dearest = MARKETS[market]
        status = int(self.status_of[sequence])
        _, order_status, payment_status, fulfillment_status = STATUSES[status]
        placed = status >= _NOT_PLACED
        placed_at = times.to_text(int(self.order_placed_at[sequence]))
        updated_at = times.to_text(int(self.order_updated_at[sequence]))
        source = self.attempts(sequence).named
        return {
            "id": id_of(self.order_key, sequence),
            "market_id": self.market_ids[market],
            "payment_source_id": None if source is None else source.id,
            "payment_source_type": None if source is None else source.type,
            "number": str(40_000_000 + sequence),
            "reference": self.reference(sequence),
            "reference_origin": "webshop",
            "status": order_status,
            "payment_status": payment_status,
            "fulfillment_status": fulfillment_status,
            "currency_code": currency,
            "country_code": country,
            "language_code": language,
            "tax_rate": rate,
            "tax_included": tax_included,
            **_totals(dice, rate, tax_included, step, dearest, placed=placed),
            "placed_at": placed_at,
            "approved_at": updated_at if order_status == "approved" else None,
            "cancelled_at": updated_at if order_status == "cancelled" else None,
            "created_at": times.to_text(int(self.order_created_at[sequence])),
            "updated_at": updated_at,
            "metadata": {},
        }

    def _dice(self, kind: bytes, sequence: int) -> tuple[int, ...]:
        """Return sixteen numbers below 2**32 that belong to this row and no other."""
        text = kind + sequence.to_bytes(8, "big")
        return struct.unpack("<16I", hashlib.blake2b(text, key=self._seed_bytes).digest())


def _session_id(dice: tuple[int, ...]) -> str:
    middle = f"{dice[8] >> 16:04x}-4{dice[8] & 0xFFF:03x}-a{dice[9] >> 20:03x}"
    return f"{dice[7]:08x}-{middle}-{dice[10]:08x}{dice[9] & 0xFFFF:04x}"


def _totals(dice: tuple[int, ...], rate: float, tax_included: bool, step: int, dearest: int, *, placed: bool) -> Row:
    """Return the amounts of an order in minor units; they add up as the API's do."""
    steps = max(dearest * 100 // step, 2)
    subtotal = 0
    for item in range(1 + (dice[2] % 7) // 3):
        # The product of two throws leans to cheap items, as shops do; the price ends just below a round one.
        price = 3 + (dice[3 + item] & 0xFFFF) * (dice[3 + item] >> 16) * steps >> 32
        subtotal += (price + 1) * step - (5 if step == 1_00 else 1_00)
    shipping = 0 if dice[6] % 3 else step * 5 - (1_00 if step > 1_00 else 5)
    discount = -(subtotal // 10) if dice[7] % 8 == 0 else 0
    gift_card = -min(step * 20, subtotal // 2) if dice[8] % 40 == 0 else 0
    total = subtotal + shipping + discount
    if tax_included:
        tax = total - round(total / (1 + rate))
        to_pay = total + gift_card
    else:
        tax = round(total * rate)
        to_pay = total + tax + gift_card
    return {
        "subtotal_amount_cents": subtotal,
        "shipping_amount_cents": shipping,
        "payment_method_amount_cents": 0,
        "discount_amount_cents": discount,
        "adjustment_amount_cents": 0,
        "gift_card_amount_cents": gift_card,
        "total_tax_amount_cents": tax,
        "total_amount_cents": total,
        "total_amount_with_taxes_cents": to_pay,
        "place_total_amount_cents": to_pay if placed else None,
    }
