"""
A spreadsheet of another kind (.xls, .ods) as python-calamine reads it, in a process with bounds of time and memory.

Knows what python-calamine tells of a file: sheets, texts, numbers, days, true and false. Number formats and formulas it
does not tell, and an error (#N/A) is a blank; of .ods it does not tell which cells are merged.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from reconcile.files.spreadsheets.fast_rows import SheetRow
from reconcile.files.spreadsheets.package import Sheet, opened_part
from reconcile.files.spreadsheets.stored import Stored, is_encrypted, other_kind, stored_as
from reconcile.files.spreadsheets.unreadable import NotASpreadsheet, damaged, encrypted
from reconcile.files.spreadsheets.xml import pieces_of

_MOST_BYTES = 2 << 30
_MOST_SECONDS = 300
_UNTOLD = ("number formats", "formulas", "errors")
_ENDINGS: dict[Stored, str] = {"compound": ".xls", "open document": ".ods"}
_MANIFEST = "META-INF/manifest.xml"
_LONGEST_END = 1000  # with blanks behind it
_END = re.compile(rb"</(?:\w+:)?document-content\s*>\s*$")
_BREAK = re.compile(rb"<text:(?:tab|line-break)\b")
_READER = "python_calamine"
_SCRIPT = Path(__file__).with_name("calamine_process.py")


@contextmanager
def open_other_workbook(path: Path, *, name: str) -> Iterator[CalamineBook]:
    """
    Open the spreadsheet at `path`, called `name` in messages, as the process has it that ends with the block.

    Raises NotASpreadsheet when it is none, is damaged or protected, or takes more than the process may have, and
    ModuleNotFoundError where it could be read, but python-calamine is not installed.
    """
    stored, untold = _checked(path)
    if find_spec(_READER) is None:
        raise ModuleNotFoundError(name=_READER)
    with tempfile.TemporaryDirectory(prefix="reconcile-orders-") as folder:
        link = Path(folder, f"orders{_ENDINGS[stored]}")  # by the ending it knows the format, and says what is wrong
        link.symlink_to(path.absolute())
        command = [sys.executable, "-P", str(_SCRIPT), str(link), str(_MOST_BYTES), str(_MOST_SECONDS)]
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing) as process:  # noqa: S603  is our own
            try:
                yield CalamineBook(process, name, untold)
            finally:
                process.kill()


class CalamineBook:
    """
    An open spreadsheet, whose cells hold all that is known of them.

    `untold` is what a reader of .xlsx knows besides, and none here.
    """

    def __init__(self, process: subprocess.Popen[bytes], name: str, untold: tuple[str, ...]) -> None:
        self._process = process
        self.name = name
        self.untold = untold
        told = self._answer()
        if "problem" in told:
            raise _unreadable(told["problem"])
        self.sheets = tuple(Sheet(title, is_visible, str(at)) for at, title, is_visible in told["sheets"])
        if not self.sheets:
            raise damaged("it has no sheet")
        if len({sheet.name for sheet in self.sheets}) < len(self.sheets):
            raise damaged("two of its sheets have one name")

    @contextmanager
    def rows(self, sheet: Sheet) -> Iterator[Iterator[SheetRow]]:
        """Open the rows of `sheet` that have a cell, in their order."""
        yield self._rows(sheet)

    def totals_rows(self, _: Sheet) -> frozenset[int]:
        """Return the rows that are totals: none is known."""
        return frozenset()

    def merged_cells(self, sheet: Sheet) -> Iterator[tuple[int, int, int]]:
        """Yield the cells of one column that are merged into one: the column, from 0, the first row and the last."""
        yield from self._ask("merged", int(sheet.part))

    def has_numbers(self, sheet: Sheet, column: int) -> bool:
        """Return whether any cell of `column`, from 0, is a number."""
        return bool(self._ask("numbers", int(sheet.part), column))

    def _rows(self, sheet: Sheet) -> Iterator[SheetRow]:
        rows, is_end = self._ask("first", int(sheet.part))
        while True:
            for line, cells in rows:
                stored = {column: (kind, 0, text, False) for column, kind, text in cells}
                yield SheetRow(line, stored, sum(len(text) for _, _, text in cells))
            if is_end:
                return
            rows, is_end = self._ask("more")

    def _ask(self, question: str, *about: int) -> Any:
        assert self._process.stdin is not None, "it is a pipe"
        try:
            self._process.stdin.write(msgspec.json.encode([question, *about]) + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None, "it is a pipe"
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise self._ended()
        return msgspec.json.decode(line)

    def _ended(self) -> NotASpreadsheet:
        """Return the error for a process that has ended by itself: it is given no more than it may have."""
        if self._process.wait() == -signal.SIGXCPU:
            return damaged(f"it takes more than {_MOST_SECONDS} seconds to read")
        return damaged(f"its cells take more than {_MOST_BYTES >> 30} GiB of memory, or contradict each other")


def _checked(path: Path) -> tuple[Stored, tuple[str, ...]]:
    """
    Return how the file is stored, and what is not told of its cells.

    Raises NotASpreadsheet where it is of another kind, encrypted, packed too well, damaged or cut off.
    """
    with path.open("rb") as file:
        stored = stored_as(file)
        if stored not in _ENDINGS or (stored == "compound" and is_encrypted(file)):
            raise other_kind(file, stored)
        if stored == "compound":
            return stored, _UNTOLD
        with zipfile.ZipFile(file) as package:
            loses_breaks = _checked_content(package)
    return stored, (*_UNTOLD, "merged cells", *(("line breaks and tabs inside cells",) if loses_breaks else ()))


def _checked_content(package: zipfile.ZipFile) -> bool:
    """Return whether cells have line breaks or tabs that are elements, which python-calamine leaves out."""
    with opened_part(package, _MANIFEST) as part:
        if any(b"encryption-data" in piece for piece in pieces_of(part, name=_MANIFEST)):
            raise encrypted()
    end, has_breaks = b"", False
    with opened_part(package, "content.xml") as part:
        for piece in pieces_of(part, name="content.xml"):
            has_breaks = has_breaks or _BREAK.search(end + piece) is not None
            end = (end + piece)[-_LONGEST_END:]
    if not _END.search(end):  # for which a reader of pieces of XML could wait forever
        raise damaged("content.xml ends too early")
    return has_breaks


def _unreadable(problem: str) -> NotASpreadsheet:
    return encrypted() if problem == "password" else damaged(problem)
