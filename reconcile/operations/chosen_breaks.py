"""
Breaks that somebody asks for, of a match or a run: which they are, what they come to by currency, what they share.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypedDict

import pyarrow as pa

from reconcile.figures.conditions import Conditions, chosen_from
from reconcile.figures.patterns import Pattern
from reconcile.figures.questions import CurrencySum, check_names, shared_by, sorted_breaks, sums_of
from reconcile.figures.tables import items_in
from reconcile.files.duckdb import connected
from reconcile.matching.frames import FrameT
from reconcile.reports.display import PLAIN
from reconcile.reports.output_cell import CellHead, OutputCell, cell_of
from reconcile.schema import ITEMS
from reconcile.settings.keywords import checked

_MOST_SHOWN = 50  # breaks of a currency that were chosen
_USUAL_WIDTH = 120  # columns
Words = str | int | Iterable[str]


class ConditionKeywords(TypedDict, total=False):
    """What may be asked of breaks, as the options of `reconcile breaks list` have it."""

    status: Words
    state: Words
    currency: Words
    min_amount: Words
    age: Words
    data_age: Words
    method: Words
    market: Words
    gateway: Words
    text: Words
    accepted: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class ChosenBreaks(Generic[FrameT]):
    """
    Breaks that were asked for: `items` (columns of ITEMS), what they come to by currency, what they have in common.

    Amounts of two currencies are never added up.
    """

    items: FrameT = field(repr=False)
    sums: tuple[CurrencySum, ...]
    patterns: tuple[Pattern, ...]
    _cell: OutputCell = field(repr=False)

    def __repr__(self) -> str:
        return self._cell.text(shown_width())

    def _repr_html_(self) -> str:
        return self._cell.html()


def conditions_of(asked: ConditionKeywords) -> Conditions:
    """Return conditions as they were given by keywords. Raises SettingsError for what is none."""
    given: dict[str, Any] = checked(asked, ConditionKeywords)
    accepted = given.pop("accepted", None)
    words = {
        name: [str(one) for one in ([value] if isinstance(value, str) or not isinstance(value, Iterable) else value)]
        for name, value in given.items()
        if value is not None
    }
    return Conditions.of(accepted=accepted, **words)


def chosen_breaks(
    items: Path | pa.Table, asked: Conditions, framed: Callable[[pa.Table], FrameT]
) -> ChosenBreaks[FrameT]:
    """
    Return the breaks among `items` that are `asked` for, as `framed` makes frames of them.

    Raises SettingsError for a name that is nowhere in the items.
    """
    with connected() as connection:
        table = items_in(connection, items)
        check_names(connection, table, asked)
        chosen = chosen_from(f"(SELECT * FROM {table} WHERE is_break)", asked)
        found = sorted_breaks(connection, chosen, ["amount"]).cast(ITEMS)
        sums = sums_of(connection, chosen)
        patterns = shared_by(connection, table, chosen, asked)
        told = tuple(one.text for one in patterns) or ("no pattern that enough of them share",)
        head = CellHead(PLAIN.plural(found.num_rows, "break"), notes=told if sums else ())
        return ChosenBreaks(framed(found), sums, patterns, cell_of(head, connection, chosen, most=_MOST_SHOWN))


def shown_width() -> int:
    """Return how wide text is shown: as the terminal is, and in a notebook, which has none, as most are."""
    return max(80, shutil.get_terminal_size((_USUAL_WIDTH, 24)).columns) if sys.stdout.isatty() else _USUAL_WIDTH
