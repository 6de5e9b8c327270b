"""
Breaks as tables of text: a row for each, what they come to by currency, and the largest at the end of a run.

Takes breaks as they were chosen; which they are is known to `reconcile.figures.questions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa

from reconcile.figures.questions import CurrencySum
from reconcile.figures.summary import NO_CURRENCY
from reconcile.history.breaks import SHORT_ID
from reconcile.matching.policy import LABEL_OF
from reconcile.reports.display import PLAIN
from reconcile.reports.text_table import TextTable, plain

NAMED_BY = ("Break", "Reference")
"""Columns by which other commands name a break, the first of them always."""

SPARE = ("Gateway", "Method", "Market", "Code", "State", "Difference", "Data age", "Likely cause")
"""Columns that a narrow terminal does without, one after the other."""

_FIGURES = frozenset({"Age", "Data age", "At stake", "Difference"})
_NEEDED = (
    "break_id", "age_days", "data_age_days", "state", "status", "reference", "payment_id", "currency_code",
    "at_stake_cents", "difference_cents", "order_method", "market_name", "payment_gateway_name", "decision",
    "accepted_reason", "accepted_for", "suggestion",
)  # fmt: skip


def break_table(breaks: pa.Table) -> TextTable:
    """Return a table of `breaks`, which have columns of ITEMS, and `currency_code` and `decision`."""
    given = breaks.select(_NEEDED).to_pydict()
    codes = given["currency_code"]
    columns: dict[str, Iterable[object]] = {
        "Break": (break_id[:SHORT_ID] for break_id in given["break_id"]),
        "Age": given["age_days"],
        "Data age": given["data_age_days"],
        "State": given["state"],
        "Status": map(LABEL_OF.__getitem__, given["status"]),
        "Code": given["status"],
        "Reference": (first or second for first, second in zip(given["reference"], given["payment_id"], strict=True)),
        "Currency": codes,
        "At stake": map(PLAIN.amount, given["at_stake_cents"], codes),
        "Difference": map(PLAIN.amount, given["difference_cents"], codes),
        "Method": given["order_method"],
        "Market": given["market_name"],
        "Gateway": given["payment_gateway_name"],
        "Decision": map(_decision, given["decision"], given["accepted_reason"], given["accepted_for"]),
        "Likely cause": given["suggestion"],
    }
    cells = [["" if value is None else plain(value) for value in column] for column in columns.values()]
    return TextTable(tuple(columns), frozenset(columns) - _FIGURES, list(zip(*cells, strict=True)), [""] * len(codes))


def sums_table(sums: Sequence[CurrencySum]) -> TextTable:
    """Return a table of what breaks come to."""
    rows: list[tuple[str, ...]] = [
        (
            plain(one.currency_code or NO_CURRENCY),
            PLAIN.count(one.count),
            PLAIN.amount(one.at_stake_cents, one.currency_code),
        )
        for one in sums
    ]
    return TextTable(("Currency", "Breaks", "At stake"), frozenset({"Currency"}), rows, [""] * len(rows))


def _decision(decision: str | None, reason: str | None, was_for: str | None) -> str | None:
    if decision is None:
        return f"no longer: {was_for}" if was_for else None
    return f"{decision}: {reason}" if reason else decision
