"""
Payments from a file instead of the API: what `reconcile pull` wrote, or the payments of an earlier run.

Knows the PAYMENTS table in Parquet and CSV, and that of TRANSACTIONS beside it; where payments come from otherwise is
the pull's business.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reconcile.errors import PaymentFileError, first_line
from reconcile.files.csv_text import CsvRow, NotCsv, csv_rows, scan_csv
from reconcile.files.duckdb import connected
from reconcile.files.formula_guard import may_be_guarded, unguarded_sql
from reconcile.files.parquet import scan
from reconcile.money import ORDER_TOTALS
from reconcile.payments.beside import transactions_beside, write_sorted_transactions
from reconcile.payments.mirror.sorted_rows import ROW_GROUP_ROWS, write_payments
from reconcile.schema import PAYMENTS, TRANSACTIONS, UTC_MS

_WRITE_IT = "`reconcile pull --to payments.parquet` writes such a file; `payments.parquet` of a run folder is one"
_TYPES = {pa.string(): "TEXT", pa.bool_(): "BOOLEAN", pa.int64(): "BIGINT", UTC_MS: "TIMESTAMPTZ"}
_NEVER_EMPTY = [field.name for field in PAYMENTS if not field.nullable]
# Without one of these every verdict would be a guess; any other missing column is empty.
_REQUIRED = [*_NEVER_EMPTY, "reference", "order_id", "order_status", "currency_code"]


def copy_payments(source: Path, destination: Path, *, memory_limit: str = "1GB") -> int:
    """
    Copy the payments of `source` (Parquet or CSV, columns of PAYMENTS) to `destination` and return their number.

    The copy is Parquet, sorted by `payment_id`; a file that is so already is copied byte for byte. Columns that the
    matching can do without may be missing and are then empty; columns that PAYMENTS does not have are left behind.
    Sorting beyond `memory_limit` goes to disk, beside `destination`.
    Raises PaymentFileError when the file is missing, is no such table, or has a payment twice.
    """
    if str(source) != (shown := str(source).encode(errors="replace").decode()):
        raise PaymentFileError(
            "its name is not text in UTF-8", path=shown, hint="rename it: the run's manifest names it"
        )
    if not source.is_file():
        raise PaymentFileError("there is no such file", path=source, hint=_WRITE_IT)
    try:
        if not _is_csv(source) and _is_canonical(source):
            shutil.copyfile(source, destination)
            return int(pq.read_metadata(destination).num_rows)
        with connected(destination.parent, memory_limit) as connection:  # times without a zone are in UTC
            columns = _columns(connection, source)
            _check_columns(source, columns)
            connection.execute(f"CREATE TEMP TABLE payments AS {_typed(source, columns)}")
            _check_rows(connection, source)
            reader = connection.sql("FROM payments ORDER BY payment_id").to_arrow_reader(ROW_GROUP_ROWS)
            return write_payments((pa.Table.from_batches([batch]) for batch in reader), destination)
    except (duckdb.Error, pa.ArrowInvalid, UnicodeDecodeError, NotCsv) as error:
        problem = first_line(error).removeprefix("Invalid Input Error: ")
        raise PaymentFileError(f"cannot be read as payments: {problem}", path=source, hint=_WRITE_IT) from error


def copy_transactions(payments: Path, destination: Path, *, memory_limit: str = "1GB") -> int | None:
    """
    Copy the transactions beside the file `payments` to `destination`; return their number, null where there are none.

    Another file under that name (one without the columns of TRANSACTIONS) is none. The copy is Parquet, sorted as a
    pull writes it; such a file is copied byte for byte. Raises PaymentFileError when a value is of another kind.
    """
    source = transactions_beside(payments)
    if not source.is_file():
        return None
    try:
        if not _is_csv(source) and pq.read_schema(source).equals(TRANSACTIONS):
            shutil.copyfile(source, destination)
            return int(pq.read_metadata(destination).num_rows)
        with connected(destination.parent, memory_limit) as connection:
            columns = _columns(connection, source)
            if not set(TRANSACTIONS.names) <= set(columns):
                return None
            rows = connection.sql(f"{_typed(source, columns, TRANSACTIONS)} ORDER BY order_id, type, transaction_id")
            batches = (batch.cast(TRANSACTIONS) for batch in rows.to_arrow_reader(ROW_GROUP_ROWS))
            return write_sorted_transactions(batches, destination)
    except (duckdb.Error, pa.ArrowInvalid, UnicodeDecodeError, NotCsv) as error:
        problem = first_line(error).removeprefix("Invalid Input Error: ")
        raise PaymentFileError(f"cannot be read as transactions: {problem}", path=source, hint=_WRITE_IT) from error


def _is_canonical(source: Path) -> bool:
    """Return whether `source` is as a pull writes it: the columns of PAYMENTS, ids strictly ascending."""
    with pq.ParquetFile(source) as file:
        if not file.schema_arrow.equals(PAYMENTS):
            return False
        last = ""
        for batch in file.iter_batches(columns=["payment_id"]):
            ids = batch.column(0)
            if len(ids) and (ids[0].as_py() <= last or not pc.all(pc.less(ids[:-1], ids[1:])).as_py()):
                return False
            last = ids[-1].as_py() if len(ids) else last
    return True


def _columns(connection: duckdb.DuckDBPyConnection, source: Path) -> list[str]:
    return connection.sql(f"SELECT * FROM {_scan(source)} LIMIT 0").columns


def _is_csv(source: Path) -> bool:
    return source.suffix.lower() == ".csv"


def _scan(source: Path) -> str:
    if not _is_csv(source):
        return scan(source)
    with source.open(encoding="utf-8-sig", newline="\n") as lines:
        header = next(csv_rows(lines), CsvRow(1, ()))
    if not header.cells:
        raise PaymentFileError("is empty", path=source, hint=_WRITE_IT)
    return scan_csv(source, header.cells)


def _typed(source: Path, found: list[str], table: pa.Schema = PAYMENTS) -> str:
    guarded = _is_csv(source) and may_be_guarded(source)
    columns = [_column(field, field.name in found, guarded=guarded) for field in table]
    return f"SELECT {', '.join(columns)} FROM {_scan(source)}"


def _column(field: pa.Field[Any], there: bool, *, guarded: bool) -> str:
    name, text = field.name, f"{field.name}::TEXT"
    if not there:
        return f"NULL::{_TYPES[field.type]} AS {name}"
    if field.type == pa.int64():
        # A cast alone would round: "12.5" is 13 to DuckDB.
        refuse = (
            f"error('{name} holds ' || {text} || ', not plain digits: amounts are whole minor units, never floats')"
        )
        return f"""CASE WHEN {name} IS NULL THEN NULL
            WHEN regexp_full_match({text}, '[+-]?[0-9]+') THEN {text}::BIGINT ELSE {refuse} END AS {name}"""
    if guarded and field.type == pa.string():
        return f"{unguarded_sql(name)} AS {name}"
    return f"{name}::{_TYPES[field.type]} AS {name}"


def _check_columns(source: Path, found: list[str]) -> None:
    missing = [name for name in _REQUIRED if name not in found]
    if not missing and not set(ORDER_TOTALS) & set(found):
        missing = [ORDER_TOTALS[0]]
    if missing:
        more = f" and {len(missing) - 1} more of the table of payments" if missing[1:] else ""
        raise PaymentFileError(f"has no column {missing[0]}{more}", path=source, column=missing[0], hint=_WRITE_IT)


def _check_rows(connection: duckdb.DuckDBPyConnection, source: Path) -> None:
    empty = ", ".join(f"bool_or({column} IS NULL)" for column in _NEVER_EMPTY)
    (is_empty,) = connection.execute(f"SELECT {empty} FROM payments").fetchall()
    for column in (name for name, found in zip(_NEVER_EMPTY, is_empty, strict=True) if found):
        raise PaymentFileError(f"{column} is empty in a row", path=source, column=column, hint=_WRITE_IT)
    twice = connection.execute(
        "SELECT payment_id FROM payments GROUP BY payment_id HAVING count(*) > 1 ORDER BY payment_id LIMIT 1"
    ).fetchall()
    if twice:
        raise PaymentFileError(
            f"payment {twice[0][0]} occurs more than once",
            path=source,
            column="payment_id",
            hint="each payment must occur once: combine the exports without overlap, or pull again",
        )
