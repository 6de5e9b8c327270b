"""
What an item puts at stake: what differs, what is booked, what is due, or nothing, by its status.

The one place that knows; items, limits, ages and reports take it from the columns that it fills.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.matching.engines.protocol import Engine, Frame
from reconcile.matching.ladder import STATUS_ORDER
from reconcile.matching.policy import Status
from reconcile.schema import Columns

DIFFERENCE = (Status.AMOUNT_MISMATCH, Status.WITHIN_TOLERANCE)
"""The difference of both sides, which have one currency."""

BOOKED = (Status.STATUS_MISMATCH, Status.METHOD_MISMATCH, Status.MISSING_PAYMENT, Status.AWAITING_PAYMENT)
"""What the books have, in their currency."""

DUE = (
    Status.CURRENCY_MISMATCH,
    Status.MISSING_ORDER,
    Status.AWAITING_ORDER,
    Status.DUPLICATE_REFERENCE,
    Status.MISSING_REFERENCE,
    Status.AMOUNT_UNKNOWN,
)
"""What the payment has, in its currency; where that is not known, or there is no payment, what the books have."""


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


def stakes_of(codes: pa.Array[Any], is_staked: pa.Array[Any], items: Columns) -> Mapping[str, pa.Array[Any]]:
    """
    Return `at_stake_cents` and `at_stake_currency_code` of items whose statuses are `codes`; the cents are never null.

    `items` has the amounts and currencies of both sides and their difference.
    """
    payment, order = items["payment_amount_cents"], items["order_amount_cents"]
    is_booked, is_due = _among(codes, BOOKED), _among(codes, DUE)
    nothing = pa.scalar(None, pa.int64())
    amount: Any = pc.if_else(
        _among(codes, DIFFERENCE),
        items["difference_cents"],
        pc.if_else(is_booked, order, pc.if_else(is_due, pc.coalesce(payment, order), nothing)),
    )
    staked: Any = pc.or_kleene(is_staked, pc.is_null(is_staked))
    cents: Any = pc.if_else(staked, pc.fill_null(pc.abs(amount), 0), 0)
    of_order = pc.or_(is_booked, pc.and_(is_due, pc.is_null(payment)))
    payment_code, order_code = items["payment_currency_code"], items["order_currency_code"]
    return {
        "at_stake_cents": cents,
        "at_stake_currency_code": pc.if_else(
            of_order, pc.coalesce(order_code, payment_code), pc.coalesce(payment_code, order_code)
        ),
    }


def _among(codes: pa.Array[Any], statuses: tuple[Status, ...]) -> Any:
    return pc.is_in(codes, value_set=pa.array([STATUS_ORDER.index(status) for status in statuses], codes.type))
