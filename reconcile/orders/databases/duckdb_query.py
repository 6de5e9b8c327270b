"""
A query on a DuckDB file: opened for reading only, cut off from every other file and from the network.

Knows DuckDB's types and errors as far as reading goes. Rows come in batches of Arrow as they are made; beyond the
memory limit a sort spills into a temporary folder, for that of the file may be closed to writers.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.errors import OrderFileError, first_line
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.opened import RawRows
from reconcile.orders.typed.columns import TYPE_NAME, cast_in_query, column_readers, read_batches, typed_batches

_MEMORY_LIMIT = "256MB"

_BATCH_ROWS = 1 << 16
_REMEDY = cast_in_query({"amount": "DECIMAL(18, 2)", "ordered_on": "DATE"}, text="VARCHAR")
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": _MEMORY_LIMIT,
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


class DuckDBQuery:
    """A connection with one query on it, for one thread; `cancel` may come from another."""

    def __init__(self, query: OrdersQuery) -> None:
        self._query = query
        self._reader: Any = None
        if not Path(query.target).is_file():
            raise OrderFileError(
                "there is no such file", path=query.name, hint="check the path; it is relative to the working directory"
            )
        with ExitStack() as opened:
            spilled = opened.enter_context(tempfile.TemporaryDirectory(prefix="reconcile-"))
            with self._errors_told():
                config = {**_CONFIG, "temp_directory": spilled}
                self._connection = opened.enter_context(duckdb.connect(query.target, read_only=True, config=config))
                # The date of a TIMESTAMP WITH TIME ZONE is that in UTC, wherever this runs.
                self._connection.execute("SET TimeZone = 'UTC'")
            self._opened = opened.pop_all()

    def execute(self) -> list[str]:
        """Start the query and return the names of its columns; raises OrderFileError when it is refused."""
        with self._errors_told():
            statements = self._connection.extract_statements(self._query.sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                what = "there are several statements" if len(statements) > 1 else "the query does more than read"
                raise OrderFileError(what, path=self._query.name, hint="give one SELECT; nothing was changed")
            relation = self._connection.sql(self._query.sql)
            self._types = [str(type_) for type_ in relation.types]
            self._reader = relation.to_arrow_reader(_BATCH_ROWS)
        return list(self._reader.schema.names)

    def rows(self, columns: ColumnMap) -> Iterator[RawRows]:
        """Yield the rows, lines from 1; raises OrderFileError for a type that has lost digits, or a failed query."""
        schema = pa.schema([_named(field, name) for field, name in zip(self._reader.schema, self._types, strict=True)])
        readers = column_readers(schema, columns, path=self._query.name, remedy=_REMEDY)
        batches = read_batches(self._reader, self._errors_told)
        yield from typed_batches(batches, columns, readers, path=self._query.name)

    def cancel(self) -> None:
        """End the query: what waits for it gets an error."""
        self._connection.interrupt()

    def close(self) -> None:
        """Close the file."""
        # DuckDB waits for a result that somebody still holds, such as a traceback, before it opens the file again.
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._opened.close()

    @contextlib.contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            reason = first_line(error)
            raise OrderFileError(f"DuckDB refuses: {reason}", path=self._query.name, hint=_hint(reason)) from error


def query_connection(query: OrdersQuery) -> DuckDBQuery:
    """Open the file of `query`; raises OrderFileError when it is none of DuckDB's, or is in use."""
    return DuckDBQuery(query)


def _named(field: pa.Field[Any], name: str) -> pa.Field[Any]:
    # A UHUGEINT is handed over as a decimal that is too small for the largest of them: it counts as no number.
    kind: pa.DataType = pa.bool_() if name == "UHUGEINT" else field.type
    return pa.field(field.name, kind, metadata={TYPE_NAME: name.encode()})


def _hint(reason: str) -> str:
    remedies = {
        "onflicting lock": "close the program that has the file open for writing, and start again",
        "different configuration": "close the connection that this process has to the file, and start again",
        "in-memory database": "name a file of DuckDB, and give other files as order files",
        "not a valid DuckDB database": "name a file of DuckDB, or sqlite:FILE for one of SQLite",
        "disabled by configuration": "a query reads its own database only: give other files as order files",
        "read-only mode": "give one SELECT; nothing was changed",
        "ermission denied": "change the permissions of the file, or name another",
    }
    found = (remedy for sign, remedy in remedies.items() if sign in reason)
    return next(found, "correct the query")
