"""
What follows once both sides are in the staged folder: matching → figures → reports → run folder → warehouse.

Every stage takes files and leaves files; nothing is seen under the run's name before all of it is there and proved.
Does not know where the sides came from.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec import to_builtins
from msgspec.structs import asdict, replace

from reconcile.errors import OutputError, ReconcileError
from reconcile.figures import limits, proof
from reconcile.figures.aging import aging_from_data
from reconcile.figures.compare import trend_of
from reconcile.figures.roll_forward import roll_forward
from reconcile.figures.summary import VERSION, Counts, Figures, Mode, Summary, Verdict
from reconcile.figures.totals import summarize
from reconcile.figures.warnings import grouping_warnings, neighbour_warnings, refuse_empty, run_warnings
from reconcile.files.disk import sha256_of
from reconcile.files.duckdb import connected
from reconcile.history import decisions, ledger
from reconcile.history.earlier import EarlierRuns, Neighbours, earlier_runs, neighbours, published_runs
from reconcile.history.states import States
from reconcile.matching.items import RunFacts
from reconcile.matching.match import Resources, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import MatchReport
from reconcile.operations.staged_run import RunResult, StagedRun
from reconcile.reports.csv_tables import write_breaks, write_items_csv
from reconcile.runs import manifest
from reconcile.runs.folder import publishing_lock
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.settings.stages import limits_of
from reconcile.version import __version__

if TYPE_CHECKING:
    from reconcile.warehouse.load import LoadReceipt

log = logging.getLogger("reconcile.run")


@dataclass(frozen=True, slots=True)
class MadeRun:
    """A staged run, its summary, the runs before it, and the rows of the tables that were written for people."""

    night: StagedRun
    summary: Summary
    earlier: EarlierRuns
    rows: dict[str, int]


def make(night: StagedRun) -> MadeRun:
    """Match, prove and sum up. Raises as `reconcile.operations.night.run`."""
    with connected(night.folder.path, night.settings.run.memory_limit):  # once, for all that is made there
        earlier = earlier_runs(night.out, night.business_date)
        run_id, report = matched(night, earlier)
        refuse_empty("payments", report.payments.rows, night.settings.run.on_empty_payments)
        rows = tables_written(night)
        summary = summarized(night, run_id, report, earlier)
    return MadeRun(night, judged(night, summary, warnings_of(night, report, earlier)), earlier, rows)


def close(made: MadeRun) -> RunResult:
    """Report and publish. Raises as `reconcile.operations.night.run`."""
    place, summary = publish(made.night, made.summary, made.earlier, made.rows)
    run_id, verdict = summary.run_id, summary.verdict
    log.info("published %s", place, extra={"folder": str(place), "run_id": run_id, "verdict": verdict})
    load_to = made.night.settings.run.load_to
    return RunResult(place, summary, summary.limits_exceeded, _loaded(place, load_to) if load_to else None)


def matched(night: StagedRun, earlier: EarlierRuns) -> tuple[str, MatchReport]:
    """Write the items, with the states of breaks as the `earlier` runs and people's decisions make them."""
    folder, on, policy, chosen = night.folder, night.business_date, night.settings.policy, night.settings.run
    accepted = decisions.standing(decisions.read_decisions(night.out / decisions.NAME), on)
    run_id = run_id_of(on, policy, folder, earlier.runs, accepted)
    run = RunFacts(on, run_id, States(on, history=earlier.history, acceptances=accepted))
    resources = Resources(chosen.engine, chosen.spark_master, chosen.memory_limit, spill=folder.path)
    with night.timings.stage("matching"):
        return run_id, match_to_parquet(folder.payments, folder.orders, folder.items, policy, run, resources)


def tables_written(night: StagedRun) -> dict[str, int]:
    """Write items and breaks for people; return the rows of each file."""
    folder, limit = night.folder, night.settings.run.memory_limit
    with night.timings.stage("reports"):
        return {
            RunFile.ITEMS_CSV: write_items_csv(folder.items, folder.items_csv, memory_limit=limit),
            RunFile.BREAKS_CSV: write_breaks(folder.items, folder.breaks, folder.breaks_csv, memory_limit=limit),
        }


def summarized(night: StagedRun, run_id: str, report: MatchReport, earlier: EarlierRuns) -> Summary:
    """
    Return the summary as the figures make it: no limit is looked at yet, and nothing warned of.

    Raises ProofFailed when the totals of a file are not those of the items.
    """
    folder, limit, policy = night.folder, night.settings.run.memory_limit, night.settings.policy
    with night.timings.stage("summary"):
        figures = summarize(folder.items, report.control, report.key_profile)
        proof.prove_files(folder.path, figures, amount_basis=policy.amount_basis)
        return Summary(
            version=VERSION,
            business_date=night.business_date,
            run_id=run_id,
            organization=night.source.organization,
            mode=cast(Mode | None, night.source.mode),  # both ways to a side have checked it
            amount_basis=policy.amount_basis,
            verdict=verdict_of(figures, ()),
            counts=Counts(**asdict(figures.counts), rejects=night.orders.rejects),
            statuses=figures.statuses,
            control=figures.control,
            bridge=figures.bridge,
            flag_agreement=figures.flag_agreement,
            aging=figures.aging,
            hash_totals=proof.hash_totals(
                folder.path, are_orders_grouped=policy.group_orders is not None, memory_limit=limit
            ),
            aging_from_data=aging_from_data(folder.path, memory_limit=limit),
            patterns=figures.patterns,
            roll_forward=roll_forward(earlier.breaks, ledger.breaks_at_stake(folder.breaks)),
            key_profile=figures.key_profile,
            trend=trend_of(earlier.runs),
            pull=night.source.pull or None,
        )


