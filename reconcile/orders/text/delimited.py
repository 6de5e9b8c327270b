"""
Delimited text (CSV, TSV, any delimiter) to batches of order cells, with the physical line of every row.

Knows how a block of whole records becomes columns: parsed by Arrow with every column as text, or taken from the
records that needed care. Rows whose cells are all blank are left out, wherever they stand. Does not know what a cell
means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from typing import IO, Literal, cast

import numpy as np
import pyarrow as pa
from pyarrow import csv

from reconcile.files.arrow import Column, whole_column
from reconcile.files.arrow import compute as pc
from reconcile.orders.cells.continuations import key_of
from reconcile.orders.cells.left_out import is_filled
from reconcile.orders.columns.mapping import ColumnMap, map_columns
from reconcile.orders.columns.not_a_table import telling_kind
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import Batch, OpenedOrders, RawRows
from reconcile.orders.places.sources import OrderSource, SourceStream
from reconcile.orders.rejects import Reject, shortened
from reconcile.orders.text.blocks import TextBlocks
from reconcile.orders.text.dialect import Header, read_header
from reconcile.orders.text.records import Block, Dialect, Record, blocks_of, record_spans, scan_record

_TABLE = "a table of text"
_IS_ROWS = "is several rows in one, by a quote that is opened in one of them and closed in another"
_LINE = re.compile(rb"\r\n|\n|\r")
_AMOUNT_LIKE = re.compile(rb"[^A-Za-z0-9]*[0-9][^A-Za-z]*")
_SHOWN = 200  # characters of a row that is rejected whole


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
            rejects += _each_line(record.text, record.line, record.problem)
        elif (fitted := _fitted(record, header, columns)) is None:
            rejects += _each_line(record.text, record.line, _ragged(len(record.cells), header))
            short.append(record)
        elif _is_rows(record.text, header, columns):
            rejects += _each_line(record.text, record.line, _IS_ROWS)
        else:
            good.append(fitted)
    raw = replace(_raw_rows(good, columns), rejects=tuple(rejects))
    return _with_short(raw, short)


def _raw_rows(good: Sequence[Record], columns: ColumnMap) -> RawRows:
    """Return records that have a cell for each column as rows."""
    cells = {
        role: pa.array([record.cells[position] for record in good], pa.string())
        for role, position in columns.positions.items()
    }
    shown = {place: pa.array([record.cells[place] for record in good], pa.string()) for place in columns.shown}
    return RawRows(pa.array([record.line for record in good], pa.int64()), cells, shown=shown)


def _fitted(record: Record, header: Header, columns: ColumnMap) -> Record | None:
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


def _from_text(block: Block, header: Header, columns: ColumnMap) -> RawRows:
    ragged: list[csv.InvalidRow] = []
    parsed = _parsed(block.text, header, columns, ragged)
    overfull = _overfull(parsed, header)
    cells = {role: parsed[place] for role, place in columns.positions.items()}
    good = len(cells["amount"])
    total = good + len(ragged)
    plain = not ragged and total == block.line_behind - block.first_line  # every line is a record, quotes or not
    if plain:
        lines = pa.array(np.arange(block.first_line, block.first_line + total))
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
    fits, short, rejects = _by_width(others, header, columns)
    good_at = np.delete(np.arange(len(lines)), ragged_at)
    kept = np.ones(len(good_at), np.bool_)
    for i in () if overfull is None else pc.indices_nonzero(overfull).to_pylist():
        kept[i], at = False, good_at[i]
        cells = len(header.names) + header.spare
        rejects += _each_line(block.text[starts[at] : ends[at]], int(lines[at]), _ragged(cells, header))
    for i in pc.indices_nonzero(_maybe_blank(raw.cells)).to_pylist():
        kept[i] &= not texts.is_blank(block.text[starts[good_at[i]] : ends[good_at[i]]])
    lines_after = np.append(lines[1:], block.line_behind)
    for i in np.flatnonzero(kept & ((lines_after - lines)[good_at] > 1)):
        at = good_at[i]
        text = block.text[starts[at] : ends[at]]
        if _is_rows(text, header, columns):
            kept[i] = False
            rejects += _each_line(text, int(lines[at]), _IS_ROWS)
    found = replace(raw, lines=pa.array(lines[good_at]), rejects=tuple(rejects)).where(pa.array(kept))
    return _with_short(_together(found, _raw_rows(fits, columns)) if fits else found, short)


def _by_width(
    records: Iterable[Record], header: Header, columns: ColumnMap
) -> tuple[list[Record], list[Record], list[Reject]]:
    """Return records of another width than the header: those that fit it, the others, and their rejects."""
    fits: list[Record] = []
    others: list[Record] = []
    rejects: list[Reject] = []
    for record in records:
        if (fitted := _fitted(record, header, columns)) is not None:
            fits.append(fitted)
        else:
            rejects += _each_line(record.text, record.line, _ragged(len(record.cells), header))
            others += [record] if columns.shown else []
    return fits, others, rejects


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


def _with_short(raw: RawRows, short: Sequence[Record]) -> RawRows:
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


def _ragged(cells: int, header: Header) -> str:
    return f"has {cells} cell{'' if cells == 1 else 's'}, the header has {len(header.names)}"


def _each_line(text: bytes, line: int, reason: str) -> list[Reject]:
    """Reject every line of a record: what a stray quote has drawn together are as many rows as lines."""
    return [Reject(line + i, None, shortened(one.decode(), _SHOWN), reason) for i, one in enumerate(_LINE.split(text))]


def _is_rows(text: bytes, header: Header, columns: ColumnMap) -> bool:
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
