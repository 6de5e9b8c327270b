"""The page of a run as somebody uses it: found, sorted, opened, saved; on a phone, in the dark and on paper."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.files.formula_guard import guarded
from reconcile.matching.policy import LABEL_OF
from reconcile.reports.page.html import visible, write_html
from reconcile.reports.terminal import grouped_amount
from reconcile.schema import ITEMS

pytestmark = pytest.mark.slow  # starting a browser takes over a second

HOSTILE = [
    "</script><script>alert(1)</script>",
    '<img src=x onerror="alert(2)">',
    '=HYPERLINK("https://evil.example")',
    " \u200b+1;=2\n@3",
    "\u05e9\u05dc\u05d5\u05dd \u202egnp.exe",
    "👩\u200d👧 'quoted' \"twice\"",
    "\x00\x07\x1b[31m",
    "0" * 10_000,
]
FIRST_CELLS = "#list tbody tr:not(.sides) td:nth-child(2)"


def breaks_of(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(folder / "breaks.parquet").to_pylist()
    return rows


def page_with(folder: Path, tmp_path: Path, rows: list[dict[str, Any]]) -> Path:
    """The page of the run `folder` with other breaks."""
    copy = Path(shutil.copytree(folder, tmp_path / "run"))
    pq.write_table(pa.Table.from_pylist(rows, schema=ITEMS), copy / "breaks.parquet")
    return write_html(copy, tmp_path / "page.html")


def saved(page: Any) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.click("#export")
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_bytes().decode(), newline="")))


def test_the_page_opens_from_disk_and_shows_every_break(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")

    assert page.locator(FIRST_CELLS).all_text_contents() == [row["reference"] or "" for row in breaks_of(published)]
    assert page.inner_text("#shown").startswith(f"{len(breaks_of(published))} of {len(breaks_of(published))} breaks; ")


def test_every_total_that_is_seen_is_that_of_the_summary(published: Path, open_page: Any) -> None:
    summary = json.loads((published / "summary.json").read_bytes())
    page = open_page(published / "report.html")
    seen = page.inner_text("main").replace("\t", " ")

    for side in ("payments", "orders"):
        for line in summary["control"][side]:
            if line["currency_code"]:
                amount = grouped_amount(line["amount_in_cents"], line["currency_code"])
                assert f"{line['currency_code']} {line['rows_in']} {amount}" in seen
    for status in summary["statuses"]:
        assert f"{LABEL_OF[status['status']]}: {status['count']}" in seen
        assert f"({status['status']})" in seen
    for bridge in summary["bridge"]:
        assert grouped_amount(bridge["order_amount_cents"], bridge["currency_code"]) in seen


def test_filters_narrow_the_table_and_say_how_many_are_left(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    rows = breaks_of(published)
    page.select_option("[name=status]", "amount_mismatch")
    page.select_option("[name=currency_code]", "EUR")
    wanted = [r for r in rows if r["status"] == "amount_mismatch" and r["payment_currency_code"] == "EUR"]

    assert page.locator(FIRST_CELLS).all_text_contents() == [row["reference"] for row in wanted]
    assert page.inner_text("#shown").startswith(f"{len(wanted)} of {len(rows)} ")
    page.select_option("[name=decision]", "yes")
    assert page.locator(FIRST_CELLS).count() == 0


def test_text_is_looked_for_in_references_numbers_and_ids(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    row = next(row for row in breaks_of(published) if row["payment_id"])
    page.fill("[name=text]", f" {row['payment_id'].upper()} ")

    assert page.locator(FIRST_CELLS).all_text_contents() == [row["reference"]]


def test_the_age_is_filtered_in_days(published: Path, tmp_path: Path, open_page: Any) -> None:
    ages = {"A": 0, "B": 1, "C": 2, "D": 30, "E": 91}
    rows = [
        breaks_of(published)[0] | {"item_id": name, "reference": name, "age_days": age} for name, age in ages.items()
    ]
    page = open_page(page_with(published, tmp_path, rows))
    found = {}
    for span in ("", "0-1", "2-3", "4-7", "8-30", "31-60", "91-", "8-"):
        page.select_option("[name=age]", span)
        found[span] = "".join(sorted(page.locator(FIRST_CELLS).all_text_contents()))

    assert found == {
        "": "ABCDE", "0-1": "AB", "2-3": "C", "4-7": "", "8-30": "D", "31-60": "", "91-": "E", "8-": "DE",
    }  # fmt: skip


def test_amounts_are_sorted_as_numbers_both_ways_and_nothing_comes_last(
    published: Path, tmp_path: Path, open_page: Any
) -> None:
    cents = [1_000_000, -5, 99, None, 20_000]
    rows = [
        breaks_of(published)[0] | {"item_id": str(n), "difference_cents": one, "payment_currency_code": "EUR"}
        for n, one in enumerate(cents)
    ]
    page = open_page(page_with(published, tmp_path, rows))
    heading, cells = page.locator("th[data-name=difference]"), page.locator("#list tbody tr td:nth-child(7)")
    heading.locator("button").click()
    upwards = cells.all_text_contents()
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").click()

    assert upwards == ["-0.05", "0.99", "200.00", "10,000.00", ""]
    assert cells.all_text_contents() == ["10,000.00", "200.00", "0.99", "-0.05", ""]
    assert heading.get_attribute("aria-sort") == "descending"


def test_every_column_can_be_sorted_by(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    for heading in page.locator("#list th[data-name]").all():
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort")

    assert page.locator(FIRST_CELLS).count() == len(breaks_of(published))


def test_a_row_opens_by_keyboard_to_show_both_sides_and_closes_again(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    first = breaks_of(published)[0]
    page.locator("#list tbody button").first.focus()
    page.keyboard.press("Enter")
    both = page.inner_text("#list tr.sides")

    for text in (first["payment_id"], f"{first['order_source_line']}", first["suggestion"], first["item_id"]):
        assert text in both
    page.keyboard.press("Enter")
    assert page.locator("#list tr.sides").count() == 0


def test_hostile_texts_are_seen_as_text_and_saved_guarded(published: Path, tmp_path: Path, open_page: Any) -> None:
    rows = [
        breaks_of(published)[0]
        | {"item_id": f"{n}", "reference": text, "suggestion": text, "difference_cents": -100 + n}
        for n, text in enumerate(HOSTILE)
    ]
    page = open_page(page_with(published, tmp_path, rows))
    lines = {line["item_id"]: line for line in saved(page)}

    assert sorted(page.locator(FIRST_CELLS).all_text_contents()) == sorted(map(visible, HOSTILE))
    assert page.locator("img, iframe").count() == 0
    assert {n: line["reference"] for n, line in lines.items()} == {
        str(n): guarded(text) for n, text in enumerate(HOSTILE)
    }
    assert lines["0"]["difference"] == "-1.00"  # a figure is never guarded


def test_what_is_saved_is_what_is_found(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    page.select_option("[name=status]", "missing_order")
    wanted = [row for row in breaks_of(published) if row["status"] == "missing_order"]
    lines = saved(page)

    assert [line["payment_id"] for line in lines] == [row["payment_id"] for row in wanted]
    assert [line["payment_amount"] for line in lines] == [
        grouped_amount(row["payment_amount_cents"], row["payment_currency_code"]).replace(",", "") for row in wanted
    ]


def test_thousands_of_breaks_are_drawn_part_by_part(published: Path, tmp_path: Path, open_page: Any) -> None:
    row = breaks_of(published)[0]
    rows = [row | {"item_id": f"{n:05d}", "reference": f"R{n:05d}"} for n in range(5_000)]
    page = open_page(page_with(published, tmp_path, rows))

    assert page.locator(FIRST_CELLS).count() == 200
    assert page.inner_text("#shown").startswith("5,000 of 5,000 breaks, the first 200 shown; ")
    page.click("#more")
    assert page.locator(FIRST_CELLS).count() == 400
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(FIRST_CELLS).count() == 5_000
    page.fill("[name=text]", "r04999")
    assert page.locator(FIRST_CELLS).all_text_contents() == ["R04999"]
    assert page.is_hidden("#more")


def test_the_page_has_one_currency_at_a_time(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    page.select_option("#one-currency select", "SEK")
    seen = page.inner_text("main")
    statuses = json.loads((published / "summary.json").read_bytes())["statuses"]
    has_sek = {one["status"]: any(line["currency_code"] == "SEK" for line in one["amounts"]) for one in statuses}

    assert {row["currency_code"] for row in saved(page)} == {"SEK"}
    assert {status: f"({status})" in seen for status in has_sek} == has_sek
    assert not all(has_sek.values())
    assert page.locator("#control tbody tr:visible th").all_text_contents() == ["SEK", "SEK"]
    assert page.locator("#bridge .scroll:visible").count() == 1
    page.select_option("#one-currency select", "")
    assert page.locator(FIRST_CELLS).count() == len(breaks_of(published))
    assert all(f"({status})" in page.inner_text("main") for status in has_sek)


def test_figures_that_count_breaks_lead_to_them(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    summary = json.loads((published / "summary.json").read_bytes())
    for status in (one for one in summary["statuses"] if one["kind"] == "break"):
        page.click(f"#statuses a[data-status={status['status']}]")
        assert {row["status"] for row in saved(page)} == {status["status"]}
        assert page.inner_text("#shown").startswith(f"{status['count']} of ")
    for link in page.locator("#moves a[data-data-age]").all():
        link.click()
        assert page.inner_text("#shown").startswith(f"{link.inner_text()} of ")
    for link in page.locator("#breaks li a").all():
        link.click()
        assert page.inner_text("#shown").startswith(f"{link.inner_text().split()[0]} of ")


def test_breaks_above_an_amount_and_an_age_are_added_up(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html")
    page.select_option("[name=currency_code]", "EUR")
    page.select_option("[name=data_age]", "4-")
    page.fill("[name=least]", "100")
    wanted = [
        row
        for row in breaks_of(published)
        if row["at_stake_currency_code"] == "EUR" and row["at_stake_cents"] >= 10_000 and row["data_age_days"] > 3
    ]
    sum_ = grouped_amount(sum(row["at_stake_cents"] for row in wanted), "EUR")

    assert wanted
    assert [line["item_id"] for line in saved(page)] == [row["item_id"] for row in wanted]
    assert page.inner_text("#shown").endswith(f"at stake in them: EUR {sum_}")


def test_a_row_leads_to_its_order_in_the_dashboard_and_nowhere_else(
    published: Path, tmp_path: Path, open_page: Any
) -> None:
    order = "https://dashboard.commercelayer.io/shop/orders/list/abc"
    links = [order, "javascript:alert(1)", "https://evil.example/", None]
    rows = [breaks_of(published)[0] | {"item_id": f"{n}", "links_dashboard": link} for n, link in enumerate(links)]
    page = open_page(page_with(published, tmp_path, rows))
    for opener in page.locator("#list tbody button").all():
        opener.click()

    found = [(link.get_attribute("href"), link.get_attribute("rel")) for link in page.locator("#list a").all()]
    assert found == [(order, "noopener noreferrer")] * 2


def test_a_phone_shows_what_a_break_is_about_without_scrolling_sideways(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html", viewport={"width": 390, "height": 844})
    first = breaks_of(published)[0]
    row = page.locator("#list tbody tr").first
    code = first["at_stake_currency_code"]
    stake = f"{code} {grouped_amount(first['at_stake_cents'], code)}"

    assert page.evaluate("document.querySelector('#list').getBoundingClientRect().right") <= 390
    for text in (first["reference"], LABEL_OF[first["status"]], first["suggestion"]):
        assert text in row.inner_text()
    before = "getComputedStyle(document.querySelector('#list td.at_stake'), '::before').content"
    assert page.evaluate(before).strip('"') + row.locator("td.at_stake").inner_text() == stake
    for cell in row.locator("td:visible").all():
        box = cell.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_tables_and_never_the_page(published: Path, open_page: Any, scheme: str) -> None:
    page = open_page(published / "report.html", viewport={"width": 360, "height": 740}, color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 24, 27)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_shuts_somebody_out(published: Path, open_page: Any, scheme: str) -> None:
    axe = os.environ.get("AXE_CORE")
    if axe is None:
        pytest.skip("name the axe.min.js of npm's axe-core in AXE_CORE")
    page = open_page(published / "report.html", color_scheme=scheme)
    page.locator("#list tbody button").first.click()
    page.evaluate(Path(axe).read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")

    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_paper_has_lines_to_sign_on_and_no_controls(published: Path, open_page: Any) -> None:
    page = open_page(published / "report.html", viewport={"width": 700, "height": 1000})  # A4 within its margins
    assert page.is_hidden(".sign-off")
    page.emulate_media(media="print")

    assert page.is_visible(".sign-off")
    assert page.evaluate("document.querySelector('.sign-off').getBoundingClientRect().bottom") < 1000
    assert page.evaluate("getComputedStyle(document.querySelector('#breaks')).breakBefore") == "page"
    assert page.is_hidden("#filters")
    assert page.is_hidden("nav")
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
