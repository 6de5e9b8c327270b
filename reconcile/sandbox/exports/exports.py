"""
Exports: jobs that are created, get on by the clock, and leave a file in the storage.

Follows https://docs.commercelayer.io/core/exporting-resources . An export waits, runs for as long as its records
need, and is completed by the first look at it after that: then its file is written, from the rows as they are at
that moment. No snapshot is documented, so there is none: rows deleted, created or changed meanwhile show in the file
as they are, and `records_count` stays what was counted at creation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reconcile.sandbox.api import refusals
from reconcile.sandbox.api.bodies import check_flags, check_texts
from reconcile.sandbox.api.faults import EXPORTS, Faults
from reconcile.sandbox.api.refusals import Refusal
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.exports.files import export_file
from reconcile.sandbox.exports.plans import CREATABLE, ExportPlan, not_a_filter, read_plan
from reconcile.sandbox.exports.storage import Storage
from reconcile.sandbox.world import times
from reconcile.sandbox.world.ids import id_key
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.table import Table
from reconcile.sandbox.world.world import World

WRITABLE = ("_start", "_interrupt", "reference", "reference_origin", "metadata")

_RUNNING = ("pending", "in_progress")
_ENDS = ("started_at", "completed_at", "estimated_completion_at", "interrupted_at")
_INSTANTS = ("created_at", "updated_at", *_ENDS)
_PATIENCE_SECONDS = 1.0
"""How long an answer waits for files that are due."""


@dataclass(frozen=True, slots=True)
class ExportRules:
    """
    What an organization may export, and how fast it goes.

    `maximum` records per export, `concurrent` exports pending or in progress at once. With `includes` False no
    related resource is exported. With `source_types` an exported payment source says its `type`, which is not
    documented. Filters may not cross a relationship of `uncrossed`. `records_per_second` and the seconds are divided by
    `time_scale`, None for that of the rate limits.
    """

    maximum: int = 5_000
    concurrent: int = 10
    types: tuple[str, ...] = ("klarna_payments", "orders", "payment_gateways", "payment_methods")
    includes: bool = True
    source_types: bool = False
    uncrossed: tuple[str, ...] = ()
    records_per_second: float = 2_500.0
    pending_seconds: float = 0.2
    url_seconds: float = 300.0
    time_scale: float | None = None

    @property
    def scale(self) -> float:
        """How many times shorter than in earnest everything is."""
        return self.time_scale or 1.0


@dataclass(slots=True)
class _Job:
    """What an export is besides its attributes. Instants are on the monotonic clock."""

    plan: ExportPlan
    count: int
    faults: frozenset[str]
    starts_at: float
    ends_at: float
    file: asyncio.Future[bytes] | None = None

    def share(self, now: float) -> float:
        """Return how much is done, from 0 to 1."""
        if now >= self.ends_at:
            return 1.0
        return (now - self.starts_at) / (self.ends_at - self.starts_at)


class Exports:
    """
    The exports of one world. `table` holds their attributes; `settle` brings it up to date, and goes before any look.

    `clock` is monotonic, `wall_clock` gives seconds since 1970.
    """

    def __init__(
        self,
        world: World,
        rules: ExportRules,
        storage: Storage,
        *,
        faults: Faults,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._world = world
        self._rules = rules
        self._storage = storage
        self._faults = faults
        self._clock = clock
        self._wall_clock = wall_clock
        self._jobs: dict[str, _Job] = {}
        self.table = Table(
            count=0,
            base_row=lambda _: {},
            key=id_key(world.seed, "exports"),
            columns={name: np.full(1, times.NULL, np.int64) for name in _INSTANTS},
        )
        self._selections = Selections(world, uncrossed=rules.uncrossed)

    def row(self, id_: str) -> Row:
        """Return the attributes of an export that is there."""
        row = self.table.find(id_)
        assert row is not None, "asked for by an id that was found"
        return row

    def create(self, attributes: Row) -> str:
        """Create the export that the attributes of a request ask for and return its id. Raises Refusal."""
        rules = self._rules
        plan = read_plan(attributes, rules.types, includes=rules.includes, source_types=rules.source_types)
        self._check_room()
        count = self._count(plan)
        if count == 0:
            raise refusals.invalid_value("records_count", "greater_than", "must be greater than 0", value=0, count=0)
        if count > rules.maximum:
            detail = f"must be less than or equal to {rules.maximum}"
            meta = {"value": count, "count": rules.maximum}
            raise refusals.invalid_value("records_count", "less_than_or_equal_to", detail, **meta)
        number = self.table.last_sequence + 1
        faults = frozenset(fault.kind for fault in self._faults.of(EXPORTS, number))
        row = {
            **dict.fromkeys(CREATABLE),
            **attributes,
            **{name: attributes.get(name) or False for name in ("dry_data", "jwt_filters")},
            "format": attributes.get("format") or "json",
            "metadata": attributes.get("metadata") or {},
            "created_at": self._text(self._clock()),
        }
        id_ = self.table.insert(row, created_at=times.from_text(row["created_at"]))
        self._jobs[id_] = _Job(plan, count, faults, starts_at=0.0, ends_at=0.0)
        self._begin(id_)
        return id_

    def change(self, id_: str, attributes: Row) -> None:
        """Interrupt or start an export, or write its references. Raises Refusal."""
        check_texts(attributes, ("reference", "reference_origin"))
        check_flags(attributes, ("_start", "_interrupt"))
        status = self._status(id_)
        if attributes.get("_interrupt") is True:
            if status not in _RUNNING:
                raise refusals.invalid_value("status", "invalid", f"cannot be interrupted when {status}")
            self._write(id_, status="interrupted", interrupted_at=self._text(self._clock()))
        if attributes.get("_start") is True:
            # Which others can be started again is not documented; the attribute's own text names interrupted ones.
            if self._status(id_) != "interrupted":
                raise refusals.invalid_value("status", "invalid", f"cannot be started when {status}")
            self._check_room()
            job = self._jobs[id_]
            job.file, job.faults = None, job.faults & {"export-lost-row"}
            self._begin(id_)
        texts = {name: value for name, value in attributes.items() if not name.startswith("_")}
        if texts:
            self._write(id_, **texts)

    def delete(self, id_: str) -> None:
        """Remove an export and its file. Refuses one that is still running."""
        row = self.row(id_)
        # 423 is documented without saying when; a job that runs is the plausible one.
        if row["status"] in _RUNNING:
            raise refusals.locked(id_)
        self.table.delete(id_)
        self._storage.drop(self._path(row))
        del self._jobs[id_]

    def shown(self, row: Row) -> Row:
        """Return the attributes of an export with a new URL of its file."""
        if row["status"] != "completed":
            return row
        return {**row, "attachment_url": self._storage.sign(self._path(row))}

    async def settle(self) -> None:
        """Bring all exports to where they are by now, waiting a moment for files that are due."""
        due = self._advance()
        if due:
            waiting = {self._file(id_) for id_ in due}
            await asyncio.wait(waiting, timeout=_PATIENCE_SECONDS)
            for id_ in due:
                self._complete(id_)

    def _advance(self) -> list[str]:
        """Bring all running exports to where they are by now; return those whose files are due."""
        now, due = self._clock(), []
        for id_, job in self._jobs.items():
            if self._status(id_) in _RUNNING and now >= job.starts_at:
                share = job.share(now)
                ending = next((kind for kind in ("export-fail", "export-interrupt") if kind in job.faults), None)
                if share >= 0.5 and ending is not None:
                    self._break_off(id_, job, ending)
                    continue
                if "export-stuck" in job.faults:
                    share = min(share, 0.5)
                self._progress(id_, job, share)
                if share >= 1.0:
                    due.append(id_)
        return due

    def _begin(self, id_: str) -> None:
        job, now = self._jobs[id_], self._clock()
        job.starts_at = now + self._rules.pending_seconds / self._rules.scale
        job.ends_at = job.starts_at + job.count / self._rules.records_per_second / self._rules.scale
        self._write(
            id_,
            status="pending",
            updated_at=self._text(now),
            **dict.fromkeys((*_ENDS, "records_count", "processed_count", "progress", "errors_log", "attachment_url")),
        )

    def _progress(self, id_: str, job: _Job, share: float) -> None:
        processed = int(job.count * share)
        self._write(
            id_,
            status="in_progress",
            started_at=self._text(job.starts_at),
            estimated_completion_at=self._text(max(job.ends_at, self._clock())),
            records_count=job.count,
            processed_count=processed,
            progress=100 * processed // job.count,
        )

    def _break_off(self, id_: str, job: _Job, kind: str) -> None:
        self._progress(id_, job, 0.5)
        half_way = self._text((job.starts_at + job.ends_at) / 2)
        if kind == "export-fail":
            self._write(id_, status="failed", errors_log={"RuntimeError": "query timeout"}, updated_at=half_way)
        else:
            self._write(id_, status="interrupted", interrupted_at=half_way, updated_at=half_way)

    def _file(self, id_: str) -> asyncio.Future[bytes]:
        """Return the file of a job that is due, being written in a thread."""
        job = self._jobs[id_]
        if job.file is None:
            loses = "export-lost-row" in job.faults
            writing = asyncio.to_thread(export_file, self._world, self._selections, job.plan, loses_a_row=loses)
            job.file = asyncio.ensure_future(writing)
        return job.file

    def _complete(self, id_: str) -> None:
        """Complete an export whose file is there, unless something else became of it while it was written."""
        job = self._jobs.get(id_)
        if job is None or self._status(id_) != "in_progress" or job.file is None or not job.file.done():
            return
        self._storage.put(self._path(self.row(id_)), job.file.result())
        job.file = None
        ended = self._text(job.ends_at)
        self._write(id_, status="completed", completed_at=ended, estimated_completion_at=ended, updated_at=ended)

    def _check_room(self) -> None:
        running = sum(self._status(id_) in _RUNNING for id_ in self._jobs)
        if running >= self._rules.concurrent:
            raise refusals.too_many_at_once(self._rules.concurrent)

    def _count(self, plan: ExportPlan) -> int:
        try:
            with self._world.lock:
                return len(self._selections.select(plan.resource_type, plan.conditions, (("id", False),)))
        except Refusal as refusal:
            raise not_a_filter(refusal) from refusal

    def _status(self, id_: str) -> str:
        return str(self.row(id_)["status"])

    def _path(self, row: Row) -> str:
        return f"/exports/{self._world.organization_id}/{row['id']}/{row['resource_type']}.{row['format']}.gz"

    def _write(self, id_: str, **attributes: Any) -> None:
        """Change attributes of an export; `updated_at` is now, unless it is among them."""
        attributes = {"updated_at": self._text(self._clock()), **attributes}
        instants = {name: times.from_text(attributes[name]) for name in _INSTANTS if name in attributes}
        self.table.update(id_, attributes, **instants)

    def _text(self, instant: float) -> str | None:
        """Return an instant of the monotonic clock as answers show it."""
        return times.to_text(round((self._wall_clock() + instant - self._clock()) * 1_000_000))
