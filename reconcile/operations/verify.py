"""
Runs verified: by their digests and their chain, by adding up their files against each other, by matching them again.

Digests protect every run that a later one names: who alters it breaks the chain. The last run is named by none, so that
its files could be altered and hashed again; therefore everything in it that follows from its own files is made again
and compared. Writes nothing where the runs are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from reconcile.errors import OutputError, ProofFailed, ReconcileError
from reconcile.figures import limits, totals
from reconcile.files.duckdb import connected
from reconcile.history import ledger
from reconcile.history.earlier import published_runs
from reconcile.matching.match import MatchReport
from reconcile.matching.policy import MatchPolicy
from reconcile.operations.closing import figures_of, verdict_of
from reconcile.operations.replay import differing_items, replay
from reconcile.reports.csv_tables import write_breaks, write_items_csv
from reconcile.reports.page.html import render_html
from reconcile.reports.workbook.xlsx import write_xlsx
from reconcile.runs.folder import out_of, read_manifest
from reconcile.runs.manifest import Manifest, digest_of, other_software
from reconcile.runs.verify import Verification, unvouched, verify_run, verify_runs
from reconcile.settings.settings import Settings
from reconcile.settings.stages import limits_of, policy_of, settings_of

RunsIn = Callable[[Path], list[ledger.PublishedRun]]


def verify(out: Path, folders: Sequence[Path] = (), *, is_replayed: bool = False) -> list[Verification]:
    """
    Verify the run folders `folders`, or every run in `out` where none is named.

    Those that are named, and those that no later run vouches for, are also added up again; with `is_replayed` all are
    matched again. Raises OutputError when `out` is no folder, or one of `folders` is no run folder.
    """
    found = [verify_run(folder) for folder in folders] if folders else verify_runs(out)
    deep = set(map(str, folders or unvouched(out)))
    runs_in: RunsIn = cache(published_runs)
    with tempfile.TemporaryDirectory(prefix="reconcile-") as place:
        return [
            # A run whose files were changed is told already: what they give is of no interest.
            one if one.problems or not (is_replayed or one.folder in deep)
            else _made_again(one, Path(place), runs_in if is_replayed else None)
            for one in found
        ]  # fmt: skip


def _made_again(found: Verification, place: Path, runs_in: RunsIn | None) -> Verification:
    """Return `found` with what comes of making the run's files again; with `runs_in` it is matched again first."""
    folder = Path(found.folder)
    problems: list[str] = []
    notes: list[str] = []
    try:
        run = _opened(folder)
        if runs_in is not None:
            again = replay(folder, run.manifest, place, runs_in(out_of(folder)))
            problems.extend(filter(None, [again.problem]))
            notes.extend(filter(None, [again.note]))
            run = replace(run, report=again.report)
        with connected(place, run.settings.memory_limit):  # once, for all that is made there
            for check in _CHECKS if runs_in is None else (*_CHECKS, _workbook):
                problems.extend(check(run, place))
    except ProofFailed as error:
        problems.append(error.message)
    except ReconcileError as error:
        problems.append(f"cannot be made again: {error.message}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problems.append(f"summary.json: is not of this version: {error!r}")
    return replace(
        found, problems=tuple(problems), notes=(*found.notes, *notes), replayed=runs_in is not None and not problems
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """A published run to be made again; `report` is that of matching it again, null where that was not asked for."""

    folder: Path
    manifest: Manifest
    settings: Settings
    policy: MatchPolicy
    summary: dict[str, Any]
    report: MatchReport | None = None


def _opened(folder: Path) -> _Run:
    manifest = read_manifest(folder)
    settings = settings_of(manifest, folder)
    written = msgspec.json.decode((folder / "summary.json").read_bytes(), type=dict[str, Any])
    return _Run(folder, manifest, settings, policy_of(settings), written)


def _tables(run: _Run, place: Path) -> Iterator[str]:
    """Breaks and CSV files follow from the items."""
    items, limit = run.folder / "items.parquet", run.settings.memory_limit
    write_items_csv(items, place / "items.csv", memory_limit=limit)
    write_breaks(items, place / "breaks.parquet", place / "breaks.csv", memory_limit=limit)
    if differing_items(run.folder / "breaks.parquet", place / "breaks.parquet"):
        yield "breaks.parquet: its rows are not the breaks in items.parquet"
    for name, source in (("items.csv", "items.parquet"), ("breaks.csv", "breaks.parquet")):
        if _is_other(run, name, place / name):
            yield f"{name}: is not what is written of {source}"


def _figures(run: _Run, place: Path) -> Iterator[str]:
    """Counts and totals follow from both sides and the items; the roll-forward from the run before, too."""
    totals.prove_files(run.folder, run.summary, amount_basis=run.policy.amount_basis)
    control = (
        run.report.as_dict()["control_totals"]
        if run.report is not None
        else totals.control_of(run.folder, amount_basis=run.policy.amount_basis)
    )
    limit = run.settings.memory_limit
    figures = figures_of(run.folder, control, run.policy, memory_limit=limit, spill=place)
    figures["counts"]["rejects"] = run.manifest.digests["rejects.csv"].rows
    if run.report is None and run.policy.group_orders is not None:
        del figures["control"]  # how many rows an item stands for is known to the matching only
        figures["counts"].pop("orders")
    if run.report is not None:
        figures["key_profile"] = run.report.as_dict()["key_profile"]
    if (before := _breaks_before(run)) is not None:
        figures["roll_forward"] = ledger.roll_forward(before, ledger.breaks_at_stake(run.folder / "breaks.parquet"))
    exceeded = limits.exceeded(limits_of(run.settings.fail_on, "--fail-on"), figures)
    figures |= {"limits_exceeded": exceeded, "verdict": verdict_of(figures, exceeded)}
    for name, value in msgspec.json.decode(msgspec.json.encode(figures)).items():
        found = run.summary.get(name)
        if isinstance(value, dict) and isinstance(found, dict):
            found = {key: found.get(key) for key in value}
        if found != value:
            yield f"summary.json: its {name} are not those of the run's files"


def _head(run: _Run, place: Path) -> Iterator[str]:
    """Summary, manifest and items are of one run."""
    document = run.manifest.document
    for name in ("version", "business_date", "run_id", "organization", "mode", "amount_basis", "verdict"):
        if run.summary.get(name) != document.get(name):
            yield f"summary.json: its {name} is not that of manifest.json"
    of_run = {"business_date": run.manifest.business_date, "run_id": run.manifest.run_id}
    table = pq.read_table(run.folder / "items.parquet", columns=list(of_run))
    if any(set(table[name].unique().to_pylist()) - {value} for name, value in of_run.items()):
        yield "items.parquet: has rows of another run than manifest.json"


def _page(run: _Run, place: Path) -> Iterator[str]:
    """The page follows from the files; of another version's no word need be the same."""
    if "report.html" not in run.manifest.digests or other_software(run.manifest):
        return
    (place / "report.html").write_bytes(render_html(run.folder, memory_limit=run.settings.memory_limit))
    if _is_other(run, "report.html", place / "report.html"):
        yield "report.html: is not what is rendered of the run's files"


_CHECKS: tuple[Callable[[_Run, Path], Iterator[str]], ...] = (_head, _tables, _figures, _page)


def _workbook(run: _Run, place: Path) -> Iterator[str]:
    if "report.xlsx" not in run.manifest.digests or other_software(run.manifest):
        return
    write_xlsx(run.folder, place / "report.xlsx", memory_limit=run.settings.memory_limit)
    if _is_other(run, "report.xlsx", place / "report.xlsx"):
        yield "report.xlsx: is not what is written of the run's files"


def _breaks_before(run: _Run) -> Any:
    """The breaks of the run before, as they were: null when that run is there no longer."""
    link = run.manifest.previous
    if link is None:
        return ledger.breaks_at_stake(run.folder / "breaks.parquet").slice(0, 0)
    folder = out_of(run.folder) / link.business_date.isoformat()
    try:
        is_same = read_manifest(folder).sha256 == link.manifest_sha256
    except OutputError:
        return None
    return ledger.breaks_at_stake(folder / "breaks.parquet") if is_same else None


def _is_other(run: _Run, name: str, again: Path) -> bool:
    return run.manifest.digests[name].sha256 != digest_of(again).sha256
