"""
The ladder: one verdict for every row the passes gave, the first rung that holds.

Knows statuses, tolerances and lags. Does not pair, and does not know what earlier runs saw (`items`).
A status travels as its place in STATUS_ORDER, which sorts like its text and costs less; `items` writes the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import narwhals.stable.v2 as nw

from reconcile.matching.at_stake import with_stake
from reconcile.matching.due import has_placed_order, is_unknown_order_status
from reconcile.matching.engines.protocol import Frame
from reconcile.matching.policy import STATUS_ORDER, MatchPolicy, Status
from reconcile.matching.tolerance import SCOPES, scope_of

_MILLION = 10**6

Ladder = Sequence[tuple[nw.Expr, Status]]


def pair_ladder(policy: MatchPolicy) -> tuple[Ladder, Status]:
    """Return the rungs of a pair, and what holds when none does."""
    booked, is_due = nw.col("o_amount"), ~nw.col("p_is_nothing_due")
    # What is due of a payment whose money is not told has a rung of its own, further down.
    is_amount_unknown = nw.col("p_amount").is_null() & ~nw.col("p_is_untold")
    unknown = nw.any_horizontal(
        is_amount_unknown,
        *(nw.col(name).is_null() for name in ("p_currency", "o_amount", "o_currency")),
        ignore_nulls=True,
    )
    is_unpaid = is_due & (nw.col("p_is_unpaid") | is_unknown_order_status())
    return [
        (unknown, Status.AMOUNT_UNKNOWN),
        (nw.col("p_currency") != nw.col("o_currency"), Status.CURRENCY_MISMATCH),
        ((booked != 0) & ~is_due, Status.STATUS_MISMATCH),
        (~nw.col("amounts_agree"), Status.AMOUNT_MISMATCH),
        (~_is_klarna(policy), Status.METHOD_MISMATCH),
        (is_unpaid, Status.NOT_PAID),
        (nw.col("p_missing").abs() > allowed_cents(policy), Status.PARTLY_PAID),
        (nw.col("p_is_untold"), Status.MONEY_UNKNOWN),
        (nw.lit(policy.leaves_refunds_out) & (nw.col("p_refunded") > 0), Status.REFUNDED_SINCE),
        (nw.col("p_mismatched"), Status.FLAGGED_BY_API),
        (nw.col("difference") != 0, Status.WITHIN_TOLERANCE),
    ], Status.MATCHED


def payment_ladder(policy: MatchPolicy, business_date: date) -> tuple[Ladder, Status]:
    """Return the rungs of a payment without an order row."""
    population, dated = policy.population, nw.coalesce("p_placed_at", "p_created_at")
    young = dated >= nw.lit(population.starts_at(business_date - timedelta(days=policy.lag_days - 1)))
    days = population.days(business_date)
    outside = _outside(
        dated,
        population.starts_at(days.first) if days.first is not None else None,
        population.starts_at(days.end),
    )
    listed = nw.lit(value=not population.listed_only) | nw.col("p_met")
    return [
        (nw.col("wrong_mode"), Status.WRONG_MODE),
        (nw.col("superseded"), Status.SUPERSEDED),
        (~has_placed_order(), Status.NOT_PLACED),
        (nw.col("p_is_nothing_due"), Status.NOTHING_DUE),
        (nw.col("p_is_unpaid"), Status.UNPAID),
        (~listed, Status.NOT_LISTED),
        (outside, Status.OUT_OF_PERIOD),
        (nw.col("p_met"), Status.DUPLICATE_REFERENCE),
        (nw.col("p_reference").is_null() & nw.col("p_order_reference").is_null(), Status.MISSING_REFERENCE),
        (young, Status.AWAITING_ORDER),
    ], Status.MISSING_ORDER


def order_ladder(policy: MatchPolicy, business_date: date) -> tuple[Ladder, Status]:
    """Return the rungs of an order row without a payment. A row without a date does not wait, and is covered."""
    since = business_date - timedelta(days=policy.lag_days - 1)
    days = policy.population.days(business_date)
    outside = _outside(nw.col("o_ordered_on"), days.first, days.end)
    keyless = nw.all_horizontal(*(nw.col(f"o_{key}").is_null() for key in policy.on), ignore_nulls=True)
    return [
        (~_is_klarna(policy), Status.OTHER_METHOD),
        (outside, Status.OUT_OF_PERIOD),
        (nw.col("o_amount") == 0, Status.NOTHING_BOOKED),
        (nw.col("o_met"), Status.DUPLICATE_REFERENCE),
        (keyless, Status.MISSING_REFERENCE),
        (nw.col("o_ordered_on") >= nw.lit(since), Status.AWAITING_PAYMENT),
    ], Status.MISSING_PAYMENT


def _outside(when: nw.Expr, first: date | None, end: date) -> nw.Expr:
    """Return the claim: `when` is before `first` or not before `end`, and the row was no break in the run before."""
    outside = when >= nw.lit(end)
    if first is not None:
        outside = outside | (when < nw.lit(first))
    return outside & ~nw.col("was_open")


def _is_klarna(policy: MatchPolicy) -> nw.Expr:
    """Return the claim: the order row names a payment method of Klarna's. It is not known of a row that names none."""
    return nw.col("o_method").str.to_lowercase().str.contains(policy.population.method_pattern)


