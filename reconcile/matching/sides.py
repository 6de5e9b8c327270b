"""
The two sides as the matching sees them: columns checked and named, keys as they were written.

A payment side has the columns PAYMENT_SIDE (`p_…`) once `due` has told what each payment is worth, an order side
ORDER_SIDE (`o_…`), both with a row number;
`o_order_reference`, its reference once more under the name of that key, is added when keys are clean.
Knows what may stand in for a column that is missing, and which values count as known.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals.stable.v2 as nw
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OrderFileError, PaymentFileError, first_line
from reconcile.files.arrow import compute as pc
from reconcile.files.doubles import FIRST_INEXACT
from reconcile.keys import NOT_BLANK
from reconcile.matching.due import WORTH, known
from reconcile.matching.engines.arrow import aligned
from reconcile.matching.engines.protocol import Engine, Fields, FileEngine, Frame
from reconcile.matching.policy import SIDE_KEYS, MatchPolicy
from reconcile.money import ORDER_TOTALS
from reconcile.schema import ORDERS, PAYMENTS, TRANSACTIONS

_PAYMENT_NAMES = {
    "p_id": "payment_id",
    "p_reference_raw": "reference",
    "p_reference": "reference",
    "p_order_number": "order_number",
    "p_order_id": "order_id",
    "p_order_reference": "order_reference",
    "p_order_reference_raw": "order_reference",
    "p_currency": "currency_code",
    "p_mismatched": "mismatched_amounts",
    "p_order_status": "order_status",
    "p_payment_status": "payment_status",
    "p_mode": "mode",
    "p_placed_at": "placed_at",
    "p_created_at": "created_at",
    "p_updated_at": "updated_at",
    "p_gateway": "payment_gateway_name",
    "p_market": "market_name",
    "p_source_type": "order_source_type",
    "p_authorized": "authorized_amount_cents",
    "p_captured": "captured_amount_cents",
    "p_refunded": "refunded_amount_cents",
    "p_voided": "voided_amount_cents",
}
_MONEY_NAMES = {"p_total": ORDER_TOTALS[0], "p_is_current": "is_current_source"}
_ORDER_NAMES = {
    "o_reference_raw": "reference_raw",
    "o_reference": "reference",
    "o_order_number": "order_number",
    "o_order_id": "order_id",
    "o_amount": "amount_cents",
    "o_currency": "currency_code",
    "o_ordered_on": "ordered_on",
    "o_method": "method",
    "o_carried": "carried",
    "o_source_file": "source_file",
    "o_source_line": "source_line",
}
_TRANSACTION_NAMES = {
    "t_type": "type",
    "t_order_id": "order_id",
    "t_payment_id": "payment_id",
    "t_amount": "amount_cents",
    "t_currency": "currency_code",
    "t_succeeded": "succeeded",
}
_WITH_ARROW_TYPES = '; in pandas, read with dtype_backend="pyarrow": a float has lost digits already'
PAYMENT_SIDE = ("p_row", *_PAYMENT_NAMES, "p_is_current", "p_is_share", *WORTH)
ORDER_SIDE = ("o_row", *_ORDER_NAMES, "o_order_reference")
_REQUIRED = {
    "payments": ("payment_id", "created_at"),
    "orders": ("amount_cents",),
    "transactions": ("order_id", "payment_id", "type", "amount_cents", "succeeded"),
}


def payments_from_parquet(engine: FileEngine, path: Path, policy: MatchPolicy) -> Frame:
    """Open a Parquet file of PAYMENTS lazily. Raises PaymentFileError when it is not one."""
    return _scan(engine, path, _payment_columns(policy), "payments")


def orders_from_parquet(engine: FileEngine, path: Path) -> Frame:
    """Open a Parquet file of ORDERS lazily. Raises OrderFileError when it is not one."""
    return _scan(engine, path, _order_columns(), "orders")


def transactions_from_parquet(engine: FileEngine, path: Path | None) -> Frame | None:
    """Open a Parquet file of TRANSACTIONS lazily, if there is one. Raises PaymentFileError when it is not one."""
    return None if path is None else _scan(engine, path, _transaction_columns(), "transactions")


def payments_from_arrow(engine: Engine, table: pa.Table, policy: MatchPolicy) -> Frame:
    """Take a table of PAYMENTS. Raises PaymentFileError when its columns are not theirs."""
    return engine.from_arrow(_aligned(table, _payment_columns(policy), "payments"))


def orders_from_arrow(engine: Engine, table: pa.Table) -> Frame:
    """Take a table of ORDERS. Raises OrderFileError when its columns are not theirs."""
    return engine.from_arrow(_aligned(table, _order_columns(), "orders"))


def transactions_from_arrow(engine: Engine, table: pa.Table | None) -> Frame | None:
    """Take a table of TRANSACTIONS, if there is one. Raises PaymentFileError when its columns are not theirs."""
    return None if table is None else engine.from_arrow(_aligned(table, _transaction_columns(), "transactions"))


def whole_side(side: str, table: pa.Table, policy: MatchPolicy) -> pa.Table:
    """
    Return a frame's table of "payments", "orders" or "transactions" with all columns of that side, in their types.

    What the matching does not need, and is of another type, is null. Raises PaymentFileError and OrderFileError as
    above.
    """
    needed, schema = _NEEDED[side](policy), _SCHEMAS[side]
    whole = {field.name: field for field in schema}
    known = _as_meant(table, whole, side)
    _check(known.schema, needed, side, side)
    misfits = [one.name for one in known.schema if one.name in whole and not _fits(one.type, whole[one.name].type)]
    return _aligned(known.drop_columns(misfits), whole, side).select(schema.names)


def with_known_values(frame: Frame, x: str) -> Frame:
    """
    Return the side `x` (p, o) without what is no currency or no amount: blank codes, and AMOUNT_LIMIT or more.

    One odd value is the status of its row, `amount_unknown`, never the end of a night. The SQL of it is in
    `figures.proof`, which counts the files. What a payment is worth is known after `due.with_worth`.
    """
    currency = nw.col(f"{x}_currency")
    frame = frame.with_columns(nw.when(currency.str.contains(NOT_BLANK)).then(currency).alias(f"{x}_currency"))
    return frame if x == "p" else frame.with_columns(known(nw.col("o_amount")).alias("o_amount"))


def with_order_reference(orders: Frame) -> Frame:
    """Return the order side with its reference as what the key `order_reference` is compared with."""
    return orders.with_columns(nw.col("o_reference").alias("o_order_reference"))


def _payment_columns(policy: MatchPolicy) -> Fields:
    names = {**_PAYMENT_NAMES, **_MONEY_NAMES}
    if policy.amount_basis in ORDER_TOTALS:
        names["p_basis_total"] = policy.amount_basis
    return {ours: PAYMENTS.field(theirs) for ours, theirs in names.items()}


def _order_columns() -> Fields:
    return {ours: ORDERS.field(theirs) for ours, theirs in _ORDER_NAMES.items()}


def _transaction_columns() -> Fields:
    return {ours: TRANSACTIONS.field(theirs) for ours, theirs in _TRANSACTION_NAMES.items()}


_SCHEMAS = {"payments": PAYMENTS, "orders": ORDERS, "transactions": TRANSACTIONS}
_NEEDED: dict[str, Callable[[MatchPolicy], Fields]] = {
    "payments": _payment_columns,
    "orders": lambda _: _order_columns(),
    "transactions": lambda _: _transaction_columns(),
}


def _scan(engine: FileEngine, path: Path, columns: Fields, side: str) -> Frame:
    try:
        found = pq.read_schema(path)
    except FileNotFoundError:
        raise bad_side(side, "no such file", path=path) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise bad_side(side, f"is not a Parquet file ({error})", path=path) from error
    _check(found, columns, side, path)
    return engine.from_parquet(path, columns, f"{side[0]}_row")


def _aligned(table: pa.Table, columns: Fields, side: str) -> pa.Table:
    table = _as_meant(table, columns, side)
    _check(table.schema, columns, side, side)
    try:
        return aligned(table, columns, f"{side[0]}_row")
    except pa.ArrowInvalid as error:
        raise bad_side(side, f"cannot be read: {first_line(error)}", path=side) from error


def _as_meant(table: pa.Table, columns: Fields, side: str) -> pa.Table:
    """Return a frame's table with what its kind cannot say otherwise in the types of `columns`: integers, and times."""
    return _with_times(with_whole_numbers(table, columns, side), columns)


