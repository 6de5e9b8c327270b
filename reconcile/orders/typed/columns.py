"""
Typed columns to cells of text, without losing a digit: what a Parquet file and a database have in common.

Knows which Arrow types keep what was written: strings, integers and decimals do. A float does not: it is refused as a
column, but for amounts that are doubles where the caller allows for them. Does not know what a cell means, nor where
the column comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from math import isnan
from typing import Any
from uuid import UUID

import pyarrow as pa

from reconcile.errors import OrderFileError, first_line
from reconcile.files.arrow import Column, text_column
from reconcile.files.arrow import compute as pc
from reconcile.files.doubles import double_text
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.format import COLUMN_OPTIONS
from reconcile.orders.opened import RawRows

Reader = Callable[[Column], Column]

TYPE_NAME = b"type_name"
"""Metadata of a field: what its source calls the type."""

_BATCH_ROWS = 1 << 16


def export_it(role: str, _: str) -> str:
    """Return what to do about a column of a file that has lost digits, or is no such thing as `role`."""
    return "export it as text, as a decimal or in whole cents" if role == "amount" else "export it as text"


def cast_in_query(casts: Mapping[str, str], *, text: str = "text") -> Callable[[str, str], str]:
    """Return what to do about a column of a query: cast it to the type in `casts` of its role, else to `text`."""

    def cast(role: str, name: str) -> str:
        quoted = '"{}"'.format(name.replace('"', '""'))
        plain = re.fullmatch("[a-z_][a-z0-9_]*", name)
        return f"write CAST({name if plain else quoted} AS {casts.get(role, text)}) in the query"

    return cast


def column_readers(
    schema: pa.Schema,
    columns: ColumnMap,
    *,
    path: str,
    remedy: Callable[[str, str], str] = export_it,
    doubles: bool = False,
) -> dict[str, Reader]:
    """
    Return for each mapped role how a column of its type in `schema` becomes text without losing anything.

    With `doubles`, amounts may be binary floats of 64 bits: they are then what they are at 15 digits.
    `remedy` says what to do about the column of a role and name. A field's metadata may have the name that its source
    gives the type (`TYPE_NAME`). Raises OrderFileError for a type that has lost digits (float) or cannot be what the
    column is mapped to.
    """
    readers: dict[str, Reader] = {}
    for role, position in columns.positions.items():
        field = schema.field(position)
        if role in columns.loose and not is_text(field.type):
            readers[role] = _nothing
            continue
        reader = _double_texts if doubles and role == "amount" and is_double(field.type) else _reader(role, field)
        if reader is None:
            hint = f"{remedy(role, field.name)}, or name another column with {COLUMN_OPTIONS[role]}"
            raise OrderFileError(_problem(role, field), path=path, column=field.name, hint=hint)
        readers[role] = reader
    return readers


def typed_rows(
    column_at: Callable[[int], Column],
    columns: ColumnMap,
    readers: Mapping[str, Reader],
    *,
    first: int,
    damaged: Callable[[int, Exception], OrderFileError],
) -> RawRows:
    """
    Return the rows of typed columns as text; `column_at` gives the one at a place, `first` is the first row's line.

    Raises what `damaged` makes of a place and its error when a column is not what its type says.
    """

    def text_at(place: int, reader: Reader) -> Column:
        try:
            column = column_at(place)
            column.validate(full=True)  # neither a file nor a database promises that a string is UTF-8
            return reader(column)
        except pa.ArrowException as error:
            raise damaged(place, error) from error

    cells = {role: text_at(place, readers[role]) for role, place in columns.positions.items()}
    shown = {place: text_at(place, _shown_text) for place in columns.shown}
    count = len(cells["amount"])
    literal = None if is_text(column_at(columns.positions["amount"]).type) else pa.repeat(pa.scalar(True), count)
    return RawRows(pa.array(range(first, first + count), pa.int64()), cells, literal=literal, shown=shown)


def read_batches(reader: Any, errors_told: Callable[[], AbstractContextManager[None]]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a query's `reader` as they are made; what it raises meanwhile, `errors_told` says."""
    while True:
        with errors_told():
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
        yield batch


def typed_batches(
    batches: Iterable[pa.RecordBatch], columns: ColumnMap, readers: Mapping[str, Reader], *, path: str
) -> Iterator[RawRows]:
    """Yield the rows of a query's `batches` as text, lines from 1; raises OrderFileError as `typed_rows` does."""

    def damaged(place: int, error: Exception) -> OrderFileError:
        name = columns.names[place]
        problem = f'column "{name}" holds values that its type does not allow ({first_line(error)})'
        return OrderFileError(problem, path=path, column=name, hint="fix the data, or exclude such rows in the query")

    first = 1
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            part = batch.slice(start, _BATCH_ROWS)
            yield typed_rows(part.column, columns, readers, first=first, damaged=damaged)
            first += part.num_rows


