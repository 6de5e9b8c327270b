"""A query on SQLite: every cell has its own type, a REAL is taken for its decimal, and nothing can be written."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.databases.url import orders_query


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sqlite3.Connection:
    monkeypatch.chdir(tmp_path)
    return made("books.db")


def made(name: str) -> sqlite3.Connection:
    with contextlib.closing(sqlite3.connect(name)) as connection:
        connection.execute("CREATE TABLE orders (reference TEXT, total, currency TEXT, placed_at TEXT)")
        connection.execute("INSERT INTO orders VALUES ('007', '12.30', 'EUR', '2026-03-29'), ('R2', -5, 'SEK', NULL)")
        connection.commit()
    return sqlite3.connect(name)


@pytest.fixture
def ask(read: Any, books: sqlite3.Connection) -> Any:
    def ask_it(sql: str, **declared: Any) -> Any:
        return read.paths(orders_query(sql, "sqlite:books.db"), **declared)

    with contextlib.closing(books):
        yield ask_it


def refused(ask: Any, sql: str, **declared: Any) -> OrderFileError:
    with pytest.raises(OrderFileError) as caught:
        ask(sql, **declared)
    return caught.value


def test_rows_come_with_their_number_and_the_name_of_the_database(ask: Any) -> None:
    outcome = ask("SELECT * FROM orders ORDER BY reference")

    assert outcome.columns("reference", "amount_cents", "currency_code", "source_file", "source_line") == [
        ("007", 1230, "EUR", "sqlite:books.db", 1),
        ("R2", -500, "SEK", "sqlite:books.db", 2),
    ]


@pytest.mark.parametrize(
    ("total", "cents"),
    [
        ("12.3", 1230),
        ("0.1 + 0.2", 30),
        ("-19.99", -1999),
        ("1e3", 100000),
        ("7", 700),
        ("'7,5'", None),
        ("12.345", None),
        ("1e15 / 7", None),
        ("9e18", None),
        ("12345678901234567890", None),
        ("1e999", None),
        ("x'31'", None),
        ("NULL", None),
    ],
)
def test_an_amount_is_exact_or_rejected(ask: Any, total: str, cents: int | None) -> None:
    outcome = ask(f"SELECT 'R' AS reference, {total} AS total", currency="EUR")

    assert outcome.columns("amount_cents") == ([(cents,)] if cents is not None else [])
    assert len(outcome.rejects) == (cents is None)


def test_numbers_do_not_follow_the_separators_declared_for_texts(ask: Any) -> None:
    outcome = ask(
        "SELECT 'a' AS reference, 1.5 AS total UNION ALL SELECT 'b', '1.500,25'",
        currency="EUR",
        decimal=",",
        thousands=".",
    )

    assert outcome.columns("amount_cents") == [(150,), (150025,)]


def test_a_floating_key_is_rejected_and_the_other_rows_stay(ask: Any) -> None:
    outcome = ask("SELECT 1001.0 AS reference, 1 AS total UNION ALL SELECT 1002, 2", currency="EUR")

    assert outcome.columns("reference", "source_line") == [("1002", 2)]
    assert outcome.reasons == [("1", "reference", "1001.0", "is a REAL, whose digits are no longer exact")]
    assert outcome.rejects[0]["remedy"] == "cast it to TEXT or INTEGER in the query"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1; SELECT 2", "there are several statements"),
        ("CREATE TEMP TABLE more (reference)", "the query has no result"),
        ("DELETE FROM orders", "the query does more than read"),
        ("DELETE FROM orders RETURNING reference, total", "the query does more than read"),
        ("CREATE TABLE more (reference)", "the query does more than read"),
        ("DROP TABLE orders", "the query does more than read"),
        ("ATTACH 'more.db' AS more", "the query does more than read"),
        ("PRAGMA journal_mode = WAL", "the query does more than read"),
        ("BEGIN IMMEDIATE", "the query does more than read"),
        ("SELECT load_extension('x')", "the query does more than read"),
        ("VACUUM INTO 'more.db'", "the query does more than read"),
        ("SELECT reference, total FROM nowhere", "SQLite refuses: no such table: nowhere"),
        ("SELEC 1", 'SQLite refuses: near "SELEC": syntax error'),
    ],
)
def test_only_one_query_that_reads_is_asked(
    ask: Any, books: sqlite3.Connection, tmp_path: Path, sql: str, message: str
) -> None:
    assert refused(ask, sql).message == f"sqlite:books.db: {message}"

    assert books.execute("SELECT count(*) FROM orders").fetchall() == [(2,)]
    assert [path.name for path in tmp_path.iterdir()] == ["books.db"]


def test_columns_are_found_and_named_as_in_files(ask: Any) -> None:
    outcome = ask(
        "SELECT reference AS ref, total AS Gross, 'x' AS OrderId FROM orders", amount_column="gross", currency="EUR"
    )

    assert outcome.columns("reference", "order_id", "amount_cents") == [("007", "x", 1230), ("R2", "x", -500)]
    assert 'there is no amount column among "a", "reference"' in refused(ask, "SELECT 1 AS a, 2 AS reference").message


def test_a_file_that_is_no_database_is_refused(ask: Any, tmp_path: Path, read: Any) -> None:
    (tmp_path / "orders.csv").write_text("reference,total\n" * 100)

    with pytest.raises(OrderFileError) as caught:
        read.paths(orders_query("SELECT * FROM orders", "sqlite:orders.csv"))
    assert caught.value.explained() == (
        "sqlite:orders.csv: SQLite refuses: file is not a database\n"
        "hint: name a file of SQLite, or duckdb:FILE for one of DuckDB"
    )


def test_a_file_that_is_not_there_is_refused_and_not_made(ask: Any, tmp_path: Path, read: Any) -> None:
    with pytest.raises(OrderFileError, match=r"sqlite:none\.db: there is no such file"):
        read.paths(orders_query("SELECT 1", "sqlite:none.db"))

    assert not (tmp_path / "none.db").exists()


def test_a_text_that_is_not_utf_8_is_refused(ask: Any) -> None:
    error = refused(ask, "SELECT CAST(x'63e9' AS TEXT) AS reference, 1 AS total", currency="EUR")

    assert "SQLite refuses: Could not decode to UTF-8 column 'reference'" in error.message


def test_a_journal_in_write_ahead_mode_is_read_too(ask: Any, books: sqlite3.Connection) -> None:
    books.execute("PRAGMA journal_mode = WAL")
    books.execute("INSERT INTO orders VALUES ('R3', '1', 'EUR', NULL)")
    books.commit()

    assert len(ask("SELECT * FROM orders").rows) == 3


def test_a_full_text_table_is_read_too(ask: Any, books: sqlite3.Connection) -> None:
    books.executescript("CREATE VIRTUAL TABLE found USING fts5(reference, total); INSERT INTO found VALUES ('R9', '1')")

    assert ask("SELECT * FROM found WHERE found MATCH 'R9'", currency="EUR").columns("reference") == [("R9",)]


def test_many_rows_come_in_their_order(ask: Any) -> None:
    outcome = ask(
        """WITH RECURSIVE s (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 35000)
           SELECT 'R' || i AS reference, i AS total FROM s ORDER BY i""",
        currency="EUR",
    )

    assert [(row["reference"], row["source_line"]) for row in outcome.rows] == [(f"R{i}", i) for i in range(1, 35001)]
