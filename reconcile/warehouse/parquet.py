"""
A folder of Parquet files as warehouse: one file per table and scope.

    FOLDER/items/organization=acme/mode=live/business_date=2026-11-22/part-0.parquet
    and the same of payments/, orders/ and runs/

Knows renames. Who opens a file of a partition has the former one or the new one, whole. The files of a scope are put in
place together, `runs` last; if one cannot be, those before it are put back. A load that is killed between two renames
leaves tables of two runs, which `run_id` shows; the next load, of whatever scope, rolls it back first. Where a
partition is given up for another (what an earlier version loaded without an organization), it goes before the other
comes: a reader may miss a table for an instant, and never has rows of both.

The scope is in the path and not in the files: pyarrow, DuckDB, Spark and pandas give it back as columns, and refuse or
ignore them when they are in both.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import WarehouseError, first_line
from reconcile.files.disk import remove_tree
from reconcile.files.duckdb import connected
from reconcile.files.parquet import ROWS_PER_GROUP, scan, write_parquet
from reconcile.warehouse.partitions import (
    STAGE,
    is_nobodys,
    less_known,
    of_earlier,
    partition_of,
    partitions_in,
    stage_of,
)
from reconcile.warehouse.place import local_path, shown_place
from reconcile.warehouse.swaps import JOURNAL, PART, put_in_place, swaps_in, take_back
from reconcile.warehouse.tables import RUNS, RUNS_NAME, SCOPE, TABLES, LoadReceipt, Scope, WarehouseTable, totals
from reconcile.warehouse.verified_run import VerifiedRun


def load(run: VerifiedRun, url: str, *, loaded_at: datetime) -> LoadReceipt:
    """
    Replace the partitions of the run's scope in the folder of `url`; create what is not there yet.

    Raises WarehouseError when the folder cannot be written, holds files of others in a partition, or when what
    was written is not what was read; all partitions are then as they were.
    """
    root = local_path(url)
    with _errors_told(root), _stage(root, run.scope) as stage:
        given_up, unclaimed = _less_known(root, run)
        swaps = [swap for swap in swaps_in(stage) if swap.finished is not None or swap.partition in given_up]
        for swap in swaps:
            _only_ours(swap.place)
        before = [*given_up, partition_of(run.scope)]
        replaced = {t.name: sum(_rows_of(root / t.folder / folder / PART) for folder in before) for t in TABLES}
        with connected() as connection:
            rows = {table.name: _write(connection, run, table, stage / table.folder) for table in TABLES}
            _write_run(connection, run, loaded_at, stage / RUNS_NAME)
        run.check_unchanged()
        put_in_place(swaps, stage / JOURNAL)
    return LoadReceipt(shown_place(url), run.scope, run.run_id, rows, replaced, unclaimed)


def _less_known(root: Path, run: VerifiedRun) -> tuple[list[str], tuple[str, ...]]:
    """Return the partitions that runs of this folder have filled when less was known, and the runs that have others."""
    given_up: list[str] = []
    unclaimed: set[str] = set()
    for partition in less_known(run.scope):
        place = root / RUNS_NAME / partition / PART
        _rows_of(place)  # says where it is no Parquet file
        if not place.exists():
            continue
        named = pq.read_table(place, columns=["run_id"], partitioning=None)["run_id"].to_pylist()
        ids = {str(id_) for id_ in named}
        if (ids and ids <= run.folder_runs) or (
            is_nobodys(run.scope) and partition == of_earlier(run.scope.business_date)
        ):
            given_up.append(partition)
        else:
            unclaimed |= ids
    return given_up, tuple(sorted(unclaimed))


@contextlib.contextmanager
def _stage(root: Path, scope: Scope) -> Iterator[Path]:
    """Give an empty folder for this load alone, on the same disk, hidden from readers; remove it afterwards."""
    root.mkdir(parents=True, exist_ok=True)
    own = root / stage_of(scope)
    for stage in sorted(root.glob(f"{STAGE}*")):
        if stage != own and partitions_in(stage.name) is not None:
            with contextlib.suppress(_LoadInProgress), _held(stage):
                take_back(stage)
                remove_tree(stage, inside=root)
    own.mkdir(exist_ok=True)
    with _held(own):
        take_back(own)
        try:
            yield own
        finally:
            if not (own / JOURNAL).exists():  # else it holds what the next load puts back
                remove_tree(own, inside=root)


class _LoadInProgress(WarehouseError):
    """Another process loads this scope."""


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
            raise _LoadInProgress(
                f"{stage.parent}: another load of this organization and date is in progress", hint="wait for it"
            )
        yield
    finally:
        os.close(descriptor)


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
    schema = _without_scope(table.schema)
    rows = _copy(connection.sql(run.select(table, schema)), schema, destination)
    sent = totals(connection, f"({run.select(table, table.own)})", table.own)
    arrived = totals(connection, scan(destination), table.own)
    if sent != arrived:
        raise WarehouseError(
            f"{destination}: what was written is not what was read: {arrived[0]} rows of {sent[0]}, or other totals",
            hint="nothing was loaded; check the disk, and load again",
        )
    return rows


def _write_run(connection: duckdb.DuckDBPyConnection, run: VerifiedRun, loaded_at: datetime, destination: Path) -> None:
    schema, row = _without_scope(RUNS), run.as_row(loaded_at)
    columns = ", ".join(f"? AS {name}" for name in schema.names)
    values = [row[name] for name in schema.names]
    _copy(connection.sql(f"SELECT {columns}", params=values), schema, destination)


def _copy(relation: duckdb.DuckDBPyRelation, schema: pa.Schema, destination: Path) -> int:
    batches = relation.to_arrow_reader(ROWS_PER_GROUP)
    return write_parquet((batch.cast(schema) for batch in batches), schema, destination)


def _without_scope(schema: pa.Schema) -> pa.Schema:
    in_path = {field.name for field in SCOPE}
    return pa.schema([field for field in schema if field.name not in in_path])


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
