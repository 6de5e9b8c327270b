"""Tables in web pages, which many programs call .xls: read as they are shown, or refused by what is wrong."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from reconcile.errors import OrderFileError

SHOWN = ("source_line", "reference", "amount_cents", "currency_code")
HEAD = "<tr><th>reference<th>amount<th>currency"
EXCEL = """\
<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:x="urn:schemas-microsoft-com:office:excel">
<head><meta http-equiv=Content-Type content="text/html; charset=windows-1252">
<style><!-- table {mso-displayed-decimal-separator:"\\,";} td {mso-number-format:"\\@";} --></style>
<!--[if gte mso 9]><xml><x:ExcelWorkbook><x:ExcelWorksheet/></x:ExcelWorkbook></xml><![endif]--></head>
<body><![if supportMisalignedColumns]>
<table border=1><thead><tr><td>reference</td><td>amount</td><td>currency</td></tr></thead>
<tbody><tr height=17><td class=xl24>00123</td><td x:num="1234.5">1.234,50&nbsp;</td><td>EUR</td></tr>
<tr><td>R&amp;\xe9<br>2</td><td align=right>7,70</td><td>EUR</td></tr></tbody></table>
<![endif]></body></html>
"""


def page(*rows: str, head: str = HEAD) -> str:
    return f"<html><body><table>{head}{''.join(rows)}</table></body></html>"


def row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def test_a_page_of_a_spreadsheet_program_is_read_under_either_name(read: Any) -> None:
    for name in ("orders.xls", "orders.html", "orders.HTM"):
        outcome = read(EXCEL.encode("cp1252"), name, decimal=",", thousands=".")

        assert outcome.columns(*SHOWN) == [(2, "00123", 123450, "EUR"), (3, "R&é\n2", 770, "EUR")]
        (file,) = outcome.report.files
        assert (file.format, file.sheet, file.encoding) == ("html", "table 1", "cp1252")
        assert (file.floats, file.untold) == ((), ())


def test_the_table_that_has_the_columns_is_found_also_inside_another(read: Any) -> None:
    inner = f"<table>{HEAD}{row('R1', '1.00', 'EUR')}</table>"
    menu = "<table><tr><td>Home</td><td>Orders</td></tr></table>"
    whole = f"<body>{menu}<table><tr><td>Report</td><td>{inner}</td><td>reference</td></tr></table>{inner}</body>"

    outcome = read(whole, "orders.html")

    assert outcome.columns(*SHOWN) == [(2, "R1", 100, "EUR")]
    assert (outcome.report.files[0].sheet, outcome.report.files[0].other_sheets) == ("table 3", ("table 4",))
    assert read(whole, "orders.html", sheet="table 4").columns("reference") == [("R1",)]


def test_cells_that_span_others_keep_these_in_their_columns(read: Any) -> None:
    outcome = read(
        page(
            "<tr><td colspan=2>R1</td><td>EUR</td><td>1.00</td></tr>",
            "<tr><td rowspan=3>R2<td rowspan=2>x<td>EUR<td>2.00</tr>",
            "<tr><td>EUR</td><td>3.00</td></tr>",
            "<tr><td></td><td>EUR</td><td>4.00</td></tr>",
            "<tr><td>R3</td><td rowspan=-1 colspan=0></td><td>EUR</td><td rowspan=two>5.00</td></tr>",
            head="<tr><th>reference<th>note<th>currency<th>amount",
        ),
        "orders.html",
    )

    assert outcome.columns("reference", "amount_cents") == [
        ("R1", 100), ("R2", 200), ("R2", 300), ("R2", 400), ("R3", 500),
    ]  # fmt: skip
    assert [(one.kind, one.cells) for one in outcome.report.tidied] == [("merged", 2)]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  a \n\t b  ", "a b"),
        ("<b>a</b><i>b</i>", "ab"),
        ("<p>a</p><p>b</p>", "a\nb"),
        ("a<br/>b", "a\nb"),
        ("&lt;&#65;&#x42;&gt;", "<AB>"),
        ("<a href='x?a=1&amp;b=2'>R1</a><script>var x = '<td>';</script>", "R1"),
        ("R1<!-- <td>ghost</td> -->", "R1"),
        ("0012", "0012"),
        ("_x0041_", "_x0041_"),
    ],
)
def test_a_cell_is_its_text_as_it_is_shown(read: Any, cell: str, text: str) -> None:
    assert read(page(row(cell, "1.00", "EUR")), "orders.html").columns("reference_raw") == [(text,)]


def test_rows_that_are_left_open_end_where_the_next_begins(read: Any) -> None:
    open_rows = f"<table>{HEAD}<tr><td>R1<td>1.00<td>EUR<tr><td>R2<td>2.00<td>EUR</table>"

    assert read(open_rows, "orders.html").columns(*SHOWN) == [(2, "R1", 100, "EUR"), (3, "R2", 200, "EUR")]


def test_spoilt_keys_and_totals_are_found_as_in_text(read: Any) -> None:
    rows = [row("1.23457E+12", "1.00", "EUR"), row("100408.0", "1.00", "EUR"), row("Total", "2.00", "EUR")]

    outcome = read(page(*rows), "orders.html")

    assert [reason for *_, reason in outcome.reasons] == [
        "is a number that has lost digits", "was a number with decimals", "looks like a total",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("<meta charset='ISO-8859-1'>", "cp1252"),
        ("<meta http-equiv=Content-Type content='text/html; charset=iso-8859-2'>", "iso8859-2"),
        ("<?xml version='1.0' encoding='cp1250'?>", "cp1250"),
        ("<meta charset=utf-16>", "utf-8"),
        ("<meta charset=nonsense>", "utf-8"),
        ("", "utf-8"),
    ],
)
def test_the_encoding_is_the_one_that_the_page_declares(read: Any, declared: str, encoding: str) -> None:
    outcome = read((declared + page(row("Ü–1", "1.00", "EUR"))).encode(encoding, "replace"), "orders.xls")

    assert outcome.columns("reference")[0][0].startswith("Ü")
    assert outcome.report.files[0].encoding == encoding


def test_an_encoding_that_is_not_the_declared_one_is_named_with_the_byte(read: Any) -> None:
    content = page(row("Ü1", "1.00", "EUR")).encode("cp1252")

    with pytest.raises(OrderFileError, match=r"byte [0-9]+ \(0xdc\) is not UTF-8 text") as told:
        read(content, "orders.xls")
    assert "--encoding cp1252" in str(told.value.hint)
    assert read(content, "orders.xls", encoding="cp1252").columns("reference") == [("Ü1",)]
    utf_16 = page(row("Ü1", "1.00", "EUR")).encode("utf-16")
    assert read(utf_16, "orders.xls").columns("reference") == [("Ü1",)]
    assert read(gzip.compress(page(row("R1", "1.00", "EUR")).encode()), "orders.html.gz").columns("reference") == [
        ("R1",)
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<html><body>Sign in</body></html>", "this is a web page without a table"),
        (page(head="<tr><td>Name<td>Password"), "there is no reference column"),
        (page(row("R1", "1.00", "EUR")).removesuffix("</table></body></html>"), "it ends inside a table"),
        ("<table></table>", 'there is nothing in sheet "table 1"'),
        ("<table>" * 21, "more than 20 tables in each other"),
        ("<table></table>" * 101, "it has more than 100 tables"),
        ("<table><tr><td x='" + "y" * 300_000, "one of its tags has more than 128 KiB"),
        ("<table><tr><td><!--" + "y" * 300_000, "one of its tags has more than 128 KiB"),
        ("<table><style>" + "y" * (2 << 20), "one of its tags has more than 1024 KiB"),
        ("<table><tr><td>" + "y " * 100_000, "a cell has more than 65,536 characters"),
        ("<table><tr>" + "<td colspan=1000>x" * 17, "a table of more than 16384 columns"),
        ("<table><tr><td><![what[x]]>", "its markup is not HTML"),
        ("", "there is nothing in the file"),
    ],
)
def test_what_is_no_table_of_orders_is_refused(read: Any, content: str, problem: str) -> None:
    with pytest.raises(OrderFileError) as told:
        read(content, "orders.html")

    assert problem in told.value.message
    assert told.value.hint


def test_no_table_has_more_rows_than_a_spreadsheet(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.files.spreadsheets.others.html_tables.MOST_ROWS", 10)

    assert read(page("<tr>" * 8, row("R1", "1.00", "EUR")), "orders.html").columns("source_line") == [(10,)]
    with pytest.raises(OrderFileError, match="a table of more than 10 rows"):
        read(page("<tr>" * 10), "orders.html")
