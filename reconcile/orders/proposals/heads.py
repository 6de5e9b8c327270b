"""
The beginning of order files: as the reader reads it under a declaration, and cell by cell, whatever is declared; and
rows far down in one, as a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from msgspec import structs

from reconcile.errors import OrderFileError
from reconcile.orders.batches import finished, settled
from reconcile.orders.cells.rows import OrderRows
from reconcile.orders.cells.suspects import KeylessTotals
from reconcile.orders.columns.fixed import completed
from reconcile.orders.columns.mapping import KEYS
from reconcile.orders.columns.marks import MarksMet
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.opening import SOURCES, OrderPaths, sources_of
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.rejects import Reject
from reconcile.orders.text.delimited import open_delimited
from reconcile.orders.text.excerpt import excerpt_from
from reconcile.schema import ORDERS

_MOST_FILES = 10
_MOST_COLUMNS = 60  # that are tried until one can be read as anything
_MOST_CELLS = 500
_ENOUGH_ROWS = 2_000
_UNDECLARED: dict[str, Any] = {
    **dict.fromkeys(
        (
            "order_number_column",
            "order_id_column",
            "ordered_on_column",
            "currency_column",
            "method_column",
            "sign_column",
        ),
        "",
    ),
    **dict.fromkeys(("document_column", "debit_column", "credit_column", "continuation_rows"), None),
    **{name: {} for name in ("only", "withdrawn", "signs")},
    "carry": (),
    "currency": "EUR",
    "amount_unit": "major",
    "skip_rows": ("\0",),  # no row is that, and all cells are wanted for it
}


@dataclass(frozen=True, slots=True)
class Head:
    """The first rows of order files under a declaration: good ones (ORDERS), rejects, whether that is all of them."""

    table: pa.Table
    rejects: tuple[Reject, ...]
    rejected_rows: int
    left_out: int
    is_all: bool

    @property
    def keyless(self) -> int:
        """Number of good rows without any key."""
        return int(sum(not any(keys) for keys in zip(*(self.table[key].to_pylist() for key in KEYS), strict=True)))

    @property
    def left(self) -> tuple[int, int]:
        """How much is still in the way: rejected rows and rows without a key, then rejected cells."""
        return self.rejected_rows + self.keyless, len(self.rejects)


def head_of(paths: OrderPaths, form: OrderFormat) -> Head:
    """Return the head of the files in `paths`, read as `form` says. Raises OrderFileError as reading them does."""
    marks, found, is_all = MarksMet(form.marks), list[OrderRows](), True
    for source, opened in _opened(paths, form):
        marks.add(opened.columns, path=source.name)
        whole = completed(form, opened.columns)
        finish = partial(finished, columns=opened.columns, form=whole, source_file=source.name)
        first, is_whole = _beginning(opened.batches)
        found += settled(map(finish, first), opened.columns, whole, KeylessTotals())
        is_all = is_all and is_whole
    marks.check()
    return _together(found, is_all=is_all)


def _beginning(batches: Iterator[Batch]) -> tuple[list[RawRows | pa.Table], bool]:
    """Return the first rows of a file, batch by batch, and whether these are all of it."""
    found: list[RawRows | pa.Table] = []
    left = _ENOUGH_ROWS
    for batch in batches:
        if left <= 0:
            return found, False
        rows = batch()
        found.append(_up_to(left, rows))
        left -= rows.num_rows if isinstance(rows, pa.Table) else len(rows.lines)
    return found, left >= 0


def _up_to(most: int, rows: RawRows | pa.Table) -> RawRows | pa.Table:
    """Return the first rows, `most` at most."""
    if isinstance(rows, pa.Table):
        return rows.slice(0, most)
    if len(rows.lines) <= most:
        return rows
    some = rows.where(pa.array([True] * most + [False] * (len(rows.lines) - most)))
    last = some.lines[-1].as_py()
    return replace(some, rejects=tuple(one for one in rows.rejects if one.line <= last))


def _together(found: Sequence[OrderRows], *, is_all: bool) -> Head:
    return Head(
        pa.concat_tables([ORDERS.empty_table(), *(rows.table for rows in found)]),
        tuple(reject for rows in found for reject in rows.rejects),
        sum(rows.rejected_rows for rows in found),
        sum(rows.continued + sum(line.rows for line in rows.left_out) for rows in found),
        is_all,
    )


@dataclass(frozen=True, slots=True)
class Cells:
    """The names of a file's columns, and the first cells of each, blanks among them."""

    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]


def cells_of(paths: OrderPaths, form: OrderFormat, *, header_line: int | None) -> Cells | None:
    """Return the cells of the first file in `paths`, by whatever columns; None where none can be opened so."""
    line = form.header_line or header_line
    for at in range(1, _MOST_COLUMNS):
        probe = {**_UNDECLARED, "reference_column": f"#{at}", "amount_column": f"#{at}", "header_line": line}
        try:
            for _, opened in _opened(paths, structs.replace(form, **probe)):
                batch = next(opened.batches, None)
                rows = batch() if batch is not None else None
                if isinstance(rows, RawRows):
                    return Cells(
                        opened.columns.names, tuple(_first(rows, at) for at in range(len(opened.columns.names)))
                    )
                return None
        except OrderFileError as error:
            if error.asks is None and error.column is None:
                return None
    return None


def _first(rows: RawRows, place: int) -> tuple[str, ...]:
    return tuple(text or "" for text in rows.shown[place].slice(0, _MOST_CELLS).to_pylist())


@contextmanager
def excerpt(paths: OrderPaths, form: OrderFormat, source_file: str, line: int) -> Iterator[Path | None]:
    """
    Keep the first rows of a file in `paths` and those from `line` on in a file of its own, while the block runs.

    None where it is no delimited text, or has no such rows. Raises OrderFileError as reading it does.
    """
    with ExitStack() as stack:
        sources, _ = sources_of(stack, paths, form, [])
        source = next((one for one in sources if one.name == source_file), None)
        text = None
        if source is not None and SOURCES[source.suffix][1] is open_delimited:
            with closing(SourceStream(source)) as stream:
                text = excerpt_from(stream, form, path=source_file, line=line)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="reconcile-")))
        if text is not None:
            (folder / "orders.csv").write_bytes(text)
        yield folder / "orders.csv" if text is not None else None


def _opened(paths: OrderPaths, form: OrderFormat) -> Iterator[tuple[OrderSource, OpenedOrders]]:
    with ExitStack() as stack:
        sources, _ = sources_of(stack, paths, form, [])
        for source in islice(sources, _MOST_FILES):
            with closing(SourceStream(source)) as stream:
                yield source, SOURCES[source.suffix][1](source, stream, form)
