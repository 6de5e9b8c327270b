"""
The full pull: a whole window, walked by pages or exports, and the proof that nothing of it is missing.

Knows the order of things: count, cut, walk, prove, merge. What a page holds, how a walk continues and how rows are kept
is known elsewhere.

**Proof.** Each shard must have seen no more than the server counted in it before the walk, and no fewer than it
counts after it; all together no fewer than the server counts in the whole window after the last walk. A shard that
does not hold is walked again, three times at most. Last, the rows written are counted: as many distinct ids per shard
as were seen.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from reconcile.commercelayer.paging import count_all, count_now
from reconcile.commercelayer.reading import Reading
from reconcile.errors import Unproved
from reconcile.files.disk import disk_errors
from reconcile.notices import Notice, notice
from reconcile.payments.bookmarks import Bookmarks, Spent, Walk, accounts_for, bookmarks_in, needs_count_after
from reconcile.payments.export_walks import Exporters, slices
from reconcile.payments.mirror.commits import UnfinishedPull, rows_per_walk
from reconcile.payments.mirror.sorted_rows import write_payments
from reconcile.payments.page_walks import Walkers, planned_walks
from reconcile.payments.report import ProgressReporter, PullContext, PullReport, reported, spent_since
from reconcile.payments.transport import choose_transport
from reconcile.schema import MIRRORED

# Rounds of walking and checking. A shard gives up after three walks; this bounds the check of the whole.
_MOST_ROUNDS = 10


class FullPull:
    """
    One pull in progress: its bookmarks, what it has cost, and the checks.

    `why_anew` says why what was spent before it came to nothing.
    """

    vanished: Collection[str] | None = None
    """Not known by itself: the rows show it."""

    def __init__(
        self,
        context: PullContext,
        store: UnfinishedPull,
        *,
        warnings: tuple[Notice, ...] = (),
        why_anew: str = "",
    ) -> None:
        self._context = context
        self._client = context.client
        self._store = store
        self.resumed = store.bookmarks is not None
        self._warnings = warnings
        self._request = context.request
        self._marks: Bookmarks
        self._reading: Reading
        self._earlier = context.earlier
        self._why_anew = why_anew
        self._count_after = 0

    @property
    def stores(self) -> Sequence[UnfinishedPull]:
        """Where its commits are."""
        return (self._store,)

    @property
    def began_at(self) -> datetime | None:
        """The server's clock before the first page."""
        return self._marks.began_at

    async def plan(self) -> None:
        """Take up the bookmarks of an unfinished pull, or count the window and cut it into shards."""
        if self._store.bookmarks is not None:
            self._marks = bookmarks_in(self._store)
            self._reading = self._context.reading(self._marks.refused)
            self._earlier = self._marks.spent
            self._marks.go_on_via(self._request.via)
            self._marks.why_anew = self._why_anew or self._marks.why_anew
            return
        self._reading = self._context.reading()
        started_at, until = datetime.now(UTC), self._request.end
        counts = [await count_now(self._client, window) for window in self._request.windows(until)]
        began_at = counts[0].now
        # Without `until`, or with one in the future, it ends now.
        cut_off = until.astimezone(UTC) if until is not None and until <= began_at else began_at
        choice = choose_transport(self._request.via, sum(counted.payments for counted in counts))
        planned = slices if choice.transport == "exports" else planned_walks
        walks = await planned(self._client, self._request.windows(cut_off), counts)
        self._marks = Bookmarks(cut_off, started_at, walks, began_at=began_at)
        self._marks.transport, self._marks.why_transport = choice.transport, choice.why
        self._marks.why_anew = self._why_anew

    async def walk_until_proved(self, beside: Path) -> None:
        """
        Walk, check, walk again what does not hold, and write `beside`.

        Raises Unproved when it never holds. What was committed stays.
        """
        teller = ProgressReporter(self._client, self._marks, self._context.on_progress)
        async with teller.ticking():
            await self._walk_until_proved(beside, teller)

    async def _walk_until_proved(self, beside: Path, teller: ProgressReporter) -> None:
        pull = self._context.walking(
            self._reading, self._store, self._marks, on_page=teller.page, before_commit=self._note_spent
        )
        walkers = Walkers(pull, self._request)
        exporters = Exporters(pull, may_choose=self._request.via == "auto")
        for _ in range(_MOST_ROUNDS):
            if self._marks.transport == "exports":
                await exporters.walk_all()
            await walkers.walk_all()
            suspects, why = await self._suspects(), "the counts do not agree"
            if not suspects:
                distinct = await asyncio.to_thread(self._merge, beside)
                suspects = [walk for walk in self._marks.walks if distinct[walk.number] != walk.seen]
                why = "a payment was listed twice"
            if not suspects:
                teller.tell()
                return
            try:
                self._marks.walk_again(suspects, why=why)
            finally:
                await walkers.commit()
        raise Unproved(
            f"klarna_payments: {self._marks.seen} payments seen, and the server's counts keep changing",
            hint="nothing is published; run the same command again when fewer old payments are being changed",
        )

    async def _suspects(self) -> Sequence[Walk]:
        """Return the walks whose figures do not hold."""
        walks = self._marks.walks
        for walk in walks:
            if needs_count_after(walk):
                walk.after = await count_all(self._client, [walk.window])
        if suspects := [walk for walk in walks if not accounts_for(walk)]:
            return suspects
        self._count_after = await count_all(self._client, self._request.windows(self._marks.cut_off))
        if self._count_after <= self._marks.seen:
            return []
        # Something is missing that no walk misses by itself: ask each.
        for walk in walks:
            walk.after = await count_all(self._client, [walk.window])
        return [walk for walk in walks if not accounts_for(walk)] or walks

    def _merge(self, beside: Path) -> Counter[int]:
        """Write the rows of the walks that count to `beside`; return the number of rows of each walk."""
        distinct: Counter[int] = Counter()

        def counted() -> Iterator[pa.Table]:
            for rows in self._store.rows_of(self._marks.numbers):
                distinct.update(rows_per_walk(rows))
                yield rows

        with disk_errors(beside):
            write_payments(counted(), beside, columns=MIRRORED)
        return distinct

    def report(self) -> PullReport:
        """Return the report of the pull, proved by now."""
        self._note_spent()
        return reported(
            self._client,
            self._marks,
            payments=self._marks.seen,
            count_after=self._count_after,
            since=self._request.first,
            mode=self._context.mode,
            resumed=self.resumed,
            transport=self._marks.transports_used,
            transport_reason=self._marks.why_pages or self._marks.why_transport,
            warnings=self._own_warnings(),
        )

    def _own_warnings(self) -> tuple[Notice, ...]:
        warnings = list(self._warnings)
        if self._marks.why_anew:
            warnings.append(notice("pulled_anew", f"everything was pulled from scratch: {self._marks.why_anew}"))
        if self._request.via == "exports" and self._marks.why_pages:
            text = f"payments were read by pages, although exports were requested: {self._marks.why_pages}"
            warnings.append(notice("read_by_pages", text))
        return tuple(warnings)

    @property
    def spent(self) -> Spent:
        """What the command and the attempts before it have cost so far."""
        self._note_spent()
        return self._marks.spent

    def _note_spent(self) -> None:
        """Bring the bookmarks' costs up to date: those of earlier attempts and of this one."""
        self._marks.spent = spent_since(self._client, self._context.at_start, earlier=self._earlier)
