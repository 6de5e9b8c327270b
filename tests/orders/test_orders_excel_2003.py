"""Excel's XML of 2003, under the name .xml or .xls: a cell is read as it is in .xlsx, with its number format."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from other_spreadsheets import data, excel_2003
from spreadsheets import HEADER

from reconcile.errors import OrderFileError

SHOWN = ("source_line", "reference", "amount_cents", "currency_code")
STYLES = "".join(
    f'<Style ss:ID="{name}"{parent}>{f"<NumberFormat ss:Format={code!r}/>" if code else ""}</Style>'
    for name, parent, code in (
        ("Default", "", ""),
        ("zeros", "", "00000"),
        ("child", ' ss:Parent="zeros"', ""),
        ("fixed", "", "Fixed"),
        ("currency", "", "Currency"),
        ("scientific", "", "Scientific"),
        ("day", "", "Short Date"),
        ("time", "", "Medium Time"),
        ("text", "", "@"),
    )
)
NAMES = [data("String", name) for name in HEADER]
EUR = data("String", "EUR")
Rows = list[list[str]]


def book(*rows: list[str], **more: str) -> bytes:
    return excel_2003({"Orders": [NAMES, *rows]}, styles=STYLES, **more)


def test_texts_and_numbers_are_read_exactly_under_either_name(read: Any) -> None:
    content = book(
        [data("String", "00123"), data("Number", "12.3", StyleID="currency"), EUR],
        [data("String", "_x0041_ <&>"), data("Number", "19.989999999999998", StyleID="fixed"), EUR],
        [data("String", "R3"), data("String", "5.00"), EUR],
        [data("String", "R4"), data("Number", "1.5E+3", StyleID="scientific"), EUR],
    )

    for name in ("orders.xml", "orders.xls"):
        outcome = read(content, name)
        assert outcome.columns(*SHOWN) == [
            (2, "00123", 1230, "EUR"), (3, "_x0041_ <&>", 1999, "EUR"), (4, "R3", 500, "EUR"), (5, "R4", 150000, "EUR"),
        ]  # fmt: skip
        assert (outcome.report.files[0].format, outcome.report.files[0].sheet) == ("xml", "Orders")


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        (data("Number", "42"), "42"),
        (data("Number", "42", StyleID="zeros"), "00042"),
        (data("Number", "42", StyleID="child"), "00042"),
        (data("Number", "42", StyleID="fixed"), "42"),
        (data("Number", "42", StyleID="currency"), "42"),
        (data("Number", "42", StyleID="scientific"), "42"),
        (data("Number", "42", StyleID="unknown"), "42"),
        (data("String", "042", StyleID="text"), "042"),
        ('<Cell><ss:Data ss:Type="String" xmlns="http://www.w3.org/TR/REC-html40">R<B>1</B></ss:Data></Cell>', "R1"),
        ('<Cell><Data ss:Type="String">R1</Data><Comment><Data>note</Data></Comment></Cell>', "R1"),
    ],
)
def test_a_key_is_what_its_number_format_shows(read: Any, cell: str, key: str) -> None:
    assert read(book([cell, data("Number", "1"), EUR]), "orders.xml").columns("reference") == [(key,)]


def test_a_cell_without_a_style_has_that_of_its_row_its_column_or_its_table(read: Any) -> None:
    content = book(*([data("Number", "42"), data("Number", "1"), EUR] for _ in range(2)))
    text = content.decode()
    second = text.rindex("<Row>")
    by_row = text[:second] + '<Row ss:StyleID="zeros">' + text[second + len("<Row>") :]
    by_column = text.replace("<Table>", '<Table><Column/><Column ss:Index="1" ss:Span="1" ss:StyleID="zeros"/>', 1)
    by_column = by_column.replace("<Column/>", "")
    by_table = text.replace("<Table>", '<Table ss:StyleID="zeros">')

    for changed, keys in ((by_row, ["42", "00042"]), (by_column, ["00042"] * 2), (by_table, ["00042"] * 2)):
        assert [key for (key,) in read(changed, "orders.xml").columns("reference")] == keys


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (data("Number", "1234567890123456"), "is a number of more than 15 digits"),
        (data("Number", "1.5"), "is a number with decimals"),
        (data("Number", "46348", StyleID="day"), "is a date in the spreadsheet"),
        (data("Number", "0.5", StyleID="time"), "is a date in the spreadsheet"),
        (data("DateTime", "2026-11-22T00:00:00.000"), "is a date in the spreadsheet"),
        (data("Boolean", "1"), "is TRUE or FALSE in the spreadsheet"),
        (data("Error", "#N/A"), "is an error in the spreadsheet"),
        ('<Cell ss:Formula="=RC[1]"/>', "is a formula without a calculated result"),
        (data("Number", "twelve"), "is stored in a way that no spreadsheet program writes"),
    ],
)
def test_a_key_that_a_spreadsheet_has_spoilt_is_rejected(read: Any, cell: str, reason: str) -> None:
    outcome = read(book([cell, data("Number", "1"), EUR]), "orders.xml")

    assert [(line, column) for line, column, _, _ in outcome.reasons] == [("2", "reference")]
    assert outcome.reasons[0][3].startswith(reason)


def test_days_are_read_and_an_amount_that_is_one_is_rejected(read: Any) -> None:
    names = [*NAMES, data("String", "order date")]
    day = data("DateTime", "2026-11-22T23:59:00.000")
    rows = [[data("String", "R1"), data("Number", "1"), EUR, day], [data("String", "R2"), day, EUR]]

    outcome = read(excel_2003({"Orders": [names, *rows]}), "orders.xml", max_rejects=1)

    assert outcome.columns("reference", "ordered_on") == [("R1", date(2026, 11, 22))]
    assert outcome.reasons == [("3", "amount", "2026-11-22T23:59:00.000", "is a date in the spreadsheet")]


def test_rows_and_cells_stand_where_they_say_also_behind_merged_ones(read: Any) -> None:
    content = book(
        ['<Cell ss:MergeDown="1"><Data ss:Type="String">R1</Data></Cell>', data("Number", "1"), EUR],
        [data("Number", "2", Index="2"), EUR],
        ['<Cell ss:MergeAcross="0"/>', data("Number", "4"), EUR],
    ).decode()
    moved = content.replace("<Row>", '<Row ss:Index="3" ss:Span="2">', 1)

    outcome = read(moved, "orders.xml")

    assert outcome.columns("source_line", "reference") == [(6, "R1"), (7, "R1"), (8, None)]
    assert [(one.kind, one.cells) for one in outcome.report.tidied] == [("merged", 1)]


def test_a_sum_over_rows_of_its_column_looks_like_a_total(read: Any) -> None:
    orders = [[data("String", f"R{at}"), data("Number", str(at)), EUR] for at in (1, 2)]
    sums = ("=SUM(R[-2]C:R[-1]C)", "=SUBTOTAL(9,R2C:R[-1]C)")
    others = ("=SUM(RC[-1]:RC[1])", "=R[-1]C*2", "=SUM(R[-2]C[1]:R[-1]C[1])")

    found = []
    for formula in (*sums, *others):
        total = data("Number", "7", Formula=formula)
        outcome = read(book(*orders, [data("String", "A"), total, EUR]), "orders.xml", max_rejects=1)
        found.append([reason for *_, reason in outcome.reasons])

    assert found == [["looks like a total"]] * 2 + [[]] * 3


def test_the_first_visible_sheet_with_the_columns_is_read(read: Any) -> None:
    rows: Rows = [NAMES, [data("String", "R1"), data("Number", "1"), EUR]]
    options = '<WorksheetOptions xmlns="urn:schemas-microsoft-com:office:excel">{}</WorksheetOptions>'
    content = excel_2003({"Hidden": rows}, after=options.format("<Visible>SheetHidden</Visible>")).decode()
    shown = excel_2003({"Cover": [[data("String", "x")]], "Orders": rows, "Old": rows}).decode()
    both = content.replace("</Workbook>", shown[shown.index("<Worksheet ") :])

    outcome = read(both, "orders.xml")

    assert (outcome.report.files[0].sheet, outcome.report.files[0].other_sheets) == ("Orders", ("Old",))
    assert read(both, "orders.xml", sheet="hidden").columns("reference") == [("R1",)]


def test_another_encoding_is_read_as_the_document_declares_it(read: Any) -> None:
    content = book([data("String", "Ü1"), data("Number", "1"), EUR]).decode()

    for encoding in ("utf-16", "iso-8859-1", "windows-1252"):
        declared = content.replace("UTF-8", encoding).encode(encoding)
        assert read(declared, "orders.xls").columns("reference") == [("Ü1",)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "there is nothing in the file"),
        (b"<orders/>", "there is no worksheet in the file"),
        (book()[:-20], "unclosed token"),
        (book().replace(b"<Styles>", b"<!DOCTYPE x><Styles>"), "not well-formed"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + book()[55:], "has a document type"),
        (book([data("String", "R1", Index="0")]), "out of its place"),
        (book([data("String", "R1"), data("String", "x", Index="1")]), "out of its place"),
        (book([data("String", "R1", Index="16385")]), "out of its place"),
        (book([data("String", "R1", Index="A")]), '"A" in place of a number'),
        (book().replace(b"<Row>", b'<Row ss:Index="1048577">'), "out of its place"),
        (book(["<x>" * 70 + "</x>" * 70]), "64 deep"),
    ],
)
def test_what_is_damaged_is_refused(read: Any, content: bytes, problem: str) -> None:
    with pytest.raises(OrderFileError) as told:
        read(content, "orders.xml")

    assert problem in told.value.message
    assert told.value.hint
