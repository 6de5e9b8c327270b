"""
Which columns of a table have a claim to a role, and which may be it and may be something else.

Knows words and what the program that wrote the table means by them. Decides nothing: that is up to `mapping`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from reconcile.money import CURRENCIES, ORDER_TOTALS
from reconcile.orders.columns.marks import placed
from reconcile.orders.columns.names import CLEAR, UNSURE, Groups, folded, spellings
from reconcile.orders.columns.nested import answered, beside
from reconcile.orders.columns.system import System
from reconcile.orders.columns.systems import system_of
from reconcile.orders.format import OrderFormat


class Candidates:
    """
    The columns of one table, `names` as in the file, looked up by what they may mean.

    `inside` are those that stand inside objects; `plain` are all of them folded, as they are compared.
    """

    def __init__(self, names: Sequence[str], form: OrderFormat, inside: Collection[str]) -> None:
        self.names = names
        self._form = form
        self._inside = inside
        self._answered = answered(names, inside)
        self.plain = self._answered.plain
        self.system: System | None = system_of({*self.plain, *map(folded, inside)})

    def places(self, names: Sequence[str]) -> list[int]:
        """Return where any of `names` stands."""
        meant = spellings(tuple(names))
        return [at for at, name in enumerate(self.plain) if name in meant]

    def candidates(self, role: str) -> list[int]:
        """Return where the columns with the best claim to `role` stand: the one named, or those of the first group."""
        named = self._form.column(role)
        if named:
            return placed(self.names, named) or self._named(folded(named))
        groups = _groups(role, self._form, self.system)
        for group in groups:
            if found := self.places(group):
                return found
        return next((found for group in groups if (found := self._last(role, group))), [])

    def _named(self, loose: str) -> list[int]:
        """Return where the columns stand that a folded name of the user's may mean."""
        full = [at for at, name in enumerate(self.names) if loose and name in self._inside and folded(name) == loose]
        return full or next(
            (
                found
                for spoken in (self.plain, self._answered.last)
                if (found := [at for at, name in enumerate(spoken) if name and name == loose])
            ),
            [],
        )

    def _last(self, role: str, names: Sequence[str]) -> list[int]:
        """Return where the columns inside of objects stand whose last part is one of `names`."""
        meant = spellings(tuple(names))
        found = [at for at, name in enumerate(self._answered.last) if name in meant]
        return [at for at in found if role != "amount" or self._answered.is_total[at]]

    def unsure(self, role: str) -> list[int]:
        """Return where columns stand that may be `role`, and may be something else; a program's likeliest first."""
        if self.system and role in self.system.columns:
            unsure = self.system.unsure.get(role, ())
            return list(dict.fromkeys(at for name in unsure for at in self.places((name,))))
        inner = spellings(tuple(name for group in CLEAR["amount"] for name in group)) if role == "amount" else ()
        return [*self.places(UNSURE[role]), *(at for at, name in enumerate(self._answered.last) if name in inner)]

    def currency_of(self, amount: int) -> list[int]:
        """Return where the currency stands that is in one object with the amount."""
        places = beside(amount, self.names, self._inside)
        last = {at: folded(self.names[at].rpartition(".")[2]) for at in places}
        groups = (spellings(group) for group in CLEAR["currency"])
        return next((found for group in groups if (found := [at for at in places if last[at] in group])), [])

    def in_a_currency(self, place: int) -> list[int]:
        """Return where columns stand that are named as the one at `place`, and in which currency: "Amount (USD)"."""
        amount = self.plain[place]
        return [
            at
            for at, name in enumerate(self.plain)
            if name.startswith(amount) and name[len(amount) :].removeprefix("in").upper() in CURRENCIES
        ]


def _groups(role: str, form: OrderFormat, system: System | None) -> Groups:
    """Return the names of `role` in groups of falling precedence, as the system has them or anybody."""
    groups = system.columns.get(role, CLEAR[role]) if system else CLEAR[role]
    if role != "amount" or (system and "amount" in system.columns):
        return groups
    if form.amount_basis != ORDER_TOTALS[0]:  # a total with tax is then no better than another
        groups = (tuple(name for group in groups for name in group),)
    return ((form.amount_basis,), *groups)
