"""
Runs verified: by their digests and their chain, by adding up their files against each other, by matching them again.

Digests protect every run that a later one names: who alters it breaks the chain. The last run is named by none, so that
its files could be altered and hashed again; therefore everything in it that follows from its own files is made again
and compared. Writes nothing where the runs are.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec.structs import asdict, replace

from reconcile.errors import OutputError, ProofFailed, ReconcileError
from reconcile.figures import limits, proof
from reconcile.figures.roll_forward import hang_together, roll_forward
from reconcile.figures.summary import Counts, Summary, read_summary
from reconcile.figures.totals import summarize
from reconcile.files.duckdb import connected
from reconcile.history import ledger
from reconcile.history.earlier import published_runs
from reconcile.history.identity import FOLLOWED
from reconcile.history.published import breaks_in
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import MatchReport
from reconcile.operations.made_run import verdict_of
from reconcile.operations.order_book import build_order_book
from reconcile.operations.replay import differing_items, replay
from reconcile.reports.csv_tables import items_columns, write_breaks, write_items_csv
from reconcile.reports.page.html import render_html
from reconcile.reports.workbook.xlsx import write_xlsx
from reconcile.runs.folder import out_of, read_manifest
from reconcile.runs.manifest import Manifest, digest_of, other_software
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.runs.verify import Verification, unvouched, verify_run, verify_runs
from reconcile.schema import ITEMS
from reconcile.settings.settings import Settings
from reconcile.settings.stages import limits_of, settings_of

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
            # A run whose files were changed is reported already: what they give is of no interest.
            one if one.problems or not (is_replayed or one.folder in deep)
            else _made_again(one, Path(place), runs_in, is_replayed=is_replayed)
            for one in found
        ]  # fmt: skip


def _made_again(found: Verification, place: Path, runs_in: RunsIn, *, is_replayed: bool) -> Verification:
    """Return `found` with what comes of making the run's files again; with `is_replayed` it is matched again first."""
    folder = Path(found.folder)
    problems: list[str] = []
    notes: list[str] = []
    try:
        run = _opened(folder, runs_in)
        if run.is_earlier:
            notes.append("was made by an earlier version: what that version did not know is not compared")
        if is_replayed:
            again = replay(folder, run.manifest, place, runs_in(out_of(folder)))
            problems.extend(filter(None, [again.problem]))
            notes.extend(filter(None, [again.note]))
            run = dataclasses.replace(run, report=again.report)
        with connected(place, run.settings.run.memory_limit):  # once, for all that is made there
            for check in (*_CHECKS, _workbook) if is_replayed else _CHECKS:
                problems.extend(check(run, place))
    except ProofFailed as error:
        problems.append(error.message)
    except ReconcileError as error:
        problems.append(f"cannot be made again: {error.message}")
    return dataclasses.replace(
        found, problems=tuple(problems), notes=(*found.notes, *notes), replayed=is_replayed and not problems
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """
    A published run to be made again; `report` is that of matching it again, null where that was not requested.

    `columns` are those of its items: all of ITEMS, or what an earlier version knew. `runs_in` gives the published runs
    of a folder, which are read once for all that are verified.
    """

    folder: Path
    manifest: Manifest
    settings: Settings
    policy: MatchPolicy
    summary: Summary
    columns: tuple[str, ...]
    runs_in: RunsIn
    report: MatchReport | None = None

    @property
    def is_earlier(self) -> bool:
        """Whether an earlier version has made it, whose reports and figures were others."""
        return set(self.columns) != set(ITEMS.names)


def _opened(folder: Path, runs_in: RunsIn) -> _Run:
    manifest = read_manifest(folder)
    settings = settings_of(manifest, folder)
    columns = tuple(items_columns(RunFolder(folder).items).names)
    return _Run(folder, manifest, settings, settings.policy, read_summary(folder), columns, runs_in)


def _tables(run: _Run, place: Path) -> Iterator[str]:
    """Breaks and CSV files follow from the items."""
    published, again, limit = RunFolder(run.folder), RunFolder(place), run.settings.run.memory_limit
    if _has_items_csv(run):
        write_items_csv(published.items, again.items_csv, memory_limit=limit)
    write_breaks(published.items, again.breaks, again.breaks_csv, memory_limit=limit)
    if differing_items(published.breaks, again.breaks, run.columns):
        yield "breaks.parquet: its rows are not the breaks in items.parquet"
    for name, source in ((RunFile.ITEMS_CSV, RunFile.ITEMS), (RunFile.BREAKS_CSV, RunFile.BREAKS)):
        if (place / name).exists() and _is_other(run, name, place / name):
            yield f"{name}: is not what is written from {source}"


def _has_items_csv(run: _Run) -> bool:
    return RunFile.ITEMS_CSV in run.manifest.digests or run.settings.reports.items_csv


def _figures(run: _Run, place: Path) -> Iterator[str]:
    """Counts and totals follow from both sides and the items; the roll-forward from the run before, too."""
    folder, policy, limit = run.folder, run.policy, run.settings.run.memory_limit
    proof.prove_files(folder, run.summary, amount_basis=policy.amount_basis, has_items_csv=_has_items_csv(run))
    again = run.report
    figures = summarize(
        RunFolder(folder).items,
        again.control if again is not None else proof.control_of(folder, amount_basis=policy.amount_basis),
        again.key_profile if again is not None else run.summary.key_profile,
    )
    counts = Counts(**asdict(figures.counts), rejects=run.manifest.digests[RunFile.REJECTS].rows or 0)
    if again is None and policy.group_orders is not None:  # how many rows an item stands for: only the matching knows
        counts = replace(counts, orders=run.summary.counts.orders)
        figures = replace(figures, control=run.summary.control)
    # What is warned of follows from runs before it, too: its own summary says it.
    exceeded = limits.exceeded(limits_of(run.settings.run.fail_on, "--fail-on"), figures, run.summary.warnings)
    before = _breaks_before(run)
    found = {
        **asdict(figures),
        "counts": counts,
        "hash_totals": proof.hash_totals(
            folder, are_orders_grouped=policy.group_orders is not None, memory_limit=limit, spill=place
        ),
        "limits_exceeded": tuple(exceeded),
        "verdict": verdict_of(figures, exceeded),
    }
    if before is not None:
        found["roll_forward"] = roll_forward(before, breaks_in(RunFolder(folder).breaks, FOLLOWED))
    if run.summary.apart is not None and not hang_together(run.summary.roll_forward, run.summary.apart):
        yield "summary.json: what came and went by rules and by data is not its roll_forward"
    for name, value in found.items():
        if _COUNTED_FROM.get(name, "item_id") in run.columns and getattr(run.summary, name) != value:
            yield f"summary.json: its {name} are not those of the run's files"


_COUNTED_FROM = {
    "statuses": "at_stake_currency_code",  # the proof has compared them as that version counted
    "aging_from_data": "data_age_days",
    "patterns": "data_age_days",
    "breakdown": "order_carried",
}
"""Figures that are made from a column which came later: from another, or by other rules, where it is not there."""


def _head(run: _Run, place: Path) -> Iterator[str]:
    """Summary, manifest and items are of one run."""
    for name, value in msgspec.to_builtins(run.summary.head).items():
        if run.manifest.document.get(name) != value:
            yield f"summary.json: its {name} is not that of manifest.json"
    of_run = {"business_date": run.manifest.business_date, "run_id": run.manifest.run_id}
    table = pq.read_table(RunFolder(run.folder).items, columns=list(of_run))
    if any(set(table[name].unique().to_pylist()) - {value} for name, value in of_run.items()):
        yield "items.parquet: has rows of a different run from manifest.json"


def _book(run: _Run, place: Path) -> Iterator[str]:
    """The order book follows from the deliveries that it names, as long as they are what is published."""
    record, folder = run.manifest.order_book, RunFolder(run.folder)
    if record is None or other_software(run.manifest):
        return
    on, limit = run.manifest.business_date, run.settings.run.memory_limit
    before = [one for one in run.runs_in(out_of(run.folder)) if one.business_date < on]
    again = RunFolder(place).orders
    try:
        book = build_order_book(folder.delivery, again, on, before, run.policy, limit)
    except OutputError:  # of an earlier run, which is reported there
        return
    if book.deliveries == record.deliveries[:-1] and _is_other(run, RunFile.ORDERS, again):
        yield "orders.parquet: is not the order book that the deliveries make"


def _page(run: _Run, place: Path) -> Iterator[str]:
    """The page follows from the files; of another version's no word need be the same."""
    if RunFile.PAGE not in run.manifest.digests or _is_of_other_version(run):
        return
    (RunFolder(place).page).write_bytes(render_html(run.folder, memory_limit=run.settings.run.memory_limit))
    if _is_other(run, RunFile.PAGE, RunFolder(place).page):
        yield "report.html: is not what is rendered from the run's files"


_CHECKS: tuple[Callable[[_Run, Path], Iterator[str]], ...] = (_head, _book, _tables, _figures, _page)


def _workbook(run: _Run, place: Path) -> Iterator[str]:
    if RunFile.WORKBOOK not in run.manifest.digests or _is_of_other_version(run):
        return
    settings = run.settings
    write_xlsx(
        run.folder,
        RunFolder(place).workbook,
        max_rows=settings.reports.max_rows,
        memory_limit=settings.run.memory_limit,
    )
    if _is_other(run, RunFile.WORKBOOK, RunFolder(place).workbook):
        yield "report.xlsx: is not what is written from the run's files"


def _is_of_other_version(run: _Run) -> bool:
    return run.is_earlier or bool(other_software(run.manifest))


def _breaks_before(run: _Run) -> pa.Table | None:
    """The breaks of the run before, as they were: null when that run is there no longer."""
    link = run.manifest.previous
    if link is None:
        return breaks_in(RunFolder(run.folder).breaks, FOLLOWED).slice(0, 0)
    folder = out_of(run.folder) / link.business_date.isoformat()
    try:
        is_same = read_manifest(folder).sha256 == link.manifest_sha256
    except OutputError:
        return None
    return breaks_in(RunFolder(folder).breaks, FOLLOWED) if is_same else None


def _is_other(run: _Run, name: str, again: Path) -> bool:
    return run.manifest.digests[name].sha256 != digest_of(again).sha256
