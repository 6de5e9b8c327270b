"""A key in a merged cell is that of each of its rows; and parts of a spreadsheet whose names have backslashes."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import xlsxwriter

ROWS = [
    ("Reference", "Item", "Total", "Currency"),
    ("A1", "Tent", "30.00", "EUR"),
    ("", "Peg", "5.00", "EUR"),
    ("", "Rope", "7.00", "EUR"),
    ("A2", "Tent", "9.00", "EUR"),
    ("", "no key of its own", "1.00", "EUR"),
]


def merged(*more: tuple[int, int, int, int, str]) -> bytes:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page = book.add_worksheet()
        for line, row in enumerate(ROWS):
            is_covered = bool(more) and line in (2, 3)  # its amount is in the merged cell
            page.write_row(line, 0, [None if is_covered and at == 2 else cell or None for at, cell in enumerate(row)])
        page.merge_range(1, 0, 3, 0, "A1")
        for first, left, last, right, text in more:
            page.merge_range(first, left, last, right, text)
    return written.getvalue()


def test_a_merged_key_is_the_key_of_each_of_its_rows_and_told(read: Any) -> None:
    outcome = read(merged(), "orders.xlsx")

    assert outcome.columns("reference", "amount_cents") == [
        ("A1", 3000), ("A1", 500), ("A1", 700), ("A2", 900), (None, 100),
    ]  # fmt: skip
    assert [(one.kind, one.column, one.cells) for one in outcome.report.tidied] == [("merged", "Reference", 2)]


def test_a_merged_amount_stays_that_of_its_first_row(read: Any) -> None:
    outcome = read(merged((1, 2, 3, 2, "42.00")), "orders.xlsx")

    assert outcome.columns("reference", "amount_cents") == [("A1", 4200), ("A2", 900), (None, 100)]
    assert [row["source_line"] for row in outcome.rejects] == ["3", "4"]


def test_it_is_read_so_wherever_a_batch_ends(read: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("reconcile.orders.spreadsheets.table._BATCH_ROWS", 1)

    outcome = read(merged(), "orders.xlsx")

    assert [key for (key,) in outcome.columns("reference")] == ["A1", "A1", "A1", "A2", None]
    assert [one.cells for one in outcome.report.tidied] == [2]


def test_names_of_parts_with_backslashes_are_found(read: Any) -> None:
    content, changed = merged(), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as made, zipfile.ZipFile(changed, "w") as packed:
        for name in made.namelist():
            packed.writestr(zipfile.ZipInfo(name.replace("/", "\\")), made.read(name))

    assert read(changed.getvalue(), "orders.xlsx").columns("reference", "amount_cents")[0] == ("A1", 3000)
