"""
The pull: from Commerce Layer through the mirror to `payments.parquet`, and the proof that it is complete.

Knows the order of things: authenticate, count, cut, walk, prove, publish. What a page holds, how a walk goes on and
how rows are kept is known elsewhere.

**Proof.** Each shard must have seen no more than the server counted in it before the walk, and no fewer than it
counts after it; all together no fewer than the server counts in the whole window after the last walk. A shard that
does not hold is walked again, three times at most. Last, the rows written are counted: as many distinct ids per shard
as were seen. Only then the file gets its name.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.arrow import compute, int32_column
from reconcile.bookmarks import Bookmarks, Spent, Walk, accounts_for, decode_bookmarks, needs_count_after
from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.paging import Count, count_payments, cut, shard_count
from reconcile.commercelayer.query import Window, timestamp
from reconcile.disk import disk_errors, sync
from reconcile.errors import IncompletePull, Refused, SettingsError, WrongMode
from reconcile.exporters import Exporters, slices
from reconcile.finished import Finished, Found, finished_pull, take_over
from reconcile.incremental import DEFAULT_OVERLAP, Changes
from reconcile.mirror import WALK, Mirror, UnfinishedPull, open_mirror, scratch_mirror
from reconcile.pull_report import PullProgress, PullReport, Teller, spent_by, spent_since
from reconcile.rows import write_payments
from reconcile.schema import PAYMENTS
from reconcile.transports import choose_transport
from reconcile.walkers import Walkers

__all__ = ["PullProgress", "PullReport", "pull_to_parquet", "pull_to_table"]

# Rounds of walking and checking. A shard gives up after three walks; this bounds the check of the whole.
_MOST_ROUNDS = 10


async def pull_to_parquet(
    client: CommerceLayer,
    destination: Path,
    *,
    mirror: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    mode: str | None = None,
    via: str = "pages",
    incremental: bool = False,
    overlap: timedelta = DEFAULT_OVERLAP,
    recheck: Collection[str] = (),
    on_progress: Callable[[PullProgress], None] | None = None,
    commit_seconds: float = 2.0,
    commit_pages: int = 200,
) -> PullReport:
    """
    Write all payments created from `since` on and before `until` (both aware; null: from the first, until now).

    `destination` gets the columns of `schema.PAYMENTS`, sorted by payment_id, one row per payment; it appears only
    when the pull is proved complete. With a `mirror` folder an interrupted pull goes on where it stopped: the same
    window given again keeps its cut-off. Without one nothing is kept. `mode` (`live` or `test`) must agree with
    the token and with every row.

    `via` is `pages`, `exports` or `auto`; exports that the server refuses are made up for by pages, and the report
    tells. The rows are the same either way. An unfinished pull goes on with its own transport for `auto`.

    With `incremental` only what changed since the last finished pull of the same window is read, from `overlap` before
    it, and by id what is flagged or named in `recheck`; without such a pull in the mirror everything is read, and
    `PullReport.warnings` says why. Payments that a pull no longer finds are noted in `vanished.parquet` of the mirror.

    Raises CommerceLayerError (AuthError, Unreachable, Refused, WrongMode, MirrorError, IncompletePull), OutputError
    when the disk does not take it, SettingsError for a window that ends before it starts.
    """
    if since is not None and until is not None and since >= until:
        raise SettingsError(f"since {timestamp(since)} is not before until {timestamp(until)}")
    at_start = spent_by(client)
    with _new_file(destination) as beside:
        await client.authenticate()
        agreed = agreed_mode(client, mode)
        with _mirror_at(mirror, destination, organization=client.organization, mode=agreed) as store:
            window = window_name(since, until)
            last = await asyncio.to_thread(finished_pull, store.folder, window)
            pull = await _begun(
                client,
                store,
                window,
                last if incremental else None,
                until=until,
                overlap=overlap,
                recheck=recheck,
                via=via,
                common={"since": since, "mode": agreed, "at_start": at_start, "on_progress": on_progress},
            )
            await pull.walk_until_proved(beside, commit_seconds=commit_seconds, commit_pages=commit_pages)
            await asyncio.to_thread(_publish, beside, destination)
            report = pull.report()
            if mirror is None:
                return report
            entry = Finished(
                window=window,
                cut_off=report.until,
                watermark=pull.began_at or report.until,
                finished_at=report.finished_at,
                rows=report.payments,
            )
            gone = await asyncio.to_thread(
                take_over, store, destination, entry, pulls=pull.stores, last=last.finished, vanished=pull.vanished
            )
            return replace(report, vanished=gone)


async def pull_to_table(
    client: CommerceLayer,
    *,
    mirror: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    mode: str | None = None,
    via: str = "pages",
    on_progress: Callable[[PullProgress], None] | None = None,
) -> pa.Table:
    """Return what `pull_to_parquet` writes, in memory. Arguments and errors as there."""
    with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
        payments = Path(folder) / "payments.parquet"
        await pull_to_parquet(
            client, payments, mirror=mirror, since=since, until=until, mode=mode, via=via, on_progress=on_progress
        )
        return await asyncio.to_thread(pq.read_table, payments, schema=PAYMENTS)


class _Common(TypedDict):
    """What a pull needs to know, whichever it is."""

    since: datetime | None
    mode: str
    at_start: Spent
    on_progress: Callable[[PullProgress], None] | None


async def _begun(
    client: CommerceLayer,
    store: Mirror,
    window: str,
    last: Found | None,
    *,
    until: datetime | None,
    overlap: timedelta,
    recheck: Collection[str],
    via: str,
    common: _Common,
) -> _Pull | Changes:
    """Return the pull that is to be done, planned: of what changed since `last`, of everything when that cannot be."""
    why_full = last.why if last is not None else ""
    if last is not None and last.finished is not None:
        changes = Changes(client, store, last.finished, overlap=overlap, recheck=recheck, **common)
        try:
            await changes.plan(until)
        except Refused as error:
            if error.status != 400:
                raise
            why_full = f"payments cannot be listed by their changes: {error.message}"
        else:
            return changes
    warnings = (f"everything was pulled, though an incremental pull was asked for: {why_full}",) if why_full else ()
    pull = _Pull(client, store.unfinished(window), via=via, warnings=warnings, **common)
    await pull.plan(until)
    return pull


class _Pull:
    """One pull under way: its bookmarks, what it has cost, and the checks."""

    vanished: Collection[str] | None = None
    """Not known by itself: the rows tell."""

    def __init__(
        self,
        client: CommerceLayer,
        store: UnfinishedPull,
        *,
        since: datetime | None,
        mode: str,
        at_start: Spent,
        on_progress: Callable[[PullProgress], None] | None,
        via: str,
        warnings: tuple[str, ...],
    ) -> None:
        self._client = client
        self._store = store
        self._resumed = store.bookmarks is not None
        self._warnings = warnings
        self._via = via
        self._since = since
        self._mode = mode
        self._on_progress = on_progress
        self._marks: Bookmarks
        self._earlier = Spent()
        self._at_start = at_start
        self._count_after = 0

    @property
    def stores(self) -> Sequence[UnfinishedPull]:
        """Where its commits are."""
        return (self._store,)

    @property
    def began_at(self) -> datetime | None:
        """The server's clock before the first page."""
        return self._marks.began_at

    async def plan(self, until: datetime | None) -> None:
        """Take up the bookmarks of an unfinished pull, or count the window and cut it into shards."""
        if self._store.bookmarks is not None:
            self._marks = decode_bookmarks(self._store.bookmarks)
            self._earlier = self._marks.spent
            self._marks.go_on_via(self._via)
            return
        started_at = datetime.now(UTC)
        cut_off, counted = await self._cut_off(until)
        choice = choose_transport(self._via, counted.payments)
        window, first = Window(self._since, cut_off), counted.first_created_at
        if choice.transport == "exports":
            walks = slices(window, first=first, payments=counted.payments)
        else:
            shards = cut(window, first=first, payments=counted.payments, parts=shard_count(counted.payments))
            walks = [
                Walk(number, shard.window.since, shard.window.until, shard.payments)
                for number, shard in enumerate(shards, start=1)
            ]
        self._marks = Bookmarks(cut_off, started_at, walks, began_at=counted.served_at)
        self._marks.transport, self._marks.why_transport = choice.transport, choice.why

    async def _cut_off(self, until: datetime | None) -> tuple[datetime, Count]:
        """
        The end of the window and the count of what is in it, and perhaps of what was created in the second after it.

        Without `until`, or with one in the future, it ends now by the server's clock, in whole seconds.
        """
        counted = await count_payments(self._client, Window(self._since, until))
        now = counted.served_at or datetime.now(UTC).replace(microsecond=0)
        return (until.astimezone(UTC) if until is not None and until <= now else now), counted

    async def walk_until_proved(self, beside: Path, *, commit_seconds: float, commit_pages: int) -> None:
        """
        Walk, check, walk again what does not hold, and write `beside`.

        Raises IncompletePull when it never holds. What was committed stays.
        """
        teller = Teller(self._client, self._marks, self._on_progress)
        walkers = Walkers(
            self._client,
            self._store,
            self._marks,
            mode=self._mode,
            most_payments=self._marks.planned // parts if (parts := shard_count(self._marks.planned)) > 1 else None,
            commit_seconds=commit_seconds,
            commit_pages=commit_pages,
            on_page=teller.page,
            before_commit=self._note_spent,
        )
        exporters = Exporters(
            self._client,
            self._store,
            self._marks,
            mode=self._mode,
            on_file=teller.page,
            before_commit=self._note_spent,
        )
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
        raise IncompletePull(
            f"klarna_payments: {self._marks.seen} payments seen, and the server's counts keep changing",
            hint="nothing is published; start the same command again when fewer old payments are being changed",
        )

    async def _suspects(self) -> Sequence[Walk]:
        """Return the walks whose figures do not hold."""
        walks = self._marks.walks
        for walk in walks:
            if needs_count_after(walk):
                walk.after = await self._count(Window(walk.since, walk.until))
        if suspects := [walk for walk in walks if not accounts_for(walk)]:
            return suspects
        self._count_after = await self._count(Window(self._since, self._marks.cut_off))
        if self._count_after <= self._marks.seen:
            return []
        # Something is missing that no walk misses by itself: ask each.
        for walk in walks:
            walk.after = await self._count(Window(walk.since, walk.until))
        return [walk for walk in walks if not accounts_for(walk)] or walks

    async def _count(self, window: Window) -> int:
        return (await count_payments(self._client, window)).payments

    def _merge(self, beside: Path) -> Counter[int]:
        """Write the rows of the walks that count to `beside`; return the number of rows of each walk."""
        numbers = int32_column([walk.number for walk in self._marks.walks])
        distinct: Counter[int] = Counter()

        def counted() -> Iterator[pa.Table]:
            for table in self._store.rows():
                rows = table.filter(compute.is_in(table.column(WALK), value_set=numbers))
                for seen in compute.value_counts(rows.column(WALK)).to_pylist():
                    distinct[seen["values"]] += seen["counts"]
                yield rows

        with disk_errors(beside):
            write_payments(counted(), beside)
        return distinct

    def report(self) -> PullReport:
        """Return the report of the pull, proved by now."""
        self._note_spent()
        spent = self._marks.spent
        return PullReport(
            payments=self._marks.seen,
            requests=spent.requests,
            bytes_received=spent.bytes_received,
            retries=spent.retries,
            rate_limited=spent.rate_limited,
            shards=len(self._marks.walks),
            rewalks=self._marks.rewalks,
            count_before=self._marks.counted_before,
            count_after=self._count_after,
            since=self._since,
            until=self._marks.cut_off,
            started_at=self._marks.started_at,
            finished_at=datetime.now(UTC),
            organization=self._client.organization,
            mode=self._mode,
            resumed=self._resumed,
            transport=self._marks.transports_used,
            transport_reason=self._marks.why_pages or self._marks.why_transport,
            warnings=self._warnings + self._unasked_transport(),
            clock_offset_seconds=self._client.clock_offset_seconds,
        )

    def _unasked_transport(self) -> tuple[str, ...]:
        if self._via != "exports" or not self._marks.why_pages:
            return ()
        return (f"payments were read by pages, though exports were asked for: {self._marks.why_pages}",)

    def _note_spent(self) -> None:
        """Bring the bookmarks' costs up to date: those of earlier attempts and of this one."""
        self._marks.spent = spent_since(self._client, self._at_start, earlier=self._earlier)


