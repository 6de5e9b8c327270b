"""
A pull of a window, stage after stage, until its rows are proved to be as of now.

Knows what follows upon what: a pull that broke off is gone on with, and its rows are then brought up to date; where
that cannot be proved, everything is pulled anew. How a stage pulls and proves itself is known to `full` and
`incremental`. Each stage is a pull of its own with a state of its own in the mirror, so that the same command goes on
from wherever it was stopped:

    unfinished pull            →  its rows, as of its own cut-off  →  what changed since  →  as of now
    (mirror/unfinished)           (mirror/resumed)                    (mirror/unfinished)

A stage that is itself stopped and gone on with has an earlier cut-off again: its rows take the place of those it began
with, and another one follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from reconcile.commercelayer.client import CommerceLayer
from reconcile.errors import Refused, Unproved
from reconcile.payments.bookmarks import Spent
from reconcile.payments.finished import Base, Carried, Finished, Found
from reconcile.payments.full import FullPull
from reconcile.payments.incremental import Changes
from reconcile.payments.mirror.mirror import Mirror
from reconcile.payments.report import PullProgress, PullReport, spent_by
from reconcile.payments.request import PullRequest
from reconcile.payments.resumed import drop_resumed, keep_resumed, resumed_rows

Pull = FullPull | Changes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be pulled and how, as for `pull_to_parquet`. `base`: what an incremental pull builds on, if any."""

    request: PullRequest
    mode: str
    base: Found | None
    recheck: Collection[str]
    on_progress: Callable[[PullProgress], None] | None


async def pulled(client: CommerceLayer, store: Mirror, wanted: Wanted, beside: Path, *, at_start: Spent) -> Pull:
    """
    Write all payments that are `wanted` to `beside`, and return the pull that has proved them as of now.

    `at_start` is what the client had spent before. Raises CommerceLayerError and OutputError; the same call goes on.
    """
    return await _Stages(client, store, wanted, at_start).run(beside)


def entry_for(pull: Pull, report: PullReport, window: str, *, carried: Carried | None = None) -> Finished:
    """Return what a mirror notes of the rows of `pull`, which has ended with `report`."""
    return Finished(
        window=window,
        cut_off=report.until,
        watermark=pull.began_at or report.until,
        finished_at=report.finished_at,
        rows=report.payments,
        carried=carried,
    )


class _Common(TypedDict):
    """What every stage needs to know."""

    since: datetime | None
    mode: str
    on_progress: Callable[[PullProgress], None] | None
    at_start: Spent
    earlier: Spent


class _Stages:
    """The stages of one command. What they cost is handed on from one to the next."""

    def __init__(self, client: CommerceLayer, store: Mirror, wanted: Wanted, at_start: Spent) -> None:
        self._client = client
        self._store = store
        self._wanted = wanted
        self._at_start = at_start  # what the client had spent before the stage that is going on
        self._earlier = Spent()  # what the stages before that have cost, of earlier commands too

    async def run(self, beside: Path) -> Pull:
        """Go through the stages to the one that stands."""
        wanted, pull = self._wanted, await self._first()
        while True:
            try:
                request = wanted.request
                await pull.walk_until_proved(
                    beside, commit_seconds=request.commit_seconds, commit_pages=request.commit_pages
                )
            except (Unproved, Refused) as error:
                if not isinstance(pull, Changes) or not _is_way_out(pull, error):
                    raise
                self._hand_on(pull.spent)
                pull = await self._everything_instead(pull, error)
                continue
            if not pull.resumed:
                return pull
            base = await asyncio.to_thread(self._keep, pull, beside)
            self._hand_on(pull.spent)
            pull = await self._on(base)

    async def _first(self) -> Pull:
        """Return the stage with which the command begins, planned."""
        wanted = self._wanted
        if (base := await asyncio.to_thread(resumed_rows, self._store.folder, wanted.request.window)) is not None:
            self._store.unfinished(wanted.request.window).forget()  # of a crash, after its rows were kept
            assert base.finished.carried is not None, "they are those of a pull that was resumed"
            self._earlier = base.finished.carried.spent
            return await self._on(base)
        if wanted.base is None:
            return await self._everything()
        if wanted.base.finished is None:
            return await self._everything(warnings=(_though_incremental(wanted.base.why),))
        return await self._on(Base(wanted.base.finished, self._store.payments))

    async def _on(self, base: Base) -> Pull:
        """Return the stage that reads what changed since the rows of `base`, or everything where that is refused."""
        wanted = self._wanted
        changes = Changes(
            self._client, self._store, base, overlap=wanted.request.overlap, recheck=wanted.recheck, **self._common()
        )
        try:
            await changes.plan(wanted.request.created_before)
        except Refused as error:
            if not _is_way_out(changes, error):
                raise
            return await self._everything_instead(changes, error)
        return changes

    async def _everything(self, *, warnings: tuple[str, ...] = (), why_anew: str = "") -> FullPull:
        store = self._store.unfinished(self._wanted.request.window)
        pull = FullPull(
            self._client, store, via=self._wanted.request.via, warnings=warnings, why_anew=why_anew, **self._common()
        )
        await pull.plan(self._wanted.request.created_before)
        return pull

    async def _everything_instead(self, changes: Changes, error: Unproved | Refused) -> FullPull:
        """Return the stage that pulls everything, because `error` has ended `changes`: what that had is dropped."""
        await asyncio.to_thread(drop_resumed, self._store, self._wanted.request.window)
        for store in changes.stores:
            await asyncio.to_thread(store.forget)
        if changes.resumed or changes.catches_up:
            why = f"the pull that broke off could not be brought up to date: {error.message}"
            return await self._everything(why_anew=why)
        listed = f"payments cannot be listed by their changes: {error.message}"
        return await self._everything(warnings=(_though_incremental(listed),))

    def _hand_on(self, spent: Spent) -> None:
        self._at_start, self._earlier = spent_by(self._client), spent

    def _common(self) -> _Common:
        wanted = self._wanted
        return {
            "since": wanted.request.created_from,
            "mode": wanted.mode,
            "on_progress": wanted.on_progress,
            "at_start": self._at_start,
            "earlier": self._earlier,
        }

    def _keep(self, pull: Pull, beside: Path) -> Base:
        """Keep the rows of a pull that was resumed: they are proved, as of its own cut-off."""
        report = pull.report()
        carried = Carried(
            started_at=report.started_at,
            spent=pull.spent,
            transport=report.transport,
            transport_reason=report.transport_reason,
            warnings=report.warnings,
        )
        entry = entry_for(pull, report, self._wanted.request.window, carried=carried)
        return keep_resumed(self._store, beside, entry, pulls=pull.stores)


def _is_way_out(changes: Changes, error: Unproved | Refused) -> bool:
    """Whether pulling everything is what `error` leaves to do, in the same command."""
    if isinstance(error, Refused):
        return error.status == 400  # this server does not list by change, or not by id
    return changes.resumed or changes.catches_up


def _though_incremental(why: str) -> str:
    return f"everything was pulled, though an incremental pull was asked for: {why}"
