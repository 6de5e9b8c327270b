"""
The incremental pull: what changed since an earlier pull of a window, put over its rows, and the proof of it.

Knows which payments to ask for and when the answer may be believed. How pages are walked and how rows are kept is
known elsewhere; when an incremental pull is wanted is for the caller to say.

**What is asked.** Payments that changed, or whose order or its payment status did, at or after the watermark of the
last pull minus an overlap; and by id, each payment that is flagged or that the caller names, because
`mismatched_amounts` is worked out when it is read and can change while no time does.

**Proof.** A walk must have seen no fewer than the server counted in it before, and no page may be without a row that
its own count has. Last, the rows after the upsert are compared with the server's count of the whole window. Fewer rows:
the changes are walked again, and then the pull is given up as incomplete. More rows: payments have vanished that nobody
can name without reading everything; that is reported, not guessed. Over the rows of a pull that was resumed it is given
up, too: nothing has been proved of these as they are now.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.paging import count_all, count_now
from reconcile.errors import Unproved
from reconcile.files.disk import disk_errors
from reconcile.notices import Notice, notice
from reconcile.payments.bookmarks import Bookmarks, Spent, Walk, accounts_for, bookmarks_in, needs_count_after
from reconcile.payments.finished import Base, batches_in
from reconcile.payments.mirror.commits import UnfinishedPull, rows_per_walk
from reconcile.payments.mirror.mirror import Mirror
from reconcile.payments.mirror.sorted_rows import KEY, merged_rows, write_payments
from reconcile.payments.page_walks import Walkers, planned_walks
from reconcile.payments.rechecks import Rechecks, ids_to_check
from reconcile.payments.report import ProgressReporter, PullContext, PullReport, reported, spent_since
from reconcile.payments.resumed import with_carried
from reconcile.payments.selection import within
from reconcile.schema import MIRRORED

_MOST_ROUNDS = 10
# Walks of the changes while the server counts more payments than there are rows.
_MOST_SHORTFALLS = 3


class IncrementalPull:
    """
    One incremental pull in progress, on the rows of `base`; its commits are in `mirror`.

    `recheck` names payments to ask for by id, beside the flagged ones; those that `base` does not hold are left out.
    """

    def __init__(
        self,
        context: PullContext,
        mirror: Mirror,
        base: Base,
        *,
        recheck: Collection[str],
    ) -> None:
        self._context = context
        self._request = context.request
        self._client = context.client
        self._base = base.finished
        self._base_rows = base.rows
        self._store = mirror.unfinished(changes_name(base.finished.window))
        rechecks = mirror.unfinished(f"by id|{base.finished.window}")
        self._reading = context.reading(base.finished.refused)
        self._rechecks = Rechecks(self._reading, rechecks, base=base.finished.sha256, mode=context.mode)
        self._changed_since = earlier_by(base.finished.watermark, context.request.overlap)
        self._named = recheck
        self._marks: Bookmarks
        self._earlier = context.earlier
        self.resumed = False
        self._rows = 0
        self._count_after = 0

    @property
    def stores(self) -> Sequence[UnfinishedPull]:
        """Where its commits are."""
        return (self._rechecks.store, self._store)

    @property
    def catches_up(self) -> bool:
        """Whether it brings the rows of a pull that was resumed up to date."""
        return self._base.carried is not None

    @property
    def vanished(self) -> Collection[str] | None:
        """
        Payments that were requested by id and are gone; null: only the rows show it, for others were asked
        before.
        """
        return None if self.catches_up else self._rechecks.vanished

    @property
    def cut_off(self) -> datetime:
        return self._marks.cut_off

    @property
    def began_at(self) -> datetime | None:
        """The server's clock before the first page."""
        return self._marks.began_at

    async def plan(self) -> None:
        """Take up the bookmarks of an unfinished pull on the same rows, or count what changed and cut it."""
        if self._store.bookmarks is not None:
            marks = bookmarks_in(self._store)
            if marks.base == self._base.sha256:
                self._marks, self._earlier, self.resumed = marks, marks.spent, True
                self._reading.refuse(marks.refused)
                return
            self._store.forget()  # it went on from rows that are no longer there
        started_at, until = datetime.now(UTC), self._request.end
        counted = await count_now(self._client, self._request.changes(until, self._changed_since))
        # Never before the rows that are there: a clock that was set back would make them look vanished.
        cut_off = max(counted.now, self._base.cut_off)
        if until is not None and until <= cut_off:
            cut_off = until.astimezone(UTC)
        walks = await planned_walks(self._client, [self._request.changes(cut_off, self._changed_since)], [counted])
        self._marks = Bookmarks(cut_off, started_at, walks, began_at=counted.now, base=self._base.sha256)

    async def walk_until_proved(self, beside: Path) -> None:
        """
        Walk the changes, ask by id, and write all rows of the window to `beside`.

        Raises Unproved when the counts do not hold. What was committed stays.
        """
        teller = ProgressReporter(self._client, self._marks, self._context.on_progress)
        async with teller.ticking():
            await self._walk_until_proved(beside, teller)

    async def _walk_until_proved(self, beside: Path, teller: ProgressReporter) -> None:
        pull = self._context.walking(
            self._reading, self._store, self._marks, on_page=teller.page, before_commit=self._note_spent
        )
        walkers = Walkers(pull, self._request)
        shortfalls = 0
        for _ in range(_MOST_ROUNDS):
            await walkers.walk_all()
            suspects, why = await self._suspects()
            if not suspects:
                await self._recheck(teller)
                self._rows = await asyncio.to_thread(self._upsert, beside)
                self._count_after = await count_all(self._client, self._request.windows(self.cut_off))
                if self._count_after < self._rows and self.catches_up and not self.resumed:
                    raise Unproved(
                        f"klarna_payments: the server counts {self._count_after}, and there are {self._rows} rows: "
                        "some have been deleted, and it is not known which"
                    )
                if self._count_after <= self._rows:
                    teller.tell()
                    return
                shortfalls += 1
                if shortfalls == _MOST_SHORTFALLS:
                    raise self._incomplete()
                suspects, why = self._marks.walks, "the server counts more payments than there are"
            # Of two rows of a payment the one requested by id is taken for the later.
            await asyncio.to_thread(self._rechecks.forget)
            try:
                self._marks.walk_again(suspects, why=why)
            finally:
                await walkers.commit()
        raise self._incomplete()

    async def _recheck(self, teller: ProgressReporter) -> None:
        """Ask by id, unless all of this is to be brought up to date anyway: it would be asked twice."""
        if not self.resumed:
            suspected = await asyncio.to_thread(ids_to_check, self._base_rows, self._named)
            await self._rechecks.ask(suspected, on_rows=teller.tell)

    async def _suspects(self) -> tuple[Sequence[Walk], str]:
        """Return the walks whose figures do not hold, and why."""
        walks = self._marks.walks
        for walk in walks:
            if needs_count_after(walk):
                walk.after = await count_all(self._client, [walk.window])
        if suspects := [walk for walk in walks if not accounts_for(walk)]:
            return suspects, "the counts do not agree"
        distinct = await asyncio.to_thread(self._distinct)
        return [walk for walk in walks if distinct[walk.number] != walk.seen], "a payment was listed twice"

    def _distinct(self) -> Counter[int]:
        distinct: Counter[int] = Counter()
        for rows in self._changed():
            distinct.update(rows_per_walk(rows))
        return distinct

    def _changed(self) -> Iterator[pa.Table]:
        """Yield the rows of the walks that count."""
        return self._store.rows_of(self._marks.numbers)

    def _upsert(self, beside: Path) -> int:
        """Write the rows of the window to `beside`: those of before, those that changed, those requested by id."""
        vanished = pa.array(sorted(self._rechecks.vanished), type=pa.string())
        windows = self._request.windows(self.cut_off)
        asked = [_batches(self._rechecks.rows())] if not self.resumed else []
        runs = [batches_in(self._base_rows), _batches(self._changed()), *asked]
        tables = (
            within(table.filter(pc.invert(pc.is_in(table.column(KEY), value_set=vanished))), windows)
            for table in merged_rows(runs)
        )
        with disk_errors(beside):
            return write_payments(tables, beside, columns=MIRRORED)

    def _incomplete(self) -> Unproved:
        # What was read is no use to another attempt, which would count the same again.
        for store in self.stores:
            store.forget()
        return Unproved(
            f"klarna_payments: the server counts {self._count_after} payments created before "
            f"{self.cut_off:%Y-%m-%d %H:%M:%S}, there are {self._rows} after reading what changed",
            hint="payments have arrived without a newer updated_at; pull everything once, with `--full`",
        )

    def report(self) -> PullReport:
        """Return the report of the pull, proved by now."""
        self._note_spent()
        self._marks.refused = self._reading.refused
        # Of a pull that was resumed the next one reports: it is not over yet.
        unseen = self._rows - self._count_after if not self.resumed else 0
        report = reported(
            self._client,
            self._marks,
            payments=self._rows,
            count_after=self._count_after,
            since=self._request.first,
            mode=self._context.mode,
            resumed=self.resumed or self.catches_up,
            incremental=True,
            updated=self._marks.seen,
            rechecked=self._rechecks.asked,
            vanished=len(self._rechecks.vanished),
            warnings=(_unseen(unseen),) if unseen else (),
        )
        return report if self._base.carried is None else with_carried(report, self._base.carried)

    @property
    def spent(self) -> Spent:
        """What the command and the attempts before it have cost so far."""
        self._note_spent()
        return self._marks.spent

    def _note_spent(self) -> None:
        self._marks.spent = spent_since(self._client, self._context.at_start, earlier=self._earlier)


def changes_name(window: str) -> str:
    """Return the name of the unfinished pull of what changed in `window`."""
    return f"changes|{window}"


def earlier_by(watermark: datetime, overlap: timedelta) -> datetime:
    """Return the moment `overlap` before `watermark`; the first of the calendar when there is none."""
    try:
        return watermark - overlap
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _unseen(payments: int) -> Notice:
    one = payments == 1
    return notice(
        "unnamed_vanished",
        f"the server counts {payments} {'payment' if one else 'payments'} fewer than are in the result: "
        f"{'it has' if one else 'they have'} vanished, and an incremental pull cannot tell which; "
        "pull everything once, with --full",
        payments=payments,
    )


def _batches(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    return (batch for table in tables for batch in table.select(MIRRORED.names).combine_chunks().to_batches())
