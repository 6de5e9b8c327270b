"""
How a run is closed: judged by the limits, reported, published whole, and loaded where that is wanted.

Nothing is seen under the run's name before all of it is there and proved.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from msgspec import to_builtins
from msgspec.structs import replace

from reconcile.errors import OutputError, ReconcileError
from reconcile.figures import limits
from reconcile.figures.summary import Summary
from reconcile.figures.warnings import neighbour_warnings
from reconcile.files.disk import sha256_of
from reconcile.history import ledger
from reconcile.history.earlier import EarlierRuns, Neighbours, neighbours, published_runs
from reconcile.notices import Notice, notice
from reconcile.operations.made_run import MadeRun, verdict_of
from reconcile.operations.staged_run import RunResult, StagedRun
from reconcile.runs import manifest
from reconcile.runs.folder import publishing_lock
from reconcile.runs.records import records_in
from reconcile.runs.run_folder import RunFile
from reconcile.settings.stages import limits_of

if TYPE_CHECKING:
    from reconcile.warehouse.load import LoadReceipt

log = logging.getLogger("reconcile.run")


def close(made: MadeRun) -> RunResult:
    """Judge, report and publish. Raises as `reconcile.operations.night.run`."""
    place, summary = publish(made)
    run_id, verdict = summary.run_id, summary.verdict
    log.info("published %s", place, extra={"folder": str(place), "run_id": run_id, "verdict": verdict})
    load_to, exceeded = made.night.settings.run.load_to, summary.limits_exceeded
    within = [one.text for one in made.night.checks if not any(said.startswith(f"{one.text}: ") for said in exceeded)]
    return RunResult(place, summary, exceeded, tuple(within), _loaded(place, load_to) if load_to else None)


def publish(made: MadeRun) -> tuple[Path, Summary]:
    """Judge, write what people read, and publish; return the folder, and the summary with its verdict and notices."""
    night, earlier, counts = made.night, made.earlier, made.summary.counts
    rows = {
        **made.rows,
        RunFile.PAYMENTS: counts.payments,
        RunFile.ORDERS: counts.orders,
        RunFile.ITEMS: counts.items,
        RunFile.BREAKS: counts.breaks,
        RunFile.REJECTS: counts.rejects,
    }
    if night.book is not None:
        rows[RunFile.DELIVERY] = pq.read_metadata(night.folder.delivery).num_rows
    if night.folder.transactions is not None:
        rows[RunFile.TRANSACTIONS] = pq.read_metadata(night.folder.transactions).num_rows
    told = neighbours(night.out, night.business_date, earlier)
    while True:
        known = told
        complete = judged(night, made.summary, [*made.notices, *neighbour_warnings(known)])
        record = record_of(night, complete, earlier, known)
        reports_written(night, complete, record)
        outputs = night.staging.outputs(rows)
        with publishing_lock(night.out):
            # What has come since would be reported nowhere: neither there nor here.
            if (told := neighbours(night.out, night.business_date, earlier)) == known:
                place = night.staging.publish(record, outputs)
                break
    for one in complete.warnings:
        log.info("%s", one.line, extra={"code": one.code})
    try:
        ledger.follow(night.out / ledger.LEDGER_NAME, published_runs(night.out))
    except OutputError as error:
        error.hint = f"{error.hint}; the run is published in {place}, and the ledger catches up at the next run"
        raise
    return place, complete


def judged(night: StagedRun, summary: Summary, notices: Sequence[Notice]) -> Summary:
    """Return `summary` with its verdict by the limits, and everything that is to be known besides."""
    over = limits.exceeded(limits_of(night.settings.run.warn_on, "--warn-on"), summary, notices)
    told = (*notices, *(notice("over_limit", f"over limit: {sentence}") for sentence in over))
    exceeded = limits.exceeded(night.checks, summary, told)
    return replace(
        summary,
        verdict=verdict_of(summary, exceeded),
        limits_exceeded=tuple(exceeded),
        warnings=told,
        seconds=night.timings.seconds,
    )


def record_of(night: StagedRun, summary: Summary, earlier: EarlierRuns, known: Neighbours) -> dict[str, object]:
    """Return the manifest, but for its outputs."""
    return {
        **summary.head,
        **to_builtins(night.source),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": manifest.software(),
        "settings": night.settings.public(),
        "inputs": night.orders.as_dict(),
        "clean": {"rules": night.settings.match.clean.as_dict(), "keys": summary.key_profile.cleaning},
        "previous": earlier.link,
        **book_record(night, summary.run_id),
        "runs_meanwhile": known.meanwhile,
        "later_runs": known.later,
        "records": records_in(night.out),
        "control": summary.control,
    }


def book_record(night: StagedRun, run_id: str) -> dict[str, object]:
    """Return what the manifest says of the deliveries that the order book is made of; empty without one."""
    if night.book is None:
        return {}
    own = manifest.Delivery(night.business_date, run_id, sha256_of(night.folder.delivery))
    return {"order_book": manifest.BookRecord((*night.book.deliveries, own))}


def reports_written(night: StagedRun, summary: Summary, record: dict[str, object]) -> None:
    """Write the summary, and the reports that are wanted."""
    folder, limit, wanted = night.folder, night.settings.run.memory_limit, night.settings.reports
    manifest.write_json(folder.summary, summary)
    if wanted.html:
        from reconcile.reports.page.html import write_html

        write_html(folder.path, folder.page, manifest=record, memory_limit=limit)
    if wanted.xlsx:
        from reconcile.reports.workbook.xlsx import write_xlsx

        write_xlsx(folder.path, folder.workbook, max_rows=wanted.max_rows, memory_limit=limit)


def _loaded(place: Path, url: str) -> LoadReceipt:
    from reconcile.warehouse.load import load_run

    try:
        return load_run(place, url)
    except ReconcileError as error:
        published = f"the run is published; once this is fixed: reconcile load {place} --to {url}"
        error.hint = f"{error.hint}; {published}" if error.hint else published
        raise
