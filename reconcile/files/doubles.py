"""The one string of a floating-point number, where a source has no other kind."""

from __future__ import annotations

import math
from decimal import Decimal

FIRST_INEXACT = 2**53
"""Every whole number below has a double of its own."""

_NOISE_TELLS_ITSELF = 10**12  # below, 15 digits leave three decimals: what is beyond them is no money, but noise


def double_text(value: float) -> str:
    """
    Return the decimal text that a double is taken to mean, for sources that have no exact decimals.

    At 15 significant digits, without an exponent: 12.3 is "12.3", and so is 12.300000000000001. A decimal of up to 15
    digits survives being a double (C, DBL_DIG), and a spreadsheet shows no more. Whole numbers below 2**53 are written
    in full. From 10**12 on, 15 digits cannot distinguish noise from cents: a fraction that is not exactly its own text
    gets all its binary digits, and a whole number from 2**53 on an exponent, so that no amount is made of either.
    """
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= FIRST_INEXACT:
        return repr(value) if "e" in repr(value) else f"{value:.17e}"
    if value == int(value):
        return str(int(value))
    text = format(Decimal(f"{value:.15g}"), "f")
    if abs(value) < _NOISE_TELLS_ITSELF or float(text) == value:
        return text
    return format(Decimal(value), "f")
