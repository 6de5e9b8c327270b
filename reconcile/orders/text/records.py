r"""
Where a record of delimited text begins and ends, and on which physical line: the part of CSV that needs care.

Knows quotes (RFC 4180: a quote opens at the start of a cell, is doubled inside, and closes before a delimiter or a
line end), and lines (ending in \n, \r\n or \r alone). Text that follows these rules is cut into blocks by a few passes
of numpy over the bytes, to be parsed elsewhere; where it does not, `scan_record` reads record by record, keeps a
quote inside an unquoted cell as it stands, and says what is wrong with a record. Does not know columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from reconcile.errors import OrderFileError
from reconcile.orders.text.blocks import count_lines
from reconcile.orders.text.quoting import Positions, Quoting

MAX_RECORD_BYTES = 16 << 20
_CAREFUL_BYTES = 256 << 10  # read with care after a violation, before numpy gets another chance


@dataclass(frozen=True, slots=True)
class Dialect:
    """Delimiter and quote, one ASCII character each; `quote` is "" where no cell is quoted."""

    delimiter: str
    quote: str = '"'


@dataclass(frozen=True, slots=True)
class Record:
    """
    One record as cells; `line` is its first physical line, `problem` what is wrong with its quotes.

    `text` is the record as it stands, without its line end.
    """

    line: int
    cells: tuple[str, ...]
    text: bytes
    problem: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether no cell holds anything but white space."""
        return not any(cell.strip() for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Block:
    """
    Whole records: `text` (UTF-8) that keeps to the rules, or, where `records` is not None, records read with care.

    `first_line` is the physical line on which the block begins, and `next_line` the one on which the next one does.
    """

    text: bytes
    first_line: int
    next_line: int
    records: tuple[Record, ...] | None = None

    @property
    def line_behind(self) -> int:
        """The line behind its last one, which may have no end."""
        return self.next_line + (not self.text.endswith((b"\n", b"\r")))


def blocks_of(texts: Iterable[bytes], dialect: Dialect, *, path: str, first_line: int = 1) -> Iterator[Block]:
    """
    Yield the records of `texts` (the pieces of one string, the first beginning with a record) in order.

    Raises OrderFileError at a record longer than MAX_RECORD_BYTES, and at a quote that nothing closes.
    """
    rest, line = b"", first_line
    for piece, final in _with_end(texts):
        rest = rest + piece if rest else piece
        while (block := _next_block(rest, dialect, line, final=final)) is not None:
            yield block
            line = block.next_line
            rest = rest[len(block.text) :]
        if len(rest) > MAX_RECORD_BYTES and (not dialect.quote or dialect.quote.encode() not in rest):
            raise _too_long(path, line)
        if rest and (final or len(rest) > MAX_RECORD_BYTES):
            raise _unclosed(dialect, path, line)


def record_spans(text: bytes, dialect: Dialect, first_line: int) -> tuple[Positions, Positions, Positions]:
    """
    Return start, end (its line end not included) and first physical line of every record of a block's `text`.

    Records of no characters are left out, as every CSV parser does.
    """
    codes = np.frombuffer(text, np.uint8)
    quoting = Quoting(text, dialect.delimiter, dialect.quote, final=True)
    line_ends = quoting.line_ends()
    if len(line_ends) == 0 or line_ends[-1] != len(codes) - 1:
        line_ends = np.append(line_ends, len(codes))
    numbers = np.flatnonzero(~quoting.is_inside(line_ends))
    ends = line_ends[numbers]
    starts = np.concatenate(([0], ends[:-1] + 1))
    lines = np.concatenate(([0], numbers[:-1] + 1)) + first_line
    crlf = (ends > starts) & (codes[np.maximum(ends - 1, 0)] == 13)
    ends = ends - np.where(crlf & (ends < len(codes)), 1, 0)
    filled = ends > starts
    return starts[filled], ends[filled], lines[filled]


def scan_record(text: bytes, start: int, line: int, dialect: Dialect, *, final: bool) -> tuple[Record, int] | None:
    """
    Return the record of `text` at `start` and where the next one begins; None when `text` ends before it does.

    `final` says that nothing follows `text`.
    """
    quoted, plain = _cell_patterns(dialect)
    cells: list[bytes] = []
    problem, at, quote = None, start, dialect.quote.encode()
    while True:
        if quote and text.startswith(quote, at):
            match = quoted.match(text, at)
            if match is None or (match.end() == len(text) and not final):
                return None
            cell, at = match[0][1:-1].replace(quote * 2, quote), match.end()
            if tail := plain.match(text, at)[0]:  # type: ignore[index]  # it matches the empty text too
                problem = "has text after a closing quote"
                cell, at = cell + tail, at + len(tail)
        else:
            cell = plain.match(text, at)[0]  # type: ignore[index]  # as above
            at += len(cell)
            if quote and cell.lstrip(b" \t").startswith(quote):
                problem = "has a space before an opening quote"
        cells.append(cell)
        if text[at : at + 1] == dialect.delimiter.encode():
            at += 1
            continue
        end = _after_line_end(text, at, final=final)
        if end is None:
            return None
        return Record(line, tuple(cell.decode() for cell in cells), text[start:at], problem), end


def _with_end(texts: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    for text in texts:
        yield text, False
    yield b"", True


def _next_block(buffer: bytes, dialect: Dialect, line: int, *, final: bool) -> Block | None:
    """Return the whole records at the start of `buffer`, None when there is not one."""
    cut, violated = _cut(buffer, dialect, final=final) if buffer else (0, False)
    records = None
    if violated and not cut:
        records, cut = _read_with_care(buffer, dialect, line, final=final)
    text = buffer[:cut]
    return Block(text, line, line + count_lines(text), records) if cut else None


def _cut(buffer: bytes, dialect: Dialect, *, final: bool) -> tuple[int, bool]:
    """Return how many bytes are whole records that keep to the rules, and whether a violation follows them."""
    if not dialect.quote or dialect.quote.encode() not in buffer:
        return (len(buffer), False) if final else (_last_line_end(buffer), False)
    quoting = Quoting(buffer, dialect.delimiter, dialect.quote, final)
    violation = quoting.first_violation()
    if violation is None and final and quoting.is_closed:
        return len(buffer), False
    return quoting.end_of_records(violation), violation is not None


def _read_with_care(buffer: bytes, dialect: Dialect, line: int, *, final: bool) -> tuple[tuple[Record, ...], int]:
    records: list[Record] = []
    at = 0
    while at < min(len(buffer), _CAREFUL_BYTES):
        scanned = scan_record(buffer, at, line, dialect, final=final)
        if scanned is None:
            break
        record, end = scanned
        line += count_lines(buffer[at:end])
        at = end
        records.append(record)
    return tuple(records), at


@lru_cache(maxsize=16)
def _cell_patterns(dialect: Dialect) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return a quoted cell, and what an unquoted one may hold."""
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    quoted = f"{quote}(?:[^{quote}]++|{quote}{quote})*+{quote}" if quote else "(?!)"
    return re.compile(quoted.encode()), re.compile(f"[^{delimiter}\r\n]*+".encode())


def _last_line_end(buffer: bytes) -> int:
    found = buffer.rfind(b"\n")
    return (found if found >= 0 else buffer.rfind(b"\r", 0, -1)) + 1


def _after_line_end(text: bytes, at: int, *, final: bool) -> int | None:
    if text.startswith(b"\r\n", at):
        return at + 2
    if at == len(text) or (text.startswith(b"\r", at) and at + 1 == len(text)):
        return len(text) if final else None
    return at + 1


def _too_long(path: str, line: int) -> OrderFileError:
    return OrderFileError(
        f"a line is longer than {MAX_RECORD_BYTES >> 20} MiB",
        path=path,
        line=line,
        hint="this is not a table of order totals, or its line ends are missing",
    )


def _unclosed(dialect: Dialect, path: str, line: int) -> OrderFileError:
    return OrderFileError(
        f"a quoted cell begins in this row and is never closed ({dialect.quote})",
        path=path,
        line=line,
        hint="close the quote, or, where quotes mean nothing in this file, add --quote ''",
    )
