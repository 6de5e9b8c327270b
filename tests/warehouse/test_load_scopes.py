"""Whose rows a load replaces: of one organization, mode and date; of what an earlier version loaded, only its own."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from earlier_version import DAYS, earlier_runs

from reconcile.errors import WarehouseError
from reconcile.runs.manifest import manifest_of
from reconcile.warehouse.load import load_run

KINDS = pytest.mark.parametrize("kind", ["duckdb", "parquet"])
TABLES = {"klarna_items": "items", "klarna_payments": "payments", "order_totals": "orders", "runs": "runs"}


def there(url: str) -> dict[str, list[tuple[str, str, str, str]]]:
    """Return of each table (organization, mode, date, run), each once; what an earlier version has put is unnamed."""
    kind, _, place = url.partition(":")
    if kind == "duckdb":
        with duckdb.connect(place, read_only=True) as connection:
            columns = "organization, mode, business_date::VARCHAR, run_id"
            return {
                folder: connection.execute(f"SELECT DISTINCT {columns} FROM {table} ORDER BY ALL").fetchall()
                for table, folder in TABLES.items()
            }
    return {folder: sorted(_in_parts(Path(place) / folder)) for folder in TABLES.values()}


def _in_parts(table: Path) -> set[tuple[str, str, str, str]]:
    found = set()
    for part in table.rglob("part-0.parquet"):
        names = dict(name.split("=") for name in part.relative_to(table).parts[:-1])
        for run in pq.read_table(part, columns=["run_id"], partitioning=None)["run_id"].to_pylist():
            scope = names.get("organization", "unnamed"), names.get("mode", "unknown"), names["business_date"]
            found.add((*scope, run))
    return found


def everywhere(url: str) -> list[tuple[str, str, str, str]]:
    """Return what is in `there` of each table, which must be the same of all."""
    tables = there(url)
    assert all(rows == tables["runs"] for rows in tables.values()), tables
    return tables["runs"]


@KINDS
def test_runs_of_other_organizations_and_modes_are_left_alone(kind: str, publish_run: Any, tmp_path: Path) -> None:
    url = f"{kind}:{tmp_path}/x"
    load_run(publish_run(out="a"), url)
    load_run(publish_run(out="b", organization="other", run_id="run-2"), url)
    load_run(publish_run(out="c", mode="test", run_id="run-3"), url)
    receipt = load_run(publish_run(out="a", run_id="run-4", items=2), url)

    assert everywhere(url) == [
        ("acme", "live", "2026-11-22", "run-4"),
        ("acme", "test", "2026-11-22", "run-3"),
        ("other", "live", "2026-11-22", "run-2"),
    ]
    assert receipt.replaced == {"klarna_items": 3, "klarna_payments": 3, "order_totals": 2}


@KINDS
def test_a_run_without_organization_and_mode_is_unnamed_and_unknown(
    kind: str, publish_run: Any, tmp_path: Path
) -> None:
    url = f"{kind}:{tmp_path}/x"
    load_run(publish_run(organization=None, mode=None), url)

    assert everywhere(url) == [("unnamed", "unknown", "2026-11-22", "run-1")]


@KINDS
def test_a_folder_that_gets_a_name_replaces_what_it_loaded_without_one(
    kind: str, publish_run: Any, tmp_path: Path
) -> None:
    url = f"{kind}:{tmp_path}/x"
    load_run(publish_run(organization=None, mode=None), url)
    load_run(publish_run(organization=None, run_id="run-2"), url)
    receipt = load_run(publish_run(run_id="run-3"), url)

    assert everywhere(url) == [("acme", "live", "2026-11-22", "run-3")]
    assert (receipt.replaced["klarna_items"], receipt.unclaimed) == (3, ())


@KINDS
def test_unnamed_rows_of_another_folder_are_left_alone_and_told(
    kind: str, publish_run: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"{kind}:{tmp_path}/x"
    load_run(publish_run(out="theirs", organization=None, mode=None), url)
    with caplog.at_level(logging.WARNING, "reconcile.run"):
        receipt = load_run(publish_run(out="ours", run_id="run-2"), url)

    assert everywhere(url) == [("acme", "live", "2026-11-22", "run-2"), ("unnamed", "unknown", "2026-11-22", "run-1")]
    assert receipt.unclaimed == ("run-1",)
    assert "of 2026-11-22 without an organization or a mode are of no run of this folder" in caplog.text


@KINDS
def test_a_replaced_run_of_another_organization_is_not_taken_for_ones_own(
    kind: str, publish_run: Any, tmp_path: Path
) -> None:
    url = f"{kind}:{tmp_path}/x"
    load_run(publish_run(out="first", organization=None, mode=None, run_id="run-1"), url)
    publish_run(out="shared", organization="other", run_id="run-1")
    load_run(publish_run(out="shared", run_id="run-2"), url)

    assert ("unnamed", "unknown", "2026-11-22", "run-1") in everywhere(url)


@pytest.mark.parametrize("organization", ["../../outside", "a/b=c", "..", "ä ö%2F", "x" * 60, "a,b"])
def test_an_organization_is_never_a_path(organization: str, publish_run: Any, tmp_path: Path) -> None:
    root = tmp_path / "deep" / "down" / "warehouse"
    load_run(publish_run(organization=organization), f"parquet:{root}")

    assert {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("part-0.parquet")} == {"deep"}
    assert sorted(path.name for path in root.iterdir()) == ["items", "orders", "payments", "runs"]
    read = ds.dataset(root / "items", partitioning="hive").to_table()
    assert set(read["organization"].to_pylist()) == {organization}
    with duckdb.connect() as connection:
        query = (
            f"SELECT DISTINCT organization FROM read_parquet('{root}/items/*/*/*/*.parquet', hive_partitioning = true)"
        )
        assert connection.execute(query).fetchall() == [(organization,)]


def test_an_organization_too_long_for_a_folder_is_one_error(publish_run: Any, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="File name too long"):
        load_run(publish_run(organization="x" * 300), f"parquet:{tmp_path}/x")


def earlier_warehouse(url: str, runs: list[Path]) -> None:
    """Load `runs` as the earlier version did: no organization, no mode of a run, one run per date."""
    for run in runs:
        on, run_id = run.name, manifest_of(run).run_id
        of_run = {"business_date": pa.scalar(date.fromisoformat(on)), "run_id": pa.scalar(run_id)}
        loaded = {name: pq.read_table(run / f"{name}.parquet") for name in ("items", "payments", "orders")}
        loaded["runs"] = pa.table({"manifest_sha256": [manifest_of(run).sha256], "items": [loaded["items"].num_rows]})
        for name, table in loaded.items():
            for column, value in reversed(of_run.items()):
                if column not in table.column_names:
                    table = table.add_column(0, column, pa.array([value.as_py()] * table.num_rows, value.type))
            loaded[name] = table
        _put_as_earlier(url, on, loaded)


def _put_as_earlier(url: str, on: str, loaded: dict[str, pa.Table]) -> None:
    kind, _, place = url.partition(":")
    if kind == "parquet":
        for name, table in loaded.items():
            part = Path(place) / name / f"business_date={on}" / "part-0.parquet"
            part.parent.mkdir(parents=True)
            pq.write_table(table.drop_columns("business_date"), part)
        return
    with duckdb.connect(place) as connection:
        for name, folder in TABLES.items():
            connection.register("loaded", loaded[folder])
            connection.execute(f"CREATE TABLE IF NOT EXISTS {name} AS FROM loaded LIMIT 0")
            connection.execute(f"INSERT INTO {name} FROM loaded")


@pytest.fixture
def earlier(tmp_path: Path) -> Callable[[str], tuple[str, list[Path]]]:
    """Give a function that makes a warehouse with both nights of the earlier version, and returns its URL and them."""

    def make(kind: str) -> tuple[str, list[Path]]:
        url, runs = f"{kind}:{tmp_path}/x", earlier_runs(tmp_path / "runs")
        earlier_warehouse(url, runs)
        return url, runs

    return make


@KINDS
def test_a_warehouse_of_an_earlier_version_is_taken_over(kind: str, earlier: Any) -> None:
    url, runs = earlier(kind)
    receipt = load_run(runs[1], url)

    ids = [manifest_of(run).run_id for run in runs]
    assert everywhere(url) == [("unnamed", "live", DAYS[1], ids[1]), ("unnamed", "unknown", DAYS[0], ids[0])]
    assert receipt.replaced == receipt.rows == {"klarna_items": 13, "klarna_payments": 12, "order_totals": 8}
    load_run(runs[0], url)
    assert everywhere(url) == [("unnamed", "live", day, id_) for day, id_ in zip(DAYS, ids, strict=True)]


@KINDS
def test_a_night_run_again_replaces_what_an_earlier_version_loaded_of_its_date(
    kind: str, earlier: Any, publish_run: Any
) -> None:
    url, runs = earlier(kind)
    load_run(publish_run(business_date=date(2026, 11, 21), run_id="again"), url)

    assert ("acme", "live", DAYS[1], "again") in everywhere(url)
    assert [row for row in everywhere(url) if row[0] == "unnamed"] == [
        ("unnamed", "unknown", DAYS[0], manifest_of(runs[0]).run_id)
    ]


@KINDS
def test_what_an_earlier_version_loaded_from_another_folder_stays(kind: str, earlier: Any, publish_run: Any) -> None:
    url, runs = earlier(kind)
    id_ = manifest_of(runs[1]).run_id
    receipt = load_run(publish_run(out="ours", business_date=date(2026, 11, 21)), url)

    assert receipt.unclaimed == (id_,)
    assert [row for row in everywhere(url) if row[2] == DAYS[1]] == [
        ("acme", "live", DAYS[1], "run-1"),
        ("unnamed", "unknown", DAYS[1], id_),
    ]


def test_a_database_taken_over_has_every_column_and_the_payments_mode_under_its_name(earlier: Any) -> None:
    url, runs = earlier("duckdb")
    load_run(runs[1], url)

    with duckdb.connect(url.partition(":")[2]) as connection:
        query = (
            f"SELECT payment_mode, count(*) FROM klarna_items WHERE business_date = '{DAYS[0]}' GROUP BY ALL ORDER BY 1"
        )
        assert connection.execute(query).fetchall() == [("live", 12), (None, 2)]
        query = (
            "SELECT column_name FROM duckdb_columns() WHERE table_name = 'klarna_items' AND NOT is_nullable ORDER BY 1"
        )
        assert connection.execute(query).fetchall() == [("business_date",), ("mode",), ("organization",), ("run_id",)]
        query = "SELECT count(break_id) + count(at_stake_cents) FROM klarna_items"
        assert connection.execute(query).fetchall() == [(0,)]


def test_a_column_that_means_something_else_stops_the_take_over(earlier: Any) -> None:
    url, runs = earlier("duckdb")
    with duckdb.connect(url.partition(":")[2]) as connection:
        connection.execute("ALTER TABLE klarna_items ADD COLUMN at_stake_cents VARCHAR")

    with pytest.raises(WarehouseError, match="`at_stake_cents` is VARCHAR, not BIGINT") as caught:
        load_run(runs[1], url)

    assert (
        caught.value.hint
        == "rename that table or name another file, and load again; every run folder can be loaded again"
    )
    with duckdb.connect(url.partition(":")[2]) as connection:
        connection.execute("ALTER TABLE klarna_items RENAME TO klarna_items_before")
    load_run(runs[1], url)


def test_an_index_in_the_way_is_told_with_the_remedy(earlier: Any) -> None:
    url, runs = earlier("duckdb")
    with duckdb.connect(url.partition(":")[2]) as connection:
        connection.execute("CREATE INDEX by_status ON klarna_items (status)")

    with pytest.raises(WarehouseError) as caught:
        load_run(runs[1], url)

    assert caught.value.hint == "drop the indexes of that table, load, and create them again"


def test_readers_never_meet_two_runs_while_a_partition_is_taken_over(
    earlier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, runs = earlier("parquet")
    met: list[dict[str, Any]] = []

    def watched(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **keywords: Any) -> Any:
            met.append(there(url))
            return change(*arguments, **keywords)

        return changed

    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, watched(getattr(Path, name)))
    load_run(runs[1], url)

    assert len(met) > 10
    of_the_day = [[row for row in rows if row[2] == DAYS[1]] for state in met for rows in state.values()]
    assert max(map(len, of_the_day)) == 1


@pytest.mark.parametrize("step", range(9))
def test_a_take_over_that_fails_at_any_step_is_taken_back(
    step: int, earlier: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, runs = earlier("parquet")
    before = there(url)
    replace, left = Path.replace, itertools.count(step, -1)

    def fails(self: Path, target: Path) -> Path:
        if next(left) == 0:  # four files are written, then what is replaced is noted, then they are put in place
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(WarehouseError, match="No space left on device"):
        load_run(runs[1], url)
    assert there(url) == before


def test_what_an_earlier_versions_killed_load_left_is_rolled_back(earlier: Any) -> None:
    url, runs = earlier("parquet")
    root = Path(url.partition(":")[2])
    before = there(url)
    stage = root / f".loading-{DAYS[1]}"
    stage.mkdir()
    place = root / "items" / f"business_date={DAYS[1]}" / "part-0.parquet"
    place.rename(stage / "items.former")
    pq.write_table(pa.table({"run_id": ["half-loaded"]}), place)
    (stage / "replaced.json").write_text("[]")

    load_run(runs[0], url)

    assert not stage.exists()
    assert [row for row in there(url)["items"] if row[2] == DAYS[1]] == [
        row for row in before["items"] if row[2] == DAYS[1]
    ]
