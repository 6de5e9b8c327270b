"""
Breaks as tables of text: a row for each, what they come to by currency, and the largest at the end of a run.

Takes breaks as they were chosen; which they are is known to `reconcile.figures.questions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from reconcile.figures.questions import CurrencySum
from reconcile.figures.summary import NO_CURRENCY
from reconcile.history.breaks import SHORT_ID
from reconcile.matching.policy import LABEL_OF
from reconcile.reports.display import PLAIN, Display
from reconcile.reports.text_table import TextTable, fitted, fold, plain, render

NAMED_BY = ("Break", "Reference")
"""Columns by which other commands name a break, the first of them always."""

SPARE = ("Gateway", "Method", "Market", "Code", "State", "Difference", "Data age", "Likely cause")
"""Columns that a narrow terminal does without, one after the other."""

LARGEST_COLUMNS = (
    "break_id", "status", "reference", "payment_id", "at_stake_cents", "at_stake_currency_code", "suggestion",
)  # fmt: skip
"""Columns of ITEMS that `largest_text` shows."""

_FIGURES = frozenset({"Age", "Data age", "At stake", "Difference", "Breaks"})
_NEEDED = (
    "break_id", "age_days", "data_age_days", "state", "status", "reference", "payment_id", "currency_code",
    "at_stake_cents", "difference_cents", "order_method", "market_name", "payment_gateway_name", "decision",
    "accepted_reason", "accepted_for", "suggestion",
)  # fmt: skip


def break_table(breaks: pa.Table) -> TextTable:
    """Return a table of `breaks`, which have columns of ITEMS, and `currency_code` and `decision`."""
    given = breaks.select(_NEEDED).to_pydict()
    codes = given["currency_code"]
    decided = zip(given["decision"], given["accepted_reason"], given["accepted_for"], strict=True)
    return _table(
        {
            "Break": [break_id[:SHORT_ID] for break_id in given["break_id"]],
            "Age": given["age_days"],
            "Data age": given["data_age_days"],
            "State": given["state"],
            "Status": [LABEL_OF.get(status, status) for status in given["status"]],
            "Code": given["status"],
            "Reference": _either(given["reference"], given["payment_id"]),
            "Currency": codes,
            "At stake": list(map(PLAIN.amount, given["at_stake_cents"], codes)),
            "Difference": list(map(PLAIN.amount, given["difference_cents"], codes)),
            "Method": given["order_method"],
            "Market": given["market_name"],
            "Gateway": given["payment_gateway_name"],
            "Decision": [_decision(*one) for one in decided],
            "Likely cause": given["suggestion"],
        }
    )


def sums_table(sums: Sequence[CurrencySum]) -> TextTable:
    """Return a table of what breaks come to."""
    columns = {
        "Currency": [one.currency_code or NO_CURRENCY for one in sums],
        "Breaks": [PLAIN.count(one.count) for one in sums],
        "At stake": [PLAIN.amount(one.at_stake_cents, one.currency_code) for one in sums],
    }
    return _table(columns)


def largest_text(breaks: pa.Table, *, width: int | None, colour: bool, display: Display = PLAIN) -> str:
    """
    Return a table of few `breaks` (columns LARGEST_COLUMNS), the likely cause of each below it, uncut.

    `width` and `colour` as for `render`.
    """
    given = breaks.select(LARGEST_COLUMNS).to_pydict()
    codes = given["at_stake_currency_code"]
    columns = {
        "Break": [break_id[:SHORT_ID] for break_id in given["break_id"]],
        "Status": [LABEL_OF.get(status, status) for status in given["status"]],
        "Reference": _either(given["reference"], given["payment_id"]),
        "Currency": [code or NO_CURRENCY for code in codes],
        "At stake": [display.amount(*stake) for stake in zip(given["at_stake_cents"], codes, strict=True)],
    }
    causes = [plain(cause or "") for cause in given["suggestion"]]
    table = _table(columns, point=display.decimal)
    lines = render(fitted(table, width, whole=NAMED_BY), width, colour).splitlines()
    if len(lines) > len(causes) + 1:  # one below the other
        return render(_table({**columns, "Likely cause": causes}, point=display.decimal), width, colour)
    below = ["", *(fold(" " * (SHORT_ID + 2) + cause, width) if cause else "" for cause in causes)]
    return "\n".join(line for pair in zip(lines, below, strict=True) for line in pair if line)


def _table(columns: Mapping[str, Sequence[object]], *, point: str = PLAIN.decimal) -> TextTable:
    cells = [["" if value is None else plain(value) for value in column] for column in columns.values()]
    rows = list(zip(*cells, strict=True))
    return TextTable(tuple(columns), frozenset(columns) - _FIGURES, rows, [""] * len(rows), point)


def _either(names: Sequence[str | None], others: Sequence[str | None]) -> list[str | None]:
    return [name or other for name, other in zip(names, others, strict=True)]


def _decision(decision: str | None, reason: str | None, was_for: str | None) -> str | None:
    if decision is None:
        return f"no longer: {was_for}" if was_for else None
    return f"{decision}: {reason}" if reason else decision
