"""
Published runs by their figures: which there are, the last ones, and what differs between two of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.errors import OutputError
from reconcile.figures.summary import TrendRun, read_summary
from reconcile.files.duckdb import connected
from reconcile.history.ledger import PublishedRun
from reconcile.history.published import items_sql
from reconcile.runs.folder import published, read_manifest, superseded
from reconcile.runs.run_folder import RunFolder
from reconcile.runs.verify import check_out
from reconcile.schema import Row

_COMPARED = (
    "status",
    "matched_on",
    "payment_amount_cents",
    "payment_currency_code",
    "order_amount_cents",
    "order_currency_code",
    "difference_cents",
    "mismatched_amounts",
    "order_status",
)
"""Columns of ITEMS whose change from run to run is reported; the others follow from these, or are the run's own."""


TREND_RUNS = 30
"""Earlier runs that a report shows beside its own."""

_UNREADABLE = "unreadable"
"""Verdict of a run whose manifest or summary cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """
    One published run, as `summary.json` has it.

    `at_stake` is minor units per currency in all its breaks. `superseded`: a later run of its date took its place.
    Of a run that cannot be read `problem` says why, its verdict is UNREADABLE, and what is not known is null.
    """

    business_date: str
    run_id: str | None = None
    verdict: str
    payments: int | None = None
    orders: int | None = None
    items: int | None = None
    breaks: int | None = None
    rejects: int | None = None
    at_stake: dict[str, int] = field(default_factory=dict)
    created_at: str = ""
    folder: str
    superseded: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """
    One item that differs between two runs.

    `change` is `appeared`, `gone` or `changed`; of `before` and `after`, dictionaries by column, the one is null where
    the item is not in that run; both hold the columns that differ, and the status always.
    """

    item_id: str
    change: str
    reference: str | None
    payment_id: str | None
    before: Row | None
    after: Row | None


def list_runs(out: Path, *, with_superseded: bool = False) -> list[RunLine]:
    """
    Return the runs published in `out`, oldest date first; `with_superseded` also those that were replaced.

    A run that cannot be read is one of them, and says so. Raises OutputError when `out` is no folder.
    """
    check_out(out)
    lines = [_line_or_problem(folder) for folder in published(out)]
    if with_superseded:
        lines += [_line_or_problem(folder, is_superseded=True) for folder in superseded(out)]
    return sorted(lines, key=lambda line: (line.business_date, not line.superseded, line.created_at))


def trend_of(runs: Sequence[PublishedRun], *, most: int = TREND_RUNS) -> tuple[TrendRun, ...]:
    """
    Return the last `most` of `runs`, which are oldest first, for a report that shows them.

    A run that cannot be read, or has been replaced since, is left out: it must not stop tonight's.
    """
    lines = []
    for run in runs[-most:]:
        with contextlib.suppress(OutputError):
            summary = read_summary(run.breaks.parent)
            if run.problem is None and summary.run_id == run.run_id:
                lines.append(summary.as_trend)
    return tuple(lines)


def diff_runs(before: Path, after: Path) -> list[Change]:
    """
    Return the items that differ between the run folders `before` and `after`, sorted by kind of change and reference.

    Raises OutputError when one of them is no run folder, or its items cannot be read.
    """
    for folder in (before, after):
        read_manifest(folder)
    columns = ", ".join(
        f"a.{name} AS a_{name}, b.{name} AS b_{name}" for name in ("item_id", "reference", "payment_id", *_COMPARED)
    )
    differs = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in _COMPARED)
    with connected() as connection:
        try:
            query = f"""
                SELECT {columns} FROM {items_sql(RunFolder(before).items)} a
                FULL JOIN {items_sql(RunFolder(after).items)} b ON a.item_id = b.item_id
                WHERE a.item_id IS NULL OR b.item_id IS NULL OR {differs}
            """
            rows = connection.sql(query).to_arrow_table().to_pylist()
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise OutputError(
                f"{before}, {after}: the items of these runs cannot be compared",
                hint="`reconcile runs verify` reports whether their files are intact",
            ) from error
    return sorted(map(_change, rows), key=lambda one: (one.change, one.reference or "", one.item_id))


def counted_changes(changes: list[Change]) -> list[tuple[str, str, int]]:
    """Return how many items went from which status to which: status before, status after ("" for none), count."""
    counts: dict[tuple[str, str], int] = {}
    for one in changes:
        move = ((one.before or {}).get("status", ""), (one.after or {}).get("status", ""))
        counts[move] = counts.get(move, 0) + 1
    return [(*move, count) for move, count in sorted(counts.items())]


def _line_or_problem(folder: Path, *, is_superseded: bool = False) -> RunLine:
    try:
        return replace(_line(folder), superseded=is_superseded)
    except OutputError as error:
        on = "" if is_superseded else folder.name
        return RunLine(
            business_date=on, verdict=_UNREADABLE, folder=str(folder), superseded=is_superseded, problem=error.message
        )


def _line(folder: Path) -> RunLine:
    manifest, summary = read_manifest(folder), read_summary(folder)
    return RunLine(
        business_date=manifest.business_date.isoformat(),
        run_id=manifest.run_id,
        verdict=summary.verdict,
        payments=summary.counts.payments,
        orders=summary.counts.orders,
        items=summary.counts.items,
        breaks=summary.counts.breaks,
        rejects=summary.counts.rejects,
        at_stake=summary.at_stake,
        created_at=manifest.created_at.isoformat() if manifest.created_at is not None else "",
        folder=str(folder),
    )


def _change(row: Row) -> Change:
    kind = "appeared" if row["a_item_id"] is None else "gone" if row["b_item_id"] is None else "changed"
    shown = [name for name in _COMPARED if name == "status" or row[f"a_{name}"] != row[f"b_{name}"]]

    def of(side: str) -> Row:
        return {name: row[f"{side}_{name}"] for name in shown if kind == "changed" or row[f"{side}_{name}"] is not None}

    own = "a" if kind == "gone" else "b"
    return Change(
        item_id=row[f"{own}_item_id"],
        change=kind,
        reference=row[f"{own}_reference"],
        payment_id=row[f"{own}_payment_id"],
        before=None if kind == "appeared" else of("a"),
        after=None if kind == "gone" else of("b"),
    )
