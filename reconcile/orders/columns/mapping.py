"""
Which column of a file is the reference, the amount, the currency: by its name, or as the user says.

Knows how the names of `names` and `systems` are weighed against each other. Does not read cells, and never guesses:
where two columns could be meant, or the one there may mean two things, it is an error (`unclear`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reconcile.money import ORDER_TOTALS
from reconcile.orders.columns.candidates import Candidates
from reconcile.orders.columns.fixed import taken_from
from reconcile.orders.columns.marks import mark_places
from reconcile.orders.columns.names import BARE_GROSS, GROSS, MINOR_UNITS, NET, SIGNS, TAXES, TWINS, folded, spellings
from reconcile.orders.columns.systems import vocabulary
from reconcile.orders.columns.unclear import Unclear
from reconcile.orders.format import COLUMN_OPTIONS, OrderFormat

KEYS = ("reference", "order_number", "order_id")
"""Roles of which an order table needs one, beside the amount."""
_OPTIONAL = ("method",)  # what they say is welcome, and no reason to stop
# Of every payment source of Commerce Layer, and of what is made of them here: never of an order.
_OF_PAYMENTS = ("mismatched_amounts",)


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """
    Where each of our columns stands in a file.

    `names` are the file's own, in its order; `positions` maps a role (a key of COLUMN_OPTIONS) to an index of it.
    `system` is the program that wrote the table, where its columns show it; `unit` is that of the amount as declared,
    or as that program's own format has it.
    Of roles in `loose` only text counts, and whatever else is in their cells is null: nobody has asked for them.
    `marks` are columns by whose values rows are left out, under the names that the user gives them; `shown` are the
    places of all columns whose cells are wanted for that. `taken` are declarations that its program's format makes, by
    their names in `OrderFormat`.
    """

    names: tuple[str, ...]
    positions: Mapping[str, int]
    system: str | None = None
    unit: str | None = None
    loose: frozenset[str] = frozenset()
    marks: Mapping[str, int] = field(default_factory=dict)
    shown: tuple[int, ...] = ()
    taken: Mapping[str, str] = field(default_factory=dict)

    def name(self, role: str) -> str:
        """Return the file's own name of the column of `role`."""
        return self.names[self.positions[role]]

    @property
    def amount_is_cents(self) -> bool:
        """Whether the amount is whole minor units, as declared, or as every `…_cents` column is."""
        if self.unit is not None:
            return self.unit == "minor"
        return folded(self.name("amount")).endswith("cents")

    @property
    def unread(self) -> tuple[str, ...]:
        """The file's columns that mean nothing here, in its order."""
        read = {*self.positions.values(), *self.marks.values()}
        return tuple(name for position, name in enumerate(self.names) if position not in read)

    @property
    def with_first(self) -> ColumnMap:
        """These columns with the cells of the first one shown, where it is no key: words for totals may stand there."""
        keys = {self.positions[role] for role in KEYS if role in self.positions}
        return self if not self.names or 0 in keys else replace(self, shown=tuple(sorted({0, *self.shown})))

    def as_dict(self) -> dict[str, str]:
        """Return role → the file's own column name."""
        return {role: self.names[position] for role, position in self.positions.items()}


def known_columns(names: Sequence[str], form: OrderFormat) -> int:
    """Return how many roles find at least one candidate in `names`: the right delimiter finds the most."""
    return len(_met_roles(names, form))


def has_required(names: Sequence[str], form: OrderFormat) -> bool:
    """Whether `names` have candidates for every column that an order table needs: whether they can be a header."""
    met = _met_roles(names, form)
    return "amount" in met and bool(met & set(KEYS)) and len({folded(name) for name in names}) > 1


