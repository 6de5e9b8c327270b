"""
The file of an export: rows to gzipped JSON or CSV, as they are at the moment each is read.

JSON is one array of flat objects, an included resource is an object inside, null where there is none, and a list of
them where there may be many. What is behind a polymorphic relationship has the attributes of its own type. CSV has one
header line and dotted names for what is included; a list repeats its parent's row. How objects look in CSV is not
documented: here they are JSON strings. The rows of ids that were deleted meanwhile are missing, and nothing else shows
it.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from reconcile.sandbox.api.documents import shown_attributes
from reconcile.sandbox.api.selection import Selections
from reconcile.sandbox.exports.plans import Branch, ExportPlan
from reconcile.sandbox.world.catalogue import TYPES
from reconcile.sandbox.world.relations import related
from reconcile.sandbox.world.resources import Row
from reconcile.sandbox.world.world import World

_BY_ID = (("id", False),)
_SLICE = 200
"""Rows read under one lock: a request waits no longer than that for the world."""


def export_file(world: World, selections: Selections, plan: ExportPlan, *, loses_a_row: bool = False) -> bytes:
    """Return the gzipped file of `plan`; `loses_a_row` leaves out the one in the middle. Safe in any thread."""
    with world.lock:
        chosen = selections.select(plan.resource_type, plan.conditions, _BY_ID)
    lost = int(chosen[len(chosen) // 2]) if loses_a_row and len(chosen) else None
    slices = _rows(world, selections, plan, [int(sequence) for sequence in chosen if sequence != lost])
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    pieces = _csv_pieces(plan, slices) if plan.csv else _json_pieces(slices)
    return b"".join([*(packer.compress(piece) for piece in pieces), packer.flush()])


def _rows(world: World, selections: Selections, plan: ExportPlan, sequences: list[int]) -> Iterator[list[Row]]:
    """Yield the rows, a slice at a time, each read under the world's lock."""
    table = selections.table(plan.resource_type)
    for start in range(0, len(sequences), _SLICE):
        with world.lock:
            rows = [
                _exported(world, plan.resource_type, table.row(sequence), plan.branch)
                for sequence in sequences[start : start + _SLICE]
                if table.is_alive(sequence)
            ]
        yield [_without_blanks(row) for row in rows] if plan.dry else rows


def _exported(world: World, type_name: str, row: Row, branch: Branch) -> Row:
    type_ = TYPES[type_name]
    exported: Row = {"id": row["id"]} if branch.has_id else {}
    if branch.has_type:
        exported["type"] = type_name
    own = branch.attributes if len(branch.types) == 1 else _known(branch.attributes, type_.attributes)
    exported.update(shown_attributes(world, row, type_, own))
    for name in branch.links if len(branch.types) == 1 else _known(branch.links, type_.relationships):
        exported[f"{name}_id"] = _linked_id(world, row, type_name, name)
    for name, inner in branch.related.items():
        behind = related(world, type_name, row, name) if inner.types else []
        others = [_exported(world, *one, inner) for one in behind]
        exported[name] = others if type_.relationships[name].many else next(iter(others), None)
    return exported


def _known(names: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name in known)


def _linked_id(world: World, row: Row, type_name: str, name: str) -> str | None:
    if f"{name}_id" in row:
        linked: str | None = row[f"{name}_id"]
        return linked
    return next((str(one["id"]) for _, one in related(world, type_name, row, name)), None)


def _without_blanks(row: Row) -> Row:
    """Return `row` as `dry_data` has it."""
    return {
        name: _without_blanks(value) if isinstance(value, dict) and name != "metadata" else value
        for name, value in row.items()
        if value not in (None, "", {}, [])
    }


def _json_pieces(slices: Iterator[list[Row]]) -> Iterator[bytes]:
    before = b"["
    for rows in slices:
        for row in rows:
            yield before + msgspec.json.encode(row)
            before = b","
    yield b"[]" if before == b"[" else b"]"


def _csv_pieces(plan: ExportPlan, slices: Iterator[list[Row]]) -> Iterator[bytes]:
    columns = _columns(plan.branch)
    yield _csv_line(columns)
    for rows in slices:
        for row in rows:
            for flat in _flattened(row, plan.branch):
                yield _csv_line([_csv_cell(flat.get(column)) for column in columns])


def _columns(branch: Branch, prefix: str = "") -> list[str]:
    first = [name for name, has in (("id", branch.has_id), ("type", branch.has_type)) if has]
    own = [*first, *branch.attributes, *(f"{name}_id" for name in branch.links)]
    inner = [name for rel, further in branch.related.items() for name in _columns(further, f"{prefix}{rel}.")]
    return [*(f"{prefix}{name}" for name in own), *inner]


def _flattened(row: Row, branch: Branch, prefix: str = "") -> list[Row]:
    """Return `row` with dotted names, once for each child of its lists."""
    lines = [{f"{prefix}{name}": value for name, value in row.items() if name not in branch.related}]
    for name, inner in branch.related.items():
        value = row.get(name)
        children = value if isinstance(value, list) else [value] if value else []
        inner_lines = [line for child in children for line in _flattened(child, inner, f"{prefix}{name}.")]
        lines = [{**line, **one} for line in lines for one in inner_lines or [{}]]
    return lines


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _csv_line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()
