"""
What happened to the money of an order: its transactions, as its `payment_status` tells of them.

`plain_story` is the shortest one, for orders of which nothing else is known. `shop_story` is that of a generated
order: attempts that failed, sessions given up for others, captures in parts, parts that were never captured, refunds.
Which it is follows from dice that belong to the order. Whatever is told, what succeeded adds up to the status.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconcile.sandbox.world.journal import Journal, Source
from reconcile.sandbox.world.resources import Row

Dice = tuple[int, ...]

_CAPTURED = frozenset({"paid", "partially_paid", "refunded", "partially_refunded"})
_VOIDED = frozenset({"voided", "partially_voided"})
_AUTHORIZED = _CAPTURED | _VOIDED | {"authorized", "partially_authorized"}
_OF_THE_SHOP = frozenset({"unpaid", "authorized", "paid", "partially_refunded", "refunded", "voided"})


@dataclass(frozen=True, slots=True)
class Attempts:
    """
    What an order was tried to be paid with.

    `paid_with` is what its money is in, `former` are Klarna's sessions that were given up for it, oldest first,
    `named` is what the order calls its payment source.
    """

    paid_with: Source
    former: tuple[Source, ...]
    named: Source | None


def plain_story(journal: Journal, source: Source) -> None:
    """
    Write down what the order's status tells: each step in one transaction, a part of it is half.

    A status that the API does not have tells nothing.
    """
    status, total = journal.order.get("payment_status"), to_pay(journal.order)
    if total <= 0 or status not in _AUTHORIZED:
        return
    half = (total + 1) // 2
    authorization = journal.authorize(half if status == "partially_authorized" else total, source)
    if status in _CAPTURED:
        capture = journal.capture(authorization, half if status == "partially_paid" else total)
        if status == "refunded":
            journal.refund(capture, total)
        elif status == "partially_refunded":
            journal.refund(capture, half)
    elif status in _VOIDED:
        journal.void(authorization, total if status == "voided" else half)


def shop_story(journal: Journal, attempts: Attempts, dice: Dice) -> None:
    """Write down what happened to the money of a generated order."""
    status, total = journal.order["payment_status"], to_pay(journal.order)
    source = attempts.paid_with
    if status not in _OF_THE_SHOP:
        plain_story(journal, source)
        return
    tried_before = attempts.former[-1] if attempts.former else source
    if status == "unpaid":
        if journal.order["status"] == "pending" and dice[0] % 100 < 8:
            journal.authorize(total, tried_before, succeeded=False)
        return
    if dice[0] % 100 < 6:
        journal.authorize(total, tried_before, succeeded=False)
    if status == "voided":
        journal.leave_checkout()
        journal.void(journal.authorize(total, source), total)
        return
    if attempts.former and dice[1] % 5 == 0 and source.type == tried_before.type and total > 1:
        _share(journal, attempts, dice)
        return
    if dice[1] % 100 < 3 or (attempts.former and dice[1] % 3 == 0):
        journal.void(journal.authorize(total, tried_before), total)
    journal.leave_checkout()
    authorization = journal.authorize(total, source)
    if status in _CAPTURED:
        _refund(journal, _captures(journal, authorization, dice), dice)


def to_pay(order: Row) -> int:
    """Return what is to be paid for an order, in minor units; 0 when it does not say."""
    total = order.get("total_amount_with_taxes_cents")
    return int(order.get("total_amount_cents") or 0) if total is None else int(total)


def _share(journal: Journal, attempts: Attempts, dice: Dice) -> None:
    """Have two sessions pay a part each."""
    total = to_pay(journal.order)
    first = max(1, total * (2 + dice[2] % 6) // 10)
    journal.leave_checkout()
    parts = (
        journal.authorize(first, attempts.former[-1]),
        journal.authorize(total - first, attempts.paid_with),
    )
    if journal.order["payment_status"] in _CAPTURED:
        _refund(journal, [journal.capture(part, part["amount_cents"]) for part in parts], dice)


def _captures(journal: Journal, authorization: Row, dice: Dice) -> list[Row]:
    """Capture an authorization: at once, in parts, or a part of it, with the rest voided. Return what succeeded."""
    total = authorization["amount_cents"]
    if dice[4] % 100 < 2:
        journal.capture(authorization, total, succeeded=False)
    throw = dice[3] % 100
    part = max(1, total * (3 + dice[5] % 6) // 10)
    if throw >= 15 or part == total:
        return [journal.capture(authorization, total)]
    first = journal.capture(authorization, part)
    if throw < 12:
        return [first, journal.capture(authorization, total - part)]
    journal.void(authorization, total - part)
    return [first]


def _refund(journal: Journal, captures: list[Row], dice: Dice) -> None:
    """Refund all of the captures, or a part of the largest in one go or two, as the order's status has it."""
    status = journal.order["payment_status"]
    if status == "refunded":
        for capture in captures:
            journal.refund(capture, capture["amount_cents"])
    elif status == "partially_refunded":
        largest = max(captures, key=lambda capture: capture["amount_cents"])
        amount = max(1, largest["amount_cents"] * (1 + dice[6] % 8) // 10)
        if dice[7] % 20 == 0:
            journal.refund(largest, amount, succeeded=False)
        first = amount // 2 if dice[7] % 4 == 1 else 0
        if first:
            journal.refund(largest, first)
        journal.refund(largest, amount - first)
