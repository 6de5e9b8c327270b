"""Hostile and odd spreadsheets: no wrong value, no traceback, no memory that a small file could claim."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from hostile import CENTS, Case, cases, check, read_as, refused
from spreadsheets import HEADER, cell, named, number, relationships, rows, sheet, text, workbook, zipped

from reconcile.files.spreadsheets import xml as xlsx_xml

XLSX = "orders.xlsx"
R1 = ("R1", 1230, "EUR", 2)
DAMAGED = "this is not a readable spreadsheet"
PASSWORD = "the spreadsheet is protected by a password"


@pytest.fixture(autouse=True, params=[xlsx_xml.PIECE_BYTES, 700], ids=["whole", "in pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read small sheets in pieces too: rows of the plain shape are read by patterns from the second piece on."""
    monkeypatch.setattr(xlsx_xml, "PIECE_BYTES", request.param)


def order(reference: str = "R1", amount: str = "12.3") -> list[str]:
    return [text(reference), number(amount), text("EUR")]


TABLE = rows(named(*HEADER), order())
BOOK = workbook(sheet(TABLE))


def book(content: str, **more: Any) -> bytes:
    return workbook(sheet(content), **more)


def raw(document: str) -> bytes:
    """Return a file whose sheet is `document` as it stands."""
    return workbook(document)


def of_a_compound_file(stream: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000) + stream.encode("utf-16-le") + bytes(1000)


def with_member(content: bytes, **flags: int) -> bytes:
    """Return `content` with the central directory's and local headers' fields of the first sheet set to `flags`."""
    spoilt = bytearray(content)
    for signature, offsets in (
        (b"PK\3\4", {"flag": 6, "method": 8}),
        (b"PK\1\2", {"flag": 8, "method": 10, "size": 24}),
    ):
        at = -1
        while (at := spoilt.find(signature, at + 1)) >= 0:
            for field, value in flags.items():
                if field in offsets:
                    width = 4 if field == "size" else 2
                    spoilt[at + offsets[field] : at + offsets[field] + width] = value.to_bytes(width, "little")
    return bytes(spoilt)


def doubled() -> bytes:
    packed = io.BytesIO(BOOK)
    with zipfile.ZipFile(packed, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return packed.getvalue()


DTD = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
LAUGHS = (
    "<!DOCTYPE x [<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 10)) + "]>"
)


@cases(
    read_as("plain", BOOK, R1, file=XLSX),
    read_as(
        "corner_cell",
        book(TABLE + '<row r="1048576"><c r="XFD1048576" s="0"><v>1</v></c></row>'),
        R1,
        rejects=[(1048576, "is empty"), (1048576, "is empty")],
        file=XLSX,
    ),
    read_as(
        "corner_row",
        book(TABLE + '<row r="1048576"><c r="A1048576" t="str"><v>R</v></c></row>'),
        R1,
        rejects=[(1048576, "is empty"), (1048576, "is empty")],
        file=XLSX,
    ),
    read_as("gap", book(TABLE + rows(order("R5"), first=5)), R1, ("R5", 1230, "EUR", 5), file=XLSX),
    read_as(
        "hidden_row", book(TABLE + rows(order("R3"), first=3).replace("<row ", '<row hidden="1" ')), count=2, file=XLSX
    ),
    read_as("cdata", raw(sheet(TABLE).replace(">R1<", "><![CDATA[R1]]><")), R1, file=XLSX),
    read_as("entities", raw(sheet(TABLE).replace(">R1<", ">&#82;&#x31;<")), R1, file=XLSX),
    read_as(
        "utf16",
        workbook(
            {"S": ""},
            parts={
                "xl/worksheets/sheet1.xml": ('<?xml version="1.0" encoding="UTF-16"?>' + sheet(TABLE)).encode("utf-16")
            },
        ),
        R1,
        file=XLSX,
    ),
    read_as(
        "latin1",
        workbook(
            {"S": ""},
            parts={
                "xl/worksheets/sheet1.xml": (
                    '<?xml version="1.0" encoding="ISO-8859-1"?>' + sheet(rows(named(*HEADER), order("Café")))
                ).encode("latin-1")
            },
        ),
        ("Café", 1230, "EUR", 2),
        file=XLSX,
    ),
    read_as(
        "external_link",
        workbook(
            sheet(TABLE),
            parts={
                "xl/externalLinks/_rels/externalLink1.xml.rels": relationships(
                    [("r1", "x", "file:///etc/passwd")], "External"
                )
            },
        ),
        R1,
        file=XLSX,
    ),
    read_as(
        "chart_first",
        workbook({"Chart": sheet(""), "Orders": sheet(TABLE)}, types={"Chart": "chartsheet"}),
        R1,
        file=XLSX,
    ),
    read_as(
        "workbook_elsewhere",
        zipped(
            {
                "_rels/.rels": relationships([("r", "officeDocument", "/book.xml")]),
                "book.xml": "<workbook xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' "
                "xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'>"
                "<sheets><sheet name='S' r:id='a'/></sheets></workbook>",
                "_rels/book.xml.rels": relationships([("a", "worksheet", "sheet.xml")]),
                "sheet.xml": sheet(TABLE),
            }
        ),
        R1,
        file=XLSX,
    ),
    read_as("no_styles", workbook(sheet(TABLE), parts={"xl/styles.xml": "<styleSheet/>"}), R1, file=XLSX),
    read_as("style_beyond", book(TABLE.replace('s="0"', 's="99"')), R1, file=XLSX),
    read_as(
        "count_lie",
        workbook(
            sheet(TABLE),
            parts={
                "xl/sharedStrings.xml": '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
                'count="4294967295" uniqueCount="4294967295"/>'
            },
        ),
        R1,
        file=XLSX,
    ),
    read_as("spilt_elsewhere", book(rows(named(*HEADER, "note"), [*order(), cell("e", "#SPILL!")])), R1, file=XLSX),
    read_as(
        "spilt",
        book(rows(named(*HEADER), [text("R1"), cell("e", "#SPILL!"), text("EUR")])),
        rejects=[(2, "is an error in the spreadsheet")],
        file=XLSX,
    ),
    read_as(
        "true_amount",
        book(rows(named(*HEADER), [text("R1"), cell("b", "1"), text("EUR")])),
        rejects=[(2, "is TRUE or FALSE in the spreadsheet")],
        file=XLSX,
    ),
    read_as(
        "string_fan_out",
        workbook(
            sheet(rows(named(*HEADER), *([['t="s"><v>0</v></c>', number("1"), text("EUR")]] * 50))),
            strings=[f"<si><t>{'x' * 100_000}</t></si>"],
        ),
        count=50,
        file=XLSX,
    ),
    read_as("xlsm", BOOK, R1, file="orders.xlsm"),
)
def test_odd_spreadsheets_are_read(read: Any, case: Case) -> None:
    check(case, read)


