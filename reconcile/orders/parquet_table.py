"""
Parquet to batches of order cells; a file of our own ORDERS passes through as it is, once it is checked.

Knows which Arrow types keep what was written: texts, integers and decimals do, a float does not and is refused. A
row's line is its number in the file, from 1. Does not know what a cell means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.arrow import Column, whole_column
from reconcile.arrow import compute as pc
from reconcile.errors import OrderFileError, first_line
from reconcile.money import EXPONENTS
from reconcile.orders.columns import ColumnMap, map_columns
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.options import COLUMN_OPTIONS, OrderFormat
from reconcile.orders.rows import clean_keys
from reconcile.orders.sources import OrderSource, SourceStream, unreadable
from reconcile.schema import ORDERS

_BATCH_ROWS = 1 << 16


def open_parquet(source: OrderSource, _: SourceStream, form: OrderFormat) -> OpenedOrders:
    """Return the rows of `source`; raises OrderFileError when it is damaged or a column's type loses digits."""
    if source.compression:
        raise OrderFileError(
            "a Parquet file inside another compression cannot be read",
            path=source.name,
            hint="uncompress it first: Parquet is compressed inside",
        )
    try:
        file = pq.ParquetFile(source.path)
    except pa.ArrowException as error:
        raise _damaged(source.name, error) from error
    except OSError as error:
        raise unreadable(source.path, error) from error
    schema = file.schema_arrow
    if schema.names == ORDERS.names and not form.names_columns:
        _check_types(schema, source.name)
        columns = ColumnMap(tuple(schema.names), {name: at for at, name in enumerate(schema.names)})
        return OpenedOrders(columns, _own_rows(file, source.name))
    columns = map_columns(schema.names, form, path=source.name)
    readers = {role: _reader(role, schema.field(columns.positions[role]), source.name) for role in columns.positions}
    return OpenedOrders(columns, _batches(file, columns, readers, source.name))


Reader = Callable[[Column], Column]


def _batches(file: pq.ParquetFile, columns: ColumnMap, readers: dict[str, Reader], path: str) -> Iterator[Batch]:
    first = 1
    for batch in _read(file, sorted({columns.name(role) for role in columns.positions}), path):
        yield partial(_rows, batch, first, columns, readers, path)
        first += batch.num_rows


def _rows(batch: pa.RecordBatch, first: int, columns: ColumnMap, readers: dict[str, Reader], path: str) -> RawRows:
    cells = {}
    for role, read in readers.items():
        column = batch.column(columns.name(role))
        try:
            column.validate(full=True)  # Parquet does not promise that a text is UTF-8
            cells[role] = read(column)
        except pa.ArrowException as error:
            raise _damaged(path, error, column=columns.name(role)) from error
    is_text = _is_text(batch.column(columns.name("amount")).type)
    lines = pa.array(range(first, first + batch.num_rows), pa.int64())
    literal = None if is_text else pa.repeat(pa.scalar(True), batch.num_rows)
    return RawRows(lines, cells, literal=literal)


def _own_rows(file: pq.ParquetFile, path: str) -> Iterator[Batch]:
    for batch in _read(file, ORDERS.names, path):
        yield partial(_checked, batch, path)


def _checked(batch: pa.RecordBatch, path: str) -> pa.Table:
    """Return `batch` as a table of ORDERS; raises OrderFileError when it is not what `read_orders` writes."""
    try:
        table = pa.Table.from_batches([batch]).cast(ORDERS)
        table.validate(full=True)
    except pa.ArrowException as error:
        raise _damaged(path, error) from error
    codes = [code for code in pc.unique(table["currency_code"]).to_pylist() if code is not None]
    wrong = sorted(set(codes) - set(EXPONENTS))
    if wrong:
        raise _not_ours(path, "currency_code", f'"{wrong[0]}" is not an ISO 4217 currency code')
    for name in ("reference", "order_number", "order_id"):
        keys = whole_column(table[name])
        if not clean_keys(keys).equals(keys):
            raise _not_ours(path, name, "some keys are blank, padded or not Unicode NFC")
    return table


def _read(file: pq.ParquetFile, names: list[str], path: str) -> Iterator[pa.RecordBatch]:
    batches = file.iter_batches(batch_size=_BATCH_ROWS, columns=names)
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise _damaged(path, error) from error
        if batch is None:
            return
        yield batch


def _check_types(schema: pa.Schema, path: str) -> None:
    for field in ORDERS:
        found = schema.field(field.name).type
        if found != field.type and not (_is_text(found) and _is_text(field.type)) and not pa.types.is_null(found):
            raise _not_ours(path, field.name, f"its type is {found}, not {field.type}")


def _reader(role: str, field: pa.Field[Any], path: str) -> Reader:
    """Return how a column of the type of `field` becomes text without losing anything."""
    found = field.type
    if pa.types.is_null(found) or _is_text(found):
        return _as_text
    if role == "ordered_on" and (pa.types.is_date(found) or pa.types.is_timestamp(found)):
        return _date_text
    if role != "currency" and pa.types.is_integer(found):
        return _as_text
    if (role == "amount" and pa.types.is_decimal(found)) or (role != "currency" and _is_whole_decimal(found)):
        return _decimal_text
    option = COLUMN_OPTIONS[role]
    if pa.types.is_floating(found):
        problem = f'column "{field.name}" is a float ({found}): its digits are no longer exact'
        hint = f"export it as text, as a decimal or in whole cents, or name another column with {option}"
    else:
        problem = f'column "{field.name}" is {found}, which is no {role.replace("_", " ")}'
        hint = f"export it as text, or name another column with {option}"
    raise OrderFileError(problem, path=path, column=field.name, hint=hint)


def _as_text(column: Column) -> Column:
    return column.cast(pa.string())


def _date_text(column: Column) -> Column:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = pc.local_timestamp(column)
    return column.cast(pa.date32(), safe=False).cast(pa.string())


def _decimal_text(column: Column) -> Column:
    """Return plain decimal texts without the zeros that only the type's scale puts there: 12.3000 is 12.3."""
    scale = column.type.scale
    if scale < 0:
        column = column.cast(pa.decimal256(76, 0))
    texts = column.cast(pa.string())
    if scale <= 0:
        return texts
    # Arrow writes a zero of ten decimals as 0E-10.
    plain = pc.if_else(pc.equal(column, pa.scalar(0, column.type)), "0.0", texts)
    trimmed: Column = pc.replace_substring_regex(plain, r"\.?0+$", "")
    return trimmed


def _is_text(found: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    return any(
        is_kind(found)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
        )
    )


def _is_whole_decimal(found: pa.DataType) -> bool:
    return pa.types.is_decimal(found) and found.scale == 0


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
