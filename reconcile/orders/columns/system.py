"""
A program whose exports are known: how its tables are told apart, and what their columns mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconcile.orders.columns.names import Groups


@dataclass(frozen=True, slots=True)
class System:
    """
    A program whose exports are known.

    One of `marks` (all names of it) in a table says that the program wrote it. `columns` are the names of each role
    that is listed, in groups as in `names.CLEAR`: no other name counts for it. `unsure` are candidates to tell where
    none is there, and `notes` what to say then.
    """

    name: str
    marks: Groups
    columns: Mapping[str, Groups]
    unsure: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    is_minor_in_json: bool = False
    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    is_instead: tuple[str, str] | None = None
