"""
Ways to declare one thing, of which people have to choose one where there are several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Declared = Mapping[str, Any]
"""Declarations of `OrderFormat` by name."""


@dataclass(frozen=True, slots=True)
class Way:
    """Declarations, and what has to be so for them to be right; null where nothing else can be."""

    declared: Declared
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Ways that exclude each other, the likeliest first, and what to know of them; no way where none is known."""

    ways: Sequence[Way] = ()
    notes: Sequence[str] = field(default=())


def only(**declared: Any) -> Choice:
    """Return a choice of one way, which is right where it helps."""
    return Choice((Way(declared),))


def one_of(setting: str, ways: Sequence[tuple[str, Any]]) -> Choice:
    """Return a choice between values of one setting, each with its condition."""
    return Choice([Way({setting: value}, condition) for condition, value in ways])
