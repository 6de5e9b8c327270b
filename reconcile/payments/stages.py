"""
A pull of a window, stage after stage, until its rows are proved to be as of now.

Knows the order of stages: an interrupted pull is resumed, and its rows are then brought up to date; where
that cannot be proved, everything is pulled from scratch. How a stage pulls and proves itself is known to `full` and
`incremental`. Each stage is a pull of its own with a state of its own in the mirror, so that the same command resumes
from wherever it was stopped:

    unfinished pull            →  its rows, as of its own cut-off  →  what changed since  →  as of now
    (mirror/unfinished)           (mirror/resumed)                    (mirror/unfinished)

A stage that is itself stopped and resumed has an earlier cut-off again: its rows take the place of those it began
with, and another one follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from reconcile.errors import Refused, Unproved
from reconcile.notices import Notice, notice
from reconcile.payments.bookmarks import Spent
from reconcile.payments.finished import Base, Carried, Finished, Found
from reconcile.payments.full import FullPull
from reconcile.payments.incremental import IncrementalPull
from reconcile.payments.mirror.mirror import Mirror
from reconcile.payments.report import PullContext, PullReport, spent_by
from reconcile.payments.resumed import drop_resumed, keep_resumed, resumed_rows

PullStage = FullPull | IncrementalPull


async def pulled(
    context: PullContext, store: Mirror, beside: Path, *, base: Found | None, recheck: Collection[str]
) -> PullStage:
    """
    Write all payments that `context` asks for to `beside`, and return the pull that has proved them as of now.

    `base` is what an incremental pull builds on, null for everything; `recheck` names payments that it asks for by id.
    Raises CommerceLayerError and OutputError; the same call resumes.
    """
    return await _Stages(context, store, base, recheck).run(beside)


def entry_for(pull: PullStage, report: PullReport, window: str, *, carried: Carried | None = None) -> Finished:
    """Return what a mirror notes of the rows of `pull`, which has ended with `report`."""
    return Finished(
        window=window,
        cut_off=report.until,
        watermark=pull.began_at or report.until,
        finished_at=report.finished_at,
        rows=report.payments,
        refused=report.refused,
        carried=carried,
    )


class _Stages:
    """The stages of one command. What they cost is handed on from one to the next."""

    def __init__(self, context: PullContext, store: Mirror, base: Found | None, recheck: Collection[str]) -> None:
        self._context = context
        self._window = context.request.window
        self._store = store
        self._wanted = base
        self._recheck = recheck

    async def run(self, beside: Path) -> PullStage:
        """Go through the stages to the one that stands."""
        pull = await self._first()
        while True:
            try:
                await pull.walk_until_proved(beside)
            except (Unproved, Refused) as error:
                if not isinstance(pull, IncrementalPull) or not _is_way_out(pull, error):
                    raise
                self._hand_on(pull.spent)
                pull = await self._everything_instead(pull, error)
                continue
            if not pull.resumed:
                return pull
            base = await asyncio.to_thread(self._keep, pull, beside)
            self._hand_on(pull.spent)
            pull = await self._on(base)

    async def _first(self) -> PullStage:
        """Return the stage with which the command begins, planned."""
        if (base := await asyncio.to_thread(resumed_rows, self._store.folder, self._window)) is not None:
            self._store.unfinished(self._window).forget()  # of a crash, after its rows were kept
            assert base.finished.carried is not None, "they come from a pull that was resumed"
            self._context = replace(self._context, earlier=base.finished.carried.spent)
            return await self._on(base)
        wanted = self._wanted
        if wanted is None:
            return await self._everything()
        if wanted.finished is None:
            return await self._everything(warnings=(_though_incremental(wanted.why),))
        return await self._on(Base(wanted.finished, self._store.payments))

    async def _on(self, base: Base) -> PullStage:
        """Return the stage that reads what changed since the rows of `base`, or everything where that is refused."""
        changes = IncrementalPull(self._context, self._store, base, recheck=self._recheck)
        try:
            await changes.plan()
        except Refused as error:
            if not _is_way_out(changes, error):
                raise
            return await self._everything_instead(changes, error)
        return changes

    async def _everything(self, *, warnings: tuple[Notice, ...] = (), why_anew: str = "") -> FullPull:
        store = self._store.unfinished(self._window)
        pull = FullPull(self._context, store, warnings=warnings, why_anew=why_anew)
        await pull.plan()
        return pull

    async def _everything_instead(self, changes: IncrementalPull, error: Unproved | Refused) -> FullPull:
        """Return the stage that pulls everything, because `error` has ended `changes`: what that had is dropped."""
        await asyncio.to_thread(drop_resumed, self._store, self._window)
        for store in changes.stores:
            await asyncio.to_thread(store.forget)
        if changes.resumed or changes.catches_up:
            why = f"the interrupted pull could not be brought up to date: {error.message}"
            return await self._everything(why_anew=why)
        listed = f"payments cannot be listed by their changes: {error.message}"
        return await self._everything(warnings=(_though_incremental(listed),))

    def _hand_on(self, spent: Spent) -> None:
        self._context = replace(self._context, at_start=spent_by(self._context.client), earlier=spent)

    def _keep(self, pull: PullStage, beside: Path) -> Base:
        """Keep the rows of a pull that was resumed: they are proved, as of its own cut-off."""
        report = pull.report()
        carried = Carried(
            started_at=report.started_at,
            spent=pull.spent,
            transport=report.transport,
            transport_reason=report.transport_reason,
            warnings=report.warnings,
        )
        entry = entry_for(pull, report, self._window, carried=carried)
        return keep_resumed(self._store, beside, entry, pulls=pull.stores)


def _is_way_out(changes: IncrementalPull, error: Unproved | Refused) -> bool:
    """Whether pulling everything is what `error` leaves to do, in the same command."""
    if isinstance(error, Refused):
        return error.status == 400  # this server does not list by change, or not by id
    return changes.resumed or changes.catches_up


def _though_incremental(why: str) -> Notice:
    return notice("full_pull", f"everything was pulled, although an incremental pull was requested: {why}")
