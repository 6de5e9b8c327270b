"""
Breaks across runs: when each was first seen, and whether it was open the night before.

The ledger is derived: everything in it comes from the published run folders, and `follow` brings it in line with
them whatever happened in between (a crash after publishing, a date run again, a date run late). It knows item
ids and dates, and nothing of matching or of folders' names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from reconcile.errors import OutputError, first_line
from reconcile.files.disk import locked
from reconcile.files.duckdb import CONFIG, connected
from reconcile.files.parquet import scan
from reconcile.schema import AT_STAKE_CENTS, AT_STAKE_CURRENCY, HISTORY

NAME = "ledger.duckdb"

# An episode is one unbroken stretch of runs in which an item was a break. It is open while `cleared_on` is null:
# a night only adds what is new and closes what is gone, however many breaks stay open.
_TABLES = """
    CREATE TABLE IF NOT EXISTS runs (business_date DATE PRIMARY KEY, run_id TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS episodes (item_id TEXT NOT NULL, opened_on DATE NOT NULL, cleared_on DATE);
"""


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """
    A published run as the ledger sees it: its date, its id and its `breaks.parquet`.

    `problem` says why its manifest cannot be read; its id is then the one that the ledger has of it.
    """

    business_date: date
    run_id: str
    breaks: Path
    problem: str | None = None


UNREADABLE = "unreadable"
"""Id of a run whose manifest cannot be read, where the ledger does not know it either."""


def follow(ledger: Path, runs: Sequence[PublishedRun]) -> None:
    """
    Bring `ledger` in line with `runs`, all published runs of the folder, oldest first.

    The first date that differs, and all later ones, are forgotten and read again from their breaks.
    Raises OutputError when the ledger cannot be opened or written, or breaks that are needed cannot be read.
    """
    with _opened(ledger) as connection:
        _follow(connection, runs)


def history_before(
    ledger: Path, runs: Sequence[PublishedRun], business_date: date
) -> tuple[list[PublishedRun], pa.Table]:
    """
    Return the runs before `business_date` with their ids as the ledger has them, and what is known of breaks then.

    The second is a table of HISTORY, in no order: later runs have no influence, so that a date can be run again and
    gives the same answer. The ledger follows `runs` first, and nobody else can change it in between.
    Raises OutputError as `follow`.
    """
    if not runs and not ledger.exists():
        return [], HISTORY.empty_table()  # the first run of a folder: opening an empty ledger takes time
    with _opened(ledger) as connection:
        named = _follow(connection, runs)
        # `was_open`: an episode covers the latest run before the date.
        table = connection.sql(
            """
            WITH latest AS (SELECT max(business_date) AS ran_on FROM runs WHERE business_date < $date)
            SELECT item_id, min(opened_on) AS first_seen_on,
                   bool_or(opened_on <= ran_on AND (cleared_on IS NULL OR cleared_on > ran_on)) AS was_open
            FROM episodes, latest WHERE opened_on < $date GROUP BY item_id
            """,
            params={"date": business_date},
        ).to_arrow_table()
    history = pa.table({name: table[name] for name in HISTORY.names}).cast(HISTORY)
    return [run for run in named if run.business_date < business_date], history


def breaks_at_stake(breaks: Path) -> pa.Table:
    """
    Return `item_id`, `state`, `currency_code` and `cents` at stake of the breaks in a `breaks.parquet`.

    Raises OutputError when it cannot be read.
    """
    stake = f"{AT_STAKE_CURRENCY} AS currency_code, {AT_STAKE_CENTS} AS cents"
    with connected() as connection, _breaks_read(breaks):
        table: pa.Table = connection.sql(f"SELECT item_id, state, {stake} FROM {scan(breaks)}").to_arrow_table()
    return table


def _follow(connection: duckdb.DuckDBPyConnection, runs: Sequence[PublishedRun]) -> list[PublishedRun]:
    """Bring the ledger in line with `runs`; return them with the ids that it has of those that cannot be read."""
    known = connection.execute("SELECT business_date, run_id FROM runs ORDER BY business_date").fetchall()
    ids = dict(known)
    named = [
        run if run.problem is None else replace(run, run_id=ids.get(run.business_date, UNREADABLE)) for run in runs
    ]
    wanted = [(run.business_date, run.run_id) for run in named]
    agree = next(
        (n for n, (have, want) in enumerate(zip(known, wanted, strict=False)) if have != want),
        min(len(known), len(wanted)),
    )
    if agree == len(known) == len(wanted):
        return named
    connection.execute("BEGIN")
    if agree < len(known):
        _forget_from(connection, known[agree][0])
    if agree < len(wanted):
        _forget_from(connection, wanted[agree][0])
    for run in named[agree:]:
        _record(connection, run)
    connection.execute("COMMIT")
    return named


def _record(connection: duckdb.DuckDBPyConnection, run: PublishedRun) -> None:
    given = {"date": run.business_date, "run_id": run.run_id}
    with _breaks_read(run.breaks):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE tonight AS SELECT DISTINCT item_id FROM {scan(run.breaks)}")
    connection.execute(
        """UPDATE episodes SET cleared_on = $date
           WHERE cleared_on IS NULL AND item_id NOT IN (SELECT item_id FROM tonight)""",
        {"date": given["date"]},
    )
    connection.execute(
        """INSERT INTO episodes SELECT item_id, $date, NULL FROM tonight
           WHERE item_id NOT IN (SELECT item_id FROM episodes WHERE cleared_on IS NULL)""",
        {"date": given["date"]},
    )
    connection.execute("INSERT INTO runs VALUES ($date, $run_id)", {"date": given["date"], "run_id": given["run_id"]})


def _forget_from(connection: duckdb.DuckDBPyConnection, business_date: date) -> None:
    for statement in (
        "DELETE FROM runs WHERE business_date >= $date",
        "DELETE FROM episodes WHERE opened_on >= $date",
        "UPDATE episodes SET cleared_on = NULL WHERE cleared_on >= $date",
    ):
        connection.execute(statement, {"date": business_date})


@contextlib.contextmanager
def _breaks_read(breaks: Path) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise OutputError(
            f"{breaks}: cannot be read: {first_line(error)}",
            hint="it records since when breaks are open: restore it as it was published, or run its date again",
        ) from error


@contextlib.contextmanager
def _opened(ledger: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    # Runs of different dates may end at the same time; each holds the ledger for an instant.
    with locked(ledger.with_name(f".{ledger.name}.lock")):
        try:
            connection = duckdb.connect(str(ledger), config=CONFIG)
        except duckdb.Error as error:
            raise OutputError(
                f"{ledger}: cannot be opened: {first_line(error)}",
                hint="remove it: it is built again from the run folders beside it",
            ) from error
        with contextlib.closing(connection):
            try:
                connection.execute(_TABLES)
                yield connection
            except duckdb.Error as error:
                raise OutputError(
                    f"{ledger}: cannot be read or written: {first_line(error)}",
                    hint="free some space there, or remove it: it is built again from the run folders beside it",
                ) from error
