"""
Tables of text: words flush left, figures flush right with their points below each other, on so many columns.

Knows how wide text is on a terminal, what of a table can go where it is too narrow, and that strings from outside must
not steer it.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

BOLD = "1"
KEEP = "\u00a0"
"""A blank at which no line is broken; written as a plain one."""

_LEAST_STACKED = 40  # columns: values further from their names than they must are hard to read
_COMFORTABLE, _SHORTEST = 20, 8  # columns of words that are cut, as long as others can go, and at last
_CUT = "…"


@dataclass(frozen=True, slots=True)
class TextTable:
    """
    Cells of one block; `left` columns are words, all others are figures. Row `colours` may be empty.

    `point` stands before decimals.
    """

    header: tuple[str, ...]
    left: frozenset[str]
    rows: list[tuple[str, ...]]
    colours: list[str]
    point: str = "."


def _points_aligned(cells: Sequence[str], point: str) -> list[str]:
    """Pad figures on the right, so that decimal points stand below each other when flush right; words stay."""
    decimals = [len("".join(cell.partition(point)[1:])) for cell in cells]
    most = max(decimals, default=0)
    return [
        cell + " " * (most - own) if cell[-1:].isdigit() else cell for cell, own in zip(cells, decimals, strict=True)
    ]


def render(table: TextTable, width: int | None, colour: bool) -> str:
    """
    Return `table` as lines of at most `width` columns, or of as many as it takes (null).

    One that is too wide has its cells one below the other.
    """
    columns, widths = _laid_out(table)
    if width is not None and _all_wide(widths) > width:
        return _stacked(table, width, colour)
    padded = [
        [_pad(cell, wide, left=name in table.left) for cell in cells]
        for name, cells, wide in zip(table.header, columns, widths, strict=True)
    ]
    lines = zip(zip(*padded, strict=True), [BOLD, *table.colours], strict=True)
    return "\n".join(paint("  ".join(cells).rstrip(), shade, colour) for cells, shade in lines)


def without(table: TextTable, names: Collection[str]) -> TextTable:
    """Return `table` without the columns `names`."""
    kept = [place for place, name in enumerate(table.header) if name not in names]
    header, *rows = [tuple(row[place] for place in kept) for row in (table.header, *table.rows)]
    return replace(table, header=header, rows=rows)


def fitted(table: TextTable, width: int | None, *, spare: Sequence[str] = (), whole: Sequence[str] = ()) -> TextTable:
    """
    Return `table` so that it takes no more than `width` columns (null: as it is), where its words can be cut to that.

    The widest words are cut first; figures never are, nor the words of the columns `whole`, but for all of these after
    the first where nothing else helps. Before words become hard to read, columns of `spare` go, one after the other.
    Where nothing helps `table` comes back as it is: with its cells one below the other there is room for all of them.
    """
    if width is None:
        return table
    wide = dict(zip(table.header, _laid_out(table)[1], strict=True))
    if _all_wide(list(wide.values())) <= width:
        return table
    ways = [(spare[:number], _COMFORTABLE, whole) for number in range(len(spare) + 1)]
    for gone, shortest, kept in (*ways, (spare, _SHORTEST, whole), (spare, _SHORTEST, whole[:1])):
        least = {name: len(name) if name in table.left and name not in kept else wide[name] for name in wide}
        for most in range(width, shortest - 1, -1):
            cut = {name: max(least[name], min(wide[name], most)) for name in wide if name not in gone}
            if _all_wide(list(cut.values())) <= width:
                return _cut_to(without(table, gone), cut)
    return table


def _cut_to(table: TextTable, widths: Mapping[str, int]) -> TextTable:
    places = [(name in table.left, widths[name]) for name in table.header]
    rows = [
        tuple(cut(cell, most) if is_words else cell for cell, (is_words, most) in zip(row, places, strict=True))
        for row in table.rows
    ]
    return replace(table, rows=rows)


def cut(text: str, width: int) -> str:
    """Return `text` on at most `width` columns, and say where it was cut."""
    if _columns_wide(text) <= width:
        return text
    kept = text[: width - 1]
    while _columns_wide(kept) > width - 1:
        kept = kept[:-1]
    return kept.rstrip() + _CUT


def _laid_out(table: TextTable) -> tuple[list[list[str]], list[int]]:
    """The cells of each column, figures with their points aligned, and how wide each is."""
    columns = [
        [name, *(cells if name in table.left else _points_aligned(cells, table.point))]
        for name, *cells in zip(table.header, *table.rows, strict=True)
    ]
    return columns, [_widest(cells) for cells in columns]


def _widest(cells: Sequence[str]) -> int:
    return max(map(len if all(map(str.isascii, cells)) else _columns_wide, cells))


def _all_wide(widths: Sequence[int]) -> int:
    return sum(widths) + 2 * (len(widths) - 1)


def _stacked(table: TextTable, width: int, colour: bool) -> str:
    """
    One line per cell: the first column as title, each other as name and value, values flush right.

    Words that do not fit beside their name go below it.
    """
    cells = [cell for row in table.rows for cell in zip(table.header[1:], row[1:], strict=True)]
    needed = max((3 + len(name) + _columns_wide(cell) for name, cell in cells), default=0)
    width = min(width, max(_LEAST_STACKED, needed))
    lines = []
    for row, shade in zip(table.rows, table.colours, strict=True):
        if row[0]:
            lines += [paint(line, shade, colour) for line in wrap(row[0], width)]
        for name, cell in zip(table.header[1:], row[1:], strict=True):
            if name in table.left and 3 + len(name) + _columns_wide(cell) > width:
                lines += [f"  {name}", *(f"    {line}" for line in wrap(cell, width - 4))]
            elif cell:
                value_wide = max(width - 2 - len(name) - 1, _columns_wide(cell))
                lines.append(f"  {name} {_pad(cell, value_wide, left=False)}")
    return "\n".join(lines)


def plain(text: object) -> str:
    """Return text from outside so that it cannot move the cursor, colour the screen or turn the writing around."""
    words = str(text)
    return words if words.isprintable() else "".join(sign if sign.isprintable() else "?" for sign in words)


def _columns_wide(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _pad(text: str, width: int, *, left: bool) -> str:
    columns = width - _columns_wide(text) + len(text)
    return text.ljust(columns) if left else text.rjust(columns)


def wrap(text: str, width: int) -> list[str]:
    """Return `text` as lines of at most `width` columns, where its words allow it."""
    return [line.replace(KEEP, " ") for line in textwrap.wrap(text, width, break_on_hyphens=False)]


def fold(line: str, width: int | None) -> str:
    """
    Return `line` as lines of at most `width` columns (null: as it is), where its words allow it; no word is broken.

    What continues is below the text of the line: what follows its last gap of two blanks or more, if that leaves half
    the width.
    """
    if width is None or _columns_wide(line) <= width:
        return line
    gaps = [found.end() for found in re.finditer(r"(?<=\S) {2,}", line) if found.end() <= width // 2]
    begins = max(gaps, default=len(line) - len(line.lstrip(" ")) + 2)
    return "\n".join(
        textwrap.wrap(line, width, subsequent_indent=" " * begins, break_on_hyphens=False, break_long_words=False)
    )


def paint(text: str, shade: str, colour: bool) -> str:
    """Return `text` in a colour, where there is colour."""
    return f"\x1b[{shade}m{text}\x1b[0m" if colour and shade else text