def is_text(found: pa.DataType) -> bool:
    """Return whether columns of type `found` hold strings, or bytes that are meant as such."""
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


def is_double(found: pa.DataType) -> bool:
    """Return whether columns of type `found` hold binary floats of 64 bits."""
    return pa.types.is_float64(found)


def _reader(role: str, field: pa.Field[Any]) -> Reader | None:
    found = field.type
    is_key = role not in ("amount", "currency", "ordered_on")
    if pa.types.is_null(found) or is_text(found):
        return _as_text
    if role == "ordered_on" and (pa.types.is_date(found) or pa.types.is_timestamp(found)):
        return _date_text
    if role != "currency" and pa.types.is_integer(found):
        return _as_text
    if (role == "amount" and pa.types.is_decimal(found)) or (role != "currency" and _is_whole_decimal(found)):
        return _decimal_text
    if _is_numeric(found) and (role == "amount" or (is_key and not numeric_scale(field))):
        return _numeric_text
    if is_key and isinstance(found, pa.UuidType):
        return _uuid_text
    return None


def _problem(role: str, field: pa.Field[Any]) -> str:
    name = (field.metadata or {}).get(TYPE_NAME, str(field.type).encode()).decode()
    if pa.types.is_floating(field.type):
        return f'column "{field.name}" is a float ({name}): its digits are no longer exact'
    return f'column "{field.name}" is {name}, which is not valid as {role.replace("_", " ")}'


def _shown_text(column: Column) -> Column:
    """Return the text of a column of any type, by which rows are told apart and no money is counted."""
    kind = column.type
    if is_text(kind) or pa.types.is_null(kind):
        return _as_text(column)
    if pa.types.is_decimal(kind):
        return _decimal_text(column)
    if isinstance(kind, pa.UuidType):
        return _uuid_text(column)
    if isinstance(kind, pa.BaseExtensionType):
        return _shown_text(_storage(column))
    if pa.types.is_floating(kind):
        return text_column([None if value is None else double_text(value) for value in column.to_pylist()])
    try:
        return column.cast(pa.string())
    except pa.ArrowNotImplementedError:  # a list, a struct
        return text_column([None if value is None else str(value) for value in column.to_pylist()])


def _nothing(column: Column) -> Column:
    return pa.nulls(len(column), pa.string())


def _as_text(column: Column) -> Column:
    return column.cast(pa.string())


def _date_text(column: Column) -> Column:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:  # an instant: its date is another's to say
        instants: Column = pc.floor_temporal(column.cast(pa.timestamp("us", "UTC")), unit="second")
        return instants.cast(pa.timestamp("s", "UTC")).cast(pa.string())
    return column.cast(pa.date32(), safe=False).cast(pa.string())


def _double_texts(column: Column) -> Column:
    """Return what doubles are taken to mean (`double_text`), null for one that is no number: so a frame has blanks."""
    values = column.to_pylist()
    return text_column([None if value is None or isnan(value) else double_text(value) for value in values])


def _decimal_text(column: Column) -> Column:
    """Return plain decimal strings without the zeros that only the type's scale puts there: 12.3000 is 12.3."""
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


def _numeric_text(column: Column) -> Column:
    """
    Return plain decimal strings as `_decimal_text` does, of a column that comes as text in another type's
    clothes.
    """
    trimmed: Column = pc.replace_substring_regex(_storage(column), r"^(-?[0-9]+)(?:\.0+|(\.[0-9]*[1-9])0+)$", r"\1\2")
    return trimmed


def _uuid_text(column: Column) -> Column:
    texts = [None if value is None else str(UUID(bytes=value)) for value in _storage(column).to_pylist()]
    return text_column(texts)


def _storage(column: Any) -> Column:
    """Return what a column of an extension type is made of."""
    storage: Column = column.storage
    return storage


def _is_numeric(found: pa.DataType) -> bool:
    """Return whether `found` is PostgreSQL's exact decimal, of any precision, as ADBC hands it over."""
    return isinstance(found, pa.OpaqueType) and found.type_name == "numeric" and pa.types.is_string(found.storage_type)


def numeric_scale(field: pa.Field[Any]) -> int:
    """Return the decimals that a PostgreSQL numeric is declared to have, 0 when it is not declared."""
    modifier = int((field.metadata or {}).get(b"POSTGRESQL:typmod", b"-1"))
    if modifier < 4:
        return 0
    # precision << 16 | scale in 11 bits with a sign, plus 4: `numeric_typmod_scale` in PostgreSQL's numeric.c
    return max(0, (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400)


def _is_whole_decimal(found: pa.DataType) -> bool:
    return pa.types.is_decimal(found) and found.scale == 0
