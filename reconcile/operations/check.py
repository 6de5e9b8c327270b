"""
Everything that can stop a night, looked at before it: settings, credentials, mode, clock, quota, files, disk.

Looks and reports; changes nothing, but for a file that it makes and removes where run folders go.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.paging import count_now, count_payments
from reconcile.commercelayer.query import Window
from reconcile.errors import ReconcileError, WrongClock
from reconcile.figures.warnings import ALL_METHODS, refuse_empty
from reconcile.files.disk import disk_errors
from reconcile.operations.stopping import run_coroutine
from reconcile.orders.exports.export import count_placed
from reconcile.orders.places.dated import telling_date
from reconcile.orders.read import read_orders_to_parquet
from reconcile.orders.stated import check_stated
from reconcile.payments.pull import agreed_mode
from reconcile.settings.credentials import Secrets
from reconcile.settings.settings import COMMERCE_LAYER, Settings
from reconcile.settings.stages import checked, connect

LARGEST_CLOCK_OFFSET_SECONDS = 60
# What a payment takes in a run folder and the mirror together, twice over while both are written.
BYTES_PER_PAYMENT = 4_000
LEAST_FREE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: `ok`, `warn` or `fail`, and what a run would exit with."""

    subject: str
    verdict: str
    message: str
    hint: str | None = None
    exit_code: int = 0


def check(settings: Settings, secrets: Secrets | None, *, business_date: date) -> list[Finding]:
    """
    Return the findings in the order of the night of `business_date`; without `secrets`, Commerce Layer is left out.
    """
    findings = [*_looked("settings", lambda: _settings(settings))]
    asked, payments = run_coroutine(_commerce_layer(settings, secrets)) if secrets is not None else ([], 0)
    findings += _looked("disk", lambda: _output(settings.out, payments))
    if set(settings.orders.files) - {COMMERCE_LAYER} or settings.orders.sql:
        findings += _looked("orders", lambda: _orders(settings, business_date))
    return findings + asked


def _looked(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except ReconcileError as error:
        yield _failure(subject, error)


def _failure(subject: str, error: ReconcileError) -> Finding:
    return Finding(subject, "fail", error.message, error.hint, error.exit_code)


def _settings(settings: Settings) -> Iterator[Finding]:
    checked(settings)
    yield Finding("settings", "ok", f"amount basis {settings.match.amount_basis}, run folders in {settings.run.out}")


async def _commerce_layer(settings: Settings, secrets: Secrets) -> tuple[list[Finding], int]:
    try:
        async with connect(settings, secrets) as client:
            count, clock = await _counted(client)
            exports = [await _exports(client, settings)] if COMMERCE_LAYER in settings.orders.files else []
            return [*_answered(client, count), clock, *exports], count
    except ReconcileError as error:
        return [_failure("access", error)], 0


async def _counted(client: CommerceLayer) -> tuple[int, Finding]:
    """Return the number of payments, and what there is to say of the clocks."""
    try:
        count = (await count_now(client, Window(None, None))).payments
    except WrongClock as error:
        return (await count_payments(client, Window(None, None))).payments, _failure("clock", error)
    offset = client.clock_offset_seconds
    if offset is None:
        return count, Finding("clock", "warn", "the server does not report the time", "set this machine's clock (NTP)")
    if abs(offset) > LARGEST_CLOCK_OFFSET_SECONDS:
        apart = f"{abs(offset):.0f} s {'behind' if offset > 0 else 'ahead of'} the server's"
        return count, Finding("clock", "warn", f"this machine's clock is {apart}", "set it (NTP)")
    return count, Finding("clock", "ok", f"within {abs(offset):.0f} s of the server's")


def _answered(client: CommerceLayer, count: int) -> Iterator[Finding]:
    claims, quota = client.claims, client.quota
    kind, scope = claims.application_kind or "an application", claims.scope or "not reported"
    yield Finding("credentials", "ok", f"{kind} of {client.organization}, scope {scope}")
    yield Finding("mode", "ok", agreed_mode(client, client.mode))
    yield Finding("access", "ok", f"{count:,} klarna payments can be listed")
    if quota is not None:
        yield Finding(
            "quota", "ok", f"{quota.remaining} of {quota.limit} requests left in {quota.interval_seconds:g} s"
        )


async def _exports(client: CommerceLayer, settings: Settings) -> Finding:
    window = settings.pull
    try:
        orders, _, why_all = await count_placed(client, window.first, window.end)
        refuse_empty("orders", orders, settings.run.on_empty_orders)
    except ReconcileError as error:
        return _failure("orders", error)
    if why_all is not None:
        return Finding("orders", "warn", ALL_METHODS, "name files, to leave out those of other methods")
    return Finding("orders", "ok", f"{orders:,} orders paid with Klarna can be exported")


def _orders(settings: Settings, business_date: date) -> Iterator[Finding]:
    files = [word for word in settings.orders.files_of(business_date) if word != COMMERCE_LAYER]
    with tempfile.TemporaryDirectory() as folder, telling_date(settings.orders.files, business_date):
        report = read_orders_to_parquet(
            [*files, *settings.orders.queries],
            Path(folder) / "orders.parquet",
            settings.order_format,
            rejects=Path(folder) / "rejects.csv",
            max_rejects=settings.orders.max_rejects,
        )
    check_stated(report, settings.orders.stated)
    refuse_empty("orders", report.rows, settings.run.on_empty_orders)
    yield Finding("orders", "ok" if not report.rejects else "warn", f"{report.rows:,} rows, {report.rejects} rejected")


def _output(out: Path, payments: int) -> Iterator[Finding]:
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    with disk_errors(out):
        with tempfile.NamedTemporaryFile(dir=there, prefix=".check"):
            pass
        free = shutil.disk_usage(there).free
    needed = max(LEAST_FREE_BYTES, payments * BYTES_PER_PAYMENT)
    if free < needed:
        yield Finding("disk", "warn", f"{free:,} bytes free, {needed:,} wanted", "free some space")
    else:
        yield Finding("disk", "ok", f"{free // 1_000_000:,} MB free in {out}")
