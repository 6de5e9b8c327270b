"""
Where a pull stands, and what its counts prove: plain values, no I/O.

Knows the walks of a pull (one per shard), how they are written into a mirror, and when what they saw accounts for
what the server counted. Asks nothing itself: counts are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec

from reconcile.commercelayer.believable import is_id
from reconcile.commercelayer.exports.documents import ORIGIN
from reconcile.commercelayer.query import Placing, Window
from reconcile.errors import Unproved
from reconcile.payments.mirror.commits import UnfinishedPull, damaged_mirror
from reconcile.payments.transport import Transport

_MOST_ATTEMPTS = 3
_EXPORTS_NAME = re.compile(rf"{ORIGIN}-[0-9a-f]{{12}}")

# What is read from a mirror is checked by these types; a walk's number is a column of 32 bits.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Natural = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
WalkNumber = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]


class Walk(msgspec.Struct):
    """
    One walk through one shard.

    `number` marks its rows: a shard that is walked again gets a new number, and rows of the old one count no more.
    `planned` is what was supposed to be in the shard when it was cut, `before` the server's count at the walk's first
    page, `after` its count after the walk (asked only where it can matter). `last_id` is the last row seen, `seen` how
    many there were.
    A walk with `changed_since` sees only what changed then or later; rows may then enter while it runs. `lacking`
    counts the rows its pages were short of by their own counts.
    `export_id` is the export of a walk that goes by one. A walk `by_pages` does not, though the pull does. With
    `placing` it sees only payments whose order was placed so.
    """

    number: WalkNumber
    since: Moment | None
    until: Moment | None
    planned: Natural
    before: Natural | None = None
    after: Natural | None = None
    last_id: str | None = None
    seen: Natural = 0
    done: bool = False
    attempts: Natural = 1
    changed_since: Moment | None = None
    lacking: Natural = 0
    export_id: str | None = None
    by_pages: bool = False
    placing: Placing | None = None

    def advance(self, ids: Sequence[str], record_count: int | None, *, page_size: int | None = None) -> None:
        """Move behind a page of `ids`; `record_count` is its count of what is left, the page included."""
        if self.before is None:
            self.before = record_count
        if page_size is not None and record_count is not None:
            self.lacking += max(0, min(page_size, record_count) - len(ids))
        self.seen += len(ids)
        if ids:
            self.last_id = ids[-1]

    @property
    def window(self) -> Window:
        """What it walks through."""
        return Window(self.since, self.until, self.changed_since, self.placing)

    @property
    def left(self) -> int:
        """Payments thought to be left."""
        return max(0, (self.planned if self.before is None else self.before) - self.seen)

    @property
    def counted_before(self) -> int:
        """The server's count when the walk began."""
        assert self.before is not None, "a walk that is done has seen a page"
        return self.before


def walk_through(window: Window, number: int, planned: int, *, by_pages: bool = False) -> Walk:
    """Return the walk `number` through `window`, which is supposed to hold `planned` payments."""
    return Walk(
        number,
        window.since,
        window.until,
        planned,
        changed_since=window.changed_since,
        by_pages=by_pages,
        placing=window.placing,
    )


class Spent(msgspec.Struct):
    """What the pull has cost so far, all attempts of the command together."""

    requests: Natural = 0
    bytes_received: Natural = 0
    retries: Natural = 0
    rate_limited: Natural = 0


