"""A table of a page."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Table:
    """A plain table: `words` columns of words come first, all others are figures. The last row may be a total."""

    caption: str
    header: tuple[str, ...]
    words: int
    rows: list[tuple[str | Markup, ...]]
    has_total: bool = False
