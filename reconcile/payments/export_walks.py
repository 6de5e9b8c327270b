"""
Exporters fetch slices of a window as files, side by side, and keep each with its bookmarks in one commit.

Knows how a window is cut into slices that the server takes, how payments and orders come together, and when a slice,
or everything that is left, has to go by pages. Does not walk pages, and does not judge whether everything was seen:
a slice is a walk, whose figures are checked as those of any other.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import IO, TypeVar

import pyarrow as pa

from reconcile.commercelayer.by_id import payments_by_id
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.exports.documents import MOST_RECORDS, ORIGIN, BrokenExport, Export, payments_export
from reconcile.commercelayer.exports.jobs import ExportJobs, NotCreated, StorageDown
from reconcile.commercelayer.exports.rows import ExportedPart, check_window, exported_parts
from reconcile.commercelayer.exports.slice_exporter import SliceExporter
from reconcile.commercelayer.exports.slicing import slice_edges
from reconcile.commercelayer.paging import CountNow, count_payments
from reconcile.commercelayer.query import Window, timestamp
from reconcile.payments.bookmarks import Walk, walk_through
from reconcile.payments.mirror.commits import with_walk
from reconcile.payments.walking import Committer, WalkContext, saving

Result = TypeVar("Result")


async def slices(client: CommerceLayer, windows: Sequence[Window], counts: Sequence[CountNow]) -> list[Walk]:
    """
    Return the walks with which a pull of `windows` by exports begins: a slice each, cut when it is too large for one.

    What lies before a window's first payment goes by a page: an export of nothing is refused.
    """
    parts: list[tuple[Window, int, bool]] = []
    for window, counted in zip(windows, counts, strict=True):
        first = (await count_payments(client, window)).first_created_at
        if first is None or (window.until is not None and first >= window.until):
            parts.append((window, counted.payments, True))
            continue
        parts.append((replace(window, since=first), counted.payments, False))
        if window.since is None or window.since < first:
            parts.append((replace(window, until=first), 0, True))
    return [
        walk_through(window, number, payments, by_pages=by_pages)
        for number, (window, payments, by_pages) in enumerate(parts, start=1)
    ]


class Exporters:
    """
    The walks of one pull that go by exports, a `SlicedExport` of them.

    A walk that cannot go this way is left to the pages. Of payments that a file does not tell everything about, these
    are read by id; where they are most of them and the pull `may_choose`, all that is left goes by pages.
    """

    def __init__(self, pull: WalkContext, *, may_choose: bool) -> None:
        self._pull = pull
        self._may_choose = may_choose
        self._with_types = True
        self._jobs = ExportJobs(pull.client)
        self._thread: ThreadPoolExecutor
        self._converting = asyncio.Lock()
        self._committer = Committer(pull)

    async def walk_all(self) -> None:
        """
        Export everything that is not done and not to go by pages, and commit it.

        When something stops it, exports that were created are noted, so that the next attempt takes them up.
        """
        todo = [walk for walk in self._pull.marks.walks if self.is_wanted(walk)]
        if not todo:
            return
        # Always the same thread: each one that has handled rows keeps some memory for itself.
        with ThreadPoolExecutor(1, thread_name_prefix="exports") as self._thread:
            async with saving(self._save):
                if self._pull.marks.exports_name is None:
                    self._pull.marks.exports_name = f"{ORIGIN}-{secrets.token_hex(6)}"
                    await self._commit()
                else:
                    await self._jobs.take_up(self._pull.marks.exports_name)
                await SliceExporter(self._pull.client, self._jobs, self).export_all(todo)

    @property
    def most_records(self) -> int:
        return self._pull.marks.most_records or MOST_RECORDS

    def allow(self, most_records: int) -> None:
        self._pull.marks.most_records = most_records

    def is_wanted(self, walk: Walk) -> bool:
        return self._pull.marks.transport == "exports" and not walk.done and not walk.by_pages

    def reference(self, walk: Walk) -> str:
        span = "/".join(timestamp(at) if at is not None else "" for at in (walk.since, walk.until))
        return f"{self._pull.marks.exports_name}/klarna_payments/{walk.number}/{span}"

    def document(self, walk: Walk) -> dict[str, object]:
        wanted, narrowed = self._pull.reading.wanted, self._pull.client.is_narrowed
        return payments_export(
            walk.window, wanted, with_types=self._with_types, narrowed=narrowed, reference=self.reference(walk)
        )

    def created(self, walk: Walk, export_id: str) -> None:
        walk.export_id = export_id  # kept by the next commit; after a crash before it, its reference finds it

    def refused(self, walk: Walk, refusal: NotCreated) -> None:
        if self._with_types and not self._may_choose:
            self._with_types = False  # then only orders without a payment source come whole
        else:
            self._leave_all_to_pages(refusal.why)

    def is_empty(self, walk: Walk) -> None:
        walk.before, walk.seen, walk.done = 0, 0, True

    async def cut(self, walk: Walk) -> Sequence[Walk]:
        inner = await slice_edges(self._pull.client, walk.window, payments=walk.planned, most=self.most_records)
        if not inner:
            self._leave_to_pages(walk, "too many payments of one moment for an export")
            return ()
        parts = self._pull.marks.split(walk, inner, walk.planned)
        await self._commit()
        return parts

    async def receive(self, walk: Walk, export: Export) -> None:
        with self._pull.store.passing_file(f"payments-{walk.number}.json.gz") as file:
            await self._fetch(export, file)
            counted = export.records_count
            async with self._converting:  # one slice of rows in memory
                parts = await self._in_thread(self._parts, file, walk, export.mode)
                batches = [part.rows for part in parts] + await self._read_apart(walk, parts)
                if counted is None or counted < sum(batch.num_rows for batch in batches):
                    # The list's count is the proof.
                    counted = (await count_payments(self._pull.client, walk.window)).payments
                await self._commit([with_walk(one, walk.number) for one in batches], of=walk, counted=counted)
        self._pull.on_page()

    def broken(self, walk: Walk, error: BrokenExport, *, final: bool) -> None:
        if walk.export_id is not None:
            self._jobs.discard(walk.export_id)
        walk.export_id = None
        if final:
            self._leave_to_pages(walk, error.what)

    async def _commit(
        self, batches: Sequence[pa.RecordBatch] = (), *, of: Walk | None = None, counted: int = 0
    ) -> None:
        """
        Keep the bookmarks as they stand now. One commit at a time.

        With them `batches` (columns ROWS), which are all there is `of` a walk, and what the server `counted` in it.
        """
        async with self._committer.turn:
            if of is not None:
                of.before, of.seen, of.done = counted, sum(batch.num_rows for batch in batches), True
            await self._committer.commit(lambda: batches, self._thread)

    async def _in_thread(self, call: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    def _parts(self, file: IO[bytes], walk: Walk, mode: str | None) -> list[ExportedPart]:
        wanted = self._pull.reading.wanted
        return list(exported_parts(file, wanted, window=walk.window, mode=mode, expected_mode=self._pull.mode))

    async def _read_apart(self, walk: Walk, parts: Sequence[ExportedPart]) -> list[pa.RecordBatch]:
        """Return the rows of those payments of which the file does not say everything, read by their ids."""
        ids = [id_ for part in parts for id_ in part.apart]
        if self._is_cheaper_by_pages(len(ids), sum(part.rows.num_rows for part in parts)):
            self._leave_all_to_pages("exports do not hold all that is read of an order")
            raise BrokenExport(self._pull.marks.why_pages, final=True)
        batches = []
        async for _, rows in payments_by_id(self._pull.reading, ids, mode=self._pull.mode):
            check_window(rows, walk.window)
            batches.append(rows)
        return batches

    def _is_cheaper_by_pages(self, apart: int, complete: int) -> bool:
        return self._may_choose and apart > complete

    async def _fetch(self, export: Export, file: IO[bytes]) -> None:
        try:
            await self._jobs.fetch(export, file)
        except StorageDown as error:
            self._leave_all_to_pages(error.what)
            raise

    def _leave_to_pages(self, walk: Walk, why: str) -> None:
        walk.by_pages = True
        self._pull.marks.why_pages = self._pull.marks.why_pages or why

    def _leave_all_to_pages(self, why: str) -> None:
        self._pull.marks.transport = "pages"
        self._pull.marks.why_pages = why

    async def _save(self) -> None:
        """Commit the bookmarks once more on the way out, unless committing is what failed."""
        if not self._committer.has_failed:
            await self._commit()
