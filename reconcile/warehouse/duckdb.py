"""
A DuckDB file as warehouse: one transaction per load.

Knows DuckDB's types, and how its own tables are recognised. Readers see the former rows of a business date or the
new ones; a load that ends early, however it ends, has not happened.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.errors import WarehouseError, first_line
from reconcile.files.duckdb import CONFIG, SQL_TYPES, text_literal
from reconcile.warehouse.place import local_path, without_secrets
from reconcile.warehouse.tables import (
    RUNS,
    RUNS_DESCRIPTION,
    RUNS_NAME,
    TABLES,
    LoadReceipt,
    WarehouseTable,
    meaning_of,
    totals,
)
from reconcile.warehouse.verified_run import VerifiedRun

MEMORY_LIMIT = "1GB"
"""Beyond it a load spills into `FILE.tmp`, beside the database."""


def load(run: VerifiedRun, url: str, *, loaded_at: datetime) -> LoadReceipt:
    """
    Replace the rows of the run's business date in the DuckDB file of `url`; create what is not there yet.

    Raises WarehouseError when the file cannot be used, when a table is not ours, or when what arrived is not what
    was sent; the file is then as it was.
    """
    path = local_path(url)
    rows: dict[str, int] = {}
    replaced: dict[str, int] = {}
    with _errors_told(path), _opened(path) as connection:
        connection.execute("BEGIN TRANSACTION")
        for table in TABLES:
            _ensure(connection, path, table.name, table.schema, table.description)
            replaced[table.name] = _delete(connection, table.name, run.business_date)
            rows[table.name] = _insert(connection, path, run, table)
        _ensure(connection, path, RUNS_NAME, RUNS, RUNS_DESCRIPTION)
        _delete(connection, RUNS_NAME, run.business_date)
        row = run.as_row(loaded_at)
        connection.execute(f"INSERT INTO {RUNS_NAME} BY NAME SELECT {_named_parameters(row)}", list(row.values()))
        run.check_unchanged()
        connection.execute("COMMIT")
    return LoadReceipt(without_secrets(url), run.business_date, run.run_id, rows, replaced)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not path.parent.is_dir():
        raise WarehouseError(f"{path}: its folder does not exist", hint=f"create {path.parent}, or name another file")
    if not path.exists():
        _create(path)
    config = CONFIG | {"memory_limit": MEMORY_LIMIT}
    with contextlib.closing(duckdb.connect(str(path), config=config)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _create(path: Path) -> None:
    """Make an empty database appear at once: a part of one, left by a full disk, could never be opened again."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        empty = Path(folder) / path.name
        duckdb.connect(str(empty)).close()
        # Another load was faster, or there are no hard links here: then DuckDB makes the file as it is opened.
        with contextlib.suppress(OSError):
            path.hardlink_to(empty)


def _ensure(connection: duckdb.DuckDBPyConnection, path: Path, name: str, schema: pa.Schema, description: str) -> None:
    found = dict(
        connection.execute(
            """SELECT column_name, data_type FROM information_schema.columns
               WHERE table_catalog = current_database() AND table_schema = 'main' AND table_name = ?""",
            [name],
        ).fetchall()
    )
    expected = {field.name: SQL_TYPES[field.type] for field in schema}
    if not found:
        connection.execute(_create_statement(name, schema))
        connection.execute(f"COMMENT ON TABLE {name} IS {text_literal(description)}")
        for field in schema:
            connection.execute(f'COMMENT ON COLUMN {name}."{field.name}" IS {text_literal(meaning_of(field))}')
    elif found != expected:
        raise WarehouseError(
            f"{path}: table `{name}` is not as this version writes it: {_differences(found, expected)}",
            hint="rename that table or name another file, and load again; every run folder can be loaded again",
        )


def _create_statement(name: str, schema: pa.Schema) -> str:
    columns = (
        f'"{field.name}" {SQL_TYPES[field.type]}'
        + ("" if field.nullable and field.name != "business_date" else " NOT NULL")
        for field in schema
    )
    return f"CREATE TABLE {name} ({', '.join(columns)})"


def _differences(found: dict[str, str], expected: dict[str, str]) -> str:
    lacks = [f"`{name}` is missing" for name in expected if name not in found]
    others = [f"`{name}` is unknown" for name in found if name not in expected]
    types = [
        f"`{name}` is {found[name]}, not {type_}"
        for name, type_ in expected.items()
        if name in found and found[name] != type_
    ]
    return ", ".join([*types, *lacks, *others])


def _delete(connection: duckdb.DuckDBPyConnection, name: str, business_date: date) -> int:
    deleted = connection.execute(f"DELETE FROM {name} WHERE business_date = ?", [business_date]).fetchall()
    return int(deleted[0][0])


def _insert(connection: duckdb.DuckDBPyConnection, path: Path, run: VerifiedRun, table: WarehouseTable) -> int:
    connection.execute(f"INSERT INTO {table.name} BY NAME {run.select(table, table.schema)}")
    of_the_date = f"(FROM {table.name} WHERE business_date = DATE '{run.business_date.isoformat()}')"
    sent = totals(connection, f"({run.select(table, table.source)})", table.source)
    arrived = totals(connection, of_the_date, table.source)
    _compare(path, table.name, sent, arrived)
    return int(arrived[0])


def _named_parameters(names: Iterable[str]) -> str:
    return ", ".join(f"? AS {name}" for name in names)


def _compare(path: Path, name: str, sent: Sequence[Any], arrived: Sequence[Any]) -> None:
    if tuple(sent) != tuple(arrived):
        raise WarehouseError(
            f"{path}: what arrived in `{name}` is not what was sent: {arrived[0]} rows of {sent[0]}, or other totals",
            hint="nothing was loaded; look for triggers, constraints or a damaged file, and load again",
        )


@contextlib.contextmanager
def _errors_told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WarehouseError(f"{path}: cannot be written: {error.strerror or error}", hint=_hint(str(error))) from error
    except duckdb.Error as error:
        reason = first_line(error)
        raise WarehouseError(f"{path}: DuckDB refuses the load: {reason}", hint=_hint(reason)) from error


def _hint(reason: str) -> str:
    remedies = {
        "lock": "close the program that has the file open, and load again",
        "different configuration": "close the connection that this process has to the file, and load again",
        "not a valid DuckDB database": "name another file: this one is something else",
        "o space left": "free some space on that disk, and load again",
        "ermission denied": "change the permissions of the file and its folder, or name another file",
    }
    found = (remedy for sign, remedy in remedies.items() if sign in reason)
    return next(found, "nothing was loaded; fix the cause, and load again")
