"""
Control: what went in is what came out, shown by another tool than the one that matched.

Plain SQL over both sides and over the items as they were written; sums have 128 bits. Raises ProofFailed where they do
not agree, and refuses sums and payment ids with which no proof is possible. Does not repair anything.
"""

from __future__ import annotations

import duckdb

from reconcile.errors import OrderFileError, PaymentFileError, ProofFailed
from reconcile.matching.policy import SIDE_KEYS
from reconcile.matching.report import ControlTotals, KeyUse, SideFacts, Total
from reconcile.schema import Row

SUM_LIMIT = 2**62
"""What the amounts of a side, without their signs, stay below together: sums then fit 64 bits on every engine."""


_IDENTITY = {
    "payments": "hash(p_id, p_amount, p_currency)",
    "orders": "hash(o_source_file, o_source_line, o_amount, o_currency)",
}


def side_facts(
    raw: duckdb.DuckDBPyRelation,
    clean: duckdb.DuckDBPyRelation,
    side: str,
    path: str,
) -> SideFacts:
    """
    Measure one side before matching: `raw` as it was opened, `clean` with its keys cleaned.

    Raises PaymentFileError or OrderFileError for what no proof is possible with: a payment without id or creation date,
    a payment id that comes twice, amounts of SUM_LIMIT or more together.
    """
    x, names = side[0], SIDE_KEYS[side]
    nulls = ", ".join(f"count(*) FILTER ({_raw_key(x, key)} IS NULL) AS null_{key}" for key in names)
    usable = ", ".join(f"count({x}_{key}) AS usable_{key}" for key in names)
    no_identity = "p_id IS NULL OR p_created_at IS NULL" if x == "p" else "false"
    query = f"""{x}_currency AS currency_code, count(*) AS n_rows, coalesce(sum({x}_amount), 0) AS amount_cents,
        sum(abs({x}_amount::HUGEINT)) AS magnitude,
        sum({_IDENTITY[side]}) AS identity,
        count(*) FILTER ({no_identity}) AS unknown, {usable}"""
    found = _dicts(clean.aggregate(query, "currency_code"))
    (key_nulls,) = _dicts(raw.aggregate(nulls))
    _refuse(found, clean, side, path)
    if sum(int(line["magnitude"] or 0) for line in found) >= SUM_LIMIT:
        error = PaymentFileError if side == "payments" else OrderFileError
        raise error("the amounts are too large to be summed: 2**62 minor units or more together", path=path)
    rows = sum(line["n_rows"] for line in found)
    keys = []
    for key in names:
        null = key_nulls[f"null_{key}"]
        keys.append(KeyUse(key, rows, null, rows - null - sum(line[f"usable_{key}"] for line in found)))
    totals = [Total(side, line["currency_code"], None, line["n_rows"], int(line["amount_cents"])) for line in found]
    return SideFacts(
        totals=tuple(sorted(totals, key=_place)),
        keys=tuple(keys),
        identity=sum(int(line["identity"]) for line in found),
    )


_CAME_OUT = """status, payment_currency_code, order_currency_code,
    count(payment_id) AS payments, coalesce(sum(payment_amount_cents), 0) AS payment_cents,
    count(*) FILTER (payment_id IS NULL OR matched_on IS NOT NULL) AS orders,
    coalesce(sum(order_amount_cents), 0) AS order_cents,
    sum(hash(payment_id, payment_amount_cents, payment_currency_code))
        FILTER (payment_id IS NOT NULL) AS p_identity,
    sum(hash(order_source_file, order_source_line, order_amount_cents, order_currency_code))
        FILTER (payment_id IS NULL OR matched_on IS NOT NULL) AS o_identity"""


