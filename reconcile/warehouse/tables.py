"""
The tables of a warehouse: what each load brings, named and typed once for all sinks.

Knows columns and how a copy is compared with its source.

Each table begins with SCOPE and `run_id`, none of them ever null: whose rows they are and of which date, by which loads
replace them, and the run that they came with. `runs` has one row per scope, written last: where rows name another run,
their scope is being loaded.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from reconcile.runs.run_folder import RunFile
from reconcile.schema import ITEMS, ORDERS, PAYMENTS, UTC_MS

UNNAMED = "unnamed"
"""The organization of a run that names none."""

UNKNOWN = "unknown"
"""The mode of a run that names none."""

PAYMENT_MODE = "payment_mode"
"""What `mode` of items and payments is called here, where `mode` is that of the run."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose rows a load replaces: those of one organization in one mode, of one business date."""

    organization: str
    mode: str
    business_date: date

    @property
    def less_known(self) -> tuple[Scope, ...]:
        """The scopes in which runs of the same folder are that named no organization, or no mode."""
        names = itertools.product(dict.fromkeys((self.organization, UNNAMED)), dict.fromkeys((self.mode, UNKNOWN)))
        return tuple(Scope(*one, self.business_date) for one in names if one != (self.organization, self.mode))


@dataclass(frozen=True, slots=True)
class WarehouseTable:
    """One table: the file of the run folder it comes from, with its columns, and its names in databases and folders."""

    file: str
    name: str
    folder: str
    description: str
    source: pa.Schema

    @property
    def schema(self) -> pa.Schema:
        """The columns of the table: those of every table, and the file's own."""
        return pa.schema([*OF_THE_RUN, *self.own])

    @property
    def own(self) -> pa.Schema:
        """The columns that come from the file."""
        columns = [field for field in self.source if field.name not in _OF_A_RUN_FOLDER]
        return pa.schema([field.with_name(PAYMENT_MODE) if field.name == "mode" else field for field in columns])


@dataclass(frozen=True, slots=True)
class LoadReceipt:
    """
    What a load did: where to, for which run, rows per table that are there now and that were there before.

    `unclaimed` are runs of its date without organization or mode whose rows were left alone: none of its folder is one.
    """

    url: str
    scope: Scope
    run_id: str
    rows: Mapping[str, int]
    replaced: Mapping[str, int]
    unclaimed: tuple[str, ...] = ()

    @property
    def business_date(self) -> date:
        """The business date of the run."""
        return self.scope.business_date


def _never_null(name: str, type_: pa.DataType, description: str) -> pa.Field[Any]:
    return pa.field(name, type_, nullable=False, metadata={"description": description})


SCOPE = (
    _never_null("organization", pa.string(), f"slug of the organization; {UNNAMED} where the run names none"),
    _never_null("mode", pa.string(), f"mode of the run: live, test, or {UNKNOWN}"),
    _never_null("business_date", pa.date32(), "the date that the run stands for"),
)
"""By these columns a load replaces rows."""

OF_THE_RUN = (*SCOPE, _never_null("run_id", pa.string(), "the run that the row came with"))
"""The columns that every table begins with."""

_OF_A_RUN_FOLDER = ("business_date", "run_id")
"""Columns that the items have already, the same in each row."""

TABLES = (
    WarehouseTable(RunFile.ITEMS, "klarna_items", "items", "one row per item of a reconciliation", ITEMS),
    WarehouseTable(
        RunFile.PAYMENTS,
        "klarna_payments",
        "payments",
        "all klarna_payments as they were read for a business date",
        PAYMENTS,
    ),
    WarehouseTable(
        RunFile.ORDERS,
        "order_totals",
        "orders",
        "all exported order totals as they were read for a business date",
        ORDERS,
    ),
)

RUNS_NAME = "runs"
RUNS_DESCRIPTION = "one row per organization, mode and business date that is loaded, written last"
RUNS = pa.schema(
    [
        *OF_THE_RUN,
        pa.field("manifest_sha256", pa.string(), metadata={"description": "SHA-256 of the run folder's manifest.json"}),
        pa.field("items", pa.int64(), metadata={"description": "rows of this run in the items"}),
        pa.field("breaks", pa.int64(), metadata={"description": "of these, rows with is_break"}),
        pa.field("payments", pa.int64(), metadata={"description": "rows of this run in the payments"}),
        pa.field("orders", pa.int64(), metadata={"description": "rows of this run in the order totals"}),
        pa.field("loaded_at", UTC_MS, metadata={"description": "when it was loaded last"}),
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
