"""
Which column of a file is the reference, the amount, the currency: by its name, or as the user says.

Knows the names that mean one of our columns. Does not read cells, and never guesses: two names that could mean the
same column are an error, unless a rule of `NAMES` puts one before the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconcile.errors import OrderFileError
from reconcile.orders.options import COLUMN_OPTIONS, OrderFormat
from reconcile.schema import AMOUNT_BASES

# Per role, rules in order: a name of an earlier group wins over all of the later ones, names of one group are equals.
# `number`, `id`, `placed_at` and the `total_…` names are those of Commerce Layer's own order exports:
# https://docs.commercelayer.io/core-api-reference/orders/object
NAMES: dict[str, tuple[tuple[str, ...], ...]] = {
    "reference": (("reference", "order_reference", "payment_reference", "klarna_reference", "ref"),),
    "amount": (
        (),  # the run's amount_basis, see `_groups`
        (
            *AMOUNT_BASES,
            "amount_cents",
            "total_cents",
            "order_amount_cents",
            "order_total_cents",
            "total_amount_with_taxes",
            "total_amount",
            "order_amount",
            "order_total",
            "grand_total",
            "total",
            "amount",
        ),
    ),
    "currency": (("currency_code",), ("currency", "order_currency", "order_currency_code", "currency_iso")),
    "order_number": (("order_number",), ("number", "order_no", "order")),
    "order_id": (("order_id",), ("id",)),
    "ordered_on": (("ordered_on",), ("placed_at",), ("order_date", "ordered_at")),
}
"""Names that mean one of our columns, in groups of falling precedence; case, blanks and `_ - .` do not matter."""

REQUIRED = ("reference", "amount")


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """
    Where each of our columns stands in a file.

    `names` are the file's own, in its order; `positions` maps a role (a key of COLUMN_OPTIONS) to an index of it.
    """

    names: tuple[str, ...]
    positions: Mapping[str, int]

    def name(self, role: str) -> str:
        """Return the file's own name of the column of `role`."""
        return self.names[self.positions[role]]

    @property
    def amount_is_cents(self) -> bool:
        """Whether the amount is whole minor units, as every `…_cents` column is."""
        return folded(self.name("amount")).endswith("cents")

    @property
    def unread(self) -> tuple[str, ...]:
        """The file's columns that mean nothing here, in its order."""
        read = set(self.positions.values())
        return tuple(name for position, name in enumerate(self.names) if position not in read)

    def as_dict(self) -> dict[str, str]:
        """Return role → the file's own column name."""
        return {role: self.names[position] for role, position in self.positions.items()}


def folded(name: str) -> str:
    """Return `name` as it is compared: "Total Amount", "total-amount" and "TOTAL_AMOUNT" are one."""
    return re.sub(r"[\s_.\-]+", "", unicodedata.normalize("NFKC", name)).casefold()


def known_columns(names: Sequence[str], form: OrderFormat) -> int:
    """Return how many roles find at least one candidate in `names`: the right delimiter finds the most."""
    present = {folded(name) for name in names}
    wanted = {role: form.column(role) for role in COLUMN_OPTIONS}
    return sum(
        bool(present & ({folded(named)} if named else {folded(n) for group in _groups(role, form) for n in group}))
        for role, named in wanted.items()
    )


def map_columns(names: Sequence[str], form: OrderFormat, *, path: str, line: int | None = None) -> ColumnMap:
    """
    Return where the columns stand among `names`, the file's own column names.

    Raises OrderFileError when the reference or the amount is missing, when neither a currency column nor
    `form.currency` is there, or when several columns have an equal claim; `line` is that of the header.
    """
    positions: dict[str, int] = {}
    loose = [folded(name) for name in names]
    for role in COLUMN_OPTIONS:
        named = form.column(role)
        if named == "":
            continue
        candidates = _named(names, loose, named) if named else _candidates(role, loose, form)
        if len(candidates) > 1:
            raise _ambiguous(role, [names[i] for i in candidates], path=path, line=line)
        if candidates:
            positions[role] = candidates[0]
        elif named or role in REQUIRED:
            raise _missing(role, named, names, path=path, line=line)
    if "currency" not in positions and form.currency is None:
        raise OrderFileError(
            f"there is no currency column among {_listed(names)}",
            path=path,
            line=line,
            hint="name it with --currency-column, or say --currency EUR when every amount is in one currency",
        )
    return ColumnMap(tuple(names), positions)


def _groups(role: str, form: OrderFormat) -> tuple[tuple[str, ...], ...]:
    if role == "amount":
        return ((form.amount_basis,), *NAMES[role])
    return NAMES[role]


def _named(names: Sequence[str], loose: Sequence[str], named: str) -> list[int]:
    exact = [i for i, name in enumerate(names) if name == named]
    return exact or [i for i, name in enumerate(loose) if name == folded(named)]


def _candidates(role: str, loose: Sequence[str], form: OrderFormat) -> list[int]:
    for group in _groups(role, form):
        meant = {folded(name) for name in group}
        found = [i for i, name in enumerate(loose) if name in meant]
        if found:
            return found
    return []


def _ambiguous(role: str, candidates: Sequence[str], *, path: str, line: int | None) -> OrderFileError:
    option = COLUMN_OPTIONS[role]
    what = role.replace("_", " ")
    if len(set(candidates)) == 1:
        return OrderFileError(
            f'column "{candidates[0]}" is there {len(candidates)} times, and would be the {what}',
            path=path,
            line=line,
            column=candidates[0],
            hint=f"rename all but one, or name another column with {option}",
        )
    return OrderFileError(
        f"several columns could be the {what}: {_listed(candidates)}",
        path=path,
        line=line,
        hint=f'name the one that is meant, e.g. {option} "{candidates[0]}"',
    )


def _missing(role: str, named: str | None, names: Sequence[str], *, path: str, line: int | None) -> OrderFileError:
    what = f'column "{named}"' if named else f"{role} column"
    hint = f"the columns are as above: correct {COLUMN_OPTIONS[role]}"
    if not named:
        hint = f"name it with {COLUMN_OPTIONS[role]}; known names are {', '.join(NAMES[role][-1][-5:])} and more"
        if len(names) == 1:
            hint = "if the cells are not separated as expected, name the delimiter with --delimiter; else " + hint
    return OrderFileError(f"there is no {what} among {_listed(names)}", path=path, line=line, column=named, hint=hint)


def _listed(names: Sequence[str], most: int = 20) -> str:
    shown = ", ".join(f'"{name if len(name) <= 60 else name[:59] + "…"}"' for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
