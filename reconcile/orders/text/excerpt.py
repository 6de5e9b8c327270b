"""
Parts of a delimited text as a text of their own: its header, its first rows, and the rows from a line on.

Reads on to that line and no further, so that what is far down in a large file can be looked at several times.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from reconcile.files.streams import Readable
from reconcile.orders.format import OrderFormat
from reconcile.orders.text.blocks import TextBlocks, count_lines
from reconcile.orders.text.dialect import Header, read_header
from reconcile.orders.text.records import Dialect, blocks_of, record_spans

_FIRST_ROWS = 1_000


def excerpt_from(stream: Readable, form: OrderFormat, *, path: str, line: int) -> bytes | None:
    """
    Return the header, the first rows, and some rows from `line` on, where one begins, as a file in the same encoding.

    None where `line` is among the first rows, or behind the text.

    Raises OrderFileError as reading the text does.
    """
    texts = TextBlocks(stream, path=path, encoding=form.encoding)
    header, above, pieces = read_header(iter(texts), form, path=path)
    piece = b"".join(islice(pieces, 2))
    beginning = _first_rows(piece, header.dialect, path)
    if line < header.rows_line + count_lines(beginning):
        return None
    later = _from_line(chain((piece,), pieces), header, line, path)
    return (above + beginning + later).decode().encode(texts.encoding) if later else None


def _first_rows(text: bytes, dialect: Dialect, path: str) -> bytes:
    """Return the first records of `text`, nothing where they need care."""
    block = next(blocks_of((text,), dialect, path=path), None)
    if block is None or block.records is not None:
        return b""
    starts, _, _ = record_spans(block.text, dialect, block.first_line)
    return block.text[: starts[_FIRST_ROWS]] if len(starts) > _FIRST_ROWS else block.text


def _from_line(pieces: Iterator[bytes], header: Header, line: int, path: str) -> bytes:
    """Return some records from the one on `line` on; nothing behind the last."""
    begun, has_return = header.rows_line, False
    for piece in pieces:
        text = piece[1:] if has_return and piece.startswith(b"\n") else piece  # one line end, in two pieces
        ends = count_lines(text)
        if line <= begun + ends:
            before = text.splitlines(keepends=True)[: line - begun]
            rest = text[sum(map(len, before)) :] + next(pieces, b"")
            block = next(blocks_of(chain((rest,), pieces), header.dialect, path=path, first_line=line), None)
            return block.text if block is not None else b""
        begun, has_return = begun + ends, piece.endswith(b"\r")
    return b""
