"""
Tables as files that people and spreadsheets open: CSV, and the breaks in the order they are worked off.

Knows the CSV dialect, which strings a spreadsheet would run as a formula, and the order of breaks. Does not know
what a column means: columns and types are those of `reconcile.schema`.

The dialect: UTF-8 without a byte order mark, lines end with one line feed, a header with the column names, quotes
(RFC 4180) only where needed, and around `#`, which some readers take for a comment. Null is an empty field, an empty
text is `""` (DuckDB distinguishes them with `allow_quoted_nulls = false`, pyarrow with
`quoted_strings_can_be_null=False`). Booleans are `true` and `false`, dates `2026-11-22`, instants
`2026-11-22T03:04:05.678Z`, numbers plain digits with an optional minus sign.

The same table gives the same bytes, however many threads write it and however it is cut into row groups.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError, first_line
from reconcile.files.csv_text import WRITE_OPTIONS
from reconcile.files.disk import disk_error, replacing
from reconcile.files.duckdb import connected, text_literal
from reconcile.files.formula_guard import guarded_sql, is_plain_sql
from reconcile.files.parquet import ROWS_PER_GROUP, scan, stored, write_parquet
from reconcile.history.published import items_sql
from reconcile.schema import BREAKS_ORDER, ITEMS


def write_items_csv(items: Path, destination: Path, *, memory_limit: str = "1GB") -> int:
    """
    Write the Parquet table `items` (ITEMS, or what an earlier version had of it) as CSV; return the number of rows.

    Raises OutputError when `items` is not such a table or `destination` cannot be written.
    """
    return write_csv(items, items_columns(items), destination, memory_limit=memory_limit)


def write_breaks(items: Path, parquet: Path, csv: Path, *, memory_limit: str = "1GB") -> int:
    """
    Write the rows of `items` with `is_break`, in BREAKS_ORDER, as Parquet and as CSV; return their number.

    Both files have the columns that `items` has. Sorting beyond `memory_limit` goes to disk, beside `parquet`.
    Raises OutputError when `items` is not a table of items or a file cannot be written.
    """
    schema = items_columns(items)
    query = f"SELECT {_names(schema)} FROM {items_sql(items)} WHERE is_break ORDER BY {BREAKS_ORDER}"
    with errors_told(parquet), connected(parquet.parent, memory_limit) as connection:
        batches = connection.sql(query).to_arrow_reader(ROWS_PER_GROUP)
        rows = write_parquet((batch.cast(schema) for batch in batches), schema, parquet)
    written = write_csv(parquet, schema, csv, memory_limit=memory_limit)
    assert written == rows, "the CSV is written from the Parquet file"
    return rows


def write_csv(
    source: Path | pa.Table | pa.RecordBatchReader,
    schema: pa.Schema,
    destination: Path,
    *,
    memory_limit: str = "1GB",
) -> int:
    """
    Write the columns of `schema` as CSV to `destination`; return the number of rows.

    `source` is a Parquet file, an Arrow table or a reader of Arrow batches; rows keep their order. Text cells that a
    spreadsheet would run are guarded (see `reconcile.files.formula_guard`), all other types are written as they are.
    The file is complete when it appears under its name.
    Raises OutputError when a column of `source` is missing or `destination` cannot be written.
    """
    columns = _columns_of(source, schema)
    with (
        errors_told(destination),
        replacing(destination) as partial,
        connected(destination.parent, memory_limit) as connection,
    ):
        if isinstance(source, Path):
            relation = scan(source)
        else:
            connection.register("source", source)
            relation = "source"
        expected = _rows_of(source)
        if expected is None or expected > _FEW_ROWS or not _is_plain(connection, relation, schema):
            columns = _guarded(schema)
        copy = f"COPY (SELECT {columns} FROM {relation}) TO {text_literal(str(partial.absolute()))} ({WRITE_OPTIONS})"
        rows = int(connection.execute(copy).fetchall()[0][0])
        assert expected in (None, rows), "a CSV has one row per row of its table"
    return rows


def _columns_of(source: Path | pa.Table | pa.RecordBatchReader, schema: pa.Schema) -> str:
    """
    Return the columns of `schema` as SQL; raises OutputError when one of `source` is missing, or it cannot be
    read.
    """
    found = _read_schema(source) if isinstance(source, Path) else source.schema
    for field in schema:
        if field.name not in found.names or found.field(field.name).type != field.type:
            where = source if isinstance(source, Path) else "the table"
            raise OutputError(
                f"{where}: has no column `{field.name}` of type {field.type}",
                hint="it was written by another version: run `reconcile match` again",
            )
    return _names(schema)


def items_columns(items: Path) -> pa.Schema:
    """Return the columns of ITEMS that a Parquet file has; raises OutputError when it is no table of items."""
    return stored(items, _read_schema(items), ITEMS)


def _names(schema: pa.Schema) -> str:
    return ", ".join(map(_identifier, schema.names))


_FEW_ROWS = 1_000
"""Rows in which it is faster to look for a cell that must be guarded than to have DuckDB plan how all of them are."""


def _is_plain(connection: duckdb.DuckDBPyConnection, relation: str, schema: pa.Schema) -> bool:
    """Return whether no cell of few rows needs a guard."""
    texts = [_identifier(field.name) for field in schema if field.type == pa.string()]
    if not texts:
        return True
    odd = connection.execute(f"SELECT 1 FROM {relation} WHERE NOT ({is_plain_sql(texts)}) LIMIT 1").fetchall()
    return not odd


def _guarded(schema: pa.Schema) -> str:
    return ", ".join(
        f"{guarded_sql(name)} AS {name}" if field.type == pa.string() else name
        for field in schema
        for name in (_identifier(field.name),)
    )


def _read_schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise OutputError(
            f"{path}: cannot be read as Parquet: {first_line(error)}", hint="run `reconcile match` again"
        ) from error


def _rows_of(source: Path | pa.Table | pa.RecordBatchReader) -> int | None:
    """Return how many rows `source` has; null for a reader, which knows at its end."""
    if isinstance(source, pa.RecordBatchReader):
        return None
    return int(pq.read_metadata(source).num_rows) if isinstance(source, Path) else source.num_rows


@contextlib.contextmanager
def errors_told(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise disk_error(error, destination) from error
    except (duckdb.Error, pa.ArrowException) as error:
        raise _refused(error, destination) from error


def _refused(error: Exception, destination: Path) -> OutputError:
    hint = None
    if isinstance(error, duckdb.OutOfMemoryException):
        hint = "allow more with --memory-limit"
    elif "o space left" in str(error):
        hint = "free some space there, or choose another --out"
    return OutputError(f"{destination}: cannot be written: {first_line(error)}", hint=hint)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
