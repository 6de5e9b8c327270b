"""
The columns that the settings name and the matching does not need, in one file: rows are left out by them, or carried.

Knows names. Does not read cells, and does not decide what becomes of a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from reconcile.errors import OrderFileError
from reconcile.orders.columns.names import folded

if TYPE_CHECKING:
    from reconcile.orders.columns.mapping import ColumnMap

_POSITION = re.compile(r"#([1-9][0-9]{0,4})")


def placed(names: Sequence[str], wanted: str) -> list[int]:
    """Return where the columns stand that are called exactly `wanted`; "#3" is the third column, where none is."""
    if exact := [at for at, name in enumerate(names) if name == wanted]:
        return exact
    position = _POSITION.fullmatch(wanted)
    at = int(position[1]) - 1 if position else len(names)
    return [at] if at < len(names) else []


def mark_places(names: Sequence[str], marks: Iterable[str], *, path: str, line: int | None = None) -> dict[str, int]:
    """
    Return where those of `marks`, columns as the user names them, stand among `names`; a file need not have them.

    Case, blanks and punctuation do not matter, unless a name is exactly that. Raises OrderFileError where one may be
    either of two columns.
    """
    places = {}
    for mark in marks:
        found = placed(names, mark)
        found = found or [at for at, name in enumerate(names) if folded(name) and folded(name) == folded(mark)]
        if len(found) > 1:
            raise OrderFileError(
                f'column "{mark}", which the settings name, occurs {len(found)} times',
                path=path,
                line=line,
                column=mark,
                hint=f'write the name of the right one exactly as in the file, or its position: "#{found[0] + 1}"',
            )
        if found:
            places[mark] = found[0]
    return places


class MarksMet:
    """Which of these columns were met in any file."""

    def __init__(self, marks: Iterable[str]) -> None:
        self._missing = dict.fromkeys(marks)
        self._first: tuple[str, tuple[str, ...]] | None = None

    def add(self, columns: ColumnMap, *, path: str) -> None:
        """Note the columns of the file `path`."""
        for mark in columns.marks:
            self._missing.pop(mark, None)
        if columns.names and self._first is None:
            self._first = path, columns.names

    def check(self) -> None:
        """Raise OrderFileError for a column that no file has; where all files are empty, nobody knows."""
        if not self._missing or self._first is None:
            return
        path, names = self._first
        raise OrderFileError(
            f'no file has a column "{next(iter(self._missing))}", which the settings name; '
            f"the columns are {listed(names)}",
            path=path,
            hint="correct the name in only, withdrawn or carry of [orders], --only, --withdrawn or --carry",
        )


def listed(names: Sequence[str], most: int = 20) -> str:
    """Return names of columns in quotes, long ones shortened, and how many more there are than `most`."""
    shown = ", ".join(f'"{name if len(name) <= 60 else name[:59] + "…"}"' for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
