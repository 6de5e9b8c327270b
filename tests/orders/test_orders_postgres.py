"""A query on a real PostgreSQL: every digit arrives, nothing can be written, and no password is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.databases import query as database
from reconcile.orders.databases.url import orders_query, shown_url


@pytest.fixture
def ask(read: Any, postgres: str) -> Any:
    def ask_it(sql: str, *, url: str = postgres, **declared: Any) -> Any:
        return read.paths(orders_query(sql, url), **{"currency": "EUR", **declared})

    return ask_it


def refused(ask: Any, sql: str, **declared: Any) -> OrderFileError:
    with pytest.raises(OrderFileError) as caught:
        ask(sql, **declared)
    return caught.value


def test_rows_come_with_their_number_and_the_name_of_the_database(ask: Any, postgres: str) -> None:
    outcome = ask(
        """SELECT * FROM (VALUES ('R2', -5.00, 'SEK'), ('007', 12.3, 'EUR')) AS t (reference, total, currency)
           ORDER BY reference; -- all of them"""
    )

    assert outcome.columns("reference", "amount_cents", "currency_code", "source_file", "source_line") == [
        ("007", 1230, "EUR", shown_url(postgres), 1),
        ("R2", -500, "SEK", shown_url(postgres), 2),
    ]


@pytest.mark.parametrize(
    ("total", "cents"),
    [
        ("12.3", 1230),
        ("12.30000::numeric(18, 5)", 1230),
        ("12.30000::numeric", 1230),
        ("1.000::numeric", 100),
        ("-20.000::numeric(18, 3)", -2000),
        ("46116860184273879.03", 2**62 - 1),
        ("1200", 120000),
        ("1200::numeric(10, -2)", 120000),
        ("sum(7::bigint)", 700),
        ("7::smallint", 700),
        ("'7.50'::text", 750),
        ("0.00::numeric", 0),
        ("-0.5", -50),
        ("12.345", None),
        ("'nan'::numeric", None),
        ("'infinity'::numeric", None),
        ("1e30", None),
        ("NULL::numeric", None),
    ],
)
def test_an_amount_is_exact_or_rejected(ask: Any, total: str, cents: int | None) -> None:
    outcome = ask(f"SELECT 'R' AS reference, {total} AS total")

    assert outcome.columns("amount_cents") == ([(cents,)] if cents is not None else [])
    assert len(outcome.rejects) == (cents is None)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("'007'::varchar", "007"),
        ("'ab'::char(5)", "ab"),
        ("7::bigint", "7"),
        ("123456789012345678901234567890::numeric", "123456789012345678901234567890"),
        ("7::numeric(5)", "7"),
        ("'0AE12F96-0000-0000-0000-00000000000A'::uuid", "0ae12f96-0000-0000-0000-00000000000a"),
        ("E'\\u00e9'", "é"),
        ("NULL", None),
    ],
)
def test_a_key_keeps_its_digits(ask: Any, reference: str, text: str | None) -> None:
    assert ask(f"SELECT {reference} AS reference, 1 AS total").columns("reference") == [(text,)]


@pytest.mark.parametrize(
    ("column", "problem", "cast"),
    [
        ("1.5::float8 AS total", "is a float (float8): its digits are no longer exact", "total AS numeric(18,2)"),
        ("1.5::real AS total", "is a float (float4): its digits are no longer exact", "total AS numeric(18,2)"),
        ('1.5::float8 AS "Grand Total"', "is a float (float8)", '"Grand Total" AS numeric(18,2)'),
        ("12.30::money AS total", "is money, whose digits are not passed on exactly", "total AS numeric(18,2)"),
        ("1 AS total, 5::oid AS order_number", "is oid, whose digits are not passed on", "order_number AS text"),
        (
            "1 AS total, 1.5::numeric(5,2) AS order_number",
            "is numeric with 2 decimals, which is not valid as order",
            "order_number AS text",
        ),
        ("true AS total", "is bool, which is not valid as amount", "total AS numeric(18,2)"),
        (
            "1 AS total, '{}'::jsonb AS order_number",
            "is jsonb, which is not valid as order number",
            "order_number AS text",
        ),
        (
            "1 AS total, interval '1 day' AS ordered_on",
            "is interval, which is not valid as ordered on",
            "ordered_on AS date",
        ),
    ],
)
def test_types_that_lose_digits_are_refused_with_the_cast_to_write(
    ask: Any, column: str, problem: str, cast: str
) -> None:
    error = refused(ask, f"SELECT 'R' AS reference, {column}")

    assert problem in error.message
    assert (error.hint or "").startswith(f"write CAST({cast}) in the query")


def test_days_are_those_in_utc_and_days_without_end_are_rejected(ask: Any) -> None:
    outcome = ask(
        """SELECT 'a' AS reference, 1 AS total, timestamptz '2026-03-29 00:30:00+02' AS ordered_on
           UNION ALL SELECT 'b', 1, 'infinity' ORDER BY 1"""
    )
    days = ask("SELECT 'c' AS reference, 1 AS total, date '2026-03-29' AS ordered_on")

    assert outcome.columns("reference", "ordered_on") == [("a", date(2026, 3, 28))]
    assert [line for line, *_ in outcome.reasons] == ["2"]
    assert days.columns("ordered_on") == [(date(2026, 3, 29),)]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1; SELECT 2", "there are several statements"),
        (
            "CREATE TABLE more (a int)",
            "the query does more than read: cannot execute CREATE TABLE in a read-only transaction",
        ),
        (
            "WITH gone AS (DELETE FROM pg_class RETURNING 1) SELECT * FROM gone",
            "the query does more than read: cannot execute SELECT in a read-only transaction",
        ),
        (
            "INSERT INTO pg_class SELECT * FROM pg_class RETURNING relname AS reference, 1 AS total",
            "the query does more than read: cannot execute INSERT in a read-only transaction",
        ),
        ("SELECT lo_create(1)::text AS reference, 1 AS total", "the query does more than read: "),
        ("SELECT reference FROM nowhere", 'the query is refused: relation "nowhere" does not exist'),
        ("SELEC 1", 'the query is refused: syntax error at or near "SELEC"'),
        ("NOTIFY orders", "the query has no result"),
        ("SELECT", "the query has no result"),
        ("EXPLAIN SELECT 1", 'the query is refused: syntax error at or near "EXPLAIN"'),
        ("SELECT 'R' AS reference, 1 / (3 - g) AS total FROM generate_series(1, 9) g", "division by zero"),
    ],
)
def test_only_one_query_that_reads_is_asked(ask: Any, postgres: str, sql: str, message: str) -> None:
    error = refused(ask, sql)

    assert error.message.startswith(f"{shown_url(postgres)}: ")
    assert message in error.message
    assert error.hint


def test_a_query_cannot_make_its_transaction_writable(ask: Any) -> None:
    sql = "SELECT set_config('transaction_read_only', 'off', false) AS reference, 1 AS total"

    assert "transaction read-write mode" in refused(ask, sql).message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://reader:ge%68eim@127.0.0.1:1/books", "Connection refused"),
        ("postgresql://reader:ge heim@127.0.0.1:1/books", 'unexpected spaces found in "…"'),
        ("postgresql://reader@127.0.0.1:1/books?password=geheim", "Connection refused"),
        ("postgresql://reader:geheim@127.0.0.1:1/books?nonsense=1", 'invalid URI query parameter: "nonsense"'),
    ],
)
def test_no_connection_is_told_without_the_password(ask: Any, url: str, reason: str) -> None:
    error = refused(ask, "SELECT 1", url=url)

    assert error.message.startswith("postgresql://127.0.0.1:1/books: no connection: ")
    assert reason in error.message
    assert "heim" not in f"{error.explained()} {error!r} {error.__cause__!r}"


def test_a_database_of_another_encoding_is_read_right(ask: Any, postgres: str) -> None:
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
    with dbapi.connect(postgres, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS reconcile_latin")
        cursor.execute("CREATE DATABASE reconcile_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    place, _, parameters = postgres.partition("?")
    latin = f"{place.rpartition('/')[0]}/reconcile_latin?{parameters}"

    try:
        assert ask("SELECT chr(228) AS reference, 1 AS total", url=latin).columns("reference") == [("ä",)]
    finally:
        with dbapi.connect(postgres, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("DROP DATABASE reconcile_latin")


def test_many_rows_come_in_their_order(ask: Any) -> None:
    outcome = ask("SELECT 'R' || i AS reference, i AS total FROM generate_series(1, 70000) i ORDER BY i")

    assert [(row["reference"], row["source_line"]) for row in outcome.rows] == [(f"R{i}", i) for i in range(1, 70001)]


def test_the_extra_is_named_where_it_is_not_installed(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "query_without_driver.py").write_text("import no_such_driver")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(database.DATABASES, "postgresql", ("query_without_driver", "postgres"))

    with pytest.raises(SettingsError) as caught:
        read.paths(orders_query("SELECT 1", "postgresql://localhost/books"))

    assert caught.value.explained() == (
        "--orders-db: postgresql needs no_such_driver, which is not installed\n"
        "hint: install the extra: pip install 'reconcile[postgres]'"
    )
