"""
Records of delimited text that are not one row as wide as the header: which fit all the same, why others do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa

from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.opened import RawRows
from reconcile.orders.rejects import Reject, shortened
from reconcile.orders.text.dialect import Header
from reconcile.orders.text.records import Record

ARE_ROWS = "is several rows in one, by a quote that is opened in one of them and closed in another"
"""Why a record is rejected that `are_rows`."""

_LINE = re.compile(rb"\r\n|\n|\r")
_AMOUNT_LIKE = re.compile(rb"[^A-Za-z0-9]*[0-9][^A-Za-z]*")
_SHOWN = 200  # characters of a row that is rejected whole


def fitted_record(record: Record, header: Header, columns: ColumnMap) -> Record | None:
    """
    Return a record with a cell for every name: without further ones that are blank, and with those that it lacks.

    None where a further cell is filled, or one is lacking that is needed: nobody knows then which cell is which.
    """
    width, cells = len(header.names), record.cells
    if len(cells) == width:
        return record
    if len(cells) > width:
        return None if any(cell.strip() for cell in cells[width:]) else replace(record, cells=cells[:width])
    if len(cells) <= max(*columns.positions.values(), *columns.marks.values(), 0):
        return None
    return replace(record, cells=(*cells, *("",) * (width - len(cells))))


def by_width(
    records: Iterable[Record], header: Header, columns: ColumnMap
) -> tuple[list[Record], list[Record], list[Reject]]:
    """Return records of another width than the header: those that fit it, the others, and their rejects."""
    fits: list[Record] = []
    others: list[Record] = []
    rejects: list[Reject] = []
    for record in records:
        if (fitted := fitted_record(record, header, columns)) is not None:
            fits.append(fitted)
        else:
            rejects += each_line(record.text, record.line, why_ragged(len(record.cells), header))
            others += [record] if columns.shown else []
    return fits, others, rejects


def with_short(raw: RawRows, short: Sequence[Record]) -> RawRows:
    """
    Return `raw` with rows of another width than the header behind it, if they may be left out: by their first cell.

    Nobody knows in which columns their other cells stand.
    """
    footers = [record for record in short if not _LINE.search(record.text)]
    if not footers or not raw.shown:
        return raw
    place = min(raw.shown)
    firsts = pa.array([next(filter(str.strip, record.cells), None) for record in footers], pa.string())
    nothing = pa.nulls(len(footers), pa.string())
    return replace(
        raw,
        lines=pa.concat_arrays([raw.lines, pa.array([record.line for record in footers], pa.int64())]),
        cells={role: pa.concat_arrays([column, nothing]) for role, column in raw.cells.items()},
        shown={at: pa.concat_arrays([one, firsts if at == place else nothing]) for at, one in raw.shown.items()},
    )


def are_rows(text: bytes, header: Header, columns: ColumnMap) -> bool:
    """
    Whether a record of several lines looks like as many rows, drawn together by a stray pair of quotes.

    It does where two of its lines, cut at every delimiter, have a cell for each column and an amount in its place.
    """
    at, width = columns.positions["amount"], len(header.names)
    lines = _LINE.split(text)
    if len(lines) < 2 or width < 2:
        return False
    cut = (line.split(header.dialect.delimiter.encode()) for line in lines)
    return sum(len(cells) == width and _AMOUNT_LIKE.fullmatch(cells[at]) is not None for cells in cut) > 1


def why_ragged(cells: int, header: Header) -> str:
    """Return why a record of so many `cells` is rejected."""
    return f"has {cells} cell{'' if cells == 1 else 's'}, the header has {len(header.names)}"


def each_line(text: bytes, line: int, reason: str) -> list[Reject]:
    """Reject every line of a record: what a stray quote has drawn together are as many rows as lines."""
    return [Reject(line + i, None, shortened(one.decode(), _SHOWN), reason) for i, one in enumerate(_LINE.split(text))]
