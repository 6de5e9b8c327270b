"""
Items and breaks as a run has published them, also one of an earlier version: with the columns of ITEMS of this one.

The one place that knows how earlier versions said what is a column now.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OutputError, first_line
from reconcile.files.duckdb import connected
from reconcile.files.parquet import completed, scan, stored
from reconcile.schema import ITEMS

# SQL over the columns that they had; what else they did not know is null.
_BEFORE_IT_WAS = {
    "break_id": "CASE WHEN is_break THEN item_id END",
    "at_stake_currency_code": "coalesce(payment_currency_code, order_currency_code)",
    "at_stake_cents": """abs(coalesce(
        CASE WHEN status IN ('matched', 'within_tolerance', 'amount_mismatch', 'flagged_by_api')
        THEN difference_cents END, payment_amount_cents, order_amount_cents, 0))""",
}

NEEDED_LATER = "it records since when breaks are open: restore it as it was published, or run its date again"
"""What to do about breaks that cannot be read, where a later run needs them."""


CHANGED = "`reconcile runs verify` reports what was changed"
"""What to do about a file of a run that cannot be read."""


@contextlib.contextmanager
def read_errors(place: Path, problem: str = "cannot be read", *, hint: str = CHANGED) -> Iterator[None]:
    """Turn what DuckDB, Arrow and the disk say in the block into an OutputError about `place`."""
    try:
        yield
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        raise OutputError(f"{place}: {problem}: {first_line(error)}", hint=hint) from error


def breaks_in(breaks: Path, names: Sequence[str] = ITEMS.names, *, hint: str = NEEDED_LATER) -> pa.Table:
    """
    Return the columns `names` of the breaks in a `breaks.parquet`, or among items, in the order of the file.

    Raises OutputError with `hint` when it cannot be read.
    """
    with read_errors(breaks, hint=hint), connected() as connection:
        table: pa.Table = connection.sql(breaks_sql(breaks, names)).to_arrow_table()
    return table.cast(pa.schema(ITEMS.field(name) for name in names))


def breaks_sql(breaks: Path, names: Sequence[str] = ITEMS.names) -> str:
    """Return the SELECT of `breaks_in`; raises as `columns_in`."""
    return f"SELECT {item_columns(columns_in(breaks).names, names)} FROM {scan(breaks)} WHERE is_break"


def items_sql(items: Path) -> str:
    """Return SQL that may stand after FROM, for items or breaks in a Parquet file: ITEMS; raises as `columns_in`."""
    found = columns_in(items)
    return scan(items) if found.equals(ITEMS) else f"(SELECT {item_columns(found.names)} FROM {scan(items)})"


def item_columns(found: Collection[str], names: Sequence[str] = ITEMS.names) -> str:
    """Return the columns `names` of ITEMS as SQL over items that have the columns `found`."""
    return completed(found, pa.schema(ITEMS.field(name) for name in names), _BEFORE_IT_WAS)


def columns_in(items: Path) -> pa.Schema:
    """
    Return the columns of ITEMS that a file of items or breaks has: all of them, or those of an earlier version.

    Raises OutputError when it is no table of items, OSError or an Arrow error when it cannot be opened.
    """
    return stored(items, pq.read_schema(items), ITEMS)