def warnings_of(night: StagedRun, report: MatchReport, earlier: EarlierRuns) -> list[str]:
    """Return what a reader of the figures must know."""
    source = night.source
    warnings = run_warnings(
        night.orders,
        report,
        pull=source.pull or None,
        narrowed=source.narrowed or None,
        why_all=source.why_all,
    )
    warnings += [f"{problem}; none of it was needed" for problem in earlier.problems]
    if night.settings.match.group_orders is not None:
        warnings += grouping_warnings(night.orders)
    return warnings


def judged(night: StagedRun, summary: Summary, warnings: list[str]) -> Summary:
    """Return `summary` with its verdict by the limits, and everything that is warned of."""
    exceeded = limits.exceeded(night.checks, summary)
    over = limits.exceeded(limits_of(night.settings.run.warn_on, "--warn-on"), summary)
    warnings = [*warnings, *(f"over limit: {sentence}" for sentence in over)]
    for warning in warnings:
        log.info("warning: %s", warning)
    return replace(
        summary,
        verdict=verdict_of(summary, exceeded),
        limits_exceeded=tuple(exceeded),
        warnings=tuple(warnings),
        seconds=night.timings.seconds,
    )


def publish(night: StagedRun, summary: Summary, earlier: EarlierRuns, rows: dict[str, int]) -> tuple[Path, Summary]:
    """Write what people read, and publish; return the folder, and `summary` with what was reported last."""
    counts = summary.counts
    rows = {
        **rows,
        RunFile.PAYMENTS: counts.payments,
        RunFile.ORDERS: counts.orders,
        RunFile.ITEMS: counts.items,
        RunFile.BREAKS: counts.breaks,
        RunFile.REJECTS: counts.rejects,
    }
    told = neighbours(night.out, night.business_date, earlier)
    while True:
        known = told
        complete = replace(summary, warnings=(*summary.warnings, *neighbour_warnings(known)))
        record = record_of(night, summary, earlier, known)
        reports_written(night, complete, record)
        outputs = night.staging.outputs(rows)
        with publishing_lock(night.out):
            # What has come since would be reported nowhere: neither there nor here.
            if (told := neighbours(night.out, night.business_date, earlier)) == known:
                place = night.staging.publish(record, outputs)
                break
    try:
        ledger.follow(night.out / ledger.NAME, published_runs(night.out))
    except OutputError as error:
        error.hint = f"{error.hint}; the run is published in {place}, and the ledger catches up at the next run"
        raise
    return place, complete


def record_of(night: StagedRun, summary: Summary, earlier: EarlierRuns, known: Neighbours) -> dict[str, object]:
    """Return the manifest, but for its outputs."""
    record = night.out / decisions.NAME
    return {
        **summary.head,
        **to_builtins(night.source),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": manifest.software(),
        "settings": night.settings.public(),
        "inputs": night.orders.as_dict(),
        "clean": {"rules": night.settings.match.clean.as_dict(), "keys": summary.key_profile.cleaning},
        "previous": earlier.link,
        "runs_meanwhile": known.meanwhile,
        "later_runs": known.later,
        "records": [manifest.digest_of(record, name=decisions.NAME)] if record.is_file() else [],
        "control": summary.control,
    }


def reports_written(night: StagedRun, summary: Summary, record: dict[str, object]) -> None:
    """Write the summary, and the reports that are wanted."""
    folder, limit, wanted = night.folder, night.settings.run.memory_limit, night.settings.reports
    manifest.write_json(folder.summary, summary)
    if wanted.html:
        from reconcile.reports.page.html import write_html

        write_html(folder.path, folder.page, manifest=record, memory_limit=limit)
    if wanted.xlsx:
        from reconcile.reports.workbook.xlsx import write_xlsx

        write_xlsx(folder.path, folder.workbook, memory_limit=limit)


def _loaded(place: Path, url: str) -> LoadReceipt:
    from reconcile.warehouse.load import load_run

    try:
        return load_run(place, url)
    except ReconcileError as error:
        published = f"the run is published; once this is fixed: reconcile load {place} --to {url}"
        error.hint = f"{error.hint}; {published}" if error.hint else published
        raise


def run_id_of(
    business_date: date, policy: MatchPolicy, folder: RunFolder, before: Sequence[ledger.PublishedRun], accepted: Any
) -> str:
    """
    Return the id of the run whose sides are in `folder`, after the runs `before` and with what is `accepted`.

    Equal inputs, settings, runs before and acceptances give an equal id, and with it the same bytes of items.parquet;
    what the runs before say of a break follows from them.
    """
    digest = manifest.digest_of_text(
        __version__,
        business_date.isoformat(),
        repr(policy),
        sha256_of(folder.payments),
        sha256_of(folder.orders),
        *(f"{run.business_date} {run.run_id}" for run in before),
        repr(accepted.to_pydict()),
    )
    return f"{business_date:%Y%m%d}-{digest[:12]}"


def verdict_of(figures: Figures, exceeded: Sequence[str]) -> Verdict:
    """Return the verdict of a run by its figures and the limits that it exceeds."""
    if exceeded:
        return "over_limit"
    return "clean_with_exceptions" if figures.counts.breaks else "clean"