def _with_times(table: pa.Table, columns: Fields) -> pa.Table:
    """Return `table` with times as frames have them in the types of `columns`: of any precision, or for a date."""
    for field in columns.values():
        given = table.schema.field(field.name).type if field.name in table.column_names else None
        if given is None or not pa.types.is_timestamp(given):
            continue
        if pa.types.is_timestamp(field.type) or (pa.types.is_date(field.type) and given.tz is None):
            column = table.column(field.name).cast(field.type, safe=False)
            table = table.set_column(table.column_names.index(field.name), field.name, column)
    return table


def with_whole_numbers(table: pa.Table, columns: Fields, side: str) -> pa.Table:
    """
    Return a frame's table with integers in place of doubles that are whole numbers: a null has made them of integers.

    Raises PaymentFileError and OrderFileError for a column of `columns` in which one is not.
    """
    for field in columns.values():
        at = table.schema.get_field_index(field.name)
        if at >= 0 and pa.types.is_integer(field.type) and pa.types.is_float64(table.schema.field(at).type):
            table = table.set_column(at, field.name, _whole(table.column(at), field, side))
    return table


def _whole(column: Any, field: pa.Field[Any], side: str) -> Any:
    numbers = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
    is_whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), float(FIRST_INEXACT)))
    if (row := pc.index(is_whole, False).as_py()) >= 0:
        problem = f'row {row + 1} of column "{field.name}" is {numbers[row].as_py()!r}, which is no whole number'
        hint = f"the column must be {field.type}{_WITH_ARROW_TYPES}"
        raise bad_side(side, problem, path=side, column=field.name, hint=hint)
    return numbers.cast(field.type)


