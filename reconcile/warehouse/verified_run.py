"""
The run folder that a load reads: published, whole, and exactly as it was written.

Knows the manifest and the three tables of a run folder. Reads nothing else, and writes nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError
from reconcile.files.duckdb import connected, text_literal
from reconcile.files.parquet import scan, selected, stored
from reconcile.runs.folder import out_of, read_manifest, superseded
from reconcile.runs.manifest import Manifest, manifest_of
from reconcile.runs.run_folder import RunFile
from reconcile.schema import Row
from reconcile.warehouse.tables import PAYMENT_MODE, TABLES, UNKNOWN, UNNAMED, Scope, WarehouseTable

_REMEDY = "run the reconciliation of this business date again; nothing was loaded"


_Identity = tuple[int, ...]  # device, inode, size, time of the last change


@dataclass(frozen=True, slots=True)
class VerifiedRun:
    """
    A verified run folder: its tables have the digests and rows that its manifest names, and columns of this version.

    Of an earlier version they may have fewer: those are null.
    """

    folder: Path
    scope: Scope
    run_id: str
    folder_runs: frozenset[str]
    """Ids of all runs of its date in its folder of runs: itself, the published one, and those that were replaced."""
    manifest_sha256: str
    breaks: int
    rows: dict[str, int]
    """Rows by name of the file."""
    verified: dict[str, _Identity]
    """The files that were verified, by name; they stay open as long as the run is: no other can pass for one."""

    def path(self, table: WarehouseTable) -> Path:
        return self.folder / table.file

    def select(self, table: WarehouseTable, schema: pa.Schema) -> str:
        """Return the SQL by which DuckDB reads the columns of `schema`, of the file or of the run, in order."""
        known = {
            "organization": text_literal(self.scope.organization),
            "mode": text_literal(self.scope.mode),
            "business_date": f"DATE '{self.scope.business_date.isoformat()}'",
            "run_id": text_literal(self.run_id),
            PAYMENT_MODE: '"mode"',
        }
        columns = (f'{known[name]} AS "{name}"' if name in known else f'"{name}"' for name in schema.names)
        return f"SELECT {', '.join(columns)} FROM ({selected(self.path(table), table.source)})"

    def check_unchanged(self) -> None:
        """Raise OutputError when the folder no longer holds the files that were verified: ask before a commit."""
        for name, identity in self.verified.items():
            with contextlib.suppress(OSError):
                if _identity((self.folder / name).stat()) == identity:
                    continue
            raise OutputError(
                f"{self.folder}: was replaced by another run of its date while it was being loaded",
                hint="nothing was loaded; load it again",
            )

    def as_row(self, loaded_at: datetime) -> Row:
        """Return this run as a row of RUNS."""
        return {
            **dataclasses.asdict(self.scope),
            "run_id": self.run_id,
            "manifest_sha256": self.manifest_sha256,
            "items": self.rows[RunFile.ITEMS],
            "breaks": self.breaks,
            "payments": self.rows[RunFile.PAYMENTS],
            "orders": self.rows[RunFile.ORDERS],
            "loaded_at": loaded_at,
        }


def _identity(found: os.stat_result) -> _Identity:
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@contextlib.contextmanager
def open_run_folder(folder: Path) -> Iterator[VerifiedRun]:
    """
    Read the manifest of `folder`, verify each table against it, and give the run for the time of a load.

    The files that were verified stay open: while they do, no other file can be taken for them (`check_unchanged`).
    Raises OutputError when `folder` is not a run folder, was never completed, or was changed since.
    """
    manifest = read_manifest(folder)
    with contextlib.ExitStack() as stack:
        files = {table.file: stack.enter_context(_opened(folder / table.file)) for table in TABLES}
        verified = {name: _identity(os.fstat(file.fileno())) for name, file in files.items()}
        rows = {table.file: _verified_rows(files[table.file], manifest, table) for table in TABLES}
        items = folder / TABLES[0].file
        yield VerifiedRun(
            folder=folder,
            scope=_scope_of(manifest),
            run_id=manifest.run_id,
            folder_runs=_folder_runs(folder, manifest),
            manifest_sha256=manifest.sha256,
            breaks=_count_breaks(items, manifest),
            rows=rows,
            verified=verified,
        )


def _scope_of(manifest: Manifest) -> Scope:
    return Scope(manifest.organization or UNNAMED, manifest.mode or UNKNOWN, manifest.business_date)


def _folder_runs(folder: Path, own: Manifest) -> frozenset[str]:
    """Return the ids of the runs of the date of `own` that are in its folder of runs, and of nobody else."""
    out, scope, ids = out_of(folder), _scope_of(own), {own.run_id}
    for path in (out / own.business_date.isoformat(), *superseded(out)):
        with contextlib.suppress(OutputError):
            manifest = manifest_of(path)
            if _scope_of(manifest) in (scope, *scope.less_known):
                ids.add(manifest.run_id)
    return frozenset(ids)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise OutputError(f"{path}: is missing from the run folder", hint=_REMEDY) from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}", hint=_REMEDY) from error
    with file:
        yield file


def _verified_rows(file: BufferedReader, manifest: Manifest, table: WarehouseTable) -> int:
    path, output = Path(file.name), manifest.digests.get(table.file)
    if output is None:
        raise OutputError(f"{path}: is not among the outputs of the manifest", hint=_REMEDY)
    try:
        if hashlib.file_digest(file, "sha256").hexdigest() != output.sha256:
            raise OutputError(f"{path}: was changed since it was published", hint=_REMEDY)
        found = pq.ParquetFile(file)
        schema, rows = found.schema_arrow, found.metadata.num_rows
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: cannot be read: {error}", hint=_REMEDY) from error
    stored(path, schema, table.source)
    if unknown := [name for name in schema.names if name not in table.source.names]:
        raise OutputError(
            f"{path}: has columns that this version of reconcile does not know: {', '.join(unknown[:3])}",
            hint="load it with the version that wrote it; nothing was loaded",
        )
    if output.rows is not None and output.rows != rows:
        raise OutputError(f"{path}: has {rows} rows, but {output.rows} in the manifest", hint=_REMEDY)
    return int(rows)


def _count_breaks(items: Path, manifest: Manifest) -> int:
    """Count the breaks, and see that every item is of the manifest's run: its date decides which rows go."""
    of_another_run = "business_date IS DISTINCT FROM ? OR run_id IS DISTINCT FROM ?"
    with connected() as connection:
        breaks, strangers = connection.execute(
            f"SELECT count(*) FILTER (is_break), count(*) FILTER ({of_another_run}) FROM {scan(items)}",
            [manifest.business_date, manifest.run_id],
        ).fetchall()[0]
    if strangers:
        raise OutputError(f"{items}: has rows of a different run from its manifest", hint=_REMEDY)
    return int(breaks)
