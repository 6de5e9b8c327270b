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


def expected_items(
    payments: list[Row], orders: list[Row], policy: MatchPolicy, today: date, transactions: list[Row] | None = None
) -> list[Item]:
    """Return the items of two lists of rows; order rows are named by their source_line."""
    payments = with_money(payments, transactions or [], policy)
    payments = [cleaned(payment, policy, "payments") for payment in payments]
    orders = [cleaned(order, policy, "orders") for order in orders]
    wrong = [p for p in payments if policy.mode and p["mode"] not in (None, policy.mode)]
    right = [p for p in payments if p not in wrong and not p["replaced"]]
    pairs, met = run_passes(right, orders, policy)
    items = [pair_item(payment, rows, on, policy) for payment, rows, on in pairs]
    paired = [id(row) for payment, rows, _ in pairs for row in (payment, *rows)]
    for payment in payments:
        if id(payment) not in paired:
            status = payment_status(payment, any(payment is p for p in wrong), right, id(payment) in met, policy, today)
            items.append((payment["payment_id"], (), status, None, None, None))
    unpaired = [order for order in orders if id(order) not in paired]
    for rows in groups_of_unpaired(unpaired, policy):
        status = order_status(rows, any(id(row) in met for row in rows), policy, today)
        items.append((None, lines(rows), status, None, None, None))
    return items


def with_money(payments: list[Row], transactions: list[Row], policy: MatchPolicy) -> list[Row]:
    """Return payments with what `worth` says of each."""
    shares = shares_of(payments, transactions)
    return [payment | worth(payment, shares.get(payment["payment_id"]), policy) for payment in payments]


def worth(payment: Row, share: Row | None, policy: MatchPolicy) -> Row:
    total, status = small(payment["total_amount_with_taxes_cents"]), payment["payment_status"]
    sums = [payment[f"{name}_amount_cents"] for name in ("authorized", "captured", "refunded", "voided")]
    read = None not in sums
    a, c, r, v = (small(one) for one in sums)
    exact = None not in (a, c, r, v)
    undone = not has_order_placed(payment) or payment["order_status"] == "cancelled"
    replaced = payment["is_current_source"] is False and share is None
    due_of_order = due(total, (a, c, r, v), status, undone=undone, read=read)
    due_of_payment = share["share"] if share and not undone else due_of_order
    if replaced:
        due_of_payment = None if total is None else 0
    if undone and total is None:
        due_of_payment = None
    paid = c - r + max(0, a - c - v) if exact else None
    missing = None
    if share is not None:
        if share["all"] is not None and due_of_order is not None and not undone:
            missing = due_of_order - share["all"]
    elif paid is not None and due_of_payment is not None:
        missing = max(0, due_of_payment - paid)
    given_back = not read and status in ("voided", "refunded") and share is None
    if policy.amount_basis == "due":
        amount = due_of_payment
    elif policy.amount_basis == "captured":
        captured = share["captured"] if share else (None if c is None or r is None else c - r)
        amount = small(captured)
    else:
        amount = small(payment[policy.amount_basis])
    return {
        "amount": amount,
        "due": due_of_payment,
        "missing": missing,
        "is_nothing_due": undone or replaced or given_back or due_of_payment == 0,
        "is_unpaid": share is None and (sums[0] <= 0 and sums[1] <= 0 if read else status == "unpaid"),
        "is_untold": not read and is_untold(status),
        "replaced": replaced,
        "is_share": share is not None,
    }


def due(total: int | None, sums: Any, status: str | None, *, undone: bool, read: bool) -> int | None:
    """Return what the books should show for an order."""
    if total is None or undone:
        return total and 0
    if not read:
        if status in ("voided", "refunded"):
            return 0
        return None if (status or "").startswith("partially_") else total
    if None in sums:
        return None
    a, c, r, v = sums
    still_open = max(0, a - c - v)
    lacking = max(0, total - c - still_open)
    released = max(0, min(lacking, v, a - c))
    return max(0, total - r - released)


def is_untold(status: str | None) -> bool:
    known = ("unpaid", "authorized", "paid", "free", "voided", "refunded")
    return status is not None and status not in known


