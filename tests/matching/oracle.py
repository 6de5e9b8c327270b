"""
The matching once more, row by row in plain Python: slow, readable, and without a line of the code it checks.

Rows are dictionaries as in PAYMENTS and ORDERS; items are what a reader can see of them, in any order.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from reconcile.matching.keys.rules import CleanRules
from reconcile.matching.policy import MatchPolicy

KEYS = {
    "payments": ("reference", "order_reference", "order_number", "order_id"),
    "orders": ("reference", "order_number", "order_id"),
}
Row = dict[str, Any]
Item = tuple[Any, ...]
"""payment_id, first line of the order rows, status, matched_on, difference_cents, amounts_agree"""


def expected_items(payments: list[Row], orders: list[Row], policy: MatchPolicy, today: date) -> list[Item]:
    """Return the items of two lists of rows; order rows are named by their source_line."""
    payments = [cleaned(payment, policy, "payments") for payment in payments]
    orders = [cleaned(order, policy, "orders") for order in orders]
    wrong = [p for p in payments if policy.mode and p["mode"] not in (None, policy.mode)]
    right = [p for p in payments if p not in wrong]
    pairs, met = run_passes(right, orders, policy)
    items = [pair_item(payment, rows, on, policy) for payment, rows, on in pairs]
    paired = [id(row) for payment, rows, _ in pairs for row in (payment, *rows)]
    for payment in payments:
        if id(payment) not in paired:
            status = payment_status(payment, payment in wrong, right, id(payment) in met, policy, today)
            items.append((payment["payment_id"], (), status, None, None, None))
    unpaired = [order for order in orders if id(order) not in paired]
    for rows in groups_of_unpaired(unpaired, policy):
        status = order_status(rows, any(id(row) in met for row in rows), policy, today)
        items.append((None, lines(rows), status, None, None, None))
    return items


def cleaned(row: Row, policy: MatchPolicy, side: str) -> Row:
    row = dict(row)
    for key in KEYS[side]:
        text = unicodedata.normalize("NFC", row[key] or "").strip()
        if ("reference" if key == "order_reference" else key) in policy.clean.keys and side in policy.clean.sides:
            text = by_rules(text, policy.clean)
        row[key] = text or None
    return known(row)


def known(row: Row) -> Row:
    """Return a row without what is no currency or no amount."""
    row = row | {"currency_code": row["currency_code"] if (row["currency_code"] or "").strip() else None}
    amounts = {name for name in ("amount_cents", "total_amount_with_taxes_cents") if name in row}
    return row | {name: None for name in amounts if abs(row[name] or 0) >= 2**56}


def by_rules(text: str, rules: CleanRules) -> str:
    """Return a clean text as `rules` leave it; patterns are those that RE2 and Python read alike."""
    fold = folded if rules.case == "fold" else str
    text = fold(text)
    for one in rules.replace:
        text = re.sub(one.pattern, fold(one.with_), text, flags=re.IGNORECASE if rules.case else 0).strip()
    starts = [text[len(one) :] for one in map(fold, rules.strip_prefix) if text.startswith(one)]
    text = min(starts, key=len, default=text).strip()
    ends = [text[: -len(one)] for one in map(fold, rules.strip_suffix) if text.endswith(one)]
    text = min(ends, key=len, default=text).strip()
    if text.isascii() and text.isdigit():
        text = (text.lstrip("0") or "0") if rules.strip_zeros else text.rjust(rules.pad_zeros or 0, "0")
    return text


def folded(text: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def run_passes(payments: list[Row], orders: list[Row], policy: MatchPolicy) -> tuple[list[Any], set[int]]:
    pairs: list[Any] = []
    met: set[int] = set()
    free_payments, free_orders = list(payments), list(orders)
    for on in policy.on:
        of_order = "reference" if on == "order_reference" else on
        for key in {p[on] for p in free_payments} & {o[of_order] for o in free_orders} - {None}:
            candidates = [p for p in free_payments if p[on] == key]
            rows = [o for o in free_orders if o[of_order] == key]
            met |= {id(row) for row in candidates + rows}
            if len(candidates) > 1:
                candidates = [p for p in candidates if not superseded(p, payments)]
                if any(placed(p) for p in candidates):
                    candidates = [p for p in candidates if placed(p)]
            parts = as_orders(rows, policy)
            if len(candidates) == 1 and len(parts) == 1:
                pairs.append((candidates[0], parts[0], on))
        taken = {id(row) for payment, rows, _ in pairs for row in (payment, *rows)}
        free_payments = [p for p in free_payments if id(p) not in taken]
        free_orders = [o for o in free_orders if id(o) not in taken]
    return pairs, met


def superseded(payment: Row, payments: list[Row]) -> bool:
    if payment["order_id"] is None:
        return False
    same_order = [p for p in payments if p["order_id"] == payment["order_id"]]
    current = max(same_order, key=lambda p: (p["created_at"], p["payment_id"].encode()))
    return payment["payment_id"] != current["payment_id"]


def placed(payment: Row) -> bool:
    never = (None, "draft", "pending", "editing", "placing")
    return payment["order_id"] is not None and payment["order_status"] not in never


def as_orders(rows: list[Row], policy: MatchPolicy) -> list[list[Row]]:
    """Return the rows that count as one order together."""
    if policy.group_orders is None:
        return [[row] for row in rows]
    parts: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        known = row["amount_cents"] is not None and row["currency_code"] is not None
        parts[row["currency_code"] if known else id(row)].append(row)
    return list(parts.values())


def groups_of_unpaired(rows: list[Row], policy: MatchPolicy) -> list[list[Row]]:
    by_key: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        columns = ["reference" if on == "order_reference" else on for on in policy.on]
        leading = next(((name, row[name]) for name in columns if row[name] is not None), id(row))
        by_key[leading].append(row)
    return [part for group in by_key.values() for part in as_orders(group, policy)]


def pair_item(payment: Row, rows: list[Row], on: str, policy: MatchPolicy) -> Item:
    amount, currency = payment[policy.amount_basis], payment["currency_code"]
    amounts = [row["amount_cents"] for row in rows]
    total = None if None in amounts else sum(amounts)
    known = None not in (amount, currency, total, rows[0]["currency_code"])
    status, difference, agree = "amount_unknown", None, None
    if amount is not None and total is not None and currency is not None and currency == rows[0]["currency_code"]:
        difference = amount - total
        agree = abs(difference) <= allowed(total, currency, policy)
    if known:
        status = pair_status(payment, first_of(rows), total, difference, agree, policy)
    return (payment["payment_id"], lines(rows), status, on, difference, agree)


def pair_status(
    payment: Row, row: Row, total: int | None, difference: int | None, agree: bool | None, policy: MatchPolicy
) -> str:
    undone = payment["order_status"] == "cancelled" or payment["payment_status"] in ("voided", "refunded")
    if payment["currency_code"] != row["currency_code"]:
        return "currency_mismatch"
    if total != 0 and (undone or not placed(payment)):
        return "status_mismatch"
    if not agree:
        return "amount_mismatch"
    if is_of_another_method(row, policy):
        return "method_mismatch"
    if payment["mismatched_amounts"]:
        return "flagged_by_api"
    return "within_tolerance" if difference else "matched"


def allowed(total: int, currency: str, policy: MatchPolicy) -> Fraction:
    own = policy.tolerances.get(currency)
    cents = own.cents if own and own.cents is not None else policy.tolerance_cents
    percent = own.percent if own and own.percent is not None else policy.tolerance_percent
    limits = [] if cents is None else [Fraction(cents)]
    limits += [] if percent is None else [abs(total) * Fraction(percent) / 100]
    return min(limits, default=Fraction(0))


def payment_status(payment: Row, wrong: bool, right: list[Row], met: bool, policy: MatchPolicy, today: date) -> str:
    happened: datetime = payment["placed_at"] or payment["created_at"]
    if wrong:
        return "wrong_mode"
    if superseded(payment, right):
        return "superseded"
    if not placed(payment):
        return "not_placed"
    if policy.population.listed_only and not met:
        return "not_listed"
    day = happened.astimezone(ZoneInfo(policy.population.time_zone)).date()
    if is_outside(day, policy, today):
        return "out_of_period"
    if met:
        return "duplicate_reference"
    if payment["reference"] is None and payment["order_reference"] is None:
        return "missing_reference"
    young = today - day < timedelta(days=policy.lag_days)
    return "awaiting_order" if young else "missing_order"


def order_status(rows: list[Row], met: bool, policy: MatchPolicy, today: date) -> str:
    dates = [row["ordered_on"] for row in rows if row["ordered_on"] is not None]
    if is_of_another_method(first_of(rows), policy):
        return "other_method"
    if dates and is_outside(min(dates), policy, today):
        return "out_of_period"
    if met:
        return "duplicate_reference"
    columns = {"reference" if on == "order_reference" else on for on in policy.on}
    if all(len({row[name] for row in rows}) > 1 or rows[0][name] is None for name in columns):
        return "missing_reference"
    young = bool(dates) and today - min(dates) < timedelta(days=policy.lag_days)
    return "awaiting_payment" if young else "missing_payment"


def is_of_another_method(row: Row, policy: MatchPolicy) -> bool:
    method = (row["method"] or "").lower()
    return bool(method) and not any(fnmatchcase(method, one) for one in policy.population.methods)


def is_outside(day: date, policy: MatchPolicy, today: date) -> bool:
    """Whether `day` is after today, or before or after what is covered; ends are ISO dates, or missing."""
    first, _, last = (policy.population.covers or "..").partition("..")
    return day > today or (bool(first) and day.isoformat() < first) or (bool(last) and day.isoformat() > last)


def first_of(rows: list[Row]) -> Row:
    return min(rows, key=lambda row: row["source_line"])


def lines(rows: list[Row]) -> tuple[int, ...]:
    return (min(row["source_line"] for row in rows),)
