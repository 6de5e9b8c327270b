"""
What stands for a payment: the amount by the basis, what is due, and what of that has been paid.

The one definition: arithmetic of a row by itself, the same on every engine. What several payments of one order share is
in `shares`. Gives no verdict: that is `ladder`.
"""

from __future__ import annotations

from functools import reduce

import narwhals.stable.v2 as nw

from reconcile.keys import NOT_BLANK
from reconcile.matching.engines.protocol import Frame
from reconcile.money import AMOUNT_LIMIT, ORDER_TOTALS

# Source: https://docs.commercelayer.io/core-api-reference/orders/object
NEVER_PLACED = ("draft", "pending", "editing", "placing")
"""Values of `order_status` of an order that nobody has placed (yet)."""

ORDER_STATUSES = (*NEVER_PLACED, "placed", "approved", "cancelled")
"""Values of `order_status` that are known; any other counts as placed, and not as paid."""

GIVEN_BACK = ("voided", "refunded")
"""Values of `payment_status` of an order whose money went back whole."""

PARTIALLY = "partially_"
"""How values of `payment_status` begin that do not say how much."""

PAYMENT_STATUSES = (
    "unpaid", "authorized", "paid", "free", *GIVEN_BACK,
    *(f"{PARTIALLY}{what}" for what in ("authorized", "paid", "voided", "refunded")),
)  # fmt: skip
"""Values of `payment_status` that are known; any other says nothing of the money."""

SUMS = ("p_authorized", "p_captured", "p_refunded", "p_voided")
"""Sums of the succeeded transactions of the payment's order; read all, or not at all."""

SHARE = ("p_share", "p_share_captured", "p_shares")
"""
What `shares` adds, with `p_is_share`, whether the payment is one of several that share its order: what it has there,
what of that is captured and not refunded; and, at one of them, what all of them have together.
"""

WORTH = ("p_amount", "p_due", "p_missing", "p_is_nothing_due", "p_is_unpaid", "p_is_untold", "p_is_replaced")
"""
What `with_worth` adds, amounts in minor units of `p_currency`.

p_amount           the amount by the basis: null where it is not known
p_due              what the books should show: null where it is not known
p_missing          what is due and neither captured nor authorized, where that is so; or what the shares of an order and
                   what is due differ by, at the payment that bears it, below 0 where they are more
p_is_nothing_due   nothing is due, whatever the basis
p_is_unpaid        nothing was authorized or captured
p_is_untold        the transactions were not read, and `payment_status` does not say how much is due
p_is_replaced      another payment is known to be the source of the order, and this one has no share
"""

_NONE = nw.lit(0, dtype=nw.Int64())


def with_worth(payments: Frame, basis: str) -> Frame:
    """
    Return payments, as opened and with SHARE, with WORTH in its place.

    Amounts of AMOUNT_LIMIT or more are not known, so that no sum here can leave 64 bits.
    """
    rows = payments.with_columns(
        *(known(nw.col(name)).alias(f"{name}_known") for name in ("p_total", *SUMS)),
        is_read().alias("is_read"),
        (~has_placed_order() | (nw.col("p_order_status") == "cancelled")).alias("is_undone"),
        (~nw.col("p_is_share") & (nw.col("p_is_current") == nw.lit(value=False)).fill_null(value=False)).alias(
            "p_is_replaced"
        ),
    )
    rows = rows.with_columns(_open().alias("open"))
    rows = rows.with_columns(_paid().alias("paid"), _order_due().alias("order_due"))
    rows = rows.with_columns(_due().alias("p_due"))
    rows = rows.with_columns(
        _amount(basis).alias("p_amount"),
        _missing().alias("p_missing"),
        _is_nothing_due().alias("p_is_nothing_due"),
        _is_unpaid().alias("p_is_unpaid"),
        _is_untold().alias("p_is_untold"),
    )
    steps = (*(f"{name}_known" for name in ("p_total", *SUMS)), "is_read", "is_undone", "open", "paid", "order_due")
    totals = ("p_total", "p_basis_total") if basis in ORDER_TOTALS else ("p_total",)
    return rows.drop(*SHARE, *steps, *totals)


def known(amount: nw.Expr) -> nw.Expr:
    """Return an amount; null where it is AMOUNT_LIMIT or more, either way."""
    limit = nw.lit(AMOUNT_LIMIT, dtype=nw.Int64())
    return nw.when((amount > -limit) & (amount < limit)).then(amount)


def is_read() -> nw.Expr:
    """Return the claim: the transactions of the payment's order were read."""
    return ~reduce(lambda one, other: one | other, (nw.col(name).is_null() for name in SUMS))


