"""
Parquet to batches of order cells; a file of our own ORDERS passes through as it is, once it is checked.

Knows Parquet's files, the columns that the names of their folders hold, and how one that is `orders.parquet` of a run
is recognised. A row's line is its number in the file, from 1. How a typed column becomes text is said in
`typed.columns`; what a cell means is not known here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OrderFileError, first_line
from reconcile.files.arrow import Column, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.money import EXPONENTS
from reconcile.orders.cells.rows import clean_keys
from reconcile.orders.columns.mapping import KEYS, ColumnMap, map_columns
from reconcile.orders.columns.marks import mark_places
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.places.sources import OrderSource, SourceStream, unreadable
from reconcile.orders.typed.columns import Reader, column_readers, is_double, is_text, typed_rows
from reconcile.schema import ORDERS

_BATCH_ROWS = 1 << 16
_OWN = tuple(ORDERS.names[:some] for some in range(ORDERS.names.index("amount_raw") + 1, len(ORDERS) + 1))
"""Columns of our own files: of this version, and of those before, which had fewer."""


def open_parquet(source: OrderSource, _: SourceStream, form: OrderFormat) -> OpenedOrders:
    """Return the rows of `source`; raises OrderFileError when it is damaged or a column's type loses digits."""
    if source.compression:
        raise OrderFileError(
            "a Parquet file inside another compression cannot be read",
            path=source.name,
            hint="uncompress it first: Parquet is compressed inside",
        )
    try:
        path = cast(str, os.fsencode(source.path))  # a name need not be Unicode: Arrow takes bytes, its types do not
        with contextlib.ExitStack() as stack:
            opened = stack.enter_context(pa.OSFile(path, "r"))
            orders = _opened(pq.ParquetFile(opened), source, form)
            stack.pop_all()  # whoever reads the rows closes it
            return orders
    except pa.ArrowException as error:
        raise _damaged(source.name, error) from error
    except OSError as error:
        raise unreadable(source.name, error) from error


def _opened(file: pq.ParquetFile, source: OrderSource, form: OrderFormat) -> OpenedOrders:
    schema = file.schema_arrow
    if schema.names in _OWN and not form.names_columns:
        _check_types(schema, source.name)
        marks = mark_places(schema.names, form.marks, path=source.name)
        if "carried" in schema.names:  # what was carried when the file was written, under the same names
            marks = dict.fromkeys(form.carry, schema.names.index("carried")) | marks
        columns = ColumnMap(tuple(schema.names), {name: at for at, name in enumerate(schema.names)}, marks=marks)
        return OpenedOrders(columns, _own_rows(file, schema.names, source.name))
    schema, inside = _flat(_with_partitions(schema, source))
    columns = map_columns(schema.names, form, path=source.name, inside=inside)
    readers = column_readers(schema, columns, path=source.name, doubles=True)
    amount = schema.field(columns.positions["amount"])
    floats = (amount.name,) if is_double(amount.type) else ()
    return OpenedOrders(columns, _batches(file, columns, readers, source), floats=floats)


def _with_partitions(schema: pa.Schema, source: OrderSource) -> pa.Schema:
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
    file: pq.ParquetFile, columns: ColumnMap, readers: dict[str, Reader], source: OrderSource
) -> Iterator[Batch]:
    first = 1
    used = {columns.names[place] for place in (*columns.positions.values(), *columns.shown)}
    there = [name for name in file.schema_arrow.names if any(one == name or one.startswith(f"{name}.") for one in used)]
    for batch in _read(file, there, source.name):
        yield partial(_rows, batch, first, columns, readers, source)
        first += batch.num_rows


def _rows(
    batch: pa.RecordBatch, first: int, columns: ColumnMap, readers: dict[str, Reader], source: OrderSource
) -> RawRows:
    def damaged(place: int, error: Exception) -> OrderFileError:
        return _damaged(source.name, error, column=columns.names[place])

    def column(place: int) -> Column:
        name = columns.names[place]
        if name not in source.partitions:
            return _column(batch, name)
        return pa.repeat(pa.scalar(source.partitions[name], pa.string()), batch.num_rows)

    return typed_rows(column, columns, readers, first=first, damaged=damaged)


def _own_rows(file: pq.ParquetFile, names: list[str], path: str) -> Iterator[Batch]:
    for batch in _read(file, names, path):
        yield partial(_checked, batch, path)


def _checked(batch: pa.RecordBatch, path: str) -> pa.Table:
    """Return `batch` as a table of ORDERS; raises OrderFileError when it is not what `read_orders` writes."""
    try:
        table = pa.Table.from_batches([batch])
        for field in list(ORDERS)[table.num_columns :]:  # what earlier versions did not know is null
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
        table = table.cast(ORDERS)
        table.validate(full=True)
    except pa.ArrowException as error:
        raise _damaged(path, error) from error
    codes = [code for code in pc.unique(table["currency_code"]).to_pylist() if code is not None]
    wrong = sorted(set(codes) - set(EXPONENTS))
    if wrong:
        raise _not_ours(path, "currency_code", f'"{wrong[0]}" is not an ISO 4217 currency code')
    for name in KEYS:
        keys = whole_column(table[name])
        if not clean_keys(keys).equals(keys):
            raise _not_ours(path, name, "some keys are blank, padded or not Unicode NFC")
    return table


def _read(file: pq.ParquetFile, names: list[str], path: str) -> Iterator[pa.RecordBatch]:
    batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=names)
    try:
        while (batch := next(batches, None)) is not None:
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    finally:
        file.close(force=True)  # it was given an open file, which it would leave open


def _check_types(schema: pa.Schema, path: str) -> None:
    for name in schema.names:
        field, found = ORDERS.field(name), schema.field(name).type
        if found != field.type and not (is_text(found) and is_text(field.type)) and not pa.types.is_null(found):
            raise _not_ours(path, field.name, f"its type is {found}, not {field.type}")


def _damaged(path: str, error: Exception, column: str | None = None) -> OrderFileError:
    return OrderFileError(
        f"this is not a readable Parquet file ({first_line(error)})", path=path, column=column, hint="export it again"
    )


def _not_ours(path: str, column: str, problem: str) -> OrderFileError:
    return OrderFileError(
        f'this has the columns of an `orders.parquet`, but not its content: column "{column}": {problem}',
        path=path,
        column=column,
        hint="give the file as `reconcile` wrote it, or name the columns with --reference-column and --amount-column",
    )
