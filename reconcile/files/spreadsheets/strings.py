"""
The shared strings of a spreadsheet: strings that cells name by a number, each stored once.

Knows what of a string is shown (the runs of rich text, not how they are pronounced) and how a character that XML cannot
hold is written. Holds all of them, as bytes, and no more of them than fit.
"""

from __future__ import annotations

import re
from array import array

from reconcile.files.spreadsheets.unreadable import damaged
from reconcile.files.spreadsheets.xml import names_of, new_parser, parsed
from reconcile.files.streams import Readable

_MOST_BYTES = 512 << 20  # of memory, for all strings together
_KINDS = names_of("si", "t", "rPh")
# ECMA-376 part 1, 22.9.2.19 (ST_Xstring): `_x000D_` is the character U+000D; a string that looks so has `_x005F_`
# first.
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


class SharedStrings:
    """Strings by number, from 0: UTF-8, one after the other."""

    def __init__(self) -> None:
        self._texts = bytearray()
        self._ends = array("Q")
        self.longest_bytes = 0

    def append(self, text: str) -> None:
        """Add the next text."""
        encoded = text.encode()
        self._texts += encoded
        self._ends.append(len(self._texts))
        self.longest_bytes = max(self.longest_bytes, len(encoded))

    @property
    def held_bytes(self) -> int:
        """Memory in use."""
        return len(self._texts) + self._ends.itemsize * len(self._ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> str:
        start = self._ends[at - 1] if at else 0
        return self._texts[start : self._ends[at]].decode()


def read_strings(part: Readable) -> SharedStrings:
    """Return the shared strings in `part`; raises NotASpreadsheet when it is damaged, or they do not fit."""
    strings = SharedStrings()
    reader = _StringsReader(strings)
    parser = new_parser()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    for _ in parsed(part, parser, name="the shared strings"):
        if strings.held_bytes + reader.waiting_bytes > _MOST_BYTES:
            raise damaged(f"the shared strings take more than {_MOST_BYTES >> 20} MiB")
    return strings


def shown_text(text: str) -> str:
    """Return `text` with what stands for characters that XML cannot hold replaced by them."""
    return _ESCAPE.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    # Neither NUL nor half a character can be part of a string: they stay as they are written.
    return match[0] if code == 0 or 0xD800 <= code <= 0xDFFF else chr(code)


class _StringsReader:
    """What expat calls."""

    __slots__ = ("_is_phonetic", "_is_read", "_strings", "_texts", "waiting_bytes")

    def __init__(self, strings: SharedStrings) -> None:
        self._strings = strings
        self._texts: list[str] = []
        self._is_read = self._is_phonetic = False
        self.waiting_bytes = 0

    def start(self, element: str, _: list[str]) -> None:
        known = _KINDS.get(element)
        if known == "t":
            self._is_read = not self._is_phonetic
        elif known == "rPh":
            self._is_phonetic = True

    def characters(self, text: str) -> None:
        if self._is_read:
            self._texts.append(text)
            self.waiting_bytes += len(text)

    def end(self, element: str) -> None:
        known = _KINDS.get(element)
        if known == "t":
            self._is_read = False
        elif known == "rPh":
            self._is_phonetic = False
        elif known == "si":
            self._strings.append(shown_text("".join(self._texts)))
            self._texts.clear()
            self.waiting_bytes = 0
