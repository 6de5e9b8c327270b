"""Spreadsheets: what is read is what a spreadsheet program shows, digit for digit, or a reject that says why not."""

from __future__ import annotations

import io
from datetime import date
from typing import Any

import pytest
import xlsxwriter
from spreadsheets import HEADER, STRICT, cell, named, number, rows, sheet, text, workbook

from reconcile.errors import OrderFileError
from reconcile.files.spreadsheets import xml as xlsx_xml

GENERAL, DATE, ZEROS, WORDS, ELAPSED, MONEY, DATE_14, SCIENTIFIC = range(8)
SHOWN = ("source_line", "reference", "amount_cents", "currency_code")


def order(reference: str = text("R1"), amount: str = number("12.3"), currency: str = text("EUR")) -> list[str]:
    return [reference, amount, currency]


def one(*table: list[str], **more: Any) -> bytes:
    return workbook(sheet(rows(named(*HEADER), *table)), **more)


@pytest.fixture(autouse=True, params=[xlsx_xml.PIECE_BYTES, 700], ids=["whole", "in pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read small sheets in pieces too: rows of the plain shape are read by patterns from the second piece on."""
    monkeypatch.setattr(xlsx_xml, "PIECE_BYTES", request.param)


@pytest.fixture
def read_book(read: Any) -> Any:
    return lambda content, name="orders.xlsx", **declared: read(content, name, **declared)


def test_an_ordinary_spreadsheet_is_read_without_a_setting(read_book: Any) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page, days = book.add_worksheet("Orders"), book.add_format({"num_format": "dd.mm.yyyy"})
        page.write_row(0, 0, ["Order totals of November"])
        page.write_row(2, 0, ["Reference", "Order number", "Total", "Currency", "Order date"])
        page.write_row(3, 0, ["007", 1001, 8.89, "EUR"])
        page.write_datetime(3, 4, date(2026, 11, 22), days)
        page.write_row(4, 0, ["30 " + "1" * 30, 1002, -1234567.8, "SEK"])

    outcome = read_book(written.getvalue())

    assert outcome.columns(*SHOWN, "order_number", "ordered_on") == [
        (4, "007", 889, "EUR", "1001", date(2026, 11, 22)),
        (5, "30 " + "1" * 30, -123456780, "SEK", "1002", None),
    ]
    assert outcome.report.files[0].sheet == "Orders"
    assert outcome.report.files[0].format == "xlsx"


@pytest.mark.parametrize(
    ("stored", "cents"),
    [
        ("12.3", 1230),
        ("19.989999999999998", 1999),
        ("8.890000000000001", 889),
        ("68.400000000000006", 6840),
        ("0.30000000000000004", 30),
        ("1.2345E+2", 12345),
        ("1E-2", 1),
        ("1E5", 10000000),
        ("-0", 0),
        ("-12.5", -1250),
        ("12.30000", 1230),
        ("9999999999999.99", 999999999999999),
        ("999999999999999", 99999999999999900),
    ],
)
def test_an_amount_is_the_number_that_a_spreadsheet_shows(read_book: Any, stored: str, cents: int) -> None:
    outcome = read_book(one(order(amount=number(stored, MONEY))), decimal=",")

    assert outcome.columns("amount_cents") == [(cents,)]


@pytest.mark.parametrize(
    ("stored", "value", "reason"),
    [
        ("12.345", "12.345", "has more decimals than EUR, which has 2"),
        ("90071992547409.93", "90071992547409.9375", "has more decimals than EUR, which has 2"),
        ("1e400", "1e400", "is a number of more than 15 digits: the spreadsheet has put zeros in place of the rest"),
        ("1E15", "1E15", "is a number of more than 15 digits: the spreadsheet has put zeros in place of the rest"),
        ("abc", "abc", "is stored in a way that no spreadsheet program writes"),
        ("1_000", "1_000", "is stored in a way that no spreadsheet program writes"),
    ],
)
def test_an_amount_that_is_not_exact_is_rejected(read_book: Any, stored: str, value: str, reason: str) -> None:
    outcome = read_book(one(order(amount=number(stored)), order()))

    assert outcome.reasons == [("2", "amount", value, reason)]
    assert outcome.columns("source_line") == [(3,)]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (text("007"), "007"),
        (text("1E5"), "1E5"),
        (text("9" * 30), "9" * 30),
        (cell("str", "A&amp;B"), "A&B"),
        (number("1001"), "1001"),
        (number("1.00E+5", SCIENTIFIC), "100000"),
        (number("1001.0000000000001"), "1001"),
        (number("123456789012345"), "123456789012345"),
        (number("42", ZEROS), "000042"),
        (number("1234567", ZEROS), "1234567"),
        (number("42", WORDS), "PO-0042"),
        (number("1234567", MONEY), "1234567"),
        (number("-5", ZEROS), "-5"),
    ],
)
def test_a_reference_is_what_a_spreadsheet_shows(read_book: Any, content: str, key: str) -> None:
    assert read_book(one(order(reference=content))).columns("reference") == [(key,)]


