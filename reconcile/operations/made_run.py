"""
What comes of a staged run: matched, proved and summed up, with everything that is to be known besides.

Takes both sides as files and leaves files beside them. Does not know where the sides came from, and publishes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from msgspec.structs import asdict

from reconcile.figures import proof
from reconcile.figures.compare import trend_of
from reconcile.figures.pulled import Mode
from reconcile.figures.roll_forward import roll_forward
from reconcile.figures.summary import VERSION, Counts, Figures, OrderBookFigures, Summary, Verdict
from reconcile.figures.totals import summarize
from reconcile.figures.units import hundredfold, refuse_other_unit
from reconcile.figures.warnings import refuse_empty
from reconcile.files.disk import sha256_of
from reconcile.files.duckdb import connected
from reconcile.history import decisions, ledger
from reconcile.history.acceptances import standing
from reconcile.history.earlier import EarlierRuns
from reconcile.history.identity import FOLLOWED
from reconcile.history.published import breaks_in
from reconcile.history.states import BreakStates
from reconcile.matching.items import RunFacts
from reconcile.matching.match import Resources, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.notices import Notice
from reconcile.operations.before import Before, what_was_before
from reconcile.operations.by_rules import moves_apart
from reconcile.operations.noticed import noticed
from reconcile.operations.order_book import OrderBook, build_order_book
from reconcile.operations.staged_run import Matched, StagedRun
from reconcile.reports.csv_tables import write_breaks, write_items_csv
from reconcile.runs.manifest import digest_of_text
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.version import __version__


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
        before = what_was_before(night)
        night = with_order_book(night, before.runs)
        result = matched(night, before.runs)
        rows = tables_written(night)
        summary = summarized(night, result, before)
        notices = noticed(night, result, before)
    return MadeRun(night, summary, tuple(notices), before.runs, rows)


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


def matched(night: StagedRun, earlier: EarlierRuns) -> Matched:
    """
    Write the items, with the states of breaks as the `earlier` runs and people's decisions make them.

    Raises when there are no payments, or the order totals are in another unit than they: no figure says anything then.
    """
    folder, on, policy, chosen = night.folder, night.business_date, night.settings.policy, night.settings.run
    accepted = standing(decisions.read_decisions(night.out / decisions.NAME), on)
    organization = night.settings.commercelayer.organization or None
    run_id = run_id_of(on, (policy, organization), folder, earlier.runs, accepted)
    states = BreakStates(on, before=earlier.breaks, history=earlier.history, acceptances=accepted)
    run = RunFacts(on, run_id, states, organization)
    resources = Resources(chosen.engine, chosen.spark_master, chosen.memory_limit, spill=folder.path)
    with night.timings.stage("matching"):
        sides = folder.payments, folder.orders
        report = match_to_parquet(*sides, folder.items, policy, run, resources, folder.transactions)
    refuse_empty("payments", report.payments.rows, chosen.on_empty_payments)
    units = hundredfold(folder.items)
    refuse_other_unit(units, night.settings.orders.format.amount_unit)
    return Matched(run_id, report, units)


def tables_written(night: StagedRun) -> dict[str, int]:
    """Write items and breaks for people; return the rows of each file."""
    folder, limit = night.folder, night.settings.run.memory_limit
    with night.timings.stage("reports"):
        rows: dict[str, int] = {}
        if night.settings.reports.items_csv:
            rows[RunFile.ITEMS_CSV] = write_items_csv(folder.items, folder.items_csv, memory_limit=limit)
        rows[RunFile.BREAKS_CSV] = write_breaks(folder.items, folder.breaks, folder.breaks_csv, memory_limit=limit)
        return rows


def summarized(night: StagedRun, result: Matched, before: Before) -> Summary:
    """
    Return the summary as the figures make it: no limit is looked at yet, and nothing warned of.

    Raises ProofFailed when the totals of a file are not those of the items.
    """
    folder, limit, policy = night.folder, night.settings.run.memory_limit, night.settings.policy
    with night.timings.stage("summary"):
        figures = summarize(folder.items, result.report.control, result.report.key_profile)
        written = night.settings.reports.items_csv
        proof.prove_files(folder.path, figures, amount_basis=policy.amount_basis, has_items_csv=written)
        apart = moves_apart(night, before)
        return Summary(
            version=VERSION,
            business_date=night.business_date,
            run_id=result.run_id,
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
            roll_forward=roll_forward(before.runs.breaks, breaks_in(folder.breaks, FOLLOWED)),
            roll_forward_by_rules=apart.by_rules if apart else (),
            roll_forward_by_data=apart.by_data if apart else (),
            key_profile=figures.key_profile,
            trend=trend_of(before.runs.runs),
            order_book=order_book_of(night.book) if night.book is not None else None,
            pull=night.source.pull or None,
        )


def order_book_of(book: OrderBook) -> OrderBookFigures:
    """Return the figures of an order book, as `summary.json` has them."""
    report = book.report
    return OrderBookFigures(
        deliveries=len(book.deliveries) + 1,
        before=report.before,
        changes=report.changes,
        after=report.after,
    )


def verdict_of(figures: Figures, exceeded: Sequence[str]) -> Verdict:
    """Return the verdict of a run by its figures and the limits that it exceeds."""
    if exceeded:
        return "over_limit"
    return "clean_with_exceptions" if figures.counts.breaks else "clean"


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
    digest = digest_of_text(
        __version__,
        business_date.isoformat(),
        repr(rules),
        *map(sha256_of, inputs),
        *(f"{run.business_date} {run.run_id}" for run in before),
        repr(accepted.to_pydict()),
    )
    return f"{business_date:%Y%m%d}-{digest[:12]}"
