"""
The run folder that a load reads: published, whole, and exactly as it was written.

Knows the manifest and the three tables of a run folder. Reads nothing else, and writes nothing.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError
from reconcile.manifest import NAME, digest_of, read_manifest
from reconcile.parquet import scan
from reconcile.warehouse.tables import TABLES, WarehouseTable

_REMEDY = "run the reconciliation of this business date again; nothing was loaded"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A verified run folder: its tables have the digests, rows and columns that its manifest names."""

    folder: Path
    business_date: date
    run_id: str
    manifest_sha256: str
    breaks: int
    rows: dict[str, int]
    """Rows by name of the file."""

    def path(self, table: WarehouseTable) -> Path:
        return self.folder / table.file

    def select(self, table: WarehouseTable, schema: pa.Schema) -> str:
        """Return the SQL by which DuckDB reads the columns of `schema`, of the file or of the run, in order."""
        of_the_run = {
            "business_date": f"DATE '{self.business_date.isoformat()}'",
            "run_id": "'" + self.run_id.replace("'", "''") + "'",
        }
        columns = (
            f'"{name}"' if name in table.source.names else f"{of_the_run[name]} AS {name}" for name in schema.names
        )
        return f"SELECT {', '.join(columns)} FROM {scan(self.path(table))}"

    def as_row(self, loaded_at: datetime) -> dict[str, Any]:
        """Return this run as a row of RUNS."""
        return {
            "business_date": self.business_date,
            "run_id": self.run_id,
            "manifest_sha256": self.manifest_sha256,
            "items": self.rows["items.parquet"],
            "breaks": self.breaks,
            "payments": self.rows["payments.parquet"],
            "orders": self.rows["orders.parquet"],
            "loaded_at": loaded_at,
        }


class _Output(msgspec.Struct):
    path: str
    sha256: str
    rows: int | None = None


class _Manifest(msgspec.Struct):
    business_date: date
    run_id: str
    outputs: list[_Output]


def open_run_folder(folder: Path) -> RunFolder:
    """
    Read the manifest of `folder` and verify each table against it.

    Raises OutputError when `folder` is not a run folder, was never completed, or was changed since.
    """
    document = read_manifest(folder)
    try:
        manifest = msgspec.convert(document, _Manifest)
    except msgspec.ValidationError as error:
        raise OutputError(f"{folder / NAME}: is not a manifest of this version: {error}", hint=_REMEDY) from error
    outputs = {output.path: output for output in manifest.outputs}
    rows = {table.file: _verified_rows(folder / table.file, outputs.get(table.file), table) for table in TABLES}
    items = folder / TABLES[0].file
    return RunFolder(
        folder=folder,
        business_date=manifest.business_date,
        run_id=manifest.run_id,
        manifest_sha256=digest_of(folder / NAME).sha256,
        breaks=_count_breaks(items, manifest),
        rows=rows,
    )


def _verified_rows(path: Path, output: _Output | None, table: WarehouseTable) -> int:
    if output is None:
        raise OutputError(f"{path}: is not among the outputs of the manifest", hint=_REMEDY)
    try:
        if digest_of(path).sha256 != output.sha256:
            raise OutputError(f"{path}: was changed since it was published", hint=_REMEDY)
        schema, rows = pq.read_schema(path), pq.read_metadata(path).num_rows
    except FileNotFoundError:
        raise OutputError(f"{path}: is missing from the run folder", hint=_REMEDY) from None
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{path}: cannot be read: {error}", hint=_REMEDY) from error
    if not schema.equals(table.source):
        raise OutputError(f"{path}: has not the columns of this version of reconcile", hint=_REMEDY)
    if output.rows is not None and output.rows != rows:
        raise OutputError(f"{path}: has {rows} rows, but {output.rows} in the manifest", hint=_REMEDY)
    return int(rows)


def _count_breaks(items: Path, manifest: _Manifest) -> int:
    """Count the breaks, and see that every item is of the manifest's run: its date decides which rows go."""
    of_another_run = "business_date IS DISTINCT FROM ? OR run_id IS DISTINCT FROM ?"
    with contextlib.closing(duckdb.connect()) as connection:
        breaks, strangers = connection.execute(
            f"SELECT count(*) FILTER (is_break), count(*) FILTER ({of_another_run}) FROM {scan(items)}",
            [manifest.business_date, manifest.run_id],
        ).fetchall()[0]
    if strangers:
        raise OutputError(f"{items}: has rows of another run than its manifest", hint=_REMEDY)
    return int(breaks)
