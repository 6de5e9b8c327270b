"""
Formulas that add a total up again from the rows of a sheet, and when a spreadsheet can be trusted to do so.

A formula stands only where it must give the figure of `summary.json`: every row is on the sheet, every amount has at
most fifteen digits, and all amounts of the line are in one currency, whose code means nothing else to a spreadsheet,
which takes no notice of case. Everywhere else the figure stands alone, and is marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from reconcile.figures.summary import NO_CURRENCY
from reconcile.files.workbook_cells import MOST_EXACT
from reconcile.money import CURRENCIES, EXPONENTS
from reconcile.reports.workbook.rows import ITEM_COLUMNS, letters

ITEMS_SHEET, BREAKS_SHEET = "All items", "Breaks"
_CURRENCY_OF = {
    "Payment": "Payment currency",
    "Order": "Order currency",
    "Difference": "Payment currency",
}
_LETTERS = {column.title: letters(place) for place, column in enumerate(ITEM_COLUMNS)}


@dataclass(frozen=True, slots=True)
class Sums:
    """
    The formulas of one workbook; each method returns None where a formula could not be trusted.

    `rows` are the rows on the sheets of items and breaks, `whole` the sheets that hold all of theirs; `codes` are the
    currencies (None: none) a formula can ask for.
    """

    rows: Mapping[str, int]
    whole: frozenset[str]
    codes: frozenset[str | None]

    def status_line(self, code: str | None, *, column: str | None, row: int) -> str | None:
        """
        Return the number of items, or the sum of `column`, of the status in A and the currency in C of `row`.

        A side's amounts are asked for by that side's own currency.
        """
        currency = _CURRENCY_OF.get(column or "", "Currency")
        if ITEMS_SHEET not in self.whole or code not in self.codes or (code is None and currency != "Currency"):
            return None
        where = f"{self._range('Status')},$A{row},{self._range(currency)},$C{row}"
        return f"=COUNTIFS({where})" if column is None else self._sum(column, where, code)

    def bridge_line(self, code: str | None, *, column: str, row: int) -> str | None:
        """Return the sum of Payment or Order of the status in B, in that side's own currency, which is in A."""
        if ITEMS_SHEET not in self.whole or code is None or code not in self.codes:
            return None
        where = f"{self._range('Status')},$B{row},{self._range(f'{column} currency')},$A{row}"
        return self._sum(column, where, code)

    def aging_count(self, first: int, last: int | None) -> str | None:
        """Return the number of breaks from `first` to `last` days old."""
        return f"=COUNTIFS({self._ages(first, last)})" if BREAKS_SHEET in self.whole else None

    def aging_amount(self, code: str | None, first: int, last: int | None, *, row: int) -> str | None:
        """Return what is at stake in breaks from `first` to `last` days old, of the currency in B of `row`."""
        if BREAKS_SHEET not in self.whole or code not in self.codes:
            return None
        where = f"{self._ages(first, last)},{self._range('Currency', BREAKS_SHEET)},$B{row}"
        return self._sum("At stake", where, code, BREAKS_SHEET)

    def moved(self, row: int, code: str | None = None) -> str:
        """Return opening + new + reopened + changed − cleared of `row`: a count, or an amount in `code`."""
        return f"=ROUND(C{row}+D{row}+E{row}+F{row}-G{row},{EXPONENTS.get(code or '', 0)})"

    def column_total(self, letter: str, codes: str, first: int, last: int, *, code: str | None, row: int) -> str | None:
        """Return the sum of a column of the same page, rows `first` to `last`, of the currency that `row` names."""
        if code not in self.codes or last < first:
            return None
        where = f"${codes}${first}:${codes}${last},${codes}{row}"
        return f"=ROUND(SUMIFS({letter}${first}:{letter}${last},{where}),{EXPONENTS.get(code or '', 0)})"

    def gap(self, left: str, right: str, code: str | None, *, row: int) -> str:
        """Return the difference of two amounts of `row`, rounded as sums are."""
        return f"=ROUND({left}{row}-{right}{row},{EXPONENTS.get(code or '', 0)})"

    def _ages(self, first: int, last: int | None) -> str:
        ages = self._range("Age (days)", BREAKS_SHEET)
        return f'{ages},">={first}"' + (f',{ages},"<={last}"' if last is not None else "")

    def _range(self, title: str, sheet: str = ITEMS_SHEET) -> str:
        last = max(self.rows[sheet], 1) + 1
        return f"'{sheet}'!${_LETTERS[title]}$2:${_LETTERS[title]}${last}"

    def _sum(self, column: str, where: str, code: str | None, sheet: str = ITEMS_SHEET) -> str:
        # Rounded: a spreadsheet adds binary fractions, and a thousand cents may come out as 9.999999999999998.
        return f"=ROUND(SUMIFS({self._range(column, sheet)},{where}),{EXPONENTS.get(code or '', 0)})"


def trusted_sums(
    connection: duckdb.DuckDBPyConnection, items: str, *, rows: Mapping[str, int], whole: frozenset[str]
) -> tuple[Sums, int]:
    """Return the formulas for `items` (SQL of ITEMS), and how many items have an amount of more than fifteen digits."""
    amounts = ("payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents")
    is_exact = " AND ".join(f"coalesce({cents} BETWEEN {-MOST_EXACT} AND {MOST_EXACT}, true)" for cents in amounts)
    ((long,),) = connection.execute(f"SELECT count(*) FILTER (NOT ({is_exact})) FROM {items}").fetchall()
    codes = _told_apart(currencies_of(connection, items)) if not long else frozenset()
    return Sums(rows, whole, codes), long


def currencies_of(connection: duckdb.DuckDBPyConnection, items: str) -> list[str]:
    """Return the currency codes of `items` (SQL of ITEMS), sorted."""
    sides = [f"SELECT {side}_currency_code AS code FROM {items}" for side in ("payment", "order")]
    found = connection.execute(f"SELECT DISTINCT code FROM ({' UNION ALL '.join(sides)}) WHERE code IS NOT NULL")
    return sorted(code for (code,) in found.fetchall())


def _told_apart(codes: list[str]) -> frozenset[str | None]:
    """Return the known codes, and none, that no other text on the sheet equals but for case."""
    folded = [code.casefold() for code in codes]
    known: set[str | None] = {code for code in codes if code in CURRENCIES and folded.count(code.casefold()) == 1}
    return frozenset(known if NO_CURRENCY in folded else known | {None})