class Bookmarks(msgspec.Struct):
    """
    Everything a pull needs to resume: its cut-off, its walks, and what it has spent.

    `began_at` is the server's clock before the first page. `base` is the digest of the payments that an incremental
    pull continues.
    `transport` is how walks go now, and why; `why_pages` says why one went by pages that was to go by an export.
    References of this pull's exports begin with `exports_name`; `most_records` is what the server allows in one, where
    it reported. `refused` is what the server did not include.
    """

    cut_off: Moment
    started_at: Moment
    walks: list[Walk]
    rewalks: Natural = 0
    spent: Spent = msgspec.field(default_factory=Spent)
    began_at: Moment | None = None
    base: str | None = None
    transport: Transport = "pages"
    why_transport: str = ""
    why_pages: str = ""
    exports_name: str | None = None
    most_records: Annotated[int, msgspec.Meta(ge=1)] | None = None
    why_anew: str = ""
    refused: tuple[str, ...] = ()

    @property
    def transports_used(self) -> str:
        """How the payments came, in words."""
        by_pages = any(walk.export_id is None and walk.seen for walk in self.walks)
        if any(walk.export_id is not None for walk in self.walks):
            return "exports, then pages" if by_pages else "exports"
        return "pages" if by_pages else self.transport

    def go_on_via(self, via: str) -> None:
        """Take up what is not done by another transport where `via` wants that; a walk begun by pages stays there."""
        if via == "auto" or via == self.transport:
            return
        self.transport = "pages" if via == "pages" else "exports"
        self.why_transport, self.why_pages = "as asked for", ""
        for walk in self.walks:
            if not walk.done:
                walk.by_pages = via == "pages" or walk.last_id is not None
                if via == "pages":
                    walk.export_id = None

    @property
    def numbers(self) -> list[int]:
        """The numbers of the walks that count: rows of any other are those of a walk that was started again."""
        return [walk.number for walk in self.walks]

    @property
    def seen(self) -> int:
        return sum(walk.seen for walk in self.walks)

    @property
    def counted_before(self) -> int:
        return sum(walk.counted_before for walk in self.walks)

    @property
    def planned(self) -> int:
        return sum(walk.planned if walk.before is None else walk.before for walk in self.walks)

    def split(self, walk: Walk, edges: Sequence[datetime], payments: int) -> list[Walk]:
        """
        Cut `walk`, of which no page is kept yet, at `edges` and return its parts, the first of which is itself.

        `payments` is what it holds; each part is supposed to have an even share.
        """
        number = max(other.number for other in self.walks)
        until, even = walk.until, payments // (len(edges) + 1)
        parts = [
            walk_through(replace(walk.window, since=since, until=end), number + place, even)
            for place, (since, end) in enumerate(pairwise([*edges, until]), start=1)
        ]
        walk.until, walk.planned = edges[0], payments - even * len(edges)
        self.walks.extend(parts)
        return [walk, *parts]

    def walk_again(self, suspects: Iterable[Walk], *, why: str) -> None:
        """
        Set the walks in `suspects` back to their start.

        Raises Unproved when one was walked too often; all are then set back and may be tried again.
        """
        number = max(walk.number for walk in self.walks)
        tired = None
        for walk in suspects:
            number += 1
            self.rewalks += 1
            if walk.attempts >= _MOST_ATTEMPTS:
                tired = tired or _unproved(walk, why)
                walk.attempts = 0
            walk.number, walk.attempts = number, walk.attempts + 1
            walk.before = walk.after = walk.last_id = None
            walk.seen, walk.lacking, walk.done = 0, 0, False
            walk.export_id = None
            if self.transport == "exports" and walk.attempts == _MOST_ATTEMPTS:
                # Its exports do not hold what the list counts: perhaps the list itself does.
                walk.by_pages, self.why_pages = True, self.why_pages or why
        if tired is not None:
            raise tired


def encode_bookmarks(bookmarks: Bookmarks) -> bytes:
    """Return `bookmarks` as bytes for a mirror."""
    return msgspec.json.encode(bookmarks)


def decode_bookmarks(content: bytes, where: Path) -> Bookmarks:
    """
    Return the bookmarks in `content`, as `encode_bookmarks` wrote them.

    Raises MirrorError about `where`, the place it was read from, for anything that is not as they are written.
    """
    try:
        marks = msgspec.json.decode(content, type=Bookmarks)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        raise damaged_mirror(where) from error
    if not _can_be(marks):
        raise damaged_mirror(where)
    return marks


def bookmarks_in(store: UnfinishedPull) -> Bookmarks:
    """Return the bookmarks of a pull that has some. Raises MirrorError as `decode_bookmarks`."""
    assert store.bookmarks is not None, "something was committed"
    return decode_bookmarks(store.bookmarks, store.folder)


def _can_be(marks: Bookmarks) -> bool:
    """Whether a pull can resume from `marks`: ids become part of addresses, and each walk needs its own number."""
    ids = [id_ for walk in marks.walks for id_ in (walk.last_id, walk.export_id)]
    return (
        len({walk.number for walk in marks.walks}) == len(marks.walks) > 0
        and all(is_id(id_) for id_ in ids if id_ is not None)
        and all(walk.before is not None for walk in marks.walks if walk.done)
        and (marks.exports_name is None or _EXPORTS_NAME.fullmatch(marks.exports_name) is not None)
    )


def needs_count_after(walk: Walk) -> bool:
    """
    Return whether only a count after the walk can show if it is complete.

    Having seen exactly what was counted before is proof enough: what was lost would be missing from it, and a count
    that is lower by now has rows deleted meanwhile.
    """
    return walk.seen < walk.counted_before


def accounts_for(walk: Walk) -> bool:
    """
    Return whether what `walk` saw lies between the server's count after it (where asked) and the one before it.

    Rows may be deleted meanwhile; none can be created before the cut-off. What changes meanwhile enters a walk of
    changes: it may see more, and then only its pages can show that one of them lost a row.
    """
    if walk.changed_since is not None and (walk.lacking or walk.seen > walk.counted_before):
        return not walk.lacking
    return (walk.after or 0) <= walk.seen <= walk.counted_before


def _unproved(walk: Walk, why: str) -> Unproved:
    span = f"created {_day(walk.since) or 'from the first'} to {_day(walk.until) or 'now'}"
    after = "" if walk.after is None else f", {walk.after} after it"
    return Unproved(
        f"klarna_payments: {span}: {why}: {walk.seen} payments seen in walk {walk.attempts}, "
        f"the server counted {walk.counted_before} before it{after}",
        hint="the server's list and its own counts disagree; nothing is published. "
        "Run the same command again later: it keeps the rest and reads this part again",
    )


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else ""
