"""
What was set aside as asked, as notes: how many rows, what they come to, and the option that decides it.

Takes control totals as the matching reports them, by status, and what reading has left out. Decides none of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reconcile.figures.summary import NO_CURRENCY
from reconcile.matching.policy import Status
from reconcile.matching.report import Total
from reconcile.money import currency_order, format_amount
from reconcile.notices import Notice, notice
from reconcile.orders.report import LeftOut


@dataclass(frozen=True, slots=True)
class RowsSetAside:
    """Rows of one side that were set aside, and their minor units by currency code."""

    side: str
    count: int
    amount_cents: dict[str, int]

    @property
    def words(self) -> str:
        """The rows with their amounts, in words."""
        noun = "payment" if self.side == "payments" else "order row"
        amounts = [
            f"{format_amount(cents, code)}{'' if code == NO_CURRENCY else f' {code}'}"
            for code, cents in self.amount_cents.items()
        ]
        return f"{self.count:,} {noun}{'' if self.count == 1 else 's'} ({', '.join(amounts)})"


def set_aside(outgoing: Sequence[Total]) -> list[Notice]:
    """Return a note for each sort of rows that was set aside; `outgoing` are the control totals of the items."""
    notes = []
    if other := rows_set_aside(outgoing, "orders", Status.OTHER_METHOD):
        text = f"set aside, as other payment methods have paid them: {other.words}; --methods says which are Klarna's"
        notes.append(notice("other_methods", text, rows=other.count, amount_cents=other.amount_cents))
    sides = [
        found for side in ("payments", "orders") if (found := rows_set_aside(outgoing, side, Status.OUT_OF_PERIOD))
    ]
    if sides:
        words = " and ".join(side.words for side in sides)
        text = (
            f"set aside, as unpaired and of days that the order side does not cover: {words}; --covers says which days"
        )
        figures: dict[str, int | dict[str, int]] = {}
        for side in sides:
            figures |= {side.side: side.count, f"{side.side}_amount_cents": side.amount_cents}
        notes.append(notice("out_of_period", text, **figures))
    if unlisted := rows_set_aside(outgoing, "payments", Status.NOT_LISTED):
        text = f"set aside, as the order totals do not ask about them: {unlisted.words}; --listed-only says so"
        notes.append(notice("not_listed", text, rows=unlisted.count, amount_cents=unlisted.amount_cents))
    return notes


def left_out(lines: Sequence[LeftOut]) -> list[Notice]:
    """Return a note of order rows that were left out as declared, if there are any."""
    if not lines:
        return []
    amounts = dict.fromkeys(sorted({line.currency_code or NO_CURRENCY for line in lines}), 0)
    for line in lines:
        amounts[line.currency_code or NO_CURRENCY] += line.amount_cents
    rows = RowsSetAside("orders", sum(line.rows for line in lines), amounts)
    settings = tuple(dict.fromkeys(f"[orders] {line.reason}" for line in lines))
    text = f"left out as declared: {rows.words}; see {' and '.join(settings)}"
    return [notice("left_out", text, rows=rows.count, amount_cents=amounts, settings=settings)]


def rows_set_aside(outgoing: Sequence[Total], side: str, status: Status) -> RowsSetAside | None:
    """Return the rows of one side and status, null where there are none."""
    mine = [total for total in outgoing if total.side == side and total.status == status]
    count = sum(total.rows for total in mine)
    if not count:
        return None
    by_code = sorted(mine, key=lambda total: currency_order(total.currency_code))
    return RowsSetAside(side, count, {one.currency_code or NO_CURRENCY: one.amount_cents for one in by_code})
