"""
Payments that are requested by id, because they may have changed without a newer time: which, how far, which are gone.

Knows the flagged rows of the last pull and the commits of what came back. What the rows are put over is known
elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from reconcile.commercelayer.by_id import payments_by_id
from reconcile.commercelayer.reading import Reading
from reconcile.payments.finished import ids_where
from reconcile.payments.mirror.commits import UnfinishedPull, damaged_mirror, with_walk
from reconcile.payments.mirror.sorted_rows import KEY
from reconcile.payments.walking import to_its_end

_NO_WALK = 0  # walks count from 1


class _Mark(msgspec.Struct, frozen=True):
    """How far a check has come: through `done` of the ids whose digest is `ids`, over the rows of digest `base`."""

    base: str
    ids: str
    done: Annotated[int, msgspec.Meta(ge=0)]


class Rechecks:
    """The payments requested by id in one pull over the rows of digest `base`; what came is kept in `store`."""

    def __init__(self, reading: Reading, store: UnfinishedPull, *, base: str, mode: str) -> None:
        self.store = store
        self.asked = 0
        self.vanished: set[str] = set()
        """Payments that were requested and are gone."""
        self._reading = reading
        self._base = base
        self._mode = mode

    async def ask(self, ids: Collection[str], *, on_rows: Callable[[], None]) -> None:
        """
        Ask for the payments `ids`, from where an earlier attempt at the same ones stopped.

        `on_rows` is called after each part that came.
        Raises what `payments_by_id` raises, and OutputError; what came before is kept.
        """
        listed = sorted(ids)
        mark = _Mark(self._base, hashlib.sha256(",".join(listed).encode()).hexdigest(), 0)
        done = await self._done(mark)
        async for asked, rows in payments_by_id(self._reading, listed[done:], mode=self._mode):
            done += asked
            bookmark = msgspec.json.encode(msgspec.structs.replace(mark, done=done))
            await to_its_end(self.store.commit, [with_walk(rows, _NO_WALK)], bookmark)
            on_rows()
        self.asked = len(listed)
        self.vanished = set(listed) - {str(id_) for table in self.rows() for id_ in table.column(KEY).to_pylist()}

    def rows(self) -> Iterator[pa.Table]:
        """Yield the rows that came back, sorted by id."""
        return self.store.rows()

    def forget(self) -> None:
        """Drop what came: it is older than what is being read now, or it is in the result."""
        self.store.forget()

    async def _done(self, mark: _Mark) -> int:
        if self.store.bookmarks is None:
            return 0
        try:
            found = msgspec.json.decode(self.store.bookmarks, type=_Mark)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            raise damaged_mirror(self.store.folder) from error
        if (found.base, found.ids) == (mark.base, mark.ids):
            return found.done
        await asyncio.to_thread(self.forget)
        return 0


def ids_to_check(payments: Path, named: Collection[str]) -> set[str]:
    """Return the ids among the rows of `payments` that are flagged, or in `named`."""
    listed = pa.array(sorted(named), type=pa.string())

    def wanted(batch: pa.RecordBatch) -> pa.Array[Any]:
        suspected: Any = batch.column("mismatched_amounts").fill_null(False)
        either: pa.Array[Any] = pc.or_(suspected, pc.is_in(batch.column(KEY), value_set=listed))
        return either

    return ids_where(payments, wanted, columns=["mismatched_amounts"])
