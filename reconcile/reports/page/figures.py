"""
The figures of a page in the words of a page: amounts as text, bars, and what adds up to what.

Takes a summary and `manifest.json` as they are, and adds up only what a reader is to see adding up. Knows no mark-up
but the charts'; the template says where each figure stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from reconcile.figures.aging import NO_DATE, AgingBucket
from reconcile.figures.breakdown import Breakdown
from reconcile.figures.roll_forward import RollForward
from reconcile.figures.summary import NO_CURRENCY, VERDICTS, Bridge, FlagAgreement, Summary
from reconcile.matching.policy import KIND_OF, LABEL_OF, MEANING_OF
from reconcile.reports.display import PLAIN, Display, shown_value
from reconcile.reports.page import charts
from reconcile.reports.page.control import control_tables, hash_totals_table
from reconcile.reports.page.table import Table

_VERDICT_MEANINGS = {
    "clean": "There are no breaks.",
    "clean_with_exceptions": "There are breaks to review; no limit is exceeded.",
    "over_limit": "A limit that stops the close is exceeded.",
}
_TREND_HIGH = 120
_ONLY_SOME = ("pull", "narrowed", "payments_file")  # of a manifest: a run has the first two, a match the last


def figures(summary: Summary, manifest: Mapping[str, object], *, display: Display = PLAIN) -> dict[str, object]:
    """
    Return everything that the page's template shows, by name; strings are as they were read, not yet escaped.

    Figures and dates are strings as `display` has them, but for those in `summary` and `manifest`.
    Raises ValueError for a summary of before there was a bridge, without which no control total can be shown.
    """
    if summary.counts.items and not summary.bridge:
        raise ValueError("'bridge' is missing")
    return {
        "verdict": summary.verdict,
        "verdict_words": VERDICTS[summary.verdict],
        "verdict_meaning": _VERDICT_MEANINGS[summary.verdict],
        "summary": summary,
        "manifest": {**dict.fromkeys(_ONLY_SOME), **manifest},
        "at_stake": display.amounts(summary.at_stake.items()),
        "tiles": _tiles(summary, display),
        "control": control_tables(summary, display),
        "breakdown": [_breakdown(one, display) for one in summary.breakdown],
        "labels": LABEL_OF,
        "meanings": MEANING_OF,
        "bridges": [_bridge(one, display) for one in summary.bridge if one.moves_money],
        "flags": _flags(summary.flag_agreement, display),
        "roll_forward": _roll_forward(summary.roll_forward, display, "Breaks and amounts at stake"),
        "apart": _apart(summary, display),
        "aging": [
            _aging(summary.aging, display, "Breaks by days since they were first seen", "Open for"),
            _aging(summary.aging_from_data, display, "Breaks by days since their order or payment", "Age"),
        ],
        "hash_totals": hash_totals_table(summary.hash_totals),
        "trend": _trend(summary, display),
    }


def _tiles(summary: Summary, display: Display) -> list[tuple[str, str]]:
    """The few figures that a reader looks for first."""
    counts, moved = summary.counts, summary.roll_forward
    tiles = [
        ("breaks", counts.breaks),
        ("accepted", summary.accepted_count),
        ("new", sum(line.new.count + line.reopened.count for line in moved)),
        ("cleared", sum(line.cleared.count for line in moved)),
        ("items", counts.items),
        ("payments", counts.payments),
        ("order rows", counts.orders),
        ("rejected rows", counts.rejects),
    ]
    return [(name, display.count(number)) for name, number in tiles]


def _breakdown(breakdown: Breakdown, display: Display) -> Table:
    """All items by what they share; the lines of a currency add up to its statuses."""
    rows: list[tuple[str | Markup, ...]] = []
    for line in breakdown.lines:
        code = line.currency_code
        amounts = (line.payment_amount_cents, line.order_amount_cents, line.difference_cents)
        rows.append(
            (
                shown_value(line.value), code or NO_CURRENCY, display.count(line.count),
                *(display.amount(cents, code) for cents in amounts),
                display.count(line.breaks) if line.breaks else "",
                display.amount(line.at_stake_cents, code) if line.breaks else "",
            )
        )  # fmt: skip
    header = (breakdown.title, "Currency", "Items", "Payments", "Orders", "Difference", "Breaks", "At stake in breaks")
    return Table(f"By {breakdown.title if breakdown.by == 'carried' else breakdown.title.lower()}", header, 2, rows)


def _bridge(bridge: Bridge, display: Display) -> Table:
    """The way from the payments' total to the order rows' total, a bar and a running total for each status."""
    code = bridge.currency_code or ""
    steps = [(step.status, -step.difference_cents) for step in bridge.statuses if step.difference_cents]
    steps.sort(key=lambda step: (-abs(step[1]), step[0]))
    running = [bridge.payment_amount_cents]
    for _, cents in steps:
        running.append(running[-1] + cents)
    low, high = min(running), max(running)
    low -= max((high - low) // 8, 1)  # totals are bars of a shortened axis, not points

    def amount(cents: int) -> str:
        return display.amount(cents, code)

    def bar(before: int, after: int, kind: str, name: str) -> Markup:
        words = f"{name}: from {amount(before)} to {amount(after)}" if kind != "total" else f"{name}: {amount(after)}"
        return charts.step_bar(before, after, low=low, high=high, kind=kind, words=words)

    rows: list[tuple[str | Markup, ...]] = [
        ("payments", bar(low, running[0], "total", "payments"), amount(running[0]), amount(running[0]))
    ]
    for (status, cents), before, after in zip(steps, running, running[1:], strict=False):
        signed = f"+{amount(cents)}" if cents > 0 else amount(cents)
        label = LABEL_OF[status]
        rows.append((label, bar(before, after, KIND_OF[status], label), signed, amount(after)))
    rows.append(("unexplained", "", amount(bridge.unexplained_cents), amount(running[-1])))
    orders = bridge.order_amount_cents
    rows.append(("order rows", bar(low, orders, "total", "order rows"), amount(orders), amount(orders)))
    return Table(code or "no currency", ("Step", "Chart", "Amount", "Total so far"), 2, rows, has_total=True)


def _flags(flags: FlagAgreement, display: Display) -> Table:
    rows: list[tuple[str | Markup, ...]] = [
        ("mismatched", display.count(flags.flagged_and_differs), display.count(flags.flagged_but_agrees)),
        ("not mismatched", display.count(flags.differs_not_flagged), display.count(flags.agree)),
    ]
    return Table("Flags", ("Commerce Layer says", "We find: differs", "We find: agrees"), 1, rows)


def _roll_forward(lines: Sequence[RollForward], display: Display, caption: str) -> Table:
    """Opening + new + reopened + changed − cleared = closing: one row of counts and one of amounts per currency."""
    rows: list[tuple[str | Markup, ...]] = []
    for line in lines:
        code = line.currency_code
        counts = (display.count(move.count) for move in line.moves)
        amounts = (display.amount(move.amount_cents, code) for move in line.moves)
        rows += [(code or NO_CURRENCY, "breaks", *counts), (code or NO_CURRENCY, "at stake", *amounts)]
    header = ("Currency", "Figure", "Opening", "+ new", "+ reopened", "+ changed", "− cleared", "= closing")
    return Table(caption, header, 2, rows)


def _apart(summary: Summary, display: Display) -> list[Table]:
    """What came and went because of changed rules, and because of the data; empty where no rule has changed."""
    if not summary.apart:
        return []
    return [
        _roll_forward(summary.apart.by_rules, display, "Because of the rules: the last run with today's rules"),
        _roll_forward(summary.apart.by_data, display, "Because of the data: from there to this run"),
    ]


def _aging(buckets: Sequence[AgingBucket], display: Display, caption: str, since: str) -> Table:
    most = max((bucket.count for bucket in buckets), default=0)
    rows: list[tuple[str | Markup, ...]] = []
    for bucket in buckets:
        n, days = bucket.count, bucket.bucket.replace("-", "–") + (" days" if bucket.bucket != NO_DATE else "")
        bar = charts.length_bar(n, most=most, kind="break", words=f"{days}: {display.plural(n, 'break')}")
        stake = ((one.currency_code or NO_CURRENCY, one.at_stake_cents) for one in bucket.amounts if one.at_stake_cents)
        rows.append((days, bar, display.amounts(stake), display.count(n)))
    return Table(caption, (since, "Chart", "At stake", "Breaks"), 3, rows)


def _trend(summary: Summary, display: Display) -> dict[str, object] | None:
    """The breaks of the runs before this one and of this one; nothing where this is the first."""
    if not summary.trend:
        return None
    runs = [*summary.trend, summary.as_trend]
    values = [run.breaks for run in runs]
    dates = [display.date(run.business_date) for run in runs]
    first, last = dates[0], dates[-1]
    counts = ", ".join(map(display.count, values))
    chart = charts.columns(
        values,
        kinds=["total"] * len(summary.trend) + ["break"],
        titles=[
            f"{display.isolated(on)}: {display.plural(run.breaks, 'break')}"
            for on, run in zip(dates, runs, strict=True)
        ],
        words=f"breaks of {display.plural(len(runs), 'run')} from {first} to {last}: {counts}",
        high=_TREND_HIGH,
    )
    rows: list[tuple[str | Markup, ...]] = [
        (
            on,
            VERDICTS[run.verdict],
            display.amounts(run.at_stake.items()),
            display.count(run.items),
            display.count(run.breaks),
        )
        for on, run in zip(reversed(dates), reversed(runs), strict=True)
    ]
    table = Table("The last runs, latest first", ("Business date", "Verdict", "At stake", "Items", "Breaks"), 3, rows)
    return {"chart": chart, "table": table, "first": first, "last": last, "most": display.count(max(values))}
