"""
What an item puts at stake: what differs, what is booked, what is due, or nothing, by its status.

The one place that knows; items, limits, ages and reports take it from the columns that it fills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.matching.due import known
from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.policy import STATUS_ORDER, Status

DIFFERENCE = (Status.AMOUNT_MISMATCH, Status.WITHIN_TOLERANCE)
"""The difference of both sides, which have one currency."""

BOOKED = (Status.STATUS_MISMATCH, Status.METHOD_MISMATCH, Status.MISSING_PAYMENT, Status.AWAITING_PAYMENT)
"""What the books have, in their currency."""

DUE = (
    Status.CURRENCY_MISMATCH,
    Status.NOT_PAID,
    Status.MISSING_ORDER,
    Status.AWAITING_ORDER,
    Status.MISSING_REFERENCE,
    Status.AMOUNT_UNKNOWN,
    Status.MONEY_UNKNOWN,
)
"""What is due, in the payment's currency; where that is not known, or there is no payment, what the books have."""

STAKE = ("stake", "is_stake_booked")
"""What `with_stake` adds: an amount, and whether it is in the currency of the books; null where nothing is at stake."""


def with_stake(rows: Frame) -> Frame:
    """Return judged rows with STAKE, by their `status_code`."""
    payment = nw.coalesce("p_due", "p_amount")
    amounts = (
        (DIFFERENCE, nw.col("difference")),
        (BOOKED, nw.col("o_amount")),
        (DUE, nw.coalesce(payment, "o_amount")),
        ((Status.DUPLICATE_REFERENCE,), nw.coalesce("p_amount", "o_amount")),
        ((Status.PARTLY_PAID,), nw.col("p_missing")),
        ((Status.REFUNDED_SINCE,), known(nw.col("p_refunded"))),
    )
    stake: Any = nw.lit(None, dtype=nw.Int64())
    for statuses, amount in amounts:
        stake = nw.when(_is_among(statuses)).then(amount).otherwise(stake)
    of_unpaid = _is_among((*DUE, Status.DUPLICATE_REFERENCE)) & payment.is_null()
    return rows.with_columns(stake.alias("stake"), (_is_among(BOOKED) | of_unpaid).alias("is_stake_booked"))


def _is_among(statuses: Sequence[Status]) -> nw.Expr:
    return nw.col("status_code").is_in([STATUS_ORDER.index(status) for status in statuses])


def with_stakes(engine: Engine, rows: Frame) -> Frame:
    """
    Return judged leftovers with the claim `is_staked`: their amount counts as at stake.

    Of duplicates of one key and currency only one side's do, that whose sum is larger (the payments', where both are
    equal): the same money is not at stake twice.
    """
    rows = rows.with_columns(
        nw.coalesce(
            "p_reference", "p_order_reference", "o_reference", "p_order_number", "o_order_number", "p_order_id",
            "o_order_id",
        ).alias("stake_key"),
        nw.coalesce("p_currency", "o_currency").alias("stake_currency"),
    )  # fmt: skip
    rows = engine.settle(rows)
    is_duplicate = nw.col("status_code") == STATUS_ORDER.index(Status.DUPLICATE_REFERENCE)
    none = nw.lit(0, dtype=nw.Int64())
    sums = (
        rows.filter(is_duplicate)
        .select(
            "stake_key", "stake_currency",
            nw.coalesce(nw.col("p_amount").abs(), none).alias("p_sum"),
            nw.when(nw.col("p_id").is_null()).then(nw.col("o_amount").abs()).otherwise(none).alias("o_sum"),
        )
        .group_by("stake_key", "stake_currency")
        .agg(nw.col("p_sum").sum(), nw.col("o_sum").sum())
    )  # fmt: skip
    larger = sums.select(
        "stake_key", "stake_currency", (nw.col("p_sum") >= nw.col("o_sum")).alias("are_payments_larger")
    )
    rows = rows.join(larger, on=["stake_key", "stake_currency"], how="left")
    mine = nw.col("are_payments_larger") == ~nw.col("p_id").is_null()
    staked = nw.when(is_duplicate).then(mine).otherwise(nw.lit(value=True)).fill_null(value=True)
    return rows.with_columns(staked.alias("is_staked"))


def stakes_of(batch: pa.RecordBatch) -> Mapping[str, pa.Array[Any]]:
    """
    Return `at_stake_cents` and `at_stake_currency_code` of judged rows; the cents are never null.

    `batch` has STAKE, `is_staked`, and the currencies of both sides.
    """
    stake, is_booked, is_staked = (cast(Any, batch.column(name)) for name in (*STAKE, "is_staked"))
    staked: Any = pc.fill_null(is_staked, True)
    cents: Any = pc.if_else(staked, pc.fill_null(pc.abs(stake), 0), 0)
    payment, order = batch.column("p_currency"), batch.column("o_currency")
    return {
        "at_stake_cents": cents,
        "at_stake_currency_code": pc.if_else(is_booked, pc.coalesce(order, payment), pc.coalesce(payment, order)),
    }
