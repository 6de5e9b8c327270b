"""
CSV as this program writes and reads its own files: RFC 4180 in UTF-8, so that every string comes back as it was.

Knows quotes, line breaks and delimiters, for Python row by row and for DuckDB as options. A cell with a delimiter, a
quote or a line break of any kind is quoted, cells may have any length, and an error names the physical line. Does not
know what a column means, and not the files of others: those are read in `reconcile.orders`.

Python's own `csv` leaves a lone carriage return without quotes (up to 3.12) and refuses cells of more than 131,072
characters, a limit that can only be changed for the whole process.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from reconcile.files.duckdb import path_literal, text_literal

_MOST_ROW_BYTES = 1 << 28  # DuckDB's default of 2 MB is less than one record of a few long strings


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row of cells; `line` is the physical line on which it begins, from 1."""

    line: int
    cells: tuple[str, ...]


class NotCsv(ValueError):
    """`line` cannot be read as CSV, and why."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line} {problem}")
        self.line = line
        self.problem = problem


def csv_line(cells: Iterable[object], *, delimiter: str = ",") -> str:
    """Return `cells` as one row with its line feed; None is an empty cell."""
    special = re.compile(f'["\r\n{re.escape(delimiter)}]')
    texts = ("" if cell is None else str(cell) for cell in cells)
    return delimiter.join(_quoted(text) if special.search(text) else text for text in texts) + "\n"


def csv_rows(lines: Iterable[str], *, delimiter: str = ",") -> Iterator[CsvRow]:
    r"""
    Yield the rows of `lines`, which end with "\n" as those of a file that was opened with `newline="\n"`.

    Takes what spreadsheets and editors make of such a file too: "\r\n" as end of a row, or "\r" of every one, quotes
    around every cell, quotes inside a cell that has none around it. Empty lines are passed over.
    Raises NotCsv for a quote that is never closed, text behind a closing one, and a "\r" among other ends of rows.
    """
    begun, cells = 0, []
    for line, cell, is_last in _cells(lines, delimiter):
        begun = begun or line
        cells.append(cell)
        if is_last:
            if cells != [""]:
                yield CsvRow(begun, tuple(cells))
            begun, cells = 0, []


@dataclass(frozen=True, slots=True)
class CsvTable:
    """
    A whole file: the names of its header, its other rows, and the delimiter.

    A spreadsheet in a country with a decimal comma saves a semicolon in place of each comma, another one a tab.
    """

    names: tuple[str, ...]
    rows: tuple[CsvRow, ...]
    delimiter: str

    def by_name(self, row: CsvRow) -> dict[str, str]:
        """Return the cells of `row` by the names of the header; one that is not there is empty."""
        return dict(zip(self.names, (*row.cells, *[""] * len(self.names)), strict=False))


def csv_table(text: str, columns: Set[str]) -> CsvTable:
    """
    Return the table that `text` is, rows of nothing but blanks left out. Raises NotCsv as `csv_rows`.

    The delimiter is the one under which most names of the header are among `columns`, the first of the best.
    """
    delimiter = max(_DELIMITERS, key=lambda mark: len(columns & set(_names(text, mark))))
    rows = csv_rows(io.StringIO(text, newline="\n"), delimiter=delimiter)
    first = next(rows, CsvRow(1, ()))
    return CsvTable(first.cells, tuple(row for row in rows if any(map(str.strip, row.cells))), delimiter)


def _names(text: str, delimiter: str) -> tuple[str, ...]:
    header = _HEADER.match(text)
    try:
        rows = csv_rows([header[0]] if header else (), delimiter=delimiter)
        return next(rows, CsvRow(1, ())).cells
    except NotCsv:  # its quotes are those of cells between other delimiters
        return ()


_DELIMITERS = (",", ";", "\t")
_HEADER = re.compile(r"""[\r\n]*(?:[^"\r\n]|"[^"]*")*(?:\r\n|\r|\n|$)""")


def _cells(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, str, bool]]:
    """Yield the line on which each cell begins, its text, and whether it is the last of its row."""
    ends = {delimiter: False, "\r\n": True, "\r": True, "\n": True}
    parts_of = re.compile(f'"|{re.escape(delimiter)}|\r\n|\r|\n|[^"{re.escape(delimiter)}\r\n]+')
    line = begun = 1
    state, cell, is_last, end_of_first = _NEW, list[str](), True, ""
    for part in (part for text in lines for part in parts_of.findall(text)):
        begun = line if state is _NEW else begun
        line += part.endswith("\n") or (part == "\r" and state is not _QUOTED)
        if part in ends and state is not _QUOTED:
            is_last = ends[part]
            end_of_first = end_of_first or (part if is_last else "")
            if part == "\r" != end_of_first:  # a string that was written without its quotes, not a row
                raise NotCsv(line - 1, "has a carriage return outside quotes")
            yield begun, "".join(cell), is_last
            state, cell = _NEW, []
        elif part == '"' and state is not _PLAIN:
            if state is _CLOSED:
                cell.append(part)  # it was doubled
            state = _CLOSED if state is _QUOTED else _QUOTED
        elif state is _CLOSED:
            raise NotCsv(line, "has text after a closing quote")
        else:
            cell.append(part)
            state = _PLAIN if state is _NEW else state
    if state is _QUOTED:
        raise NotCsv(begun, "opens a quote that is never closed")
    if state is not _NEW or not is_last:
        yield line if state is _NEW else begun, "".join(cell), True


WRITE_OPTIONS = """
    FORMAT csv, HEADER, DELIMITER ',', QUOTE '"', ESCAPE '"', NULLSTR '', TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%S.%gZ',
    COMPRESSION none, USE_TMP_FILE false
"""
"""DuckDB's options for writing what `scan_csv` reads."""


def scan_csv(path: Path, columns: Sequence[str]) -> str:
    """
    Return the SQL by which DuckDB reads `columns`, all that this CSV file has in their order, as strings.

    An empty cell is null, an empty text is `""`.
    """
    types = ", ".join(f"{text_literal(name)}: 'VARCHAR'" for name in columns)
    return (
        f"read_csv({path_literal(path)}, auto_detect = false, header = true, columns = {{{types}}}, delim = ',', "
        f"quote = '\"', escape = '\"', nullstr = '', allow_quoted_nulls = false, strict_mode = true, "
        f"max_line_size = {_MOST_ROW_BYTES})"
    )


_NEW, _PLAIN, _QUOTED, _CLOSED = range(4)  # where in a cell: before it, in it, between its quotes, behind them


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
