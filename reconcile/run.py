"""
The night, left to right: orders → pull → matching → ledger → summary → run folder → warehouse.

Settings stop here, and at the wiring that turns them into keywords; every stage takes plain values and files. Order
totals are read first, though the pull comes first in the story: a bad file is told before an hour of pulling.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from reconcile import __version__, acceptances, ledger, limits, manifest, summary
from reconcile.cautions import cautions, grouping_warnings, refuse_empty
from reconcile.errors import InputError, OutputError, ReconcileError, TooManyRejects
from reconcile.fetching import export_orders, pull
from reconcile.matching.match import MatchReport, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.order_exports.export import ExportedOrders
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.places.places import Place
from reconcile.orders.read import read_orders_to_parquet
from reconcile.orders.report import OrdersReport
from reconcile.patterns import find_patterns
from reconcile.payments import copy_payments
from reconcile.pull.pull import PullProgress
from reconcile.reports.html import write_html
from reconcile.reports.tables import write_breaks, write_items_csv
from reconcile.reports.xlsx import write_xlsx
from reconcile.runs import trend_before
from reconcile.settings import Secrets, Settings
from reconcile.warehouse.load import LoadReceipt, load_run
from reconcile.wiring import (
    COMMERCE_LAYER,
    check_only_files,
    checked,
    limits_of,
    narrowed_to,
    order_keywords,
    order_queries,
)

log = logging.getLogger("reconcile.run")

EVIDENCE = "evidence"
"""Folder of a run folder: what was read from Commerce Layer for this run alone, as it came."""

OnProgress = Callable[[PullProgress], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A published run: its folder, the figures of `summary.json`, the limits it exceeds, its load if any."""

    folder: Path
    summary: dict[str, Any]
    exceeded: tuple[str, ...]
    receipt: LoadReceipt | None = None


