"""The workbook: figures equal to the Parquet files, formulas that come to them, texts that stay texts."""

from __future__ import annotations

import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from msgspec.structs import asdict
from workbooks import MAIN, Book, computed, letters, number, read_book

from reconcile.cli.main import main
from reconcile.errors import OutputError
from reconcile.figures.roll_forward import roll_forward
from reconcile.figures.summary import Counts
from reconcile.figures.totals import summarize
from reconcile.history.published import breaks_in
from reconcile.matching.policy import LABEL_OF
from reconcile.matching.report import ControlTotals, KeyProfile
from reconcile.money import EXPONENTS, format_amount
from reconcile.orders.rejects import Reject, RejectsFile
from reconcile.reports.csv_tables import write_breaks
from reconcile.reports.workbook import xlsx
from reconcile.reports.workbook.xlsx import write_xlsx

Written = Callable[..., Book]
AMOUNTS = {
    "Payment": ("payment_amount_cents", "payment_currency_code"),
    "Order": ("order_amount_cents", "order_currency_code"),
    "Difference": ("difference_cents", "payment_currency_code"),
}
TEXTS = {
    "Status code": "status", "Kind": "kind", "State": "state", "Reference": "reference", "Likely cause": "suggestion",
    "Payment id": "payment_id", "Payment reference": "payment_reference", "Order id": "order_id",
    "Order number": "order_number", "Order reference": "order_reference", "Order file": "order_source_file",
    "Line": "order_source_line", "Age (days)": "age_days", "API says mismatched": "mismatched_amounts",
    "Amounts agree": "amounts_agree", "Matched on": "matched_on", "Item id": "item_id",
    "Accepted because": "accepted_reason", "Mode": "mode", "Order status": "order_status",
    "Payment status": "payment_status", "Payment currency": "payment_currency_code",
    "Order currency": "order_currency_code",
}  # fmt: skip
MOMENTS = {
    "First seen": "first_seen_on", "Last seen": "last_seen_on", "Accepted until": "accepted_until",
    "Placed at (UTC)": "placed_at", "Payment created (UTC)": "payment_created_at",
    "Payment updated (UTC)": "payment_updated_at",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the sample data, made over HTTP."""
    out = tmp_path_factory.mktemp("demo")
    result = CliRunner().invoke(main, ["demo", "--out", str(out)], catch_exceptions=False)
    return Path(result.stdout.splitlines()[-1])


@pytest.fixture
def folder_of(tmp_path: Path, write_items: Any) -> Callable[..., Path]:
    """Give a function that makes a folder of items, breaks, summary and rejects, all by their own writers."""

    def make(*rows: dict[str, Any], rejects: list[Reject] | None = None) -> Path:
        items = write_items(*({"age_days": 0, "state": "new"} | row for row in rows))
        write_breaks(items, tmp_path / "breaks.parquet", tmp_path / "breaks.csv")
        figures = asdict(summarize(items, ControlTotals((), ()), KeyProfile((), (), ())))
        figures |= {
            "counts": Counts(**asdict(figures["counts"]), rejects=len(rejects or [])),
            "roll_forward": roll_forward(None, breaks_in(tmp_path / "breaks.parquet")),
            "patterns": (),
        }
        head = {"business_date": "2026-11-22", "run_id": "run-1", "amount_basis": "total", "verdict": "clean"}
        unknown = {"version": 1, "organization": None, "mode": None}
        (tmp_path / "summary.json").write_bytes(msgspec.json.encode(unknown | head | figures))
        with (tmp_path / "rejects.csv").open("w", newline="") as text:
            RejectsFile(text).write("orders.csv", rejects or [])
        return tmp_path

    return make


@pytest.fixture
def written(folder_of: Callable[..., Path]) -> Written:
    def write(*rows: dict[str, Any], **keywords: Any) -> Book:
        folder = folder_of(*rows, **keywords)
        return read_book(write_xlsx(folder, folder / "report.xlsx"))

    return write


def amount(cents: int | None, code: str | None) -> float | None:
    """What a cell holds: the double nearest to the decimal number."""
    return None if cents is None else float(Decimal(cents).scaleb(-EXPONENTS.get(code or "", 0)))


def serial(moment: date | datetime | None) -> float | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        return float((moment - date(1899, 12, 30)).days)
    return (moment - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)


@pytest.mark.parametrize(("sheet", "table"), [("All items", "items.parquet"), ("Breaks", "breaks.parquet")])
def test_every_cell_of_a_row_is_that_of_its_table(demo: Path, sheet: str, table: str) -> None:
    items = pq.read_table(demo / table).to_pylist()
    rows = read_book(demo / "report.xlsx").rows(sheet)

    assert len(rows) == len(items) > 30
    for item, row in zip(items, rows, strict=True):
        found = {title: cell.value for title, cell in row.items()}
        assert found["Status"] == LABEL_OF[item["status"]]
        assert {title: item[name] for title, name in TEXTS.items()} == {title: found.get(title) for title in TEXTS}
        for title, (cents, code) in AMOUNTS.items():
            assert found.get(title) == amount(item[cents], item[code])
        for title, name in MOMENTS.items():
            assert found.get(title) == pytest.approx(serial(item[name]), abs=1e-9)


def test_every_formula_comes_to_the_figure_that_stands_in_its_cell(demo: Path) -> None:
    book = read_book(demo / "report.xlsx")
    checked = 0
    for name, sheet in book.sheets.items():
        for place, cell in sheet.items():
            if cell.formula is not None:
                assert computed(book, name, place) == pytest.approx(cell.value, abs=1e-9), (name, place)
                checked += 1

    assert checked > 300


def test_the_summary_has_the_figures_of_summary_json(demo: Path) -> None:
    document = json.loads((demo / "summary.json").read_bytes())
    sheet = read_book(demo / "report.xlsx").sheets["Summary"]
    expected = {
        (LABEL_OF[status["status"]], status["status"], line["currency_code"] or "none"): [
            line["count"],
            *(amount(line[name], line["currency_code"])
              for name in ("payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents")),
        ]
        for status in document["statuses"]
        for line in status["amounts"]
    }  # fmt: skip
    start = next(number(place) for place, cell in sheet.items() if cell.value == "Status") + 1
    found = {}
    for row in range(start, start + len(expected)):
        values = [sheet.get(f"{letter}{row}") for letter in "DEFGH"]
        key = tuple(str(sheet[f"{letter}{row}"].value) for letter in "ALC")
        found[key] = [cell.value if cell else None for cell in values]

    assert found == expected
    assert sheet["B2"].value == "Exceptions to review"
    assert (sheet["B3"].value, sheet["B3"].number_format) == (serial(date(2026, 11, 20)), "yyyy-mm-dd")


def test_all_totals_of_statuses_are_live_also_those_of_two_currencies(demo: Path) -> None:
    sheet = read_book(demo / "report.xlsx").sheets["Summary"]
    rows = {number(place) for place, cell in sheet.items() if letters(place) == "K" and cell.value != "Meaning"}

    assert "Currency differs" in {sheet[f"A{row}"].value for row in rows}
    for row in rows:
        assert sheet[f"D{row}"].formula
        assert "not a formula" not in str(sheet[f"K{row}"].value)


def test_sides_of_a_status_cross_foot_with_the_control_totals(demo: Path) -> None:
    """Each side in its own currency: the statuses of summary.json add up to what came in."""
    document = json.loads((demo / "summary.json").read_bytes())
    for side, name in (("payments", "payment_amount_cents"), ("orders", "order_amount_cents")):
        sums: dict[str | None, int] = {}
        for line in (line for status in document["statuses"] for line in status["amounts"]):
            sums[line["currency_code"]] = sums.get(line["currency_code"], 0) + (line[name] or 0)
        control = {line["currency_code"]: line["amount_in_cents"] for line in document["control"][side]}
        assert {code: cents for code, cents in sums.items() if cents} == {c: v for c, v in control.items() if v}, side


def test_control_totals_and_aging_are_those_of_summary_json(demo: Path) -> None:
    document = json.loads((demo / "summary.json").read_bytes())
    book = read_book(demo / "report.xlsx")
    control, aging = book.sheets["Control totals"], book.sheets["Aging"]
    sums = [
        [
            amount(line["amount_in_cents"], line["currency_code"]),
            amount(line["amount_out_cents"], line["currency_code"]),
        ]
        for side in ("payments", "orders")
        for line in document["control"][side]
    ]
    assert [[control[f"D{row}"].value, control[f"F{row}"].value] for row in range(5, 5 + len(sums))] == sums
    totals = [
        [amount(line[name], line["currency_code"])
         for name in ("payment_amount_cents", "order_amount_cents", "difference_cents")]
        for line in document["bridge"]
    ]  # fmt: skip
    last = [number(place) for place, cell in control.items() if cell.value == "total"]
    assert [[control[f"{letter}{row}"].value for letter in "CDE"] for row in last] == totals
    stakes = [
        amount(line["at_stake_cents"], line["currency_code"])
        for bucket in document["aging"]
        for line in bucket["amounts"]
    ]
    assert [cell.value for place, cell in aging.items() if letters(place) == "D" and cell.formula][
        : len(stakes)
    ] == stakes
    by_data = [
        amount(line["at_stake_cents"], line["currency_code"])
        for bucket in document["aging_from_data"]
        for line in bucket["amounts"]
    ]
    plain = [cell.value for place, cell in aging.items() if letters(place) == "D" and not cell.formula]
    assert [value for value in plain if isinstance(value, float)][: len(by_data)] == by_data
    hashes = [
        [line["keys_in"], line["keys_out"]] for side in ("payments", "orders") for line in document["hash_totals"][side]
    ]
    (heading,) = (number(place) for place, cell in control.items() if cell.value == "In")
    rows = range(heading + 1, heading + 1 + len(hashes))
    assert [[control[f"{letter}{row}"].value for letter in "CD"] for row in rows] == hashes


HOSTILE = [
    "=1+1", "+1", "-1", "@SUM(A1)", "{=1}", "https://evil.example/", "mailto:a@b.example", "internal:A1",
    "00123", "1E5", "", " ", " both ", "a\nb", "a\rb", "a\tb", "<r><t>x</t></r>", "</t></is></c>",
    "<script>alert(1)</script>", "&amp; & < > \" '", "_x0041_", "_x0041_x0042_", "_xyz_", "]]>", "TRUE", "#REF!",
    "\u202egnp.exe", "😀 Ærø 鈴木 عربى", "x" * 10_000, "']]\\", "\x7f\x85\u2028",
]  # fmt: skip


def test_any_text_is_shown_as_it_is(written: Written) -> None:
    book = written(
        *({"reference": text, "order_source_file": text} for text in HOSTILE),
        rejects=[Reject(1, text, "x", "is odd", "mend it") for text in HOSTILE],
    )
    rows, rejects = book.rows("All items"), book.rows("Rejects")

    assert [row["Reference"].value for row in rows] == [row["Order file"].value for row in rows] == HOSTILE
    assert {row["Reference"].number_format for row in rows} == {"@"}
    assert [row["Column"].value for row in rejects] == HOSTILE
    assert not any(b"<hyperlink" in xml for xml in book.xml.values())
    assert not any(b"<f>" in book.xml[name] for name in ("All items", "Breaks", "Rejects"))


def test_signs_that_xml_cannot_hold_are_shown_as_replaced(written: Written) -> None:
    (row,) = written({"reference": "a\x00b\x0bc\x1f\ufffe\uffff"}).rows("All items")

    assert row["Reference"].value == "a�b�c���"


@pytest.mark.parametrize("text", ["<r><t>x</t></r>", "=1+1", "a\x00\x1b[31m", "x" * 40_000, "https://evil.example"])
def test_a_text_on_a_page_of_figures_is_no_markup_either(folder_of: Callable[..., Path], text: str) -> None:
    folder = folder_of({"at_stake_cents": 0, "at_stake_currency_code": "EUR"})
    document = json.loads((folder / "summary.json").read_text())
    pattern = {"kind": "file", "status": None, "currency_code": None, "value": text, "count": 3, "of": 3, "text": text}
    document |= {"organization": text, "run_id": text}
    document |= {"warnings": [text], "limits_exceeded": [text], "patterns": [pattern]}
    (folder / "summary.json").write_text(json.dumps(document))
    book = read_book(write_xlsx(folder, folder / "report.xlsx"))

    assert not any(b"<hyperlink" in xml for xml in book.xml.values())
    shown = [cell for cell in book.sheets["Summary"].values() if str(cell.value).lstrip("\u200b")[:1] == text[0]]
    assert len([cell for cell in shown if not cell.formula]) >= 5


def test_a_text_too_long_for_a_cell_is_cut_where_all_can_see(written: Written) -> None:
    (row,) = written({"reference": "😀" * 40_000}).rows("All items")

    assert row["Reference"].value == "😀" * 15_999 + "…"


def test_an_amount_is_a_number_in_its_currency_or_else_text(written: Written) -> None:
    expected = [
        ("EUR", 1, 0.01, "#,##0.00"),
        ("EUR", -123_456_789_012_345, -1_234_567_890_123.45, "#,##0.00"),
        ("EUR", 999_999_999_999_999, 9_999_999_999_999.99, "#,##0.00"),
        ("EUR", 1_000_000_000_000_000, "10000000000000.00", "@"),
        ("EUR", -(2**63) + 1, "-92233720368547758.07", "@"),
        ("JPY", 1234, 1234, "#,##0"),
        ("JPY", 9_223_372_036_854_775_807, "9223372036854775807", "@"),
        ("KWD", 1234, 1.234, "#,##0.000"),
        ("CLF", -5, -0.0005, "#,##0.0000"),
        ("XXX", 1234, 1234, '#,##0" minor units"'),
        (None, 1234, 1234, '#,##0" minor units"'),
    ]
    book = written(*({"payment_amount_cents": row[1], "payment_currency_code": row[0]} for row in expected))
    rows = book.rows("All items")

    assert [(row["Payment"].value, row["Payment"].number_format) for row in rows] == [row[2:] for row in expected]
    assert [row["Currency"].value for row in rows] == [code or "none" for code, *_ in expected]
    note = "3 items have an amount of more than fifteen digits: it is stored as text, which no formula adds up"
    assert note in book.texts("Summary")


def test_every_double_of_cents_is_the_one_nearest_to_the_amount(written: Written) -> None:
    cents = [place**9 % 10**15 for place in range(3000)]
    rows = written(*({"payment_amount_cents": one} for one in cents)).rows("All items")

    assert [row["Payment"].value for row in rows] == [float(Decimal(one) / 100) for one in cents]


@pytest.mark.parametrize(
    "rows",
    [
        [{"payment_currency_code": "EUR"}, {"payment_currency_code": "eur"}],
        [{"payment_currency_code": "none"}, {"payment_currency_code": None}],
        [{"payment_currency_code": "*"}, {"payment_currency_code": "EUR"}, {"payment_currency_code": ">0"}],
        [{"payment_amount_cents": 10**16}, {"payment_amount_cents": 1}],
        [{"order_amount_cents": 5, "order_currency_code": "JPY"}, {}],
        [{"payment_amount_cents": 10**14 * 9} for _ in range(3)],
        [{"payment_amount_cents": 10} for _ in range(100)],
    ],
)
def test_a_formula_stands_only_where_it_comes_to_the_figure(written: Written, rows: list[dict[str, Any]]) -> None:
    book = written(*rows)

    for name, sheet in book.sheets.items():
        for place, cell in sheet.items():
            if cell.formula is not None:
                assert computed(book, name, place) == pytest.approx(cell.value, abs=1e-9), (name, place)


def test_moments_before_a_spreadsheets_calendar_are_text(written: Written) -> None:
    (row,) = written({"first_seen_on": date(1812, 6, 24), "placed_at": datetime(1900, 2, 28, tzinfo=UTC)}).rows(
        "Breaks"
    )

    assert row["First seen"].value == "1812-06-24"
    assert str(row["Placed at (UTC)"].value).startswith("1900-02-28 00:00:00")


def test_rows_that_do_not_fit_are_counted_where_the_sheet_ends(
    folder_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MOST_ROWS", 10)
    folder = folder_of(*({"is_break": place < 9, "payment_amount_cents": 1} for place in range(12)))
    book = read_book(write_xlsx(folder, folder / "report.xlsx"))

    assert len(book.rows("All items")) == 9
    assert book.sheets["All items"]["A10"].value == "4 more rows are not on this sheet: all are in items.parquet"
    assert "All items: 4 more rows are not on this sheet: all are in items.parquet" in book.texts("Summary")
    assert len(book.rows("Breaks")) == 9  # these fit, with the header
    assert not any("COUNTIFS('All items'" in (cell.formula or "") for cell in book.sheets["Summary"].values())


def test_of_more_items_than_a_sheet_is_to_have_those_are_on_it_that_are_not_matched(
    folder_of: Callable[..., Path],
) -> None:
    kinds = ["ok"] * 8 + ["break"] * 3 + ["timing"] * 2
    folder = folder_of(
        *({"kind": kind, "is_break": kind == "break", "reference": f"{n}"} for n, kind in enumerate(kinds))
    )
    book = read_book(write_xlsx(folder, folder / "report.xlsx", max_rows=5))
    *rows, note = book.rows("All items")

    assert [row["Kind"].value for row in rows] == kinds[8:]
    assert note["Status"].value == "8 more rows are not on this sheet: all are in items.parquet"
    assert "All items: 8 more rows are not on this sheet: all are in items.parquet" in book.texts("Summary")
    assert len(read_book(write_xlsx(folder, folder / "all.xlsx", max_rows=13)).rows("All items")) == 13
    assert len(read_book(write_xlsx(folder, folder / "few.xlsx", max_rows=2)).rows("Breaks")) == 3  # and a note


def test_the_command_writes_a_workbook_with_more_rows(demo: Path, tmp_path: Path) -> None:
    for rows in (100, 5_000):
        arguments = [
            "report",
            str(demo),
            "--format",
            "xlsx",
            "--max-rows",
            f"{rows}",
            "--to",
            str(tmp_path / f"{rows}.xlsx"),
        ]
        assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    items = pq.read_table(demo / "items.parquet").num_rows

    assert (tmp_path / "5000.xlsx").read_bytes() == (demo / "report.xlsx").read_bytes()
    assert len(read_book(tmp_path / "100.xlsx").rows("All items")) == 101 < items


def test_a_run_of_nothing_has_every_sheet_with_its_header(written: Written) -> None:
    book = written()

    assert list(book.sheets) == ["Summary", "Breaks", "Aging", "Control totals", "All items", "Rejects", "About"]
    assert [book.rows(name) for name in ("Breaks", "All items", "Rejects")] == [[], [], []]
    assert book.sheets["Rejects"]["F1"].value == "Remedy"


def test_tables_have_a_header_in_sight_and_filters_over_all_rows(demo: Path) -> None:
    book = read_book(demo / "report.xlsx")
    for name in ("Breaks", "All items", "Rejects"):
        rows = max(len(book.rows(name)), 1) + 1

        assert b'<pane ySplit="1" topLeftCell="A2"' in book.xml[name]
        assert f'<autoFilter ref="A1:{"F" if name == "Rejects" else "BC"}{rows}"/>'.encode() in book.xml[name]


def test_titles_of_figures_stand_at_the_right_as_the_figures_do(demo: Path) -> None:
    with zipfile.ZipFile(demo / "report.xlsx") as packed:
        styles = ElementTree.fromstring(packed.read("xl/styles.xml"))
    cells = styles.find(f"{MAIN}cellXfs")
    assert cells is not None
    aligned = [cell.find(f"{MAIN}alignment") for cell in cells]
    at_right = {str(n) for n, one in enumerate(aligned) if one is not None and one.get("horizontal") == "right"}
    book = read_book(demo / "report.xlsx")
    for sheet, title, is_figure in (
        ("Breaks", "Payment", True), ("Breaks", "Age (days)", True), ("Breaks", "Reference", False),
        ("Summary", "Accepted at stake", True), ("Summary", "Meaning", False), ("Control totals", "Rows in", True),
    ):  # fmt: skip
        place = next(place for place, cell in book.sheets[sheet].items() if cell.value == title)
        style = re.search(rf'<c r="{place}" s="([0-9]+)"'.encode(), book.xml[sheet])
        assert style is not None
        assert (style[1].decode() in at_right) == is_figure, (sheet, title)


def test_both_amounts_stand_beside_their_currencies(demo: Path) -> None:
    sheet = read_book(demo / "report.xlsx").sheets["Breaks"]
    titles = [str(cell.value) for place, cell in sheet.items() if number(place) == 1]

    for currency, amount_ in (("Payment currency", "Payment"), ("Order currency", "Order"), ("Currency", "At stake")):
        assert titles.index(amount_) == titles.index(currency) + 1


def test_rejects_are_shown_without_the_guard_of_a_csv(written: Written) -> None:
    book = written(
        rejects=[Reject(7, "total", "=1+1", 'is "odd",\nvery', "mend it"), Reject(8, None, None, "is short")]
    )

    first, second = book.rows("Rejects")
    assert {title: cell.value for title, cell in first.items()} == {
        "Source file": "orders.csv", "Source line": 7, "Column": "total", "Value": "=1+1",
        "Reason": 'is "odd",\nvery', "Remedy": "mend it",
    }  # fmt: skip
    assert second["Source line"].value == 8


def test_the_same_folder_gives_the_same_bytes_wherever_and_whenever(demo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(demo, copy)
    (copy / "manifest.json").unlink()  # what a run has before it is published

    assert write_xlsx(copy, tmp_path / "again.xlsx").read_bytes() == (demo / "report.xlsx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.xlsx", "copy"]


def test_a_folder_without_figures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"summary\.json: cannot be read") as caught:
        write_xlsx(tmp_path, tmp_path / "report.xlsx")

    assert caught.value.hint == "`reconcile runs verify` reports what was changed"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "summary.json",
            "{}",
            "its figures are from another version of reconcile: Object missing required field `version`",
        ),
        ("items.parquet", "no table", "items.parquet: cannot be read as Parquet"),
        ("breaks.parquet", None, "breaks.parquet: cannot be read as Parquet"),
        ("rejects.csv", None, "rejects.csv: cannot be read: No such file or directory"),
        ("rejects.csv", "line,reason\n", "rejects.csv: has other columns than source_file"),
    ],
)
def test_a_folder_of_another_version_is_told_by_its_file(
    folder_of: Callable[..., Path], name: str, content: str | None, message: str
) -> None:
    folder = folder_of({"at_stake_cents": 0, "at_stake_currency_code": "EUR"})
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_text(content)

    with pytest.raises(OutputError) as caught:
        write_xlsx(folder, folder / "report.xlsx")

    assert message in caught.value.message
    assert caught.value.hint
    assert not (folder / "report.xlsx").exists()


def test_a_failed_write_leaves_the_former_file_and_nothing_else(
    folder_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of({"at_stake_cents": 0, "at_stake_currency_code": "EUR"})
    (folder / "report.xlsx").write_text("former")
    before = sorted(path.name for path in folder.iterdir())

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OutputError, match="No space left on device"):
        write_xlsx(folder, folder / "report.xlsx")

    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "report.xlsx").read_text() == "former"


def test_an_amount_of_a_total_beyond_fifteen_digits_is_said_in_full(written: Written) -> None:
    book = written(*({"payment_amount_cents": 9 * 10**14} for _ in range(3)))

    assert format_amount(27 * 10**14, "EUR") in book.texts("Summary")


def test_rows_left_out_as_declared_are_beside_the_control_totals(folder_of: Callable[..., Path]) -> None:
    folder = folder_of({"at_stake_cents": 0, "at_stake_currency_code": "EUR"})
    summary = json.loads((folder / "summary.json").read_text())
    fee = {"reason": "only", "column": "Kind", "value": "fee", "currency_code": "EUR", "rows": 2, "unread": 1}
    others = {"reason": "withdrawn", "column": "Status", "value": None, "currency_code": None, "rows": 3, "unread": 3}
    summary["left_out"] = [fee | {"amount_cents": -100}, others | {"amount_cents": 0}]
    (folder / "summary.json").write_text(json.dumps(summary))

    cells = read_book(write_xlsx(folder, folder / "report.xlsx")).sheets["Control totals"]

    rows = [[cells[place].value for letter in "ABCDEFG" if (place := f"{letter}{row}") in cells] for row in range(30)]
    assert ["only", "Kind", "fee", "EUR", 2, 1, -1] in rows
    assert ["withdrawn", "Status", "(all others)", "none", 3, 3] in rows
