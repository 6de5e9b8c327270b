"""
When the two sides do not mean the same: payment methods that nobody pays Klarna with, references that contradict.

Reads both sides as they are in a run folder, or as tables: keys as they were read, without the rules of
`[match.clean]`.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from reconcile.figures.tables import side_in
from reconcile.files.duckdb import connected
from reconcile.matching.policy import MatchPolicy
from reconcile.notices import Notice, notice

_MOST_NAMED = 3


def unknown_methods(orders: Path | pa.Table, policy: MatchPolicy) -> list[Notice]:
    """Return a warning where order rows name payment methods, and none of them fits `methods`."""
    with connected() as connection:
        rows = connection.execute(
            f"""SELECT method, count(*) AS n, bool_or(regexp_matches(lower(method), $fits)) AS fits
               FROM {side_in(connection, orders, "orders")}
               WHERE method IS NOT NULL AND trim(method) <> '' GROUP BY method ORDER BY n DESC, method""",
            {"fits": policy.population.method_pattern},
        ).fetchall()
    if not rows or any(fits for _, _, fits in rows):
        return []
    most = tuple(method for method, _, _ in rows[:_MOST_NAMED])
    named = ", ".join(f'"{method}" ({n:,})' for method, n, _ in rows[:_MOST_NAMED])
    written = ", ".join(f'"{pattern}"' for pattern in policy.population.methods)
    text = (
        f"no order row has a payment method that fits {written}; the most frequent are {named}: name Klarna's with "
        "--methods"
    )
    return [notice("unknown_methods", text, methods=most, rows=sum(n for _, n, _ in rows))]


def two_references(payments: Path | pa.Table, orders: Path | pa.Table, policy: MatchPolicy) -> list[Notice]:
    """Return a warning of payments whose own reference and whose order's are both in the books, and are different."""
    if not {"reference", "order_reference"} <= set(policy.on):
        return []
    with connected() as connection:
        books = f"(SELECT reference FROM {side_in(connection, orders, 'orders')})"
        rows = connection.execute(
            f"""SELECT payment_id, reference, order_reference, count(*) OVER ()
                FROM {side_in(connection, payments, "payments")}
                WHERE trim(reference) <> trim(order_reference)
                AND trim(reference) IN {books}
                AND trim(order_reference) IN {books}
                ORDER BY payment_id LIMIT {_MOST_NAMED}"""
        ).fetchall()
    if not rows:
        return []
    count = rows[0][3]
    what = "1 payment has a reference" if count == 1 else f"{count:,} payments have a reference"
    examples = ", ".join(f"{id_} ({own} and {of_order})" for id_, own, of_order, _ in rows)
    text = f"{what} of one order row, and its order that of another: {examples}; the first of [match] on is taken"
    return [notice("two_references", text, payments=count, examples=tuple(row[0] for row in rows))]
