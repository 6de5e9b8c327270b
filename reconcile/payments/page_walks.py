"""
Walkers fetch pages side by side, one committer keeps them: rows and bookmarks together, at regular times.

Knows how many walks to keep going, when to commit, and what to save when something stops the pull. Does not cut the
window, and does not judge whether everything was seen.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.document import Document
from reconcile.commercelayer.paging import (
    CountNow,
    Shard,
    count_payments,
    cut,
    cut_finer,
    pages,
    shard_count,
    walker_count,
)
from reconcile.commercelayer.query import PAGE_SIZE, Window
from reconcile.commercelayer.resources import payments_from_documents
from reconcile.commercelayer.tasks import WorkerPool
from reconcile.files.arrow import int32_column
from reconcile.payments.bookmarks import Walk, walk_through
from reconcile.payments.mirror.commits import ROWS
from reconcile.payments.request import PullRequest
from reconcile.payments.walking import Committer, WalkContext, saving

# Pages decoded at once: large enough for Arrow, small enough for memory.
_PAGES_PER_BATCH = 200
# A commit is made sooner while that is cheap: with so many pages, and so many times the last one's time after it.
_PAGES_WORTH_A_COMMIT = 40
_TIMES_THE_LAST_ONE = 2
# Large pages (a server that ignores sparse fields) are committed sooner.
_MOST_PENDING_BYTES = 16 * 1024 * 1024


async def planned_walks(client: CommerceLayer, windows: Sequence[Window], counts: Sequence[CountNow]) -> list[Walk]:
    """
    Return the walks of a pull of `windows`, which hold as many payments as `counts` say, one for each shard.

    Where a window has several one request asks when its first payment was created.
    """
    shards: list[Shard] = []
    for window, counted in zip(windows, counts, strict=True):
        parts = shard_count(counted.payments)
        first = (await count_payments(client, window)).first_created_at if parts > 1 else None
        shards += cut(window, first=first, now=counted.now, payments=counted.payments, parts=parts)
    return [walk_through(shard.window, number, shard.payments) for number, shard in enumerate(shards, start=1)]


class Walkers:
    """
    The walks of one pull that go by pages.

    A shard that turns out to hold far more than its share of what was planned is cut into several walks. A commit
    happens every `commit_seconds` or `commit_pages` of the request, whichever is first, and sooner where no rate limit
    holds pages back and commits take little of the time: what a killed process reads again is little.
    """

    def __init__(self, pull: WalkContext, request: PullRequest) -> None:
        self._pull = pull
        planned, parts = pull.marks.planned, shard_count(pull.marks.planned)
        self._most_payments = planned // parts if parts > 1 else None  # null: any number is fine
        self._commit_seconds = request.commit_seconds
        self._commit_pages = request.commit_pages
        self._pending: list[tuple[int, Document]] = []
        self._pending_bytes = 0
        self._due = asyncio.Event()
        self._room = asyncio.Event()
        self._pool = WorkerPool(self._walk, wanted=self._wanted)
        self._committer = Committer(pull)
        self._cheap_at = 0.0  # on the loop's clock: when the last commit has been paid for

    async def walk_all(self) -> None:
        """
        Walk everything that is not done, and commit it.

        When something stops it (an error, or a cancellation), the pages that came before are committed first, so that
        the next attempt resumes behind them.
        """
        todo = sorted((walk for walk in self._pull.marks.walks if not walk.done), key=lambda walk: -walk.left)
        async with saving(self._save):
            async with asyncio.TaskGroup() as tasks:
                committing = tasks.create_task(self._commit_regularly())
                await self._pool.run(todo)
                committing.cancel()
            await self.commit()

    async def _walk(self, walk: Walk) -> list[Walk]:
        """Go through one shard to its end and return nothing; or the walks it was cut into, when it is too large."""
        documents = pages(self._pull.reading, walk.window, after=walk.last_id, expected=lambda: walk.left)
        async with contextlib.aclosing(documents):
            async for document in documents:
                if parts := self._cut_finer(walk, document):
                    return parts
                walk.advance(document.ids, document.record_count, page_size=PAGE_SIZE)
                self._pending.append((walk.number, document))
                self._pending_bytes += len(document.body)
                self._pull.on_page()
                self._pool.fill()
                if self._is_commit_cheap():
                    self._due.set()
                if len(self._pending) >= self._commit_pages or self._pending_bytes >= _MOST_PENDING_BYTES:
                    # The committer takes them before anything else comes: what waits in memory is bounded.
                    self._room.clear()
                    self._due.set()
                    await self._room.wait()
        walk.done = True
        return []

    def _cut_finer(self, walk: Walk, document: Document) -> list[Walk]:
        """Cut `walk` when `document`, its first page, shows that it is too large; that page is then not kept."""
        payments, most = document.record_count, self._most_payments
        if walk.before is not None or walk.attempts > 1 or payments is None or most is None:
            return []
        parts = cut_finer(walk.window, payments=payments, most=most)
        edges = [part.since for part in parts[1:] if part.since is not None]
        return self._pull.marks.split(walk, edges, payments) if edges else []

    def _is_commit_cheap(self) -> bool:
        """Without a rate limit hundreds of pages come in a second: too many to read again after a crash."""
        return (
            len(self._pending) >= _PAGES_WORTH_A_COMMIT
            and asyncio.get_running_loop().time() >= self._cheap_at
            and self._pull.client.limiter.allowance() is None
        )

    def _wanted(self) -> int:
        """Number of walks to keep going at the rate and the round trip as measured by now."""
        limiter = self._pull.client.limiter
        allowance = limiter.allowance()
        if allowance is None:
            return walker_count(None, 0.0)
        burst = allowance.burst()
        return walker_count(burst.requests / burst.seconds, limiter.round_trip_seconds)

    async def commit(self) -> None:
        """Keep what has come so far, with the bookmarks as they stand now. One commit at a time."""
        async with self._committer.turn:
            taken, self._pending, self._pending_bytes = self._pending, [], 0
            self._room.set()
            started = asyncio.get_running_loop().time()
            await self._committer.commit(lambda: _batches_of(taken, mode=self._pull.mode))
            ended = asyncio.get_running_loop().time()
            self._cheap_at = ended + _TIMES_THE_LAST_ONE * (ended - started)

    async def _commit_regularly(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._commit_seconds):
                    await self._due.wait()
            self._due.clear()
            if self._pending:
                await self.commit()

    async def _save(self) -> None:
        """Commit once more on the way out, unless committing is what failed."""
        if self._pending and not self._committer.has_failed:
            await self.commit()


def _batches_of(taken: Sequence[tuple[int, Document]], *, mode: str) -> list[pa.RecordBatch]:
    parts = (taken[start : start + _PAGES_PER_BATCH] for start in range(0, len(taken), _PAGES_PER_BATCH))
    return [_rows_of(part, mode=mode) for part in parts]


def _rows_of(taken: Sequence[tuple[int, Document]], *, mode: str) -> pa.RecordBatch:
    rows = payments_from_documents([document for _, document in taken], expected_mode=mode)
    numbers = np.repeat(
        np.array([number for number, _ in taken], np.int32), [len(document.ids) for _, document in taken]
    )
    return pa.RecordBatch.from_arrays([*rows.columns, int32_column(numbers)], schema=ROWS)
