"""Every reject says what to do; where an option would help, adding it does."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import click
import pytest

import reconcile.orders
from reconcile.cli.options import orders_options
from reconcile.money import ACCOUNTING_FORMS
from reconcile.orders.cells import remedies
from reconcile.orders.cells.remedies import remedy_of
from reconcile.orders.format import OrderFormat

HEADER = "reference;amount;currency;order date\n"


def declared_by(remedy: str) -> dict[str, Any]:
    """Return what the first options of a remedy declare, as the command line would."""

    @click.command()
    @orders_options
    def command(**options: Any) -> dict[str, Any]:
        return {name: value for name, value in options.items() if value not in (None, ())}

    words = shlex.split(re.sub(r"[;,:] (or|to|which|they|if|else) .*", "", remedy[remedy.index("--") :]).rstrip(";"))
    found: dict[str, Any] = command.main(words, standalone_mode=False)
    return found


@pytest.mark.parametrize(
    ("row", "remedy", "cents", "day"),
    [
        ("R1;1234,50;EUR;", "if the comma separates decimals, add --decimal ,", 123450, None),
        (
            "R1;1.234,50;EUR;",
            "if that is how amounts are written here, add --decimal , --thousands .",
            123450,
            None,
        ),
        ("R1;1 234,50;EUR;", "if that is how amounts are written here, add --decimal , --thousands ' '", 123450, None),
        ("R1;(12.30);EUR;", "if amounts are written like this, add --accounting parentheses", -1230, None),
        ("R1;12.30-;EUR;", "if amounts are written like this, add --accounting trailing_minus", -1230, None),
        ("R1;12.30 CR;EUR;", "if amounts are written like this, add --accounting cr_dr", -1230, None),
        ("R1;12.30H;EUR;", "if amounts are written like this, add --accounting soll_haben", -1230, None),
        (
            "R1;€ 12.30;EUR;",
            "export amounts without a currency; if it is that of the row, add --accounting currency",
            1230,
            None,
        ),
        (
            "R1;1.000;EUR;",
            "if it means thousands, add --decimal , --thousands . ; else export two decimals",
            100000,
            None,
        ),
        (
            "R1;1;EUR;31.12.2026",
            'add --date-format "%d.%m.%Y"; to leave dates unread, add --ordered-on-column ""',
            100,
            date(2026, 12, 31),
        ),
        (
            "R1;1;EUR;9/6/2016  6:29:00",
            'add --date-format "%d/%m/%Y %H:%M:%S", or "%m/%d/%Y %H:%M:%S" where the month comes first; '
            'to leave dates unread, add --ordered-on-column ""',
            100,
            date(2016, 6, 9),
        ),
        (
            "R1;1;EUR;Sep 26, 2026 10:12:13 AM",
            'add --date-format "%b %d, %Y %H:%M:%S %p"; to leave dates unread, add --ordered-on-column ""',
            100,
            date(2026, 9, 26),
        ),
        (
            "R1;1;EUR;20261231",
            'add --date-format "%Y%m%d"; to leave dates unread, add --ordered-on-column ""',
            100,
            date(2026, 12, 31),
        ),
        (
            "R1;1;;",
            "fill it in, or add --currency CODE if all rows without one are in it; remove total rows",
            None,
            None,
        ),
    ],
)
def test_the_option_of_a_remedy_makes_the_row_readable(
    read: Any, row: str, remedy: str, cents: int | None, day: date | None
) -> None:
    (reject,) = read(HEADER + row + "\n").rejects

    assert reject["remedy"] == remedy
    if cents is not None:
        assert read(HEADER + row + "\n", **declared_by(remedy)).columns("amount_cents", "ordered_on") == [(cents, day)]


@pytest.mark.parametrize(
    ("row", "declared", "remedy"),
    [
        ("R1;;EUR;", {}, "fill it in; a total row or an order line is not an order: export without them"),
        ("R1;x;EUR;", {}, "export plain digits with at most one decimal separator"),
        ("R1;1;Euro;", {}, "export the code of ISO 4217, such as EUR, not a name or a symbol"),
        ("R1;1.005;EUR;", {}, "export the decimals of the currency: nothing is rounded here"),
        (
            "R1;1.00;JPY;",
            {},
            "export the amount as it is shown, without decimals: stored with two, it may be off by a factor of 100",
        ),
        ("R1;1.00;MGA;", {}, "give the amount in whole minor units, in a column whose name ends in _cents"),
        ("R1;1;EUR;2026-02-30", {}, 'correct the date; to leave dates unread, add --ordered-on-column ""'),
        (
            "R1;1;EUR;2026-02-30",
            {"date_format": "%d.%m.%Y"},
            'correct the date, or --date-format; to leave dates unread, add --ordered-on-column ""',
        ),
        ("R1;1.5;EUR;", {"amount_unit": "minor"}, "if amounts have decimals here, add --amount-unit major"),
        ("R1;1;EUR", {}, "quote cells that hold the delimiter, and export the row again"),
        ('"R1"x;1;EUR;', {}, "double the quotes inside the cell, or add --quote '' where quotes mean nothing"),
    ],
)
def test_what_no_option_mends_says_what_to_correct(read: Any, row: str, declared: dict[str, Any], remedy: str) -> None:
    (reject,) = read(HEADER + row + "\n", **declared).rejects

    assert reject["remedy"] == remedy
    assert remedy[0].isalpha()  # else a spreadsheet might run it


def test_no_reason_of_the_leaves_is_left_without_a_remedy_of_its_own() -> None:
    folder = Path(reconcile.orders.__file__).parent
    sources = "\n".join(path.read_text() for path in folder.rglob("*.py") if path.name != "remedies.py")
    missing = [reason for reason, _ in remedies._BY_REASON if reason.strip() not in sources]
    money = (folder.parent / "money.py").read_text()

    assert [reason for reason in missing if reason.strip() not in money] == []
    assert remedy_of(None, "is something new", "x", OrderFormat()) == "correct it in the file, or export it again"
    assert remedies._OF_FORMS.keys() <= ACCOUNTING_FORMS.keys()
