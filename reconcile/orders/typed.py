"""
Typed columns to cells of text, without losing a digit: what a Parquet file and a database have in common.

Knows which Arrow types keep what was written: texts, integers and decimals do, a float does not and is refused as a
column. Knows the one text of a floating-point number where a source has no other kind (`double_text`). Does not know
what a cell means, nor where the column comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from reconcile.arrow import Column
from reconcile.arrow import compute as pc
from reconcile.errors import OrderFileError
from reconcile.orders.columns import ColumnMap
from reconcile.orders.opened import RawRows
from reconcile.orders.options import COLUMN_OPTIONS

Reader = Callable[[Column], Column]

_FIRST_INEXACT = 2**53  # every whole number below has a double of its own
_NOISE_TELLS_ITSELF = 10**12  # below, 15 digits leave three decimals: what is beyond them is no money, but noise


def column_readers(schema: pa.Schema, columns: ColumnMap, *, path: str, remedy: str = "export it") -> dict[str, Reader]:
    """
    Return for each mapped role how a column of its type in `schema` becomes text without losing anything.

    `remedy` begins the hint: what to do where the column comes from. Raises OrderFileError for a type that has lost
    digits (float) or cannot be what the column is mapped to.
    """
    return {role: _reader(role, schema.field(position), path, remedy) for role, position in columns.positions.items()}


def typed_rows(
    typed: Mapping[str, Column],
    readers: Mapping[str, Reader],
    *,
    first: int,
    damaged: Callable[[str, Exception], OrderFileError],
) -> RawRows:
    """
    Return the rows of the columns `typed` (by role) as text; `first` is the line of the first row.

    Raises what `damaged` makes of a role and its error when a column is not what its type says.
    """
    cells = {}
    for role, column in typed.items():
        try:
            column.validate(full=True)  # neither a file nor a database promises that a text is UTF-8
            cells[role] = readers[role](column)
        except pa.ArrowException as error:
            raise damaged(role, error) from error
    count = len(cells["amount"])
    literal = None if is_text(typed["amount"].type) else pa.repeat(pa.scalar(True), count)
    return RawRows(pa.array(range(first, first + count), pa.int64()), cells, literal=literal)


def is_text(found: pa.DataType) -> bool:
    """Return whether columns of type `found` hold texts, or bytes that are meant as such."""
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


def double_text(value: float) -> str:
    """
    Return the decimal text that a double is taken to mean, for sources that have no exact decimals.

    At 15 significant digits, without an exponent: 12.3 is "12.3", and so is 12.300000000000001. A decimal of up to 15
    digits survives being a double (C, DBL_DIG), and a spreadsheet shows no more. Whole numbers below 2**53 are written
    in full. From 10**12 on, 15 digits cannot tell noise from cents: a fraction that is not exactly its own text gets
    all its binary digits, and a whole number from 2**53 on an exponent, so that no amount is made of either.
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= _FIRST_INEXACT:
        return repr(value) if "e" in repr(value) else f"{value:.17e}"
    if value == int(value):
        return str(int(value))
    text = format(Decimal(f"{value:.15g}"), "f")
    if abs(value) < _NOISE_TELLS_ITSELF or float(text) == value:
        return text
    return format(Decimal(value), "f")


def _reader(role: str, field: pa.Field[Any], path: str, remedy: str) -> Reader:
    found = field.type
    if pa.types.is_null(found) or is_text(found):
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
        hint = f"{remedy} as text, as a decimal or in whole cents, or name another column with {option}"
    else:
        problem = f'column "{field.name}" is {found}, which is no {role.replace("_", " ")}'
        hint = f"{remedy} as text, or name another column with {option}"
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


def _is_whole_decimal(found: pa.DataType) -> bool:
    return pa.types.is_decimal(found) and found.scale == 0
