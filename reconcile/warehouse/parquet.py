"""
A folder of Parquet files, partitioned by business date, as warehouse: one file per table and date.

    FOLDER/items/business_date=2026-11-22/part-0.parquet      and the same of payments/, orders/ and runs/

Knows folders and renames. Who opens a file of a partition has the former one or the new one, whole. The files of a
date are put in place together, `runs` last; if one cannot be, those before it are put back. A load that is killed
between two renames leaves tables of two runs, which `run_id` shows; the next load, of whatever date, rolls it back
first.

`business_date` is in the path and not in the files: pyarrow, DuckDB, Spark and pandas give it back as a column, and
refuse or ignore it when it is in both.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import WarehouseError, first_line
from reconcile.files.disk import remove_tree, replacing, sync
from reconcile.files.duckdb import connected
from reconcile.files.parquet import ROWS_PER_GROUP, scan, write_parquet
from reconcile.runs.manifest import is_date
from reconcile.warehouse.place import local_path, without_secrets
from reconcile.warehouse.tables import RUNS, RUNS_NAME, TABLES, LoadReceipt, WarehouseTable, totals
from reconcile.warehouse.verified_run import VerifiedRun

PART = "part-0.parquet"


@dataclass(frozen=True, slots=True)
class _Swap:
    """A finished file, the place it goes to, and where the file that stood there is kept meanwhile."""

    finished: Path
    place: Path
    former: Path


def load(run: VerifiedRun, url: str, *, loaded_at: datetime) -> LoadReceipt:
    """
    Replace the partitions of the run's business date in the folder of `url`; create what is not there yet.

    Raises WarehouseError when the folder cannot be written, holds files of others in a partition, or when what
    was written is not what was read; all partitions are then as they were.
    """
    root = local_path(url)
    partition = f"business_date={run.business_date.isoformat()}"
    with _errors_told(root), _stage(root, run.business_date.isoformat()) as stage:
        swaps = _swaps(stage)
        for swap in swaps:
            _only_ours(swap.place)
        replaced = {table.name: _rows_of(root / table.folder / partition / PART) for table in TABLES}
        with connected() as connection:
            rows = {table.name: _write(connection, run, table, stage / table.folder) for table in TABLES}
            _write_run(connection, run, loaded_at, stage / RUNS_NAME)
        run.check_unchanged()
        _put_in_place(swaps, stage / _JOURNAL)
    return LoadReceipt(without_secrets(url), run.business_date, run.run_id, rows, replaced)


_FOLDERS = (*(table.folder for table in TABLES), RUNS_NAME)
"""In this order they are put in place."""


_STAGE = ".loading-"
_JOURNAL = "replaced.json"
"""In a stage whose files are being put in place: the folders of those that have no former file to put back."""


def _swaps(stage: Path) -> list[_Swap]:
    """Return the files of the load in `stage`, in the order in which they are put in place."""
    partition = f"business_date={stage.name.removeprefix(_STAGE)}"
    return [_Swap(stage / name, stage.parent / name / partition / PART, stage / f"{name}.former") for name in _FOLDERS]


@contextlib.contextmanager
def _stage(root: Path, business_date: str) -> Iterator[Path]:
    """Give an empty folder for this load alone, on the same disk, hidden from readers; remove it afterwards."""
    root.mkdir(parents=True, exist_ok=True)
    own = root / f"{_STAGE}{business_date}"
    for stage in sorted(root.glob(f"{_STAGE}*")):
        if stage != own and is_date(stage.name.removeprefix(_STAGE)):
            with contextlib.suppress(_LoadInProgress), _held(stage):
                _take_back(stage)
                remove_tree(stage, inside=root)
    own.mkdir(exist_ok=True)
    with _held(own):
        _take_back(own)
        try:
            yield own
        finally:
            if not (own / _JOURNAL).exists():  # else it holds what the next load puts back
                remove_tree(own, inside=root)


class _LoadInProgress(WarehouseError):
    """Another process loads this date."""


@contextlib.contextmanager
def _held(stage: Path) -> Iterator[None]:
    """Lock the folder `stage`, which is no link, for the time of the block."""
    descriptor = os.open(stage, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(descriptor).st_ino == stage.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            raise _LoadInProgress(f"{stage.parent}: another load of this date is in progress", hint="wait for it")
        yield
    finally:
        os.close(descriptor)


def _take_back(stage: Path) -> None:
    """Put back what a load that was killed in `stage` had replaced, if it came so far, and empty the folder."""
    journal = stage / _JOURNAL
    if journal.exists():
        fresh = msgspec.json.decode(journal.read_bytes(), type=list[str])
        for swap in reversed(_swaps(stage)):
            _put_back(swap, is_fresh=swap.finished.name in fresh)
        journal.unlink()
    for path in stage.iterdir():
        remove_tree(path, inside=stage)


def _only_ours(place: Path) -> None:
    if not place.parent.is_dir():
        return
    # Readers skip names that start so: https://arrow.apache.org/docs/python/generated/pyarrow.dataset.dataset.html
    others = sorted(path.name for path in place.parent.iterdir() if path.name[0] not in "._" and path != place)
    if others:
        raise WarehouseError(
            f"{place.parent}: contains files that no load has written: {', '.join(others[:3])}",
            hint="they would be counted twice: move them away, and load again",
        )


def _rows_of(place: Path) -> int:
    if not place.exists():
        return 0
    try:
        return int(pq.read_metadata(place).num_rows)
    except pa.ArrowException as error:
        raise WarehouseError(f"{place}: is not a Parquet file: {error}", hint="move it away, and load again") from error


def _write(connection: duckdb.DuckDBPyConnection, run: VerifiedRun, table: WarehouseTable, destination: Path) -> int:
    schema = _without_date(table.schema)
    rows = _copy(connection.sql(run.select(table, schema)), schema, destination)
    common = pa.schema([field for field in schema if field.name in table.source.names])
    sent = totals(connection, f"({run.select(table, common)})", common)
    arrived = totals(connection, scan(destination), common)
    if sent != arrived:
        raise WarehouseError(
            f"{destination}: what was written is not what was read: {arrived[0]} rows of {sent[0]}, or other totals",
            hint="nothing was loaded; check the disk, and load again",
        )
    return rows


def _write_run(connection: duckdb.DuckDBPyConnection, run: VerifiedRun, loaded_at: datetime, destination: Path) -> None:
    schema, row = _without_date(RUNS), run.as_row(loaded_at)
    columns = ", ".join(f"? AS {name}" for name in schema.names)
    values = [row[name] for name in schema.names]
    _copy(connection.sql(f"SELECT {columns}", params=values), schema, destination)


def _copy(relation: duckdb.DuckDBPyRelation, schema: pa.Schema, destination: Path) -> int:
    batches = relation.to_arrow_reader(ROWS_PER_GROUP)
    return write_parquet((batch.cast(schema) for batch in batches), schema, destination)


def _without_date(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field for field in schema if field.name != "business_date"])


def _put_in_place(swaps: list[_Swap], journal: Path) -> None:
    for swap in swaps:
        swap.place.parent.mkdir(parents=True, exist_ok=True)
        if swap.place.exists():
            _keep(swap.place, swap.former)
    fresh = [swap.finished.name for swap in swaps if not swap.former.exists()]
    with replacing(journal) as partial:
        partial.write_bytes(msgspec.json.encode(fresh))
    sync(journal.parent)
    try:
        for swap in swaps:
            swap.finished.replace(swap.place)
        for swap in swaps:
            sync(swap.place.parent)
            sync(swap.place.parent.parent)
    except BaseException as error:
        _put_all_back(swaps, fresh, error)
        journal.unlink()
        raise
    journal.unlink()  # from here on the load is done: it is not rolled back


def _put_all_back(swaps: list[_Swap], fresh: list[str], cause: BaseException) -> None:
    try:
        for swap in reversed(swaps):
            _put_back(swap, is_fresh=swap.finished.name in fresh)
    except OSError as error:
        raise WarehouseError(
            f"{swap.place}: the load failed ({cause}) and could not be rolled back ({error.strerror})",
            hint="tables of this date may mix two runs, see their run_id: load again, which rolls this back first",
        ) from cause


def _put_back(swap: _Swap, *, is_fresh: bool) -> None:
    if swap.former.exists():
        swap.former.replace(swap.place)
    elif is_fresh:
        swap.place.unlink(missing_ok=True)


def _keep(place: Path, former: Path) -> None:
    try:
        former.hardlink_to(place)
    except OSError:  # some network file systems have no hard links
        shutil.copyfile(place, former)
        sync(former)


@contextlib.contextmanager
def _errors_told(root: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.Error, msgspec.DecodeError) as error:
        reason = getattr(error, "strerror", None) or first_line(error)
        raise WarehouseError(
            f"{getattr(error, 'filename', None) or root}: cannot be written: {reason}",
            hint="nothing was loaded; fix the cause (space, permissions, path), and load again",
        ) from error
