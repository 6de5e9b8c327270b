"""
A table of typed columns to batches of order cells; one of our own ORDERS passes through as it is, once it is checked.

Knows members of structs, and how a table that is `orders.parquet` of a run, or a frame of `read_orders`, is recognised.
A row's line is its number, from 1. How a typed column becomes text is said in `typed.columns`; what a cell means, and
where the table is, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from reconcile.errors import OrderFileError
from reconcile.files.arrow import Column, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.money import EXPONENTS
from reconcile.orders.cells.rows import clean_keys
from reconcile.orders.columns.mapping import KEYS, ColumnMap, map_columns
from reconcile.orders.columns.marks import mark_places
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.typed.columns import Reader, column_readers, is_double, is_text, typed_rows
from reconcile.schema import ORDERS

_OWN = tuple(ORDERS.names[:some] for some in range(ORDERS.names.index("amount_raw") + 1, len(ORDERS) + 1))
"""Columns of our own tables: of this version, and of those before, which had fewer."""


@dataclass(frozen=True, slots=True)
class TypedSource:
    """
    Where a table comes from: its `name`, its `batches` with the columns of some names, and what differs by the place.

    `damaged` makes an error of what one raised, and of the column where that is known; `remedy` says what to do about a
    column of a role and name. `partitions` are columns that are in no batch, each of one value.
    """

    name: str
    batches: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
    damaged: Callable[[Exception, str | None], OrderFileError]
    remedy: Callable[[str, str], str]
    partitions: Mapping[str, str | None]


def open_table(schema: pa.Schema, source: TypedSource, form: OrderFormat) -> OpenedOrders:
    """Return the rows of `source`, which has the columns `schema`; raises OrderFileError when a type loses digits."""
    if schema.names in _OWN and not form.names_columns:
        _check_types(schema, source.name)
        marks = mark_places(schema.names, form.marks, path=source.name)
        if "carried" in schema.names:  # what was carried when the file was written, under the same names
            marks = dict.fromkeys(form.carry, schema.names.index("carried")) | marks
        columns = ColumnMap(tuple(schema.names), {name: at for at, name in enumerate(schema.names)}, marks=marks)
        return OpenedOrders(columns, _own_rows(schema.names, source))
    flat, inside = _flat(_with_partitions(schema, source))
    columns = map_columns(flat.names, form, path=source.name, inside=inside)
    readers = column_readers(flat, columns, path=source.name, remedy=source.remedy, doubles=True)
    amount = flat.field(columns.positions["amount"])
    floats = (amount.name,) if is_double(amount.type) else ()
    return OpenedOrders(columns, _batches(schema.names, columns, readers, source), floats=floats)


def _with_partitions(schema: pa.Schema, source: TypedSource) -> pa.Schema:
    """Return the columns of the file and those that the names of its folders hold; one is never in both."""
    for name in source.partitions:
        if name in schema.names:
            raise OrderFileError(
                f'column "{name}" is in the file and in the name of its folder, too',
                path=source.name,
                column=name,
                hint="name the files in place of the folder: the names of folders are then not read",
            )
        schema = schema.append(pa.field(name, pa.string()))
    return schema


def _flat(schema: pa.Schema) -> tuple[pa.Schema, frozenset[str]]:
    """Return the columns with the members of structs in their place, and the names of those, which have dots."""
    fields: list[pa.Field[Any]] = []
    inside: set[str] = set()
    for field in schema:
        members = _members(field)
        fields += members
        if members != [field]:
            inside |= {member.name for member in members}
    return pa.schema(fields), frozenset(inside)


def _members(field: pa.Field[Any]) -> list[pa.Field[Any]]:
    if not pa.types.is_struct(field.type):
        return [field]
    members = (field.type.field(at) for at in range(field.type.num_fields))
    return [one for member in members for one in _members(member.with_name(f"{field.name}.{member.name}"))]


def _column(batch: pa.RecordBatch, name: str) -> Column:
    """Return the column `name` of `batch`, of a struct where it is a member of one; null where the struct is."""
    if name in batch.schema.names:
        return batch.column(name)
    outer = next(one for one in batch.schema.names if name.startswith(f"{one}."))
    column, left = batch.column(outer), name.removeprefix(f"{outer}.")
    while left:
        found = next(one.name for one in column.type if left == one.name or left.startswith(f"{one.name}."))
        column, left = pc.struct_field(column, found), left.removeprefix(found).removeprefix(".")
    return column


def _batches(
    names: Sequence[str], columns: ColumnMap, readers: dict[str, Reader], source: TypedSource
) -> Iterator[Batch]:
    first = 1
    used = {columns.names[place] for place in (*columns.positions.values(), *columns.shown)}
    there = [name for name in names if any(one == name or one.startswith(f"{name}.") for one in used)]
    for batch in source.batches(there):
        yield partial(_rows, batch, first, columns, readers, source)
        first += batch.num_rows


def _rows(
    batch: pa.RecordBatch, first: int, columns: ColumnMap, readers: dict[str, Reader], source: TypedSource
) -> RawRows:
    def damaged(place: int, error: Exception) -> OrderFileError:
        return source.damaged(error, columns.names[place])

    def column(place: int) -> Column:
        name = columns.names[place]
        if name not in source.partitions:
            return _column(batch, name)
        return pa.repeat(pa.scalar(source.partitions[name], pa.string()), batch.num_rows)

    return typed_rows(column, columns, readers, first=first, damaged=damaged)


def _own_rows(names: Sequence[str], source: TypedSource) -> Iterator[Batch]:
    for batch in source.batches(names):
        yield partial(_checked, batch, source)


def _checked(batch: pa.RecordBatch, source: TypedSource) -> pa.Table:
    """Return `batch` as a table of ORDERS; raises OrderFileError when it is not what `read_orders` writes."""
    try:
        table = pa.Table.from_batches([batch])
        for field in list(ORDERS)[table.num_columns :]:  # what earlier versions did not know is null
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        table = table.cast(ORDERS)
        table.validate(full=True)
    except pa.ArrowException as error:
        raise source.damaged(error, None) from error
    codes = [code for code in pc.unique(table["currency_code"]).to_pylist() if code is not None]
    wrong = sorted(set(codes) - set(EXPONENTS))
    if wrong:
        raise _not_ours(source.name, "currency_code", f'"{wrong[0]}" is not an ISO 4217 currency code')
    for name in KEYS:
        keys = whole_column(table[name])
        if not clean_keys(keys).equals(keys):
            raise _not_ours(source.name, name, "some keys are blank, padded or not Unicode NFC")
    return table


def _check_types(schema: pa.Schema, path: str) -> None:
    for name in schema.names:
        field, found = ORDERS.field(name), schema.field(name).type
        if found != field.type and not (is_text(found) and is_text(field.type)) and not pa.types.is_null(found):
            raise _not_ours(path, field.name, f"its type is {found}, not {field.type}")


def _not_ours(path: str, column: str, problem: str) -> OrderFileError:
    return OrderFileError(
        f'this has the columns of an `orders.parquet`, but not its content: column "{column}": {problem}',
        path=path,
        column=column,
        hint="give the file as `reconcile` wrote it, or name the columns with --reference-column and --amount-column",
    )