@pytest.mark.parametrize(
    ("number_format", "key"),
    [
        ("[$-407]00000", "00042"),
        ("[Red]00000", "00042"),
        ("00000_);(00000)", "00042"),
        ('[Color 3]"PO-"0000', "PO-0042"),
        ('"_)"0000', "_)0042"),
        ("[$€-407] 00000", "42"),
        ("[>99]00000;0", "42"),
        ("[$-409]#,##0_)", "42"),
    ],
)
def test_colours_languages_and_widths_take_no_zeros_from_a_reference(
    read_book: Any, number_format: str, key: str
) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, HEADER)
        page.write_row(1, 1, [12.3, "EUR"])
        page.write_number(1, 0, 42, book.add_format({"num_format": number_format}))

    assert read_book(written.getvalue()).columns("reference") == [(key,)]


@pytest.mark.parametrize(
    ("content", "value", "reason"),
    [
        (number("1234567890123456"), "1234567890123456", "is a number of more than 15 digits"),
        (number("1.2345678901234568E+17"), "1.2345678901234568E+17", "is a number of more than 15 digits"),
        (number("9007199254740993"), "9007199254740993", "is a number of more than 15 digits"),
        (number("1001.5"), "1001.5", "is a number with decimals"),
        (number("46348", DATE), "2026-11-22", "is a date in the spreadsheet"),
        (number("46348", DATE_14), "2026-11-22", "is a date in the spreadsheet"),
        (number("0.5", ELAPSED), "0.5", "is a date in the spreadsheet"),
        (cell("b", "1"), "TRUE", "is TRUE or FALSE in the spreadsheet"),
        (cell("e", "#N/A"), "#N/A", "is an error in the spreadsheet"),
        (cell("s", "99"), "99", "is stored in a way that no spreadsheet program writes"),
        ("><f>A1</f></c>", "", "is a formula without a calculated result"),
        ("><f>A1</f><v></v></c>", "", "is a formula without a calculated result"),
    ],
)
def test_a_reference_that_a_spreadsheet_has_spoilt_is_rejected(
    read_book: Any, content: str, value: str, reason: str
) -> None:
    outcome = read_book(one(order(reference=content)))

    assert [row[:3] for row in outcome.reasons] == [("2", "reference", value)]
    assert outcome.reasons[0][3].startswith(reason)


def test_an_amount_that_has_become_a_date_is_rejected(read_book: Any) -> None:
    outcome = read_book(one(order(amount=number("46085", DATE))))

    assert outcome.reasons == [("2", "amount", "2026-03-04", "is a date in the spreadsheet")]


@pytest.mark.parametrize(
    ("content", "properties", "day"),
    [
        (number("46348", DATE), "", date(2026, 11, 22)),
        (number("46348.99", DATE_14), "", date(2026, 11, 22)),
        (number("44886", DATE), 'date1904="1"', date(2026, 11, 22)),
        (number("59", DATE), "", date(1900, 2, 28)),
        (number("61", DATE), "", date(1900, 3, 1)),
        (number("2958465", DATE), "", date(9999, 12, 31)),
        (cell("d", "2026-11-22T10:00:00"), "", date(2026, 11, 22)),
        (text("2026-11-22"), "", date(2026, 11, 22)),
        ("/>", "", None),
    ],
)
def test_days_are_read_in_both_calendars_of_spreadsheets(
    read_book: Any, content: str, properties: str, day: date | None
) -> None:
    book = workbook(sheet(rows(named(*HEADER, "order_date"), [*order(), content])), properties=properties)

    assert read_book(book).columns("ordered_on") == [(day,)]


@pytest.mark.parametrize(
    "content",
    [number("60", DATE), number("0", DATE), number("-1", DATE), number("2958466", DATE), number("0.5", ELAPSED)],
)
def test_a_day_that_never_was_is_rejected(read_book: Any, content: str) -> None:
    outcome = read_book(workbook(sheet(rows(named(*HEADER, "order_date"), [*order(), content]))))

    assert [row[1] for row in outcome.reasons] == ["order_date"]


