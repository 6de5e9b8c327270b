"""
Exports in progress: created once and not twice, asked after together, started again when interrupted, fetched.

Knows that an answer can be lost, that others export too, and that polling costs requests. Does not know what is
exported, nor what becomes of the file.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Literal

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.exports.documents import (
    EXPORTS_PATH,
    MOST_AT_ONCE,
    BrokenExport,
    Export,
    ExportVerdict,
    exports_in,
    newest_params,
    pause_seconds,
    poll_params,
    reference_params,
    shown_params,
    trigger,
    under_way_params,
    verdict_on,
)
from reconcile.commercelayer.exports.download import DeadLink, Destination
from reconcile.errors import AuthError, CommerceLayerError, Refused, Unreachable

PATIENCE_SECONDS = 900.0
"""How long an export may stand still, and how long others may take up all the room, before we go another way."""

_MOST_TRIES = 3
_MOST_FRESH_LINKS = 5
# Waits for room among other exports: seconds between two tries, and in all while none of ours is in progress.
_FIRST_WAIT = 2.0
_LONGEST_WAIT = 30.0


class NotCreated(Exception):
    """
    The API refuses the export; `verdict` says why, `why` in its own words.

    `for_others`: exports of others took up all the room until patience ended.
    """

    def __init__(self, verdict: ExportVerdict, why: str, *, for_others: bool = False) -> None:
        super().__init__(why)
        self.verdict = verdict
        self.why = why
        self.for_others = for_others


class StorageDown(BrokenExport):
    """The API is there and the storage is not, as behind a firewall that knows the API only."""


class ExportJobs:
    """The exports of one pull. Those being waited for are polled with one request for all of them."""

    def __init__(self, client: CommerceLayer) -> None:
        self.turn = asyncio.Lock()
        """Have it to create an export: of two at once neither would know what the other learns."""
        self._client = client
        self._seen: dict[str, Export] = {}  # those waited for, as last seen, by reference
        self._still: dict[str, float] = {}  # seconds in which nothing of them moved
        self._date: str | None = None
        self._quiet_rounds = 0
        self._asking = False
        self._round_over = asyncio.Event()
        self._useless: set[str] = set()
        self._left: dict[str, str] = {}

    async def create(self, document: Mapping[str, object], *, reference: str) -> Export:
        """
        Create the export `document`, whose reference nothing else has, and return it; or the one that was taken up.

        Waits while too many others are in progress. When an answer is lost, it is first looked for by its reference.
        Raises NotCreated, and CommerceLayerError as `get`.
        """
        if (left := self._left.pop(reference, None)) is not None:
            return Export(left, "unknown")
        waited, wait, lost = 0.0, _FIRST_WAIT, 0
        while True:
            try:
                return _only(await self._client.post(EXPORTS_PATH, document))
            except Unreachable:
                if (found := await self.find(reference)) is not None:
                    return found
                lost += 1
                if lost >= _MOST_TRIES:
                    raise
                continue
            except CommerceLayerError as error:
                verdict = verdict_on(error)
                if verdict.kind == "unreadable" and lost < _MOST_TRIES:
                    lost += 1
                    continue
                if verdict.kind != "perhaps_busy" or not await self._is_busy(verdict):
                    raise NotCreated(verdict, error.message) from error
                if waited >= PATIENCE_SECONDS:
                    raise NotCreated(ExportVerdict("not_exportable"), error.message, for_others=True) from error
            if ours := len(self._seen):
                while len(self._seen) >= ours:
                    await self._round()
                waited = 0.0
                continue
            await self._client.pause(wait)
            waited, wait = waited + wait, min(_LONGEST_WAIT, 1.5 * wait)

    async def find(self, reference: str) -> Export | None:
        """Return the newest usable export whose reference begins with `reference`, null when there is none."""
        return next(iter(await self.find_all(reference)), None)

    async def find_all(self, start: str) -> list[Export]:
        """Return the usable exports whose reference begins with `start`, newest first, the newest few at most."""
        try:
            document = await self._client.get(EXPORTS_PATH, reference_params(start))
        except Refused as error:
            if error.status != 400:
                raise
            document = await self._client.get(EXPORTS_PATH, newest_params())
        return [
            export
            for export in exports_in(document)
            if (export.reference or "").startswith(start)
            and export.id not in self._useless
            and export.status != "failed"
        ]

    async def take_up(self, start: str) -> None:
        """
        Look for exports of an interrupted attempt, whose references begin with `start`: the newest of each.

        What the API does not show is created again.
        """
        with contextlib.suppress(BrokenExport, Refused, AuthError):
            found = await self.find_all(start)
            self._left = {export.reference: export.id for export in reversed(found) if export.reference}

    async def completed(self, export_id: str, *, reference: str) -> Export:
        """
        Wait until the export is completed and return it. One that was interrupted is started again.

        Raises BrokenExport when it failed, has gone, stands still, or is interrupted again and again.
        """
        self._seen[reference] = Export(export_id, "unknown")
        try:
            return await self._settled(reference)
        except BrokenExport:
            self.discard(export_id)
            raise
        finally:
            del self._seen[reference]
            self._still.pop(reference, None)

    async def _settled(self, reference: str) -> Export:
        starts = 0
        while (export := self._seen[reference]).status != "completed":
            if export.status == "failed":
                raise BrokenExport("the export failed")
            if export.status == "gone":
                raise BrokenExport("the export no longer exists")
            if export.status == "interrupted":
                starts += 1
                if starts > _MOST_TRIES:
                    raise BrokenExport("the export was interrupted repeatedly")
                await self._send_trigger(export.id, "_start")
                self._seen[reference] = Export(export.id, "unknown")
            if self._still.get(reference, 0.0) >= PATIENCE_SECONDS:
                await self._send_trigger(export.id, "_interrupt")
                raise BrokenExport("the export makes no progress")
            await self._round()
        return export

    async def fetch(self, export: Export, destination: Destination) -> None:
        """
        Write the file of the completed `export` to `destination`; an address that expired is renewed.

        Raises BrokenExport when it is not to be had, StorageDown when nothing is to be had there, OutputError.
        """
        for _ in range(_MOST_FRESH_LINKS):
            if export.attachment_url is not None:
                try:
                    return await self._client.download(export.attachment_url, destination)
                except DeadLink:
                    pass
                except Unreachable as error:
                    raise StorageDown(error.message, final=True) from error
            export = await self._shown(export.id)
        raise BrokenExport("the storage does not return the file")

    def discard(self, export_id: str) -> None:
        """Never take this export up again, though it be found."""
        self._useless.add(export_id)

    async def _round(self) -> None:
        """Wait a while and ask after all that are waited for; whoever comes while that lasts waits for its end."""
        if self._asking:
            await self._round_over.wait()
            return
        self._asking = True
        try:
            seconds = pause_seconds(list(self._seen.values()), self._date, self._quiet_rounds)
            await self._client.pause(seconds)
            await self._ask(seconds)
        finally:
            self._asking = False
            self._round_over.set()
            self._round_over = asyncio.Event()

    async def _ask(self, seconds: float) -> None:
        waited_for = dict(self._seen)
        if not waited_for:
            return
        shown = {export.id: export for export in await self._all_shown([one.id for one in waited_for.values()])}
        settled = False
        for reference, last in waited_for.items():
            export = shown.get(last.id) or await self._shown(last.id)
            if reference not in self._seen:
                continue  # given up meanwhile
            if export.reference not in (reference, None):
                export = Export(last.id, "gone")  # it never was ours
            self._still[reference] = self._still.get(reference, 0.0) + seconds if export.stands_as(last) else 0.0
            self._seen[reference] = export
            settled = settled or not export.is_under_way
        self._quiet_rounds = 0 if settled else self._quiet_rounds + 1

    async def _all_shown(self, ids: list[str]) -> list[Export]:
        try:
            document = await self._client.get(EXPORTS_PATH, poll_params(ids))
        except Refused:
            return [await self._shown(export_id) for export_id in ids]
        self._date = document.date
        return exports_in(document)

    async def _shown(self, export_id: str) -> Export:
        try:
            document = await self._client.get(f"{EXPORTS_PATH}/{export_id}", shown_params())
        except Refused as error:
            if error.status != 404:
                raise BrokenExport(error.message, final=True) from error
            return Export(export_id, "gone")
        self._date = document.date
        return _only(document)

    async def _is_busy(self, verdict: ExportVerdict) -> bool:
        """Return whether an export was refused because too many are in progress, ours and those of others."""
        if self._seen:
            return True  # this kind of export is accepted, as ours show
        try:
            count = (await self._client.get(EXPORTS_PATH, under_way_params())).record_count
        except Refused:
            return False
        return count is not None and count >= min(MOST_AT_ONCE, verdict.allowed or MOST_AT_ONCE)

    async def _send_trigger(self, export_id: str, name: Literal["_start", "_interrupt"]) -> None:
        # The next look at it shows what has become of it.
        with contextlib.suppress(Refused, Unreachable):
            await self._client.patch(f"{EXPORTS_PATH}/{export_id}", trigger(export_id, name))


def _only(document: Document) -> Export:
    exports = exports_in(document)
    if len(exports) != 1:
        raise BrokenExport("the answer does not have the documented shape", final=True)
    return exports[0]
