"""
The tables of a world: payments and orders, and the few rows that hang on them: gateways, payment methods, markets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reconcile.sandbox.world.ids import id_key, id_of
from reconcile.sandbox.world.loading import INSTANTS, Rows, loaded
from reconcile.sandbox.world.resources import PAYMENT_SOURCE, Row
from reconcile.sandbox.world.shop import MARKETS, Shop
from reconcile.sandbox.world.table import Table

EPOCH_TEXT = "2024-07-01T00:00:00.000Z"
PAYMENT_DEFAULTS: Row = {"payment_methods": [], "metadata": {}, "mismatched_amounts": None}
ORDER_DEFAULTS: Row = {"status": "draft", "payment_status": "unpaid", "fulfillment_status": "unfulfilled"}
_TIMES: Row = {"created_at": EPOCH_TEXT, "updated_at": EPOCH_TEXT}
_NAMED: Row = {"disabled_at": None, **_TIMES, "reference": None, "reference_origin": None, "metadata": {}}


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows of one organization, by hidden sequence."""

    payments: Table
    orders: Table
    gateways: Table
    methods: Table
    markets: Table


def tables_of_shop(shop: Shop, seed: int) -> Tables:
    """Return the tables of a generated shop: its rows are made when they are read."""
    payment_columns = {"created_at": shop.created_at, "updated_at": shop.updated_at, "order": shop.order_of}
    order_columns = {
        "created_at": shop.order_created_at,
        "updated_at": shop.order_updated_at,
        "placed_at": shop.order_placed_at,
    }
    markets = [
        {"id": id_, "name": market[1], "code": market[2].lower()}
        for id_, market in zip(shop.market_ids, MARKETS, strict=True)
    ]
    return Tables(
        payments=Table(count=shop.payment_count, base_row=shop.payment, key=shop.payment_key, columns=payment_columns),
        orders=Table(count=shop.order_count, base_row=shop.order, key=shop.order_key, columns=order_columns),
        gateways=_gateways([shop.gateway_id], seed),
        methods=_methods(shop.gateway_id, seed),
        markets=_markets(markets, seed),
    )


def tables_of_rows(rows: Rows, seed: int) -> Tables:
    """Return the tables of exactly these rows; gateways and markets of which only the id is known are named."""
    gateway_ids = list(
        dict.fromkeys(row["payment_gateway_id"] for row in rows.payments if row.get("payment_gateway_id"))
    )
    gateway_ids = gateway_ids or [id_of(id_key(seed, "klarna_gateways"), 1)]
    return Tables(
        payments=_payments(rows, gateway_ids[0], seed),
        orders=loaded([{**ORDER_DEFAULTS, **_TIMES, **row} for row in rows.orders], "orders", seed, INSTANTS),
        gateways=_gateways(gateway_ids, seed),
        methods=_methods(gateway_ids[0], seed),
        markets=_markets(rows.markets, seed, named=[row["market_id"] for row in rows.orders if row.get("market_id")]),
    )


def _payments(rows: Rows, gateway_id: str, seed: int) -> Table:
    """Return the table of payments, with a column of the places of their orders."""
    payments = [{"payment_gateway_id": gateway_id, **PAYMENT_DEFAULTS, **_TIMES, **row} for row in rows.payments]
    table = loaded(payments, "klarna_payments", seed, ("created_at", "updated_at"))
    places = {row["id"]: place for place, row in enumerate(rows.orders, 1)}
    table.columns["order"] = np.array([0, *(places.get(row.get("order_id"), 0) for row in payments)], np.int64)
    return table


def _gateways(ids: Sequence[str], seed: int) -> Table:
    """Return the Klarna gateways with these ids."""
    rows = [
        {
            **_NAMED,
            "id": id_,
            "name": "Klarna" if number == 1 else f"Klarna {number}",
            "force_payments": False,
            "credential_keys": {"api_key": "********KL4RN"},
        }
        for number, id_ in enumerate(ids, 1)
    ]
    return loaded(rows, "klarna_gateways", seed, ("created_at", "updated_at"))


def _markets(rows: Iterable[Row], seed: int, *, named: Iterable[str] = ()) -> Table:
    """Return the markets of these rows, and one of its own for each id in `named` that no row has."""
    stated = {row["id"]: row for row in rows}
    stated |= {id_: {"id": id_, "name": f"Market {id_}"} for id_ in named if id_ not in stated}
    full = [
        {**_NAMED, "number": number, "private": False, "external_includes": [], **row}
        for number, row in enumerate(stated.values(), 1)
    ]
    return loaded(full, "markets", seed, ("created_at", "updated_at"))


def _methods(gateway_id: str, seed: int) -> Table:
    """Return a payment method for each type of payment source, Klarna's through the given gateway first."""
    rows: list[Row] = [
        {
            **_TIMES,
            "id": id_of(id_key(seed, "payment_methods"), number),
            "name": type_.removesuffix("s").replace("_", " ").title(),
            "payment_source_type": type_,
            "payment_gateway_id": gateway_id if number == 1 else None,
            "currency_code": None,
            "metadata": {},
        }
        for number, type_ in enumerate(PAYMENT_SOURCE.types, 1)
    ]
    return loaded(rows, "payment_methods", seed, ("created_at", "updated_at"))
