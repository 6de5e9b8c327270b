"""Nights whose order totals come from a database: the items are those of the file, and no password is anywhere."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from places import SAMPLE

from reconcile.cli.main import main
from reconcile.orders.databases.url import shown_url

QUERY = "SELECT * FROM orders ORDER BY line"
CANARY = "canary-of-the-password"
COLUMNS = "line, reference, order_number, ordered_on, currency, total_amount, market"
TYPES = "line int, reference text, order_number text, ordered_on date, currency text, total_amount {}, market text"
OF_THE_PLACE = ("run_id", "order_source_file", "order_source_line", "suggestion")


def rows() -> list[tuple[Any, ...]]:
    """Return line and cells of each row of the sample's order totals."""
    with (SAMPLE / "orders.csv").open(encoding="utf-8", newline="") as text:
        return [(line, *row) for line, row in enumerate(csv.reader(text)) if line]


def sqlite_books(url: str) -> None:
    with contextlib.closing(sqlite3.connect(url.partition(":")[2])) as connection:
        connection.execute(f"CREATE TABLE orders ({TYPES.format('real')})")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", rows())
        connection.commit()


def duckdb_books(url: str) -> None:
    with contextlib.closing(duckdb.connect(url.partition(":")[2])) as connection:
        connection.execute(f"CREATE TABLE orders ({TYPES.format('DECIMAL(18, 2)')})")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?)", rows())


def postgres_books(url: str) -> None:
    dbapi = pytest.importorskip("adbc_driver_postgresql.dbapi")
    cells = pa.table(dict(zip(COLUMNS.split(", "), map(list, zip(*rows(), strict=True)), strict=True)))
    with dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS orders")
        cursor.execute("DROP TABLE IF EXISTS cells")
        cursor.adbc_ingest("cells", cells)
        cursor.execute(f"CREATE TABLE orders ({TYPES.format('numeric(18, 4)')})")
        cursor.execute(
            "INSERT INTO orders SELECT line, reference, order_number, ordered_on::date, currency, "
            "total_amount::numeric, market FROM cells"
        )


def reconcile(values: dict[str, str], *words: str, **environ: str) -> Result:
    environ |= {"RECONCILE_CLIENT_ID": values["client_id"], "RECONCILE_CLIENT_SECRET": values["client_secret"]}
    return CliRunner().invoke(main, [*words, *values["options"].split()], env=environ, catch_exceptions=False)


def items(folder: Path) -> list[dict[str, Any]]:
    table = pq.read_table(folder / "items.parquet").drop_columns(list(OF_THE_PLACE))
    return sorted(table.to_pylist(), key=lambda item: item["item_id"])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "duckdb", "postgresql"])
def test_order_totals_of_a_database_give_the_items_of_the_file(
    engine: str, values: dict[str, str], workplace: Path, request: pytest.FixtureRequest
) -> None:
    url = {"sqlite": "sqlite:books.db", "duckdb": "duckdb:books.duckdb"}.get(engine)
    url = url or request.getfixturevalue("postgres")
    {"sqlite": sqlite_books, "duckdb": duckdb_books, "postgresql": postgres_books}[engine](url)
    (workplace / "orders.sql").write_text(f"-- the night's totals\n{QUERY};\n")

    of_file = reconcile(values, "run", str(SAMPLE / "orders.csv"), "--out", "of_file")
    of_query = reconcile(values, "run", "--orders-sql", "@orders.sql", "--orders-db", url, "--out", "of_query")

    assert (of_file.exit_code, of_query.exit_code) == (0, 0), of_file.stderr + of_query.stderr
    folder = workplace / "of_query" / "2026-11-20"
    assert items(folder) == items(workplace / "of_file" / "2026-11-20")
    (told,) = json.loads((folder / "manifest.json").read_bytes())["inputs"]["files"]
    assert (told["path"], told["format"], told["rows"]) == (shown_url(url), engine, len(rows()))
    assert json.loads((folder / "summary.json").read_bytes())["warnings"] == []


@pytest.mark.slow
def test_a_query_without_an_order_is_warned_of(values: dict[str, str], workplace: Path) -> None:
    sqlite_books("sqlite:books.db")

    result = reconcile(values, "run", "--orders-sql", "SELECT * FROM orders", "--orders-db", "sqlite:books.db")

    warning = "sqlite:books.db: the query has no ORDER BY: the same rows may come in a different order next time"
    assert warning in result.stderr
    assert result.exit_code == 0


def test_the_password_of_a_database_is_in_no_file_log_or_error(
    values: dict[str, str], workplace: Path, postgres: str
) -> None:
    postgres_books(postgres)
    parameters = f"{'&' if '?' in postgres else '?'}password={CANARY}"
    loud = ("-vv", "--log-json", "--orders-sql", QUERY)

    good = reconcile(values, "run", *loud, RECONCILE_ORDERS_DB=postgres + parameters)
    bad = reconcile(values, "run", *loud, RECONCILE_ORDERS_DB=f"postgresql://reader:{CANARY}@127.0.0.1:1/books")
    looked = reconcile(values, "check", *loud[2:], RECONCILE_ORDERS_DB=postgres + parameters)

    assert (good.exit_code, bad.exit_code, looked.exit_code) == (0, 3, 0), good.stderr + looked.stderr
    said = "".join(result.stdout + result.stderr for result in (good, bad, looked))
    files = b"".join(path.read_bytes() for path in workplace.rglob("*") if path.is_file())
    assert CANARY not in said
    assert CANARY.encode() not in files
