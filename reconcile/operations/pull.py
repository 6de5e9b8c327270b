"""
From settings to files: payments of a window or single ones by id, and exported order totals.

Knows file endings and the mirror's place, and how to wait for the pull from code that is not asynchronous. What is
done with payments and orders is not its business.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Collection, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from reconcile.commercelayer.by_id import fetch_payments
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.query import timestamp
from reconcile.commercelayer.reading import Reading
from reconcile.errors import SettingsError
from reconcile.figures.warnings import refused_warnings
from reconcile.files.disk import disk_errors
from reconcile.operations.stopping import run_coroutine
from reconcile.orders.exports.export import ExportedOrders, OrdersWanted, export_to_folder
from reconcile.payments.beside import transactions_beside
from reconcile.payments.finished import PAYMENTS_NAME
from reconcile.payments.mirror.sorted_rows import sorted_distinct, write_payments
from reconcile.payments.pull import PullReport, agreed_mode, pull_to_parquet
from reconcile.payments.report import OnProgress
from reconcile.payments.transactions import write_transactions
from reconcile.schema import PAYMENTS, TRANSACTIONS
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import Settings
from reconcile.settings.stages import connect

log = logging.getLogger("reconcile.run")

ORDER_EXPORTS = "order-exports"
"""Folder in the mirror where an export of orders is in progress."""
Result = TypeVar("Result")


def pull(
    settings: Settings,
    secrets: Secrets,
    destination: Path,
    *,
    recheck: Collection[str] = (),
    on_progress: OnProgress | None = None,
) -> PullReport:
    """
    Pull all payments of the settings' window into `destination`, a Parquet file of PAYMENTS, and the transactions of
    their orders into the file that `transactions_beside` names.

    An incremental pull asks for the payments `recheck` by id. Raises CommerceLayerError; the same call resumes from the
    mirror.
    """

    async def pulled() -> PullReport:
        async with connect(settings, secrets) as client:
            return await pull_to_parquet(
                client,
                destination,
                settings.pull,
                mode=settings.commercelayer.mode,
                recheck=recheck,
                on_progress=on_progress,
            )

    report = awaited(pulled())
    log.info("pulled %d payments, complete", report.payments, extra=report.as_dict())
    return report


def pull_to_file(
    settings: Settings, secrets: Secrets, destination: Path | None, *, on_progress: OnProgress | None = None
) -> tuple[Path, PullReport]:
    """
    Pull as `pull` does, into a `.parquet` or `.csv` file and one beside it, or only into the mirror; return the path.

    Raises SettingsError for another ending, else as `pull`.
    """
    if destination is not None:
        _check_place(destination)
    if destination is not None and destination.suffix == ".parquet":
        return destination, pull(settings, secrets, destination, on_progress=on_progress)
    with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
        payments = Path(folder) / PAYMENTS_NAME
        report = pull(settings, secrets, payments, on_progress=on_progress)
        if destination is not None:
            _write_csv(payments, destination)
    return destination or Path(settings.pull.mirror) / PAYMENTS_NAME, report


def export_orders(settings: Settings, secrets: Secrets, destination: Path) -> ExportedOrders:
    """
    Export the orders that were placed in the settings' window into `destination`, a folder.

    Raises as `export_to_folder`; the same call resumes from the mirror.
    """

    async def exported() -> ExportedOrders:
        async with connect(settings, secrets) as client:
            await client.authenticate()
            return await export_to_folder(
                client,
                destination,
                OrdersWanted(
                    mode=agreed_mode(client, settings.commercelayer.mode),
                    since=settings.pull.first,
                    until=settings.pull.end,
                    allow_empty=settings.run.on_empty_orders == "warn",
                ),
                workplace=Path(settings.pull.mirror) / ORDER_EXPORTS,
                on_file=lambda orders, of: log.info("exported %d of %d orders", orders, of),
            )

    report = awaited(exported())
    log.info("exported %d orders, complete", report.orders, extra=report.as_dict())
    return report


def fetch(settings: Settings, secrets: Secrets, ids: Sequence[str]) -> pa.Table:
    """
    Return the payments `ids`, a table of MIRRORED in the order in which they are named; the mirror is left alone.

    Raises UnknownPayment naming those that there are not, else as `pull`.
    """

    async def fetched() -> pa.Table:
        async with connect(settings, secrets) as client:
            return await fetch_from(client, settings, ids)

    return awaited(fetched())


async def fetch_from(client: CommerceLayer, settings: Settings, ids: Sequence[str]) -> pa.Table:
    """Return what `fetch` does, from a connected `client`."""
    await client.authenticate()
    reading = Reading(client, settings.pull.wanted)
    payments = await fetch_payments(reading, ids, mode=agreed_mode(client, settings.commercelayer.mode))
    for warning in refused_warnings(reading.refused):
        log.warning("%s", warning.text, extra={"code": warning.code})
    return payments


def fetch_to_file(settings: Settings, secrets: Secrets, ids: Sequence[str], destination: Path) -> None:
    """
    Write the payments `ids` to a `.parquet` or `.csv` file, sorted by id, and the transactions of their orders beside.

    Raises as `pull_to_file` and `fetch`.
    """
    _check_place(destination)
    rows = sorted_distinct([fetch(settings, secrets, ids)])
    with disk_errors(destination):
        if destination.suffix == ".parquet":
            _write_parquet(rows, destination)
            return
        with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
            _write_parquet(rows, Path(folder) / PAYMENTS_NAME)
            _write_csv(Path(folder) / PAYMENTS_NAME, destination)


def payment_lines(payments: pa.Table) -> Iterator[str]:
    """Yield one line of JSON per row; times as the API writes them."""
    for row in payments.to_pylist():
        plain = {name: timestamp(value) if isinstance(value, datetime) else value for name, value in row.items()}
        yield msgspec.json.encode(plain).decode()


def _write_parquet(rows: pa.Table, payments: Path) -> None:
    write_transactions(rows.to_batches(), transactions_beside(payments))
    write_payments([rows], payments)


def _write_csv(payments: Path, destination: Path) -> None:
    """Write a Parquet file of payments as CSV, and the transactions beside it beside that."""
    from reconcile.reports.csv_tables import write_csv  # with it comes DuckDB, which most pulls do without

    write_csv(transactions_beside(payments), TRANSACTIONS, transactions_beside(destination))
    write_csv(payments, PAYMENTS, destination)


def awaited(doing: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `doing`, from code that is not asynchronous."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run_coroutine(doing)
    with ThreadPoolExecutor(1) as pool:  # a notebook runs a loop already, and a loop cannot be entered twice
        return pool.submit(run_coroutine, doing).result()


def _check_place(destination: Path) -> None:
    if destination.suffix not in (".parquet", ".csv"):
        raise SettingsError(
            f"--to {destination}: is neither .parquet nor .csv", hint="the file extension decides the format"
        )
    with disk_errors(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
