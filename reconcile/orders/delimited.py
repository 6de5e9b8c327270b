"""
Delimited text (CSV, TSV, any delimiter) to batches of order cells, with the physical line of every row.

Knows how a block of whole records becomes columns: parsed by Arrow with every column as text, or taken from the
records that needed care. Rows whose cells are all blank are left out, wherever they stand. Does not know what a cell
means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import IO, Literal, cast

import numpy as np
import pyarrow as pa
from pyarrow import csv

from reconcile.arrow import Column, whole_column
from reconcile.arrow import compute as pc
from reconcile.orders.columns import ColumnMap, map_columns
from reconcile.orders.dialect import Header, find_header
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.options import OrderFormat
from reconcile.orders.records import Block, Dialect, Record, blocks_of, record_spans, scan_record
from reconcile.orders.rejects import Reject, shortened
from reconcile.orders.sources import OrderSource, SourceStream
from reconcile.orders.text import TextBlocks, count_lines

_SHOWN = 200  # characters of a row that is rejected whole


def open_delimited(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    """Return the table in `stream`; raises OrderFileError when its header, dialect or encoding cannot be read."""
    texts = TextBlocks(stream, path=source.name, encoding=form.encoding)
    pieces = iter(texts)
    head, second = next(pieces, b""), next(pieces, b"")
    header = find_header(head, form, path=source.name, final=not second)
    columns = map_columns(header.names, form, path=source.name, line=header.line)
    blocks = blocks_of(
        chain((head[header.rows_at :], second), pieces), header.dialect, path=source.name, first_line=header.rows_line
    )
    return OpenedOrders(
        columns=columns,
        batches=_batches(blocks, header, columns),
        encoding=texts.encoding,
        delimiter=header.dialect.delimiter,
        quote=header.dialect.quote,
    )


def _batches(blocks: Iterator[Block], header: Header, columns: ColumnMap) -> Iterator[Batch]:
    for block in blocks:
        if block.records is not None:
            yield partial(_from_records, block.records, header, columns)
        elif block.text.strip(b"\r\n"):
            yield partial(_from_text, block, header, columns)


def _from_records(records: Sequence[Record], header: Header, columns: ColumnMap) -> RawRows:
    width = len(header.names)
    good: list[Record] = []
    rejects: list[Reject] = []
    for record in records:
        if record.problem is not None:
            text = header.dialect.delimiter.join(record.cells)
            rejects.append(Reject(record.line, None, shortened(text, _SHOWN), record.problem))
        elif record.is_blank:
            continue
        elif len(record.cells) != width:
            text = header.dialect.delimiter.join(record.cells)
            rejects.append(_ragged(record.line, text, len(record.cells), width))
        else:
            good.append(record)
    cells = {
        role: pa.array([record.cells[position] for record in good], pa.string())
        for role, position in columns.positions.items()
    }
    return RawRows(pa.array([record.line for record in good], pa.int64()), cells, tuple(rejects))


def _from_text(block: Block, header: Header, columns: ColumnMap) -> RawRows:
    ragged: list[csv.InvalidRow] = []
    cells = _parsed(block.text, header, columns, ragged)
    good = len(cells["reference"])
    total = good + len(ragged)
    quote = header.dialect.quote.encode()
    if not ragged and not (quote and quote in block.text) and total == _line_count(block.text):
        lines = pa.array(np.arange(block.first_line, block.first_line + total))
    else:
        lines = pa.array(record_spans(block.text, header.dialect, block.first_line)[2])
    assert len(lines) == total, "Arrow and record_spans disagree on what a record is"
    if not ragged and not pc.any(_maybe_blank(cells)).as_py():
        return RawRows(lines, cells)
    return _without_odd_rows(block, header, cells, ragged)


def _parsed(text: bytes, header: Header, columns: ColumnMap, ragged: list[csv.InvalidRow]) -> dict[str, Column]:
    """Return the text of each mapped column; rows of another width go to `ragged`, with their number from 1."""

    def set_aside(row: csv.InvalidRow) -> Literal["skip"]:
        ragged.append(row)
        return "skip"

    names = [str(position) for position in range(len(header.names))]
    wanted = sorted({names[position] for position in columns.positions.values()})
    table = csv.read_csv(
        cast("IO[bytes]", pa.BufferReader(text)),
        # One thread: whole blocks run beside each other instead, and rows set aside keep their number.
        read_options=csv.ReadOptions(use_threads=False, column_names=names, block_size=len(text) + 1),
        parse_options=csv.ParseOptions(
            delimiter=header.dialect.delimiter,
            quote_char=header.dialect.quote or False,
            newlines_in_values=True,
            invalid_row_handler=set_aside,
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.string()),
            include_columns=wanted,
            check_utf8=False,  # the text is known to be
        ),
    )
    return {role: whole_column(table[names[position]]) for role, position in columns.positions.items()}


def _without_odd_rows(
    block: Block, header: Header, cells: Mapping[str, Column], ragged: Sequence[csv.InvalidRow]
) -> RawRows:
    """Return the block without blank rows, and with those of another width as rejects."""
    starts, ends, lines = record_spans(block.text, header.dialect, block.first_line)
    texts = _Blank(header.dialect)
    ragged_at = np.array([(row.number or 0) - 1 for row in ragged], np.int64)
    rejects = []
    for row, at in zip(ragged, ragged_at, strict=True):
        text = block.text[starts[at] : ends[at]]
        if not texts.is_blank(text):
            rejects.append(_ragged(int(lines[at]), text.decode(), row.actual_columns, row.expected_columns))
    good_at = np.delete(np.arange(len(lines)), ragged_at)
    kept = np.ones(len(good_at), np.bool_)
    for i in pc.indices_nonzero(_maybe_blank(cells)).to_pylist():
        kept[i] = not texts.is_blank(block.text[starts[good_at[i]] : ends[good_at[i]]])
    mask = pa.array(kept)
    return RawRows(
        pa.array(lines[good_at]).filter(mask),
        {role: column.filter(mask) for role, column in cells.items()},
        tuple(rejects),
    )


class _Blank:
    """Tells records without any content; those look alike, so each look is read once."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[bytes, bool] = {}

    def is_blank(self, text: bytes) -> bool:
        known = self._known.get(text)
        if known is None:
            scanned = scan_record(text, 0, 1, self._dialect, final=True)
            known = self._known[text] = scanned is not None and scanned[0].is_blank
        return known


def _maybe_blank(cells: Mapping[str, Column]) -> Column:
    """Return the rows without an amount and a reference: they may be blank all over."""
    amount, reference = (
        pc.or_(pc.equal(pc.binary_length(cells[role]), 0), pc.utf8_is_space(cells[role]))
        for role in ("amount", "reference")
    )
    empty: Column = pc.and_(amount, reference)
    return empty


def _ragged(line: int, text: str, cells: int, width: int) -> Reject:
    counted = f"{cells} cell{'' if cells == 1 else 's'}"
    return Reject(line, None, shortened(text, _SHOWN), f"has {counted}, the header has {width}")


def _line_count(text: bytes) -> int:
    return count_lines(text) + (not text.endswith((b"\n", b"\r")))
