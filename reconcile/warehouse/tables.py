"""
The tables of a warehouse: what each load brings, named and typed once for all sinks.

Knows columns and how a copy is compared with its source.

Each table has `business_date`, by which loads replace rows, and `run_id`, which says what run a row came with.
`runs` has one row per business date, written last: a date whose rows name another run is being loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.runs.run_folder import RunFile
from reconcile.schema import ITEMS, ORDERS, PAYMENTS, UTC_MS


@dataclass(frozen=True, slots=True)
class WarehouseTable:
    """One table: the file of the run folder it comes from, its names in databases and in folders, its columns."""

    file: str
    name: str
    folder: str
    description: str
    source: pa.Schema
    schema: pa.Schema


@dataclass(frozen=True, slots=True)
class LoadReceipt:
    """What a load did: where to, for which run, rows per table that are there now and that were there before."""

    url: str
    business_date: date
    run_id: str
    rows: Mapping[str, int]
    replaced: Mapping[str, int]


_OF_THE_RUN = (ITEMS.field("business_date"), ITEMS.field("run_id"))


def _with_run(schema: pa.Schema) -> pa.Schema:
    return pa.schema([*_OF_THE_RUN, *schema])


TABLES = (
    WarehouseTable(RunFile.ITEMS, "klarna_items", "items", "one row per item of a reconciliation", ITEMS, ITEMS),
    WarehouseTable(
        RunFile.PAYMENTS,
        "klarna_payments",
        "payments",
        "all klarna_payments as they were read for a business date",
        PAYMENTS,
        _with_run(PAYMENTS),
    ),
    WarehouseTable(
        RunFile.ORDERS,
        "order_totals",
        "orders",
        "all exported order totals as they were read for a business date",
        ORDERS,
        _with_run(ORDERS),
    ),
)

RUNS_NAME = "runs"
RUNS_DESCRIPTION = "one row per business date that is loaded, written last"
RUNS = pa.schema(
    [
        *_OF_THE_RUN,
        pa.field("manifest_sha256", pa.string(), metadata={"description": "SHA-256 of the run folder's manifest.json"}),
        pa.field("items", pa.int64(), metadata={"description": "rows of this business date in the items"}),
        pa.field("breaks", pa.int64(), metadata={"description": "of these, rows with is_break"}),
        pa.field("payments", pa.int64(), metadata={"description": "rows of this business date in the payments"}),
        pa.field("orders", pa.int64(), metadata={"description": "rows of this business date in the order totals"}),
        pa.field("loaded_at", UTC_MS, metadata={"description": "when this business date was loaded last"}),
    ]
)


def meaning_of(field: pa.Field[Any]) -> str:
    """Return what a column means, as the schema says it."""
    return (field.metadata or {}).get(b"description", b"").decode()


def totals(connection: duckdb.DuckDBPyConnection, relation: str, schema: pa.Schema) -> tuple[Any, ...]:
    """
    Return what a copy must have in common with its source: rows, values per column, sum of each number column.

    `relation` is SQL that may stand after FROM; sums are exact.
    """
    figures = ["count(*)"]
    for field in schema:
        figures.append(f'count("{field.name}")')
        if pa.types.is_integer(field.type):
            figures.append(f'sum("{field.name}"::HUGEINT)')
    row: tuple[Any, ...] = connection.execute(f"SELECT {', '.join(figures)} FROM {relation}").fetchall()[0]
    return row
