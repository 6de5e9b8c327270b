"""
What would do away with an error: the column that is missing, or may be one of several, by names and by their cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from reconcile.errors import OrderFileError
from reconcile.money import SYMBOLS
from reconcile.orders.format import OrderFormat
from reconcile.orders.proposals.choices import Choice, one_of, only
from reconcile.orders.proposals.columns import AGAINST, Column, amounts_among

_MOST_AMOUNTS = 3
_SAID = ("that is usually without tax", "that is the open amount, not the total")  # beside each column, too
_SIDES = {
    "debit": ("debit", "soll", "debet", "debe", "dare", "débit"),
    "credit": ("credit", "haben", "kredit", "haber", "avere", "crédit"),
}


def without_columns(error: OrderFileError, form: OrderFormat) -> Choice | None:
    """Return what may do away with an error that is about no column; null where it is about one."""
    if error.asks == "header_line":
        return one_of("header_line", [(f"if the header is line {one}", one) for one in error.among[::-1]])
    if error.asks == "unit":
        return one_of("amount_unit", [("if amounts are whole minor units", "minor"), ("if they are not", "major")])
    if error.asks is not None:
        return None
    if "is not UTF-8" not in error.message or form.encoding is not None:
        return Choice()
    return Choice(only(encoding="cp1252").ways, [error.hint] if error.hint else [])


def of_columns(error: OrderFileError, form: OrderFormat, columns: Sequence[Column]) -> Choice:
    """Return what may do away with an error that asks for a column, of which there are `columns`."""
    role = error.asks or ""
    among = [columns[at] for at in error.among if at < len(columns)]
    chosen: dict[str, Callable[[OrderFormat, Sequence[Column], Sequence[Column]], Choice]] = {
        "reference": _key,
        "amount": _amount,
        "currency": _currency,
        "sign": _sign,
    }
    choose = chosen.get(role)
    found = choose(form, columns, among) if choose else _named(role, among, columns)
    is_said = error.why is None or (role == "amount" and error.why in _SAID)
    return found if is_said or not found.ways else Choice(found.ways, [*found.notes, error.why or ""])


def _key(form: OrderFormat, columns: Sequence[Column], among: Sequence[Column]) -> Choice:
    usable = [one for one in among if one.is_key] or list(among)
    others = [one for one in columns if one.is_key and one.name and not one.is_amount and not one.is_sign]
    return _named("reference", usable or others, columns, is_sure=len(among) == 1)


def _amount(form: OrderFormat, columns: Sequence[Column], among: Sequence[Column]) -> Choice:
    sides = {side: [one for one in columns if one.name.strip().casefold() in words] for side, words in _SIDES.items()}
    if all(len(found) == 1 for found in sides.values()):
        return only(**{f"{side}_column": found[0].name for side, found in sides.items()})
    usable = amounts_among([one for one in among if one.texts])
    if all(one.rank >= AGAINST for one in usable):  # then any other may be it as well
        usable += [one for one in amounts_among(columns) if one not in usable]
    best = [one for one in usable if not among and one.rank == usable[0].rank < AGAINST]
    return _named("amount", best if len(best) == 1 else usable[:_MOST_AMOUNTS], columns, is_sure=len(best) == 1)


def _currency(form: OrderFormat, columns: Sequence[Column], among: Sequence[Column]) -> Choice:
    if usable := [one for one in (*among, *columns) if one.is_currency]:
        return _named("currency", usable[:1], columns, is_sure=not among)
    if form.currency is not None:  # a column that may be it is none
        return only(currency_column="")
    texts = [text for one in columns if one.is_amount for text in one.texts]
    codes = [code for code, signs in SYMBOLS.items() if any(sign in text for sign in signs for text in texts)]
    code = codes[0] if codes else "EUR"
    told = f"write the code of all amounts in place of {code}: the files do not say it"
    return Choice(only(currency=code).ways, [told] if len(codes) != 1 else [])


def _sign(form: OrderFormat, columns: Sequence[Column], among: Sequence[Column]) -> Choice:
    ways = [("if amounts have no sign of their own", _name_of(one, columns)) for one in among[:1]]
    return one_of("sign_column", [*ways, ("if they have one", "")])


def _named(role: str, usable: Sequence[Column], columns: Sequence[Column], *, is_sure: bool = False) -> Choice:
    setting, what = f"{role}_column", {"amount": "total"}.get(role, role.replace("_", " "))
    if is_sure and len(usable) == 1:
        return only(**{setting: _name_of(usable[0], columns)})
    told = [f"if the {what} is in {one.shown}{one.against if role == 'amount' else ''}" for one in usable]
    return one_of(setting, [(words, _name_of(one, columns)) for words, one in zip(told, usable, strict=True)])


def _name_of(column: Column, columns: Sequence[Column]) -> str:
    is_unique = bool(column.name) and sum(one.name == column.name for one in columns) == 1
    return column.name if is_unique else f"#{column.at + 1}"
