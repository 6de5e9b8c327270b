"""
A query's result as an order file: read by a thread of its own, a batch ahead, with a digest of what came.

Knows the engines (`DATABASES`) and how to stop one: every call goes to one thread, so that whoever waits for it can be
interrupted and then cancels the query. What a URL or a query says is in `url`; types and errors are known by
the engine's own module, which is loaded when it is requested.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

import numpy as np

from reconcile.errors import OrderFileError, SettingsError
from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.orders.columns.mapping import ColumnMap, map_columns
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows

DATABASES: dict[str, tuple[str, str | None]] = {
    "duckdb": ("reconcile.orders.databases.duckdb_query", None),
    "postgresql": ("reconcile.orders.databases.postgres_query", "postgres"),
    "sqlite": ("reconcile.orders.databases.sqlite_query", None),
}
"""Engine → module with `query_connection(query) -> QueryConnection`, and the extra that it needs."""

T = TypeVar("T")
_LONGEST_WAIT_SECONDS = 0.5


class QueryConnection(Protocol):
    """A connection with one query on it; all but `cancel` is called by one thread."""

    def execute(self) -> list[str]:
        """Start the query and return the names of its columns."""

    def rows(self, columns: ColumnMap) -> Iterator[RawRows]:
        """Yield the rows of the result, lines from 1."""

    def cancel(self) -> None:
        """End the query, from any thread."""

    def close(self) -> None:
        """End the transaction and the connection."""


class QueryStream:
    """
    The rows of a query; digest and size are those of the cells that were read.

    Raises SettingsError when the engine's extra is not installed, OrderFileError when the database refuses.
    """

    def __init__(self, query: OrdersQuery) -> None:
        connect = _connector(query.engine)
        self._query = query
        self._digest = _CellDigest()
        self._is_idle = True
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="orders-query")
        try:
            self._connection = self._thread.submit(connect, query).result()
        except BaseException:
            self._thread.shutdown(wait=False)
            raise

    def open(self, form: OrderFormat) -> OpenedOrders:
        """Start the query, find its columns, and return its rows to come."""
        self._is_idle = False
        names = self._answer(self._thread.submit(self._connection.execute))
        if not names:
            raise OrderFileError("the query has no result", path=self._query.name, hint="give one SELECT")
        columns = map_columns(names, form, path=self._query.name)
        return OpenedOrders(columns, self._batches(self._connection.rows(columns)))

    def digest(self) -> tuple[str, int]:
        """Return SHA-256 and size in bytes of the cells read so far; the same rows give the same."""
        return self._digest.hexdigest(), self._digest.bytes_read

    def close(self) -> None:
        """Cancel what is still running, and close the connection."""
        if not self._is_idle:
            self._connection.cancel()
        self._thread.submit(self._connection.close)
        self._thread.shutdown()

    def _batches(self, rows: Iterator[RawRows]) -> Iterator[Batch]:
        self._is_idle = False
        ahead = self._thread.submit(next, rows, None)
        while (raw := self._answer(ahead)) is not None:
            self._is_idle = False
            ahead = self._thread.submit(next, rows, None)
            self._digest.add(raw)
            yield partial(_as_it_is, raw)

    def _answer(self, future: Future[T]) -> T:
        """Wait for what the thread was asked to do; who is interrupted meanwhile leaves it to `close` to cancel it."""
        # A signal that comes just before the waiting begins does not end it: so nobody waits for long at a time.
        while not wait([future], timeout=_LONGEST_WAIT_SECONDS).done:
            pass
        try:
            answer = future.result()
        except Exception:
            self._is_idle = True
            raise
        self._is_idle = True
        return answer


class _CellDigest:
    """SHA-256 of cells, column by column: their lengths (-1 for null), their UTF-8 and their lines, however batched."""

    def __init__(self) -> None:
        self._parts: dict[str, hashlib._Hash] = {}
        self.bytes_read = 0

    def add(self, raw: RawRows) -> None:
        self._update("lines", raw.lines.to_numpy().tobytes())
        shown = {f"column {place}": column for place, column in raw.shown.items()}
        for role, column in {**raw.cells, **shown}.items():
            lengths = pc.fill_null(pc.binary_length(column), -1)
            self._update(f"{role} lengths", lengths.to_numpy(zero_copy_only=False).tobytes())
            texts = _text_bytes(pc.fill_null(column, ""))
            self._update(f"{role} texts", texts)
            self.bytes_read += len(texts)

    def hexdigest(self) -> str:
        whole = hashlib.sha256()
        for name, part in sorted(self._parts.items()):
            whole.update(f"{name} {part.hexdigest()}\n".encode())
        return whole.hexdigest()

    def _update(self, name: str, content: bytes) -> None:
        self._parts.setdefault(name, hashlib.sha256()).update(content)


def _text_bytes(column: Column) -> bytes:
    """Return the UTF-8 of all strings of `column`, one behind the other; it has no nulls."""
    _, offsets, content = cast(tuple[Any, Any, Any], column.buffers())  # validity, offsets, strings
    if not len(column) or offsets is None or content is None:
        return b""
    places = np.frombuffer(offsets, np.int32)
    start, end = int(places[column.offset]), int(places[column.offset + len(column)])
    texts: bytes = content.slice(start, end - start).to_pybytes()
    return texts


def _as_it_is(raw: RawRows) -> RawRows:
    return raw


def _connector(engine: str) -> Callable[[OrdersQuery], QueryConnection]:
    module, extra = DATABASES[engine]
    try:
        connect: Callable[[OrdersQuery], QueryConnection] = import_module(module).query_connection
    except ModuleNotFoundError as error:
        if extra is None or (error.name or "").startswith("reconcile"):
            raise
        raise SettingsError(
            f"--orders-db: {engine} needs {error.name}, which is not installed",
            hint=f"install the extra: pip install 'reconcile[{extra}]'",
        ) from error
    return connect
