"""
Which declarations would read order files that cannot be read as they are: each is tried on the files before it is told.

Goes from one problem to the next, as a user would, and tells all of them at once, with one command line that a shell
takes and what it would read. What two declarations would read in two ways is told both ways. Declares nothing: the
reading of a run never guesses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from msgspec import structs

from reconcile.errors import OrderFileError, ReconcileError, SettingsError
from reconcile.money import EXPONENTS, format_amount
from reconcile.orders.cells.remedies import quoted
from reconcile.orders.databases.url import OrdersQuery
from reconcile.orders.format import COLUMN_OPTIONS, DETECTED, OrderFormat
from reconcile.orders.opening import OrderPaths
from reconcile.orders.proposals.choices import Choice, Declared
from reconcile.orders.proposals.columns import columns_of
from reconcile.orders.proposals.heads import Head, cells_of, excerpt, head_of
from reconcile.orders.proposals.kinds import of_kinds, several_rows, telling
from reconcile.orders.proposals.missing import of_columns, without_columns
from reconcile.orders.proposals.rejected import choices_for
from reconcile.orders.proposals.words import is_plain, options_of

_MOST_STEPS = 10
_MOST_OTHERS = 6
_NOT_OF_FILES = ("amount_basis", "time_zone")  # are settings of other rooms


@dataclass(frozen=True, slots=True)
class Proposal:
    """
    Declarations by name that were tried, and what they read.

    `condition` is what has to be so, where that is for people to say; `problems` are all that was in the way; `notes`
    what to know besides; `part` says which rows these are, where they are not all.
    """

    declared: Declared
    head: Head
    condition: str | None
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    part: str

    @property
    def words(self) -> str:
        """What to add, and what that reads."""
        added = f"add {options_of(self.declared)}: {_reads(self.head, self.part)}"
        return f"{self.condition}, {added}" if self.condition else added


def hint_of(proposals: Sequence[Proposal], paths: OrderPaths, form: OrderFormat) -> str:
    """Return what to do beside what `form` declares, in words and as command lines that show what it does."""
    own = {name: getattr(form, name) for name in form.__struct_fields__ if name not in _NOT_OF_FILES}
    own = {name: value for name, value in own.items() if value != getattr(DETECTED, name)}
    names = " ".join(str(path) if is_plain(str(path)) else quoted(str(path)) for path in _given(paths))
    commands = [f"  reconcile orders inspect {names} {options_of({**own, **one.declared})}" for one in proposals]
    notes = dict.fromkeys(note for one in proposals for note in one.notes)
    return "\n".join(["; ".join(["; or ".join(one.words for one in proposals), *notes]), *commands])


def propose(paths: OrderPaths, form: OrderFormat) -> list[Proposal]:
    """
    Return what would have to be declared beside `form` so that the files in `paths` are read; nothing where none helps.

    Several are for people to choose between. Reads the beginning of the files, several times. Nothing is proposed for
    queries, addresses and standard input.
    """
    try:
        return _found(paths, form) if _is_here(paths) else []
    except (OSError, pa.ArrowException, ReconcileError):
        return []  # the error that is there already says more


def propose_at(paths: OrderPaths, form: OrderFormat, source_file: str, line: int) -> list[Proposal]:
    """
    Return what would have to be declared so that the rows of `source_file` are read from `line` on, as `propose`.

    Is tried on these rows and on the first ones of the file, where nothing is in the way.
    """
    try:
        with excerpt(paths, form, source_file, line) if _is_here(paths) else nullcontext() as part:
            found = _found(part, form) if part is not None else []
    except (OSError, pa.ArrowException, ReconcileError):
        return []
    where = f" at the beginning and from line {line:,} on"
    return [replace(one, problems=(), part=where) for one in found]


def _is_here(paths: OrderPaths) -> bool:
    """Whether all of `paths` are files that can be read several times."""
    return not any(isinstance(path, OrdersQuery) or "://" in str(path) or str(path) == "-" for path in _given(paths))


def _found(paths: OrderPaths, form: OrderFormat) -> list[Proposal]:
    """Return what every way through all choices leads to, where that is worth it."""
    searches, found = [_Search(paths, form)], []
    for search in searches:  # it grows while there are choices
        found.append(search.run())
        others = (_Search(paths, form, other, condition) for condition, other in search.others)
        searches += [one for one in others if one.chosen not in [known.chosen for known in searches]]
        del searches[_MOST_OTHERS:]
    start = searches[0].start
    return [one for one in found if one is not None and _is_worth_it(one.head, start)]


def _is_worth_it(head: Head, start: int | None) -> bool:
    """Whether half the rejected rows are gone, of `start` without a declaration; without any, most rows are good."""
    return head.rejected_rows <= (head.table.num_rows if start is None else start / 2)


class _Search:
    """One way through all choices: `chosen` where it was said which, else the likeliest of each."""

    def __init__(
        self, paths: OrderPaths, form: OrderFormat, declared: Declared | None = None, condition: str | None = None
    ) -> None:
        self._paths = paths
        self._form = form
        self.chosen = dict(declared or {})
        self._said = dict(self.chosen)  # by a condition, chosen or the first
        self._declared: dict[str, Any] = {}
        self._condition = condition
        self._problems: list[str] = []
        self._notes: list[str] = []
        self.others: list[tuple[str, Declared]] = []
        self.start: int | None = None  # rows that are rejected without anything declared

    def run(self) -> Proposal | None:
        head = None
        for _ in range(_MOST_STEPS):
            try:
                head = head_of(self._paths, self._now)
            except OrderFileError as error:
                head, choice = None, self._for_error(error)
                self._problems.append(error.message)
            else:
                if not self._declared:
                    self.start = head.rejected_rows
                choice = self._for_rejects(head) if head.rejects else self._for_kinds(head)
            if not choice.ways:
                break
            self._take(choice)
        if head is None or not self._declared or not head.table.num_rows:
            return None
        part = "" if head.is_all else " at the beginning"
        return Proposal(dict(self._declared), head, self._condition, tuple(self._problems), tuple(self._notes), part)

    @property
    def _now(self) -> OrderFormat:
        return structs.replace(self._form, **self._declared)

    def _for_error(self, error: OrderFileError) -> Choice:
        found = without_columns(error, self._now)
        if found is not None:
            return found
        if error.asks in COLUMN_OPTIONS and self._now.column(error.asks):
            return Choice()  # a column that the user has named is not there
        cells = cells_of(self._paths, self._now, header_line=error.line)
        return Choice() if cells is None else of_columns(error, self._now, columns_of(cells))

    def _for_rejects(self, head: Head) -> Choice:
        """Return the choice that leaves the fewest rejects: fewer than there are."""
        best, least = Choice(), head.left
        for choice in choices_for(head, self._now, cells_of(self._paths, self._now, header_line=None)):
            try:
                again = head_of(self._paths, structs.replace(self._now, **choice.ways[0].declared))
            except (OrderFileError, SettingsError):
                continue
            if again.left < least and (again.table.num_rows or again.rejects):
                best, least = choice, again.left
        return best

    def _for_kinds(self, head: Head) -> Choice:
        """Return the choice between the rows of an order, where it has several and nobody has said which one counts."""
        if not self._declared or self._now.only or "only" in self._declared or not several_rows(head.table):
            return Choice()
        cells = cells_of(self._paths, self._now, header_line=None)
        names = telling(columns_of(cells)) if cells is not None else ()
        if not names:
            return Choice()
        return of_kinds(head_of(self._paths, structs.replace(self._now, carry=names)).table, names)

    def _take(self, choice: Choice) -> None:
        """Declare the way that was chosen, else the first, and keep the others."""
        first, *others = choice.ways
        self._notes += choice.notes
        if first.condition is not None and not first.declared.keys() <= self.chosen.keys():
            self.others += [(self._and(one.condition), {**self._said, **one.declared}) for one in others]
            self._condition = self._and(first.condition)
            self._said |= first.declared
        self._declared |= {name: self.chosen.get(name, value) for name, value in first.declared.items()}

    def _and(self, condition: str | None) -> str:
        """Return `condition` beside those of earlier choices."""
        if self._condition is None or not condition:
            return condition or ""
        return f"{self._condition} and {condition.removeprefix('if ')}"


def _reads(head: Head, part: str) -> str:
    totals = Counter[str]()
    for row in head.table.select(["currency_code", "amount_cents"]).to_pylist():
        totals[row["currency_code"]] += row["amount_cents"]
    sums = ", ".join(
        f"{code} {format_amount(cents, code)}" for code, cents in sorted(totals.items()) if code in EXPONENTS
    )
    rows = head.table.num_rows
    what = f"{rows:,} row{'' if rows == 1 else 's'}{part}"
    left = f", {head.left_out:,} left out" if head.left_out else ""
    return f"reads {what} ({sums}){left}, {head.rejected_rows:,} rejected"


def _given(paths: OrderPaths) -> list[object]:
    return [paths] if isinstance(paths, str | Path | OrdersQuery) else [getattr(path, "name", path) for path in paths]
