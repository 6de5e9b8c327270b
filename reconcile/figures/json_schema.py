"""
The published schemas by name, each with its version: JSON Schema, draft 2020-12.

A version grows when a field goes, gets another name or another meaning; a new field does not grow it. Knows what all
schemas have in common: how they are named, and the unit of a quantity, which the end of its name shows. A row's schema
is made from the table's Arrow schema, so that there is no second list of columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from reconcile.figures.summary import VERSION, FrameSummary, Summary
from reconcile.history.refreshes import Outcome
from reconcile.matching.policy import KEYS, Kind, Status
from reconcile.payments.refreshable import Refreshable
from reconcile.schema import PUBLISHED_TABLES, UTC_MS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

VERSIONS = {"summary": VERSION, "items": 1, "payments": 1, "orders": 1, "history": 1, "refresh": 1}
"""The published schemas and their versions."""

_MEANINGS = {
    "summary": "summary.json of a run folder",
    "items": "one row of items.parquet or breaks.parquet, as JSON",
    "payments": "one row of payments.parquet, as JSON",
    "orders": "one row of orders.parquet, as JSON",
    "history": "one row of history.parquet, as JSON; of `reconcile history`, too",
    "refresh": "one row of `reconcile refresh`, as JSON",
}
_UNITS = {
    "_cents": "minor units of the currency",
    "_days": "days",
    "at_stake": "minor units of the currency",
    "bytes_received": "bytes",
    "seconds": "seconds",
}
"""Unit by the end of a field's name."""

JsonObject = dict[str, Any]

_TYPES: Mapping[pa.DataType, Mapping[str, object]] = {
    pa.string(): {"type": "string"},
    pa.bool_(): {"type": "boolean"},
    pa.int32(): {"type": "integer", "format": "int32", "minimum": -(2**31), "maximum": 2**31 - 1},
    pa.int64(): {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    pa.date32(): {"type": "string", "format": "date"},
    UTC_MS: {"type": "string", "format": "date-time"},
}

# What the API says (order_status, mode) is not ours to close.
_CLOSED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "items": {
        "status": [str(status) for status in Status],
        "kind": [str(kind) for kind in Kind],
        "matched_on": KEYS,
        "state": ("new", "open", "reopened"),
    },
    "history": {"resource_type": ("klarna_payments", "orders")},
    "refresh": {"refreshable": [*map(str, Refreshable)], "outcome": [*map(str, Outcome)]},
}


def schema_document(name: str) -> JsonObject:
    """
    Return the JSON Schema `name` (a key of VERSIONS) as plain values.

    Beside the standard's words it has `x-unit`, the unit of a quantity, and `x-arrow-type`, the type of a column.
    """
    version = VERSIONS[name]
    head = {
        "$schema": DIALECT,
        "$id": f"urn:reconcile:schema:{name}:{version}",
        "$comment": f"version {version}; it grows when a field goes, gets another name or another meaning",
        "title": name,
        "description": _MEANINGS[name],
    }
    body = _summary_schema() if name == "summary" else _row_schema(name)
    return head | _with_units(body)


def schema_text(name: str) -> str:
    """Return the JSON Schema `name` as the text of a file."""
    return msgspec.json.format(msgspec.json.encode(schema_document(name)), indent=2).decode() + "\n"


def _summary_schema() -> JsonObject:
    (whole, _), parts = msgspec.json.schema_components((Summary, FrameSummary), ref_template="#/$defs/{name}")
    return {**whole, "$defs": {name: _as_written(part) for name, part in sorted(parts.items())}}


def _as_written(part: JsonObject) -> JsonObject:
    """Return the schema of what is written: every field is there, and no other, whatever is also read."""
    if "properties" not in part:
        return part
    fields = {
        name: {word: of for word, of in property_.items() if word != "default"}
        for name, property_ in part["properties"].items()
    }
    return {**part, "properties": fields, "required": list(fields), "additionalProperties": False}


def _row_schema(table: str) -> JsonObject:
    """Return the JSON Schema of one row of a table of `PUBLISHED_TABLES`; every column is there, also null."""
    schema = PUBLISHED_TABLES[table]
    return {
        "type": "object",
        "properties": {field.name: _column(field, _CLOSED.get(table, {}).get(field.name)) for field in schema},
        "required": schema.names,
        "additionalProperties": False,
    }


def _column(field: pa.Field[Any], values: Sequence[str] | None) -> JsonObject:
    found: JsonObject = {"description": (field.metadata or {})[b"description"].decode(), **_TYPES[field.type]}
    if values is not None:
        found["enum"] = [*values]
    if field.nullable:
        found["type"] = [found["type"], "null"]
        if values is not None:
            found["enum"].append(None)
    return found | {"x-arrow-type": str(field.type)}


def _with_units(schema: JsonObject) -> JsonObject:
    """Return `schema` with the unit of every property whose name shows it."""
    found = dict(schema)
    if "$defs" in schema:
        found["$defs"] = {name: _with_units(part) for name, part in schema["$defs"].items()}
    if "properties" in schema:
        found["properties"] = {name: _told(name, property_) for name, property_ in schema["properties"].items()}
    return found


def _told(name: str, property_: JsonObject) -> JsonObject:
    unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)
    return {**property_, "x-unit": unit} if unit else property_
