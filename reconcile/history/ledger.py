"""
Breaks across runs: what each is called, and when it was first seen.

The ledger is derived: everything in it comes from the published run folders, and `follow` brings it in line with
them whatever happened in between (a crash after publishing, a date run again, a date run late). It knows ids and dates,
and nothing of matching, of what makes two breaks one, or of folders' names.
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
from reconcile.files.duckdb import CONFIG
from reconcile.history.identity import HISTORY
from reconcile.history.published import breaks_in

LEDGER_NAME = "ledger.duckdb"

# An episode is one unbroken stretch of runs in which there was a break. It is open while `cleared_on` is null: a night
# only adds what is new and closes what is gone, however many breaks stay open. `names` has the items that are another
# break than the one that is called like them, from a date on; `merged` the breaks that are older than their first
# episode, because an older one was cleared into them.
_TABLES = """
    CREATE TABLE IF NOT EXISTS runs (business_date DATE PRIMARY KEY, run_id TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS episodes (break_id TEXT NOT NULL, opened_on DATE NOT NULL, cleared_on DATE);
    CREATE TABLE IF NOT EXISTS names (item_id TEXT NOT NULL, break_id TEXT NOT NULL, named_on DATE NOT NULL);
    CREATE TABLE IF NOT EXISTS merged (break_id TEXT NOT NULL, first_seen_on DATE NOT NULL, merged_on DATE NOT NULL);
"""

# Of each break, by the runs before $date.
_FIRST_SEEN = """
    SELECT break_id, min(first_seen_on) AS first_seen_on FROM (
        SELECT break_id, opened_on AS first_seen_on FROM episodes WHERE opened_on < $date
        UNION ALL SELECT break_id, first_seen_on FROM merged WHERE merged_on < $date
    ) GROUP BY break_id
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
        table = connection.sql(
            f"""
            WITH first_seen AS ({_FIRST_SEEN}), named AS (
                SELECT break_id AS item_id, break_id, min(opened_on) AS named_on
                FROM episodes WHERE opened_on < $date GROUP BY break_id
                UNION ALL SELECT item_id, break_id, named_on FROM names WHERE named_on < $date
            ), last_named AS (SELECT item_id, arg_max(break_id, named_on) AS break_id FROM named GROUP BY item_id)
            SELECT item_id, break_id, first_seen_on FROM last_named JOIN first_seen USING (break_id)
            """,
            params={"date": business_date},
        ).to_arrow_table()
    history = pa.table({name: table[name] for name in HISTORY.names}).cast(HISTORY)
    return [run for run in named if run.business_date < business_date], history


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
    connection.register("tonight", breaks_in(run.breaks, ("item_id", "break_id", "first_seen_on")))
    for statement in (_CLEARED, _OPENED, _NAMED, _MERGED):
        connection.execute(statement, {"date": run.business_date})
    connection.unregister("tonight")
    connection.execute("INSERT INTO runs VALUES (?, ?)", [run.business_date, run.run_id])


_CLEARED = """
    UPDATE episodes SET cleared_on = $date
    WHERE cleared_on IS NULL AND break_id NOT IN (SELECT break_id FROM tonight)
"""
_OPENED = """
    INSERT INTO episodes SELECT DISTINCT break_id, $date, NULL FROM tonight
    WHERE break_id NOT IN (SELECT break_id FROM episodes WHERE cleared_on IS NULL)
"""
_NAMED = """
    INSERT INTO names SELECT DISTINCT item_id, tonight.break_id, $date
    FROM tonight LEFT JOIN (
        SELECT item_id, arg_max(break_id, named_on) AS break_id FROM names GROUP BY item_id
    ) AS so_far USING (item_id)
    WHERE tonight.break_id <> coalesce(so_far.break_id, item_id)
"""
# A run says since when its breaks are there; that is believed where one of that day was cleared in it.
_MERGED = f"""
    INSERT INTO merged
    WITH first_seen AS ({_FIRST_SEEN}), gone AS (
        SELECT DISTINCT first_seen_on FROM first_seen
        WHERE break_id IN (SELECT break_id FROM episodes WHERE cleared_on = $date)
    )
    SELECT DISTINCT break_id, tonight.first_seen_on, $date
    FROM tonight JOIN first_seen USING (break_id) JOIN gone ON gone.first_seen_on = tonight.first_seen_on
    WHERE tonight.first_seen_on < first_seen.first_seen_on
"""


def _forget_from(connection: duckdb.DuckDBPyConnection, business_date: date) -> None:
    for statement in (
        "DELETE FROM runs WHERE business_date >= $date",
        "DELETE FROM episodes WHERE opened_on >= $date",
        "UPDATE episodes SET cleared_on = NULL WHERE cleared_on >= $date",
        "DELETE FROM names WHERE named_on >= $date",
        "DELETE FROM merged WHERE merged_on >= $date",
    ):
        connection.execute(statement, {"date": business_date})


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
                _prepare(connection)
                yield connection
            except duckdb.Error as error:
                raise OutputError(
                    f"{ledger}: cannot be read or written: {first_line(error)}",
                    hint="free some space there, or remove it: it is built again from the run folders beside it",
                ) from error


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    columns = connection.execute("SELECT column_name FROM duckdb_columns() WHERE table_name = 'episodes'").fetchall()
    if ("item_id",) in columns:  # made by a version to which each item was a break of its own
        connection.execute("ALTER TABLE episodes RENAME COLUMN item_id TO break_id")
    connection.execute(_TABLES)
