"""
Published runs: which there are, whether they are still what was published, and what differs between two of them.

Reads run folders and changes nothing. A run names the one before it with the digest of its manifest, so that the runs
of a folder are a chain: who alters an earlier one breaks it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from reconcile import manifest
from reconcile.errors import OutputError
from reconcile.parquet import scan

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

_TREND = ("business_date", "verdict", "items", "breaks", "at_stake")


@dataclass(frozen=True, slots=True)
class RunLine:
    """
    One published run, as `summary.json` has it.

    `at_stake` is minor units per currency in all its breaks. `superseded`: a later run of its date took its place.
    """

    business_date: str
    run_id: str
    verdict: str
    payments: int
    orders: int
    items: int
    breaks: int
    rejects: int
    at_stake: dict[str, int]
    created_at: str
    folder: str
    superseded: bool = False


@dataclass(frozen=True, slots=True)
class Verification:
    """
    What was found of one run: `problems` say that it is not what was published, `notes` what else to know.

    `replayed` tells that it was also matched again.
    """

    folder: str
    run_id: str
    files: int
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()
    replayed: bool = False


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


def list_runs(out: Path, *, superseded: bool = False) -> list[RunLine]:
    """
    Return the runs published in `out`, oldest date first; with `superseded` also those that were replaced.

    Raises OutputError when `out` is no folder, or a summary in it cannot be read.
    """
    _check_folder(out)
    lines = [_line(folder) for folder in manifest.published(out)]
    if superseded:
        kept = sorted((out / manifest.SUPERSEDED).glob(f"*/{manifest.NAME}"))
        lines += [_line(path.parent, superseded=True) for path in kept]
    return sorted(lines, key=lambda line: (line.business_date, not line.superseded, line.created_at))


def trend_before(out: Path, business_date: date, *, most: int = TREND_RUNS) -> list[dict[str, Any]]:
    """
    Return the last `most` runs in `out` of dates before `business_date`, oldest first, for a report that shows them.

    Each has business_date, verdict, items, breaks, and at_stake: minor units per currency. A run whose summary cannot
    be read is left out: it must not stop tonight's.
    """
    lines = []
    for folder in [path for path in manifest.published(out) if path.name < business_date.isoformat()][-most:]:
        with contextlib.suppress(OutputError):
            line = _line(folder)
            lines.append({name: getattr(line, name) for name in _TREND})
    return lines


def verify_runs(out: Path) -> list[Verification]:
    """
    Read every file of every run in `out` and compare it with its manifest, and each run with the one before it.

    Raises OutputError when `out` is no folder, or a manifest cannot be read.
    """
    _check_folder(out)
    return [verify_run(folder) for folder in manifest.published(out)]


def verify_run(folder: Path) -> Verification:
    """Do for one run folder what `verify_runs` does for all."""
    document = manifest.read_manifest(folder)
    named = {output["path"] for output in document["outputs"]} | {manifest.NAME}
    strangers = sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and str(path.relative_to(folder)) not in named
    )
    problems = [*manifest.altered_files(folder), *(f"{name} is not in the manifest" for name in strangers)]
    link = document.get("previous")
    broken, note = _link(manifest.out_of(folder), link) if link else ("", "")
    return Verification(
        str(folder),
        str(document["run_id"]),
        len(named),
        (*problems, *([broken] if broken else ())),
        (note,) if note else (),
    )


def diff_runs(before: Path, after: Path) -> list[Change]:
    """
    Return the items that differ between the run folders `before` and `after`, sorted by kind of change and reference.

    Raises OutputError when one of them is no run folder, or its items cannot be read.
    """
    for folder in (before, after):
        manifest.read_manifest(folder)
    columns = ", ".join(
        f"a.{name} AS a_{name}, b.{name} AS b_{name}" for name in ("item_id", "reference", "payment_id", *_COMPARED)
    )
    differs = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in _COMPARED)
    query = f"""
        SELECT {columns} FROM {scan(before / "items.parquet")} a FULL JOIN {scan(after / "items.parquet")} b
        ON a.item_id = b.item_id WHERE a.item_id IS NULL OR b.item_id IS NULL OR {differs}
    """
    with contextlib.closing(duckdb.connect()) as connection:
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


def _check_folder(out: Path) -> None:
    if not out.is_dir():
        raise OutputError(f"{out}: there is no such folder", hint="name the folder of the runs with --out")


def _line(folder: Path, *, superseded: bool = False) -> RunLine:
    document = manifest.read_manifest(folder)
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
            business_date=summary["business_date"],
            run_id=summary["run_id"],
            verdict=summary["verdict"],
            payments=counts["payments"],
            orders=counts["orders"],
            items=counts["items"],
            breaks=counts["breaks"],
            rejects=counts["rejects"],
            at_stake={code: cents for code, cents in sorted(stake.items()) if cents},
            created_at=document["created_at"],
            folder=str(folder),
            superseded=superseded,
        )
    except (OSError, msgspec.DecodeError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path}: cannot be read as the summary of a run", hint="`reconcile runs verify` tells what was changed"
        ) from error


def _link(out: Path, link: dict[str, str]) -> tuple[str, str]:
    """What is wrong with the link to the run before, and what is only to be known of it."""
    folder = out / link["business_date"]
    replaced = out / manifest.SUPERSEDED / link["run_id"]
    if _is_linked(folder, link):
        return "", ""
    if _is_linked(replaced, link):
        return "", f"the run of {link['business_date']} was replaced after this one was made: run this date again"
    if not folder.is_dir():
        return f"the run before it, {link['business_date']} ({link['run_id']}), is gone", ""
    return f"the run before it, {link['business_date']}, is not the one it was made after ({link['run_id']})", ""


def _is_linked(folder: Path, link: dict[str, str]) -> bool:
    path = folder / manifest.NAME
    return path.is_file() and manifest.digest_of(path).sha256 == link["manifest_sha256"]


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
