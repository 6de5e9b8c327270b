"""
The header and the dialect of delimited text: which characters separate and quote, and where the rows begin.

Knows that the first line that is not blank names the columns; where it cannot, as the title of a list or the first line
of a DATEV file, it is the one line near the top that can. The delimiter is the one under which most of those names are
known columns of an order table (`columns`): unlike a statistic over the rows, that does not mistake the decimal commas
of a tab-separated file, or a string full of commas, for the structure of the table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import has_required, known_columns
from reconcile.orders.format import OrderFormat
from reconcile.orders.text.blocks import count_lines
from reconcile.orders.text.records import Dialect, Record, scan_record

DELIMITERS = (",", ";", "\t", "|", ":", "^", "~", "\x1f")
"""Delimiters that are looked for; any other is named with `--delimiter`."""

_SEARCHED_LINES = 100
_SAMPLED_RECORDS = 100  # by which the width of the rows is known
# Saved again, the line is a cell as any other: with quotes, and filled up with delimiters.
_SEPARATOR_LINE = re.compile(rb'"?sep=([\x01-\x09\x0b\x0c\x0e-\x7f])\1*"?(?=[\r\n]|\Z)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """
    The dialect, the column names with the line they stand on, and at which byte and line the rows begin.

    `problem` is what is wrong with its quotes. Rows end in `spare` blank cells that the header has no names for.
    """

    dialect: Dialect
    names: tuple[str, ...]
    line: int
    rows_at: int
    rows_line: int
    problem: str | None = None
    spare: int = 0


@dataclass(frozen=True, slots=True)
class _Top:
    """The beginning of the text at `path`, all of it when `final`, and what the user declares about it."""

    head: bytes
    form: OrderFormat
    path: str
    final: bool


def read_header(pieces: Iterator[bytes], form: OrderFormat, *, path: str) -> tuple[Header, bytes, Iterator[bytes]]:
    """Return the header of the text in `pieces`, the text up to its rows, and these. Raises as `find_header`."""
    head, blank_lines = _first_with_content(pieces)
    second = next(pieces, b"")
    header = find_header(head, form, path=path, final=not second, first_line=blank_lines + 1)
    return header, head[: header.rows_at], chain((head[header.rows_at :], second), pieces)


def _first_with_content(pieces: Iterator[bytes]) -> tuple[bytes, int]:
    """Return the first block that is not all blank, and the number of lines before it."""
    lines = 0
    for piece in pieces:
        if piece.strip():
            return piece, lines
        lines += count_lines(piece)
    return b"", lines


def find_header(head: bytes, form: OrderFormat, *, path: str, final: bool, first_line: int = 1) -> Header:
    """
    Return the header of the text that begins with `head` (all of it when `final`), whose first line is `first_line`.

    A line `sep=;` before all others, as spreadsheets write it, names the delimiter. Raises OrderFileError when there
    is no header, or when it is not whole.
    """
    start = len(head) - len(head.lstrip(b" \t\r\n"))
    start = max(head.rfind(b"\n", 0, start), head.rfind(b"\r", 0, start)) + 1
    delimiter = form.delimiter
    if named := _SEPARATOR_LINE.match(head, start):
        line = first_line + count_lines(head[:start])
        delimiter = delimiter or _named_delimiter(named[1].decode(), path=path, line=line)
        start = _next_line(head, start)
    if not head[start:].strip():
        raise OrderFileError(
            "there is nothing in the file", path=path, hint="export it again, with a header line of column names"
        )
    line = first_line + count_lines(head[:start])
    marks = (delimiter,) if delimiter else DELIMITERS
    if form.header_line is not None:
        start, line = _declared_line(head, form.header_line, first_line, path=path)
    top = _Top(head, form, path, final)
    found = _read_header(top, start, line, marks)
    if found is None:
        raise OrderFileError(
            "the header line does not end",
            path=path,
            line=line,
            hint="if it is one, look for a quote in it that is never closed",
        )
    if form.header_line is None and not has_required(found.names, form):
        found = _below_titles(top, start, line, marks) or found
    if found.problem:
        raise OrderFileError(f"the header {found.problem}", path=path, line=found.line, hint="correct the header line")
    return _with_width(head, found, final=final)


def _declared_line(head: bytes, wanted: int, first_line: int, *, path: str) -> tuple[int, int]:
    start = 0
    for _ in range(first_line, wanted):
        start = _next_line(head, start)
    if start >= len(head) or wanted < first_line:
        raise OrderFileError(
            f"there is no header in line {wanted}", path=path, hint="correct --header-line: lines count from 1"
        )
    return start, wanted


def _with_width(head: bytes, header: Header, *, final: bool) -> Header:
    """Return `header` without nameless cells at its end that no row has, and with the `spare` ones that rows do."""
    widths: Counter[int] = Counter()
    at, line = header.rows_at, header.rows_line
    for _ in range(_SAMPLED_RECORDS):
        scanned = scan_record(head, at, line, header.dialect, final=final) if at < len(head) else None
        if scanned is None:
            break
        record, at = scanned
        if any(cell.strip() for cell in record.cells[len(header.names) :]):
            return header
        widths[len(record.cells)] += not record.is_blank
    named = max((at for at, name in enumerate(header.names, 1) if name), default=0)
    width = max(widths, key=lambda one: widths[one], default=0)
    if named <= width < len(header.names):
        return replace(header, names=header.names[:width])
    return replace(header, spare=max(0, width - len(header.names)))


def _named_delimiter(mark: str, *, path: str, line: int) -> str:
    if mark.isalnum() or mark in "\"'\\":
        raise OrderFileError(
            f"the line sep={mark} does not name a possible delimiter",
            path=path,
            line=line,
            hint="name it with --delimiter",
        )
    return mark


def _read_header(top: _Top, start: int, line: int, marks: Sequence[str]) -> Header | None:
    """Return the line at `start` as a header, None when it does not end."""
    head, dialects = top.head, [Dialect(mark, _quote(top.head, start, top.form)) for mark in marks]
    scanned = [
        (found, dialect) for dialect in dialects if (found := scan_record(head, start, line, dialect, final=top.final))
    ]
    if not scanned:
        return None
    # The first of the best: a later delimiter must know more columns, or cut more of them where none is known.
    (record, rows_at), dialect = max(scanned, key=lambda found: _score(found[0][0], top.form))
    names = tuple(name.strip() for name in record.cells)
    return Header(dialect, names, line, rows_at, line + count_lines(head[start:rows_at]), record.problem)


def _below_titles(top: _Top, start: int, line: int, marks: Sequence[str]) -> Header | None:
    """
    Return the one line among the next that can be the header, None where there is none.

    It is none either when a line above it looks like a row of its table: that would be lost. Raises OrderFileError
    where several lines can be.
    """
    starts = [start]
    headers = []
    for number in range(line + 1, line + _SEARCHED_LINES):
        start = _next_line(top.head, start)
        if start == len(top.head):
            break
        starts.append(start)
        found = _read_header(top, start, number, marks)
        if found is not None and has_required(found.names, top.form):
            headers.append(found)
    if not headers:
        return None
    if len({header.names for header in headers}) < len(headers) or len(headers) > 1:
        lines = [header.line for header in headers]
        error = OrderFileError(
            f"several lines could be the header: {', '.join(map(str, lines[:5]))}",
            path=top.path,
            line=lines[0],
            hint=f"name the right one, e.g. --header-line {lines[-1]}; what is above it is left out",
        )
        error.asks, error.among = "header_line", tuple(lines)
        raise error
    above = starts[: headers[0].line - line]
    return None if any(_is_like_a_row(top, at, headers[0]) for at in above) else headers[0]


def _is_like_a_row(top: _Top, start: int, header: Header) -> bool:
    """Whether the record at `start` has a cell for every name of `header`, and most of them filled."""
    scanned = scan_record(top.head, start, header.line, header.dialect, final=top.final)
    if scanned is None or len(scanned[0].cells) != len(header.names):
        return False
    return sum(bool(cell.strip()) for cell in scanned[0].cells) * 2 > len(header.names)


def _score(record: Record, form: OrderFormat) -> tuple[int, int]:
    return known_columns(record.cells, form), len(record.cells)


def _quote(head: bytes, start: int, form: OrderFormat) -> str:
    if form.quote is not None:
        return form.quote
    return "'" if head.startswith(b"'", start) else '"'


def _next_line(head: bytes, start: int) -> int:
    ends = [at for at in (head.find(b"\n", start), head.find(b"\r", start)) if at >= 0]
    if not ends:
        return len(head)
    return min(ends) + (2 if head.startswith(b"\r\n", min(ends)) else 1)
