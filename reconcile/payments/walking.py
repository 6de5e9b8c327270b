"""
What the walks of a pull share, by pages or by exports: whom they ask, how what comes is committed, and how they end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.reading import Reading
from reconcile.errors import first_of
from reconcile.payments.bookmarks import Bookmarks, encode_bookmarks
from reconcile.payments.mirror.commits import UnfinishedPull

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WalkContext:
    """
    One pull in progress. `marks` move with what comes; `store` gets them together with the rows, which are of `mode`.
    All walks ask through `reading`.

    `on_page` is called after each page or file, `before_commit` before the bookmarks are written.
    """

    reading: Reading
    store: UnfinishedPull
    marks: Bookmarks
    mode: str
    on_page: Callable[[], None]
    before_commit: Callable[[], None]

    @property
    def client(self) -> CommerceLayer:
        return self.reading.client


class Committer:
    """The commits of one pull. Have the `turn` from when you take what is to be kept until it is committed."""

    def __init__(self, pull: WalkContext) -> None:
        self.turn = asyncio.Lock()
        self.has_failed = False
        """Whether the last commit did: another one will fare no better."""
        self._pull = pull

    async def commit(self, rows: Callable[[], Sequence[pa.RecordBatch]], executor: Executor | None = None) -> None:
        """
        Keep what `rows` makes (columns ROWS) in one step with the bookmarks as they are now, whoever cancels it.

        `rows` is called in a thread of `executor`. Raises OutputError, and what `rows` raises.
        """
        assert self.turn.locked(), "one commit at a time"
        self._pull.before_commit()
        self._pull.marks.refused = self._pull.reading.refused
        # Now, and not in the thread: they say exactly what the rows hold.
        bookmarks = encode_bookmarks(self._pull.marks)
        await to_its_end(self._write, rows, bookmarks, executor=executor)

    def _write(self, rows: Callable[[], Sequence[pa.RecordBatch]], bookmarks: bytes) -> None:
        self.has_failed = True
        self._pull.store.commit(rows(), bookmarks)
        self.has_failed = False


async def to_its_end(call: Callable[..., Result], *arguments: object, executor: Executor | None = None) -> Result:
    """Return what `call` returns in a thread, which cannot be cancelled: a cancellation waits for its end."""
    running = asyncio.get_running_loop().run_in_executor(executor, call, *arguments)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await running
        raise


@contextlib.asynccontextmanager
async def saving(save: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call `save` when something stops what is done here, then raise it; of a group of errors the first."""
    try:
        yield
    except BaseExceptionGroup as group:
        await save()
        raise first_of(group) from group
    except BaseException:
        await save()
        raise
