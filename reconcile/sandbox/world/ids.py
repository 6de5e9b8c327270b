"""
Opaque ids: ten characters that hide a sequence, and give it back.

Commerce Layer's ids are hashes of a hidden sequence; `id_gt` compares the sequence, and the order of the strings
means nothing. Here the sequence goes through a keyed permutation of 58 bits (two multiplications by odd numbers,
each followed by a fold of the upper half onto the lower) and is written in base 62, so an id needs no table to be
read again, and ids of two resources or seeds have nothing in common.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_BITS = 58
_HALF_BITS = _BITS // 2
_MASK = (1 << _BITS) - 1
_ALPHABET = "mKq7RzXbW0fNcVh5TgYsJ2dLpGx9CwEa3HnZuQ6jBtPkM8vDy4SrFe1AiUoIlO"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_VALUES = {pair: value for value, pair in enumerate(_PAIRS)}
_BASE = len(_PAIRS)
_LENGTH = 10


@dataclass(frozen=True, slots=True)
class IdKey:
    """What one resource's ids are made with: an offset, two odd factors, and their inverses modulo 2**58."""

    offset: int
    factors: tuple[int, int]
    inverses: tuple[int, int]


def id_key(seed: int, resource: str) -> IdKey:
    """Return the key of one resource's ids in the world of `seed`."""
    digest = hashlib.blake2b(f"{seed}/{resource}".encode(), digest_size=24).digest()
    offset, first, second = (int.from_bytes(digest[start : start + 8], "big") & _MASK for start in (0, 8, 16))
    factors = (first | 1, second | 1)
    inverses = (pow(factors[0], -1, _MASK + 1), pow(factors[1], -1, _MASK + 1))
    return IdKey(offset, factors, inverses)


def id_of(key: IdKey, sequence: int) -> str:
    """Return the opaque text of `sequence` (below 2**58), always ten characters."""
    first, second = key.factors
    number = (sequence + key.offset) * first & _MASK
    number = (number ^ number >> _HALF_BITS) * second & _MASK
    number ^= number >> _HALF_BITS
    number, one = divmod(number, _BASE)
    number, two = divmod(number, _BASE)
    number, three = divmod(number, _BASE)
    five, four = divmod(number, _BASE)
    return _PAIRS[one] + _PAIRS[two] + _PAIRS[three] + _PAIRS[four] + _PAIRS[five]


def sequence_of(key: IdKey, text: str) -> int | None:
    """Return the sequence hidden in `text`, or None when it is not shaped like an id."""
    if len(text) != _LENGTH:
        return None
    number = 0
    for start in range(_LENGTH - 2, -1, -2):
        value = _VALUES.get(text[start : start + 2])
        if value is None:
            return None
        number = number * _BASE + value
    if number > _MASK:
        return None
    first, second = key.inverses
    number = (number ^ number >> _HALF_BITS) * second & _MASK  # a fold by half the width undoes itself
    number = (number ^ number >> _HALF_BITS) * first & _MASK
    return (number - key.offset) & _MASK
