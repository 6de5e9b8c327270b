"""
Delimited text (CSV, TSV, any delimiter) to batches of order cells, with the physical line of every row.

Knows how a block of whole records becomes columns: parsed by Arrow with every column as text, or taken from the
records that needed care. Rows whose cells are all blank are left out, wherever they stand. Does not know what a cell
means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import IO, Literal, cast

import numpy as np
import pyarrow as pa
from pyarrow import csv

from reconcile.files.arrow import Column, numbers_from, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.orders.cells.continuations import key_of
from reconcile.orders.cells.left_out import is_filled
from reconcile.orders.columns.mapping import ColumnMap, map_columns
from reconcile.orders.columns.not_a_table import telling_kind
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.rejects import Reject
from reconcile.orders.text.blocks import TextBlocks
from reconcile.orders.text.dialect import Header, read_header
from reconcile.orders.text.records import Block, Dialect, Record, blocks_of, record_spans, scan_record
from reconcile.orders.text.widths import ARE_ROWS, are_rows, by_width, each_line, fitted_record, why_ragged, with_short

_TABLE = "a table of text"


def open_delimited(source: OrderSource, stream: SourceStream, form: OrderFormat) -> OpenedOrders:
    """Return the table in `stream`; raises OrderFileError when its header, dialect or encoding cannot be read."""
    texts = TextBlocks(stream, path=source.name, encoding=form.encoding)
    with telling_kind(texts.head, wanted=_TABLE, path=source.name, form=form):
        header, _, rows = read_header(iter(texts), form, path=source.name)
        columns = map_columns(header.names, form, path=source.name, line=header.line).with_first
    blocks = blocks_of(rows, header.dialect, path=source.name, first_line=header.rows_line)
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
        elif block.text[0] not in b"\r\n" or block.text.strip(b"\r\n"):
            yield partial(_from_text, block, header, columns)


def _from_records(records: Sequence[Record], header: Header, columns: ColumnMap) -> RawRows:
    good: list[Record] = []
    rejects: list[Reject] = []
    short: list[Record] = []
    for record in records:
        if record.problem is None and record.is_blank:
            continue
        if record.problem is not None:
            rejects += each_line(record.text, record.line, record.problem)
        elif (fitted := fitted_record(record, header, columns)) is None:
            rejects += each_line(record.text, record.line, why_ragged(len(record.cells), header))
            short.append(record)
        elif are_rows(record.text, header, columns):
            rejects += each_line(record.text, record.line, ARE_ROWS)
        else:
            good.append(fitted)
    raw = replace(_raw_rows(good, columns), rejects=tuple(rejects))
    return with_short(raw, short)


def _raw_rows(good: Sequence[Record], columns: ColumnMap) -> RawRows:
    """Return records that have a cell for each column as rows."""
    cells = {
        role: pa.array([record.cells[position] for record in good], pa.string())
        for role, position in columns.positions.items()
    }
    shown = {place: pa.array([record.cells[place] for record in good], pa.string()) for place in columns.shown}
    return RawRows(pa.array([record.line for record in good], pa.int64()), cells, shown=shown)


def _from_text(block: Block, header: Header, columns: ColumnMap) -> RawRows:
    ragged: list[csv.InvalidRow] = []
    parsed = _parsed(block.text, header, columns, ragged)
    overfull = _overfull(parsed, header)
    cells = {role: parsed[place] for role, place in columns.positions.items()}
    good = len(cells["amount"])
    total = good + len(ragged)
    plain = not ragged and total == block.line_behind - block.first_line  # every line is a record, quotes or not
    if plain:
        lines = numbers_from(block.first_line, total)
    else:
        lines = pa.array(record_spans(block.text, header.dialect, block.first_line)[2])
    assert len(lines) == total, "Arrow and record_spans disagree on what a record is"
    raw = RawRows(lines, cells, shown={place: parsed[place] for place in columns.shown})
    if plain and overfull is None and not pc.any(_maybe_blank(cells)).as_py():
        return raw
    return _without_odd_rows(block, header, columns, raw, ragged, overfull)


def _overfull(parsed: Mapping[int, Column], header: Header) -> Column | None:
    """Return which rows have something in cells that the header has no names for; None where no row has."""
    spare = [is_filled(parsed[place]) for place in range(len(header.names), len(header.names) + header.spare)]
    filled: Column | None = reduce(pc.or_, spare) if spare else None
    return filled if filled is not None and pc.any(filled).as_py() else None


def _parsed(text: bytes, header: Header, columns: ColumnMap, ragged: list[csv.InvalidRow]) -> dict[int, Column]:
    """Return the text of each wanted column; rows of another width go to `ragged`, with their number from 1."""

    def set_aside(row: csv.InvalidRow) -> Literal["skip"]:
        ragged.append(row)
        return "skip"

    width = len(header.names) + header.spare
    names = [str(position) for position in range(width)]
    places = {*columns.positions.values(), *columns.shown, *range(len(header.names), width)}
    wanted = sorted(names[place] for place in places)
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
    return {place: whole_column(table[names[place]]) for place in places}


def _without_odd_rows(
    block: Block,
    header: Header,
    columns: ColumnMap,
    raw: RawRows,
    ragged: Sequence[csv.InvalidRow],
    overfull: Column | None,
) -> RawRows:
    """Return the block without blank rows, and with those of another width, or of several rows in one, as rejects."""
    starts, ends, lines = record_spans(block.text, header.dialect, block.first_line)
    texts = _Blank(header.dialect)
    ragged_at = np.array([(row.number or 0) - 1 for row in ragged], np.int64)
    wide_or_short = [(block.text[starts[at] : ends[at]], int(lines[at])) for at in ragged_at]
    others = (one for text, line in wide_or_short if not texts.is_blank(text)
              for one in _scanned(text, line, header.dialect))  # fmt: skip
    fits, short, rejects = by_width(others, header, columns)
    good_at = np.delete(np.arange(len(lines)), ragged_at)
    kept = np.ones(len(good_at), np.bool_)
    for i in () if overfull is None else pc.indices_nonzero(overfull).to_pylist():
        kept[i], at = False, good_at[i]
        cells = len(header.names) + header.spare
        rejects += each_line(block.text[starts[at] : ends[at]], int(lines[at]), why_ragged(cells, header))
    for i in pc.indices_nonzero(_maybe_blank(raw.cells)).to_pylist():
        kept[i] &= not texts.is_blank(block.text[starts[good_at[i]] : ends[good_at[i]]])
    lines_after = np.append(lines[1:], block.line_behind)
    for i in np.flatnonzero(kept & ((lines_after - lines)[good_at] > 1)):
        at = good_at[i]
        text = block.text[starts[at] : ends[at]]
        if are_rows(text, header, columns):
            kept[i] = False
            rejects += each_line(text, int(lines[at]), ARE_ROWS)
    found = replace(raw, lines=pa.array(lines[good_at]), rejects=tuple(rejects)).where(pa.array(kept))
    return with_short(_together(found, _raw_rows(fits, columns)) if fits else found, short)


def _together(some: RawRows, others: RawRows) -> RawRows:
    """Return both in the order of their lines, with the rejects of `some`."""
    lines = pa.concat_arrays([some.lines, others.lines])
    order = pc.sort_indices(lines)

    def joined(one: Column, other: Column) -> Column:
        return pa.concat_arrays([one, other]).take(order)

    return replace(
        some,
        lines=lines.take(order),
        cells={role: joined(column, others.cells[role]) for role, column in some.cells.items()},
        shown={place: joined(column, others.shown[place]) for place, column in some.shown.items()},
    )


def _scanned(text: bytes, line: int, dialect: Dialect) -> Iterator[Record]:
    if (scanned := scan_record(text, 0, line, dialect, final=True)) is not None:
        yield scanned[0]


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
    """Return the rows without an amount and a key: they may be blank all over."""
    empty: Column = pc.invert(is_filled(cells[key_of(cells)]))
    if pc.any(empty).as_py():
        empty = pc.and_not(empty, is_filled(cells["amount"]))
    return empty
