r"""
What quotes make of delimited text: what is inside of them, where lines end, and where the rules of RFC 4180 are broken.

Each byte is a bit, and 64 of them are a word: a few operations on words say of all bytes what would take many passes
over their positions. Knows no cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from reconcile.orders.text.blocks import AT_ONCE

Positions = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_BITS = 64
_HIGHEST = np.uint64(_BITS - 1)
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Quoting:
    r"""
    Of `text`, which begins with a record, and which nothing follows where it is `final`; `quote` is "" without quotes.

    A line ends at \n, at \r\n, or at a \r alone; one at the end of what is not final may be half of \r\n, and is none.
    """

    text: bytes
    delimiter: str
    quote: str
    final: bool

    @property
    def is_closed(self) -> bool:
        """Whether every quote that opens is closed."""
        return not self._inside[-1] >> _HIGHEST

    def line_ends(self) -> Positions:
        """Return the last byte of every line end."""
        return np.flatnonzero(np.unpackbits(self._line_ends.view(np.uint8), bitorder="little"))

    def is_inside(self, places: Positions) -> npt.NDArray[np.bool_]:
        """Return for each of `places`, of which the end of the text may be one, whether it is inside of quotes."""
        words, bits = self._inside[places // _BITS], (places % _BITS).astype(np.uint64)
        return (words >> bits & _ONE).astype(np.bool_)

    def end_of_records(self, before: int | None = None) -> int:
        """Return where the last record ends, its line end included; of those before the place `before`, if any."""
        ends = self._line_ends & ~self._inside
        if before is not None:
            word, bit = divmod(before, _BITS)
            ends[word] &= np.uint64((1 << bit) - 1)
            ends[word + 1 :] = 0
        filled = np.flatnonzero(ends)
        return int(filled[-1]) * _BITS + int(ends[filled[-1]]).bit_length() if len(filled) else 0

    def first_violation(self) -> int | None:
        """Return the first quote that neither opens, closes nor is doubled as RFC 4180 has it."""
        edges = self._quotes | self._where(self.delimiter) | self._line_feeds | self._returns
        may_open, may_close = _behind(edges), _ahead(edges)
        may_open[0] |= _ONE
        word, bit = divmod(len(self.text) - 1, _BITS)
        may_close[word] |= np.uint64(1 << bit)
        # An opening quote right behind a closing one is the second of a doubled quote.
        wrong = self._quotes & ~(self._inside & may_open | ~self._inside & may_close)
        filled = np.flatnonzero(wrong)
        if not len(filled):
            return None
        lowest = int(wrong[filled[0]])
        return int(filled[0]) * _BITS + (lowest & -lowest).bit_length() - 1

    @cached_property
    def _line_ends(self) -> Words:
        followed = _ahead(self._line_feeds)
        if not self.final:
            word, bit = divmod(len(self.text) - 1, _BITS)
            followed[word] |= np.uint64(1 << bit)
        return self._line_feeds | self._returns & ~followed

    @cached_property
    def _line_feeds(self) -> Words:
        return self._where("\n")

    @cached_property
    def _returns(self) -> Words:
        return self._where("\r")

    @cached_property
    def _quotes(self) -> Words:
        return self._where(self.quote)

    @cached_property
    def _inside(self) -> Words:
        """Where an odd number of quotes stands up to the byte and with it."""
        found = self._quotes.copy()
        for distance in (1, 2, 4, 8, 16, 32):
            found ^= found << np.uint64(distance)
        odd = np.bitwise_xor.accumulate(found >> _HIGHEST)
        found[1:] ^= np.uint64(0) - odd[:-1]
        return found

    def _where(self, character: str) -> Words:
        """Return where `character` stands; behind the text is at least one bit more."""
        found = np.zeros(len(self.text) // _BITS + 1, np.dtype("<u8"))
        if character and character.encode() in self.text:
            packed, codes = found.view(np.uint8), np.frombuffer(self.text, np.uint8)
            for at in range(0, len(codes), AT_ONCE):
                bits = np.packbits(codes[at : at + AT_ONCE] == ord(character), bitorder="little")
                packed[at // 8 : at // 8 + len(bits)] = bits
        return found


def _behind(words: Words) -> Words:
    """Return where the byte before is set."""
    found = words << _ONE
    found[1:] |= words[:-1] >> _HIGHEST
    return found


def _ahead(words: Words) -> Words:
    """Return where the next byte is set."""
    found = words >> _ONE
    found[:-1] |= words[1:] << _HIGHEST
    return found
