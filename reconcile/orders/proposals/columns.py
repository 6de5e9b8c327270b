"""
What columns may be by what stands in them: amounts, currencies, keys; and what speaks against an amount by its name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reconcile.money import CURRENCIES, PLACEHOLDERS, SYMBOLS
from reconcile.orders.columns.names import GROSS, NET, OPEN_AMOUNTS, SIGNS, TAXES, folded, spellings
from reconcile.orders.proposals.heads import Cells

_AMOUNT = re.compile(
    r"""['(<+\-−]?[\s(]*                            # a guard, a sign, the form of a negative amount
        (?:[A-Z]{3}|[^\w\s.,]{1,3}|kr\.?)?[\s(]*    # a currency
        [+\-−]?[0-9][0-9 .,'’_\u00a0\u202f]*        # the digits
        [)>\-–]*\s*
        (?:[A-Z]{1,3}|[^\w\s]{1,2}|kr\.?|zł|Kč|Ft)?-?""",
    re.VERBOSE,
)
_DATE = re.compile(r"[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{2,4}.*|.*[0-9]:[0-9]{2}.*")
_AGAINST = re.compile(
    r"(?i)\b(fees?|gebühr|commission|provision|net|netto|tax|vat|mwst|moms|iva|tva|discount|rabatt|shipping|versand|"
    r"qty|quantity|menge|count|balance|saldo|rate|kurs|percent|line|item|unit|open|remaining|refund\w*|cost|weight|id)\b"
)
_FOR = re.compile(r"(?i)(total|gross|brutto|summe|betrag|amount|importe|montant|belopp|price|sum)")
_MOST_PART = 0.8
AGAINST = 3
"""The rank of a column that by its name is no total."""

_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its place and name, with its filled cells."""

    at: int
    name: str
    texts: tuple[str, ...]
    is_filled: bool

    @property
    def is_amount(self) -> bool:
        """Whether nearly all of its cells could be amounts, and are neither dates nor all 0 and 1."""
        fits = [_AMOUNT.fullmatch(text) is not None and _DATE.fullmatch(text) is None for text in self.texts]
        return _mostly(fits) and not set(self.texts) <= {"0", "1"}

    @property
    def is_currency(self) -> bool:
        """Whether nearly all of its cells are currencies."""
        known = {*CURRENCIES, *(symbol for symbols in SYMBOLS.values() for symbol in symbols)}
        return _mostly([text.upper() in known or text in known for text in self.texts])

    @property
    def is_key(self) -> bool:
        """Whether its cells could tell orders apart."""
        return self.is_filled and len(set(self.texts)) * 2 > len(self.texts) and not self.is_currency

    @property
    def is_sign(self) -> bool:
        """Whether its name is that of a column of debits and credits."""
        return folded(self.name) in spellings(SIGNS)

    @property
    def rank(self) -> int:
        """How little its name speaks for a total: 0 gross, 1 a total, 2 anything, 3 what is none."""
        loose = folded(self.name)
        if loose in spellings(GROSS):
            return 0
        if loose in spellings((*NET, *TAXES, *OPEN_AMOUNTS)) or _AGAINST.search(self.name):
            return AGAINST
        return 1 if _FOR.search(self.name) and any("." in text or "," in text for text in self.texts) else 2

    @property
    def against(self) -> str:
        """What speaks against it as the total, in words; nothing where nothing does."""
        loose = folded(self.name)
        if loose in spellings(NET) or re.search(r"(?i)net", self.name):
            return ", which is usually without tax"
        if loose in spellings(TAXES) or re.search(r"(?i)\b(tax|vat|mwst|moms|iva|tva)\b", self.name):
            return ", which may be a tax alone"
        return ", which by its name is no total" if self.rank >= AGAINST else ""

    @property
    def shown(self) -> str:
        """Its name with some of its cells."""
        return f'"{self.name}" ({", ".join(dict.fromkeys(self.texts[:_SAMPLES])) or "blank"})'


def columns_of(cells: Cells) -> list[Column]:
    """Return the columns of a file's head."""
    found = []
    for at, (name, texts) in enumerate(zip(cells.names, cells.columns, strict=True)):
        filled = tuple(text.strip() for text in texts if text.strip() and text.strip() not in PLACEHOLDERS)
        found.append(Column(at, name, filled, len(filled) * 2 > len(texts)))
    return found


def amounts_among(columns: Sequence[Column]) -> list[Column]:
    """Return the columns that may be the order total, those first whose names speak for it."""
    return sorted((one for one in columns if one.is_amount), key=lambda one: (one.rank, one.at))


def _mostly(fits: Sequence[bool]) -> bool:
    return bool(fits) and sum(fits) >= _MOST_PART * len(fits)
