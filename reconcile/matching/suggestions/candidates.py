"""
What a row without a partner may belong to: the nearest rows of the other side, whether they have a partner or not.

Reads the written files of one run, for one row at a time. A candidate is never a match: it says what is alike and what
is not. For all breaks of a run at once, and only among rows without a partner, see `suggestions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from reconcile.files.parquet import scan, selected
from reconcile.matching.suggestions.suggestions import MOST_DAYS_APART, PLAIN_REFERENCE
from reconcile.money import ORDER_TOTALS
from reconcile.schema import ITEMS, Row

MOST = 5
"""Candidates that are shown; the nearest come first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A row of the other side: its payment id, or "file:line"; what it is; the status of the item it is in.

    `amount_cents` are minor units of `currency_code`; `day` is when the payment's order was placed (else the payment
    created), or the date of the order row. `why` says what is alike, the nearest first.
    """

    name: str
    reference: str | None
    amount_cents: int | None
    currency_code: str | None
    day: date | None
    status: str
    why: tuple[str, ...]


def candidates(connection: duckdb.DuckDBPyConnection, folder: Path, item: Row) -> tuple[Candidate, ...]:
    """
    Return the order rows near a payment without one, or the payments near an order row without one; none for a pair.

    `item` is a row of ITEMS of the run in `folder`. Raises duckdb.Error when a file cannot be read.
    """
    if item["payment_id"] is not None and item["order_source_line"] is not None:
        return ()
    of_payment = item["payment_id"] is not None
    prefix = "payment" if of_payment else "order"
    given = {
        "reference": item["reference"],
        "cents": item[f"{prefix}_amount_cents"],
        "code": item[f"{prefix}_currency_code"],
        "day": _day_of(item, of_payment=of_payment),
    }
    other = _ORDERS if of_payment else _PAYMENTS
    totals = _own_totals(connection, folder, item) if of_payment else []
    connection.execute("SET TimeZone = 'UTC'")
    files = {"payments": scan(folder / "payments.parquet"), "items": f"({selected(folder / 'items.parquet', ITEMS)})"}
    query = _NEAR.format(other=other.format(**files), days=MOST_DAYS_APART, most=MOST)
    rows = connection.execute(query, {**given, "totals": totals}).fetchall()
    return tuple(_candidate(row, of_payment=of_payment) for row in rows)


_ORDERS = """
    SELECT order_source_file || ':' || order_source_line AS name, row_reference AS reference,
           order_amount_cents AS cents, order_currency_code AS code, ordered_on AS day, status,
           payment_id IS NULL AS is_alone, []::BIGINT[] AS totals
    FROM {items} WHERE order_source_line IS NOT NULL
"""
_PAYMENTS = (
    """
    SELECT p.payment_id AS name, p.reference, payment_amount_cents AS cents, p.currency_code AS code,
           coalesce(p.placed_at, p.created_at)::TIMESTAMP::DATE AS day, status,
           order_source_line IS NULL AS is_alone, ["""
    + ", ".join(ORDER_TOTALS)
    + """] AS totals
    FROM {payments} p JOIN {items} i ON i.payment_id = p.payment_id
"""
)
# Of a short reference one character may be another, of a longer one two: else everything is alike. DuckDB counts bytes,
# and takes memory with the square of the length: only plain and not too long references are compared. References that
# are counted up are all near each other: of those with another amount, only the ones without a partner are reported.
_NEAR = f"""
    WITH given AS (
        SELECT $reference::VARCHAR AS g_reference, $cents::BIGINT AS g_cents, $code::VARCHAR AS g_code,
               $day::DATE AS g_day, $totals::BIGINT[] AS g_totals
    ), compared AS (
        SELECT name, reference, cents, code, day, status, is_alone,
            coalesce(reference = g_reference, false) AS same_reference,
            coalesce({PLAIN_REFERENCE.format("reference")} = {PLAIN_REFERENCE.format("g_reference")}, false)
                AS same_plain,
            CASE WHEN length(reference) BETWEEN 4 AND 64 AND length(g_reference) BETWEEN 4 AND 64
                 AND strlen(reference) = length(reference) AND strlen(g_reference) = length(g_reference)
                 AND abs(length(reference) - length(g_reference)) <= 2
                 THEN damerau_levenshtein(reference, g_reference) END AS distance,
            coalesce(code = g_code AND cents = g_cents AND cents <> 0, false) AS same_amount,
            coalesce(code = g_code AND cents <> g_cents
                     AND (list_contains(g_totals, cents) OR list_contains(totals, g_cents)), false) AS other_total,
            coalesce(code = g_code AND cents <> 0
                     AND (cents::HUGEINT = g_cents::HUGEINT * 100 OR cents::HUGEINT * 100 = g_cents), false) AS hundred,
            abs(day - g_day) AS days
        FROM ({{other}}), given
    ), ranked AS (
        SELECT *, coalesce(distance <= CASE WHEN length(reference) < 8 THEN 1 ELSE 2 END, false) AS near,
            coalesce(days <= {{days}}, false) AS same_days
        FROM compared
    )
    SELECT name, reference, cents, code, day, status, same_reference, same_plain, CASE WHEN near THEN distance END,
           same_amount, other_total, hundred, days
    FROM ranked
    WHERE same_plain OR same_reference OR near AND (is_alone OR same_amount OR other_total OR hundred)
    OR same_days AND (same_amount OR other_total OR hundred)
    ORDER BY CASE WHEN (same_plain OR same_reference) AND same_amount THEN 0
                  WHEN near AND same_amount THEN 1
                  WHEN same_plain OR same_reference THEN 2
                  WHEN near AND (other_total OR hundred) THEN 3
                  WHEN same_amount THEN 4
                  WHEN near THEN 5
                  WHEN other_total THEN 6 ELSE 7 END,
             NOT is_alone, distance NULLS LAST, days NULLS LAST, length(name), name
    LIMIT {{most}}
"""


def _candidate(row: tuple[Any, ...], *, of_payment: bool) -> Candidate:
    *named, same_reference, same_plain, distance, same_amount, other_total, hundred, days = row
    why = []
    if same_reference:
        why.append("the same reference")
    elif same_plain:
        why.append("the same reference but for case, punctuation or zeros")
    elif distance is not None:
        why.append(f"the reference differs by {distance} character{'s' if distance > 1 else ''}")
    if same_amount:
        why.append("the same amount")
    elif other_total:
        why.append(
            "its amount is another total of the payment's order" if of_payment else "another total is the amount"
        )
    elif hundred:
        why.append("100 times the amount, or a hundredth: cents taken for units?")
    else:
        why.append("another amount")
    if days is not None:
        why.append("the same day" if days == 0 else f"{days} day{'s' if days > 1 else ''} apart")
    name, reference, cents, code, day, status = named
    return Candidate(name, reference, cents, code, day, status, tuple(why))


def _day_of(item: Row, *, of_payment: bool) -> date | None:
    if not of_payment:
        return item.get("ordered_on")
    moment = item["placed_at"] or item["payment_created_at"]
    return None if moment is None else moment.date()


def _own_totals(connection: duckdb.DuckDBPyConnection, folder: Path, item: Row) -> list[int]:
    query = f"SELECT {', '.join(ORDER_TOTALS)} FROM {scan(folder / 'payments.parquet')} WHERE payment_id = ? LIMIT 1"
    found = connection.execute(query, [item["payment_id"]]).fetchall()
    return [cents for cents in (found[0] if found else ()) if cents is not None]
