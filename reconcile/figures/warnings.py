"""
What a reader of a run must know besides its figures: an empty side, a narrowed pull, rejects, runs out of order.

Knows when figures mislead by themselves, and says so in words; changes none of them. What earlier runs show of the
order side is in `deliveries`, what was set aside as asked in `set_aside`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.commercelayer.relations import columns_without
from reconcile.errors import EmptySide
from reconcile.figures.odd_keys import odd_keys
from reconcile.figures.tables import side_in
from reconcile.files.duckdb import connected
from reconcile.notices import Notice, notice

if TYPE_CHECKING:  # a pull alone needs its warnings, but neither of these rooms
    from reconcile.figures.pulled import Pull
    from reconcile.history.earlier import Neighbours
    from reconcile.matching.report import MatchReport
    from reconcile.orders.report import BookReport, OrderFile, OrdersReport
    from reconcile.payments.report import PullReport
    from reconcile.payments.trails import Trails


_MOST_NAMED = 5

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


def export_warnings(why_all: str | None) -> list[Notice]:
    """Return what to know of exported order totals; `why_all` as in `ExportedOrders`."""
    return [notice("all_methods_exported", ALL_METHODS)] if why_all else []


def pull_warnings(pull: Pull | PullReport) -> list[Notice]:
    """Return what to know of a pull: what it says itself, and what has vanished."""
    warnings = [*pull.warnings, *refused_warnings(pull.refused)]
    if count := pull.vanished:
        what = "1 payment has" if count == 1 else f"{count:,} payments have"
        text = f"{what} vanished since the previous pull: see vanished.parquet in the mirror"
        warnings.append(notice("vanished", text, payments=count))
    return warnings


def history_warnings(read: Trails) -> list[Notice]:
    """Return what to know of the audit trails of the breaks of a run: those that are not there, or not whole."""
    warnings = []
    if count := read.left_out:
        what = "1 break" if count == 1 else f"{count:,} breaks"
        text = f"the audit trail of {what} was not read: all {read.requests:,} requests that it may take are spent"
        warnings.append(notice("history_left_out", text, payments=count, requests=read.requests))
    if count := read.unread:
        what = "1 break" if count == 1 else f"{count:,} breaks"
        text = f"the audit trail of {what} is missing or not whole: {read.problem}"
        warnings.append(notice("history_unread", text, payments=count))
    return warnings


def refused_warnings(refused: Sequence[str]) -> list[Notice]:
    """Return what to know where the server did not include `refused`, paths of relations."""
    if not refused:
        return []
    paths, columns = tuple(refused), columns_without(refused)
    text = (
        f"the server refused to include {', '.join(paths)}: {', '.join(columns)} "
        f"{'is' if len(columns) == 1 else 'are'} empty; --full asks for it again"
    )
    return [notice("refused_includes", text, paths=paths, columns=columns)]


def narrowed_warnings(narrowed: str | None) -> list[Notice]:
    """Return what to know of a pull of a period only; `narrowed` says of which."""
    if not narrowed:
        return []
    text = (
        f"only payments of orders placed {narrowed} are in this run: order totals from outside that period have no "
        "payment, and breaks from outside it are reported as cleared"
    )
    return [notice("narrowed_pull", text, period=narrowed)]


def grouping_warnings(orders: OrdersReport) -> list[Notice]:
    """Return what to know of order rows that are added up: totals that may be there once per line."""
    from reconcile.orders.columns.names import names_of_lines

    warnings = []
    for file in orders.files:
        known = file.continuation_rows or "continuation_rows" in file.taken
        if not known and (names := names_of_lines(file.unread)):
            text = (
                f'{file.path}: column "{names[0]}" suggests order lines: where each line repeats the whole total, '
                "group_orders counts it several times; exclude such rows with --continuation-rows repeated"
            )
            warnings.append(notice("order_lines", text, file=file.path, column=names[0]))
    return warnings


def key_warnings(report: MatchReport) -> list[Notice]:
    """Return what to know of the keys: what rules have made one, and what would make them meet where they do not."""
    warnings = []
    for one in report.cleaning:
        if one.collisions:
            noun = one.key.replace("_", " ")
            nouns, verb = (noun, "stands") if one.collisions == 1 else (f"{noun}s", "stand")
            text = (
                f"by [match.clean], {one.collisions:,} {nouns} of {one.side} {verb} for several spellings: "
                "their rows are duplicates, which are never paired, or with group_orders one order"
            )
            warnings.append(notice("merged_keys", text, side=one.side, key=one.key, keys=one.collisions))
    return [*warnings, notice("key_hint", report.hint)] if report.hint else warnings


def unknown_statuses(payments: Path | pa.Table) -> list[Notice]:
    """Return a warning of the statuses of orders and of their payment, in PAYMENTS, that are not known."""
    from reconcile.matching.due import ORDER_STATUSES, PAYMENT_STATUSES  # with it comes the matching

    known = {"order_status": ORDER_STATUSES, "payment_status": PAYMENT_STATUSES}
    there = pq.read_schema(payments).names if isinstance(payments, Path) else payments.column_names
    found: dict[str, tuple[str, ...]] = {}
    count = 0
    with connected() as connection:
        for name, values in known.items():
            if name not in there:
                continue
            rows = connection.execute(
                f"""SELECT {name}, count(*) FROM {side_in(connection, payments, "payments")}
                    WHERE {name} IS NOT NULL AND NOT list_contains($1, {name}) GROUP BY 1 ORDER BY 1""",
                [list(values)],
            ).fetchall()
            found[name] = tuple(value for value, _ in rows)
            count += sum(n for _, n in rows)
    if not count:
        return []
    named = ", ".join(f'{name} "{value}"' for name, values in found.items() for value in values[:_MOST_NAMED])
    text = (
        f"statuses that this version does not know: {named}; such orders never count as placed and paid: what would be "
        "matched is a break, and what would be left out is not"
    )
    return [notice("unknown_statuses", text, payments=count, **found)]


def run_warnings(orders: OrdersReport, report: MatchReport) -> list[Notice]:
    """Return what a reader must know besides the figures, of both sides as they were read and matched."""
    sides = {"orders": report.orders.rows, "payments": report.payments.rows}
    warnings = [notice("empty_side", f"there are no {side}", side=side) for side, rows in sides.items() if not rows]
    if orders.rejects:
        what = "1 order row was rejected" if orders.rejects == 1 else f"{orders.rejects} order rows were rejected"
        text = f"{what}, see rejects.csv: a payment that belongs to one is reported as missing_order"
        warnings.append(notice("rejected_rows", text, rows=orders.rejects))
    warnings += _copies(orders)
    for file in orders.files:
        warnings += _file_warnings(file)
    warnings += odd_keys(orders.tidied)
    if all(sides.values()) and not any(one.shared_keys for one in report.passes):
        text = "no key of one side is found on the other: is this the right file and the right column?"
        warnings.append(notice("no_shared_keys", text))
    return warnings + key_warnings(report)


def book_warnings(report: BookReport, late: Sequence[date]) -> list[Notice]:
    """Return what to know of an order book: `late` dates came to it after later ones."""
    warnings = []
    if late:
        days = ", ".join(map(str, late))
        text = f"the order book was built again with the deliveries of {days}, which came after later ones"
        warnings.append(notice("late_delivery", text, dates=tuple(map(str, late))))
    if count := report.unlike:
        what = "1 key" if count == 1 else f"{count:,} keys"
        shown = ", ".join(report.unlike_keys) + (", …" if count > len(report.unlike_keys) else "")
        text = (
            f"{what} in tonight's delivery have fewer rows than they had in the order book, or another order number "
            f"beside the one they had: {shown}; where each row has a number of its own, name it with --row-column"
        )
        warnings.append(notice("replaced_unlike", text, keys=count, examples=report.unlike_keys))
    return warnings


def neighbour_warnings(known: Neighbours) -> list[Notice]:
    """Return what to know of runs of other dates that a run does not go with."""
    warnings = [
        notice(
            "run_meanwhile",
            f"the run of {one} was published while this one was being made, which does not take it into account: "
            "run this date again",
            date=one.isoformat(),
        )
        for one in known.meanwhile
    ]
    if known.later:
        later = tuple(map(str, known.later[:3]))
        text = f"later runs were made without this one: run {', '.join(later)} again, oldest first"
        warnings.append(notice("later_runs", text, dates=later, runs=len(known.later)))
    return warnings


def _file_warnings(file: OrderFile) -> list[Notice]:
    warnings = []
    if not file.ordered:
        text = (
            f"{file.path}: the query has no ORDER BY: the same rows may come in a different order next time, and "
            "then have other line numbers"
        )
        warnings.append(notice("unordered_query", text, file=file.path))
    if file.other_sheets:
        others = ", ".join(f'"{name}"' for name in file.other_sheets)
        text = f'{file.path}: sheet "{file.sheet}" was read, {others} was not: name another with --sheet'
        warnings.append(notice("unread_sheets", text, file=file.path, sheets=file.other_sheets))
    return warnings


def _copies(orders: OrdersReport) -> list[Notice]:
    first: dict[str, str] = {}
    pairs = [(file.path, first.setdefault(file.sha256, file.path)) for file in orders.files if file.rows]
    return [
        notice(
            "copied_files",
            f"{path} is {other} byte for byte: every row of it counts twice; is it a copy?",
            files=(other, path),
        )
        for path, other in pairs
        if path != other
    ]
