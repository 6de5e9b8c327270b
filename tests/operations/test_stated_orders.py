"""What the sender states about the order files is what was read, or nothing is published."""

from __future__ import annotations

from pathlib import Path

import pytest
from nights import OUT, payments_file, said

from reconcile.errors import SettingsError
from reconcile.orders.report import CurrencyTotal
from reconcile.orders.stated import Stated
from reconcile.settings.settings import Settings
from reconcile.settings.sources import load_settings

FILES = ("a.csv", "b.csv")
MATCH = ("match", "payments.parquet", *FILES, "--mode", "live", "--date", "2026-11-20", "--no-html", "--no-xlsx")
HINT = (
    "hint: is a file missing, cut off or from another day? If they are right, correct --expect-rows and "
    "--expect-total, or [population.expect]\n"
)


@pytest.fixture(autouse=True)
def _inputs(workplace: Path) -> None:
    Path("a.csv").write_text("Type,reference,total,currency\nsale,R1,10.00,EUR\nfee,F,-1,EUR\nsale,R2,20.50,EUR\n")
    Path("b.csv").write_text("Type,reference,total,currency\nsale,R3,-5,SEK\nsale,R4,?,SEK\n")
    payments_file(Path("payments.parquet"), [{"reference": "R1"}])


def test_what_is_stated_rightly_of_all_files_together_passes() -> None:
    options = ("--only", "Type=sale", "--max-rejects", "1", "--expect-rows", "3", "--expect-total", "eur=30.50")

    assert said(*MATCH, *options, "--expect-total", "SEK=-5.00").exit_code == 0
    assert said("check", *FILES, *options, "--expect-total", "SEK=-5", "--offline").exit_code == 0


def test_every_difference_is_named_with_both_sides() -> None:
    options = ("--max-rejects", "1", "--expect-rows", "6", "--expect-total", "EUR=30.50", "--expect-total", "JPY=7")

    result = said(*MATCH, *options)

    assert result.exit_code == 3
    assert result.stderr == (
        "error: orders: the files are not what their sender states\n"
        "  rows: 6 stated, 4 read (1 rejected), 2 fewer\n"
        "  EUR: 30.50 stated, 29.50 read (1 rejected), 1.00 less\n"
        "  JPY: 7 stated, 0 read (1 rejected), 7 less\n"
        "  SEK: not stated, -5.00 read (1 rejected), 5.00 less\n" + HINT
    )
    assert [path.name for path in OUT.glob("20*")] == []


def test_inspect_shows_the_files_and_then_the_difference() -> None:
    result = said("orders", "inspect", "a.csv", "--expect-rows", "2")

    assert result.exit_code == 3
    assert "F" in result.stdout
    assert result.stderr == (
        "error: orders: the files are not what their sender states\n  rows: 2 stated, 3 read, 1 more\n" + HINT
    )


def test_totals_are_set_in_the_file_too() -> None:
    Path("reconcile.toml").write_text('[population.expect]\nrows = 3\ntotal = { EUR = "30.50", SEK = -5.00 }\n')

    assert load_settings(environ={}).orders.stated == Stated(rows=3, total={"EUR": "30.50", "SEK": "-5.00"})
    assert said(*MATCH, "--only", "Type=sale", "--max-rejects", "1").exit_code == 0


@pytest.mark.parametrize("pair", ["EUR=1.234", "EUR=", "XXL=1", "EUR=1,50", "=1", "EUR"])
def test_what_is_no_amount_is_refused(pair: str) -> None:
    with pytest.raises(SettingsError):
        Settings.of(expect_total=(pair,))


def test_the_report_has_the_totals() -> None:
    from reconcile.orders.inspection import inspect_orders

    look = inspect_orders([Path(name) for name in FILES])

    assert look.report.totals == look.totals == (CurrencyTotal("EUR", 3, 2950), CurrencyTotal("SEK", 1, -500))
