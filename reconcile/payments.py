"""
Payments from a file instead of the API: what `reconcile pull` wrote, or the payments of an earlier run.

Knows the PAYMENTS table in Parquet and CSV; where payments come from otherwise is the pull's business.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import PaymentFileError
from reconcile.parquet import write_parquet
from reconcile.schema import PAYMENTS

_WRITE_IT = "`reconcile pull --to payments.parquet` writes such a file; `payments.parquet` of a run folder is one"
_REQUIRED = [field.name for field in PAYMENTS if not field.nullable]


def copy_payments(source: Path, destination: Path) -> int:
    """
    Copy the payments of `source` (Parquet or CSV, columns of PAYMENTS) to `destination` and return their number.

    The copy is Parquet, sorted by `payment_id`; a file that is so already is copied byte for byte.
    Raises PaymentFileError when the file is missing, is no such table, or has a payment twice.
    """
    if not source.is_file():
        raise PaymentFileError("there is no such file", path=source, hint=_WRITE_IT)
    try:
        with contextlib.closing(duckdb.connect()) as connection:
            connection.execute("SET preserve_insertion_order = true")
            relation = _relation(connection, source)
            _check_columns(source, relation.columns)
            connection.execute(f"CREATE TEMP TABLE payments AS {_typed(source)}", {"path": str(source)})
            _check_rows(connection, source)
            if _is_canonical(connection, source):
                shutil.copyfile(source, destination)
                return int(pq.read_metadata(destination).num_rows)
            reader = connection.sql("FROM payments ORDER BY payment_id").to_arrow_reader(100_000)
            return write_parquet((_cast(batch) for batch in reader), PAYMENTS, destination)
    except (duckdb.Error, pa.ArrowInvalid) as error:
        problem = str(error).splitlines()[0]
        raise PaymentFileError(f"cannot be read as payments: {problem}", path=source, hint=_WRITE_IT) from error


def _relation(connection: duckdb.DuckDBPyConnection, source: Path) -> duckdb.DuckDBPyRelation:
    return connection.sql(f"SELECT * FROM {_scan(source)} LIMIT 0", params={"path": str(source)})


def _scan(source: Path) -> str:
    if source.suffix.lower() == ".csv":
        return "read_csv($path, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"')"
    return "read_parquet($path)"


def _typed(source: Path) -> str:
    types = {
        pa.string(): "TEXT",
        pa.bool_(): "BOOLEAN",
        pa.int64(): "BIGINT",
        PAYMENTS.field("created_at").type: "TIMESTAMPTZ",
    }
    columns = ", ".join(f"{field.name}::{types[field.type]} AS {field.name}" for field in PAYMENTS)
    return f"SELECT {columns} FROM {_scan(source)}"


def _check_columns(source: Path, found: list[str]) -> None:
    missing = [name for name in PAYMENTS.names if name not in found]
    if missing:
        more = f" and {len(missing) - 1} more of the table of payments" if missing[1:] else ""
        raise PaymentFileError(f"has no column {missing[0]}{more}", path=source, column=missing[0], hint=_WRITE_IT)


def _check_rows(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    for column in _REQUIRED:
        if connection.execute(f"SELECT 1 FROM payments WHERE {column} IS NULL LIMIT 1").fetchall():
            raise PaymentFileError(f"{column} is empty in a row", path=source, column=column, hint=_WRITE_IT)
    twice = connection.execute(
        "SELECT payment_id FROM payments GROUP BY payment_id HAVING count(*) > 1 ORDER BY payment_id LIMIT 1"
    ).fetchall()
    if twice:
        raise PaymentFileError(
            f"payment {twice[0][0]} is in it more than once",
            path=source,
            column="payment_id",
            hint="a payment counts once: join the exports without overlap, or pull again",
        )


def _is_canonical(connection: duckdb.DuckDBPyConnection, source: Path) -> bool:
    if source.suffix.lower() == ".csv" or not pq.read_schema(source).equals(PAYMENTS):
        return False
    unsorted = connection.execute(
        "SELECT 1 FROM (SELECT payment_id, lag(payment_id) OVER (ORDER BY rowid) AS before FROM payments) "
        "WHERE before > payment_id LIMIT 1"
    )
    return not unsorted.fetchall()


def _cast(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [batch.column(field.name).cast(field.type) for field in PAYMENTS], schema=PAYMENTS
    )
