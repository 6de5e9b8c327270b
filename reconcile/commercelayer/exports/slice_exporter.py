"""
Slices of what is too large for one export: each created or taken up, waited for, received, cut, or tried again.

Knows what a refusal says about the size of a slice, and when another export may fare better. What is exported, how it
is cut and what becomes of a file is for the `SlicedExport` to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.exports.documents import MOST_AT_ONCE, BrokenExport, Export
from reconcile.commercelayer.exports.jobs import ExportJobs, NotCreated
from reconcile.commercelayer.tasks import WorkerPool

_MOST_TRIES = 3


class PlannedSlice(Protocol):
    """A part to be exported at once: `planned` records or so, by the export `export_id` once there is one."""

    planned: int
    export_id: str | None


S = TypeVar("S", bound=PlannedSlice)


class SlicedExport(Protocol[S]):
    """What is exported in slices: how to ask for one, and what becomes of it."""

    @property
    def most_records(self) -> int:
        """How many records the server takes in one export, as far as is known."""

    def allow(self, most_records: int) -> None:
        """Take note of how many it takes."""

    def is_wanted(self, slice_: S) -> bool:
        """Return whether `slice_` is still to be exported."""

    def reference(self, slice_: S) -> str:
        """Return the reference of its export, which no other one has."""

    def document(self, slice_: S) -> Mapping[str, object]:
        """Return the document that creates its export."""

    def created(self, slice_: S, export_id: str) -> None:
        """Take note of its export."""

    def is_empty(self, slice_: S) -> None:
        """Take note that it holds no record: it is wanted no more."""

    def refused(self, slice_: S, refusal: NotCreated) -> None:
        """Raise, want it no more, or ask by another document from now on: size is not why it was refused."""

    async def cut(self, slice_: S) -> Sequence[S]:
        """Return what is to be exported in place of a slice that is too large. Raises BrokenExport."""

    async def receive(self, slice_: S, export: Export) -> None:
        """Fetch and keep what its completed `export` holds. Raises BrokenExport when that is not usable."""

    def broken(self, slice_: S, error: BrokenExport, *, final: bool) -> None:
        """Forget its exports. When there will be no other (`final`), raise or take note of that."""


class SliceExporter(Generic[S]):
    """Exports the slices of `sliced` by `jobs`, as many at once as an organization may have."""

    def __init__(self, client: CommerceLayer, jobs: ExportJobs, sliced: SlicedExport[S]) -> None:
        self._client = client
        self._jobs = jobs
        self._sliced = sliced

    async def export_all(self, slices: Iterable[S]) -> None:
        """Export `slices` and what they are cut into. Raises what the `SlicedExport` does, and CommerceLayerError."""
        await WorkerPool(self._export, wanted=lambda: MOST_AT_ONCE).run(slices)

    async def _export(self, slice_: S) -> Sequence[S]:
        """Bring one slice home and return none; or those it was cut into."""
        for tries in range(1, _MOST_TRIES + 1):
            if not self._sliced.is_wanted(slice_):
                break
            try:
                return await self._receive_or_cut(slice_)
            except BrokenExport as error:
                self._client.statistics.retries["export"] += 1
                final = error.final or tries == _MOST_TRIES
                self._sliced.broken(slice_, error, final=final)
                if final:
                    break
        return ()

    async def _receive_or_cut(self, slice_: S) -> Sequence[S]:
        if slice_.export_id is None:
            async with self._jobs.turn:
                while self._is_to_create(slice_):
                    await self._create(slice_)
        if slice_.export_id is not None:
            export = await self._jobs.completed(slice_.export_id, reference=self._sliced.reference(slice_))
            await self._sliced.receive(slice_, export)
        elif self._sliced.is_wanted(slice_):
            return await self._sliced.cut(slice_)
        return ()

    def _is_to_create(self, slice_: S) -> bool:
        fits = slice_.planned <= self._sliced.most_records
        return slice_.export_id is None and fits and self._sliced.is_wanted(slice_)

    async def _create(self, slice_: S) -> None:
        """Create the export of `slice_`, or learn from the refusal."""
        sliced = self._sliced
        try:
            export = await self._jobs.create(sliced.document(slice_), reference=sliced.reference(slice_))
            sliced.created(slice_, export.id)
        except NotCreated as refusal:
            match refusal.verdict.kind:
                case "too_many":
                    sliced.allow(refusal.verdict.allowed)
                    slice_.planned = max(slice_.planned, refusal.verdict.allowed + 1)
                case "empty":
                    sliced.is_empty(slice_)
                case _:
                    sliced.refused(slice_, refusal)
