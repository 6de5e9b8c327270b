"""
Which way payments are read: by pages of a list, or by export files.

Knows when each one pays. Asks nothing and sends nothing: the number of payments is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Via = Literal["pages", "exports", "auto"]
Transport = Literal["pages", "exports"]

FEWEST_FOR_EXPORTS = 2_000
"""From so many payments on exports cost far fewer requests. Below, pages are done before an export would be ready."""


@dataclass(frozen=True, slots=True)
class TransportChoice:
    """A transport, and why it was chosen in words for people."""

    transport: Transport
    why: str


def choose_transport(via: str, payments: int) -> TransportChoice:
    """
    Return the transport of a pull of `payments`: the one `via` names, or for `auto` the one that suits their number.

    Source: https://docs.commercelayer.io/core/pagination (long lists are what exports are for).
    """
    if via == "pages":
        return TransportChoice("pages", "as asked for")
    if via == "exports":
        return TransportChoice("exports", "as asked for")
    assert via == "auto", via
    if payments < FEWEST_FOR_EXPORTS:
        return TransportChoice("pages", f"fewer than {FEWEST_FOR_EXPORTS:,} payments")
    return TransportChoice("exports", f"{FEWEST_FOR_EXPORTS:,} payments or more")
