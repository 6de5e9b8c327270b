"""
Opaque ids: ten characters that hide a sequence, and give it back.

Commerce Layer's ids are hashes of a hidden sequence; `id_gt` compares the sequence, and the order of the texts
means nothing. Here a keyed permutation of the sequence (four Feistel rounds over 58 bits) is written in base 62,
so an id needs no table to be read again, and ids of two resources or seeds have nothing in common.
"""

from __future__ import annotations

_HALF_BITS = 29
_HALF = (1 << _HALF_BITS) - 1
_ALPHABET = "mKq7RzXbW0fNcVh5TgYsJ2dLpGx9CwEa3HnZuQ6jBtPkM8vDy4SrFe1AiUoIlO"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_VALUES = {pair: value for value, pair in enumerate(_PAIRS)}
_LENGTH = 10


def id_key(seed: int, resource: str) -> tuple[int, ...]:
    """Return the four round keys of one resource's ids in the world of `seed`."""
    state = seed & 0xFFFFFFFF
    keys = []
    for letter in resource + "keys":
        state = (state * 6364136223846793005 + ord(letter) * 1442695040888963407 + 1) & 0xFFFFFFFFFFFFFFFF
        keys.append((state >> 33) & _HALF)
    return tuple(keys[-4:])


def id_of(key: tuple[int, ...], sequence: int) -> str:
    """Return the opaque text of `sequence` (below 2**58), always ten characters."""
    left, right = sequence >> _HALF_BITS, sequence & _HALF
    for round_key in key:
        left, right = right, left ^ _mix(right, round_key)
    number = left << _HALF_BITS | right
    text = ""
    for _ in range(_LENGTH // 2):
        number, pair = divmod(number, len(_PAIRS))
        text += _PAIRS[pair]
    return text


def sequence_of(key: tuple[int, ...], text: str) -> int | None:
    """Return the sequence hidden in `text`, or None when it is not shaped like an id."""
    if len(text) != _LENGTH:
        return None
    number = 0
    for start in range(_LENGTH - 2, -1, -2):
        value = _VALUES.get(text[start : start + 2])
        if value is None:
            return None
        number = number * len(_PAIRS) + value
    left, right = number >> _HALF_BITS, number & _HALF
    if left > _HALF:
        return None
    for round_key in reversed(key):
        left, right = right ^ _mix(left, round_key), left
    return left << _HALF_BITS | right


def _mix(half: int, round_key: int) -> int:
    mixed = ((half ^ round_key) * 0x9E3779B1 + round_key) & 0xFFFFFFFFFFFFFFFF
    mixed ^= mixed >> 17
    return (mixed * 0x85EBCA6B >> 9) & _HALF
