"""
The night, left to right: orders → pull → matching and figures (`made_run`) → reports and run folder (`closing`), with
the audit trail of breaks in between.

Every stage takes files and its own part of the settings, as it is. Order totals are read first, though the pull comes
first in the story: a bad file is reported before an hour of pulling.
"""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from msgspec import UNSET

from reconcile.errors import InputError, OutputError, TooManyRejects
from reconcile.figures.pulled import pull_of
from reconcile.figures.warnings import refuse_empty
from reconcile.files.duckdb import connected
from reconcile.history import decisions
from reconcile.history.earlier import check_latest
from reconcile.operations.break_history import with_history
from reconcile.operations.closing import close
from reconcile.operations.made_run import make
from reconcile.operations.staged_run import PaymentSource, RunResult, StagedRun, Timings
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.places.dated import telling_date
from reconcile.orders.places.places import Place
from reconcile.orders.read import read_orders_to_parquet
from reconcile.orders.report import OrdersReport
from reconcile.orders.stated import check_stated
from reconcile.payments.from_file import copy_payments, copy_transactions
from reconcile.runs.folder import Staging, published, staged
from reconcile.runs.manifest import digest_of
from reconcile.runs.owner import check_owner
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.runs.unfinished import remembered
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import COMMERCE_LAYER, Settings
from reconcile.settings.stages import check_business_date, check_only_files, checked

if TYPE_CHECKING:
    from reconcile.orders.exports.export import ExportedOrders
    from reconcile.payments.report import OnProgress

log = logging.getLogger("reconcile.run")

EVIDENCE = "evidence"
"""Folder of a run folder: what was read from Commerce Layer for this run alone, as it came."""


def run(
    settings: Settings, secrets: Secrets, *, business_date: date, on_progress: OnProgress | None = None
) -> RunResult:
    """
    Pull, read the order totals of `settings.orders.files`, match, and publish `OUT/<business_date>/`.

    Raises a ReconcileError of any kind, and then publishes nothing, unless its hint says that the run is published;
    a limit that is exceeded is no error here.
    """
    from reconcile.operations.pull import export_orders, pull  # with it comes aiohttp

    checks = checked(settings)
    check_business_date(business_date)
    with remembered(settings.out, business_date), staged(settings.out, business_date) as staging:
        _check_records(staging, settings)  # an error in them is reported before an hour of pulling
        timings = Timings()
        exported = None
        if COMMERCE_LAYER in settings.orders.files:
            with timings.stage("export"):
                exported = export_orders(settings, secrets, staging.folder / EVIDENCE)
        with timings.stage("orders"):
            orders = _read_orders(settings, staging, exported)
        with timings.stage("pull"):
            pulled = pull(
                settings,
                secrets,
                staging.run.payments,
                recheck=open_breaks(staging.out) if settings.pull.incremental else (),
                on_progress=on_progress,
            )
        check_owner(staging.out, pulled.organization, pulled.mode)
        source = PaymentSource(
            mode=pulled.mode,
            organization=pulled.organization,
            pull=pull_of(pulled),
            narrowed=settings.pull.narrowed,
            orders_export=exported.as_dict() if exported is not None else UNSET,
        )
        made = make(StagedRun(settings, checks, staging, orders, source, timings))
        return close(with_history(made, secrets))


def match(settings: Settings, payments: Path, *, business_date: date) -> RunResult:
    """
    Match the payments of a file with the order totals of `settings.orders.files` and publish a run folder.

    As `run`, without a network: `payments` is a Parquet or CSV file of PAYMENTS, as `pull` writes it, with that of the
    transactions beside it if there is one.
    """
    check_only_files(settings)
    checks = checked(settings)
    check_business_date(business_date)
    with staged(settings.out, business_date) as staging:
        _check_records(staging, settings)
        timings = Timings()
        limit, chosen = settings.run.memory_limit, settings.commercelayer
        with connected(staging.folder, limit):  # once, for all that is made there
            with timings.stage("orders"):
                orders = _read_orders(settings, staging)
            with timings.stage("payments"):
                rows = copy_payments(payments, staging.run.payments, memory_limit=limit)
                digest = digest_of(payments, rows=rows)
                copy_transactions(payments, staging.folder / RunFile.TRANSACTIONS, memory_limit=limit)
            source = PaymentSource(mode=chosen.mode, organization=chosen.organization, payments_file=digest)
            made = make(StagedRun(settings, checks, staging, orders, source, timings))
        return close(made)


def _check_records(staging: Staging, settings: Settings) -> None:
    chosen = settings.commercelayer
    # Of another address the organization is what its token says.
    check_owner(staging.out, chosen.organization if chosen.api_url is None else None, chosen.mode)
    decisions.read_decisions(staging.out / decisions.NAME)
    check_latest(staging.out, staging.business_date)


def _read_orders(settings: Settings, staging: Staging, exported: ExportedOrders | None = None) -> OrdersReport:
    # Rejects outlive a run that stops because of them: they are written beside the run folders.
    kept = staging.out / f"{staging.business_date}.rejects.csv"
    is_delivery = settings.population.brings_changes
    try:
        with telling_date(settings.orders.files, staging.business_date):
            report = read_orders_to_parquet(
                _places(settings, staging.business_date, exported),
                staging.run.delivery if is_delivery else staging.run.orders,
                settings.order_format,
                rejects=kept,
                max_rejects=settings.orders.max_rejects,
                is_delivery=is_delivery,
            )
        check_stated(report, settings.orders.stated)
    except (InputError, OutputError) as error:
        if not isinstance(error, TooManyRejects):
            kept.unlink(missing_ok=True)
        raise
    if not is_delivery:
        refuse_empty("orders", report.rows, settings.run.on_empty_orders)
    kept.rename(staging.run.rejects)
    return report


def _places(
    settings: Settings, business_date: date, exported: ExportedOrders | None
) -> list[str | Place | OrdersQuery]:
    """Return where the order totals are; exported files under names that do not change from run to run."""
    files = [Place(f"{EVIDENCE}/{path.name}", path) for path in exported.files] if exported is not None else []
    words = settings.orders.files_of(business_date)
    named = [place for word in words for place in (files if word == COMMERCE_LAYER else [word])]
    return [*named, *settings.orders.queries]


def open_breaks(out: Path) -> set[str]:
    """Return the payments that are breaks in the latest run in `out`: an incremental pull looks at them again."""
    latest = published(out)[-1:]
    found = [pq.read_table(RunFolder(run).breaks, columns=["payment_id"]) for run in latest]
    return {str(id_) for table in found for id_ in table.column("payment_id").to_pylist() if id_ is not None}
