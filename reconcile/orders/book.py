"""
The order book: the order side built up from deliveries, each of which brings what is new or has changed.

Knows what a row of a delivery replaces, and counts it: book before + changes = book after, per currency. A delivery's
files come one after the other, in the order of their names. Takes the keys by which rows are known; which runs brought
which deliveries is not its business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePath
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.files.parquet import scan
from reconcile.orders.report import BookChange, BookReport, BookTotal
from reconcile.orders.sink import orders_parquet
from reconcile.schema import ORDERS

_BATCH_ROWS = 1 << 16
_SHOWN = 3  # keys that a warning names


@dataclass(frozen=True, slots=True)
class Keyed:
    """A Parquet file of order rows, and its rows with `row`, `key` and `number`: see `matching.keys.leading`."""

    path: Path
    rows: duckdb.DuckDBPyRelation


def bring_up_to_date(
    connection: duckdb.DuckDBPyConnection,
    book: Keyed,
    delivery: Keyed,
    destination: Path,
    *,
    delivered_on: date,
    book_began_on: date | None = None,
) -> BookReport:
    """
    Write to `destination` the `book` after `delivery`, a table of ORDERS: its rows in their order, then the new ones.

    `book_began_on` is the day on which the rows were delivered that do not say it. Both files stay as they are. Raises
    OutputError when the disk refuses, duckdb.Error when memory and disk are used up.
    """
    _load(connection, book, delivery)
    kept = _places(connection, "SELECT row FROM touched WHERE file >= 0 AND killer IS NULL AND NOT is_withdrawn")
    gone = _places(connection, "SELECT row FROM touched WHERE file < 0 AND killer IS NOT NULL")
    with orders_parquet(destination) as sink:
        for batch in _batches(book.path, gone, are_kept=False, delivered_on=book_began_on):
            sink.write(batch)
        for batch in _batches(delivery.path, kept, are_kept=True, delivered_on=delivered_on):
            sink.write(batch)
    unlike, keys = _unlike(connection)
    return BookReport(
        before=_totals(connection, book.path),
        changes=_changes(connection),
        after=_totals(connection, destination),
        unlike=unlike,
        unlike_keys=keys,
    )


def _load(connection: duckdb.DuckDBPyConnection, book: Keyed, delivery: Keyed) -> None:
    """
    Make the table `touched`: the rows of the delivery, and those of the book that have a key of theirs (`file` -1).

    `killer` is the first file whose rows replace the row, null where none does.
    """
    book.rows.create_view("book_rows", replace=True)
    delivery.rows.create_view("delivery_rows", replace=True)
    names = [name for (name,) in connection.execute("SELECT DISTINCT source_file FROM delivery_rows").fetchall()]
    connection.register("files", _in_order(names))
    connection.execute(_TOUCHED)
    connection.execute(_KILLED)
    connection.unregister("files")


def _in_order(names: list[str]) -> pa.Table:
    """Return the files by their base names, numbers in them by value: `name` and `file`, from 0."""
    ordered = sorted(names, key=lambda name: (_natural(PurePath(name).name), name))
    return pa.table({"name": pa.array(ordered, pa.string()), "file": pa.array(range(len(ordered)), pa.int64())})


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


_CONTENT = ", ".join(
    f'"{name}"' for name in ORDERS.names
    if name not in ("source_file", "source_line", "delivered_on", "reference_raw", "amount_raw")
)  # fmt: skip

_TOUCHED = f"""
    CREATE OR REPLACE TEMP TABLE touched AS
        SELECT row, key, CASE WHEN NOT is_withdrawn THEN number END AS number, file, is_withdrawn, {_CONTENT}
        FROM delivery_rows JOIN files ON name = source_file
        UNION ALL SELECT row, key, number, -1, false, {_CONTENT}
        FROM book_rows SEMI JOIN delivery_rows USING (key)
"""

# A row replaces the rows of its key in earlier files that have its order number, or either has none. One that says that
# it is withdrawn takes its whole key out, also where it is further up in the same file.
_KILLED = """
    CREATE OR REPLACE TEMP TABLE touched AS
        WITH by_key AS (
            SELECT key, list_sort(list(DISTINCT file)) AS files,
                   list_sort(list(DISTINCT file) FILTER (number IS NULL)) AS of_none
            FROM touched WHERE file >= 0 GROUP BY key
        ), by_number AS (
            SELECT key, number, list_sort(list(DISTINCT file)) AS of_number
            FROM touched WHERE file >= 0 AND number IS NOT NULL GROUP BY ALL
        ), withdrawn AS (
            SELECT key, file, max(row) AS up_to FROM touched WHERE is_withdrawn GROUP BY ALL
        )
        SELECT touched.*,
               CASE WHEN up_to IS NOT NULL AND row < up_to THEN file
                    WHEN number IS NULL THEN list_filter(files, lambda one: one > file)[1]
                    ELSE least(list_filter(of_none, lambda one: one > file)[1],
                               list_filter(of_number, lambda one: one > file)[1]) END AS killer
        FROM touched LEFT JOIN by_key USING (key) LEFT JOIN by_number USING (key, number)
        LEFT JOIN withdrawn USING (key, file)
