"""
A program whose exports are known: how its tables are told apart, what their columns mean, what is always so in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from reconcile.orders.columns.names import Groups


@dataclass(frozen=True, slots=True)
class Fixed:
    """
    What a program's exports always are, whoever exports; None where one shop's differ from another's.

    Each is a declaration of `OrderFormat`, and holds where the user declares nothing.
    """

    decimal: Literal[".", ","] | None = None
    date_format: str | None = None
    continuation_rows: Literal["empty", "repeated"] | None = None


@dataclass(frozen=True, slots=True)
class System:
    """
    A program whose exports are known.

    One of `marks` (all names of it) in a table says that the program wrote it. `columns` are the names of each role
    that is listed, in groups as in `names.CLEAR`: no other name counts for it. `unsure` are candidates to tell where
    none is there, the likeliest first, and `notes` what to say then. `fixed` is what its format always is.
    """

    name: str
    marks: Groups
    columns: Mapping[str, Groups]
    unsure: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    fixed: Fixed = Fixed()
    is_minor_in_json: bool = False
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_instead: tuple[str, str] | None = None
