"""
The order totals of a world as an ERP would export them: the other side of a reconciliation, with planted differences.

Knows orders and how exports go wrong. Which difference an order gets is drawn from a seed.
"""

from __future__ import annotations

import csv
import random
from pathlib import Path

from reconcile.money import format_amount
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.world import World


def write_order_totals(world: World, path: Path, *, seed: int = 1) -> dict[str, int]:
    """
    Write the order totals of `world` as an ERP would export them, and return how many rows of each kind it holds.

    CSV with `reference`, `order_number`, `total_amount`, `currency_code`, `ordered_on`: one line per placed order.
    About one in five hundred is off: another amount, another currency, missing, twice, or unknown to the API.
    """
    chance = random.Random(seed)  # noqa: S311 - planted differences, not secrets
    written = dict.fromkeys(("same", "amount", "currency", "missing", "twice", "unknown"), 0)
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("reference", "order_number", "total_amount", "currency_code", "ordered_on"))
        for sequence in world.orders.alive():
            order = world.orders.row(int(sequence))
            if order.get("placed_at") is None:
                continue
            kind = _planted(chance.random())
            written[kind] += 1
            lines.writerows(_erp_lines(order, kind, chance))
    return written


def _planted(throw: float) -> str:
    shares = (("amount", 0.001), ("missing", 0.0004), ("twice", 0.0002), ("currency", 0.0001), ("unknown", 0.0003))
    for kind, share in shares:
        if throw < share:
            return kind
        throw -= share
    return "same"


def _erp_lines(order: Row, kind: str, chance: random.Random) -> list[tuple[str, str, str, str, str]]:
    cents, currency = order["total_amount_with_taxes_cents"], order["currency_code"]
    reference, number = str(order["reference"]), str(order["number"])
    if kind == "amount":
        cents += chance.choice((-1, 1, 100, -100, order.get("shipping_amount_cents") or 50))
    elif kind == "currency":
        currency = "EUR" if currency != "EUR" else "SEK"
    line = (reference, number, format_amount(cents, currency), currency, str(order["placed_at"])[:10])
    if kind == "missing":
        return []
    if kind == "twice":
        return [line, line]
    if kind == "unknown":
        return [line, (f"X{reference}", f"8{number[1:]}", *line[2:])]
    return [line]
