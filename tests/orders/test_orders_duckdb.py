"""A query on a DuckDB file: exact types are read, floats are refused, and only this file can be read."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.databases.url import orders_query


@pytest.fixture
def ask(read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(duckdb.connect("books.duckdb")) as connection:
        connection.execute("CREATE TYPE currency AS ENUM ('EUR', 'SEK')")
        connection.execute("CREATE SEQUENCE counter")
        connection.execute("CREATE TABLE orders (reference VARCHAR, total DECIMAL(18, 4), currency currency)")
        connection.execute("INSERT INTO orders VALUES ('007', 12.3, 'EUR'), ('R2', -5, 'SEK')")

    def ask_it(sql: str, **declared: Any) -> Any:
        return read.paths(orders_query(sql, "duckdb:books.duckdb"), **declared)

    return ask_it


def refused(ask: Any, sql: str, **declared: Any) -> OrderFileError:
    with pytest.raises(OrderFileError) as caught:
        ask(sql, **declared)
    return caught.value


def test_rows_come_with_their_number_and_the_name_of_the_database(ask: Any) -> None:
    outcome = ask("FROM orders ORDER BY reference; -- all of them")

    assert outcome.columns("reference", "amount_cents", "currency_code", "source_file", "source_line") == [
        ("007", 1230, "EUR", "duckdb:books.duckdb", 1),
        ("R2", -500, "SEK", "duckdb:books.duckdb", 2),
    ]


@pytest.mark.parametrize(
    ("total", "cents"),
    [
        ("12.3", 1230),
        ("12.300::DECIMAL(18, 3)", 1230),
        ("1.000::DECIMAL(18, 3)", 100),
        ("(SELECT sum(7::BIGINT))", 700),
        ("7::UTINYINT", 700),
        ("'7.50'", 750),
        ("12.345", None),
        ("NULL", None),
        ("'NaN'", None),
    ],
)
def test_an_amount_is_exact_or_rejected(ask: Any, total: str, cents: int | None) -> None:
    outcome = ask(f"SELECT 'R' AS reference, {total} AS total", currency="EUR")

    assert outcome.columns("amount_cents") == ([(cents,)] if cents is not None else [])
    assert len(outcome.rejects) == (cents is None)


@pytest.mark.parametrize(
    ("column", "problem", "hint"),
    [
        (
            "1.5::DOUBLE AS total",
            "is a float (DOUBLE): its digits are no longer exact",
            "total AS DECIMAL(18, 2)",
        ),
        ("1.5::FLOAT AS total", "is a float (FLOAT): its digits are no longer exact", "total AS DECIMAL(18, 2)"),
        ("1::UHUGEINT AS total", "is UHUGEINT, which is not valid as amount", "total AS DECIMAL(18, 2)"),
        ("1::BIGNUM AS total", "is BIGNUM, which is not valid as amount", "total AS DECIMAL(18, 2)"),
        ("true AS total", "is BOOLEAN, which is not valid as amount", "total AS DECIMAL(18, 2)"),
        (
            "1 AS total, 1.5 AS order_number",
            "is DECIMAL(2,1), which is not valid as order number",
            "order_number AS VARCHAR",
        ),
        ("1 AS total, TIME '12:00' AS ordered_on", "is TIME, which is not valid as ordered on", "ordered_on AS DATE"),
    ],
)
def test_types_that_have_lost_digits_are_refused_with_the_cast_to_write(
    ask: Any, column: str, problem: str, hint: str
) -> None:
    error = refused(ask, f"SELECT 'R' AS reference, {column}", currency="EUR")

    assert problem in error.message
    assert (error.hint or "").startswith(f"write CAST({hint}) in the query, or name another column with --")


def test_identifiers_and_times_become_text(ask: Any) -> None:
    outcome = ask(
        """SELECT UUID '0AE12F96-0000-0000-0000-00000000000A' AS reference, 1 AS total,
                  TIMESTAMPTZ '2026-03-29 00:30:00+02' AS ordered_on""",
        currency="EUR",
    )

    assert outcome.columns("reference", "ordered_on") == [
        ("0ae12f96-0000-0000-0000-00000000000a", date(2026, 3, 28)),
    ]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1; SELECT 2", "there are several statements"),
        ("DELETE FROM orders", "the query does more than read"),
        ("COPY orders TO 'orders.csv'", "the query does more than read"),
        ("ATTACH 'more.duckdb'", "the query does more than read"),
        ("SET memory_limit = '100GB'", "the query does more than read"),
        ("EXPORT DATABASE 'everything'", "the query does more than read"),
        ("SELECT nextval('counter') AS reference, 1 AS total", "DuckDB refuses: Invalid Input Error: "),
        ("FROM 'orders.csv'", "DuckDB refuses: Permission Error: "),
        ("FROM read_text('/etc/passwd')", "DuckDB refuses: Permission Error: "),
        ("FROM nowhere", "DuckDB refuses: Catalog Error: Table with name nowhere does not exist!"),
        ("SELEC 1", "DuckDB refuses: Parser Error: "),
        ("SELECT 'x'::INTEGER AS reference, 1 AS total", "DuckDB refuses: Conversion Error: "),
    ],
)
def test_only_one_query_on_this_file_is_asked(ask: Any, tmp_path: Path, sql: str, message: str) -> None:
    assert refused(ask, sql, currency="EUR").message.startswith(f"duckdb:books.duckdb: {message}")

    assert [path.name for path in tmp_path.iterdir()] == ["books.duckdb"]


def test_a_refused_query_leaves_the_file_free(ask: Any, tmp_path: Path) -> None:
    error = refused(ask, "SELECT 'R' AS reference, 1.5::DOUBLE AS total FROM range(1000000)", currency="EUR")

    with contextlib.closing(duckdb.connect("books.duckdb")) as connection:
        connection.execute("DROP TABLE orders")
    assert error.column == "total"


def test_a_file_that_is_in_use_or_none_of_duckdbs_is_refused(ask: Any, read: Any, tmp_path: Path) -> None:
    (tmp_path / "orders.db").write_text("reference,total\n" * 1000)

    with contextlib.closing(duckdb.connect("books.duckdb")):
        in_use = refused(ask, "FROM orders")
    with pytest.raises(OrderFileError) as caught:
        read.paths(orders_query("FROM orders", "duckdb:orders.db"))
    with pytest.raises(OrderFileError, match=r"duckdb:none\.duckdb: there is no such file"):
        read.paths(orders_query("FROM orders", "duckdb:none.duckdb"))

    assert in_use.hint == "close the connection that this process has to the file, and start again"
    assert caught.value.hint == "name a file of DuckDB, or sqlite:FILE for one of SQLite"


def test_many_rows_come_in_their_order(ask: Any) -> None:
    outcome = ask("SELECT 'R' || i AS reference, i AS total FROM range(1, 70001) r (i) ORDER BY i", currency="EUR")

    assert [(row["reference"], row["source_line"]) for row in outcome.rows] == [(f"R{i}", i) for i in range(1, 70001)]
