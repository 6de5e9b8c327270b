"""
What a reader of a run must know besides its figures: an empty side, a narrowed pull, rejects, runs out of order.

Knows when figures mislead by themselves, and says so in words; changes none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.errors import EmptySide

if TYPE_CHECKING:  # a pull alone needs its warnings, but neither of these rooms
    from reconcile.figures.summary import Pull
    from reconcile.history.earlier import Neighbours
    from reconcile.matching.report import MatchReport
    from reconcile.orders.report import OrdersReport
    from reconcile.payments.report import PullReport


ALL_METHODS = (
    "orders of all payment methods were exported, because the server does not filter by method: those not paid "
    "with Klarna have no payment, and are reported as missing_payment"
)


def refuse_empty(side: str, rows: int, on_empty: str) -> None:
    """Raise EmptySide when a side has no rows, unless that is allowed: then it is among the `run_warnings`."""
    if not rows and on_empty == "fail":
        raise EmptySide(
            f"there are no {side}: nothing can be reconciled",
            side=side,
            hint=f'is this the right file and window? If this is intended, set [run] on_empty_{side} = "warn"',
        )


def export_warnings(why_all: str | None) -> list[str]:
    """Return what to know of exported order totals; `why_all` as in `ExportedOrders`."""
    return [ALL_METHODS] if why_all else []


def pull_warnings(pull: Pull | PullReport) -> list[str]:
    """Return what to know of a pull: what it says itself, and what has vanished."""
    warnings = list(pull.warnings)
    if count := pull.vanished:
        what = "1 payment has" if count == 1 else f"{count:,} payments have"
        warnings.append(f"{what} vanished since the previous pull: see vanished.parquet in the mirror")
    return warnings


def grouping_warnings(orders: OrdersReport) -> list[str]:
    """Return what to know of order rows that are added up: totals that may be there once per line."""
    from reconcile.orders.columns.names import names_of_lines

    warnings = []
    for file in orders.files:
        if not file.continuation_rows and (names := names_of_lines(file.unread)):
            warnings.append(
                f'{file.path}: column "{names[0]}" suggests order lines: where each line repeats the whole total, '
                "group_orders counts it several times; exclude such rows with --continuation-rows repeated"
            )
    return warnings


def key_warnings(report: MatchReport) -> list[str]:
    """Return what to know of the keys: what rules have made one, and what would make them meet where they do not."""
    warnings = []
    for one in report.cleaning:
        if one.collisions:
            noun = one.key.replace("_", " ")
            nouns, verb = (noun, "stands") if one.collisions == 1 else (f"{noun}s", "stand")
            warnings.append(
                f"by [match.clean], {one.collisions:,} {nouns} of {one.side} {verb} for several spellings: "
                "their rows are duplicates, which are never paired, or with group_orders one order"
            )
    return [*warnings, report.hint] if report.hint else warnings


def run_warnings(
    orders: OrdersReport,
    report: MatchReport,
    *,
    pull: Pull | None = None,
    narrowed: str | None = None,
    why_all: str | None = None,
) -> list[str]:
    """
    Return what a reader of the figures must know besides them.

    `narrowed` says to which payments the pull was narrowed, `why_all` why orders of all payment methods were exported.
    """
    sides = {"orders": report.orders.rows, "payments": report.payments.rows}
    warnings = [f"there are no {side}" for side, rows in sides.items() if not rows]
    if pull is not None:
        warnings += pull_warnings(pull)
    if narrowed:
        warnings.append(
            f"only payments created {narrowed} are in this run: order totals from outside that period have no "
            "payment, and breaks from outside it are reported as cleared"
        )
    warnings += export_warnings(why_all)
    if orders.rejects:
        what = "1 order row was rejected" if orders.rejects == 1 else f"{orders.rejects} order rows were rejected"
        warnings.append(f"{what}, see rejects.csv: a payment that belongs to one is reported as missing_order")
    warnings += _copies(orders)
    for file in orders.files:
        if not file.ordered:
            warnings.append(
                f"{file.path}: the query has no ORDER BY: the same rows may come in a different order next time, and "
                "then have other line numbers"
            )
        if file.other_sheets:
            others = ", ".join(f'"{name}"' for name in file.other_sheets)
            warnings.append(f'{file.path}: sheet "{file.sheet}" was read, {others} was not: name another with --sheet')
    if all(sides.values()) and not any(one.shared_keys for one in report.passes):
        warnings.append("no key of one side is found on the other: is this the right file and the right column?")
    return warnings + key_warnings(report)


def neighbour_warnings(known: Neighbours) -> list[str]:
    """Return what to know of runs of other dates that a run does not go with."""
    warnings = [
        f"the run of {one} was published while this one was being made, which does not take it into account: "
        "run this date again"
        for one in known.meanwhile
    ]
    if known.later:
        later = ", ".join(map(str, known.later[:3]))
        warnings.append(f"later runs were made without this one: run {later} again, oldest first")
    return warnings


def _copies(orders: OrdersReport) -> list[str]:
    first: dict[str, str] = {}
    pairs = [(file.path, first.setdefault(file.sha256, file.path)) for file in orders.files if file.rows]
    return [
        f"{path} is {other} byte for byte: every row of it counts twice; is it a copy?"
        for path, other in pairs
        if path != other
    ]