@dataclass(slots=True)
class _Timings:
    """Seconds per stage, in the order they ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
        log.info("%s done", name, extra={"stage": name, "seconds": self.seconds[name]})


def run(
    settings: Settings, secrets: Secrets, *, business_date: date, on_progress: OnProgress | None = None
) -> RunResult:
    """
    Pull, read the order totals of `settings.orders`, match, and publish `OUT/<business_date>/`.

    Raises a ReconcileError of any kind, and then publishes nothing, unless its hint says that the run is published;
    a limit that is exceeded is no error here.
    """
    policy, checks = checked(settings)
    with manifest.staged(Path(settings.out), business_date) as staging:
        acceptances.read_decisions(staging.out / acceptances.NAME)  # an error in it is told before an hour of pulling
        timings = _Timings()
        exported = None
        if COMMERCE_LAYER in settings.orders:
            with timings.stage("export"):
                exported = export_orders(settings, secrets, staging.folder / EVIDENCE)
        with timings.stage("orders"):
            orders = _read_orders(settings, staging, exported)
        with timings.stage("pull"):
            pulled = pull(
                settings,
                secrets,
                staging.folder / "payments.parquet",
                recheck=open_breaks(staging.out) if settings.incremental else (),
                on_progress=on_progress,
            )
        source = {
            "pull": pulled.as_dict(),
            "narrowed": narrowed_to(settings),
            "mode": pulled.mode,
            "organization": pulled.organization,
            **({"orders_export": exported.as_dict()} if exported is not None else {}),
        }
        return _finish(settings, policy, checks, staging, orders, source, timings)


def match(settings: Settings, payments: Path, *, business_date: date) -> RunResult:
    """
    Match the payments of a file with the order totals of `settings.orders` and publish a run folder.

    As `run`, without a network: `payments` is a Parquet or CSV file of PAYMENTS, as `pull` writes it.
    """
    check_only_files(settings)
    policy, checks = checked(settings)
    with manifest.staged(Path(settings.out), business_date) as staging:
        acceptances.read_decisions(staging.out / acceptances.NAME)
        timings = _Timings()
        with timings.stage("orders"):
            orders = _read_orders(settings, staging)
        with timings.stage("payments"):
            rows = copy_payments(payments, staging.folder / "payments.parquet")
            digest = manifest.digest_of(payments, rows=rows)
        source = {"payments_file": asdict(digest), "mode": settings.mode, "organization": settings.organization}
        return _finish(settings, policy, checks, staging, orders, source, timings)


def _finish(
    settings: Settings,
    policy: MatchPolicy,
    checks: Sequence[limits.Limit],
    staging: manifest.Staging,
    orders: OrdersReport,
    source: dict[str, Any],
    timings: _Timings,
) -> RunResult:
    folder, out, business_date = staging.folder, staging.out, staging.business_date
    ledger.follow(out / ledger.NAME, _published(out))
    history = ledger.history(out / ledger.NAME, business_date)
    accepted = acceptances.standing(acceptances.read_decisions(out / acceptances.NAME), business_date)
    run_id = _run_id(business_date, policy, folder, history, accepted)
    with timings.stage("matching"):
        report = match_to_parquet(
            folder / "payments.parquet",
            folder / "orders.parquet",
            folder / "items.parquet",
            policy=policy,
            business_date=business_date,
            run_id=run_id,
            history=history,
            acceptances=accepted,
            engine=settings.engine,
            spark_master=settings.spark_master,
            memory_limit=settings.memory_limit,
            temp_directory=folder,
        )
    refuse_empty("payments", report.payments.rows, settings.on_empty_payments)
    warnings = cautions(staging, source, orders, report)
    if settings.group_orders is not None:
        warnings += grouping_warnings(orders)
    for warning in warnings:
        log.info("warning: %s", warning)
    with timings.stage("reports"):
        items, limit = folder / "items.parquet", settings.memory_limit
        rows = {
            "items.csv": write_items_csv(items, folder / "items.csv", memory_limit=limit),
            "breaks.csv": write_breaks(items, folder / "breaks.parquet", folder / "breaks.csv", memory_limit=limit),
        }
    with timings.stage("summary"):
        figures = _figures(staging, report)
        summary.prove_files(folder, figures, amount_basis=policy.amount_basis)
    exceeded = limits.exceeded(checks, figures)
    for sentence in limits.exceeded(limits_of(settings.warn_on, "--warn-on"), figures):
        log.info("warning: over limit: %s", sentence)
        warnings.append(f"over limit: {sentence}")
    head = {
        "version": summary.VERSION,
        "business_date": business_date.isoformat(),
        "run_id": run_id,
        "organization": source["organization"],
        "mode": source["mode"],
        "amount_basis": policy.amount_basis,
        "verdict": _verdict(figures, exceeded),
    }
    figures["counts"]["rejects"] = orders.rejects
    document = {
        **head, **figures, "limits_exceeded": exceeded, "warnings": warnings,
        "pull": source.get("pull"), "seconds": timings.seconds,
    }  # fmt: skip
    manifest.write_json(folder / "summary.json", document)
    record = {
        **head,
        **source,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "software": manifest.software(),
        "settings": settings.public(),
        "inputs": orders.as_dict(),
        "clean": {"rules": policy.clean.as_dict(), "keys": figures["key_profile"]["cleaning"]},
        "previous": manifest.link_to_previous(out, business_date),
        "control": figures["control"],
    }
    write_html(folder, folder / "report.html", manifest=record, memory_limit=settings.memory_limit)
    write_xlsx(folder, folder / "report.xlsx", memory_limit=settings.memory_limit)
    place = staging.publish(
        record,
        rows={
            **rows,
            "payments.parquet": figures["counts"]["payments"],
            "orders.parquet": figures["counts"]["orders"],
            "items.parquet": figures["counts"]["items"],
            "breaks.parquet": rows["breaks.csv"],
            "rejects.csv": orders.rejects,
        },
    )
    try:
        ledger.follow(out / ledger.NAME, _published(out))
    except OutputError as error:
        error.hint = f"{error.hint}; the run is published in {place}, and the ledger follows at the next run"
        raise
    log.info("published %s", place, extra={"folder": str(place), "run_id": run_id, "verdict": head["verdict"]})
    return RunResult(place, document, tuple(exceeded), _load(place, settings.load_to) if settings.load_to else None)


def _load(place: Path, url: str) -> LoadReceipt:
    try:
        return load_run(place, url)
    except ReconcileError as error:
        published = f"the run is published; when this is mended: reconcile load {place} --to {url}"
        error.hint = f"{error.hint}; {published}" if error.hint else published
        raise


def _read_orders(settings: Settings, staging: manifest.Staging, exported: ExportedOrders | None = None) -> OrdersReport:
    # Rejects outlive a run that stops because of them: they are written beside the run folders.
    kept = staging.out / f"{staging.business_date}.rejects.csv"
    try:
        report = read_orders_to_parquet(
            _places(settings, exported),
            staging.folder / "orders.parquet",
            rejects=kept,
            **order_keywords(settings),
            max_rejects=settings.max_rejects,
        )
    except (InputError, OutputError) as error:
        if not isinstance(error, TooManyRejects):
            kept.unlink(missing_ok=True)
        raise
    refuse_empty("orders", report.rows, settings.on_empty_orders)
    kept.rename(staging.folder / "rejects.csv")
    return report


def _places(settings: Settings, exported: ExportedOrders | None) -> list[str | Place | OrdersQuery]:
    """Return where the order totals are; exported files under names that do not change from run to run."""
    files = [Place(f"{EVIDENCE}/{path.name}", path) for path in exported.files] if exported is not None else []
    named = [place for word in settings.orders for place in (files if word == COMMERCE_LAYER else [word])]
    return [*named, *order_queries(settings)]


def _figures(staging: manifest.Staging, report: MatchReport) -> dict[str, Any]:
    details = report.as_dict()
    figures = summary.summarize(staging.folder / "items.parquet", details["control_totals"])
    earlier = manifest.latest_before(staging.out, staging.business_date)
    figures["roll_forward"] = ledger.roll_forward(
        earlier / "breaks.parquet" if earlier else None, staging.folder / "breaks.parquet"
    )
    figures["key_profile"] = details["key_profile"]
    figures["patterns"] = find_patterns(staging.folder / "items.parquet")
    figures["trend"] = trend_before(staging.out, staging.business_date)
    return figures


def open_breaks(out: Path) -> set[str]:
    """Return the payments that are breaks in the latest run in `out`: an incremental pull looks at them again."""
    latest = manifest.published(out)[-1:]
    found = [pq.read_table(run / "breaks.parquet", columns=["payment_id"]) for run in latest]
    return {str(id_) for table in found for id_ in table.column("payment_id").to_pylist() if id_ is not None}


def _run_id(business_date: date, policy: MatchPolicy, folder: Path, history: Any, accepted: Any) -> str:
    # The same inputs, settings, history and acceptances give the same id, and with it the same bytes of items.parquet.
    digest = manifest.digest_of_text(
        __version__,
        business_date.isoformat(),
        repr(policy),
        manifest.digest_of(folder / "payments.parquet").sha256,
        manifest.digest_of(folder / "orders.parquet").sha256,
        repr(history.to_pydict()),
        repr(accepted.to_pydict()),
    )
    return f"{business_date:%Y%m%d}-{digest[:12]}"


def _published(out: Path) -> list[ledger.PublishedRun]:
    return [
        ledger.PublishedRun(
            date.fromisoformat(path.name), str(manifest.read_manifest(path)["run_id"]), path / "breaks.parquet"
        )
        for path in manifest.published(out)
    ]


def _verdict(figures: dict[str, Any], exceeded: Sequence[str]) -> str:
    if exceeded:
        return "over_limit"
    return "clean_with_exceptions" if figures["counts"]["breaks"] else "clean"
