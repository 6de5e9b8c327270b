"""
What is said of columns that are missing, or are not clearly what they may be: each error with the option to write.

Decides nothing: that is up to `mapping`.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.errors import OrderFileError
from reconcile.orders.columns.candidates import Candidates
from reconcile.orders.columns.marks import listed
from reconcile.orders.columns.names import NET, OPEN_AMOUNTS
from reconcile.orders.format import COLUMN_OPTIONS, OrderFormat

_EXAMPLES = {
    "reference": "reference, order_reference, Referenz, Référence",
    "amount": "order_total, grand_total, total, amount, Betrag, Montant TTC",
}


class Unclear:
    """The errors of one table, by the columns that it has (`met`) and what the user says of them; `where` it is."""

    def __init__(self, met: Candidates, form: OrderFormat, where: tuple[str, int | None]) -> None:
        self._met = met
        self._form = form
        self._path, self._line = where

    def ambiguous(self, role: str, candidates: Sequence[int]) -> OrderFileError:
        """Return the error for several columns with an equal claim to `role`."""
        names = [self._met.names[at] for at in candidates]
        option = COLUMN_OPTIONS[role]
        what = role.replace("_", " ")
        if len(set(names)) == 1:
            return self._error(
                f'column "{names[0]}" occurs {len(names)} times, and would be the {what}',
                hint=f'name it by its position, e.g. {option} "#{candidates[0] + 1}", or name another column',
                column=names[0],
                asks=role,
                among=candidates,
            )
        return self._error(
            f"several columns could be the {what}: {listed(names)}",
            hint=f'name the right one, e.g. {option} "{names[0]}"',
            asks=role,
            among=candidates,
        )

    def missing(self, role: str) -> OrderFileError:
        """Return the error for a column that is not there, or may be one of several."""
        named = self._form.column(role)
        if not named and (unsure := self._met.unsure(role)):
            return self.uncertain(role, unsure, self._note(role) or self._doubt(role, unsure))
        if not named and role == "currency":
            return self._error(
                f"there is no currency column among {listed(self._met.names)}",
                hint="name it with --currency-column, or add --currency EUR when every amount is in one currency",
                asks=role,
            )
        what = f'column "{named}"' if named else f"{role} column"
        hint = f"the columns are as above: correct {COLUMN_OPTIONS[role]}"
        if not named:
            hint = f"name it with {COLUMN_OPTIONS[role]}; known names are {_EXAMPLES[role]} and more"
            if len(self._met.names) == 1 and self._line is not None:
                hint = "if the cells are not separated as expected, name the delimiter with --delimiter; else " + hint
        return self._error(f"there is no {what} among {listed(self._met.names)}", hint=hint, column=named, asks=role)

    def of_payments(self, place: int) -> OrderFileError:
        """Return the error for a table of the other side, which has no order totals or has the payments' own."""
        return self._error(
            f'this is a table of payments, not of order totals: it has a column "{self._met.names[place]}"',
            hint="name an export of orders, such as `reconcile orders export` makes; "
            "if it holds your own totals, name their column with --amount-column",
        )

    def of_another_kind(self, what: str, remedy: str) -> OrderFileError:
        """Return the error for a table of a known program that has no order totals: it is `what`."""
        return self._error(
            f"this is {what}, not order totals: the columns are {listed(self._met.names)}",
            hint=f"{remedy}; if its amounts are to be compared all the same, name their column with --amount-column",
        )

    def unit(self, name: str) -> OrderFileError:
        """Return the error for an amount whose name does not say clearly in which unit it is."""
        return self._error(
            f'column "{name}" may be in minor units, such as cents',
            hint="add --amount-unit minor if it is, or --amount-unit major if it has decimals",
            column=name,
            asks="unit",
        )

    def unsigned(self, signs: Sequence[int]) -> OrderFileError:
        """Return the error for a column of signs that nobody has declared."""
        name = self._met.names[signs[0]]
        return self._error(
            f'column "{name}" says which amounts are credits, and is not declared',
            hint=f'add --sign-column "{name}" to make credits negative, or --sign-column "" if amounts have a sign',
            column=name,
            asks="sign",
            among=signs,
        )

    def uncertain(self, role: str, places: Sequence[int], why: str) -> OrderFileError:
        """Return the error for columns that may be `role`, and may be something else for the reason `why`."""
        names = [self._met.names[at] for at in places]
        may_be = "it may be" if len(names) == 1 else "it may be one of"
        error = self._error(
            f"no column is clearly the {role}: {may_be} {listed(names)}",
            hint=f'{why}; name the right one, e.g. {COLUMN_OPTIONS[role]} "{names[0]}"',
            asks=role,
            among=places,
        )
        error.why = why
        return error

    def _note(self, role: str) -> str | None:
        if self._met.system is None or role not in self._met.system.notes:
            return None
        return f"{self._met.system.name}: {self._met.system.notes[role]}"

    def _doubt(self, role: str, unsure: Sequence[int]) -> str:
        if role == "amount":
            if set(unsure) <= set(self._met.places(NET)):
                return "that is usually without tax"
            if set(unsure) <= set(self._met.places(OPEN_AMOUNTS)):
                return "that is the open amount, not the total"
        return "such names have different meanings"

    def _error(
        self,
        message: str,
        *,
        hint: str,
        column: str | None = None,
        asks: str | None = None,
        among: Sequence[int] = (),
    ) -> OrderFileError:
        error = OrderFileError(message, path=self._path, line=self._line, column=column, hint=hint)
        error.asks, error.among = asks, tuple(among)
        return error
