"""
A process of its own, in which python-calamine reads one .xls or .ods file and answers questions about it, in JSON.

What a hostile or damaged file does to a reader that believes it (memory for all cells that it declares, a loop without
an end, an abort) happens here, within bounds, and not to a run. Run as a script that imports nothing of this package,
so that it starts at once; `calamine_book` asks.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, time, timedelta

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum
from python_calamine import SheetVisibleEnum as Visible

_FIRST_ROWS = 100
_MOST_ROWS = 1 << 13
_MOST_CHARACTERS = 1 << 20  # of an answer, but for its last row
_LONGEST_ROW = 16 << 20


def main(path: str, most_bytes: int, most_seconds: int) -> None:
    """Tell the sheets of the file at `path`, or why it cannot be read; then answer each line of standard input."""
    _limit(most_bytes, most_seconds)
    try:
        book = CalamineWorkbook.from_path(path)
    except PasswordError:
        _say({"problem": "password"})
        return
    except (CalamineError, OSError) as error:
        _say({"problem": str(error)})
        return
    answers = _Answers(book)
    _say({"sheets": answers.sheets})
    for line in sys.stdin:
        question, *about = json.loads(line)
        _say(getattr(answers, question)(*about))


def _limit(most_bytes: int, most_seconds: int) -> None:
    import resource

    # A soft limit ends the process, of time by a signal. Not every system has one of memory.
    for kind, most in ((resource.RLIMIT_AS, most_bytes), (resource.RLIMIT_CPU, most_seconds)):
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


Row = tuple[int, list[tuple[int, str, str]]]
"""Number, from 1, and cells, each with its column, from 0, kind and text."""


class _Answers:
    """A method for each question."""

    def __init__(self, book: CalamineWorkbook) -> None:
        self._book = book
        self._open: tuple[int, CalamineSheet] | None = None
        self._rows: Iterator[Row] = iter(())
        # Sheets of cells: number, name, whether it is shown.
        self.sheets = [
            (at, sheet.name, sheet.visible == Visible.Visible)
            for at, sheet in enumerate(book.sheets_metadata)
            if sheet.typ == SheetTypeEnum.WorkSheet
        ]

    def first(self, at: int) -> tuple[list[Row], bool]:
        """Return the first rows of a sheet that have a cell, and whether these are all."""
        self._rows = _filled(self._sheet(at))
        return self._some(_FIRST_ROWS)

    def more(self) -> tuple[list[Row], bool]:
        """Return the rows behind those that were returned before."""
        return self._some(_MOST_ROWS)

    def numbers(self, at: int, column: int) -> bool:
        """Return whether any cell of a column is a number."""
        place = column - _left(self._sheet(at))
        return any(type(row[place]) in (int, float) for row in self._sheet(at).iter_rows() if 0 <= place < len(row))

    def merged(self, at: int) -> list[tuple[int, int, int]]:
        """Return the cells of one column that are merged into one: column, first row, last row."""
        ranges = self._sheet(at).merged_cell_ranges or []
        return [(left, first + 1, last + 1) for (first, left), (last, right) in ranges if left == right]

    def _sheet(self, at: int) -> CalamineSheet:
        if self._open is None or self._open[0] != at:  # each is a copy of all its cells: one is held
            self._open = None
            self._open = at, self._book.get_sheet_by_index(at)
        return self._open[1]

    def _some(self, most: int) -> tuple[list[Row], bool]:
        rows: list[Row] = []
        characters = 0
        for row in self._rows:
            rows.append(row)
            characters += (length := sum(len(text) for _, _, text in row[1]))
            if length > _LONGEST_ROW:
                raise MemoryError
            if len(rows) == most or characters > _MOST_CHARACTERS:
                return rows, False
        return rows, True


def _filled(sheet: CalamineSheet) -> Iterator[Row]:
    left = _left(sheet)
    for line, row in enumerate(sheet.iter_rows(), 1):
        if cells := [(at, *_cell(value)) for at, value in enumerate(row, left) if value != ""]:
            yield line, cells


def _left(sheet: CalamineSheet) -> int:
    return sheet.start[1] if sheet.start else 0


def _cell(value: object) -> tuple[str, str]:
    """Return the kind of a cell, as `fast_rows.Cell` has it, and its text."""
    match value:
        case bool():
            return "b", "1" if value else "0"
        case float() if not value.is_integer():
            return "n", repr(value)
        case int() | float():
            return "n", str(int(value))
        case date() | time():  # a time of day is a part of a date
            return "d", value.isoformat()
        case timedelta():
            return "d", str(value)
    return "text", str(value)


def _say(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
