"""
What follows once both sides are in the staged folder: matching → figures → reports → run folder → warehouse.

Every stage takes files and leaves files; nothing is seen under the run's name before all of it is there and proved.
Does not know where the sides came from.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pyarrow.parquet as pq
from msgspec import to_builtins
from msgspec.structs import asdict, replace

from reconcile.errors import OutputError, ReconcileError
from reconcile.figures import limits, proof
from reconcile.figures.compare import trend_of
from reconcile.figures.pulled import Mode
from reconcile.figures.roll_forward import roll_forward
from reconcile.figures.summary import VERSION, Counts, Figures, OrderBookFigures, Summary, Verdict
from reconcile.figures.totals import summarize
from reconcile.figures.units import refuse_other_unit
from reconcile.figures.warnings import neighbour_warnings, refuse_empty
from reconcile.files.disk import sha256_of
from reconcile.files.duckdb import connected
from reconcile.history import decisions, ledger
from reconcile.history.acceptances import standing
from reconcile.history.earlier import EarlierRuns, Neighbours, earlier_runs, neighbours, published_runs
from reconcile.history.identity import FOLLOWED
from reconcile.history.published import breaks_in
from reconcile.history.states import States
from reconcile.matching.items import RunFacts
from reconcile.matching.match import Resources, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import MatchReport
from reconcile.notices import Notice, notice
from reconcile.operations.by_rules import moves_apart
from reconcile.operations.noticed import noticed
from reconcile.operations.order_book import OrderBook, build_order_book
from reconcile.operations.staged_run import RunResult, StagedRun
from reconcile.reports.csv_tables import write_breaks, write_items_csv
from reconcile.runs import manifest
from reconcile.runs.folder import publishing_lock
from reconcile.runs.records import records_in
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.settings.stages import limits_of
from reconcile.version import __version__

if TYPE_CHECKING:
    from reconcile.warehouse.load import LoadReceipt

log = logging.getLogger("reconcile.run")


@dataclass(frozen=True, slots=True)
class MadeRun:
    """A staged run, its figures, what is to be known besides, the runs before it, the rows of the tables for people."""

    night: StagedRun
    summary: Summary
    notices: tuple[Notice, ...]
    earlier: EarlierRuns
    rows: dict[str, int]


def make(night: StagedRun) -> MadeRun:
    """Match, prove and sum up. Raises as `reconcile.operations.night.run`."""
    with connected(night.folder.path, night.settings.run.memory_limit):  # once, for all that is made there
        earlier = earlier_runs(night.out, night.business_date)
        night = with_order_book(night, earlier)
        run_id, report = matched(night, earlier)
        refuse_empty("payments", report.payments.rows, night.settings.run.on_empty_payments)
        refuse_other_unit(night.folder.items, night.settings.orders.format.amount_unit)
        rows = tables_written(night)
        summary = summarized(night, run_id, report, earlier)
        notices = noticed(night, run_id, report, earlier)
    return MadeRun(night, summary, tuple(notices), earlier, rows)


def close(made: MadeRun) -> RunResult:
    """Judge, report and publish. Raises as `reconcile.operations.night.run`."""
    place, summary = publish(made)
    run_id, verdict = summary.run_id, summary.verdict
    log.info("published %s", place, extra={"folder": str(place), "run_id": run_id, "verdict": verdict})
    load_to, exceeded = made.night.settings.run.load_to, summary.limits_exceeded
    within = [one.text for one in made.night.checks if not any(said.startswith(f"{one.text}: ") for said in exceeded)]
    return RunResult(place, summary, exceeded, tuple(within), _loaded(place, load_to) if load_to else None)


def with_order_book(night: StagedRun, earlier: EarlierRuns) -> StagedRun:
    """Return `night` with its order side built up from deliveries, where its files bring changes only."""
    settings = night.settings
    if not settings.population.brings_changes:
        return night
    with night.timings.stage("order book"):
        delivery, orders, limit = night.folder.delivery, night.folder.orders, settings.run.memory_limit
        book = build_order_book(delivery, orders, night.business_date, earlier.runs, settings.policy, limit)
    refuse_empty("orders", sum(line.rows for line in book.report.after), settings.run.on_empty_orders)
    return dataclasses.replace(night, book=book)


def matched(night: StagedRun, earlier: EarlierRuns) -> tuple[str, MatchReport]:
    """Write the items, with the states of breaks as the `earlier` runs and people's decisions make them."""
    folder, on, policy, chosen = night.folder, night.business_date, night.settings.policy, night.settings.run
    accepted = standing(decisions.read_decisions(night.out / decisions.NAME), on)
    organization = night.settings.commercelayer.organization or None
    run_id = run_id_of(on, (policy, organization), folder, earlier.runs, accepted)
    states = States(on, before=earlier.breaks, history=earlier.history, acceptances=accepted)
    run = RunFacts(on, run_id, states, organization)
    resources = Resources(chosen.engine, chosen.spark_master, chosen.memory_limit, spill=folder.path)
    with night.timings.stage("matching"):
        sides = folder.payments, folder.orders
        return run_id, match_to_parquet(*sides, folder.items, policy, run, resources, folder.transactions)


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
        apart = moves_apart(night, earlier)
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
            left_out=night.orders.left_out,
            bridge=figures.bridge,
            flag_agreement=figures.flag_agreement,
            aging=figures.aging,
            hash_totals=proof.hash_totals(
                folder.path, are_orders_grouped=policy.group_orders is not None, memory_limit=limit
            ),
            aging_from_data=figures.aging_from_data,
            patterns=figures.patterns,
            breakdown=figures.breakdown,
            roll_forward=roll_forward(earlier.breaks, breaks_in(folder.breaks, FOLLOWED)),
            roll_forward_by_rules=apart.by_rules if apart else (),
            roll_forward_by_data=apart.by_data if apart else (),
            key_profile=figures.key_profile,
            trend=trend_of(earlier.runs),
            order_book=order_book_of(night.book) if night.book is not None else None,
            pull=night.source.pull or None,
        )


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
        ledger.follow(night.out / ledger.NAME, published_runs(night.out))
    except OutputError as error:
        error.hint = f"{error.hint}; the run is published in {place}, and the ledger catches up at the next run"
        raise
    return place, complete


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


