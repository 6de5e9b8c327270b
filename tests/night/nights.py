"""Nights on the sample data without a network: payments and order totals from files, one folder of runs."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from places import SAMPLE

from reconcile.cli.main import main
from reconcile.run import match
from reconcile.settings import Settings

OUT = Path("runs")


def night(day: int, **options: Any) -> Path:
    """Match the sample's payments with `orders.csv` on a day of November 2026, and return the run folder."""
    settings = Settings(orders=("orders.csv",), mode="live", **options)
    return match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, day)).folder


def nights_in(folder: Path, *days: int) -> Path:
    """Run the nights of `days` in `folder`, which gets the sample's order totals, and return it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(SAMPLE / "orders.csv", "orders.csv")
        for day in days:
            night(day)
    return folder


def said(*words: str) -> Result:
    """Give the command the `words`, and return what it says to them."""
    return CliRunner().invoke(main, words, catch_exceptions=False)
