"""
What went in, added up from files: the control totals of payments by the amounts that stand for them.

The matching's own definition of an amount, read from the files once more. Does not match.
"""

from __future__ import annotations

from pathlib import Path

import narwhals.stable.v2 as nw

from reconcile.matching.engines.local import arrow_engine, duckdb_engine, has_large_side, rows_of
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import Total
from reconcile.matching.shares import worth_of
from reconcile.matching.sides import payments_from_parquet, transactions_from_parquet, with_known_values
from reconcile.money import currency_order


def payments_in(payments: Path, transactions: Path | None, *, amount_basis: str) -> tuple[Total, ...]:
    """
    Return rows and minor units by currency, null last, of a Parquet file of PAYMENTS.

    Raises as `payments_from_parquet`, and duckdb.Error as it does.
    """
    is_large = has_large_side(*rows_of(payments))
    with duckdb_engine(memory_limit="1GB") if is_large else arrow_engine() as (engine, _, relation):
        frame = with_known_values(payments_from_parquet(engine, payments, MatchPolicy(amount_basis=amount_basis)), "p")
        money = transactions_from_parquet(engine, transactions)
        worth = worth_of(engine, frame, transactions=money, basis=amount_basis)
        amounts = relation(worth.select(nw.col("p_currency", "p_amount")))
        found = amounts.aggregate("p_currency, count(*), coalesce(sum(p_amount), 0)", "p_currency").fetchall()
    in_order = sorted(found, key=lambda line: currency_order(line[0]))
    return tuple(Total("payments", code, None, rows, int(cents)) for code, rows, cents in in_order)
