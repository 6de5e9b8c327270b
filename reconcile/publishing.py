"""
What follows once both sides are in the staged folder: matching → figures → reports → run folder → warehouse.

Every stage takes files and leaves files; nothing is seen under the run's name before all of it is there and proved.
Does not know where the sides came from.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from reconcile import __version__, acceptances, ledger, limits, manifest, summary
from reconcile.cautions import cautions, grouping_warnings, refuse_empty
from reconcile.errors import OutputError, ReconcileError
from reconcile.matching.match import MatchReport, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.orders.report import OrdersReport
from reconcile.patterns import find_patterns
from reconcile.reports.html import write_html
from reconcile.reports.tables import write_breaks, write_items_csv
from reconcile.reports.xlsx import write_xlsx
from reconcile.runs import trend_before
from reconcile.settings import Settings
from reconcile.warehouse.load import LoadReceipt, load_run
from reconcile.wiring import limits_of

log = logging.getLogger("reconcile.run")


@dataclass(frozen=True, slots=True)
class RunResult:
    """A published run: its folder, the figures of `summary.json`, the limits it exceeds, its load if any."""

    folder: Path
    summary: dict[str, Any]
    exceeded: tuple[str, ...]
    receipt: LoadReceipt | None = None


@dataclass(slots=True)
class Timings:
    """Seconds per stage, in the order they ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 3)
        log.info("%s done", name, extra={"stage": name, "seconds": self.seconds[name]})


