"""
What the walks of a pull share, by pages or by exports: whom they ask, where what comes is kept, and how they end.

Knows neither pages nor files, and not when a commit is due.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from reconcile.commercelayer.client import CommerceLayer
from reconcile.errors import first_of
from reconcile.payments.bookmarks import Bookmarks
from reconcile.payments.mirror.commits import UnfinishedPull


@dataclass(frozen=True, slots=True)
class PullUnderWay:
    """
    One pull under way. `marks` move with what comes; `store` gets them together with the rows, which are of `mode`.

    `on_page` is called after each page or file, `before_commit` before the bookmarks are written.
    """

    client: CommerceLayer
    store: UnfinishedPull
    marks: Bookmarks
    mode: str
    on_page: Callable[[], None]
    before_commit: Callable[[], None]


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
