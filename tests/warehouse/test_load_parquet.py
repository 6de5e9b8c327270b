"""A folder of Parquet partitions as warehouse: readable by others, whole at every moment, put back after errors."""

from __future__ import annotations

import fcntl
import itertools
import os
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from reconcile.errors import WarehouseError
from reconcile.schema import ITEMS, PAYMENTS
from reconcile.warehouse.load import load_run

LOADED_AT = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
ACME = "organization=acme/mode=live"
PARTITION = f"{ACME}/business_date=2026-11-22"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "ware'house [1]"


def _state(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Every row of every partition, read as it stands; also proves that no reader meets half a file."""
    return {
        str(path.relative_to(root)): pq.read_table(path, partitioning=None).to_pylist()
        for path in sorted(root.glob("[!.]*/**/[!.]*.parquet"))
    }


def test_each_table_has_one_file_per_business_date(publish_run: Any, root: Path) -> None:
    load_run(publish_run(business_date=date(2026, 11, 21)), f"parquet:{root}")
    load_run(publish_run(), f"parquet:{root}")

    assert sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()) == [
        f"{table}/{ACME}/business_date=2026-11-{day}/part-0.parquet"
        for table in ("items", "orders", "payments", "runs")
        for day in (21, 22)
    ]


def test_every_column_arrives_exactly(publish_run: Any, root: Path) -> None:
    folder = publish_run()
    load_run(folder, f"parquet:{root}")

    items = pq.read_table(root / "items" / PARTITION / "part-0.parquet", partitioning=None)
    payments = pq.read_table(root / "payments" / PARTITION / "part-0.parquet", partitioning=None)
    for read, name in ((items, "items"), (payments, "payments")):
        source = pq.read_table(folder / f"{name}.parquet")
        assert read.column_names[0] == "run_id"
        assert read["run_id"].to_pylist() == ["run-1"] * 3
        renamed = [name if name != "payment_mode" else "mode" for name in read.column_names]
        own = [name for name in source.column_names if name not in ("business_date", "run_id")]
        assert read.rename_columns(renamed).select(own).equals(source.select(own))


def test_pyarrow_duckdb_and_pandas_read_the_scope_from_the_path(publish_run: Any, root: Path) -> None:
    for day in (21, 22):
        load_run(publish_run(business_date=date(2026, 11, day), items=day), f"parquet:{root}")
    expected = {date(2026, 11, 21): 21, date(2026, 11, 22): 22}

    partitioning = ds.partitioning(
        pa.schema([("organization", pa.string()), ("mode", pa.string()), ("business_date", pa.date32())]), flavor="hive"
    )
    typed = ds.dataset(root / "items", partitioning=partitioning)
    assert set(typed.schema.names) == _names_of(ITEMS)
    assert {day: typed.count_rows(filter=ds.field("business_date") == day) for day in expected} == expected
    untyped = ds.dataset(root / "payments", partitioning="hive").to_table()
    assert set(untyped.schema.names) == _names_of(PAYMENTS)
    assert set(zip(untyped["organization"].to_pylist(), untyped["mode"].to_pylist(), strict=True)) == {("acme", "live")}
    assert {str(day): untyped["business_date"].to_pylist().count(str(day)) for day in expected} == {
        str(day): rows for day, rows in expected.items()
    }

    frame = pd.read_parquet(root / "items", dtype_backend="pyarrow")
    assert frame.groupby(frame["business_date"].astype(str)).size().to_dict() == {
        str(day): rows for day, rows in expected.items()
    }

    plain = root.with_name("plain")
    root.rename(plain)
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT business_date, count(*) "
            f"FROM read_parquet('{plain}/items/*/*/*/*.parquet', hive_partitioning = true) GROUP BY ALL"
        ).fetchall()
    assert dict(rows) == expected


def _names_of(source: pa.Schema) -> set[str]:
    return {"organization", "mode", "business_date", "run_id", "payment_mode", *source.names} - (
        set() if "mode" in source.names else {"payment_mode"}
    )


def test_a_load_replaces_the_partition_of_its_date_and_no_other(publish_run: Any, root: Path) -> None:
    load_run(publish_run(business_date=date(2026, 11, 21), run_id="run-0"), f"parquet:{root}")
    load_run(publish_run(items=5), f"parquet:{root}")
    before = _state(root)
    load_run(publish_run(items=2, run_id="run-2"), f"parquet:{root}")

    after = _state(root)
    other = "business_date=2026-11-21"
    assert {k: v for k, v in after.items() if other in k} == {k: v for k, v in before.items() if other in k}
    assert [row["run_id"] for row in after[f"items/{PARTITION}/part-0.parquet"]] == ["run-2"] * 2


def test_loading_again_leaves_the_same_bytes(publish_run: Any, root: Path) -> None:
    folder = publish_run()
    seen = []
    for _ in range(2):
        load_run(folder, f"parquet:{root}", loaded_at=LOADED_AT)
        seen.append({path: path.read_bytes() for path in root.rglob("*.parquet")})

    assert seen[0] == seen[1]
    (row,) = _state(root)[f"runs/{PARTITION}/part-0.parquet"]
    assert row.pop("manifest_sha256")
    assert row == {"run_id": "run-1", "items": 3, "breaks": 1, "payments": 3, "orders": 2, "loaded_at": LOADED_AT}


def test_a_run_without_rows_keeps_every_column(publish_run: Any, root: Path) -> None:
    load_run(publish_run(items=0), f"parquet:{root}")

    read = pq.read_table(root / "items" / PARTITION / "part-0.parquet", partitioning=None)
    assert {*read.schema.names, "organization", "mode", "business_date"} == _names_of(ITEMS)
    assert not read.schema.field("run_id").nullable
    assert read.num_rows == 0


def test_files_of_others_in_a_partition_stop_the_load(publish_run: Any, root: Path) -> None:
    folder = publish_run()
    load_run(folder, f"parquet:{root}")
    (root / "orders" / PARTITION / "part-7.parquet").write_bytes(b"somebody's")
    (root / "orders" / PARTITION / "_SUCCESS").write_bytes(b"")

    with pytest.raises(WarehouseError) as caught:
        load_run(folder, f"parquet:{root}")

    assert caught.value.message == f"{root}/orders/{PARTITION}: contains files that no load has written: part-7.parquet"
    assert caught.value.hint == "they would be counted twice: move them away, and load again"


def test_a_part_that_is_no_parquet_file_stops_the_load(publish_run: Any, root: Path) -> None:
    (root / "items" / PARTITION).mkdir(parents=True)
    (root / "items" / PARTITION / "part-0.parquet").write_bytes(b"somebody's")

    with pytest.raises(WarehouseError, match=r"part-0\.parquet: is not a Parquet file"):
        load_run(publish_run(), f"parquet:{root}")


def test_one_load_of_a_date_at_a_time(publish_run: Any, root: Path) -> None:
    stage = root / ".loading-acme,live,2026-11-22"
    stage.mkdir(parents=True)
    descriptor = os.open(stage, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(WarehouseError, match="another load of this organization and date is in progress"):
            load_run(publish_run(), f"parquet:{root}")
    finally:
        os.close(descriptor)

    load_run(publish_run(), f"parquet:{root}")
    assert not stage.exists()


def test_what_a_killed_load_left_is_removed(publish_run: Any, root: Path) -> None:
    stage = root / ".loading-acme,live,2026-11-22"
    stage.mkdir(parents=True)
    (stage / "items").write_bytes(b"half a file")
    (stage / "items.former").write_bytes(b"half a file")

    load_run(publish_run(), f"parquet:{root}")

    assert sorted(path.name for path in root.iterdir()) == ["items", "orders", "payments", "runs"]


def test_a_reader_meets_whole_tables_while_loads_go_on(publish_run: Any, root: Path) -> None:
    publish_run(items=20, run_id="run-20")
    following = publish_run(items=30, run_id="run-30")
    former = following.parent / ".superseded" / "run-20"
    load_run(former, f"parquet:{root}")
    place, stop, met = root / "items" / PARTITION / "part-0.parquet", threading.Event(), set()

    def read() -> None:
        while not stop.is_set():
            with place.open("rb") as file:  # given a path, pyarrow opens it twice
                table = pq.read_table(file)
            met.add((table.num_rows, *table["run_id"].unique().to_pylist()))

    reader = threading.Thread(target=read)
    reader.start()
    for folder in (following, former, following):
        load_run(folder, f"parquet:{root}")
    stop.set()
    reader.join()

    assert met
    assert met <= {(20, "run-20"), (30, "run-30")}


class _Faults:
    """Fails call number `at` of those that change a disk, once or from then on, as a full disk does."""

    CHANGES = ((Path, "mkdir"), (Path, "replace"), (Path, "rename"), (Path, "hardlink_to"), (os, "fsync"))

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.calls, self.at, self.lasting = 0, -1, False
        for owner, name in self.CHANGES:
            if not names or name in names:
                monkeypatch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **keywords: Any) -> Any:
            self.calls += 1
            if self.calls - 1 == self.at or (self.lasting and self.calls > self.at >= 0):
                raise OSError(28, "No space left on device")
            return change(*arguments, **keywords)

        return counted


def _failure_of(load: Callable[[], object]) -> WarehouseError | None:
    try:
        load()
    except WarehouseError as error:
        return error
    return None


@pytest.mark.parametrize("loaded_before", [True, False])
def test_what_was_put_in_place_is_put_back_when_the_next_cannot_be(
    loaded_before: bool, publish_run: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loaded_before:
        load_run(publish_run(), f"parquet:{root}")
    before = _state(root)
    folder = publish_run(items=2, run_id="run-2")
    faults = _Faults(monkeypatch, "replace")
    for step in range(9):  # four files are written, then what is replaced is noted, then they are put in place
        faults.calls, faults.at = 0, step

        with pytest.raises(WarehouseError, match="cannot be written: No space left on device"):
            load_run(folder, f"parquet:{root}")

        assert faults.calls > step
        assert _state(root) == before


@pytest.mark.slow
@pytest.mark.parametrize("loaded_before", [True, False])
def test_nothing_of_a_load_that_fails_at_any_step_is_visible(
    loaded_before: bool, publish_run: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loaded_before:
        load_run(publish_run(), f"parquet:{root}")
    before = _state(root)
    folder = publish_run(items=2, run_id="run-2")
    faults = _Faults(monkeypatch)
    failures = 0
    for step in itertools.count():
        faults.calls, faults.at = 0, step
        error = _failure_of(lambda: load_run(folder, f"parquet:{root}"))
        if faults.calls <= step:
            break
        if error is not None:
            failures += 1
            assert error.message.endswith("cannot be written: No space left on device")
            assert _state(root) == before
        else:  # a missing hard link is made up for by a copy
            before = _state(root)

    assert failures >= 20
    assert {row["run_id"] for rows in _state(root).values() for row in rows} == {"run-2"}


def test_a_load_that_can_neither_go_on_nor_back_says_so_and_is_mended_by_the_next(
    publish_run: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_run(publish_run(), f"parquet:{root}")
    former = _state(root)
    folder = publish_run(items=2, run_id="run-2")
    faults = _Faults(monkeypatch, "replace")
    faults.at, faults.lasting = 7, True  # after the files and the note the third is put in its place

    with pytest.raises(WarehouseError, match="could not be rolled back") as caught:
        load_run(folder, f"parquet:{root}")

    assert caught.value.hint == (
        "tables of this scope may mix two runs, see their run_id: load again, which rolls this back first"
    )
    faults.at = -1
    assert _state(root) != former
    load_run(publish_run(business_date=date(2026, 11, 23)), f"parquet:{root}")  # of another date
    assert {name: rows for name, rows in _state(root).items() if PARTITION in name} == former
    load_run(folder, f"parquet:{root}")
    assert {row["run_id"] for rows in _state(root).values() for row in rows} == {"run-2", "run-1"}


def test_a_copy_that_is_not_its_source_is_not_put_in_place(
    publish_run: Any, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_run(publish_run(), f"parquet:{root}")
    before = _state(root)
    folder = publish_run(run_id="run-2", items=3)
    write = pq.ParquetWriter.write_table
    monkeypatch.setattr(pq.ParquetWriter, "write_table", lambda self, table, *a, **k: write(self, table[1:], *a, **k))

    with pytest.raises(WarehouseError, match="what was written is not what was read: 2 rows of 3, or other totals"):
        load_run(folder, f"parquet:{root}")

    assert _state(root) == before
