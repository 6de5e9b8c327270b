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

from msgspec.structs import asdict, replace

from reconcile.errors import OutputError, ReconcileError
from reconcile.figures import limits, proof
from reconcile.figures.aging import aging_from_data
from reconcile.figures.compare import trend_of
from reconcile.figures.roll_forward import roll_forward
from reconcile.figures.summary import NAME, VERSION, Counts, Figures, FrameSummary, Summary, Verdict
from reconcile.figures.totals import summarize
from reconcile.figures.warnings import cautions, grouping_warnings, neighbour_warnings, refuse_empty
from reconcile.files.duckdb import connected
from reconcile.history import decisions, ledger
from reconcile.history.earlier import EarlierRuns, Neighbours, earlier_runs, neighbours, published_runs
from reconcile.history.states import States
from reconcile.matching.items import RunFacts
from reconcile.matching.match import Resources, match_to_parquet
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import MatchReport
from reconcile.orders.report import OrdersReport
from reconcile.reports.csv_tables import write_breaks, write_items_csv
from reconcile.runs import manifest
from reconcile.runs.folder import Staging, publishing_lock
from reconcile.settings.settings import Settings
from reconcile.settings.stages import limits_of
from reconcile.version import __version__
from reconcile.warehouse.load import LoadReceipt, load_run

log = logging.getLogger("reconcile.run")


