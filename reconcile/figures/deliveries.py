"""
When the order side is not what it should be: a file of before, too few rows, files that overlap, days without a run.

Takes what was read tonight, and what the runs before were made of; reads no manifest. Says what it notices, and
changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from reconcile.history.deliveries import EarlierDelivery
from reconcile.notices import Notice, notice
from reconcile.orders.places.dated import is_dated
from reconcile.orders.report import OrdersReport

FEWEST_RUNS = 3
"""Earlier runs from which on their median says how many order rows are usual; of fewer, the run before does."""

_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """Tonight's order side: what was read, the `rows` that are matched, and where it was to be `written` as it was."""

    orders: OrdersReport
    written: Sequence[str]
    rows: int
    is_full: bool


def delivery_warnings(delivery: NewDelivery, before: Sequence[EarlierDelivery]) -> list[Notice]:
    """Return what to know of tonight's order side after the runs `before`, the latest first."""
    return [*_stale(delivery, before), *_short(delivery, before), *_day_files(delivery)]


def missed_dates(before: date | None, business_date: date, weekdays: Collection[int]) -> list[Notice]:
    """Return a warning of `weekdays` (Monday is 0) between the run `before` and this one, if there are any."""
    if before is None:
        return []
    days = (before + timedelta(days=number) for number in range(1, (business_date - before).days))
    missed = [day for day in days if day.weekday() in weekdays]
    if not missed:
        return []
    named = tuple(map(str, missed[:_MOST_NAMED]))
    more = f" and {len(missed) - len(named):,} more" if len(missed) > len(named) else ""
    what = "day has" if len(missed) == 1 else "days have"
    text = f"{len(missed):,} {what} no run since that of {before}: {', '.join(named)}{more}; [run] days says which have"
    return [notice("missed_dates", text, dates=named, days=len(missed))]


def _stale(delivery: NewDelivery, before: Sequence[EarlierDelivery]) -> list[Notice]:
    digests = {file.sha256 for file in delivery.orders.files}
    if not before or not digests or not digests <= before[0].digests:
        return []
    paths = tuple(file.path for file in delivery.orders.files)
    which = paths[0] if len(paths) == 1 else f"all {len(paths):,} order files"
    on = before[0].business_date
    text = f"{which}: the same byte for byte as in the run of {on}; was there a new export?"
    return [notice("stale_orders", text, files=paths[:_MOST_NAMED], date=on.isoformat())]


def _short(delivery: NewDelivery, before: Sequence[EarlierDelivery]) -> list[Notice]:
    counts = [one.rows for one in before if one.rows is not None]
    if not delivery.is_full or not counts:
        return []
    usual = median(counts) if len(counts) >= FEWEST_RUNS else counts[0]
    if delivery.rows * 2 >= usual:
        return []
    rows = f"{delivery.rows:,} order row{'' if delivery.rows == 1 else 's'}"
    where = f"the run before had {counts[0]:,}"
    if len(counts) >= FEWEST_RUNS:
        where += f", the median of the last {len(counts)} runs is {int(usual):,}"
    text = f"{rows}, and {where}: did the export break off?"
    return [notice("short_orders", text, rows=delivery.rows, rows_before=counts[0], runs=len(counts))]


def _day_files(delivery: NewDelivery) -> list[Notice]:
    dated = tuple(word for word in delivery.written if is_dated(word))
    if not delivery.is_full or not dated:
        return []
    text = (
        f"{dated[0]}: a file of one day is taken for the whole order side, and orders of other days are missing; with "
        "--delivery changes each file adds to those before"
    )
    return [notice("day_files", text, files=dated)]
