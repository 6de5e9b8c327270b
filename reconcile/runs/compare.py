"""
Published runs: which there are, and what differs between two of them.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from reconcile.errors import OutputError
from reconcile.files.duckdb import connected
from reconcile.files.parquet import scan
from reconcile.runs.folder import published, read_manifest, superseded

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
"""Columns of ITEMS whose change from run to run is told; the others follow from these, or are the run's own."""


TREND_RUNS = 30
"""Earlier runs that a report shows beside its own."""

UNREADABLE = "unreadable"
"""Verdict of a run whose manifest or summary cannot be read."""

_TREND = ("business_date", "verdict", "items", "breaks", "at_stake")


@dataclass(frozen=True, slots=True)
class RunLine:
    """
    One published run, as `summary.json` has it.

    `at_stake` is minor units per currency in all its breaks. `superseded`: a later run of its date took its place.
    Of a run that cannot be read `problem` says why, its verdict is UNREADABLE, and what is not known is null.
    """

    business_date: str
    run_id: str | None
    verdict: str
    payments: int | None
    orders: int | None
    items: int | None
    breaks: int | None
    rejects: int | None
    at_stake: dict[str, int]
    created_at: str
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
    before: dict[str, Any] | None
    after: dict[str, Any] | None


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


def trend_before(out: Path, business_date: date, *, most: int = TREND_RUNS) -> list[dict[str, Any]]:
    """
    Return the last `most` runs in `out` of dates before `business_date`, oldest first, for a report that shows them.

    Each has business_date, verdict, items, breaks, and at_stake: minor units per currency. A run whose summary cannot
    be read is left out: it must not stop tonight's.
    """
    lines = []
    for folder in [path for path in published(out) if path.name < business_date.isoformat()][-most:]:
        with contextlib.suppress(OutputError):
            line = _line(folder)
            lines.append({name: getattr(line, name) for name in _TREND})
    return lines


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
    query = f"""
        SELECT {columns} FROM {scan(before / "items.parquet")} a FULL JOIN {scan(after / "items.parquet")} b
        ON a.item_id = b.item_id WHERE a.item_id IS NULL OR b.item_id IS NULL OR {differs}
    """
    with connected() as connection:
        try:
            rows = connection.sql(query).to_arrow_table().to_pylist()
        except duckdb.Error as error:
            raise OutputError(
                f"{before}, {after}: the items of these runs cannot be compared",
                hint="`reconcile runs verify` tells whether their files are whole",
            ) from error
    return sorted(map(_change, rows), key=lambda one: (one.change, one.reference or "", one.item_id))


def counted_changes(changes: list[Change]) -> list[tuple[str, str, int]]:
    """Return how many items went from which status to which: status before, status after ("" for none), count."""
    counts: dict[tuple[str, str], int] = {}
    for one in changes:
        move = ((one.before or {}).get("status", ""), (one.after or {}).get("status", ""))
        counts[move] = counts.get(move, 0) + 1
    return [(*move, count) for move, count in sorted(counts.items())]


def check_out(out: Path) -> None:
    """Raise OutputError when there is no folder `out`."""
    if not out.is_dir():
        raise OutputError(f"{out}: there is no such folder", hint="name the folder of the runs with --out")


def _line_or_problem(folder: Path, *, is_superseded: bool = False) -> RunLine:
    try:
        return replace(_line(folder), superseded=is_superseded)
    except OutputError as error:
        unknown: dict[str, Any] = dict.fromkeys(("run_id", "payments", "orders", "items", "breaks", "rejects"))
        return RunLine(
            **unknown,
            business_date="" if is_superseded else folder.name,
            verdict=UNREADABLE,
            at_stake={},
            created_at="",
            folder=str(folder),
            superseded=is_superseded,
            problem=error.message,
        )


def _line(folder: Path) -> RunLine:
    manifest = read_manifest(folder)
    path = folder / "summary.json"
    try:
        summary = msgspec.json.decode(path.read_bytes())
        counts = summary["counts"]
        stake: dict[str, int] = {}
        for status in summary["statuses"]:
            for one in status["amounts"] if status["kind"] == "break" else ():
                code = one["currency_code"] or "none"
                stake[code] = stake.get(code, 0) + (one["at_stake_cents"] or 0)
        return RunLine(
            business_date=manifest.business_date.isoformat(),
            run_id=manifest.run_id,
            verdict=str(summary["verdict"]),
            payments=int(counts["payments"]),
            orders=int(counts["orders"]),
            items=int(counts["items"]),
            breaks=int(counts["breaks"]),
            rejects=int(counts["rejects"]),
            at_stake={code: cents for code, cents in sorted(stake.items()) if cents},
            created_at=manifest.created_at.isoformat() if manifest.created_at is not None else "",
            folder=str(folder),
        )
    except (OSError, msgspec.DecodeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise OutputError(
            f"{path}: cannot be read as the summary of a run", hint="`reconcile runs verify` tells what was changed"
        ) from error


def _change(row: dict[str, Any]) -> Change:
    kind = "appeared" if row["a_item_id"] is None else "gone" if row["b_item_id"] is None else "changed"
    shown = [name for name in _COMPARED if name == "status" or row[f"a_{name}"] != row[f"b_{name}"]]

    def of(side: str) -> dict[str, Any]:
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
