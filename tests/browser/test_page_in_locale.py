"""The page of a run in a locale: what is seen is that of people, what is sorted, found and saved stays as it was."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from reconcile.money import EXPONENTS, format_amount
from reconcile.reports.page.html import write_html

pytestmark = pytest.mark.slow  # starting a browser takes over a second

ARABIC = str.maketrans("٠١٢٣٤٥٦٧٨٩٫", "0123456789.", "٬")
AMOUNTS = ("payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents")
FIRST_CELLS = "#list tbody tr:not(.sides) td:nth-child(2)"


def german(text: str, code: str | None) -> int:
    """Minor units of an amount as it is written in German."""
    whole, _, decimals = text.replace(".", "").partition(",")
    assert len(decimals) == EXPONENTS.get(code or "", 0)
    return int(whole + decimals)


def rows_under(page: Any, caption: str) -> list[list[str]]:
    """The texts of the rows of a table, as they are seen."""
    table = page.locator("table", has=page.locator("caption", has_text=caption)).first
    return [[cell.inner_text() for cell in row.locator("th, td").all()] for row in table.locator("tbody tr").all()]


@pytest.fixture
def page_in(published: Path, tmp_path: Path, open_page: Any) -> Any:
    """Give a function that opens the page of the sample data in a locale."""
    return lambda locale: open_page(write_html(published, tmp_path / "page.html", locale=locale))


def test_totals_that_are_seen_parse_back_to_those_of_the_summary(published: Path, page_in: Any) -> None:
    summary, page = json.loads((published / "summary.json").read_bytes()), page_in("de-DE")

    for side, caption in (("payments", "Payments"), ("orders", "Order rows")):
        seen = rows_under(page, caption)
        for row, line in zip(seen, summary["control"][side], strict=True):
            code = line["currency_code"]
            assert row[0] == (code or "none")
            assert german(row[1], None) == line["rows_in"]
            if code:
                assert german(row[2], code) == line["amount_in_cents"]
                assert german(row[7], code) == line["amount_out_cents"]
                assert sum(german(cell, code) for cell in row[3:7]) == line["amount_in_cents"]
    lines = [line for status in summary["statuses"] for line in status["amounts"]]
    under_heads = [row for row in rows_under(page, "Every item has one status") if len(row) > 1]
    for row, line in zip(under_heads, lines, strict=True):
        for cell, name in zip(row[-5:-1], AMOUNTS, strict=True):
            cents = line[name]
            assert (german(cell, line["currency_code"]) if cell else 0) == (cents or 0)


def test_an_amount_is_found_as_it_is_seen_and_in_plain_digits(published: Path, page_in: Any) -> None:
    rows = pq.read_table(published / "breaks.parquet").to_pylist()
    wanted = next(row for row in rows if (row["difference_cents"] or 0) < -100_000)
    plain = format_amount(wanted["difference_cents"], wanted["payment_currency_code"])
    for locale in ("none", "de-DE", "sv-SE"):
        page = page_in(locale)
        shown = page.locator("#list tbody tr", has_text=wanted["reference"]).locator("td:nth-child(7)").inner_text()
        for text in (shown, plain, plain.lstrip("-"), shown.replace("\u00a0", " ")):
            page.fill("[name=text]", text)
            assert page.locator(FIRST_CELLS).all_text_contents() == [wanted["reference"]], (locale, text)


def test_amounts_are_sorted_as_numbers_and_dates_seen_in_the_locale(published: Path, page_in: Any) -> None:
    page = page_in("de-DE")
    page.locator("th[data-name=payment_amount] button").click()
    cells = page.locator("#list tbody tr td:nth-child(5)").all_text_contents()
    numbers = [float(cell.replace(".", "").replace(",", ".")) for cell in cells if cell]
    page.locator("#list tbody button").first.click()

    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 1_000 > numbers[-1]
    assert cells == sorted(cells, key=lambda cell: cell == "")
    assert "first seen on\n20.11.2026" in page.inner_text("#list tr.sides")


def test_what_is_saved_is_plain_whatever_is_seen(published: Path, page_in: Any) -> None:
    saved = []
    for locale in ("none", "ar-EG"):
        page = page_in(locale)
        with page.expect_download() as download:
            page.click("#export")
        assert download.value.suggested_filename == "breaks-2026-11-20.csv"
        saved.append(Path(download.value.path()).read_bytes())

    assert saved[0] == saved[1]
    assert "payment_amount" in next(csv.DictReader(io.StringIO(saved[0].decode(), newline="")))


def test_digits_of_a_locale_are_everywhere_and_stand_in_their_order(published: Path, page_in: Any) -> None:
    summary, page = json.loads((published / "summary.json").read_bytes()), page_in("ar-EG")
    breaks = summary["counts"]["breaks"]
    seen = {row[0]: row[2].translate(ARABIC) for row in rows_under(page, "Payments")}

    shown = page.inner_text("#shown")
    assert shown.translate(ARABIC).startswith(f"{breaks} of {breaks} breaks; at stake in them: SEK ")
    assert not any(digit in shown for digit in "0123456789")
    assert page.inner_text("h1").translate(ARABIC) == "20/11/2026"
    for line in summary["control"]["payments"]:
        if code := line["currency_code"]:
            assert seen[code] == format_amount(line["amount_in_cents"], code)
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.locator("h1 time").get_attribute("datetime") == "2026-11-20"


def test_axe_finds_nothing_in_a_locale_either(page_in: Any) -> None:
    axe = os.environ.get("AXE_CORE")
    if axe is None:
        pytest.skip("name the axe.min.js of npm's axe-core in AXE_CORE")
    page = page_in("ar-EG")
    page.evaluate(Path(axe).read_text(encoding="utf-8"))

    assert [(one["id"], one["nodes"][0]["html"]) for one in page.evaluate("axe.run()")["violations"]] == []
