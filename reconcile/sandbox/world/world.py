"""
A world: what the stand-in serves, and the changes made to it while it is served.

Comes from the generated shop (`World.generate`) or from two files in the shape of an export (`World.load`).
Knows payments, orders and how they hang together.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from reconcile.errors import InputError
from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import id_key, id_of
from reconcile.sandbox.world.loading import EPOCH_TEXT, INSTANTS, gateway_rows, loaded, method_rows, read_rows
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.shop import Shop
from reconcile.sandbox.world.table import Table
from reconcile.sandbox.world.trails import Trails

ORGANIZATION_SLUG = "sandbox"
_TIMES: Row = {"created_at": EPOCH_TEXT, "updated_at": EPOCH_TEXT}
_PAYMENT_DEFAULTS: Row = {"payment_methods": [], "metadata": {}, "mismatched_amounts": None}
_ORDER_DEFAULTS: Row = {"status": "draft", "payment_status": "unpaid", "fulfillment_status": "unfulfilled"}


class World:
    """
    The rows of one organization in one mode.

    `payments`, `orders`, `gateways`, `methods` are tables by hidden sequence; `trails` holds what happened to their
    rows. `canary` is a string put into every
    `client_token` and `auth_token` that is served. `now` gives the instant of changes, in microseconds since 1970.
    """

    def __init__(
        self,
        *,
        payments: Table,
        orders: Table,
        gateways: Table,
        methods: Table,
        mode: str = "live",
        seed: int = 1,
        canary: str | None = None,
        now: Callable[[], int] | None = None,
    ) -> None:
        if mode not in {"live", "test"}:
            raise ValueError(f'mode "{mode}" is neither live nor test')
        self.payments = payments
        self.orders = orders
        self.gateways = gateways
        self.methods = methods
        self.mode = mode
        self.seed = seed
        self.canary = canary
        self.organization_slug = ORGANIZATION_SLUG
        self.organization_id = id_of(id_key(seed, "organizations"), 1)
        self.lock = threading.RLock()
        self.trails = Trails(payments, orders, seed)
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
        payment_columns = {"created_at": shop.created_at, "updated_at": shop.updated_at, "order": shop.order_of}
        order_columns = {
            "created_at": shop.order_created_at,
            "updated_at": shop.order_updated_at,
            "placed_at": shop.order_placed_at,
        }
        return cls(
            payments=Table(count=payments, base_row=shop.payment, key=shop.payment_key, columns=payment_columns),
            orders=Table(count=shop.order_count, base_row=shop.order, key=shop.order_key, columns=order_columns),
            gateways=gateway_rows([shop.gateway_id], seed),
            methods=method_rows(shop.gateway_id, seed),
            mode=mode,
            seed=seed,
            canary=canary,
            now=now,
        )

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

        The order of the files is the hidden sequence. Payments name their order in `order_id`, orders their
        payment source in `payment_source_id`; `payment_method_id` null in an order says that it was not paid with
        Klarna, `mode` in a row overrides the world's.

        Raises InputError when a file is missing or not of that shape.
        """
        payments = read_rows(Path(folder) / "klarna_payments.json")
        orders = read_rows(Path(folder) / "orders.json")
        known = {row["id"] for row in orders}
        for row in payments:
            if row.get("order_id") is not None and row["order_id"] not in known:
                raise InputError(f"{folder}: payment {row['id']} belongs to order {row['order_id']}, which is missing")
        return cls.of_rows(payments, orders, seed=seed, mode=mode, canary=canary, now=now)

    @classmethod
    def of_rows(
        cls,
        payments: list[Row],
        orders: list[Row],
        *,
        seed: int = 1,
        mode: str = "live",
        canary: str | None = None,
        now: Callable[[], int] | None = None,
    ) -> World:
        """Return a world of exactly these flat rows; see `load` for their shape."""
        order_sequences = {row["id"]: sequence for sequence, row in enumerate(orders, 1)}
        gateway_ids = list(
            dict.fromkeys(row["payment_gateway_id"] for row in payments if row.get("payment_gateway_id"))
        )
        gateway_ids = gateway_ids or [id_of(id_key(seed, "klarna_gateways"), 1)]
        payments = [{"payment_gateway_id": gateway_ids[0], **_PAYMENT_DEFAULTS, **_TIMES, **row} for row in payments]
        payment_table = loaded(payments, "klarna_payments", seed, ("created_at", "updated_at"))
        of_payment = [0, *(order_sequences.get(row.get("order_id"), 0) for row in payments)]
        payment_table.columns["order"] = np.array(of_payment, np.int64)
        return cls(
            payments=payment_table,
            orders=loaded([{**_ORDER_DEFAULTS, **_TIMES, **row} for row in orders], "orders", seed, INSTANTS),
            gateways=gateway_rows(gateway_ids, seed),
            methods=method_rows(gateway_ids[0], seed),
            mode=mode,
            seed=seed,
            canary=canary,
            now=now,
        )

    def insert(self, payment: Mapping[str, object] | None = None, *, order: Mapping[str, object] | None = None) -> str:
        """
        Add a payment, created now unless it says otherwise, and return its id.

        With `order` an order is added too and linked. Without arguments both are copies of a row that is
        there, under new ids, numbers and references.
        """
        with self.lock:
            now = self._now()
            if payment is None and order is None:
                payment, order = self._another()
            row: Row = {**_PAYMENT_DEFAULTS, "payment_gateway_id": self._gateway_id(), **(payment or {})}
            row = {"created_at": times.to_text(now), "updated_at": times.to_text(now), **row}
            if order is not None:
                order_row = {
                    "created_at": row["created_at"],
                    "updated_at": row["updated_at"],
                    **_ORDER_DEFAULTS,
                    **order,
                }
                row["order_id"] = self.orders.insert(order_row, **_instants(order_row, INSTANTS))
            order_sequence = self.orders.sequence(row["order_id"]) if row.get("order_id") else None
            instants = _instants(row, ("created_at", "updated_at"))
            return self.payments.insert(row, order=order_sequence or 0, **instants)

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
            return self._noted("orders", before, self.orders.update(order_id, changes, **columns))

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

    def order_of(self, payment: Row) -> Row | None:
        """Return the order a payment row belongs to."""
        return self.orders.find(payment["order_id"]) if payment.get("order_id") else None

    def method_of(self, order: Row) -> Row | None:
        """
        Return the payment method of an order row: Klarna, unless its `payment_method_id` says otherwise.

        An order keeps it when its payment source is nullified or deleted.
        """
        if "payment_method_id" in order:
            return self.methods.find(order["payment_method_id"]) if order["payment_method_id"] else None
        return self.methods.row(1)

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
        own = {"id", "payment_source_id", "created_at", "updated_at"}
        copied = {name: value for name, value in order.items() if name not in own}
        return payment, {**copied, "number": str(90_000_000 + number), "reference": payment["reference"]}


def _wall_clock() -> int:
    return int(datetime.now(UTC).timestamp() * 1000) * 1000


def _instants(row: Mapping[str, object], names: list[str] | tuple[str, ...]) -> dict[str, int]:
    return {name: times.from_text(row.get(name)) for name in names}
