"""
A world: what the stand-in serves, and the changes made to it while it is served.

Comes from the generated shop (`World.generate`) or from files in the shape of exports (`World.load`).
Knows payments, orders and how they hang together; what happened to an order's money is in `money`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import id_key, id_of
from reconcile.sandbox.world.journal import TransactionKeys
from reconcile.sandbox.world.loading import INSTANTS, Rows, read_folder
from reconcile.sandbox.world.money import Money
from reconcile.sandbox.world.resources import PAYMENT_SOURCE, Row
from reconcile.sandbox.world.shop import Shop
from reconcile.sandbox.world.tables import ORDER_DEFAULTS, PAYMENT_DEFAULTS, Tables, tables_of_rows, tables_of_shop
from reconcile.sandbox.world.telling import Teller
from reconcile.sandbox.world.trails import Trails

ORGANIZATION_SLUG = "sandbox"


class World:
    """
    The rows of one organization in one mode.

    `payments`, `orders`, `gateways`, `methods`, `markets` are tables by hidden sequence; `money` holds the transactions
    of the orders, `trails` what happened to rows. `canary` is a string put into every credential that is served.
    `now` gives the instant of changes, in microseconds since 1970.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        shop: Shop | None = None,
        mode: str = "live",
        seed: int = 1,
        canary: str | None = None,
        now: Callable[[], int] | None = None,
    ) -> None:
        if mode not in {"live", "test"}:
            raise ValueError(f'mode "{mode}" is neither live nor test')
        self.payments = tables.payments
        self.orders = tables.orders
        self.gateways = tables.gateways
        self.methods = tables.methods
        self.markets = tables.markets
        keys = TransactionKeys.of(seed)
        self.money = Money(self.orders, keys, Teller(self.payments, keys, shop))
        self.mode = mode
        self.seed = seed
        self.canary = canary
        self.organization_slug = ORGANIZATION_SLUG
        self.organization_id = id_of(id_key(seed, "organizations"), 1)
        self.lock = threading.RLock()
        self.trails = Trails(self.payments, self.orders, seed)
        self._now = now or _wall_clock

    @classmethod
    def generate(
        cls,
        payments: int,
        *,
        seed: int = 1,
        mode: str = "live",
        busiest_day_share: float = 0.0,
        canary: str | None = None,
        now: Callable[[], int] | None = None,
    ) -> World:
        """
        Return a world of `payments` generated payments; a million take less than a second.

        `busiest_day_share` (below 1) puts at least that share of them on one day.
        """
        if payments < 1:
            raise ValueError("a generated world has at least one payment")
        shop = Shop(payments, seed, busiest_day_share=busiest_day_share)
        return cls(tables_of_shop(shop, seed), shop=shop, mode=mode, seed=seed, canary=canary, now=now)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        seed: int = 1,
        mode: str = "live",
        canary: str | None = None,
        now: Callable[[], int] | None = None,
    ) -> World:
        """
        Return the world in `folder`: `klarna_payments.json` and `orders.json`, arrays of flat objects.

        The order of the files is the hidden sequence. Payments name their order in `order_id`, orders their payment
        source in `payment_source_id` (of another type than Klarna's: `payment_source_type`) and their market in
        `market_id`; `payment_method_id` null in an order says that it was not paid with Klarna, `mode` in a row
        overrides the world's. `markets.json` may be there, and `authorizations.json`, `captures.json`, `voids.json`,
        `refunds.json`: one of these four means that there are no other transactions than theirs, without them
        orders have those that their `payment_status` tells of. See `add_transaction` for what a transaction says.

        Raises InputError when a file is missing or not of that shape.
        """
        return cls._of(read_folder(Path(folder)), seed=seed, mode=mode, canary=canary, now=now)

    @classmethod
    def of_rows(
        cls,
        payments: list[Row],
        orders: list[Row],
        *,
        transactions: Mapping[str, list[Row]] | None = None,
        markets: Sequence[Row] = (),
        **options: Any,
    ) -> World:
        """
        Return a world of exactly these flat rows; see `load` for their shape and for the options.

        `transactions` are by type (`{"captures": [...]}`), each with its `order_id`, and are all there are; None has
        every order's `payment_status` tell. A market of which only the id is known gets a row of its own.
        """
        return cls._of(Rows(payments, orders, markets, transactions), **options)

    @classmethod
    def _of(cls, rows: Rows, *, seed: int = 1, **options: Any) -> World:
        world = cls(tables_of_rows(rows, seed), seed=seed, **options)
        if rows.transactions is not None:
            world.money.state(rows.transactions)
        return world

    def insert(self, payment: Mapping[str, object] | None = None, *, order: Mapping[str, object] | None = None) -> str:
        """
        Add a payment, created now unless it says otherwise, and return its id.

        With `order` an order is added too and linked. Without arguments both are copies of a row that is
        there, under new ids, numbers and references.
        """
        with self.lock:
            now = self._now()
            copied = payment is None and order is None
            if copied:
                payment, order = self._another()
            row: Row = {**PAYMENT_DEFAULTS, "payment_gateway_id": self._gateway_id(), **(payment or {})}
            row = {"created_at": times.to_text(now), "updated_at": times.to_text(now), **row}
            if order is not None:
                order_row = {
                    "created_at": row["created_at"],
                    "updated_at": row["updated_at"],
                    **ORDER_DEFAULTS,
                    **order,
                }
                row["order_id"] = self.orders.insert(order_row, **_instants(order_row, INSTANTS))
            order_sequence = self.orders.sequence(row["order_id"]) if row.get("order_id") else None
            instants = _instants(row, ("created_at", "updated_at"))
            id_ = self.payments.insert(row, order=order_sequence or 0, **instants)
            if copied and order is not None:
                named = {"payment_source_id": id_, "payment_source_type": PAYMENT_SOURCE.type}
                self.orders.update(row["order_id"], named)
            return id_

    def update(self, payment_id: str, *, touch: bool = True, **attributes: Any) -> Row:
        """Change a payment; `updated_at` becomes now unless `touch` is False. Raises KeyError for an unknown id."""
        with self.lock:
            changes = self._touched(attributes, touch=touch)
            columns = _instants(changes, [name for name in ("created_at", "updated_at") if name in changes])
            if "order_id" in changes:
                columns["order"] = self.orders.sequence(changes["order_id"] or "") or 0
            before = self.payments.find(payment_id)
            row = self.payments.update(payment_id, changes, **columns)
            return self._noted("klarna_payments", before, row)

    def update_order(self, order_id: str, *, touch: bool = True, **attributes: Any) -> Row:
        """Change an order; `updated_at` becomes now unless `touch` is False. Raises KeyError for an unknown id."""
        with self.lock:
            changes = self._touched(attributes, touch=touch)
            columns = _instants(changes, [name for name in INSTANTS if name in changes])
            before = self.orders.find(order_id)
            row = self._noted("orders", before, self.orders.update(order_id, changes, **columns))
            assert before is not None, "the table has just changed it"
            self.money.note_change(before, row)
            return row

    def add_transaction(self, type_: str, order_id: str, *, touch: bool = True, **attributes: Any) -> str:
        """
        Add an authorization, capture, void or refund (`type_` is the plural) to an order and return its id.

        `amount_cents` has to be given. What is not said: it succeeded, now, in the order's currency, with the order's
        payment source. `reference_authorization_id`, `reference_capture_id` name what it follows. The order's
        `updated_at` becomes now unless `touch` is False. Raises KeyError for an unknown order.
        """
        with self.lock:
            order = self._order(order_id)
            now = times.to_text(self._now())
            row = self.money.add(type_, order, {"created_at": now, "updated_at": now, **attributes})
            if touch:
                self.update_order(order_id)
            return str(row["id"])

    def update_transaction(self, type_: str, id_: str, *, touch: bool = True, **attributes: Any) -> Row:
        """Change a transaction; it and its order are `updated_at` now unless `touch` is False. Raises KeyError."""
        with self.lock:
            row = self.money.change(type_, id_, self._touched(attributes, touch=touch))
            if touch:
                self.update_order(row["order_id"])
            return row

    def state_transactions(self, order_id: str, transactions: Mapping[str, Sequence[Row]]) -> None:
        """Say what all transactions of an order are, by type; none, by an empty mapping. Touches nothing."""
        with self.lock:
            self.money.state_order(self._order(order_id), transactions)

    def delete(self, payment_id: str) -> None:
        """Remove a payment; its order stays, without it. Raises KeyError for an unknown id."""
        with self.lock:
            row = self.payments.find(payment_id)
            if row is None:
                raise KeyError(payment_id)
            self.payments.delete(payment_id)
            self.trails.note_destroy(payment_id, self._now())
            order = self.orders.find(row["order_id"]) if row.get("order_id") else None
            if order is not None and order.get("payment_source_id") == payment_id:
                self.orders.update(order["id"], {"payment_source_id": None})

    def now(self) -> int:
        """Return the instant of changes made now, in microseconds since 1970."""
        return self._now()

    def order_of(self, payment: Row) -> Row | None:
        """Return the order a payment row belongs to."""
        return self.orders.find(payment["order_id"]) if payment.get("order_id") else None

    def method_of(self, order: Row) -> Row | None:
        """
        Return the payment method of an order row: Klarna, unless `payment_method_id` or its source say otherwise.

        An order keeps it when its payment source is nullified or deleted.
        """
        if "payment_method_id" in order:
            return self.methods.find(order["payment_method_id"]) if order["payment_method_id"] else None
        source_type = order.get("payment_source_type") or PAYMENT_SOURCE.type
        return self.methods.row(1 + PAYMENT_SOURCE.types.index(source_type))

    def payment_ids(self) -> list[str]:
        """Return the ids of all payments in the order of their hidden sequence."""
        return [self.payments.row(int(sequence))["id"] for sequence in self.payments.alive()]

    def _noted(self, resource_type: str, before: Row | None, row: Row) -> Row:
        """Note in the trail what a change made of a row, and return it."""
        assert before is not None, "the table has just changed it"
        self.trails.note_update(resource_type, before, row, self._now())
        return row

    def _touched(self, attributes: Row, *, touch: bool) -> Row:
        return {"updated_at": times.to_text(self._now()), **attributes} if touch else attributes

    def _order(self, order_id: str) -> Row:
        order = self.orders.find(order_id)
        if order is None:
            raise KeyError(order_id)
        return order

    def _gateway_id(self) -> str:
        return str(self.gateways.row(1)["id"])

    def _another(self) -> tuple[Row, Row | None]:
        alive = self.payments.alive()
        if not len(alive):
            return {}, None
        number = self.payments.last_sequence + 1
        pattern = self.payments.row(int(alive[number * 7919 % len(alive)]))
        own = {"id", "created_at", "updated_at", "order_id"}
        payment = {name: value for name, value in pattern.items() if name not in own}
        payment["reference"] = f"NEW-{number:08d}"
        order = self.order_of(pattern)
        if order is None:
            return payment, None
        own = {"id", "payment_source_id", "payment_source_type", "created_at", "updated_at"}
        copied = {name: value for name, value in order.items() if name not in own}
        return payment, {**copied, "number": str(90_000_000 + number), "reference": payment["reference"]}


def _wall_clock() -> int:
    return int(datetime.now(UTC).timestamp() * 1000) * 1000


def _instants(row: Mapping[str, object], names: list[str] | tuple[str, ...]) -> dict[str, int]:
    return {name: times.from_text(row.get(name)) for name in names}
