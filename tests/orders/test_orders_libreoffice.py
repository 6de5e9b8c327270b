"""
LibreOffice as a writer: a list of orders that it saves as .xls, .ods or HTML is read as the .xlsx is.

The files in `saved/` are those that it once made of `order_list()`, so that they are read where it is not installed.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

SAVED = Path(__file__).parent / "saved"
FILTERS = {"xls": "MS Excel 97", "ods": "calc8", "html": "HTML (StarCalc)"}
ORDERS = [
    ("00123", 1234.5, "EUR"),
    ("PO-1", 0.1 + 0.2, "EUR"),
    ("Ü é 😀 <&>", 19.99, "SEK"),
    ("-5", -7.0, "EUR"),
    ("=1+1", 999999999999.99, "EUR"),
    ("1E5", 0.001, "KWD"),
    ("2026-11-22", 500.0, "NOK"),
]
SHOWN = ("source_line", "reference", "amount_cents", "currency_code", "ordered_on")


def order_list() -> bytes:
    """Return a workbook: a cover, a hidden sheet, and orders below a title, with a key for two rows and a total."""
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"strings_to_formulas": False}) as book:
        money, day = (book.add_format({"num_format": code}) for code in ("0.00###########", "yyyy-mm-dd"))
        book.add_worksheet("Cover").write_string(0, 0, "Orders of the month")
        hidden = book.add_worksheet("Hidden")
        hidden.write_row(0, 0, ("reference", "amount", "currency", "order date"))
        hidden.hide()
        page = book.add_worksheet("Orders")
        page.write_string(0, 1, "Orders of the month")
        page.write_row(2, 1, ("reference", "amount", "currency", "order date"))
        for line, (reference, amount, code) in enumerate([*ORDERS, ("M", 1.0, "EUR"), ("", 2.0, "EUR")], 3):
            page.write(line, 1, reference or None)
            page.write_number(line, 2, amount, money)
            page.write_string(line, 3, code)
            page.write_datetime(line, 4, date(2026, 11, line), day)
        page.merge_range(10, 1, 11, 1, "M")
        page.write_string(12, 1, "Grand total")
        page.write_formula(12, 2, "=SUM(C4:C12)", money, "1000000001748.69")
    return written.getvalue()


def check(read: Any, content: bytes, suffix: str) -> None:
    expected = [
        (line, reference, amount, code, date(2026, 11, line - 1))
        for line, (reference, amount, code) in enumerate(
            [
                ("00123", 123450, "EUR"),
                ("PO-1", 30, "EUR"),
                ("Ü é 😀 <&>", 1999, "SEK"),
                ("-5", -700, "EUR"),
                ("=1+1", 99999999999999, "EUR"),
                ("1E5", 1, "KWD"),
                ("2026-11-22", 50000, "NOK"),
                ("M", 100, "EUR"),
                ("M" if suffix != "ods" else None, 200, "EUR"),
            ],
            4,
        )
    ]

    outcome = read(content, f"orders.{suffix}", max_rejects=1)

    assert outcome.columns(*SHOWN) == expected
    assert [(line, reason) for line, _, _, reason in outcome.reasons] == [("13", "looks like a total")]
    (file,) = outcome.report.files
    assert file.format == suffix
    assert (file.floats, bool(file.untold)) == ((("amount",), True) if suffix in ("xls", "ods") else ((), False))


def test_the_list_is_read_as_it_is_written(read: Any) -> None:
    check(read, order_list(), "xlsx")


@pytest.mark.parametrize("suffix", FILTERS)
def test_the_list_as_libreoffice_has_saved_it_is_read_as_it_was(read: Any, suffix: str) -> None:
    check(read, (SAVED / f"orders.{suffix}").read_bytes(), suffix)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FILTERS)
def test_the_list_as_this_libreoffice_saves_it_is_read_as_it_was(read: Any, suffix: str, tmp_path: Path) -> None:
    office = os.environ.get("SOFFICE_BIN") or shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("no LibreOffice: apt-get install libreoffice-calc-nogui, or name its soffice in SOFFICE_BIN")
    (tmp_path / "orders.xlsx").write_bytes(order_list())
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    wanted = f"{suffix}:{FILTERS[suffix]}"
    subprocess.run(
        [office, profile, "--headless", "--convert-to", wanted, "--outdir", tmp_path, tmp_path / "orders.xlsx"],
        check=True,
        capture_output=True,
        timeout=300,
    )

    check(read, (tmp_path / f"orders.{suffix}").read_bytes(), suffix)
