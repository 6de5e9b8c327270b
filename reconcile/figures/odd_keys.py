"""
Keys of order rows that are not what stands in the file, or not what they look like, in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconcile.notices import Notice, notice

if TYPE_CHECKING:  # a pull alone needs warnings, but not this room
    from reconcile.orders.report import TidiedCells

_DONE = {
    "guard": "without the apostrophe of a spreadsheet",
    "formula": 'without =""',
    "placeholder": "blank, as NULL and the like",
    "whole": "without .0",
    "merged": "from a merged cell, of which each of its rows has the key",
}
UNSEEN_AS_RULES = (
    r'[{ pattern = "[\u00AD\u200B-\u200F\u2060-\u2064\uFEFF]", with = "" }, '
    r'{ pattern = "[\u2010\u2011]", with = "-" }]'
)
"""What takes unseen characters out of keys, as `reconcile.toml` has it."""


def odd_keys(tidied: Sequence[TidiedCells]) -> list[Notice]:
    """Return what to know of keys that were read as they are meant, or look like others and are none of them."""
    changed = [one for one in tidied if one.kind != "invisible"]
    found = []
    if changed:
        what = ", ".join(f'{one.cells:,} in "{one.column}" {_DONE[one.kind]}' for one in changed)
        figures = {one.kind: sum(each.cells for each in changed if each.kind == one.kind) for one in changed}
        found.append(notice("tidied_keys", f"keys were read as they are meant: {what}", **figures))
    for one in (one for one in tidied if one.kind == "invisible"):
        text = (
            f'{one.cells:,} keys in "{one.column}" have characters that are not seen, or hyphens of another kind: they '
            f"are other keys than those that look alike; [match.clean] replace = {UNSEEN_AS_RULES} takes them out"
        )
        found.append(notice("invisible_keys", text, column=one.column, keys=one.cells))
    return found