def map_columns(
    names: Sequence[str], form: OrderFormat, *, path: str, line: int | None = None, inside: Collection[str] = ()
) -> ColumnMap:
    """
    Return where the columns stand among `names`, the file's own column names; `inside` are those with dots that stand
    inside objects.

    Raises OrderFileError when the reference or the amount is missing or cannot be determined for sure, when neither a
    currency column nor `form.currency` is there, when several columns have an equal claim, or when a column has the
    sign of the amounts and is not declared; `line` is that of the header.
    """
    table = _Table(tuple(names), form, (path, line), inside)
    if form.amount_column is None:
        table.check_kind()
    positions = table.positions(KEYS)
    table.check_keys(positions)
    positions |= table.positions([role for role in COLUMN_OPTIONS if role not in KEYS])
    if form.amount_column is None and "debit" not in positions:
        table.check_amount(positions["amount"])
    table.check_unit(positions["amount"])
    if form.sign_column is None and form.debit_column is None and (signs := table.met.places(SIGNS)):
        raise table.unclear.unsigned(signs)
    is_told = form.currency is not None and (form.currency_column is not None or not table.met.unsure("currency"))
    if "currency" not in positions and not is_told:
        raise table.unclear.missing("currency")
    marks = mark_places(table.names, form.marks, path=path, line=line)
    shown = range(len(table.names)) if form.skip_rows else sorted(set(marks.values()))
    taken = taken_from(table.system, form)
    system = table.system.name if table.system else None
    loose = frozenset(role for role in _OPTIONAL if form.column(role) is None)
    return ColumnMap(table.names, positions, system, form.amount_unit, loose, marks, tuple(shown), taken)


def _met_roles(names: Sequence[str], form: OrderFormat) -> set[str]:
    present = {folded(name) for name in names}
    met = set()
    for role in COLUMN_OPTIONS:
        named = form.column(role)
        wanted = {folded(named)} if named else vocabulary(role)
        if present & wanted or (role == "amount" and not named and folded(form.amount_basis) in present):
            met.add(role)
    return met


class _Table:
    """The column names of one table, what the user says of them, and what is said where they are not clear."""

    def __init__(
        self, names: tuple[str, ...], form: OrderFormat, where: tuple[str, int | None], inside: Collection[str]
    ) -> None:
        self.names = names
        self._form = form
        self.met = Candidates(names, form, inside)
        self.system = self.met.system
        self.unclear = Unclear(self.met, form, where)

    def positions(self, roles: Iterable[str]) -> dict[str, int]:
        """Return where the columns of `roles` stand that are there. Raises OrderFileError as `map_columns` does."""
        found: dict[str, int] = {}
        is_two_sided = self._form.debit_column is not None
        for role in roles:
            if role == "amount" and is_two_sided:
                found |= {"amount": self.positions(["debit"])["debit"]}  # whichever side is filled, in its place
                continue
            named = self._form.column(role)
            candidates = [] if named == "" else self.met.candidates(role)
            if role == "currency" and named is None and "amount" in found:
                candidates = self.met.currency_of(found["amount"]) or candidates
            if len(candidates) > 1:
                if role in _OPTIONAL and named is None:
                    continue
                raise self.unclear.ambiguous(role, candidates)
            if candidates:
                found[role] = candidates[0]
            elif named or role == "amount":
                raise self.unclear.missing(role)
        return found

    def check_kind(self) -> None:
        """Refuse a table of the other side, and one that is known to have no totals of orders."""
        if places := self.met.places(_OF_PAYMENTS):
            raise self.unclear.of_payments(places[0])
        if self.system and self.system.is_instead:
            raise self.unclear.of_another_kind(*self.system.is_instead)

    def check_keys(self, positions: Mapping[str, int]) -> None:
        """Refuse a table without a key, and one whose reference may be there under a name that is not clear."""
        found = {role: positions[role] for role in KEYS if role in positions}
        named = any(self._form.column(role) is not None for role in KEYS)
        unclear = "reference" not in found and not named and set(self.met.unsure("reference")) - set(found.values())
        if not found or unclear:
            raise self.unclear.missing("reference")

    def check_amount(self, place: int) -> None:
        """Refuse an amount whose name does not say what the columns beside it make doubtful: its tax or currency."""
        if self.system and "amount" in self.system.columns:
            return
        if self.met.plain[place] in spellings((*GROSS, *BARE_GROSS, *ORDER_TOTALS)):
            return
        if twins := [*self.met.places(TWINS), *self.met.in_a_currency(place)]:
            raise self.unclear.uncertain("amount", sorted({place, *twins}), "they are in different currencies")
        if self.met.places(TAXES) and not self.met.places(NET):
            raise self.unclear.uncertain("amount", [place], "with a column of the tax beside it, it may be without tax")

    def check_unit(self, place: int) -> None:
        """Refuse an amount whose name speaks of cents or minor units in another way than all others do."""
        name = self.names[place]
        if self._form.amount_unit is not None or self.met.plain[place].endswith("cents"):
            return
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFC", name))  # centAmount
        if MINOR_UNITS & set(re.findall(r"[^\W\d_]+", words.casefold())):
            raise self.unclear.unit(name)
