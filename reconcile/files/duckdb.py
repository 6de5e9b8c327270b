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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

CONFIG: dict[str, Any] = {
    "autoinstall_known_extensions": False,  # what is needed is inside DuckDB's own wheel
    "autoload_known_extensions": False,
    "enable_external_file_cache": False,
}


@contextlib.contextmanager
def connected(folder: Path | None = None, memory_limit: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """
    Give a connection in which there is nothing yet; what is made there must be temporary (`CREATE TEMP VIEW`).

    With a `folder` what does not fit `memory_limit` ("1GB"; null: DuckDB's own) is written there, below a name that
    begins with ".spill-" and is gone at the end. Blocks of one folder and limit, one inside the other, share a
    database; those without a folder all do.
    """
    with _database(folder, memory_limit) as database, contextlib.closing(database.cursor()) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


_Key = tuple[int, Path | None, str | None]
_lock = threading.Lock()


@dataclass(slots=True)
class _Database:
    """An open database, what is closed with it, how many blocks use it, and whether it stays open after the last."""

    connection: duckdb.DuckDBPyConnection
    resources: contextlib.ExitStack
    is_kept: bool
    users: int = 0


_databases: dict[_Key, _Database] = {}


@contextlib.contextmanager
def _database(folder: Path | None, memory_limit: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    key = (os.getpid(), folder, memory_limit)
    with _lock:
        database = _databases.get(key)
        if database is None:
            database = _databases[key] = _opened(folder, memory_limit)
        database.users += 1
    try:
        yield database.connection
    except (duckdb.FatalException, duckdb.InternalException):
        database.is_kept = False  # it answers nothing more
        raise
    finally:
        with _lock:
            database.users -= 1
            if not (database.is_kept or database.users):
                del _databases[key]
                database.resources.close()


def _opened(folder: Path | None, memory_limit: str | None) -> _Database:
    config = dict(CONFIG)
    with contextlib.ExitStack() as stack:
        if memory_limit is not None:
            config["memory_limit"] = memory_limit
        if folder is not None:
            config["temp_directory"] = stack.enter_context(tempfile.TemporaryDirectory(prefix=".spill-", dir=folder))
        connection = stack.enter_context(contextlib.closing(duckdb.connect(config=config)))
        return _Database(connection, stack.pop_all(), is_kept=folder is None)


def text_literal(text: str) -> str:
    """Return `text` as an SQL text."""
    quoted = text.replace("'", "''")
    return f"'{quoted}'"


def path_literal(path: Path) -> str:
    """Return `path` as an SQL text that names exactly this file: DuckDB reads *, ? and [ as a pattern."""
    return text_literal("".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path.absolute())))
