"""
Breaks across runs: when each was first seen, whether it was open the night before, what rolled forward.

The ledger is derived: everything in it comes from the published run folders, and `follow` brings it in line with
them whatever happened in between (a crash after publishing, a date run again, a date run late). It knows item
ids and dates, and nothing of matching or of folders' names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.disk import locked
from reconcile.errors import OutputError, ProofFailed, first_line
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
    """A published run as the ledger sees it: its date, its id and its `breaks.parquet`."""

    business_date: date
    run_id: str
    breaks: Path


def follow(ledger: Path, runs: Sequence[PublishedRun]) -> None:
    """
    Bring `ledger` in line with `runs`, all published runs of the folder, oldest first.

    The first date that differs, and all later ones, are forgotten and read again from their breaks.
    Raises OutputError when the ledger cannot be opened or written.
    """
    with _opened(ledger) as connection:
        known = connection.execute("SELECT business_date, run_id FROM runs ORDER BY business_date").fetchall()
        wanted = [(run.business_date, run.run_id) for run in runs]
        agree = next(
            (n for n, (have, want) in enumerate(zip(known, wanted, strict=False)) if have != want),
            min(len(known), len(wanted)),
        )
        if agree == len(known) == len(wanted):
            return
        connection.execute("BEGIN")
        if agree < len(known):
            _forget_from(connection, known[agree][0])
        if agree < len(wanted):
            _forget_from(connection, wanted[agree][0])
        for run in runs[agree:]:
            _record(connection, run)
        connection.execute("COMMIT")


def history(ledger: Path, business_date: date) -> pa.Table:
    """
    Return what is known of breaks before `business_date`, as HISTORY, in no order.

    Later runs in the ledger have no influence, so a date can be run again and gives the same answer.
    """
    if not ledger.exists():
        return HISTORY.empty_table()
    with _opened(ledger) as connection:
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
    return pa.table({name: table[name] for name in HISTORY.names}).cast(HISTORY)


def roll_forward(previous_breaks: Path | None, breaks: Path) -> list[dict[str, Any]]:
    """
    Return per currency: opening + new + reopened + changed − cleared = closing, in count and amount at stake.

    `previous_breaks` is the `breaks.parquet` of the latest earlier run, None when there is none. `changed` is
    what open breaks gained or lost since then, and counts those that came from or went to another currency. Amounts
    are minor units.

    Raises ProofFailed when the equation does not hold: a bug in reconcile.
    """
    with contextlib.closing(duckdb.connect()) as connection:
        for name, path in (("before", previous_breaks), ("after", breaks)):
            stake = f"{AT_STAKE_CURRENCY} AS currency_code, {AT_STAKE_CENTS} AS cents"
            source = f"SELECT item_id, state, {stake} FROM read_parquet($path)"
            empty = f"SELECT item_id, state, {stake} FROM read_parquet($path) LIMIT 0"
            connection.execute(
                f"CREATE TEMP TABLE {name} AS {source if path else empty}",
                {"path": str(path or breaks)},
            )
        rows = connection.execute(
            """
            WITH moves AS (
                SELECT currency_code, 'opening' AS move, 1 AS n, cents FROM before
                UNION ALL SELECT currency_code, state, 1, cents FROM after WHERE state <> 'open'
                UNION ALL SELECT b.currency_code, 'changed',
                    -(a.currency_code IS DISTINCT FROM b.currency_code)::INT, -b.cents
                    FROM before b JOIN after a USING (item_id)
                UNION ALL SELECT a.currency_code, 'changed',
                    (a.currency_code IS DISTINCT FROM b.currency_code)::INT, a.cents
                    FROM after a JOIN before b USING (item_id)
                UNION ALL SELECT currency_code, 'cleared', 1, cents FROM before ANTI JOIN after USING (item_id)
                UNION ALL SELECT currency_code, 'closing', 1, cents FROM after
            )
            SELECT currency_code, move, sum(n)::BIGINT, sum(cents) FROM moves GROUP BY ALL ORDER BY ALL
            """
        ).fetchall()
    currencies: dict[str | None, dict[str, Any]] = {}
    for currency_code, move, count, cents in rows:
        line = currencies.setdefault(currency_code, {"currency_code": currency_code})
        line[move] = {"count": count, "amount_cents": cents}
    moves = ("opening", "new", "reopened", "changed", "cleared", "closing")
    nothing = {"count": 0, "amount_cents": 0}
    lines = [
        {"currency_code": currency, **{move: line.get(move, dict(nothing)) for move in moves}}
        for currency, line in sorted(currencies.items(), key=lambda entry: (entry[0] is None, entry[0] or ""))
    ]
    for line in lines:
        for figure in ("count", "amount_cents"):
            opening, new, reopened, changed, cleared, closing = (line[move][figure] for move in moves)
            if opening + new + reopened + changed - cleared != closing:
                raise ProofFailed(f"roll-forward in {line['currency_code']}: {figure} does not add up: {line}")
    return lines


def _record(connection: duckdb.DuckDBPyConnection, run: PublishedRun) -> None:
    given = {"date": run.business_date, "run_id": run.run_id, "breaks": str(run.breaks)}
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE tonight AS SELECT DISTINCT item_id FROM read_parquet($breaks)",
        {"breaks": given["breaks"]},
    )
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
def _opened(ledger: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    # Runs of different dates may end at the same time; each holds the ledger for an instant.
    with locked(ledger.with_name(f".{ledger.name}.lock")):
        try:
            connection = duckdb.connect(str(ledger))
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