def shares_of(payments: list[Row], transactions: list[Row]) -> dict[str, Row]:
    """Return by payment what it has of an order that it shares: share, captured, and (at the largest) all together."""
    found: dict[str, Row] = {}
    named = [one for one in transactions if one["succeeded"] and one["payment_id"] is not None]
    for order_id in {one["order_id"] for one in named}:
        mine = [one for one in named if one["order_id"] == order_id]
        names = {one["payment_id"] for one in mine}
        here = [p for p in payments if p["payment_id"] in names and p["order_id"] == order_id]
        if len(names) < 2 or not here:
            continue
        of = {p["payment_id"]: share_of([one for one in mine if one["payment_id"] == p["payment_id"]], p) for p in here}
        shares = [one["share"] for one in of.values()]
        order = sorted(of, key=lambda name: (of[name]["share"] is not None, of[name]["share"] or 0, name.encode()))
        of[order[-1]]["all"] = None if None in shares else sum(shares)
        found |= of
    return found


def share_of(transactions: list[Row], payment: Row) -> Row:
    mine = [one for one in transactions if one["currency_code"] == payment["currency_code"]]
    if not mine or any(small(one["amount_cents"]) is None for one in mine):
        return {"share": None, "captured": None, "all": None}
    a, c, r, v = (
        sum(one["amount_cents"] for one in mine if one["type"] == type_)
        for type_ in ("authorizations", "captures", "refunds", "voids")
    )
    return {"share": small(max(0, a - c - v) + c - r), "captured": small(c - r), "all": None}


def small(cents: int | None) -> int | None:
    return None if cents is None or abs(cents) >= 2**56 else cents


def has_order_placed(payment: Row) -> bool:
    return bool((payment["order_id"] or "").strip()) and placed(payment)


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
    return row | {"amount_cents": small(row["amount_cents"])} if "amount_cents" in row else row


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
                candidates = [p for p in candidates if not (p["is_share"] and p["due"] == 0)]
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
    if payment["replaced"]:
        return True
    if payment["order_id"] is None or payment["is_share"] or payment["is_current_source"]:
        return False
    same_order = [p for p in payments if p["order_id"] == payment["order_id"]]
    current = max(same_order, key=lambda p: (bool(p["is_current_source"]), p["created_at"], p["payment_id"].encode()))
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
    amount, currency = payment["amount"], payment["currency_code"]
    amounts = [row["amount_cents"] for row in rows]
    total = None if None in amounts else sum(amounts)
    known = (amount is not None or payment["is_untold"]) and None not in (currency, total, rows[0]["currency_code"])
    status, difference, agree = "amount_unknown", None, None
    if amount is not None and total is not None and currency is not None and currency == rows[0]["currency_code"]:
        difference = amount - total
        agree = abs(difference) <= allowed(total, payment, currency, policy)
    if known:
        status = pair_status(payment, first_of(rows), total, difference, agree, policy)
    return (payment["payment_id"], lines(rows), status, on, difference, agree)


def pair_status(
    payment: Row, row: Row, total: int | None, difference: int | None, agree: bool | None, policy: MatchPolicy
) -> str:
    if payment["currency_code"] != row["currency_code"]:
        return "currency_mismatch"
    known = ("draft", "pending", "editing", "placing", "placed", "approved", "cancelled")
    if total != 0 and payment["is_nothing_due"]:
        return "status_mismatch"
    if agree is False:
        return "amount_mismatch"
    if is_of_another_method(row, policy):
        return "method_mismatch"
    if not payment["is_nothing_due"] and (payment["is_unpaid"] or payment["order_status"] not in known):
        return "not_paid"
    if abs(payment["missing"] or 0) > allowed(total or 0, payment, row["currency_code"], policy):
        return "partly_paid"
    if payment["is_untold"]:
        return "money_unknown"
    leaves_out = policy.amount_basis not in ("due", "captured") and policy.refunds is None
    if leaves_out and (payment["refunded_amount_cents"] or 0) > 0:
        return "refunded_since"
    if payment["mismatched_amounts"]:
        return "flagged_by_api"
    return "within_tolerance" if difference else "matched"


def allowed(total: int, payment: Row, currency: str, policy: MatchPolicy) -> Fraction:
    names = (f"market:{payment['market_name']}", f"gateway:{payment['payment_gateway_name']}", currency)
    own = [policy.tolerances[name] for name in names if name in policy.tolerances]
    cents = next((one.cents for one in own if one.cents is not None), policy.tolerance_cents)
    percent = next((one.percent for one in own if one.percent is not None), policy.tolerance_percent)
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
    if payment["is_nothing_due"]:
        return "nothing_due"
    if payment["is_unpaid"]:
        return "unpaid"
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
    if sum(row["amount_cents"] or 0 for row in rows) == 0 and rows[0]["amount_cents"] is not None:
        return "nothing_booked"
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
