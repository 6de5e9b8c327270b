"""
A table of a page as plain strings, and cells that lead to the breaks that they count.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

_LINK = Markup('<a href="#breaks"{}>{}</a>')
_WANTED = Markup(' data-{}="{}"')


@dataclass(frozen=True, slots=True)
class Table:
    """
    A plain table: `words` columns of words come first, all others are figures. The last row may be a total.

    A table of several currencies has the code of each row in the column `currency_at`; one of a single currency, or of
    none, says so in `currency`.
    """

    caption: str
    header: tuple[str, ...]
    words: int
    rows: list[tuple[str | Markup, ...]]
    has_total: bool = False
    currency: str = ""
    currency_at: int | None = None

    def currency_of(self, row: tuple[str | Markup, ...]) -> str:
        """Return the code of the currency that a row is in."""
        return "" if self.currency_at is None else str(row[self.currency_at])


def link_to_breaks(text: str, /, **wanted: str) -> Markup:
    """Return `text` as a link to the breaks that are `wanted`, by the names of the filters of their table."""
    filters = Markup("").join(_WANTED.format(name.replace("_", "-"), value) for name, value in wanted.items())
    return _LINK.format(filters, text)