def window_name(since: datetime | None, until: datetime | None) -> str:
    """Return the text by which a mirror tells windows apart."""
    return f"{since and timestamp(since)}|{until and timestamp(until)}"


def agreed_mode(client: CommerceLayer, mode: str | None) -> str:
    """Return the mode of a pull: as wanted and as the token says. Raises WrongMode when they differ or neither says."""
    if mode is not None and client.mode not in (None, mode):
        raise WrongMode(
            f"{client.api_url}: the credentials are of mode {client.mode}, this pull is of mode {mode}",
            hint=f"use the credentials of a {mode} application, or set the mode to {client.mode}",
        )
    if (agreed := mode or client.mode) is None:
        raise WrongMode(
            f"{client.api_url}: the token does not say whether it is live or test",
            hint="set the mode to live or test; every row is then compared with it",
        )
    return agreed


def _mirror_at(
    folder: Path | None, destination: Path, *, organization: str, mode: str
) -> contextlib.AbstractContextManager[Mirror]:
    if folder is None:
        return scratch_mirror(destination)
    return open_mirror(folder, organization=organization, mode=mode)


@contextlib.contextmanager
def _new_file(destination: Path) -> Iterator[Path]:
    """Give the path of a file beside `destination`, known to be writable before hours are spent; it never stays."""
    beside = destination.with_name(f".{destination.name}.{os.getpid()}.new")
    with disk_errors(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
    try:
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def _publish(beside: Path, destination: Path) -> None:
    with disk_errors(destination):
        beside.replace(destination)
        sync(destination.parent)
