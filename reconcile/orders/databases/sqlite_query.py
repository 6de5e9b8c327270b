"""
A query on a SQLite file: opened for reading only, and allowed to read and nothing else.

Knows SQLite's cells: each has a type of its own, whatever its column says. There are no exact decimals among them: a
REAL amount is the decimal it is taken to mean (`files.doubles`), a REAL key is rejected.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from reconcile.errors import OrderFileError, first_line
from reconcile.files.arrow import Column, boolean_column, text_column
from reconcile.files.doubles import double_text
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.opened import RawRows
from reconcile.orders.rejects import Reject

_BATCH_ROWS = 1 << 15
_REFUSED = {sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_TRANSACTION}


class SQLiteQuery:
    """A connection with one query on it, for one thread; `cancel` may come from another."""

    def __init__(self, query: OrdersQuery) -> None:
        self._query = query
        path = Path(query.target)
        if not path.is_file():
            raise OrderFileError(
                "there is no such file", path=query.name, hint="check the path; it is relative to the working directory"
            )
        with self._errors_told():
            self._connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, isolation_level=None
            )
        self._connection.set_authorizer(_authorize)

    def execute(self) -> list[str]:
        """Start the query and return the names of its columns; raises OrderFileError when it is refused."""
        with self._errors_told():
            self._cursor = self._connection.execute(self._query.sql)
        return [str(column[0]) for column in self._cursor.description or ()]

    def rows(self, columns: ColumnMap) -> Iterator[RawRows]:
        """Yield the rows, lines from 1; raises OrderFileError when the query fails on its way."""
        first = 1
        while True:
            with self._errors_told():
                records = self._cursor.fetchmany(_BATCH_ROWS)
            if not records:
                return
            yield _raw_rows(records, first, columns)
            first += len(records)

    def cancel(self) -> None:
        """End the query: what waits for it gets an error."""
        self._connection.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextlib.contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
            reason = first_line(error)
            said, hint = _told(reason)
            raise OrderFileError(said, path=self._query.name, hint=hint) from error


def query_connection(query: OrdersQuery) -> SQLiteQuery:
    """Open the file of `query`; raises OrderFileError when there is none."""
    return SQLiteQuery(query)


def _authorize(action: int, first: str | None, *_: str | None) -> int:
    # A full-text table asks for `data_version` when it is read. Writing is refused by the file's mode.
    refused = action in _REFUSED and first != "data_version"
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


def _raw_rows(records: Sequence[tuple[Any, ...]], first: int, columns: ColumnMap) -> RawRows:
    cells = {role: [record[position] for record in records] for role, position in columns.positions.items()}
    rejects = {
        row: Reject(first + row, columns.name(role), str(value), reason, "cast it to TEXT or INTEGER in the query")
        for role, values in cells.items()
        if role not in columns.loose
        for row, value, reason in _unreadable(role, values)
    }
    for role in columns.loose & cells.keys():
        cells[role] = [value if type(value) is str else None for value in cells[role]]
    lines = pa.array(range(first, first + len(records)), pa.int64())
    numbers = boolean_column([type(value) in (int, float) for value in cells["amount"]])
    texts: dict[str, Column] = {role: text_column([_text(value) for value in values]) for role, values in cells.items()}
    shown = {at: text_column([_text(record[at]) for record in records]) for at in columns.shown}
    return RawRows(lines, texts, tuple(rejects.values()), literal=numbers, shown=shown)


def _unreadable(role: str, values: Sequence[Any]) -> Iterator[tuple[int, Any, str]]:
    """Yield row, value and reason of the cells whose type can be no string of a `role`."""
    kinds = set(map(type, values))
    if bytes in kinds:
        yield from ((row, "", "is a BLOB, not text") for row, value in enumerate(values) if type(value) is bytes)
    if float in kinds and role != "amount":
        reason = "is a REAL, whose digits are no longer exact"
        yield from ((row, value, reason) for row, value in enumerate(values) if type(value) is float)


def _text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if type(value) is bytes:
        return None
    return double_text(value) if type(value) is float else str(value)


def _told(reason: str) -> tuple[str, str]:
    """Return what to say of SQLite's `reason`, and what to do about it."""
    if "one statement at a time" in reason:
        return "there are several statements", "give one SELECT"
    if "not authorized" in reason or "authorization denied" in reason or "readonly database" in reason:
        return "the query does more than read", "give one SELECT; nothing was changed"
    remedies = {
        "not a database": "name a file of SQLite, or duckdb:FILE for one of DuckDB",
        "locked": "wait for the program that writes to the file, and start again",
        "unable to open": "check the permissions of the file and its folder",
        "Could not decode": "the file must store text as UTF-8 or UTF-16: cast the column in the query",
    }
    hint = next((remedy for sign, remedy in remedies.items() if sign in reason), "correct the query")
    return f"SQLite refuses: {reason}", hint
