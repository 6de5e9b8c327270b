"""
DuckDB as this program opens it, and strings and paths as it reads them where a parameter cannot stand.

Every connection is in UTC, fetches nothing from anywhere, and keeps nothing of a file that it has read: under the same
name there may be another one by then. Opening a database takes longer than most of what is asked of it, so connections
share one where they can.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.errors import OutputError, SettingsError, first_line
from reconcile.schema import UTC_MS

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # what is needed is inside DuckDB's own wheel
    "autoload_known_extensions": False,
    "enable_external_file_cache": False,
}

SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    UTC_MS: "TIMESTAMP WITH TIME ZONE",
}
"""DuckDB's name of each type that a column of our tables has."""


@contextlib.contextmanager
def connected(folder: Path | None = None, memory_limit: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """
    Give a connection in which there is nothing yet; what is made there must be temporary (`CREATE TEMP VIEW`).

    With a `folder` what does not fit `memory_limit` ("1GB"; null: DuckDB's own) is written there, below a name that
    begins with ".spill-" and is gone at the end. A block inside of another shares its database where it names the same
    folder and limit, or no folder; outside of any, blocks without a folder share one that stays open.
    """
    with contextlib.ExitStack() as stack:
        database = _around.get()
        if database is None or (folder is not None and database.place != (folder, memory_limit)):
            database = _kept() if folder is None else _opened(stack, (folder, memory_limit))
        stack.callback(_around.reset, _around.set(database))
        connection = stack.enter_context(contextlib.closing(database.connection.cursor()))
        connection.execute("SET TimeZone = 'UTC'")
        try:
            yield connection
        except (duckdb.FatalException, duckdb.InternalException):
            _databases.pop(os.getpid(), None)  # it may be this one, which answers nothing more
            raise


@dataclass(frozen=True, slots=True)
class _Database:
    """An open database, and the folder and limit of what it writes to disk."""

    connection: duckdb.DuckDBPyConnection
    place: tuple[Path, str | None] | None = None


_around: ContextVar[_Database | None] = ContextVar("_around", default=None)
"""The database of the block that the program is in."""

_databases: dict[int, _Database] = {}
"""The database that stays open, by process: a fork cannot use that of its parent."""

_lock = threading.Lock()


def _kept() -> _Database:
    with _lock:
        if os.getpid() not in _databases:
            _databases[os.getpid()] = _Database(open_database({}))
        return _databases[os.getpid()]


def _opened(stack: contextlib.ExitStack, place: tuple[Path, str | None]) -> _Database:
    """Open a database that is closed with `stack`."""
    folder, memory_limit = place
    spill = stack.enter_context(tempfile.TemporaryDirectory(prefix=".spill-", dir=folder))
    connection = open_database({"memory_limit": memory_limit, "temp_directory": spill})
    return _Database(stack.enter_context(contextlib.closing(connection)), place)


def open_database(settings: Mapping[str, str | int | None]) -> duckdb.DuckDBPyConnection:
    """Open a database in memory with `settings`, but for null ones. Raises SettingsError for what DuckDB refuses."""
    try:
        return duckdb.connect(config=CONFIG | {name: value for name, value in settings.items() if value is not None})
    except duckdb.Error as error:
        raise SettingsError(f"the engine refuses its settings: {first_line(error)}") from error


@contextlib.contextmanager
def within_memory(what: str) -> Iterator[None]:
    """Turn the end of memory and disk in the block into an OutputError: `what` does not fit."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise OutputError(
            f"{what} does not fit the memory limit ({first_line(error)})",
            hint="give a larger memory limit, or a temporary directory with free space",
        ) from error


def text_literal(text: str) -> str:
    """Return `text` as an SQL text."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def path_literal(path: Path) -> str:
    """Return `path` as an SQL text that names exactly this file: DuckDB reads *, ? and [ as a pattern."""
    return text_literal("".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path.absolute())))
