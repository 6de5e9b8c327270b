"""
What became of the breaks over time, as tables of a page: since the last run, by age, and over the last runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reconcile.figures.aging import NO_DATE, AgingBucket
from reconcile.figures.roll_forward import Apart, RollForward
from reconcile.figures.summary import NO_CURRENCY, VERDICTS, Summary
from reconcile.reports.display import Display
from reconcile.reports.page import charts
from reconcile.reports.page.table import Table, link_to_breaks

_TREND_HIGH = 120


def moved(lines: Sequence[RollForward], display: Display, caption: str) -> Table:
    """Opening + new + reopened + changed − cleared = closing: one row of counts and one of amounts per currency."""
    rows: list[tuple[str | Markup, ...]] = []
    for line in lines:
        code = line.currency_code
        counts = (display.count(move.count) for move in line.moves)
        amounts = (display.amount(move.amount_cents, code) for move in line.moves)
        rows += [(code or NO_CURRENCY, "breaks", *counts), (code or NO_CURRENCY, "at stake", *amounts)]
    header = ("Currency", "Figure", "Opening", "+ new", "+ reopened", "+ changed", "− cleared", "= closing")
    return Table(caption, header, 2, rows, currency_at=0)


def by_cause(apart: Apart | None, display: Display) -> list[Table]:
    """What came and went because of changed rules, and because of the data; empty where no rule has changed."""
    if apart is None:
        return []
    return [
        moved(apart.by_rules, display, "Because of the rules: the last run with today's rules"),
        moved(apart.by_data, display, "Because of the data: from there to this run"),
    ]


def spans(buckets: Sequence[AgingBucket]) -> list[tuple[str, str]]:
    """Return spans of days to choose from, each with its words: those of the buckets, and from each of them on."""
    days = [bucket.days for bucket in buckets if bucket.days]
    exact = [(_span(first, last), f"{first}–{last} days") for first, last in days if last is not None]
    return exact + [(_span(last + 1, None), f"over {last} days") for _, last in days if last is not None]


def _span(first: int, last: int | None) -> str:
    return f"{first}-{'' if last is None else last}"


def aging(buckets: Sequence[AgingBucket], display: Display, caption: str, since: str, by: str) -> Table:
    """Breaks by age; `by` is the filter of the table of breaks that has the same days."""
    most = max((bucket.count for bucket in buckets), default=0)
    rows: list[tuple[str | Markup, ...]] = []
    for bucket in buckets:
        n, days = bucket.count, bucket.bucket.replace("-", "–") + (" days" if bucket.bucket != NO_DATE else "")
        bar = charts.length_bar(n, most=most, kind="break", words=f"{days}: {display.plural(n, 'break')}")
        stake = ((one.currency_code or NO_CURRENCY, one.at_stake_cents) for one in bucket.amounts if one.at_stake_cents)
        span = _span(*bucket.days) if bucket.days else "none"
        count = link_to_breaks(display.count(n), **{by: span}) if n else display.count(n)
        rows.append((days, bar, display.amounts(stake), count))
    return Table(caption, (since, "Chart", "At stake", "Breaks"), 3, rows)


def trend(summary: Summary, display: Display) -> dict[str, object] | None:
    """The breaks of the runs before this one and of this one; nothing where this is the first."""
    if not summary.trend:
        return None
    runs = [*summary.trend, summary.as_trend]
    values = [run.breaks for run in runs]
    dates = [display.date(run.business_date) for run in runs]
    first, last = dates[0], dates[-1]
    counts = [display.count(value) for value in values]
    chart = charts.columns(
        values,
        kinds=["total"] * len(summary.trend) + ["break"],
        titles=[
            f"{display.isolated(on)}: {display.plural(run.breaks, 'break')}"
            for on, run in zip(dates, runs, strict=True)
        ],
        words=f"breaks of {display.plural(len(runs), 'run')} from {first} to {last}: {', '.join(counts)}",
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
    return {"chart": chart, "table": table, "first": first, "last": last, "counts": counts}
