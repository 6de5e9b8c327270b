"""
The order book of a run: which deliveries it is made of, and tonight's on top of them.

The book of the run before is gone on from where it is made of the deliveries that are published now. Where a date was
run late, or again, it is built again from the last run before that date. Does not know what a row replaces
(`reconcile.orders.book`).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from reconcile.errors import OutputError
from reconcile.files.disk import disk_errors, sha256_of
from reconcile.files.duckdb import within_memory
from reconcile.history.ledger import PublishedRun
from reconcile.matching.engines.duckdb import DuckDBEngine
from reconcile.matching.keys.leading import leading_keys
from reconcile.matching.policy import MatchPolicy
from reconcile.orders.book import Keyed, bring_up_to_date
from reconcile.orders.report import BookReport
from reconcile.runs.folder import read_manifest
from reconcile.runs.manifest import Delivery, Manifest
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.schema import ORDERS


@dataclass(frozen=True, slots=True)
class OrderBook:
    """
    The book of a run: the deliveries before tonight's that it is made of, oldest first, and what tonight's did.

    `late` are dates that were run, or run again, when later ones had been published without them.
    """

    deliveries: tuple[Delivery, ...]
    report: BookReport
    late: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """A published run, its manifest, and what it brought to the book: its delivery, or all its orders."""

    folder: RunFolder
    manifest: Manifest

    @property
    def is_full(self) -> bool:
        return self.manifest.order_book is None

    @property
    def delivery(self) -> Delivery:
        name = RunFile.ORDERS if self.is_full else RunFile.DELIVERY
        digest = self.manifest.digests.get(name)
        if digest is None:
            raise OutputError(f"{self.folder.path}: has no {name} in its manifest", hint=_RUN_AGAIN)
        return Delivery(self.manifest.business_date, self.manifest.run_id, digest.sha256, is_full=self.is_full)

    @property
    def book_of(self) -> tuple[Delivery, ...]:
        """The deliveries that its orders are made of."""
        book = self.manifest.order_book
        return (self.delivery,) if book is None else book.deliveries


@dataclass(frozen=True, slots=True)
class _Plan:
    """Deliveries of the book, the run whose book is gone on from (null: an empty one), those that come after it."""

    deliveries: tuple[Delivery, ...] = ()
    base: _Run | None = None
    rest: tuple[_Run, ...] = ()
    late: tuple[date, ...] = ()


_RUN_AGAIN = "the order book is built from it: restore it as it was published, or run its date again"


def build_order_book(
    delivery: Path,
    destination: Path,
    business_date: date,
    runs: Sequence[PublishedRun],
    policy: MatchPolicy,
    memory_limit: str | None,
) -> OrderBook:
    """
    Make `destination`, the book after `delivery`, on the deliveries of `runs`, those of earlier dates.

    `runs` are oldest first. Raises OutputError when an earlier run that is needed cannot be read or was changed, or
    memory and disk are used up.
    """
    plan = _planned(runs)
    with (
        disk_errors(destination),
        tempfile.TemporaryDirectory(prefix=".book-", dir=destination.parent) as partial,
        contextlib.closing(DuckDBEngine(memory_limit=memory_limit, temp_directory=Path(partial))) as engine,
        within_memory("the order book"),
    ):
        builder = _Builder(engine, policy)
        book, began_on = _started(plan.base, Path(partial))
        for number, late in enumerate(plan.rest):
            after = Path(partial) / f"{number}.parquet"
            builder.step((book, began_on), _checked(late, RunFile.DELIVERY), late.manifest.business_date, after)
            book, began_on = after, None
        report = builder.step((book, began_on), delivery, business_date, destination)
    return OrderBook(plan.deliveries, report, plan.late)


@dataclass(frozen=True, slots=True)
class _Builder:
    """Takes a book from one delivery to the next."""

    engine: DuckDBEngine
    policy: MatchPolicy

    def step(self, book: tuple[Path, date | None], delivery: Path, on: date, destination: Path) -> BookReport:
        path, began_on = book
        before, new = (Keyed(one, leading_keys(self.engine, one, self.policy)) for one in (path, delivery))
        return bring_up_to_date(
            self.engine.connection, before, new, destination, delivered_on=on, book_began_on=began_on
        )


def _planned(runs: Sequence[PublishedRun]) -> _Plan:
    if not runs:
        return _Plan()
    latest = _run(runs[-1])
    if latest.is_full or _is_whole(latest.book_of, runs):
        return _Plan(latest.book_of, latest)
    wanted = _since_the_last_full(runs)
    deliveries = tuple(run.delivery for run in wanted)
    known = set(latest.book_of)
    late = tuple(one.business_date for one in deliveries if one not in known)
    for count in range(len(wanted), 0, -1):
        if wanted[count - 1].book_of == deliveries[:count]:
            return _Plan(deliveries, wanted[count - 1], tuple(wanted[count:]), late)
    return _Plan(deliveries, None, tuple(wanted), late)


def _is_whole(book: tuple[Delivery, ...], runs: Sequence[PublishedRun]) -> bool:
    """Whether a book is made of what is published: every run since its first delivery, and none is missing before."""
    first = book[0]
    since = [run for run in runs if run.business_date >= first.business_date]
    published = [(run.business_date, run.run_id) for run in since]
    begins = first.is_full or len(since) == len(runs)
    return begins and published == [(one.business_date, one.run_id) for one in book]


def _since_the_last_full(runs: Sequence[PublishedRun]) -> list[_Run]:
    found: list[_Run] = []
    for run in reversed(runs):
        found.append(_run(run))
        if found[-1].is_full:
            break
    return found[::-1]


def _run(run: PublishedRun) -> _Run:
    folder = RunFolder(run.breaks.parent)
    return _Run(folder, read_manifest(folder.path))


def _started(base: _Run | None, partial: Path) -> tuple[Path, date | None]:
    """Return the book to go on from, and the day on which those of its rows were delivered that do not say it."""
    if base is None:
        empty = partial / "empty.parquet"
        pq.write_table(ORDERS.empty_table(), empty)
        return empty, None
    return _checked(base, RunFile.ORDERS), base.manifest.business_date


def _checked(run: _Run, name: RunFile) -> Path:
    """Return a file of a published run. Raises OutputError when it is not what was published."""
    path, digest = run.folder.path / name, run.manifest.digests.get(name)
    try:
        if digest is not None and sha256_of(path) == digest.sha256:
            return path
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}", hint=_RUN_AGAIN) from error
    raise OutputError(f"{path}: was changed since it was published", hint=_RUN_AGAIN)