def test_a_formula_is_read_by_its_stored_result(read_book: Any) -> None:
    outcome = read_book(one(order(amount="><f>SUM(A1:A2)</f><v>12.5</v></c>", reference=cell("str", "R", "<f>A1</f>"))))

    assert outcome.columns("reference", "amount_cents") == [("R", 1250)]


def test_a_formula_that_its_writer_left_to_be_calculated_is_rejected(read_book: Any) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, HEADER)
        page.write_row(1, 0, ["R1", 1, "EUR"])
        page.write_formula(1, 1, "=1+1")  # stored with the result 0
        page.write_row(2, 0, ["R2", 1, "EUR"])

    outcome = read_book(written.getvalue())

    assert outcome.reasons == [("2", "amount", "0", "is a formula without a calculated result")]
    assert outcome.columns("reference") == [("R2",)]


def test_shared_strings_are_read_as_they_are_shown(read_book: Any) -> None:
    shared = [
        "<si><t>reference</t></si>",
        "<si><t>amount</t></si>",
        "<si><t>currency</t></si>",
        '<si><r><t xml:space="preserve">A </t></r><r><rPr><b/></rPr><t>B</t></r><rPh><t>kana</t></rPh></si>',
        "<si><t>x_x000D_y_x005F_x0041_</t></si>",
        "<si/>",
        "<si><t>EUR</t></si>",
    ]
    at = [f't="s"><v>{i}</v></c>' for i in range(7)]
    table = rows(at[:3], [at[3], number("1"), at[6]], [at[4], number("2"), at[6]], [at[5], number("4"), at[6]])

    outcome = read_book(workbook(sheet(table), strings=shared))

    assert outcome.columns("reference", "reference_raw") == [
        ("A B", "A B"),
        ("x\ry_x0041_", "x\ry_x0041_"),
        (None, ""),
    ]


def test_rows_keep_their_number_and_those_without_content_are_left_out(read_book: Any) -> None:
    content = rows(named(*HEADER), order()) + rows(order(reference=text("R9")), first=9)
    content += rows([text(" "), "/>", text("")], first=11) + '<row r="12" spans="1:3"/>' + rows(order(), first=1048576)

    assert read_book(workbook(sheet(content))).columns("source_line", "reference") == [
        (2, "R1"),
        (9, "R9"),
        (1048576, "R1"),
    ]


def test_a_total_below_the_table_stays_a_row(read_book: Any) -> None:
    outcome = read_book(one(order(), ["", number("12.3"), ""], [text("printed on 22 November")]), currency="EUR")

    assert outcome.columns("reference", "amount_cents") == [("R1", 1230), (None, 1230)]
    assert outcome.reasons == [("4", "amount", "", "is empty")]


def test_cells_of_merged_places_are_not_filled_down(read_book: Any) -> None:
    merged = sheet(
        rows(named(*HEADER), order(), order(amount="")), after='<mergeCells><mergeCell ref="B2:B3"/></mergeCells>'
    )

    assert read_book(workbook(merged)).reasons == [("3", "amount", "", "is empty")]


def test_cells_and_rows_need_not_say_where_they_are(read_book: Any) -> None:
    bare = "".join(
        "<row>" + "".join(f"<c {content}" for content in row) + "</row>" for row in (named(*HEADER), order())
    )

    assert read_book(workbook(sheet(bare))).columns(*SHOWN) == [(2, "R1", 1230, "EUR")]


@pytest.mark.parametrize("dimension", ["A1:A1", "A1:XFD1048576", "nonsense"])
def test_what_a_sheet_says_of_its_size_does_not_matter(read_book: Any, dimension: str) -> None:
    book = workbook(sheet(rows(named(*HEADER), order()), before=f'<dimension ref="{dimension}"/>'))

    assert read_book(book).columns("reference") == [("R1",)]


def test_the_first_visible_sheet_with_the_columns_is_read(read_book: Any) -> None:
    table = sheet(rows(named(*HEADER), order()))
    other = sheet(rows(named(*HEADER), order(reference=text("R2"))))
    sheets = {"Hidden": other, "Cover": sheet(rows(named("Report"))), "Orders": table, "Old": other, "Empty": sheet("")}
    book = workbook(sheets, states={"Hidden": "veryHidden"})

    first, by_name, hidden = read_book(book), read_book(book, sheet="old"), read_book(book, sheet="Hidden")

    assert first.columns("reference") == [("R1",)]
    assert (first.report.files[0].sheet, first.report.files[0].other_sheets) == ("Orders", ("Old",))
    assert by_name.columns("reference") == [("R2",)]
    assert by_name.report.files[0].sheet == "Old"
    assert hidden.columns("reference") == [("R2",)]


