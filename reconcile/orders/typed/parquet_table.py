"""
Parquet to batches of order cells: what `typed.table` makes of any table, read from a file.

Knows Parquet's files, and the columns that the names of their folders hold.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.errors import OrderFileError, first_line
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import OpenedOrders
from reconcile.orders.places.sources import OrderSource, SourceStream, unreadable
from reconcile.orders.typed.columns import export_it
from reconcile.orders.typed.table import TypedSource, open_table

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
        path = cast(str, os.fsencode(source.path))  # a name need not be Unicode: Arrow takes bytes, its types do not
        with contextlib.ExitStack() as stack:
            opened = stack.enter_context(pa.OSFile(path, "r"))
            file = pq.ParquetFile(opened)
            orders = open_table(file.schema_arrow, _typed_source(file, source), form)
            stack.pop_all()  # whoever reads the rows closes it
            return orders
    except pa.ArrowException as error:
        raise _damaged(source.name, error) from error
    except OSError as error:
        raise unreadable(source.name, error) from error


def _typed_source(file: pq.ParquetFile, source: OrderSource) -> TypedSource:
    def batches(names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        found = file.iter_batches(batch_size=_BATCH_ROWS, columns=list(names))
        try:
            while (batch := next(found, None)) is not None:
                yield batch
        except (pa.ArrowException, OSError) as error:
            raise _damaged(source.name, error) from error
        finally:
            file.close(force=True)  # it was given an open file, which it would leave open

    return TypedSource(
        name=source.name,
        batches=batches,
        damaged=lambda error, column: _damaged(source.name, error, column=column),
        remedy=export_it,
        partitions=source.partitions,
    )


def _damaged(path: str, error: Exception, column: str | None = None) -> OrderFileError:
    return OrderFileError(
        f"this is not a readable Parquet file ({first_line(error)})", path=path, column=column, hint="export it again"
    )
