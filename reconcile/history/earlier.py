"""
What the runs before a business date say, as they were at one moment: the matching goes by that to its end.

Another date may be published, or published again, while a run is made. What it began with stays what it goes by, and
when it is about to be published it asks again: what has come meanwhile is reported, and counts in no figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from reconcile.errors import OutputError
from reconcile.history import ledger
from reconcile.history.identity import FOLLOWED
from reconcile.history.published import breaks_in
from reconcile.runs.folder import latest_before, link_to, published, read_manifest
from reconcile.runs.manifest import Link
from reconcile.runs.run_folder import RunFolder

_MOST_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class EarlierRuns:
    """
    The runs before a business date: `runs` oldest first, and what follows from them.

    history   a table of HISTORY: what is known of breaks
    link      the latest of them, null when there is none
    breaks    the breaks of the latest: the columns FOLLOWED
    """

    runs: tuple[ledger.PublishedRun, ...]
    history: pa.Table
    link: Link | None
    breaks: pa.Table | None

    @property
    def problems(self) -> list[str]:
        """Why runs cannot be read that nothing is needed of."""
        return [run.problem for run in self.runs if run.problem is not None]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """
    Runs of other dates that do not know of a run, or that it does not know of.

    meanwhile  earlier dates that were published, or published again, while it was made
    later      later dates that have been published already
    """

    meanwhile: tuple[date, ...] = ()
    later: tuple[date, ...] = ()


def published_runs(out: Path) -> list[ledger.PublishedRun]:
    """Return the published runs in `out` as the ledger sees them, oldest first."""
    return [_as_published(folder) for folder in published(out)]


def earlier_runs(out: Path, business_date: date) -> EarlierRuns:
    """
    Return what the runs in `out` before `business_date` say; the ledger follows all of them first.

    Raises OutputError when the latest of them, the breaks of one that the ledger must read, or the ledger itself cannot
    be read.
    """
    for _ in range(_MOST_ATTEMPTS):
        runs = published_runs(out)
        found = _read(out, business_date, runs)
        if _before(published_runs(out), business_date) == _before(runs, business_date):
            return found
    raise OutputError(f"{out}: runs before {business_date} keep being published", hint="run one date after the other")


def check_latest(out: Path, business_date: date) -> None:
    """Raise OutputError when the latest run before `business_date` cannot be read, before any work is done."""
    if (latest := latest_before(out, business_date)) is not None:
        link_to(latest)


def neighbours(out: Path, business_date: date, earlier: EarlierRuns) -> Neighbours:
    """Return the runs in `out` now that a run of `business_date`, made after `earlier`, does not go with."""
    now = published_runs(out)
    known = {run.business_date: run.run_id for run in earlier.runs}
    before = [run for run in _before(now, business_date) if run.problem is None]
    return Neighbours(
        meanwhile=tuple(run.business_date for run in before if known.get(run.business_date) != run.run_id),
        later=tuple(run.business_date for run in now if run.business_date > business_date),
    )


def _read(out: Path, business_date: date, runs: Sequence[ledger.PublishedRun]) -> EarlierRuns:
    before, history = ledger.history_before(out / ledger.LEDGER_NAME, runs, business_date)
    latest = before[-1].breaks if before else None
    return EarlierRuns(
        runs=tuple(before),
        history=history,
        link=link_to(latest.parent) if latest else None,
        breaks=breaks_in(latest, FOLLOWED) if latest else None,
    )


def _before(runs: Sequence[ledger.PublishedRun], business_date: date) -> list[ledger.PublishedRun]:
    return [run for run in runs if run.business_date < business_date]


def _as_published(folder: Path) -> ledger.PublishedRun:
    on, breaks = date.fromisoformat(folder.name), RunFolder(folder).breaks
    try:
        return ledger.PublishedRun(on, read_manifest(folder).run_id, breaks)
    except OutputError as error:
        return ledger.PublishedRun(on, ledger.UNREADABLE, breaks, problem=error.message)
