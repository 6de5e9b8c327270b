"""The sheet of decisions: what is written in it comes back, and local dates and amounts have one meaning or none."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconcile.errors import AcceptanceError, OutputError
from reconcile.files.spreadsheets.cells import CellTexts
from reconcile.files.spreadsheets.package import open_workbook
from reconcile.history.decision_sheet import SHEET, line_of
from reconcile.history.local_cells import amount_in, dates_in
from reconcile.history.sheet_files import lines_filled_in, write_lines
from reconcile.money import AmountError

ON = date(2026, 11, 20)
LABELS = {"missing_order": "No order found"}

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12) | st.text(
    "\",;\t\r\n #'=+-@\\\x01\x1c\x85\u2028\ufeff\ufffe\uffff😀a_x0041<r>/\u200b&", min_size=1, max_size=9
)
reasons = texts.filter(str.strip)
every_file = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def written(path: Path, given: dict[str, Any], decided: dict[str, Any]) -> Path:
    row = {"item_id": "x1", "reference": None, "payment_id": None, "status": "missing_order", "age_days": 1}
    row |= {"at_stake_cents": 1250, "currency_code": "EUR", "first_seen_on": ON, "accepted_for": None}
    write_lines(path, [line_of(row | given, decided, LABELS)], on=ON)
    return path


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx"])
@given(reason=reasons, reference=texts, payment_id=texts, currency=texts)
@example(reason="<r><t>bold</t></r>", reference="\u200b<r></r>", payment_id="=1", currency="EUR")
@example(reason="_x0041_\r\n\ufffe", reference="'=1", payment_id="\t", currency="MGA")
@example(reason="x" * 1_000, reference="0012", payment_id="1e5", currency=" EUR")
@every_file
def test_whatever_is_accepted_as_a_reason_comes_back(
    name: str, reason: str, reference: str, payment_id: str, currency: str, tmp_path: Path
) -> None:
    given = {"reference": reference, "payment_id": payment_id, "currency_code": currency}
    path = written(tmp_path / name, given, {"accepted_reason": reason})

    ((line, cells),) = lines_filled_in(path)
    assert (line, cells["item_id"], cells["accept_reason"]) == (2, "x1", reason)
    assert (cells["reference"], cells["payment_id"]) == (reference.strip(), payment_id.strip())


@given(reason=reasons)
@example(reason="'=1")
@example(reason="<r></r>")
@every_file
def test_a_workbook_saved_as_csv_has_the_same_reason(reason: str, tmp_path: Path) -> None:
    """A spreadsheet writes the texts of the cells as they are, under the titles of the workbook."""
    (xlsx,) = [dict(cells) for _, cells in lines_of(written(tmp_path / "a.xlsx", {}, {"accepted_reason": reason}))]
    text = io.StringIO()
    csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL).writerows([list(xlsx), list(xlsx.values())])
    (tmp_path / "a.csv").write_text(text.getvalue(), encoding="utf-8-sig", newline="")

    ((_, cells),) = lines_filled_in(tmp_path / "a.csv")
    assert cells["accept_reason"] == reason


def lines_of(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the lines of the workbook as they stand in its cells, by their titles."""
    with open_workbook(path, name="x") as book, book.rows(book.sheets[0]) as rows:
        texts = CellTexts(book)
        head = next(rows)
        titles = {at: texts.plain(cell) or "" for at, cell in head.cells.items()}
        return [(row.line, {titles[at]: texts.shown(cell) or "" for at, cell in row.cells.items()}) for row in rows]


def test_the_cells_of_a_workbook_have_types_and_none_is_a_formula(tmp_path: Path) -> None:
    amounts = {"payment_amount_cents": 1000, "payment_currency_code": "EUR", "difference_cents": -250}
    amounts |= {"order_amount_cents": 1250, "order_currency_code": "EUR", "suggestion": "=HYPERLINK()"}
    until = {"accepted_reason": "+known", "accepted_until": date(2026, 12, 31), "cap_cents": 5005}
    path = written(tmp_path / "sheet.xlsx", amounts | {"reference": "0012"}, until)

    with zipfile.ZipFile(path) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml").decode()
    assert "<f" not in sheet
    assert "<pane" in sheet
    assert "<autoFilter" in sheet
    numbers = re.findall(r'<c r="[A-Z]+2" s="[0-9]+"><v>([^<]*)</v>', sheet)
    assert numbers == ["10", "12.5", "-2.5", "12.5", "1", "46346", "46387", "50.05"]
    ((_, cells),) = lines_of(path)
    assert (cells["Status"], cells["Reference"], cells["Likely cause"]) == ("No order found", "0012", "'=HYPERLINK()")
    assert cells["Accept until"] == "2026-12-31"
    assert cells["Break as it was"] == "missing_order 12.50 EUR"
    assert written(tmp_path / "again.xlsx", amounts | {"reference": "0012"}, until).read_bytes() == path.read_bytes()