@cases(
    refused("empty_file", b"", "there is nothing in the file", file=XLSX),
    refused("encrypted", of_a_compound_file("EncryptedPackage"), PASSWORD, hint="without", file=XLSX),
    refused("xls", of_a_compound_file("Workbook"), "this is not a readable spreadsheet", hint="again", file=XLSX),
    refused("csv", CENTS, "this is not a spreadsheet: its content is text", hint=".csv", file=XLSX),
    refused("html", "<html><table>", "this is a web page, not a spreadsheet", file=XLSX),
    refused("parquet", b"PAR1\0\0PAR1", "this is a Parquet file, not a spreadsheet", hint=".parquet", file=XLSX),
    refused("noise", b"\x07\0\1\2" * 50, "this is not a spreadsheet: its content is of another kind", file=XLSX),
    refused(
        "xlsb",
        zipped({"_rels/.rels": relationships([("r", "officeDocument", "xl/workbook.bin")])}),
        "in the binary .xlsb format",
        hint=".xlsx or CSV",
        file=XLSX,
    ),
    refused(
        "ods",
        zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "<x/>"}),
        'part "META-INF/manifest.xml" is missing',
        hint="save it again",
        file=XLSX,
    ),
    refused("zip_of_csv", zipped({"orders.csv": CENTS}), "there is no worksheet in the file", hint=".zip", file=XLSX),
    refused(
        "word",
        zipped(
            {
                "_rels/.rels": relationships([("r", "officeDocument", "word/document.xml")]),
                "word/document.xml": "<document/>",
            }
        ),
        "there is no worksheet in the file",
        file=XLSX,
    ),
    refused("no_sheet_part", workbook({}, parts={}), "there is no worksheet", file=XLSX),
    refused(
        "traversal",
        workbook(
            sheet(TABLE),
            parts={"xl/_rels/workbook.xml.rels": relationships([("r1", "worksheet", "../../../etc/passwd")])},
        ),
        'part "etc/passwd" is missing',
        file=XLSX,
    ),
    refused("cut", BOOK[:-60], DAMAGED, file=XLSX),
    refused("cut_early", BOOK[:200], DAMAGED, file=XLSX),
    refused(
        "bad_crc",
        BOOK.replace(zlib_of_sheet := BOOK[BOOK.index(b"sheet1.xml") + 10 :][:20], zlib_of_sheet[::-1], 1),
        DAMAGED,
        file=XLSX,
    ),
    refused("size_lie", with_member(BOOK, size=10), DAMAGED, file=XLSX),
    refused("zip_password", with_member(BOOK, flag=1), PASSWORD, file=XLSX),
    refused("unknown_method", with_member(BOOK, method=99), DAMAGED, file=XLSX),
    refused("rows_out_of_order", book(TABLE + rows(order("R1"), first=2)), "row 2 after row 2", file=XLSX),
    refused("row_inside_row", book('<row r="1"><row r="2"/></row>'), "a row inside row 1", file=XLSX),
    refused("cell_twice", book('<row r="1"><c r="A1"/><c r="A1"/></row>'), "cell A1 out of its place", file=XLSX),
    refused("cell_before", book('<row r="1"><c r="B1"/><c r="A1"/></row>'), "cell A1 out of its place", file=XLSX),
    refused("cell_of_other_row", book('<row r="1"><c r="A2"/></row>'), "cell A2 out of its place", file=XLSX),
    refused("cell_in_cell", book('<row r="1"><c r="A1"><c r="B1"/></c></row>'), "a cell in another cell", file=XLSX),
    refused("cell_in_no_row", book('<c r="A1"/>'), "a cell in another cell, or in no row", file=XLSX),
    refused("beyond_columns", book('<row r="1"><c r="XFE1"/></row>'), "cell XFE1 out of its place", file=XLSX),
    refused("beyond_letters", book('<row r="1"><c r="ZZZZZZ1"/></row>'), "cell ZZZZZZ1", file=XLSX),
    refused("beyond_rows", book('<row r="1048577"/>'), "1048576 at most", file=XLSX),
    refused("row_of_letters", book('<row r="one"/>'), '"one" in place of a number', file=XLSX),
    refused("row_minus", book('<row r="-1"/>'), '"-1" in place of a number', file=XLSX),
    refused("style_of_letters", book('<row r="1"><c r="A1" s="x"/></row>'), '"x" in place of a number', file=XLSX),
    refused("not_xml", raw("reference,amount"), DAMAGED, file=XLSX),
    refused("xml_cut", raw(sheet(TABLE)[:-20]), DAMAGED, file=XLSX),
    refused("xml_nul", raw(sheet(TABLE).replace("R1", "R\0")), DAMAGED, file=XLSX),
    refused(
        "xml_bad_utf8",
        workbook({"S": ""}, parts={"xl/worksheets/sheet1.xml": sheet(TABLE).encode().replace(b">R1<", b">R\xff<")}),
        DAMAGED,
        file=XLSX,
    ),
    refused("xml_bare_ampersand", raw(sheet(TABLE).replace(">R1<", ">R&1<")), DAMAGED, file=XLSX),
    refused("entity_file", raw(f"{DTD}{sheet(TABLE)}"), "document type", file=XLSX),
    refused("entity_laughs", raw(f"{LAUGHS}{sheet(TABLE)}"), "document type", file=XLSX),
    refused(
        "entity_in_strings",
        workbook(sheet(TABLE), parts={"xl/sharedStrings.xml": f"{DTD}<sst/>"}),
        "document type",
        file=XLSX,
    ),
    refused(
        "entity_in_workbook",
        workbook(sheet(TABLE), parts={"xl/workbook.xml": f"{DTD}<workbook/>"}),
        "document type",
        file=XLSX,
    ),
    refused("deep", raw("<a>" * 100_000 + "</a>" * 100_000), "64 deep", file=XLSX),
    refused("deep_workbook", workbook(sheet(TABLE), parts={"xl/workbook.xml": "<a>" * 100_000}), "64 deep", file=XLSX),
    refused("long_tag", raw(f'<worksheet x="{"y" * (2 << 20)}"/>'), "one tag of more than 1 MiB", file=XLSX),
    refused("long_cell", book(rows([text("x" * (17 << 20))])), "a cell of more than 16 MiB", file=XLSX),
    refused("blank_bomb", raw(sheet(TABLE + " " * (66 << 20))), "unpacks to more than any spreadsheet", file=XLSX),
    refused(
        "string_bomb",
        workbook(sheet(TABLE), strings=[f"<si><t>{'x' * (66 << 20)}</t></si>"]),
        "unpacks to more than any spreadsheet",
        file=XLSX,
    ),
    refused("empty_sheet", book(""), "there is nothing in sheet", file=XLSX),
    refused(
        "empty_book", workbook({"A": sheet(""), "B": sheet("")}), "there is nothing in the visible sheets", file=XLSX
    ),
    refused(
        "no_such_sheet", BOOK, 'there is no sheet "Orders"', hint='the sheets are "Sheet1"', sheet="Orders", file=XLSX
    ),
    refused("no_columns", book(rows(named("a", "b"))), "there is no reference column", line=1, file=XLSX),
    refused(
        "no_amount",
        book(rows(named("x"), named("reference", "currency"))),
        "there is no amount column",
        line=2,
        file=XLSX,
    ),
    refused(
        "two_amounts",
        book(rows(named("reference", "amount", "total", "currency"))),
        "several columns",
        line=1,
        file=XLSX,
    ),
    refused("no_currency", book(rows(named("reference", "amount"))), "no currency column", line=1, file=XLSX),
)
def test_what_is_no_readable_spreadsheet_is_refused(read: Any, case: Case) -> None:
    check(case, read)


@pytest.mark.parametrize("step", range(0, len(BOOK), 37))
def test_a_flipped_bit_is_refused_or_changes_nothing(read: Any, step: int) -> None:
    spoilt = bytearray(BOOK)
    spoilt[step] ^= 0x10

    check_unchanged(read, bytes(spoilt))


def check_unchanged(read: Any, content: bytes) -> None:
    from reconcile.errors import OrderFileError

    try:
        outcome = read(content, XLSX)
    except OrderFileError:
        return
    assert outcome.columns("reference", "amount_cents", "currency_code", "source_line") == [R1]
