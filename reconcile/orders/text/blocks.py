"""
The bytes of a text file as blocks of valid UTF-8, whatever its encoding; wrong bytes are named by position and line.

Knows byte-order marks and encodings. Does not know lines' meaning, and never guesses an encoding: without a
byte-order mark, a declared encoding or a first line that names a format a file is UTF-8 or an error, a guess is only
ever part of that error's hint.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import numpy as np

from reconcile.errors import OrderFileError
from reconcile.files.encodings import datev_encoding, marked_encoding, utf_16_without_mark
from reconcile.files.streams import Readable

BLOCK_BYTES = 4 << 20
_SHORT = 4096
AT_ONCE = 256 << 10  # bytes that numpy looks at together: for more it needs memory that the system clears first
_MARKS_AT_START = re.compile(rb"(?:\xef\xbb\xbf)+")
_MARK_OF_LINE = re.compile(rb"([\r\n])(?:\xef\xbb\xbf)+")
_LINE_FEED = 10


class TextBlocks:
    """
    Iterates the blocks of `stream`: bytes, each of them whole UTF-8 characters, no byte-order mark.

    A block is `block_bytes` of the stream (at least 4: a byte-order mark), by default BLOCK_BYTES.
    `encoding` is the one declared (None: by byte-order mark, else that of DATEV's format or UTF-8), and the one found
    once iteration has begun; `head` are the first bytes as they are. A byte-order mark at the start of a line is left
    out: it stands where files were put together.
    Raises OrderFileError naming byte and line at the first byte that is not text in that encoding, and at a NUL.
    """

    def __init__(
        self, stream: Readable, *, path: str, encoding: str | None = None, block_bytes: int | None = None
    ) -> None:
        self._stream = stream
        self._path = path
        self._block_bytes = block_bytes or BLOCK_BYTES
        self._lines_before = 0
        self._bytes_before = 0
        first = stream.read(self._block_bytes)
        self._first: bytes | None = first
        self.head = first[:_SHORT]
        self._declared = encoding is not None
        self.encoding = encoding or marked_encoding(first) or datev_encoding(first) or "utf-8"
        self.is_empty = not first

    def __iter__(self) -> Iterator[bytes]:
        """Yield each block once, in order."""
        decoder = codecs.getincrementaldecoder(self.encoding)("strict")
        is_utf8 = codecs.lookup(self.encoding).name == "utf-8"
        at_line_start = True
        while True:
            raw = self._first if self._first is not None else self._stream.read(self._block_bytes)
            self._first = None
            if is_utf8 and raw and raw.isascii() and not decoder.getstate()[0]:
                block = raw
            else:
                block = self._decoded(decoder, raw)
            if block:
                block = _without_marks(block, at_line_start=at_line_start)
                at_line_start = block.endswith((b"\n", b"\r"))
            if b"\0" in block:
                raise self._nul(block)
            self._bytes_before += len(raw)
            self._lines_before += count_lines(block)
            if block:
                yield block
            if not raw:
                return

    def _decoded(self, decoder: codecs.IncrementalDecoder, raw: bytes) -> bytes:
        try:
            return decoder.decode(raw, final=not raw).encode()
        except UnicodeEncodeError as error:
            raise OrderFileError(
                f"there is half a character (U+{ord(error.object[error.start]):04X}) in the text",
                path=self._path,
                line=self._lines_before + count_lines(error.object[: error.start].encode(errors="replace")) + 1,
                hint="the file is damaged, or not in the encoding that is named: export it again",
            ) from error
        except UnicodeDecodeError as error:
            carried = len(error.object) - len(raw)  # bytes of the block before that wait for their character's end
            position = self._bytes_before - carried + error.start
            good = error.object[: error.start].decode(self.encoding, "replace").encode()
            raise OrderFileError(
                f"byte {position + 1} (0x{error.object[error.start]:02x}) is not {self._name()} text",
                path=self._path,
                line=self._lines_before + count_lines(good) + 1,
                hint=self._hint(error.object, error.start),
            ) from error
        except UnicodeError as error:  # of an encoding that its mark shows, where there is none
            raise OrderFileError(
                f"there is no byte-order mark, by which {self.encoding} is read",
                path=self._path,
                hint=f"name the byte order too: --encoding {self.encoding}-le, or {self.encoding}-be",
            ) from error

    def _nul(self, block: bytes) -> OrderFileError:
        before = block[: block.index(b"\0")]
        hint = "the file is damaged, or not a text file: export it again"
        if not self._declared and (guess := utf_16_without_mark(block)):
            hint = f"it looks like UTF-16 without a byte-order mark: try --encoding {guess}"
        return OrderFileError(
            "there is a NUL character in the text",
            path=self._path,
            line=self._lines_before + count_lines(before) + 1,
            hint=hint,
        )

    def _name(self) -> str:
        return {"utf-8": "UTF-8", "utf-8-sig": "UTF-8", "utf-16": "UTF-16"}.get(self.encoding, self.encoding)

    def _hint(self, raw: bytes, start: int) -> str:
        if self._declared:
            return f"the file is not in {self.encoding}: name the right one with --encoding"
        if not self.encoding.startswith("utf-8"):
            return "the file is damaged or truncated: export it again"
        if guess := utf_16_without_mark(raw):
            return f"it looks like UTF-16 without a byte-order mark: try --encoding {guess}"
        around = raw[start : start + 1].decode("cp1252", "replace")
        shown = f' (there this byte is "{around}")' if around.isprintable() and around != "\ufffd" else ""
        return f"name the encoding; files of older Windows programs are often --encoding cp1252{shown}"


def _without_marks(block: bytes, *, at_line_start: bool) -> bytes:
    if at_line_start and (marks := _MARKS_AT_START.match(block)):
        block = block[marks.end() :]
    return _MARK_OF_LINE.sub(rb"\1", block) if not block.isascii() and codecs.BOM_UTF8 in block else block


def count_lines(text: bytes) -> int:
    r"""Return how many lines end in `text`; a line ends at \n, at \r\n, or at a \r alone."""
    if len(text) > _SHORT:  # numpy counts three times as fast, once it has begun
        codes = np.frombuffer(text, np.uint8)
        ends = sum(
            int(np.count_nonzero(codes[at : at + AT_ONCE] == _LINE_FEED)) for at in range(0, len(codes), AT_ONCE)
        )
    else:
        ends = text.count(b"\n")
    if b"\r" in text:
        ends += text.count(b"\r") - text.count(b"\r\n")
    return ends
