"""
One row of a published table as JSON: made from the table's Arrow schema, so that there is no second list of columns.

Knows how Arrow types are written in JSON, and which columns have a closed list of values. Reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from reconcile.matching.policy import KEYS, Kind, Status
from reconcile.schema import TABLES, UTC_MS

_TYPES: Mapping[pa.DataType, Mapping[str, Any]] = {
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
    }
}


def row_schema(table: str) -> dict[str, Any]:
    """Return the JSON Schema of one row of a table of `reconcile.schema.TABLES`; every column is there, also null."""
    schema = TABLES[table]
    return {
        "type": "object",
        "properties": {field.name: _column(field, _CLOSED.get(table, {}).get(field.name)) for field in schema},
        "required": schema.names,
        "additionalProperties": False,
    }


def _column(field: pa.Field[Any], values: Sequence[str] | None) -> dict[str, Any]:
    found: dict[str, Any] = {"description": (field.metadata or {})[b"description"].decode(), **_TYPES[field.type]}
    if values is not None:
        found["enum"] = [*values]
    if field.nullable:
        found["type"] = [found["type"], "null"]
        if values is not None:
            found["enum"].append(None)
    return found | {"x-arrow-type": str(field.type)}
