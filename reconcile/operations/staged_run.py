"""
One run in progress, and what becomes of it: the values that its stages hand on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from reconcile.figures import limits
from reconcile.figures.pulled import Pull
from reconcile.figures.summary import Summary
from reconcile.figures.units import Hundredfold
from reconcile.matching.report import MatchReport
from reconcile.operations.order_book import OrderBook
from reconcile.orders.report import OrdersReport
from reconcile.runs.folder import Staging
from reconcile.runs.manifest import FileDigest
from reconcile.runs.run_folder import RunFolder
from reconcile.settings.settings import Settings

if TYPE_CHECKING:
    from reconcile.warehouse.load import LoadReceipt

log = logging.getLogger("reconcile.run")


@dataclass(frozen=True, slots=True)
class RunResult:
    """
    A published run: its folder, its `summary.json`, its load if any.

    `exceeded` are sentences about the limits that it exceeds, `within` are those that it does not, as written.
    """

    folder: Path
    summary: Summary
    exceeded: tuple[str, ...]
    within: tuple[str, ...] = ()
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


class PaymentSource(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the payments of a run came from, as its manifest says it; what does not apply is left out."""

    mode: str | None
    organization: str | None
    pull: Pull | UnsetType = UNSET
    narrowed: str | UnsetType | None = UNSET
    orders_export: dict[str, object] | UnsetType = UNSET
    payments_file: FileDigest | UnsetType = UNSET

    @property
    def why_all(self) -> str | None:
        """Why the exported orders are those of all payment methods, null where they are not."""
        why = self.orders_export.get("why_all") if self.orders_export else None
        return None if why is None else str(why)


@dataclass(frozen=True, slots=True)
class StagedRun:
    """
    One run in progress; both sides are in the staged folder.

    `checks` are the limits that stop the close. `book` is null where the files are the whole order side.
    """

    settings: Settings
    checks: Sequence[limits.Limit]
    staging: Staging
    orders: OrdersReport
    source: PaymentSource
    timings: Timings
    book: OrderBook | None = None

    @property
    def folder(self) -> RunFolder:
        """The staged folder."""
        return self.staging.run

    @property
    def out(self) -> Path:
        """The folder of the run folders."""
        return self.staging.out

    @property
    def business_date(self) -> date:
        return self.staging.business_date


@dataclass(frozen=True, slots=True)
class Matched:
    """What the matching of a run made: the run's id, the report, and the pairs that seem to be in another unit."""

    run_id: str
    report: MatchReport
    units: Hundredfold
