"""
Where a JSON value begins and ends: the elements of one array, one value per line, or objects one after another.

Knows how they are separated without holding the whole text. Does not parse them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from reconcile.errors import OrderFileError
from reconcile.orders.text.blocks import count_lines
from reconcile.orders.text.quoting import Positions
from reconcile.orders.text.records import MAX_RECORD_BYTES, Dialect, blocks_of

HINT = "give one array of objects, or one object per line"

_LINES = Dialect(delimiter=",", quote="")  # a line end inside a JSON text is always written \n
_BLANKS = b" \t\r\n"  # of JSON; bytes.strip() takes more


@dataclass(frozen=True, slots=True)
class JsonValues:
    """Strings of JSON values with the line (or place) of each."""

    lines: Sequence[int]
    texts: Sequence[bytes]


def json_lines(texts: Iterable[bytes], path: str, first_line: int) -> Iterator[JsonValues]:
    """Yield the lines of `texts` that are not blank; the first of them is `first_line`."""
    for block in blocks_of(texts, _LINES, path=path, first_line=first_line):
        found = [(line, text) for line, text in enumerate(block.text.splitlines(), block.first_line) if text.strip()]
        if found:
            yield JsonValues([line for line, _ in found], [text for _, text in found])


def json_objects(texts: Iterable[bytes], path: str, first_line: int) -> Iterator[JsonValues]:
    """Yield the objects in `texts`, which stand one after another on any number of lines; `first_line` is its first."""
    rest, line = b"", first_line
    for piece in texts:
        rest += piece
        ends = _object_ends(rest)
        values: list[tuple[int, bytes]] = []
        start = 0
        for end in ends:
            text = rest[start : end + 1]
            blank = len(text) - len(text.lstrip(_BLANKS))
            line += count_lines(text[:blank])
            values.append((line, text[blank:]))
            line += count_lines(text[blank:])
            start = end + 1
        rest = rest[start:]
        if values:
            yield JsonValues([line for line, _ in values], [text for _, text in values])
        if len(rest) > MAX_RECORD_BYTES:
            raise OrderFileError(
                f"an object is longer than {MAX_RECORD_BYTES >> 20} MiB", path=path, line=line, hint=HINT
            )
    if rest.strip(_BLANKS):
        blank = len(rest) - len(rest.lstrip(_BLANKS))
        yield JsonValues([line + count_lines(rest[:blank])], [rest[blank:]])


def first_object(text: bytes) -> int | None:
    """Return where the object ends with which `text` begins, None where that is not reached."""
    return next(iter(_object_ends(text)), None)


def json_elements(
    texts: Iterable[bytes], path: str, after: Callable[[Iterator[bytes]], None] | None = None
) -> Iterator[JsonValues]:
    """
    Yield the elements of the one array in `texts`, cut at its own commas; `texts` begins with its bracket.

    What follows the array is handed to `after`; without it, nothing may follow.
    """
    rest, place, opened = b"", 1, False
    pieces = iter(texts)
    for piece in pieces:
        rest = rest + piece if rest else piece
        if not opened:
            rest, opened = rest.lstrip()[1:], True
        commas, closing = _own_marks(rest)
        ends = commas if closing is None else np.append(commas, closing)
        if len(ends):
            values = _values(rest, ends, place, alone=closing is not None and place == 1)
            place += len(ends)
            rest = rest[int(ends[-1]) + 1 :]
            if values.texts:
                yield values
        if closing is not None:
            (after or _nothing_more(path))(chain((rest,), pieces))
            return
        if len(rest) > MAX_RECORD_BYTES:
            raise OrderFileError(
                f"element {place} is longer than {MAX_RECORD_BYTES >> 20} MiB", path=path, line=place, hint=HINT
            )
    raise OrderFileError(
        "the JSON array is never closed", path=path, line=place, hint="the file is truncated: export it again"
    )


def _nothing_more(path: str) -> Callable[[Iterator[bytes]], None]:
    def check(rest: Iterator[bytes]) -> None:
        if any(piece.strip() for piece in rest):
            raise OrderFileError("there is text after the JSON array", path=path, hint=HINT)

    return check


def _values(text: bytes, ends: Positions, place: int, *, alone: bool) -> JsonValues:
    """Return the elements that end at `ends`; `alone`: nothing was before and the array ends, so it may be empty."""
    starts = [0, *(int(end) + 1 for end in ends[:-1])]
    texts = [text[start : int(end)].strip(_BLANKS) for start, end in zip(starts, ends, strict=True)]
    if alone and texts == [b""]:
        return JsonValues([], [])
    return JsonValues(range(place, place + len(texts)), texts)


def _own_marks(text: bytes) -> tuple[Positions, int | None]:
    """Return the positions of the array's own commas in `text`, and of its closing bracket if that is reached."""
    marks, steps = _marks(text)
    depth = np.cumsum(steps)
    closing = marks[depth < 0]
    end = int(closing[0]) if len(closing) else None
    commas = marks[(steps == 0) & (depth == 0)]
    return (commas if end is None else commas[commas < end]), end


def _object_ends(text: bytes) -> list[int]:
    """Return the positions in `text` at which everything is closed that was opened in it."""
    marks, steps = _marks(text)
    ends: list[int] = marks[(steps < 0) & (np.cumsum(steps) == 0)].tolist()
    return ends


def _marks(text: bytes) -> tuple[Positions, Positions]:
    """Return where brackets and commas stand outside of strings, and by how much each goes deeper."""
    codes = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    if b"\\" in text:
        quotes = quotes[~_is_escaped(codes, quotes)]
    marks = np.flatnonzero(_MARKS[codes])
    marks = marks[np.searchsorted(quotes, marks) % 2 == 0]
    return marks, _STEPS[codes[marks]]


def _is_escaped(codes: npt.NDArray[np.uint8], quotes: Positions) -> npt.NDArray[np.bool_]:
    """Return which of `quotes` follow an odd number of backslashes."""
    slashes = np.flatnonzero(codes == ord("\\"))
    run_starts = slashes[np.diff(slashes, prepend=-2) != 1]
    before = np.searchsorted(run_starts, quotes) - 1
    run_start = run_starts[np.maximum(before, 0)]
    run_length = np.searchsorted(slashes, quotes) - np.searchsorted(slashes, run_start)
    touches = (before >= 0) & (codes[np.maximum(quotes - 1, 0)] == ord("\\")) & (quotes > 0)
    escaped: npt.NDArray[np.bool_] = touches & (run_length % 2 == 1)
    return escaped


_STEPS = np.zeros(256, np.int64)
_STEPS[[ord("["), ord("{")]] = 1
_STEPS[[ord("]"), ord("}")]] = -1
_MARKS = _STEPS != 0
_MARKS[ord(",")] = True