def order_book_of(book: OrderBook) -> OrderBookFigures:
    """Return the figures of an order book, as `summary.json` has them."""
    report = book.report
    return OrderBookFigures(
        deliveries=len(book.deliveries) + 1,
        before=report.before,
        changes=report.changes,
        after=report.after,
    )


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
    business_date: date,
    rules: tuple[MatchPolicy, str | None],
    folder: RunFolder,
    before: Sequence[ledger.PublishedRun],
    accepted: Any,
) -> str:
    """
    Return the id of the run whose sides are in `folder`, after the runs `before` and with what is `accepted`.

    `rules` are those of the matching, and the organization that its items are linked to.

    Equal inputs, settings, runs before and acceptances give an equal id, and with it the same bytes of items.parquet;
    what the runs before say of a break follows from them.
    """
    inputs = (folder.payments, folder.orders, *([folder.transactions] if folder.transactions else []))
    digest = manifest.digest_of_text(
        __version__,
        business_date.isoformat(),
        repr(rules),
        *map(sha256_of, inputs),
        *(f"{run.business_date} {run.run_id}" for run in before),
        repr(accepted.to_pydict()),
    )
    return f"{business_date:%Y%m%d}-{digest[:12]}"


def verdict_of(figures: Figures, exceeded: Sequence[str]) -> Verdict:
    """Return the verdict of a run by its figures and the limits that it exceeds."""
    if exceeded:
        return "over_limit"
    return "clean_with_exceptions" if figures.counts.breaks else "clean"
