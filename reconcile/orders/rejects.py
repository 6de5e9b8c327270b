"""
Rows that cannot be read: what is wrong with which cell of which line, for people, as `rejects.csv`.

Knows the file's form: the columns of `reconcile.schema.REJECTS`, UTF-8, RFC 4180, one line per unreadable cell, so
that one row may have several. Does not decide what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TextIO

from reconcile.files.csv_text import CsvRow, NotCsv, csv_line, csv_rows
from reconcile.files.formula_guard import guarded, unguarded
from reconcile.schema import REJECTS

_MOST_CHARACTERS = 500  # of a cell: an unclosed quote can make one of megabytes
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)*")


@dataclass(frozen=True, slots=True)
class Reject:
    """
    One cell (or, without `column`, one row) that cannot be read; `line` as in ORDERS.source_line.

    A leaf may leave `remedy` empty: it then follows from the reason. Where the row may be no order, `skip` is the
    pattern that leaves it out.
    """

    line: int
    column: str | None
    value: str | None
    reason: str
    remedy: str = ""
    skip: str | None = None

    def sentence(self, source_file: str) -> str:
        """Return where and what in one line: `orders.csv:4812: total "12,3O" is not an amount in EUR`."""
        if self.column is None:
            return f"{source_file}:{self.line}: the row {self.reason}"
        shown = f' "{shortened(self.value, 80)}"' if self.value else ""
        return f"{source_file}:{self.line}: {self.column}{shown} {self.reason}"


class RejectsFile:
    """Writes `rejects.csv` to an open text file (`newline=""`); the header is there even when nothing follows."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._text.write(csv_line(REJECTS.names))

    def write(self, source_file: str, rejects: Iterable[Reject]) -> None:
        """Append `rejects` of `source_file`, text guarded so that no spreadsheet runs it as a formula."""
        for reject in rejects:
            cells = (
                guarded(source_file),
                reject.line,
                guarded(reject.column or ""),
                cell_text(shortened(reject.value, _MOST_CHARACTERS)),
                guarded(reject.reason),
                guarded(reject.remedy),
            )
            self._text.write(csv_line(cells))


def read_rejects(text: TextIO) -> Iterator[dict[str, str]]:
    """
    Yield the rows of a `rejects.csv` that was opened with `newline="\\n"`, by column name and without the guard.

    Raises NotCsv when it is not such a file.
    """
    rows = csv_rows(text)
    if next(rows, CsvRow(1, ())).cells != tuple(REJECTS.names):
        raise NotCsv(1, f"has other columns than {', '.join(REJECTS.names)}")
    for row in rows:
        if len(row.cells) != len(REJECTS.names):
            raise NotCsv(row.line, f"has {len(row.cells)} cells, not {len(REJECTS.names)}")
        yield dict(zip(REJECTS.names, map(unguarded, row.cells), strict=True))


def shortened(text: str | None, most: int) -> str:
    """Return at most `most` characters of `text`, marked where the rest is left out."""
    if not text:
        return ""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def cell_text(text: str) -> str:
    """Return a cell's text as `rejects.csv` holds it: guarded against spreadsheets, unless it is a plain number."""
    return text if _PLAIN_NUMBER.fullmatch(text) else guarded(text)
