"""
Rates that payments have to their order totals in common: a tax that was left out, a discount, another unit.

Amounts are whole minor units and were rounded, so that a pair has no rate but an interval of rates: all that give both
amounts, each within half a minor unit. A rate that is shared lies in many of these intervals, whatever it is. Rates are
no money: they are compared as binary fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import duckdb

_SHOWN_DECIMALS, _MOST_DECIMALS = 3, 9


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate as text, the pairs that have it, and the pairs that could."""

    text: str
    count: int
    of: int


def shared_rates(
    connection: duckdb.DuckDBPyConnection, items: str, *, fewest: int, part: float, most: int
) -> list[Rate]:
    """
    Return the rates that at least `fewest` pairs of `items` (SQL for a table) have, and this `part` of them.

    They are `most` at most.

    A pair counts for one rate, the one that most have. A rate only says something where the differences differ, where
    the amounts are large enough to show it, and where it is not nearly 1.
    """
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE rates AS
            SELECT difference_cents, least(sign * small, sign * large) AS low,
                   greatest(sign * small, sign * large) AS high FROM (
                SELECT difference_cents, sign(payment_amount_cents) * sign(order_amount_cents) AS sign,
                       (abs(payment_amount_cents) - 0.5) / (abs(order_amount_cents) + 0.5) AS small,
                       (abs(payment_amount_cents) + 0.5) / (abs(order_amount_cents) - 0.5) AS large
                FROM (SELECT difference_cents, payment_amount_cents::DOUBLE AS payment_amount_cents,
                             order_amount_cents::DOUBLE AS order_amount_cents FROM {items}
                      WHERE status = 'amount_mismatch' AND abs(payment_amount_cents) >= 1000
                      AND abs(order_amount_cents) >= 10))"""
    )
    ((of,),) = connection.execute("SELECT count(*) FROM rates").fetchall()
    connection.execute("DELETE FROM rates WHERE high >= 0.99 AND low <= 1.01")
    found: list[Rate] = []
    while len(found) < most and (rate := _most_shared(connection, max(fewest, part * of), of)) is not None:
        found.append(rate)
    return found


def _most_shared(connection: duckdb.DuckDBPyConnection, fewest: float, of: int) -> Rate | None:
    """Return the rate that most intervals contain, and drop these; null where fewer than `fewest` have one."""
    while True:
        # Where most intervals have begun and not ended; one that ends where another begins shares that rate.
        at = connection.execute(
            """SELECT place, n FROM (
                   SELECT place, sum(step) OVER (ORDER BY place, step DESC ROWS UNBOUNDED PRECEDING)::BIGINT AS n FROM (
                       SELECT low AS place, 1 AS step FROM rates UNION ALL SELECT high, -1 FROM rates))
               ORDER BY n DESC, place LIMIT 1"""
        ).fetchone()
        if at is None or at[1] < fewest:
            return None
        ((low, high, count, differences),) = connection.execute(
            """SELECT max(low), min(high), count(*), count(DISTINCT difference_cents) FROM rates
               WHERE low <= $place AND high >= $place""",
            {"place": at[0]},
        ).fetchall()
        connection.execute("DELETE FROM rates WHERE low <= $place AND high >= $place", {"place": at[0]})
        if differences > 1:
            return Rate(_shortest(low, high), count, of)


def _shortest(low: float, high: float) -> str:
    """Return the number from `low` to `high` that has the fewest decimals, written with three at least."""
    least, most = Decimal(low), Decimal(high)
    for decimals in range(_MOST_DECIMALS + 1):
        number = least.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_CEILING)
        if number <= most:
            return f"{number:.{max(decimals, _SHOWN_DECIMALS)}f}"
    return f"{least:.{_MOST_DECIMALS}f}"
