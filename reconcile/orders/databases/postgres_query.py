"""
A query on PostgreSQL, by ADBC: batches of Arrow in one read-only transaction, with every number as its digits.

Knows what the driver makes of PostgreSQL's types and errors. The driver sends the query as `COPY (…) TO STDOUT`, so it
is one query and nothing else, and its rows come as they are made: memory does not grow with them.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

import adbc_driver_postgresql.dbapi as adbc  # type: ignore[import-untyped]  # it has no types
import pyarrow as pa
from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import StatementOptions

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.opened import RawRows
from reconcile.orders.typed.columns import (
    TYPE_NAME,
    cast_in_query,
    column_readers,
    numeric_scale,
    read_batches,
    typed_batches,
)

CONNECT_SECONDS = "15"
"""How long a server may take to answer, unless the URL or PGCONNECT_TIMEOUT says otherwise."""

_BATCH_BYTES = str(4 << 20)
_INTEGERS = ("int2", "int4", "int8")
_REMEDY = cast_in_query({"amount": "numeric(18,2)", "ordered_on": "date"})


class PostgresQuery:
    """A connection with one query on it, for one thread; `cancel` may come from another."""

    def __init__(self, query: OrdersQuery) -> None:
        self._query = query
        with self._errors_told():
            connection = adbc.connect(_with_timeout(query.target))
        self._opened = [connection]
        try:
            with self._errors_told():
                self._cursor = connection.cursor()
                self._opened.append(self._cursor)
                # One snapshot, and nothing can be written in it: the first statement of a transaction decides.
                self._cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                # ADBC takes every string for UTF-8, whatever the server sends.
                self._cursor.execute("SET LOCAL client_encoding = 'UTF8'")
        except BaseException:
            self.close()
            raise

    def execute(self) -> list[str]:
        """Send the query and return the names of its columns; raises OrderFileError when it is refused."""
        with self._errors_told():
            self._cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: _BATCH_BYTES})
            self._cursor.execute(f"{self._query.sql}\n")
            self._reader = self._cursor.fetch_record_batch()
            self._opened.append(self._reader)
        return list(self._reader.schema.names)

    def rows(self, columns: ColumnMap) -> Iterator[RawRows]:
        """Yield the rows, lines from 1; raises OrderFileError for a type that has lost digits, or a lost connection."""
        schema = pa.schema([_named(field) for field in self._reader.schema])
        for position in (position for role, position in columns.positions.items() if role not in columns.loose):
            self._check_number(schema.field(position))
        readers = column_readers(schema, columns, path=self._query.name, remedy=_REMEDY)
        batches = read_batches(self._reader, self._errors_told)
        yield from typed_batches(batches, columns, readers, path=self._query.name)

    def cancel(self) -> None:
        """Have the server end the query: what waits for it gets an error."""
        with contextlib.suppress(AdbcError):
            self._cursor.adbc_cancel()

    def close(self) -> None:
        """Close the connection; the transaction ends with it."""
        for part in self._opened[::-1]:
            with contextlib.suppress(AdbcError):
                part.close()

    def _check_number(self, field: pa.Field[Any]) -> None:
        """Refuse whole numbers that are something else: `money` counts what the server's locale says, `oid` wraps."""
        name = (field.metadata or {}).get(TYPE_NAME, b"").decode()
        if pa.types.is_integer(field.type) and name not in _INTEGERS:
            raise OrderFileError(
                f'column "{field.name}" is {name}, whose digits are not passed on exactly',
                path=self._query.name,
                column=field.name,
                hint=_REMEDY("amount" if name == "money" else "reference", field.name),
            )

    @contextlib.contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (AdbcError, OSError, pa.ArrowException) as error:
            text = self._query.told(str(error))
            raise OrderFileError(_reason(text), path=self._query.name, hint=_hint(text)) from None


def query_connection(query: OrdersQuery) -> PostgresQuery:
    """Connect to the database of `query`; raises OrderFileError when that is refused."""
    return PostgresQuery(query)


def _with_timeout(url: str) -> str:
    if "connect_timeout=" in url or "PGCONNECT_TIMEOUT" in os.environ:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_SECONDS}"


def _named(field: pa.Field[Any]) -> pa.Field[Any]:
    """Return `field` with the name that PostgreSQL gives its type, for people."""
    metadata: dict[bytes | str, bytes | str] = dict((field.metadata or {}).items())
    name = (field.metadata or {}).get(b"POSTGRESQL:type", b"unknown").decode()
    if scale := numeric_scale(field):
        name = f"{name} with {scale} decimals"
    return field.with_metadata({**metadata, TYPE_NAME: name.encode()})


_SENTENCES = (
    # what the driver or the server says, what we say (None: as the server says it), what to do about it
    ("in a read-only transaction", "the query does more than read: {}", "give one SELECT; nothing was changed"),
    ("multiple commands", "there are several statements", "give one SELECT"),
    ("could not begin COPY", "the query is refused: {}", "correct the query: it must be one SELECT"),
    ("Failed to prepare query", "the query is refused: {}", "correct the query"),
    ("password", "no connection: {}", "set PGPASSWORD, ~/.pgpass, or RECONCILE_ORDERS_DB to a URL with the password"),
    ("permission denied", "the query is refused: {}", "grant SELECT to this user"),
    ("Failed to connect", "no connection: {}", "check host, port and database, and that the server can be reached"),
)


def _reason(text: str) -> str:
    found = re.search(r"(?:ERROR|FATAL):\s+(.+)", text) or re.search(r"Failed to connect: (.+)", text)
    words = found[1] if found else text.strip().partition("\n")[0]
    sentence = next((said for sign, said, _ in _SENTENCES if sign in text), "the query has failed: {}")
    return sentence.format(words)


def _hint(text: str) -> str:
    return next((remedy for sign, _, remedy in _SENTENCES if sign in text), "fix the cause, and start again")