"""

# Of each key, file by file: what comes in against what it replaces. Rows that are equal repeat each other.
_COUNTED = f"""
    WITH moved AS (
        SELECT key, file AS step, {_CONTENT}, 1 AS came, 0 AS went FROM touched WHERE file >= 0 AND NOT is_withdrawn
        UNION ALL SELECT key, killer, {_CONTENT}, 0, 1 FROM touched WHERE killer IS NOT NULL AND NOT is_withdrawn
    ), alike AS (
        SELECT key, step, currency_code, amount_cents, sum(came)::BIGINT AS came, sum(went)::BIGINT AS went,
               least(sum(came), sum(went))::BIGINT AS same
        FROM moved GROUP BY key, step, {_CONTENT}
    ), steps AS (
        SELECT key, step, sum(came - same) > 0 AS has_new, sum(went - same) > 0 AS has_old,
               sum(came) < sum(went) AS is_fewer
        FROM alike GROUP BY ALL
    ), said AS (
        SELECT DISTINCT key, file AS step, true AS is_said FROM touched WHERE is_withdrawn
    )
"""

_CHANGED = f"""
    {_COUNTED}, lines AS (
        SELECT 'repeated' AS kind, currency_code, same AS rows_out, same * amount_cents AS amount_out, same AS rows_in,
               same * amount_cents AS amount_in FROM alike WHERE same > 0
        UNION ALL
        SELECT CASE WHEN has_new AND has_old THEN 'replaced' WHEN has_new THEN 'added'
                    WHEN is_said THEN 'withdrawn' ELSE 'replaced' END,
               currency_code, went - same, (went - same) * amount_cents, came - same, (came - same) * amount_cents
        FROM alike JOIN steps USING (key, step) LEFT JOIN said USING (key, step) WHERE came + went > 2 * same
    )
    SELECT kind, currency_code, sum(rows_out)::BIGINT, coalesce(sum(amount_out), 0)::HUGEINT,
           sum(rows_in)::BIGINT, coalesce(sum(amount_in), 0)::HUGEINT
    FROM lines GROUP BY ALL ORDER BY kind, currency_code NULLS LAST
"""

_UNLIKE = f"""
    {_COUNTED}, numbers AS (
        SELECT key, count(DISTINCT number) FILTER (file < 0) AS before, count(DISTINCT number) AS now
        FROM touched WHERE killer IS NULL AND NOT is_withdrawn GROUP BY key
    )
    SELECT key FROM steps LEFT JOIN said USING (key, step) WHERE is_fewer AND is_said IS NULL
    UNION SELECT key FROM numbers WHERE before > 0 AND now > before
    ORDER BY key
"""


def _changes(connection: duckdb.DuckDBPyConnection) -> tuple[BookChange, ...]:
    return tuple(BookChange(*line) for line in connection.execute(_CHANGED).fetchall())


def _unlike(connection: duckdb.DuckDBPyConnection) -> tuple[int, tuple[str, ...]]:
    keys = connection.execute(_UNLIKE).fetchall()
    return len(keys), tuple(str(key).partition(":")[2] for (key,) in keys[:_SHOWN])


def _totals(connection: duckdb.DuckDBPyConnection, orders: Path) -> tuple[BookTotal, ...]:
    query = f"""SELECT currency_code, count(*), coalesce(sum(amount_cents), 0)::HUGEINT FROM {scan(orders)}
                GROUP BY ALL ORDER BY currency_code NULLS LAST"""
    return tuple(BookTotal(*line) for line in connection.execute(query).fetchall())


def _places(connection: duckdb.DuckDBPyConnection, query: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the rows that `query` names, sorted: eight bytes for each."""
    found = np.asarray(connection.execute(query).fetchnumpy()["row"], np.int64)
    return np.sort(found)


def _batches(
    path: Path, places: np.ndarray[Any, np.dtype[np.int64]], *, are_kept: bool, delivered_on: date | None
) -> Iterator[pa.Table]:
    """Yield the rows of `path` that stand at `places`, or all others, as ORDERS with a day of delivery."""
    day = pa.scalar(delivered_on, pa.date32())
    first = 0
    with pq.ParquetFile(path) as file:
        names = [name for name in ORDERS.names if name in file.schema_arrow.names]
        for batch in file.iter_batches(_BATCH_ROWS, columns=names):
            start, end = np.searchsorted(places, [first, first + batch.num_rows])
            mask = np.full(batch.num_rows, not are_kept)
            mask[places[start:end] - first] = are_kept
            first += batch.num_rows
            yield _as_orders(batch.filter(pa.array(mask)), day)


def _as_orders(batch: pa.RecordBatch, day: pa.Scalar[Any]) -> pa.Table:
    columns = {name: batch.column(name) for name in batch.schema.names}
    delivered: Any = columns.get("delivered_on", pa.nulls(batch.num_rows, pa.date32()))
    columns["delivered_on"] = delivered.fill_null(day) if day.is_valid else delivered
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(batch.num_rows, field.type)
        for field in ORDERS
    ]
    return pa.Table.from_arrays(arrays, schema=ORDERS)
