"""
Exporters fetch slices of a window as files, side by side, and keep each with its bookmarks in one commit.

Knows how a window is cut into slices that the server takes, how payments and orders come together, and when a slice,
or everything that is left, has to go by pages. Does not walk pages, and does not judge whether everything was seen:
a slice is a walk, whose figures are checked as those of any other.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from reconcile.commercelayer.exports.documents import (
    MOST_AT_ONCE,
    MOST_RECORDS,
    ORIGIN,
    BrokenExport,
    Export,
    orders_export,
    payments_export,
)
from reconcile.commercelayer.exports.jobs import ExportJobs, NotCreated, StorageDown
from reconcile.commercelayer.exports.rows import Orders, orders_apart, orders_in_export, orders_in_page, payment_batches
from reconcile.commercelayer.exports.slicing import edges
from reconcile.commercelayer.paging import count_payments
from reconcile.commercelayer.query import ORDERS_PATH, PAGE_SIZE, Window, order_params, timestamp
from reconcile.payments.bookmarks import Walk
from reconcile.payments.mirror.commits import with_walk
from reconcile.payments.walking import Committer, PullUnderWay, saving

Result = TypeVar("Result")

_MOST_TRIES = 3


def slices(window: Window, *, first: datetime | None, payments: int) -> list[Walk]:
    """
    Return the walks with which a pull by exports begins: one slice, cut when the server says how large one may be.

    What lies before the `first` payment goes by a page: an export of nothing is refused.
    """
    if first is None or (window.until is not None and first >= window.until):
        return [Walk(1, window.since, window.until, payments, by_pages=True)]
    walks = [Walk(1, first, window.until, payments)]
    if window.since is None or window.since < first:
        walks.append(Walk(2, window.since, first, 0, by_pages=True))
    return walks


class _Replaced(Exception):
    """The walk was cut into several, or goes by pages: there is nothing to read for it now."""


class Exporters:
    """The walks of one pull that go by exports. A walk that cannot go this way is marked to go by pages."""

    def __init__(self, pull: PullUnderWay) -> None:
        self._pull = pull
        self._jobs = ExportJobs(pull.client)
        self._todo: deque[Walk] = deque()
        self._busy = 0
        self._thread: ThreadPoolExecutor
        self._creating = asyncio.Lock()
        self._converting = asyncio.Lock()
        self._committer = Committer(pull)
        self._with_orders = True
        self._leftover: dict[str, str] = {}

    async def walk_all(self) -> None:
        """
        Export everything that is not done and not to go by pages, and commit it.

        When something stops it, exports that were created are noted, so that the next attempt takes them up.
        """
        self._todo.extend(walk for walk in self._pull.marks.walks if not walk.done and not walk.by_pages)
        if not self._todo:
            return
        # Always the same thread: each one that has handled rows keeps some memory for itself.
        with ThreadPoolExecutor(1, thread_name_prefix="exports") as self._thread:
            async with saving(self._save):
                await self._take_up()
                async with asyncio.TaskGroup() as tasks:
                    self._hire(tasks)

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

    async def _take_up(self) -> None:
        """Look for exports that an interrupted attempt has left, or give this pull the name its exports will bear."""
        if self._pull.marks.exports_name is None:
            self._pull.marks.exports_name = f"{ORIGIN}-{secrets.token_hex(6)}"
            await self._commit()
            return
        self._leftover = await self._jobs.left_over(self._pull.marks.exports_name)

    async def _in_thread(self, call: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    def _hire(self, tasks: asyncio.TaskGroup) -> None:
        while self._todo and self._busy < MOST_AT_ONCE:
            self._busy += 1
            tasks.create_task(self._work(self._todo.popleft(), tasks))

    async def _work(self, walk: Walk | None, tasks: asyncio.TaskGroup) -> None:
        while walk is not None:
            await self._export(walk)
            self._hire(tasks)
            walk = self._todo.popleft() if self._todo else None
        self._busy -= 1

    async def _export(self, walk: Walk) -> None:
        """Bring one slice home, cut it, or leave it to the pages."""
        for tries in range(1, _MOST_TRIES + 1):
            if self._pull.marks.transport != "exports":
                walk.by_pages = True
                return
            try:
                await self._read(walk)
                return
            except _Replaced:
                return
            except BrokenExport as error:
                self._forget_exports(walk)
                self._pull.client.statistics.retries["export"] += 1
                if error.final or tries == _MOST_TRIES:
                    self._by_pages(walk, error.what)
                    return

    async def _read(self, walk: Walk) -> None:
        export = await self._payments_of(walk)
        path = self._pull.store.passing_file(f"payments-{walk.number}.json.gz")
        try:
            await self._fetch(export, path)
            apart = await self._in_thread(orders_apart, path)
            orders = await self._orders(walk, apart) if apart else {}
            window, counted = Window(walk.since, walk.until), export.records_count
            async with self._converting:  # one slice of rows in memory
                batches = await self._in_thread(self._batches, path, walk.number, window, export.mode, orders)
                if counted is None or counted < sum(batch.num_rows for batch in batches):
                    # The list's count is the proof.
                    counted = (await count_payments(self._pull.client, window)).payments
                await self._commit(batches, of=walk, counted=counted)
        finally:
            path.unlink(missing_ok=True)
        self._pull.on_page()

    def _batches(
        self, path: Path, number: int, window: Window, mode: str | None, orders: Orders
    ) -> list[pa.RecordBatch]:
        batches = payment_batches(path, window=window, mode=mode, expected_mode=self._pull.mode, orders=orders)
        return [with_walk(batch, number) for batch in batches]

    async def _payments_of(self, walk: Walk) -> Export:
        """Return the completed export of `walk`, created if it is not under way yet."""
        if walk.export_id is None:
            if walk.planned > self._most_records():
                await self._cut(walk)
            async with self._creating:
                walk.export_id = (await self._created(walk)).id
        return await self._jobs.completed(walk.export_id, reference=self._reference("klarna_payments", walk))

    def _most_records(self) -> int:
        return self._pull.marks.most_records or MOST_RECORDS

    async def _created(self, walk: Walk) -> Export:
        """Create the export of `walk`. Raises _Replaced when the server takes none, or none of that size."""
        if self._pull.marks.transport != "exports" or walk.planned > self._most_records():
            self._todo.append(walk)  # learned while this one waited
            raise _Replaced
        reference = self._reference("klarna_payments", walk)
        if (left := self._leftover.pop(reference, None)) is not None:
            return Export(left, "unknown")
        window = Window(walk.since, walk.until)
        try:
            return await self._jobs.create(
                payments_export(
                    window, with_orders=self._with_orders, narrowed=self._pull.client.is_narrowed, reference=reference
                ),
                reference=reference,
            )
        except NotCreated as refused:
            match refused.verdict.kind:
                case "too_many":
                    self._pull.marks.most_records = refused.verdict.allowed
                    walk.planned = max(walk.planned, refused.verdict.allowed + 1)
                    self._todo.append(walk)
                case "empty":
                    walk.before, walk.seen, walk.done = 0, 0, True
                case _ if self._with_orders:
                    # Older deployments export payments without their orders.
                    self._with_orders = False
                    return await self._created(walk)
                case _:
                    self._give_up(refused.why)
                    walk.by_pages = True
            raise _Replaced from refused

    async def _orders(self, walk: Walk, order_ids: Sequence[str]) -> Orders:
        """Return the orders `order_ids`: by an export of their own, and by pages what that does not hold."""
        orders: dict[str, bytes] = {}
        if (export := await self._orders_of(walk, order_ids)) is not None:
            path = self._pull.store.passing_file(f"orders-{walk.number}.json.gz")
            try:
                await self._fetch(export, path)
                orders |= await self._in_thread(orders_in_export, path, set(order_ids))
            finally:
                path.unlink(missing_ok=True)
        missing = [order_id for order_id in order_ids if order_id not in orders]
        for start in range(0, len(missing), PAGE_SIZE):
            page = await self._pull.client.get(ORDERS_PATH, order_params(missing[start : start + PAGE_SIZE]))
            orders |= orders_in_page(page.body)
        return orders

    async def _orders_of(self, walk: Walk, order_ids: Sequence[str]) -> Export | None:
        reference = self._reference("orders", walk)
        if walk.orders_export_id is None:
            async with self._creating:
                left = self._leftover.pop(reference, None)
                try:
                    document = orders_export(order_ids, narrowed=self._pull.client.is_narrowed, reference=reference)
                    walk.orders_export_id = left or (await self._jobs.create(document, reference=reference)).id
                except NotCreated as refused:
                    if refused.verdict.kind == "empty":
                        return None
                    if refused.verdict.kind == "not_exportable":
                        self._give_up(refused.why)
                    raise BrokenExport(refused.why, final=True) from refused
        return await self._jobs.completed(walk.orders_export_id, reference=reference)

    async def _fetch(self, export: Export, path: Path) -> None:
        try:
            await self._jobs.fetch(export, path)
        except StorageDown as error:
            self._give_up(error.what)
            raise

    async def _cut(self, walk: Walk) -> None:
        """Cut `walk` into slices the server takes, or leave it to the pages, and raise _Replaced."""
        most = self._most_records()
        inner = await edges(self._pull.client, Window(walk.since, walk.until), payments=walk.planned, most=most)
        if inner:
            self._todo.extend(self._pull.marks.split(walk, inner, walk.planned))
            await self._commit()
        else:
            self._by_pages(walk, "too many payments of one moment for an export")
        raise _Replaced

    def _reference(self, resource_type: str, walk: Walk) -> str:
        span = "/".join(timestamp(at) if at is not None else "" for at in (walk.since, walk.until))
        return f"{self._pull.marks.exports_name}/{resource_type}/{walk.number}/{span}"

    def _forget_exports(self, walk: Walk) -> None:
        for export_id in (walk.export_id, walk.orders_export_id):
            if export_id is not None:
                self._jobs.discard(export_id)
        walk.export_id = walk.orders_export_id = None

    def _by_pages(self, walk: Walk, why: str) -> None:
        walk.by_pages = True
        self._pull.marks.why_pages = self._pull.marks.why_pages or why

    def _give_up(self, why: str) -> None:
        self._pull.marks.transport = "pages"
        self._pull.marks.why_pages = why

    async def _save(self) -> None:
        """Commit the bookmarks once more on the way out, unless committing is what failed."""
        if not self._committer.has_failed:
            await self._commit()