def prove(
    items: duckdb.DuckDBPyRelation,
    several: duckdb.DuckDBPyRelation | None,
    payments: SideFacts,
    orders: SideFacts,
) -> ControlTotals:
    """
    Show that every row of both sides is in exactly one item, with its amount; raises ProofFailed when it is not.

    `items` are ITEMS as written, `several` the items that stand for more than one order row (item_id, order_rows); null
    where there are none.
    """
    found = _dicts(items.aggregate(_CAME_OUT, "status, payment_currency_code, order_currency_code"))
    more = _several(items.join(several, "item_id")) if several is not None else []
    rows: dict[tuple[str, str | None, str], list[int]] = {}
    for line in found:
        _add(rows, ("payments", line["payment_currency_code"], line["status"]), line["payments"], line["payment_cents"])
        _add(rows, ("orders", line["order_currency_code"], line["status"]), line["orders"], line["order_cents"])
    for line in more:
        _add(rows, ("orders", line["order_currency_code"], line["status"]), line["more"], 0)
    outgoing = [Total(*key, n_rows, cents) for key, (n_rows, cents) in rows.items() if n_rows]
    totals = ControlTotals((*payments.totals, *orders.totals), tuple(sorted(outgoing, key=_place)))
    problems = _differences(totals)
    if sum(int(line["p_identity"] or 0) for line in found) != payments.identity:
        problems.append("payments: not every payment is in the items once, with its amount")
    if not more and sum(int(line["o_identity"] or 0) for line in found) != orders.identity:
        problems.append("orders: not every row is in the items once, with its amount")
    (unpaired,) = _dicts(items.filter("payment_id IS NULL").aggregate("count(*) AS n, count(DISTINCT item_id) AS ids"))
    if unpaired["n"] != unpaired["ids"]:
        problems.append("orders: two items have the same item_id")
    if problems:
        raise ProofFailed(
            "the items do not account for both sides: " + "; ".join(problems),
            hint="this is a bug in reconcile: nothing was published, please report it with the versions you use",
        )
    return totals


def _several(items: duckdb.DuckDBPyRelation) -> list[Row]:
    by = "status, order_currency_code"
    return _dicts(items.aggregate(f"{by}, sum(order_rows - 1) AS more", by))


def pairs_on(items: duckdb.DuckDBPyRelation, key: str) -> int:
    """Return how many pairs of `items` were made on `key`."""
    (line,) = _dicts(items.aggregate(f"count(*) FILTER (matched_on = '{key}') AS pairs"))
    return int(line["pairs"])


def _differences(totals: ControlTotals) -> list[str]:
    balance: dict[tuple[str, str | None, str], list[int]] = {}
    for sign, lines in ((1, totals.incoming), (-1, totals.outgoing)):
        for total in lines:
            _add(balance, (total.side, total.currency_code, ""), sign * total.rows, sign * total.amount_cents)
    return [
        f"{side} in {currency or 'no currency'}: {n_rows} rows and {cents} minor units more went in than came out"
        for (side, currency, _), (n_rows, cents) in balance.items()
        if n_rows or cents
    ]


def _add(
    sums: dict[tuple[str, str | None, str], list[int]], key: tuple[str, str | None, str], rows: int, cents: int
) -> None:
    found = sums.setdefault(key, [0, 0])
    found[0] += int(rows)
    found[1] += int(cents)


def _place(total: Total) -> tuple[str, str, str]:
    return (total.side, total.currency_code or "", total.status or "")


def _raw_key(x: str, key: str) -> str:
    return f"coalesce({x}_reference_raw, {x}_reference)" if key == "reference" else f"{x}_{key}"


def _refuse(found: list[Row], clean: duckdb.DuckDBPyRelation, side: str, path: str) -> None:
    error = PaymentFileError if side == "payments" else OrderFileError
    for line in found:
        if line["unknown"]:
            raise error(f"{line['unknown']} rows have no payment_id or no created_at", path=path)
    if side == "payments":
        twice = clean.aggregate("p_id, count(*) AS n", "p_id").filter("n > 1").order("p_id").limit(1).fetchall()
        if twice:
            raise error(
                f'payment_id "{twice[0][0]}" is on {twice[0][1]} rows',
                path=path,
                column="payment_id",
                hint="each payment must occur once: remove the copies",
            )


def _dicts(relation: duckdb.DuckDBPyRelation) -> list[Row]:
    names = relation.columns
    return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]
