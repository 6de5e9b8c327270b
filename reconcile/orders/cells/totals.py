"""
Sums of order rows by currency, batch after batch, exact whatever their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from reconcile.files.arrow import compute as pc
from reconcile.files.arrow import whole_column
from reconcile.money import currency_order
from reconcile.orders.report import CurrencyTotal

_HALF = 32  # bits: halves of 64 bits do not leave them, however many there are in a batch


class OneCurrency(NamedTuple):
    """The rows of a table that are in one currency: which they are, and their sum in minor units."""

    code: str | None
    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    cents: int


def by_currency(table: pa.Table) -> Iterator[OneCurrency]:
    """Yield the rows of each currency of a table of ORDERS, in the order in which currencies come first; null last."""
    encoded = whole_column(table["currency_code"]).dictionary_encode()
    places: Any = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    cents: Any = pc.fill_null(whole_column(table["amount_cents"]), 0).to_numpy(zero_copy_only=False)
    codes = encoded.dictionary.to_pylist()
    for place, code in [*enumerate(codes), *([(-1, None)] if encoded.null_count else [])]:
        rows = np.flatnonzero(places == place)
        mine = cents if len(rows) == len(cents) else cents[rows]
        low = int((mine & ((1 << _HALF) - 1)).sum(dtype=np.uint64))
        yield OneCurrency(code, rows, (int((mine >> _HALF).sum()) << _HALF) + low)


class Totals:
    """Adds up tables of ORDERS; memory does not grow with them."""

    def __init__(self) -> None:
        self._sums: dict[str | None, tuple[int, int]] = {}  # rows, minor units

    def add(self, currencies: Iterable[OneCurrency]) -> None:
        """Add the rows of a table, by their currency."""
        for one in currencies:
            rows, cents = self.of(one.code)
            self._sums[one.code] = rows + len(one.rows), cents + one.cents

    def of(self, currency_code: str | None) -> tuple[int, int]:
        """Return the rows of a currency, and their sum in minor units."""
        return self._sums.get(currency_code, (0, 0))

    def lines(self) -> tuple[CurrencyTotal, ...]:
        """Return the sums by currency code, null last."""
        codes = sorted(self._sums, key=currency_order)
        return tuple(CurrencyTotal(code, *self._sums[code]) for code in codes)
