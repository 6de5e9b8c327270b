"""
A DuckDB file as warehouse: one transaction per load.

Knows how its own tables are recognised, and taken over from an earlier version. Readers see the former rows of a run's
scope or the new ones; a load that ends early, however it ends, has not happened.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.errors import WarehouseError, first_line
from reconcile.files.duckdb import CONFIG, SQL_TYPES, text_literal
from reconcile.warehouse.place import local_path, shown_place
from reconcile.warehouse.tables import (
    OF_THE_RUN,
    PAYMENT_MODE,
    RUNS,
    RUNS_DESCRIPTION,
    RUNS_NAME,
    TABLES,
    UNKNOWN,
    UNNAMED,
    LoadReceipt,
    Scope,
    WarehouseTable,
    meaning_of,
    totals,
)
from reconcile.warehouse.verified_run import VerifiedRun

_MEMORY_LIMIT = "1GB"
"""Beyond it a load spills into `FILE.tmp`, beside the database."""


def load(run: VerifiedRun, url: str, *, loaded_at: datetime) -> LoadReceipt:
    """
    Replace the rows of the run's scope in the DuckDB file of `url`; create what is not there yet.

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
            replaced[table.name] = _delete(connection, table.name, run)
            rows[table.name] = _insert(connection, path, run, table)
        _ensure(connection, path, RUNS_NAME, RUNS, RUNS_DESCRIPTION)
        _delete(connection, RUNS_NAME, run)
        unclaimed = _unclaimed(connection, run.scope)
        row = run.as_row(loaded_at)
        connection.execute(f"INSERT INTO {RUNS_NAME} BY NAME SELECT {_named_parameters(row)}", list(row.values()))
        run.check_unchanged()
        connection.execute("COMMIT")
    return LoadReceipt(shown_place(url), run.scope, run.run_id, rows, replaced, unclaimed)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    if not path.parent.is_dir():
        raise WarehouseError(f"{path}: its folder does not exist", hint=f"create {path.parent}, or name another file")
    if not path.exists():
        _create(path)
    config = CONFIG | {"memory_limit": _MEMORY_LIMIT}
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
    """Create the table, or add what an earlier version's lacks. Raises WarehouseError when it is somebody else's."""
    found = dict(
        connection.execute(
            """SELECT column_name, data_type FROM information_schema.columns
               WHERE table_catalog = current_database() AND table_schema = 'main' AND table_name = ?""",
            [name],
        ).fetchall()
    )
    if not found:
        connection.execute(_create_statement(name, schema))
        connection.execute(f"COMMENT ON TABLE {name} IS {text_literal(description)}")
        _comment(connection, name, schema)
        return
    is_earlier = "organization" not in found
    if is_earlier and PAYMENT_MODE in schema.names and "mode" in found:
        found[PAYMENT_MODE] = found.pop("mode")
    if differences := _differences(found, schema):
        raise WarehouseError(
            f"{path}: table `{name}` is not as this version writes it: {differences}",
            hint="rename that table or name another file, and load again; every run folder can be loaded again",
        )
    if is_earlier and PAYMENT_MODE in found:
        connection.execute(f"ALTER TABLE {name} RENAME COLUMN mode TO {PAYMENT_MODE}")
    added = pa.schema([field for field in schema if field.name not in found])
    for field in added:
        of_earlier = text_literal(_OF_EARLIER_ROWS[field.name]) if field.name in _OF_EARLIER_ROWS else "NULL"
        connection.execute(f'ALTER TABLE {name} ADD COLUMN "{field.name}" {SQL_TYPES[field.type]} DEFAULT {of_earlier}')
        connection.execute(f'ALTER TABLE {name} ALTER "{field.name}" DROP DEFAULT')
    for column in OF_THE_RUN if is_earlier else ():
        connection.execute(f"ALTER TABLE {name} ALTER {column.name} SET NOT NULL")
    _comment(connection, name, added)


_OF_EARLIER_ROWS = {"organization": UNNAMED, "mode": UNKNOWN}
"""What stands in rows that were loaded before there were such columns: nobody knows whose they are."""


def _comment(connection: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> None:
    for field in schema:
        connection.execute(f'COMMENT ON COLUMN {name}."{field.name}" IS {text_literal(meaning_of(field))}')


def _create_statement(name: str, schema: pa.Schema) -> str:
    columns = (f'"{field.name}" {SQL_TYPES[field.type]}' + ("" if field.nullable else " NOT NULL") for field in schema)
    return f"CREATE TABLE {name} ({', '.join(columns)})"


def _differences(found: dict[str, str], schema: pa.Schema) -> str:
    """Return in words why a table with the columns `found` is none of ours; empty where it is, of whatever version."""
    expected = {field.name: SQL_TYPES[field.type] for field in schema}
    lacks = [
        f"`{field.name}` is missing"
        for field in schema
        if field.name not in found and not field.nullable and field.name not in _OF_EARLIER_ROWS
    ]
    others = [f"`{name}` is unknown" for name in found if name not in expected]
    types = [
        f"`{name}` is {found[name]}, not {type_}"
        for name, type_ in expected.items()
        if name in found and found[name] != type_
    ]
    return ", ".join([*types, *lacks, *others])


def _delete(connection: duckdb.DuckDBPyConnection, name: str, run: VerifiedRun) -> int:
    """Delete the rows of the run's scope, and those of runs of its folder that were loaded when less was known."""
    less_known = " OR ".join(map(_is_of, run.scope.less_known)) or "false"
    deleted = connection.execute(
        f"DELETE FROM {name} WHERE {_is_of(run.scope)} OR (({less_known}) AND list_contains(?, run_id))",
        [sorted(run.folder_runs)],
    ).fetchall()
    return int(deleted[0][0])


def _unclaimed(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[str, ...]:
    less_known = " OR ".join(map(_is_of, scope.less_known)) or "false"
    found = connection.execute(f"SELECT DISTINCT run_id FROM {RUNS_NAME} WHERE {less_known} ORDER BY ALL").fetchall()
    return tuple(run_id for (run_id,) in found)


def _is_of(scope: Scope) -> str:
    """Return SQL for whether a row is of `scope`."""
    return (
        f"(organization = {text_literal(scope.organization)} AND mode = {text_literal(scope.mode)} "
        f"AND business_date = DATE '{scope.business_date.isoformat()}')"
    )


def _insert(connection: duckdb.DuckDBPyConnection, path: Path, run: VerifiedRun, table: WarehouseTable) -> int:
    connection.execute(f"INSERT INTO {table.name} BY NAME {run.select(table, table.schema)}")
    sent = totals(connection, f"({run.select(table, table.own)})", table.own)
    arrived = totals(connection, f"(FROM {table.name} WHERE {_is_of(run.scope)})", table.own)
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
        "depend on it": "drop the indexes of that table, load, and create them again",
        "lock": "close the program that has the file open, and load again",
        "different configuration": "close the connection that this process has to the file, and load again",
        "not a valid DuckDB database": "name another file: this one is something else",
        "o space left": "free some space on that disk, and load again",
        "ermission denied": "change the permissions of the file and its folder, or name another file",
    }
    found = (remedy for sign, remedy in remedies.items() if sign in reason)
    return next(found, "nothing was loaded; fix the cause, and load again")
