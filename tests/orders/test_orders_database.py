"""A query's result as an order file: its digest, its report, its interruption, with whatever stands before it."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from signals import ctrl_c

import reconcile
from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.databases import query as database
from reconcile.orders.databases.url import OrdersQuery, orders_query
from reconcile.orders.opened import RawRows
from reconcile.orders.read import read_orders, read_orders_to_parquet

ROWS = [("007", "12.30", "EUR"), ("R2", "-5", "SEK"), (None, "1", "EUR")]
ALL = "SELECT * FROM orders ORDER BY total"


@pytest.fixture(autouse=True)
def _books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(sqlite3.connect("books.db")) as connection:
        connection.execute("CREATE TABLE orders (reference, total, currency)")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", ROWS)
        connection.commit()


def query(sql: str = ALL) -> OrdersQuery:
    found = orders_query(sql, "sqlite:books.db")
    assert found is not None
    return found


def told(read: Any, sql: str) -> dict[str, Any]:
    (file,) = read.paths(query(sql)).report.as_dict()["files"]
    return dict(file)


def test_the_report_tells_the_query_and_the_cells_that_came(read: Any) -> None:
    file = told(read, ALL)

    assert file.pop("sha256") == told(read, f"{ALL};")["sha256"]
    assert file == {
        "path": "sqlite:books.db",
        "format": "sqlite",
        "compression": None,
        "bytes": len("007R212.30-51EURSEKEUR"),
        "rows": 3,
        "rejects": 0,
        "encoding": None,
        "delimiter": None,
        "quote": None,
        "columns": {"reference": "reference", "amount": "total", "currency": "currency"},
        "unread": (),
        "sheet": None,
        "other_sheets": (),
        "floats": (),
        "untold": (),
        "continuation_rows": 0,
        "left_out": 0,
        "query_sha256": query().sha256,
        "ordered": True,
        "system": None,
        "taken": {},
    }


@pytest.mark.parametrize(
    "other",
    [
        "SELECT * FROM orders ORDER BY total DESC",
        "SELECT * FROM orders ORDER BY total LIMIT 2",
        "SELECT coalesce(reference, '') AS reference, total, currency FROM orders ORDER BY 2",
        "SELECT reference || '1' AS reference, substr(total, 2) AS total, currency FROM orders ORDER BY 2",
        "SELECT reference, replace(total, '12.30', '12.3') AS total, currency FROM orders ORDER BY 2",
    ],
)
def test_other_cells_have_another_digest(read: Any, other: str) -> None:
    assert told(read, other)["sha256"] != told(read, ALL)["sha256"]


def test_the_digest_does_not_depend_on_how_rows_are_batched(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = told(read, ALL)["sha256"]
    monkeypatch.setattr("reconcile.orders.databases.sqlite_query._BATCH_ROWS", 2)

    assert told(read, ALL)["sha256"] == whole


def test_files_come_first_and_the_rows_of_the_query_after_them(read: Any) -> None:
    Path("shop.csv").write_text("reference,total,currency\nS1,1.00,EUR\n")

    outcome = read.paths([query(), Path("shop.csv")])

    assert outcome.columns("reference", "source_file") == [
        ("S1", "shop.csv"),
        ("R2", "sqlite:books.db"),
        (None, "sqlite:books.db"),
        ("007", "sqlite:books.db"),
    ]


def test_a_notebook_asks_with_two_words() -> None:
    frame = reconcile.read_orders(sql=ALL, database="sqlite:books.db")
    both = reconcile.read_orders([], sql=ALL, database="sqlite:books.db", max_rejects=1)

    assert frame["amount_cents"].to_list() == [-500, 100, 1230]
    assert both.equals(frame)
    with pytest.raises(SettingsError, match="--orders-sql is given without --orders-db"):
        reconcile.read_orders(sql=ALL)


def test_rejects_are_told_with_the_database_and_the_row(read: Any) -> None:
    outcome = read.paths(query("SELECT reference, total || '5' AS total, currency FROM orders ORDER BY 2"))

    assert [(row["source_file"], row["source_line"], row["value"]) for row in outcome.rejects] == [
        ("sqlite:books.db", "2", "12.305"),
    ]


class Endless:
    """A connection whose query never ends by itself; the user interrupts it at a chosen step."""

    def __init__(self, interrupted_at: str) -> None:
        self.interrupted_at = interrupted_at
        self.cancelled = threading.Event()
        self.closed = False

    def _wait(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert self.cancelled.wait(300)
        raise OrderFileError("canceled", path="endless")

    def execute(self) -> list[str]:
        if self.interrupted_at == "execute":
            self._wait()
        return ["reference", "total", "currency"]

    def rows(self, columns: ColumnMap) -> Iterator[RawRows]:
        for line in range(1, 100):
            if self.interrupted_at == f"row {line}":
                self._wait()
            cells = {role: pa.array(["1" if role == "amount" else "EUR"]) for role in columns.positions}
            yield RawRows(pa.array([line], pa.int64()), cells)

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("step", ["execute", "row 1", "row 50"])
def test_who_interrupts_the_waiting_ends_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    endless = Endless(step)
    monkeypatch.setattr(database, "_connector", lambda _: lambda _: endless)

    with ctrl_c(heeded=True), pytest.raises(KeyboardInterrupt):
        read_orders_to_parquet(query(), tmp_path / "orders.parquet", rejects=tmp_path / "rejects.csv")

    assert endless.closed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["books.db"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("orders")]


def test_a_query_that_is_not_interrupted_is_not_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Endless("never")
    monkeypatch.setattr(database, "_connector", lambda _: lambda _: endless)

    assert len(read_orders(query())) == 99
    assert endless.closed
    assert not endless.cancelled.is_set()


@pytest.mark.parametrize("engine", ["duckdb", "postgresql", "sqlite"])
def test_every_engine_ends_a_query_that_is_cancelled(engine: str, request: pytest.FixtureRequest) -> None:
    urls = {"duckdb": "duckdb:books.duckdb", "sqlite": "sqlite:books.db"}
    endless = {
        "duckdb": "SELECT count(*) AS reference FROM range(1000000000) a, range(1000000000) b",
        "postgresql": "SELECT 'R' AS reference, pg_sleep(600)",
        "sqlite": "WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i FROM s) SELECT sum(i) AS reference FROM s",
    }
    if engine == "duckdb":
        pytest.importorskip("duckdb").connect("books.duckdb").close()
    url = urls.get(engine) or request.getfixturevalue("postgres")
    asked = orders_query(endless[engine], url)
    assert asked is not None
    connection = database._connector(engine)(asked)
    ended = threading.Event()

    def cancel_until_it_ends() -> None:
        while not ended.wait(0.05):  # before the query has begun there is nothing to cancel
            connection.cancel()

    canceller = threading.Thread(target=cancel_until_it_ends)
    canceller.start()
    with pytest.raises(OrderFileError, match=r"(?i)interrupt|cancel"):
        connection.execute()
        list(connection.rows(ColumnMap(("reference",), {"reference": 0, "amount": 0})))
    ended.set()
    canceller.join()
    connection.close()