def _check(found: pa.Schema, columns: Fields, side: str, path: str | Path) -> None:
    required = _REQUIRED[side]
    wanted = {field.name: field for field in columns.values()}
    for name in required:
        if name not in found.names:
            raise bad_side(side, f'has no column "{name}"', path=path, column=name)
    keys = SIDE_KEYS.get(side, required)
    if not any(key in found.names for key in keys):
        raise bad_side(side, f"has none of the key columns {', '.join(keys)}", path=path)
    for name, field in wanted.items():
        if name not in found.names:
            continue
        type_ = found.field(name).type
        if not _fits(type_, field.type):
            hint = f"the column must be {field.type}{_remedy(type_, field)}"
            raise bad_side(side, f'column "{name}" is {type_}', path=path, column=name, hint=hint)


def _remedy(given: pa.DataType, wanted: pa.Field[Any]) -> str:
    """Return how a column that is of another type becomes what is wanted, where that is sure."""
    if pa.types.is_floating(given):
        return _WITH_ARROW_TYPES
    if pa.types.is_string(wanted.type) and pa.types.is_integer(given):
        return "; read it as text: a number has lost its leading zeros"
    if pa.types.is_timestamp(wanted.type) and pa.types.is_large_string(given):
        return f'; in pandas: pandas.to_datetime(frame["{wanted.name}"], utc=True)'
    return ""


def _fits(given: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether every value of type `given` can be read as `wanted` without a guess."""
    types = pa.types
    if types.is_dictionary(given):
        given = given.value_type
    if types.is_null(given) or given == wanted:
        return True
    if types.is_string(wanted):
        return types.is_large_string(given) or types.is_string_view(given)
    if types.is_integer(wanted):
        return types.is_integer(given)
    if types.is_timestamp(wanted):
        return types.is_timestamp(given)
    return types.is_date(wanted) and types.is_date(given)


def bad_side(
    side: str, problem: str, *, path: str | Path, column: str | None = None, hint: str | None = None
) -> PaymentFileError | OrderFileError:
    """Return the error for a side that cannot be used."""
    error = OrderFileError if side == "orders" else PaymentFileError
    return error(problem, path=path, column=column, hint=hint)