@dataclass(frozen=True, slots=True)
class Night:
    """
    One run under way; both sides are in the staged folder: `payments.parquet`, `orders.parquet`, `rejects.csv`.

    `checks` are the limits that stop the close; `source` is what the manifest says of where the payments came from,
    with `mode` and `organization`.
    """

    settings: Settings
    policy: MatchPolicy
    checks: Sequence[limits.Limit]
    staging: manifest.Staging
    orders: OrdersReport
    source: dict[str, Any]
    timings: Timings

    def finish(self) -> RunResult:
        """Match, prove, report and publish. Raises as `reconcile.run.run`."""
        folder, out = self.staging.folder, self.staging.out
        runs = published_runs(out)
        ledger.follow(out / ledger.NAME, runs)
        run_id, report = self._matched([run for run in runs if run.business_date < self.staging.business_date])
        refuse_empty("payments", report.payments.rows, self.settings.on_empty_payments)
        warnings = self._warnings(report)
        rows = self._tables()
        with self.timings.stage("summary"):
            figures = self._figures(report)
            summary.prove_files(folder, figures, amount_basis=self.policy.amount_basis)
        exceeded = limits.exceeded(self.checks, figures)
        for sentence in limits.exceeded(limits_of(self.settings.warn_on, "--warn-on"), figures):
            log.info("warning: over limit: %s", sentence)
            warnings.append(f"over limit: {sentence}")
        head = self._head(run_id, figures, exceeded)
        document = {
            **head, **figures, "limits_exceeded": exceeded, "warnings": warnings,
            "pull": self.source.get("pull"), "seconds": self.timings.seconds,
        }  # fmt: skip
        manifest.write_json(folder / "summary.json", document)
        place = self._published(head, figures, rows)
        log.info("published %s", place, extra={"folder": str(place), "run_id": run_id, "verdict": head["verdict"]})
        load_to = self.settings.load_to
        return RunResult(place, document, tuple(exceeded), _loaded(place, load_to) if load_to else None)

    def _matched(self, before: Sequence[ledger.PublishedRun]) -> tuple[str, MatchReport]:
        folder, out, on = self.staging.folder, self.staging.out, self.staging.business_date
        history = ledger.history(out / ledger.NAME, on)
        accepted = acceptances.standing(acceptances.read_decisions(out / acceptances.NAME), on)
        run_id = run_id_of(on, self.policy, folder, before, accepted)
        with self.timings.stage("matching"):
            report = match_to_parquet(
                folder / "payments.parquet",
                folder / "orders.parquet",
                folder / "items.parquet",
                policy=self.policy,
                business_date=on,
                run_id=run_id,
                history=history,
                acceptances=accepted,
                engine=self.settings.engine,
                spark_master=self.settings.spark_master,
                memory_limit=self.settings.memory_limit,
                temp_directory=folder,
            )
        return run_id, report

    def _warnings(self, report: MatchReport) -> list[str]:
        warnings = cautions(self.staging, self.source, self.orders, report)
        if self.settings.group_orders is not None:
            warnings += grouping_warnings(self.orders)
        for warning in warnings:
            log.info("warning: %s", warning)
        return warnings

    def _tables(self) -> dict[str, int]:
        """Write items and breaks for people; return the rows of each file."""
        folder, limit = self.staging.folder, self.settings.memory_limit
        items = folder / "items.parquet"
        with self.timings.stage("reports"):
            return {
                "items.csv": write_items_csv(items, folder / "items.csv", memory_limit=limit),
                "breaks.csv": write_breaks(items, folder / "breaks.parquet", folder / "breaks.csv", memory_limit=limit),
            }

    def _figures(self, report: MatchReport) -> dict[str, Any]:
        folder, out, on = self.staging.folder, self.staging.out, self.staging.business_date
        details = report.as_dict()
        figures = summary.summarize(folder / "items.parquet", details["control_totals"])
        earlier = manifest.latest_before(out, on)
        figures |= summary.summarize_sides(
            folder,
            are_orders_grouped=self.policy.group_orders is not None,
            memory_limit=self.settings.memory_limit,
        )
        figures["roll_forward"] = ledger.roll_forward(
            earlier / "breaks.parquet" if earlier else None, folder / "breaks.parquet"
        )
        figures["key_profile"] = details["key_profile"]
        figures["patterns"] = find_patterns(folder / "items.parquet")
        figures["trend"] = trend_before(out, on)
        figures["counts"]["rejects"] = self.orders.rejects
        return figures

    def _head(self, run_id: str, figures: dict[str, Any], exceeded: Sequence[str]) -> dict[str, Any]:
        """Return what summary and manifest both begin with."""
        return {
            "version": summary.VERSION,
            "business_date": self.staging.business_date.isoformat(),
            "run_id": run_id,
            "organization": self.source["organization"],
            "mode": self.source["mode"],
            "amount_basis": self.policy.amount_basis,
            "verdict": _verdict(figures, exceeded),
        }

    def _published(self, head: dict[str, Any], figures: dict[str, Any], rows: dict[str, int]) -> Path:
        folder, out, limit = self.staging.folder, self.staging.out, self.settings.memory_limit
        record = {
            **head,
            **self.source,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "software": manifest.software(),
            "settings": self.settings.public(),
            "inputs": self.orders.as_dict(),
            "clean": {"rules": self.policy.clean.as_dict(), "keys": figures["key_profile"]["cleaning"]},
            "previous": manifest.link_to_previous(out, self.staging.business_date),
            "control": figures["control"],
        }
        if self.settings.html:
            write_html(folder, folder / "report.html", manifest=record, memory_limit=limit)
        if self.settings.xlsx:
            write_xlsx(folder, folder / "report.xlsx", memory_limit=limit)
        counts = figures["counts"]
        tables = {f"{name}.parquet": counts[name] for name in ("payments", "orders", "items", "breaks")}
        place = self.staging.publish(record, rows={**rows, **tables, "rejects.csv": counts["rejects"]})
        try:
            ledger.follow(out / ledger.NAME, published_runs(out))
        except OutputError as error:
            error.hint = f"{error.hint}; the run is published in {place}, and the ledger follows at the next run"
            raise
        return place


def _loaded(place: Path, url: str) -> LoadReceipt:
    try:
        return load_run(place, url)
    except ReconcileError as error:
        published = f"the run is published; when this is mended: reconcile load {place} --to {url}"
        error.hint = f"{error.hint}; {published}" if error.hint else published
        raise


def run_id_of(
    business_date: date, policy: MatchPolicy, folder: Path, before: Sequence[ledger.PublishedRun], accepted: Any
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
        manifest.digest_of(folder / "payments.parquet").sha256,
        manifest.digest_of(folder / "orders.parquet").sha256,
        *(f"{run.business_date} {run.run_id}" for run in before),
        repr(accepted.to_pydict()),
    )
    return f"{business_date:%Y%m%d}-{digest[:12]}"


def published_runs(out: Path) -> list[ledger.PublishedRun]:
    """Return the published runs in `out` as the ledger sees them, oldest first."""
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
