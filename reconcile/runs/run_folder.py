"""
What is in a run folder, by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class RunFile(StrEnum):
    """The files of a run folder, as its manifest names them."""

    PAYMENTS = "payments.parquet"
    TRANSACTIONS = "transactions.parquet"
    ORDERS = "orders.parquet"
    DELIVERY = "delivery.parquet"
    REJECTS = "rejects.csv"
    ITEMS = "items.parquet"
    ITEMS_CSV = "items.csv"
    BREAKS = "breaks.parquet"
    BREAKS_CSV = "breaks.csv"
    HISTORY = "history.parquet"
    SUMMARY = "summary.json"
    PAGE = "report.html"
    WORKBOOK = "report.xlsx"
    MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run folder, published or in the making; a file of it may be missing where its run does not make it."""

    path: Path

    @property
    def payments(self) -> Path:
        """The payment side, a table of PAYMENTS."""
        return self.path / RunFile.PAYMENTS

    @property
    def transactions(self) -> Path | None:
        """The transactions of the payments' orders, a table of TRANSACTIONS; null where the run has none."""
        path = self.path / RunFile.TRANSACTIONS
        return path if path.exists() else None

    @property
    def orders(self) -> Path:
        """The order side, a table of ORDERS."""
        return self.path / RunFile.ORDERS

    @property
    def delivery(self) -> Path:
        """What the files brought to the order book, a table of DELIVERY; only where they bring changes."""
        return self.path / RunFile.DELIVERY

    @property
    def rejects(self) -> Path:
        """Order rows that could not be read, as CSV."""
        return self.path / RunFile.REJECTS

    @property
    def items(self) -> Path:
        """All items, a table of ITEMS."""
        return self.path / RunFile.ITEMS

    @property
    def items_csv(self) -> Path:
        """The same for people and spreadsheets."""
        return self.path / RunFile.ITEMS_CSV

    @property
    def breaks(self) -> Path:
        """The items that are breaks, a table of ITEMS."""
        return self.path / RunFile.BREAKS

    @property
    def breaks_csv(self) -> Path:
        """The same for people and spreadsheets."""
        return self.path / RunFile.BREAKS_CSV

    @property
    def history(self) -> Path:
        """What happened to the payments of the breaks, a table of TRAIL; only where the run was to read it."""
        return self.path / RunFile.HISTORY

    @property
    def summary(self) -> Path:
        """The figures of the run, as JSON."""
        return self.path / RunFile.SUMMARY

    @property
    def page(self) -> Path:
        """The report for browsers."""
        return self.path / RunFile.PAGE

    @property
    def workbook(self) -> Path:
        """The report for spreadsheets."""
        return self.path / RunFile.WORKBOOK

    @property
    def manifest(self) -> Path:
        """What the folder says of itself, with the digest of every other file, as JSON."""
        return self.path / RunFile.MANIFEST