def test_rows_of_the_table_above_its_header_are_refused_and_never_passed_over(read_book: Any) -> None:
    with pytest.raises(OrderFileError, match="this row fills the columns that are named below it, in row 3") as told:
        read_book(workbook(sheet(rows(order(), order(), named(*HEADER), order()))))

    assert told.value.line == 1


def test_the_header_may_stand_below_a_title(read_book: Any) -> None:
    titles = [named(f"Title {i}", "Total") for i in range(49)]

    assert read_book(workbook(sheet(rows(*titles, named(*HEADER), order())))).columns("source_line") == [(51,)]
    with pytest.raises(OrderFileError, match=":1: there is no reference column"):
        read_book(workbook(sheet(rows(*titles, titles[0], named(*HEADER), order()))))


@pytest.mark.parametrize("name", ["orders.xlsm", "orders.XLSX"])
def test_spreadsheets_have_several_endings(read_book: Any, name: str) -> None:
    assert read_book(one(order()), name).columns("reference") == [("R1",)]


def test_strict_files_and_prefixed_names_are_read_too(read_book: Any) -> None:
    table = rows(named(*HEADER), order())
    strict = workbook(sheet(table, space=STRICT), space=STRICT)
    prefixed = sheet(table).replace("<", "<x:").replace("<x:/", "</x:").replace("xmlns=", "xmlns:x=")

    assert read_book(strict).columns("reference") == [("R1",)]
    assert read_book(workbook(prefixed)).columns("reference") == [("R1",)]


def test_rows_read_by_patterns_and_by_the_parser_are_the_same(read_book: Any) -> None:
    table = [order(text(f"R{i}"), number(f"{i}.5", MONEY), text("EUR")) for i in range(400)]
    plain = workbook(sheet(rows(named(*HEADER), *table)))
    commented = workbook(sheet("<!-- not plain -->" + rows(named(*HEADER), *table)))
    mixed = workbook(sheet(rows(named(*HEADER), *table[:200]) + rows(order(text("A & B")), *table[201:], first=202)))

    assert read_book(plain).rows == read_book(commented).rows
    assert len(read_book(plain).rows) == 400
    expected = [(row["source_line"], row["reference"]) for row in read_book(plain).rows]
    expected[200] = (202, "A & B")
    assert read_book(mixed).columns("source_line", "reference") == expected


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('<row r="52"><c r="A52"><v>1</v></c><c r="A52"><v>1</v></c></row>', "cell A52 out of its place in row 52"),
        ('<row r="52"><c r="B52"><v>1</v></c><c r="A52"><v>1</v></c></row>', "cell A52 out of its place in row 52"),
        ('<row r="52"><c r="A53"><v>1</v></c></row>', "cell A53 out of its place in row 52"),
        ('<row r="52"><c r="XFE52"><v>1</v></c></row>', "cell XFE52 out of its place in row 52"),
        ('<row r="51"><c r="A51"><v>1</v></c></row>', "row 51 after row 51"),
        ('<row r="9"><c r="A9"><v>1</v></c></row>', "row 9 after row 51"),
        ('<row r="1048577"><c r="A1048577"><v>1</v></c></row>', "1048576 at most"),
        ('<row r="52"><c r="A52"><v>1</v></c></row></row>', "mismatched tag"),
        ('<row r="52"><c r="A52"><v>1</c></v></row>', "mismatched tag"),
    ],
)
def test_rows_that_no_program_writes_are_refused_wherever_they_stand(read_book: Any, row: str, problem: str) -> None:
    table = rows(named(*HEADER), *[order()] * 50)

    with pytest.raises(OrderFileError, match=problem):
        read_book(workbook(sheet(table + row + rows(order(), first=60))))


def test_a_sheet_in_another_encoding_is_read_by_it_throughout(read_book: Any) -> None:
    table = sheet(rows(named(*HEADER), *[order(text("Ã©"))] * 50))
    document = f'<?xml version="1.0" encoding="ISO-8859-1"?>{table}'.encode("latin-1")

    outcome = read_book(workbook("", parts={"xl/worksheets/sheet1.xml": document}))

    assert outcome.columns("reference") == [("Ã©",)] * 50


@pytest.mark.parametrize("around", ["<!-- {} -->", "<![CDATA[{}]]>", "<?rows {} ?>"])
def test_a_row_in_a_comment_is_no_row(read_book: Any, around: str) -> None:
    ghosts = rows(*[order(text("ghost"))] * 30, first=3)
    table = rows(named(*HEADER), order()) + around.format(ghosts) + rows(order(), first=40)

    assert read_book(workbook(sheet(table))).columns("source_line", "reference") == [(2, "R1"), (40, "R1")]
