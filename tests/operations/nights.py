"""Nights on the sample data without a network: payments and order totals from files, one folder of runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from places import SAMPLE

from reconcile.cli.main import main
from reconcile.figures.conditions import Conditions
from reconcile.operations.break_list import list_breaks
from reconcile.operations.night import match
from reconcile.payments.mirror.sorted_rows import write_payments
from reconcile.schema import PAYMENTS, Row
from reconcile.settings.settings import Settings

OUT = Path("runs")
EVERY_REPORT = {"html": True, "xlsx": True}
PAID = {
    "created_at": datetime(2026, 11, 1, tzinfo=UTC),
    "updated_at": datetime(2026, 11, 1, tzinfo=UTC),
    "mode": "live",
    "order_status": "placed",
    "payment_status": "paid",
    "currency_code": "EUR",
    "total_amount_with_taxes_cents": 1000,
}
"""A payment of 10.00 EUR that an order row may stand beside."""


def night(day: int, **options: Any) -> Path:
    """
    Match the sample's payments with `orders.csv` on a day of November 2026, and return the run folder.

    Without a page and a workbook, which take half the time, unless `options` asks for them.
    """
    settings = Settings.of(orders=("orders.csv",), mode="live", **{"html": False, "xlsx": False, **options})
    return match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, day)).folder


def payments_file(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write payments as a pull writes them; what a row does not name is PAID, with an order of its own."""
    numbered = [PAID | {"payment_id": f"P{n:04}", "order_id": f"O{n:04}"} | row for n, row in enumerate(rows, 1)]
    write_payments([pa.Table.from_pylist(numbered, PAYMENTS)], path)
    return path


def night_of(payments: Sequence[Mapping[str, Any]], orders: str, *, day: int = 20, **options: Any) -> Path:
    """Match `payments` with the CSV text `orders` on a day of November 2026, as `night`, and return the run folder."""
    Path("orders.csv").write_text(orders, encoding="utf-8", newline="")
    settings = Settings.of(orders=("orders.csv",), **{"mode": "live", "html": False, "xlsx": False, **options})
    file = payments_file(Path("payments.parquet"), payments)
    return match(settings, file, business_date=date(2026, 11, day)).folder


def nights_in(folder: Path, *days: int, **options: Any) -> Path:
    """Run the nights of `days`, as `night`, in `folder`, which gets the sample's order totals, and return it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(SAMPLE / "orders.csv", "orders.csv")
        for day in days:
            night(day, **options)
    return folder


def breaks_of(folder: Path, **asked: Any) -> list[Row]:
    """Return the breaks of a run that fit the conditions `asked`, as `reconcile breaks list` lists them."""
    return list_breaks(folder, Conditions.of(**asked)).breaks.to_pylist()


def said(*words: str, **environ: str) -> Result:
    """Give the command the `words`, and return what it says to them in an environment with `environ`."""
    return CliRunner().invoke(main, words, env=environ, catch_exceptions=False)
