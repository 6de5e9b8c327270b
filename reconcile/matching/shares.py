"""
Orders that several klarna payments have paid together: what each of them has there.

Such orders are found by their succeeded transactions, and are few: where there are none, nothing is joined. Does not
know what is due: that is `due`.
"""

from __future__ import annotations

import narwhals.stable.v2 as nw

from reconcile.matching.due import SHARE, known, with_worth
from reconcile.matching.engines.protocol import Engine, Frame

_TYPES = {"authorized": "authorizations", "captured": "captures", "refunded": "refunds", "voided": "voids"}
"""Sums, each with the type of the transactions that it is made of."""


def worth_of(engine: Engine, payments: Frame, *, transactions: Frame | None, basis: str) -> Frame:
    """Return payments, as opened, with WORTH: with their shares, where `transactions` name several of one order."""
    return with_worth(with_shares(engine, payments, transactions), basis)


def with_shares(engine: Engine, payments: Frame, transactions: Frame | None) -> Frame:
    """
    Return payments, as opened, with `p_is_share` and SHARE; without `transactions` no payment has a share.

    A share is open authorization + captures − refunds of the transactions that name the payment, those of its order and
    in its currency: null where one of their amounts is not known. The sum of an order's shares stands at its largest
    one (of equal ones, that of the greatest id).
    """
    shares = None if transactions is None else _shares(engine, payments, transactions)
    if shares is None:
        return payments.with_columns(
            nw.lit(value=False).alias("p_is_share"),
            *(nw.lit(None, dtype=nw.Int64()).alias(name) for name in SHARE),
        )
    rows = payments.join(shares.rename({"p_row": "share_row"}), left_on="p_row", right_on="share_row", how="left")
    return rows.with_columns(nw.col("p_is_share").fill_null(value=False))


def _shares(engine: Engine, payments: Frame, transactions: Frame) -> Frame | None:
    """Return `p_row`, `p_is_share` and SHARE of payments that share an order; None where no order is shared."""
    named = transactions.filter(nw.col("t_succeeded").fill_null(value=False), ~nw.col("t_payment_id").is_null())
    orders = named.group_by("t_order_id").agg(nw.col("t_payment_id").n_unique().alias("payments"))
    shared = engine.settle(orders.filter(nw.col("payments") > 1).select("t_order_id"))
    if not engine.to_arrow(shared.select("t_order_id").head(1)).num_rows:
        return None
    mine = engine.settle(_sums(named.join(shared, on="t_order_id", how="semi")))
    place = ["p_id", "p_order_id", "p_currency"]
    wanted = ["t_payment_id", "t_order_id", "t_currency"]
    # A payment whose transactions are all in another currency than its order has a share too: none that is known.
    sharing = mine.select("t_payment_id", "t_order_id").unique()
    rows = payments.select("p_row", *place).join(sharing, left_on=place[:2], right_on=wanted[:2], how="inner")
    rows = engine.settle(rows.join(mine, left_on=place, right_on=wanted, how="left"))
    return engine.settle(_with_sum(engine, rows))


def _sums(named: Frame) -> Frame:
    """Return what each payment has in each order and currency: `p_share`, `p_share_captured`."""
    amount = known(nw.col("t_amount"))
    none, one = nw.lit(0, dtype=nw.Int64()), nw.lit(1, dtype=nw.Int64())
    rows = named.with_columns(
        nw.when(amount.is_null()).then(one).otherwise(none).alias("unknown"),
        *(
            nw.when((nw.col("t_type") == type_) & ~amount.is_null()).then(amount).otherwise(none).alias(name)
            for name, type_ in _TYPES.items()
        ),
    )
    sums = rows.group_by("t_payment_id", "t_order_id", "t_currency").agg(nw.col("unknown", *_TYPES).sum())
    sums = sums.with_columns(nw.col(*_TYPES).cast(nw.Int64()))
    captured = nw.col("captured") - nw.col("refunded")
    left = nw.col("authorized") - nw.col("captured") - nw.col("voided")
    share = captured + nw.when(left > none).then(left).otherwise(none)
    is_known = nw.col("unknown") == 0
    return sums.select(
        "t_payment_id", "t_order_id", "t_currency",
        nw.when(is_known).then(known(share)).alias("p_share"),
        nw.when(is_known).then(known(captured)).alias("p_share_captured"),
    )  # fmt: skip


def _with_sum(engine: Engine, rows: Frame) -> Frame:
    """Return `p_row`, `p_is_share` and SHARE; the sum of an order's shares, if all are known, stands at its largest."""
    ranked = engine.settle(engine.with_rank(rows, "rank", ["p_share", "p_id"]))
    orders = ranked.group_by("p_order_id").agg(
        nw.col("p_share").sum().alias("sum"),
        nw.col("p_share").count().alias("known"),
        nw.len().alias("payments"),
        nw.col("rank").max().alias("largest"),
    )
    orders = orders.with_columns(
        nw.when(nw.col("known") == nw.col("payments")).then(nw.col("sum").cast(nw.Int64())).alias("p_shares")
    )
    orders = orders.select("p_order_id", "p_shares", nw.col("largest").cast(nw.Int64()))
    found = ranked.join(orders, on="p_order_id", how="left")
    is_largest = nw.col("rank").cast(nw.Int64()) == nw.col("largest")
    return found.select(
        "p_row",
        nw.lit(value=True).alias("p_is_share"),
        "p_share",
        "p_share_captured",
        nw.when(is_largest).then(nw.col("p_shares")).alias("p_shares"),
    )