def test_the_csv_has_what_there_is_to_decide_on(tmp_path: Path) -> None:
    amounts = {"payment_amount_cents": 1000, "payment_currency_code": "EUR", "difference_cents": -250}
    path = written(tmp_path / "sheet.csv", amounts | {"suggestion": "a refund?"}, {})

    (row,) = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    assert list(row) == [column.name for column in SHEET]
    assert (row["payment_amount"], row["order_amount"], row["difference"]) == ("10.00", "", "-2.50")
    assert (row["status_label"], row["suggestion"]) == ("No order found", "a refund?")


@pytest.mark.parametrize("name", ["sheet.xls", "sheet.ODS"])
def test_a_sheet_is_not_written_under_the_name_of_another_format(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no sheet in this format"):
        written(tmp_path / name, {}, {})
    assert list(tmp_path.iterdir()) == []


def test_more_breaks_than_a_sheet_has_rows_are_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.history.sheet_workbook.MOST_ROWS", 1)

    with pytest.raises(OutputError, match="there are more breaks than the 1 rows of a sheet"):
        written(tmp_path / "sheet.xlsx", {}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PK\3\4 not at all", "sheet.xlsx: this is not a readable spreadsheet"),
        (b"item_id,accept_reason\n", "sheet.xlsx: this is not a spreadsheet: its content is text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "sheet.xlsx: this is a spreadsheet in the old .xls format"),
    ],
)
def test_a_workbook_that_cannot_be_read_is_told(content: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "sheet.xlsx").write_bytes(content)

    with pytest.raises(AcceptanceError) as told:
        lines_filled_in(tmp_path / "sheet.xlsx")
    assert problem in told.value.message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("item_id,why\n1,known\n", 'sheet.csv:1: there is no column "accept_reason"'),
        ("why;accept_reason\n1;known\n", 'sheet.csv:1: there is no column "item_id"'),
        ("item_id,accept_reason,accept_reason\n1,a,b\n", 'sheet.csv:1: column "accept_reason" is there twice'),
        ("item_id,accept_reason\n1,known, by all\n", "sheet.csv:2: has more cells than columns"),
        ('item_id\taccept_reason\n1\t"known\n', "sheet.csv:2: opens a quote that is never closed"),
    ],
)
def test_a_csv_file_that_cannot_be_read_is_told(content: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_text(content)

    with pytest.raises(AcceptanceError) as told:
        lines_filled_in(tmp_path / "sheet.csv")
    assert told.value.message.endswith(problem)


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2026-12-31", ["2026-12-31"]),
        ("31.12.2026", ["2026-12-31"]),
        ("31. 12. 2026", ["2026-12-31"]),
        ("31.12.26", ["2026-12-31"]),
        ("03.04.2026", ["2026-04-03"]),
        ("31/12/2026", ["2026-12-31"]),
        ("12/31/2026", ["2026-12-31"]),
        ("2026/12/31", ["2026-12-31"]),
        ("31-12-2026", ["2026-12-31"]),
        ("2026-12-31 00:00:00", ["2026-12-31"]),
        ("\u00a031.12.2026\n", ["2026-12-31"]),
        ("3/3/2026", ["2026-03-03"]),
        ("03/04/2026", ["2026-04-03", "2026-03-04"]),
        ("03-04-2026", ["2026-04-03", "2026-03-04"]),
        ("26/12/31", ["2031-12-26", "2026-12-31"]),
        ("31.13.2026", []),
        ("2026-31-12", []),
        ("46387", []),
        ("1.1.026", []),
        ("soon", []),
    ],
)
def test_a_date_has_every_reading_that_it_may_have(text: str, dates: list[str]) -> None:
    assert [str(one) for one in dates_in(text)] == dates


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        *(("12,50", 1250), ("12,5", 1250), ("12.50", 1250), ("12", 1200), ("0,5", 50), ("1.234,50", 123450)),
        *(("1,234.50", 123450), ("1 234,50", 123450), ("1\u00a0234,5 €", 123450), ("1'234.50", 123450)),
        *((text, None) for text in ("1,234", "1.234", "1,234,567", "1.2.3,4", "12,505", "")),
    ],
)
def test_an_amount_has_one_meaning_or_none(text: str, cents: int | None) -> None:
    if cents is None:
        with pytest.raises(AmountError):
            amount_in(text, "EUR")
    else:
        assert amount_in(text, "EUR") == cents


def test_three_decimals_are_read_as_they_are_written_here() -> None:
    assert amount_in("1.234", "KWD") == 1234
    with pytest.raises(AmountError, match=r"could be read two ways: 1234 or 1\.234"):
        amount_in("1,234", "KWD")
