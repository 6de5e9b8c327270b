"""
The bridge of a page: from the payments' total to that of the order rows, a bar and a running total for each status.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reconcile.figures.summary import NO_CURRENCY, Bridge
from reconcile.matching.policy import KIND_OF, LABEL_OF
from reconcile.reports.display import Display
from reconcile.reports.page import charts
from reconcile.reports.page.table import Table


def as_table(bridge: Bridge, display: Display) -> Table:
    """Return the bridge of one currency, the largest step first."""
    code = bridge.currency_code or ""
    steps = [(step.status, -step.difference_cents) for step in bridge.statuses if step.difference_cents]
    steps.sort(key=lambda step: (-abs(step[1]), step[0]))
    running = [bridge.payment_amount_cents]
    for _, cents in steps:
        running.append(running[-1] + cents)
    axis = _Axis.of(running)

    def amount(cents: int) -> str:
        return display.amount(cents, code)

    def total(name: str, cents: int) -> tuple[str | Markup, ...]:
        return (name, axis.total(cents, f"{name}: {amount(cents)}"), amount(cents), amount(cents))

    rows = [total("payments", running[0])]
    for (status, cents), before, after in zip(steps, running, running[1:], strict=False):
        label = LABEL_OF[status]
        words = f"{label}: from {amount(before)} to {amount(after)}"
        signed = f"+{amount(cents)}" if cents > 0 else amount(cents)
        rows.append((label, axis.step(before, after, KIND_OF[status], words), signed, amount(after)))
    rows.append(("unexplained", "", amount(bridge.unexplained_cents), amount(running[-1])))
    rows.append(total("order rows", bridge.order_amount_cents))
    header = ("Step", "Chart", "Amount", "Total so far")
    return Table(code or "no currency", header, 2, rows, has_total=True, currency=code or NO_CURRENCY)


@dataclass(frozen=True, slots=True)
class _Axis:
    """From `low` to `high` minor units; one that does not begin at 0 is cut, and so are the bars of totals on it."""

    low: int
    high: int
    is_cut: bool

    @classmethod
    def of(cls, running: list[int]) -> _Axis:
        """Return the axis for running totals: cut where their steps would be too thin to see beside them."""
        cut = min(running) - max((max(running) - min(running)) // 8, 1)
        if cut > 0:
            return cls(cut, max(running), is_cut=True)
        return cls(min(*running, 0), max(*running, 0), is_cut=False)

    def total(self, cents: int, words: str) -> Markup:
        """Return the bar of a total."""
        start = self.low if self.is_cut else 0
        kind = "total cut" if self.is_cut else "total"
        return charts.step_bar(start, cents, low=self.low, high=self.high, kind=kind, words=words)

    def step(self, before: int, after: int, kind: str, words: str) -> Markup:
        """Return the bar of a step."""
        return charts.step_bar(before, after, low=self.low, high=self.high, kind=kind, words=words)
