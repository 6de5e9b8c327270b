"""
The control totals of a page: what went in, what became of it, what came out, and whether that adds up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from reconcile.figures.proof import HashTotals
from reconcile.figures.summary import NO_CURRENCY, Bridge, Control, ControlLine, OrderBookFigures, Summary
from reconcile.matching.policy import KIND_OF, Kind, Status
from reconcile.orders.report import LeftOut
from reconcile.reports.display import Display, shown_value
from reconcile.reports.page.table import Table


def control_tables(summary: Summary, display: Display) -> list[Table]:
    """Return what went in and what came out of both sides, of the order book, and what was left out before."""
    return [
        *_control(summary.control, summary.bridge, display),
        *_order_book(summary.order_book, display),
        *([_left_out(summary.left_out, display)] if summary.left_out else []),
    ]


def hash_totals_table(totals: HashTotals) -> Table:
    """Return the digests of the rows of both sides; digits as they are, in any locale: they are compared, not read."""
    rows: list[tuple[str | Markup, ...]] = []
    for name, lines in (("payments", totals.payments), ("order rows", totals.orders)):
        for line in lines:
            went_in, came_out = line.keys_in, line.keys_out
            proof = "grouped" if came_out is None else "the same" if went_in == came_out else "NOT THE SAME"
            rows.append((name, line.currency_code or NO_CURRENCY, went_in, came_out or "", proof))
    return Table("Hash totals of row identifiers", ("Side", "Currency", "In", "Out", "Proof"), 2, rows, currency_at=1)


def _control(control: Control, bridges: Sequence[Bridge], display: Display) -> list[Table]:
    """What went in, by what became of it, and what came out: each row adds up from left to right."""
    sums = ("Amount in", "= ok", "+ breaks", "+ timing", "+ info", "= amount out")
    header = ("Currency", "Rows in", *sums, "Rows out", "Proof")
    payments = {(one.currency_code, step.status): step.payment_amount_cents for one in bridges for step in one.statuses}
    orders = {(one.currency_code, step.status): step.order_amount_cents for one in bridges for step in one.statuses}
    return [
        Table(side, header, 1, [_control_row(line, amounts, display) for line in lines], currency_at=0)
        for side, lines, amounts in (
            ("Payments", control.payments, payments),
            ("Order rows", control.orders, orders),
        )
    ]


def _control_row(
    line: ControlLine, amounts: Mapping[tuple[str | None, Status], int], display: Display
) -> tuple[str | Markup, ...]:
    """One currency of a side, whose `amounts` are minor units by currency code and status."""
    code = line.currency_code
    sums = dict.fromkeys(Kind, 0)
    for (currency, status), cents in amounts.items():
        if currency == code:
            sums[KIND_OF[status]] += cents
    adds_up = sum(sums.values()) == line.amount_in_cents == line.amount_out_cents
    parts = (line.amount_in_cents, *sums.values(), line.amount_out_cents)
    return (
        code or NO_CURRENCY,
        display.count(line.rows_in),
        *(display.amount(one, code) for one in parts),
        display.count(line.rows_out),
        "adds up" if adds_up and line.rows_in == line.rows_out else "DOES NOT ADD UP",
    )


def _order_book(book: OrderBookFigures | None, display: Display) -> list[Table]:
    if book is None:
        return []
    rows: list[tuple[str | Markup, ...]] = [
        (
            line.kind, line.currency_code or "",
            display.count(line.rows_out), display.amount(line.amount_out_cents, line.currency_code),
            display.count(line.rows_in), display.amount(line.amount_in_cents, line.currency_code),
        )
        for line in book.lines
    ]  # fmt: skip
    header = ("Order book", "Currency", "Rows out", "Amount out", "Rows in", "Amount in")
    return [Table(f"Order book, deliveries: {display.count(book.deliveries)}", header, 2, rows, currency_at=1)]


def _left_out(lines: Sequence[LeftOut], display: Display) -> Table:
    """Order rows that are in no item, because they were declared to be none; unreadable amounts are counted only."""
    rows: list[tuple[str | Markup, ...]] = [
        (
            line.reason,
            line.column,
            shown_value(line.value),
            line.currency_code or NO_CURRENCY,
            display.count(line.rows),
            display.count(line.unread),
            display.amount(line.amount_cents, line.currency_code) if line.rows > line.unread else "",
        )
        for line in lines
    ]
    header = ("By", "Column", "Value", "Currency", "Rows", "Unreadable amounts", "Amount")
    return Table("Order rows left out as declared", header, 4, rows, currency_at=3)
