"""
Sums of order rows by currency, batch after batch, exact whatever their size.
"""

from __future__ import annotations

import pyarrow as pa

from reconcile.orders.report import CurrencyTotal


class Totals:
    """Adds up tables of ORDERS; memory does not grow with them."""

    def __init__(self) -> None:
        self._sums: dict[str | None, tuple[int, int]] = {}  # rows, minor units

    def add(self, table: pa.Table) -> None:
        """Add the rows of `table`."""
        cents = table["amount_cents"].cast(pa.decimal128(38))  # the sum of many would leave 64 bits
        found = pa.Table.from_arrays([table["currency_code"], cents], ["code", "cents"]).group_by("code")
        for row in found.aggregate([([], "count_all"), ("cents", "sum")]).to_pylist():
            rows, amount = self.of(row["code"])
            self._sums[row["code"]] = rows + row["count_all"], amount + int(row["cents_sum"] or 0)

    def of(self, currency_code: str | None) -> tuple[int, int]:
        """Return the rows of a currency, and their sum in minor units."""
        return self._sums.get(currency_code, (0, 0))

    def lines(self) -> tuple[CurrencyTotal, ...]:
        """Return the sums by currency code, null last."""
        codes = sorted(self._sums, key=lambda code: (code is None, code or ""))
        return tuple(CurrencyTotal(code, *self._sums[code]) for code in codes)