def judge_pairs(rows: Frame, policy: MatchPolicy) -> Frame:
    """Return rows that all are pairs with `difference`, `amounts_agree`, `status_code` and STAKE."""
    return with_stake(_compared(rows, policy).with_columns(_verdict(*pair_ladder(policy)).alias("status_code")))


def judge(rows: Frame, policy: MatchPolicy, business_date: date) -> Frame:
    """Return rows of any sort (the `leftovers` of the passes) with the same columns as `judge_pairs`."""
    paired = ~nw.col("matched_on").is_null()
    verdict = (
        nw.when(paired)
        .then(_verdict(*pair_ladder(policy)))
        .otherwise(
            nw.when(~nw.col("p_id").is_null())
            .then(_verdict(*payment_ladder(policy, business_date)))
            .otherwise(_verdict(*order_ladder(policy, business_date)))
        )
    )
    return with_stake(_compared(rows, policy).with_columns(verdict.alias("status_code")))


def _verdict(ladder: Ladder, otherwise: Status) -> nw.Expr:
    verdict = _code(otherwise)
    for holds, status in reversed(ladder):
        verdict = nw.when(holds).then(_code(status)).otherwise(verdict)  # an unknown claim (null) does not hold
    return verdict


def _code(status: Status) -> nw.Expr:
    return nw.lit(STATUS_ORDER.index(status), dtype=nw.Int8())


def _compared(rows: Frame, policy: MatchPolicy) -> Frame:
    # Amounts stay below AMOUNT_LIMIT (`sides` knows no others), so their difference cannot leave 64 bits.
    comparable = nw.col("p_currency") == nw.col("o_currency")
    difference = nw.when(comparable).then(nw.col("p_amount") - nw.col("o_amount"))
    rows = rows.with_columns(difference.alias("difference"))
    return rows.with_columns((nw.col("difference").abs() <= allowed_cents(policy)).alias("amounts_agree"))


def allowed_cents(policy: MatchPolicy) -> nw.Expr:
    """Return how many minor units a pair may differ: of cents and percent, as declared for it, the smaller."""
    cents, millionths = (_declared(policy, part) for part in ("cents", "millionths"))
    if millionths is None:
        return nw.lit(0, dtype=nw.Int64()) if cents is None else cents.fill_null(0)
    share = _floor_share(nw.col("o_amount").abs(), millionths)
    if cents is not None:
        share = nw.coalesce(nw.when(share < cents).then(share).otherwise(cents), share)
    return share.fill_null(0)


def _declared(policy: MatchPolicy, part: str) -> nw.Expr | None:
    """Return the `part` of the tolerance that holds for a pair: of its market, else its gateway, its currency, all."""
    general = getattr(policy.tolerance, part)
    own = [(*scope_of(name), value) for name, one in policy.tolerances.items()
           if (value := getattr(one, part)) is not None]  # fmt: skip
    if general is None and not own:
        return None
    found = nw.lit(general, dtype=nw.Int64())
    for scope, column in SCOPES.items():
        for name in (one for one in own if one[0] == scope):
            found = nw.when(nw.col(column) == name[1]).then(nw.lit(name[2], dtype=nw.Int64())).otherwise(found)
    return found


def _floor_share(amount: nw.Expr, millionths: nw.Expr) -> nw.Expr:
    """
    Return floor(amount * millionths / 10**6) exactly, in 64 bits.

    amount = quotient * 10**6 + rest, so the share is quotient * millionths plus floor(rest * millionths / 10**6).
    This holds for any integer quotient: an engine that divides by way of floating point may be off by a little in the
    first division; the second is of small numbers, and exact.
    """
    quotient = (amount // _MILLION).cast(nw.Int64())
    rest = amount - quotient * _MILLION
    return quotient * millionths + (rest * millionths // _MILLION).cast(nw.Int64())