def has_placed_order() -> nw.Expr:
    """Return the claim: the payment has an order, and somebody has placed it."""
    status = nw.col("p_order_status")
    has_order = nw.col("p_order_id").str.contains(NOT_BLANK).fill_null(value=False)
    return has_order & ~status.is_null() & ~status.is_in(NEVER_PLACED).fill_null(value=False)


def is_unknown_order_status() -> nw.Expr:
    """Return the claim: the order has a status that is not known here."""
    status = nw.col("p_order_status")
    return ~status.is_null() & ~status.is_in(ORDER_STATUSES).fill_null(value=False)


def _sum(name: str) -> nw.Expr:
    return nw.col(f"p_{name}_known")


def _are_known(*names: str) -> nw.Expr:
    return ~reduce(lambda one, other: one | other, (_sum(name).is_null() for name in names))


def _at_least_0(amount: nw.Expr) -> nw.Expr:
    return nw.max_horizontal(amount, _NONE)  # 0 of null: only of what `_are_known` holds for


def _open() -> nw.Expr:
    """Return what is authorized and can still be captured."""
    left = _sum("authorized") - _sum("captured") - _sum("voided")
    return nw.when(_are_known("authorized", "captured", "voided")).then(_at_least_0(left))


def _paid() -> nw.Expr:
    """Return what is there, or still can be captured."""
    return _sum("captured") - _sum("refunded") + nw.col("open")


def _order_due() -> nw.Expr:
    """Return what the books should show for the whole order."""
    total, nothing = _sum("total"), _sum("total") - _sum("total")
    lacking = _at_least_0(total - _sum("captured") - nw.col("open"))
    # What was authorized, never captured, and given back; never below 0, where more was captured than authorized.
    released = _at_least_0(nw.min_horizontal(lacking, _sum("voided"), _sum("authorized") - _sum("captured")))
    is_exact = ~nw.col("open").is_null() & _are_known("total", "refunded")
    by_transactions = nw.when(is_exact).then(_at_least_0(total - _sum("refunded") - released))
    by_status = (
        nw.when(_is_given_back()).then(nothing).otherwise(nw.when(~_is_partial()).then(total))
    )  # fmt: skip
    by_money = nw.when(nw.col("is_read")).then(by_transactions).otherwise(by_status)
    return nw.when(nw.col("is_undone")).then(nothing).otherwise(by_money)


def _due() -> nw.Expr:
    no_more = nw.col("is_undone") | nw.col("p_is_replaced")
    mine = nw.when(nw.col("p_is_share")).then(nw.col("p_share")).otherwise(nw.col("order_due"))
    return nw.when(no_more).then(_sum("total") - _sum("total")).otherwise(mine)


def _amount(basis: str) -> nw.Expr:
    if basis == "due":
        return nw.col("p_due")
    if basis == "captured":
        of_order = _sum("captured") - _sum("refunded")
        return known(nw.when(nw.col("p_is_share")).then(nw.col("p_share_captured")).otherwise(of_order))
    assert basis in ORDER_TOTALS, "the policy has checked it"
    return known(nw.col("p_basis_total"))


def _missing() -> nw.Expr:
    lacking = nw.col("p_due") - nw.col("paid")
    own = nw.when(nw.col("is_read") & (lacking > _NONE)).then(lacking)
    of_shares = nw.when(~nw.col("is_undone")).then(nw.col("order_due") - nw.col("p_shares"))
    return nw.when(nw.col("p_is_share")).then(of_shares).otherwise(own)


def _is_nothing_due() -> nw.Expr:
    by_status = ~nw.col("is_read") & ~nw.col("p_is_share") & _is_given_back()
    is_nothing = (nw.col("p_due") == _NONE).fill_null(value=False)
    return nw.col("is_undone") | nw.col("p_is_replaced") | by_status | is_nothing


def _is_unpaid() -> nw.Expr:
    by_transactions = (nw.col("p_authorized") <= _NONE) & (nw.col("p_captured") <= _NONE)
    by_status = (nw.col("p_payment_status") == "unpaid").fill_null(value=False)
    return ~nw.col("p_is_share") & nw.when(nw.col("is_read")).then(by_transactions).otherwise(by_status)


def _is_untold() -> nw.Expr:
    status = nw.col("p_payment_status")
    is_unknown = ~status.is_null() & ~status.is_in(PAYMENT_STATUSES).fill_null(value=False)
    return ~nw.col("is_read") & (_is_partial() | is_unknown)


def _is_given_back() -> nw.Expr:
    return nw.col("p_payment_status").is_in(GIVEN_BACK).fill_null(value=False)


def _is_partial() -> nw.Expr:
    return nw.col("p_payment_status").str.starts_with(PARTIALLY).fill_null(value=False)
