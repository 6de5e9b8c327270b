"""Breaks as a run has published them, also one of an earlier version: with the columns of ITEMS of this one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError, first_line
from reconcile.files.duckdb import connected
from reconcile.files.parquet import scan
from reconcile.schema import ITEMS

# How earlier versions knew what is a column now; what else they did not know is null.
_BEFORE_IT_WAS = {
    "break_id": "item_id",
    "at_stake_currency_code": "coalesce(payment_currency_code, order_currency_code)",
    "at_stake_cents": """abs(coalesce(
        CASE WHEN status IN ('amount_mismatch', 'within_tolerance') THEN difference_cents END,
        payment_amount_cents, order_amount_cents, 0))""",
}

NEEDED_LATER = "it records since when breaks are open: restore it as it was published, or run its date again"
"""What to do about breaks that cannot be read, where a later run needs them."""


def breaks_in(breaks: Path, names: Sequence[str] = ITEMS.names, *, hint: str = NEEDED_LATER) -> pa.Table:
    """
    Return the columns `names` of the breaks in a `breaks.parquet`, or among items, in the order of the file.

    Raises OutputError with `hint` when it cannot be read.
    """
    try:
        with connected() as connection:
            table: pa.Table = connection.sql(breaks_sql(breaks, names)).to_arrow_table()
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        raise OutputError(f"{breaks}: cannot be read: {first_line(error)}", hint=hint) from error
    return table.cast(pa.schema(ITEMS.field(name) for name in names))


def breaks_sql(breaks: Path, names: Sequence[str]) -> str:
    """Return the SELECT of `breaks_in`. Raises OSError or an Arrow error when the file cannot be opened."""
    found = set(pq.read_schema(breaks).names)
    columns = ", ".join(
        f'"{name}"' if name in found else f'{_BEFORE_IT_WAS.get(name, "NULL")} AS "{name}"' for name in names
    )
    return f"SELECT {columns} FROM {scan(breaks)} WHERE is_break"