@dataclass(frozen=True, slots=True)
class RunResult:
    """A published run: its folder, its `summary.json`, the limits it exceeds, its load if any."""

    folder: Path
    summary: Summary
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
    checks: Sequence[limits.Limit]
    staging: Staging
    orders: OrdersReport
    source: dict[str, Any]
    timings: Timings

    def finish(self) -> RunResult:
        """Match, prove, report and publish. Raises as `reconcile.operations.night.run`."""
        folder, out, on = self.staging.folder, self.staging.out, self.staging.business_date
        earlier = earlier_runs(out, on)
        run_id, report = self._matched(earlier)
        refuse_empty("payments", report.payments.rows, self.settings.run.on_empty_payments)
        warnings = self._warnings(report, earlier)
        with connected(folder, self.settings.run.memory_limit):  # once, for all that is read there
            rows = self._tables()
            with self.timings.stage("summary"):
                figures = summarize(folder / "items.parquet", report.control, report.key_profile)
                proof.prove_files(folder, figures, amount_basis=self.settings.policy.amount_basis)
                summary = self._summary(run_id, figures, earlier)
        exceeded = limits.exceeded(self.checks, figures)
        for sentence in limits.exceeded(limits_of(self.settings.run.warn_on, "--warn-on"), figures):
            log.info("warning: over limit: %s", sentence)
            warnings.append(f"over limit: {sentence}")
        summary = replace(
            summary,
            verdict=verdict_of(figures, exceeded),
            limits_exceeded=tuple(exceeded),
            warnings=tuple(warnings),
            seconds=self.timings.seconds,
        )
        place, summary = self._published(summary, earlier, rows)
        log.info("published %s", place, extra={"folder": str(place), "run_id": run_id, "verdict": summary.verdict})
        load_to = self.settings.run.load_to
        return RunResult(place, summary, tuple(exceeded), _loaded(place, load_to) if load_to else None)

    def _matched(self, earlier: EarlierRuns) -> tuple[str, MatchReport]:
        folder, out, on = self.staging.folder, self.staging.out, self.staging.business_date
        accepted = decisions.standing(decisions.read_decisions(out / decisions.NAME), on)
        run_id = run_id_of(on, self.settings.policy, folder, earlier.runs, accepted)
        chosen = self.settings.run
        with self.timings.stage("matching"):
            report = match_to_parquet(
                folder / "payments.parquet",
                folder / "orders.parquet",
                folder / "items.parquet",
                self.settings.policy,
                RunFacts(on, run_id, States(on, history=earlier.history, acceptances=accepted)),
                Resources(chosen.engine, chosen.spark_master, chosen.memory_limit, spill=folder),
            )
        return run_id, report

    def _warnings(self, report: MatchReport, earlier: EarlierRuns) -> list[str]:
        exported = self.source.get("orders_export")
        warnings = cautions(
            self.orders,
            report,
            pull=self.source.get("pull"),
            narrowed=self.source.get("narrowed"),
            why_all=exported["why_all"] if exported is not None else None,
        )
        warnings += [f"{problem}; nothing of it was needed" for problem in earlier.problems]
        if self.settings.match.group_orders is not None:
            warnings += grouping_warnings(self.orders)
        for warning in warnings:
            log.info("warning: %s", warning)
        return warnings

    def _tables(self) -> dict[str, int]:
        """Write items and breaks for people; return the rows of each file."""
        folder, limit = self.staging.folder, self.settings.run.memory_limit
        items = folder / "items.parquet"
        with self.timings.stage("reports"):
            return {
                "items.csv": write_items_csv(items, folder / "items.csv", memory_limit=limit),
                "breaks.csv": write_breaks(items, folder / "breaks.parquet", folder / "breaks.csv", memory_limit=limit),
            }

    def _summary(self, run_id: str, figures: FrameSummary, earlier: EarlierRuns) -> Summary:
        """Return the summary as the figures make it: no limit is looked at yet, and nothing warned of."""
        folder, limit = self.staging.folder, self.settings.run.memory_limit
        return Summary(
            version=VERSION,
            business_date=self.staging.business_date,
            run_id=run_id,
            organization=self.source["organization"],
            mode=self.source["mode"],
            amount_basis=self.settings.policy.amount_basis,
            verdict=verdict_of(figures, ()),
            counts=Counts(**asdict(figures.counts), rejects=self.orders.rejects),
            statuses=figures.statuses,
            control=figures.control,
            bridge=figures.bridge,
            flag_agreement=figures.flag_agreement,
            aging=figures.aging,
            hash_totals=proof.hash_totals(
                folder, are_orders_grouped=self.settings.policy.group_orders is not None, memory_limit=limit
            ),
            aging_from_data=aging_from_data(folder, memory_limit=limit),
            patterns=figures.patterns,
            roll_forward=roll_forward(earlier.breaks, ledger.breaks_at_stake(folder / "breaks.parquet")),
            key_profile=figures.key_profile,
            trend=trend_of(earlier.runs),
            pull=self.source.get("pull"),
        )

    def _published(self, summary: Summary, earlier: EarlierRuns, rows: dict[str, int]) -> tuple[Path, Summary]:
        """Write what people read, and publish; return the folder, and `summary` with what was told last."""
        out, on, counts = self.staging.out, self.staging.business_date, asdict(summary.counts)
        tables = {f"{name}.parquet": counts[name] for name in ("payments", "orders", "items", "breaks")}
        told = neighbours(out, on, earlier)
        while True:
            known = told
            complete = replace(summary, warnings=(*summary.warnings, *neighbour_warnings(known)))
            record = self._record(summary, earlier, known)
            self._write_reports(complete, record)
            outputs = self.staging.outputs({**rows, **tables, "rejects.csv": counts["rejects"]})
            with publishing_lock(out):
                # What has come since would be told nowhere: neither there nor here.
                if (told := neighbours(out, on, earlier)) == known:
                    place = self.staging.publish(record, outputs)
                    break
        try:
            ledger.follow(out / ledger.NAME, published_runs(out))
        except OutputError as error:
            error.hint = f"{error.hint}; the run is published in {place}, and the ledger follows at the next run"
            raise
        return place, complete

    def _record(self, summary: Summary, earlier: EarlierRuns, known: Neighbours) -> dict[str, object]:
        """Return the manifest, but for its outputs."""
        record = self.staging.out / decisions.NAME
        return {
            **summary.head,
            **self.source,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "software": manifest.software(),
            "settings": self.settings.public(),
            "inputs": self.orders.as_dict(),
            "clean": {"rules": self.settings.policy.clean.as_dict(), "keys": summary.key_profile.cleaning},
            "previous": earlier.link,
            "runs_meanwhile": known.meanwhile,
            "later_runs": known.later,
            "records": [manifest.digest_of(record, name=decisions.NAME)] if record.is_file() else [],
            "control": summary.control,
        }

    def _write_reports(self, summary: Summary, record: dict[str, object]) -> None:
        folder, limit = self.staging.folder, self.settings.run.memory_limit
        manifest.write_json(folder / NAME, summary)
        if self.settings.reports.html:
            from reconcile.reports.page.html import write_html

            write_html(folder, folder / "report.html", manifest=record, memory_limit=limit)
        if self.settings.reports.xlsx:
            from reconcile.reports.workbook.xlsx import write_xlsx

            write_xlsx(folder, folder / "report.xlsx", memory_limit=limit)


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


def verdict_of(figures: Figures, exceeded: Sequence[str]) -> Verdict:
    """Return the verdict of a run by its figures and the limits that it exceeds."""
    if exceeded:
        return "over_limit"
    return "clean_with_exceptions" if figures.counts.breaks else "clean"
