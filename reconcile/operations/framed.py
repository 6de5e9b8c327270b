"""
Both sides as tables in memory: matched there, or written to a run folder and published as any other run.

Knows what else is to be known of such a match. What kind of frames the tables were is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
from msgspec.structs import replace

from reconcile.figures.counterparts import two_references, unknown_methods
from reconcile.figures.set_aside import set_aside
from reconcile.figures.summary import FrameSummary
from reconcile.figures.totals import summarize
from reconcile.figures.units import hundredfold, unit_warnings
from reconcile.figures.warnings import refuse_empty, run_warnings, unknown_statuses
from reconcile.files.disk import disk_errors
from reconcile.files.parquet import write_parquet
from reconcile.history.states import BreakStates
from reconcile.matching.items import RunFacts
from reconcile.matching.match import match_frames
from reconcile.matching.report import MatchReport
from reconcile.notices import Notice
from reconcile.operations.closing import close
from reconcile.operations.made_run import make
from reconcile.operations.night import check_records
from reconcile.operations.staged_run import PaymentSource, RunResult, StagedRun, Timings
from reconcile.orders.cells.totals import Totals, by_currency
from reconcile.orders.rejects import RejectsFile
from reconcile.orders.report import OrderFile, OrdersReport
from reconcile.orders.stated import check_stated
from reconcile.runs.folder import staged
from reconcile.runs.manifest import FileDigest, digest_of
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.schema import ORDERS, PAYMENTS, TRANSACTIONS
from reconcile.settings.settings import Settings
from reconcile.settings.stages import check_business_date, limits_of

_BATCH_ROWS = 1 << 16


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides as whole tables (PAYMENTS, ORDERS), TRANSACTIONS where there are any, and the day that is today."""

    payments: pa.Table
    orders: pa.Table
    transactions: pa.Table | None
    business_date: date


@dataclass(frozen=True, slots=True)
class MatchedSides:
    """Items of both sides, the figures that follow from them, and what is to be known besides."""

    items: pa.Table
    summary: FrameSummary
    warnings: tuple[Notice, ...]


def match_sides(sides: Sides, settings: Settings) -> MatchedSides:
    """Match in memory. Raises PaymentFileError for a payment that comes twice, ProofFailed when totals differ."""
    on, policy = sides.business_date, settings.policy
    facts = RunFacts(on, None, BreakStates(on), settings.commercelayer.organization or None)
    matched = match_frames(sides.payments, sides.orders, policy, facts, transactions=sides.transactions)
    report, items = matched.report, matched.items
    summary = summarize(items, report.control, report.key_profile)
    return MatchedSides(items, summary, tuple(_noticed(sides, items, report, settings)))


def publish_sides(sides: Sides, settings: Settings) -> RunResult:
    """
    Match anew and publish `OUT/<business_date>/` with its reports, after the runs that are there.

    Raises as `reconcile.operations.night.match`.
    """
    check_business_date(sides.business_date)
    checks = limits_of(settings.run.fail_on, "--fail-on")
    refuse_empty("orders", sides.orders.num_rows, settings.run.on_empty_orders)
    whole = replace(settings, population=replace(settings.population, delivery="full"))
    with staged(settings.out, sides.business_date) as staging:
        check_records(staging, whole)
        timings = Timings()
        with timings.stage("sides"):
            orders, payments = _written(sides, staging.run)
            check_stated(orders, settings.orders.stated)
        chosen = whole.commercelayer
        source = PaymentSource(mode=chosen.mode, organization=chosen.organization, payments_file=payments)
        return close(make(StagedRun(whole, checks, staging, orders, source, timings)))


def _written(sides: Sides, folder: RunFolder) -> tuple[OrdersReport, FileDigest]:
    """Write both sides to `folder`, and return what a run tells of them."""
    _write(sides.payments.sort_by("payment_id"), PAYMENTS, folder.payments)
    _write(sides.orders, ORDERS, folder.orders)
    if sides.transactions is not None:
        ordered = sides.transactions.sort_by([(name, "ascending") for name in ("order_id", "type", "transaction_id")])
        _write(ordered, TRANSACTIONS, folder.path / RunFile.TRANSACTIONS)
    with folder.rejects.open("w", encoding="utf-8", newline="") as text:
        RejectsFile(text)
    file = digest_of(folder.orders, name="orders", rows=sides.orders.num_rows)
    read = OrderFile(
        path=file.path,
        format="frame",
        compression=None,
        bytes=file.bytes,
        sha256=file.sha256,
        rows=sides.orders.num_rows,
        rejects=0,
        encoding=None,
        delimiter=None,
        quote=None,
        columns={name: name for name in ORDERS.names if sides.orders.column(name).null_count < sides.orders.num_rows},
    )
    totals = Totals()
    totals.add(by_currency(sides.orders))
    payments = digest_of(folder.payments, name="payments", rows=sides.payments.num_rows)
    return OrdersReport(rows=read.rows, rejects=0, files=(read,), totals=totals.lines()), payments


def _write(side: pa.Table, schema: pa.Schema, destination: Path) -> None:
    # What a pull always has, a frame may lack.
    lax = pa.schema([one.with_nullable(one.nullable or bool(side.column(one.name).null_count)) for one in schema])
    with disk_errors(destination):
        write_parquet(side.cast(lax).to_batches(max_chunksize=_BATCH_ROWS), lax, destination)


def _noticed(sides: Sides, items: pa.Table, report: MatchReport, settings: Settings) -> Iterator[Notice]:
    policy = settings.policy
    yield from run_warnings(OrdersReport(rows=sides.orders.num_rows, rejects=0, files=()), report)
    yield from unknown_statuses(sides.payments)
    yield from two_references(sides.payments, sides.orders, policy)
    yield from unknown_methods(sides.orders, policy)
    yield from unit_warnings(hundredfold(items))
    yield from set_aside(report.control.outgoing)
