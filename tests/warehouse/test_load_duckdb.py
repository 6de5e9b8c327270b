"""A DuckDB file as warehouse: exact, idempotent, one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from reconcile.errors import WarehouseError
from reconcile.runs.manifest import digest_of
from reconcile.warehouse.load import load_run

LOADED_AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "ware'house.duckdb"


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        # Not fetchall: instants would need a package of their own.
        return [tuple(row.values()) for row in connection.sql(query).to_arrow_table().to_pylist()]


def test_every_column_arrives_exactly(publish_run: Any, database: Path) -> None:
    folder = publish_run()
    load_run(folder, f"duckdb:{database}")

    with duckdb.connect(str(database)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        items = connection.sql("FROM klarna_items").to_arrow_table()
        payments = connection.sql("FROM klarna_payments").to_arrow_table()
    for read, name in ((items, "items"), (payments, "payments")):
        source = pq.read_table(folder / f"{name}.parquet")
        assert read.column_names[:4] == ["organization", "mode", "business_date", "run_id"]
        assert read.slice(0, 1).to_pylist()[0].items() >= {
            "organization": "acme", "mode": "live", "business_date": date(2026, 11, 22), "run_id": "run-1"
        }.items()  # fmt: skip
        own = [name for name in source.column_names if name not in ("business_date", "run_id")]
        found = read.select([name if name != "mode" else "payment_mode" for name in own]).rename_columns(own)
        assert found.cast(source.select(own).schema).equals(source.select(own))


def test_a_load_replaces_the_rows_of_its_date_and_of_no_other(publish_run: Any, database: Path) -> None:
    for day in (21, 23):
        load_run(publish_run(business_date=date(2026, 11, day), run_id="run-0", items=4), f"duckdb:{database}")
    load_run(publish_run(items=5), f"duckdb:{database}")
    load_run(publish_run(items=2, run_id="run-2"), f"duckdb:{database}")

    for table, rows in (("klarna_items", (4, 2)), ("klarna_payments", (4, 2)), ("order_totals", (3, 1))):
        query = f"SELECT business_date, run_id, count(*) FROM {table} GROUP BY ALL ORDER BY ALL"
        assert _rows(database, query) == [
            (date(2026, 11, 21), "run-0", rows[0]),
            (date(2026, 11, 22), "run-2", rows[1]),
            (date(2026, 11, 23), "run-0", rows[0]),
        ]


def test_loading_again_leaves_the_same_rows(publish_run: Any, database: Path) -> None:
    folder = publish_run()
    seen = []
    for _ in range(3):
        load_run(folder, f"duckdb:{database}", loaded_at=LOADED_AT)
        seen.append([_rows(database, f"FROM {name}") for name in (*_TABLES, "runs")])

    assert seen[0] == seen[1] == seen[2]


_SCOPE = "('organization', 'mode', 'business_date', 'run_id')"
_TABLES = ("klarna_items", "klarna_payments", "order_totals")


def test_runs_has_one_row_per_organization_mode_and_date(publish_run: Any, database: Path) -> None:
    folder = publish_run(items=4)
    load_run(publish_run(items=9, run_id="run-0"), f"duckdb:{database}")
    load_run(publish_run(items=4), f"duckdb:{database}", loaded_at=LOADED_AT)

    manifest = digest_of(folder / "manifest.json").sha256
    assert _rows(database, "FROM runs") == [
        ("acme", "live", date(2026, 11, 22), "run-1", manifest, 4, 2, 4, 3, LOADED_AT)
    ]


def test_a_run_without_rows_can_be_loaded(publish_run: Any, database: Path) -> None:
    load_run(publish_run(), f"duckdb:{database}")
    load_run(publish_run(items=0, run_id="run-2"), f"duckdb:{database}")

    assert _rows(database, "SELECT count(*) FROM klarna_items") == [(0,)]
    assert _rows(database, "SELECT run_id, items FROM runs") == [("run-2", 0)]


def test_tables_and_columns_say_what_they_mean(publish_run: Any, database: Path) -> None:
    load_run(publish_run(), f"duckdb:{database}")

    assert _rows(database, "SELECT count(*) FROM duckdb_columns() WHERE NOT internal AND comment IS NULL") == [(0,)]
    assert _rows(database, "SELECT comment FROM duckdb_tables() WHERE table_name = 'klarna_items'") == [
        ("one row per item of a reconciliation",)
    ]
    assert _rows(
        database, "SELECT data_type, is_nullable FROM duckdb_columns() WHERE column_name = 'payment_amount_cents'"
    ) == [("BIGINT", True)]
    assert _rows(database, "SELECT DISTINCT is_nullable FROM duckdb_columns() WHERE column_name IN " + _SCOPE) == [
        (False,)
    ]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("CREATE TABLE runs (business_date DATE)", "`run_id` is missing"),
        ("CREATE TABLE order_totals AS SELECT 1 AS x", "`x` is unknown"),
        ("CREATE VIEW klarna_payments AS SELECT 1 AS x", "`x` is unknown"),
    ],
)
def test_a_table_of_somebody_else_is_left_alone(statement: str, problem: str, publish_run: Any, database: Path) -> None:
    with duckdb.connect(str(database)) as connection:
        connection.execute(statement)

    with pytest.raises(WarehouseError) as caught:
        load_run(publish_run(), f"duckdb:{database}")

    assert f"table `{statement.split()[2]}` is not as this version writes it" in caught.value.message
    assert problem in caught.value.message
    assert "rename that table" in (caught.value.hint or "")
    assert _rows(database, "SELECT count(*) FROM duckdb_tables() WHERE NOT internal") in ([(1,)], [(0,)])


def test_a_table_with_other_types_is_told_column_by_column(publish_run: Any, database: Path) -> None:
    load_run(publish_run(), f"duckdb:{database}")
    with duckdb.connect(str(database)) as connection:
        connection.execute("ALTER TABLE klarna_items ALTER difference_cents TYPE DOUBLE")
        connection.execute("ALTER TABLE klarna_items DROP is_break")
        connection.execute("ALTER TABLE klarna_items ADD COLUMN note VARCHAR")
    before = _rows(database, "FROM klarna_items")

    with pytest.raises(WarehouseError) as caught:
        load_run(publish_run(run_id="run-2"), f"duckdb:{database}")

    assert caught.value.message.endswith(
        "`difference_cents` is DOUBLE, not BIGINT, `is_break` is missing, `note` is unknown"
    )
    assert _rows(database, "FROM klarna_items") == before
    assert _rows(database, "SELECT run_id FROM runs") == [("run-1",)]


def test_columns_may_stand_in_another_order(publish_run: Any, database: Path) -> None:
    load_run(publish_run(), f"duckdb:{database}")
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE OR REPLACE TABLE klarna_items AS SELECT kind, * EXCLUDE (kind) FROM klarna_items")

    load_run(publish_run(run_id="run-2"), f"duckdb:{database}")

    assert _rows(database, "SELECT kind, status FROM klarna_items WHERE item_id = 'i0'") == [
        ("break", "amount_mismatch")
    ]


def test_a_copy_that_is_not_its_source_is_taken_back(
    publish_run: Any, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_run(publish_run(), f"duckdb:{database}")
    before = _rows(database, "FROM order_totals")
    statements = _statements_of_a_load(monkeypatch)
    statements.replace = ("INSERT INTO order_totals", " LIMIT 0")

    with pytest.raises(WarehouseError, match=r"what arrived in `order_totals` is not what was sent: 0 rows of 1"):
        load_run(publish_run(items=2, run_id="run-2"), f"duckdb:{database}")

    assert _rows(database, "FROM order_totals") == before


def test_a_load_that_fails_at_its_last_statement_has_not_happened(
    publish_run: Any, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_run(publish_run(), f"duckdb:{database}", loaded_at=LOADED_AT)
    before = [_rows(database, f"FROM {name}") for name in (*_TABLES, "runs")]
    statements = _statements_of_a_load(monkeypatch)
    statements.replace = ("COMMIT", " IF THE DISK ALLOWS")

    with pytest.raises(WarehouseError, match="DuckDB refuses the load: Parser Error"):
        load_run(publish_run(items=2, run_id="run-2"), f"duckdb:{database}")

    assert [_rows(database, f"FROM {name}") for name in (*_TABLES, "runs")] == before


@pytest.mark.slow
def test_nothing_of_a_load_that_fails_at_any_statement_is_visible(
    publish_run: Any, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_run(publish_run(), f"duckdb:{database}", loaded_at=LOADED_AT)
    before = [_rows(database, f"FROM {name}") for name in (*_TABLES, "runs")]
    folder = publish_run(items=2, run_id="run-2")
    statements = _statements_of_a_load(monkeypatch)
    failures = 0
    while True:
        statements.fail_at, statements.seen = failures, 0
        error = _failure_of(lambda: load_run(folder, f"duckdb:{database}", loaded_at=LOADED_AT))
        if error is None:
            break
        failures += 1
        assert error.message.endswith("DuckDB refuses the load: IO Error: No space left on device")
        assert error.hint == "free some space on that disk, and load again"
        assert [_rows(database, f"FROM {name}") for name in (*_TABLES, "runs")] == before

    assert failures > 15
    assert _rows(database, "SELECT run_id, items FROM runs") == [("run-2", 2)]


def _failure_of(load: Callable[[], object]) -> WarehouseError | None:
    try:
        load()
    except WarehouseError as error:
        return error
    return None


class _Statements:
    """Stands between a load and DuckDB: fails the statement number `fail_at`, or appends to one it finds."""

    def __init__(self) -> None:
        self.seen = 0
        self.fail_at: int | None = None
        self.replace = ("", "")

    def execute(self, connection: duckdb.DuckDBPyConnection, query: str, parameters: object = None) -> Any:
        if self.seen == self.fail_at:
            raise duckdb.IOException("IO Error: No space left on device")
        self.seen += 1
        start, addition = self.replace
        return connection.execute(query + addition if start and query.startswith(start) else query, parameters)


class _Connection:
    def __init__(self, connection: duckdb.DuckDBPyConnection, statements: _Statements) -> None:
        self._connection, self._statements = connection, statements

    def execute(self, query: str, parameters: object = None) -> Any:
        return self._statements.execute(self._connection, query, parameters)

    def close(self) -> None:
        self._connection.close()


def _statements_of_a_load(monkeypatch: pytest.MonkeyPatch) -> _Statements:
    statements, connect = _Statements(), duckdb.connect

    def opened(path: str = ":memory:", **keywords: Any) -> Any:
        connection = connect(path, **keywords)
        return _Connection(connection, statements) if keywords.get("config") else connection

    monkeypatch.setattr("reconcile.warehouse.duckdb.duckdb.connect", opened)
    return statements


def test_a_file_that_is_something_else_is_one_error(publish_run: Any, database: Path) -> None:
    database.write_bytes(b"not a database" * 1000)

    with pytest.raises(WarehouseError, match="not a valid DuckDB database file") as caught:
        load_run(publish_run(), f"duckdb:{database}")

    assert caught.value.hint == "name another file: this one is something else"
    assert database.read_bytes() == b"not a database" * 1000


def test_a_folder_that_is_missing_is_one_error(publish_run: Any, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="its folder does not exist"):
        load_run(publish_run(), f"duckdb:{tmp_path}/nowhere/x.duckdb")


def test_a_connection_of_this_process_is_named_as_the_cause(publish_run: Any, database: Path) -> None:
    with duckdb.connect(str(database)), pytest.raises(WarehouseError) as caught:
        load_run(publish_run(), f"duckdb:{database}")

    assert caught.value.hint == "close the connection that this process has to the file, and load again"


def test_nothing_but_the_database_stays_behind(publish_run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    folder.mkdir()
    load_run(publish_run(), f"duckdb:{folder}/x.duckdb")

    assert [path.name for path in folder.iterdir()] == ["x.duckdb"]
