"""Spreadsheets of other programs (.xls, .ods): what is known of a cell is read as in .xlsx, what is not is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from other_spreadsheets import (
    DATE,
    PERCENT,
    TIME,
    compound,
    dimensions,
    formula,
    label,
    manifest,
    merged,
    number,
    ods,
    ods_blank,
    ods_row,
    ods_text,
    ods_value,
    record,
    table,
    truth,
    xls,
)
from spreadsheets import HEADER, workbook, zipped

from reconcile.errors import OrderFileError, SettingsError

SHOWN = ("source_line", "reference", "amount_cents", "currency_code")
UNTOLD = ("number formats", "formulas", "errors")

ENCRYPTED = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
CUT_OFF = f'<office:document-content><table:table table:name="A">{ods_row(ods_text("reference"))}'

Cell = str | float
Written = Callable[..., bytes]
"""Takes rows of texts and numbers, and returns a file."""


def as_xls(*rows: tuple[Cell, ...]) -> bytes:
    return xls(table(HEADER, *rows))


def as_ods(*rows: tuple[Cell, ...]) -> bytes:
    return ods("".join(ods_row(*map(ods_cell, row)) for row in (HEADER, *rows)))


def ods_cell(value: Cell) -> str:
    if value == "":
        return ods_blank()
    return ods_text(value) if isinstance(value, str) else ods_value("float", repr(value))


def spoilt(package: bytes, part: bytes) -> bytes:
    """Return an archive of which the sum of a part is another than that of its bytes."""
    entry = package.rindex(b"PK\x01\x02", 0, package.rindex(part))
    return package[: entry + 16] + bytes(4) + package[entry + 20 :]


every = pytest.mark.parametrize(("written", "name"), [(as_xls, "orders.xls"), (as_ods, "orders.ods")])


@every
def test_amounts_are_doubles_at_15_digits_and_told(read: Any, written: Written, name: str) -> None:
    outcome = read(written(("R1", 12.3, "EUR"), ("R2", 19.989999999999998, "EUR"), ("R3", 0.1 + 0.2, "KWD")), name)

    assert outcome.columns(*SHOWN) == [(2, "R1", 1230, "EUR"), (3, "R2", 1999, "EUR"), (4, "R3", 300, "KWD")]
    (file,) = outcome.report.files
    assert (file.format, file.sheet, file.floats) == (name[-3:], "Sheet1", ("amount",))
    assert file.untold == (UNTOLD if name.endswith("xls") else (*UNTOLD, "merged cells"))


@every
def test_an_amount_with_more_decimals_than_its_currency_is_never_rounded(
    read: Any, written: Written, name: str
) -> None:
    outcome = read(written(("R1", 12.345, "EUR"), ("R2", 1.5, "JPY"), ("R3", 1e15, "EUR")), name)

    assert [(line, value) for line, _, value, _ in outcome.reasons] == [
        ("2", "12.345"), ("3", "1.5"), ("4", "1000000000000000"),
    ]  # fmt: skip


@every
def test_a_column_of_text_alone_is_no_column_of_floats(read: Any, written: Written, name: str) -> None:
    outcome = read(written(("R1", "12,30", "EUR"), ("R2", "1.234,50", "EUR")), name, decimal=",", thousands=".")

    assert outcome.columns("amount_cents") == [(1230,), (123450,)]
    assert outcome.report.files[0].floats == ()


@every
def test_a_float_far_below_is_told_too(read: Any, written: Written, name: str) -> None:
    rows = [(f"R{line}", "1.00", "EUR") for line in range(300)]

    assert read(written(*rows, ("R300", 1.0, "EUR")), name).report.files[0].floats == ("amount",)


@every
def test_a_key_is_text_only_and_comes_as_it_is(read: Any, written: Written, name: str) -> None:
    keys = ["00123", "9" * 30, "  padded  ", "_x0041_", "two\nlines", "Ü é 😀", "<&>"]
    outcome = read(written(*((key, 1.0, "EUR") for key in keys)), name)

    assert outcome.columns("reference_raw") == [(key,) for key in keys]


@every
def test_a_key_that_is_a_number_is_rejected_for_the_format_that_nobody_knows(
    read: Any, written: Written, name: str
) -> None:
    outcome = read(written((42.0, 1.0, "EUR"), (-5.0, 1.0, "EUR"), (1.5, 1.0, "EUR"), (1e15, 1.0, "EUR")), name)

    assert [(value, reason[:35]) for _, _, value, reason in outcome.reasons] == [
        ("42", "is a number, and the zeros or words"),
        ("-5", "is a number, and the zeros or words"),
        ("1.5", "is a number with decimals: a spread"),
        ("1000000000000000", "is a number of more than 15 digits:"),
    ]
    assert outcome.rejects[0]["remedy"] == (
        "save the file as .xlsx, or, where its digits are the whole of it, add --float-keys whole"
    )


@every
def test_whole_numbers_are_keys_where_that_is_declared_and_told(read: Any, written: Written, name: str) -> None:
    rows = ((42.0, 1.0, "EUR"), ("R1", 1.0, "EUR"), (-5.0, 1.0, "EUR"), (1.5, 1.0, "EUR"))
    outcome = read(written(*rows), name, float_keys="whole", max_rejects=2)

    assert outcome.columns("reference") == [("42",), ("R1",)]
    assert [value for _, _, value, _ in outcome.reasons] == ["-5", "1.5"]
    assert [(one.kind, one.column, one.cells) for one in outcome.report.tidied] == [("whole", "reference", 1)]


def test_days_and_times_are_known_and_never_a_key_or_an_amount(read: Any) -> None:
    head = (*HEADER, "order date")
    as_records = table(head, ("R1", 1.0, "EUR")) + number(1, 3, 46348.99, DATE)
    as_records += number(2, 0, 46348, DATE) + number(2, 1, 46348, DATE) + label(2, 2, "EUR")
    as_records += label(3, 0, "R3") + number(3, 1, 0.5, TIME) + label(3, 2, "EUR") + number(3, 3, 0.5, TIME)
    in_1904 = xls(table(head, ("R1", 1.0, "EUR")) + number(1, 3, 44886, DATE), globals_=record(0x22, b"\1\0"))
    rows = ods_row(*map(ods_text, head))
    rows += ods_row(ods_text("R1"), ods_value("float", "1"), ods_text("EUR"), ods_value("date", "2026-11-22T23:45:36"))
    rows += ods_row(ods_value("date", "2026-11-22"), ods_value("date", "2026-11-22"), ods_text("EUR"))
    noon = ods_value("time", "PT12H00M00S")
    rows += ods_row(ods_text("R3"), noon, ods_text("EUR"), noon)

    for content, name in ((xls(as_records), "orders.xls"), (ods(rows), "orders.ods")):
        outcome = read(content, name, max_rejects=2)
        assert outcome.columns("reference", "ordered_on") == [("R1", date(2026, 11, 22))]
        is_date = "is a date in the spreadsheet"
        assert [(line, column, reason) for line, column, _, reason in outcome.reasons][:3] == [
            ("3", "reference", is_date), ("3", "amount", is_date), ("4", "amount", is_date),
        ]  # fmt: skip
    assert read(in_1904, "orders.xls").columns("ordered_on") == [(date(2026, 11, 22),)]


def test_a_percentage_is_its_number_and_true_is_rejected(read: Any) -> None:
    records = table(HEADER, ("R1", 1.0, "EUR")) + number(1, 1, 0.25, PERCENT)
    records += label(2, 0, "R2") + truth(2, 1, 1) + label(2, 2, "EUR")
    rows = ods_row(*map(ods_text, HEADER))
    rows += ods_row(ods_text("R1"), ods_value("percentage", "0.25"), ods_text("EUR"))
    rows += ods_row(ods_text("R2"), ods_value("boolean", "true"), ods_text("EUR"))

    for content, name in ((xls(records), "orders.xls"), (ods(rows), "orders.ods")):
        outcome = read(content, name, max_rejects=1)
        assert outcome.columns("reference", "amount_cents") == [("R1", 25)]
        assert outcome.reasons == [("3", "amount", "TRUE", "is TRUE or FALSE in the spreadsheet")]


def test_formulas_are_read_by_their_results_and_an_error_is_a_blank(read: Any) -> None:
    records = table(HEADER) + formula(1, 0, "R1") + formula(1, 1, 12.5) + label(1, 2, "EUR")
    records += label(2, 0, "R2") + truth(2, 1, 0x2A, is_error=True) + label(2, 2, "EUR")

    outcome = read(xls(records), "orders.xls", max_rejects=1)

    assert outcome.columns("reference", "amount_cents") == [("R1", 1250)]
    assert outcome.reasons == [("3", "amount", "", "is empty")]


def test_line_breaks_and_tabs_that_are_lost_are_told(read: Any) -> None:
    cell = '<table:table-cell office:value-type="string"><text:p>a<text:tab/>b</text:p></table:table-cell>'
    rows = ods_row(*map(ods_text, HEADER)) + ods_row(cell, ods_text("1.00"), ods_text("EUR"))

    outcome = read(ods(rows), "orders.ods")

    assert outcome.columns("reference") == [("ab",)]
    assert outcome.report.files[0].untold == (*UNTOLD, "merged cells", "line breaks and tabs inside cells")


def test_a_merged_key_of_an_xls_file_is_that_of_each_of_its_rows(read: Any) -> None:
    records = table(HEADER, ("R1", 1.0, "EUR"), ("", 2.0, "EUR"), ("R2", 3.0, "EUR"), ("", 4.0, "EUR"))

    outcome = read(xls(records + merged(1, 2, 0) + merged(3, 4, 0, 1)), "orders.xls")

    assert outcome.columns("reference") == [("R1",), ("R1",), ("R2",), (None,)]
    assert [(one.kind, one.cells) for one in outcome.report.tidied] == [("merged", 1)]


def test_the_first_visible_sheet_with_the_columns_is_read(read: Any) -> None:
    cover, orders, other = table(("Report",)), table(HEADER, ("R1", 1.0, "EUR")), table(HEADER, ("R2", 1.0, "EUR"))
    first = ods_row(*map(ods_text, HEADER))
    both = first + ods_row(*map(ods_text, ("R1", "1.00", "EUR")))
    books = {
        "orders.xls": xls({"Old": other, "Cover": cover, "Orders": orders, "Más": orders}, hidden=["Old"]),
        "orders.ods": ods(
            {"Old": first, "Cover": ods_row(ods_text("x")), "Orders": both, "Más": first}, hidden=["Old"]
        ),
    }

    for name, content in books.items():
        outcome = read(content, name)
        assert outcome.columns("reference") == [("R1",)]
        assert (outcome.report.files[0].sheet, outcome.report.files[0].other_sheets) == ("Orders", ("Más",))
        assert read(content, name, sheet="OLD").report.files[0].sheet == "Old"
        with pytest.raises(OrderFileError, match='there is no sheet "x"') as told:
            read(content, name, sheet="x")
        assert told.value.hint == 'the sheets are "Old" (hidden), "Cover", "Orders", "Más"'


def test_rows_keep_their_number_below_blank_ones_and_beside_blank_columns(read: Any) -> None:
    records = b"".join(label(4, 3 + at, name) for at, name in enumerate(HEADER))
    records += label(9, 3, "R1") + number(9, 4, 1.0) + label(9, 5, "EUR") + label(65535, 3, "R2") + label(65535, 4, "2")
    gap = ods_row(ods_blank(16384), repeated=4)
    rows = gap + ods_row(ods_blank(3), *map(ods_text, HEADER)) + gap
    order = (ods_text("R1"), ods_value("float", "1"), ods_text("EUR"))
    rows += ods_row(ods_blank(3), *order, repeated=2) + ods_row(ods_blank(16384), repeated=1048000)

    assert read(xls(records), "orders.xls", max_rejects=1).columns("source_line", "reference") == [(10, "R1")]
    assert read(ods(rows), "orders.ods").columns("source_line", "reference") == [(10, "R1"), (11, "R1")]


def test_a_long_table_comes_whole_and_in_its_order(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.orders.spreadsheets.table._BATCH_ROWS", 700)
    rows = [(f"R{line}", line + 0.25, "EUR") for line in range(9_000)]

    outcome = read(as_xls(*rows), "orders.xls")

    expected = [(line + 2, f"R{line}", line * 100 + 25, "EUR") for line in range(9_000)]
    assert outcome.columns(*SHOWN) == expected


@pytest.mark.parametrize(
    ("content", "name", "problem"),
    [
        (b"", "orders.xls", "there is nothing in the file"),
        (b"", "orders.ods", "there is nothing in the file"),
        (b"reference;amount\n", "orders.ods", "this is not a spreadsheet: its content is text"),
        (b"\0\1\2\3" * 9, "orders.ods", "this is not a spreadsheet: its content is of another kind"),
        (b"\x09\x00\x04\x00\x02\x00\x10\x00", "orders.xls", "this is an .xls file of a program from before 1993"),
        (as_xls()[:3000], "orders.xls", "Cannot find Workbook stream"),
        (as_ods()[:400], "orders.ods", "this is not a readable spreadsheet (File is not a zip file)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000), "orders.xls", "this is not a readable spreadsheet"),
        (b"MIME-Version: 1.0\r\nX-Document-Type: Workbook\r\n", "orders.xls", "a spreadsheet saved as a web archive"),
        (compound({"WordDocument": b"x"}), "orders.xls", "Cannot find Workbook stream"),
        (compound({"EncryptedPackage": b"x"}), "orders.xls", "the spreadsheet is protected by a password"),
        (compound({"EncryptedPackage": b"x"}), "orders.xlsx", "the spreadsheet is protected by a password"),
        (xls(b"", globals_=record(0x2F, b"\1\0" + bytes(50))), "orders.xls", "protected by a password"),
        (ods("", parts={"META-INF/manifest.xml": manifest(ENCRYPTED)}), "orders.ods", "protected by a password"),
        (ods("", parts={"content.xml": CUT_OFF}), "orders.ods", "content.xml ends too early"),
        (ods({}), "orders.ods", "it has no sheet"),
        (spoilt(ods({}), b"META-INF/manifest.xml"), "orders.ods", "META-INF/manifest.xml: Bad CRC-32"),
        (spoilt(ods({}), b"content.xml"), "orders.ods", "content.xml: Bad CRC-32"),
        (ods({"A": ""}), "orders.ods", 'there is nothing in sheet "A"'),
        (xls({"A": b""}), "orders.xls", 'there is nothing in sheet "A"'),
        (xls({"A": b"", "B": b""}).replace(b"A\0", b"B\0"), "orders.xls", "two of its sheets have one name"),
        (zipped({"mimetype": "application/vnd.oasis.opendocument.text"}), "orders.ods", "there is no worksheet"),
        (as_xls() , "orders.xls.gz", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_what_it_is(read: Any, content: bytes, name: str, problem: str) -> None:
    with pytest.raises(OrderFileError) as told:
        read(content, name)

    assert problem in told.value.message
    assert told.value.hint


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (xls(dimensions(0xFFFFFFFF, 0xFFFF) + table(HEADER)), "orders.xls"),
        (xls(table(HEADER) + number(0xFFFF, 0xFFFF, 1.0)), "orders.xls"),
        (
            ods(ods_row(ods_blank(16383), ods_value("float", "1")) + ods_row(ods_text("x"), repeated=1048000)),
            "orders.ods",
        ),
    ],
    ids=["declared", "far apart", "repeated"],
)
def test_cells_of_more_memory_than_there_may_be_end_their_own_process(read: Any, content: bytes, name: str) -> None:
    with pytest.raises(OrderFileError, match=r"more than 2 GiB of memory|Cell limit exceeded") as told:
        read(content, name)

    assert "save it again" in str(told.value.hint)


def test_a_part_that_unpacks_to_more_than_any_spreadsheet_is_refused(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.files.streams.ROOM_BYTES", 1 << 20)

    assert len(read(ods(ods_row(*map(ods_text, HEADER)) + " " * (1 << 19)), "orders.ods").rows) == 0
    with pytest.raises(OrderFileError, match=r"content\.xml unpacks to more than any spreadsheet"):
        read(ods(" " * (2 << 20)), "orders.ods")


def test_what_a_sheet_says_of_its_size_does_not_matter(read: Any) -> None:
    content = xls(dimensions(65536, 256) + table(HEADER, ("R1", 1.0, "EUR")))

    assert read(content, "orders.xls").columns("reference") == [("R1",)]


@pytest.mark.parametrize("name", ["orders.xls", "orders.ods", "orders.xlsx", "orders.xlsm"])
def test_the_content_says_which_kind_of_spreadsheet_it_is(read: Any, name: str) -> None:
    kinds = {"xls": as_xls(("R1", 1.0, "EUR")), "ods": as_ods(("R1", 1.0, "EUR"))}

    for kind, content in kinds.items():
        assert read(content, name).report.files[0].format == kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"reference\tamount\tcurrency\nR1\t1.00\tEUR\n", "csv"),
        ("reference\tamount\tcurrency\nR1\t1.00\tEUR\n".encode("utf-16"), "csv"),
        (b'"reference";"amount";"currency"\n"R1";"1.00";"EUR"\n', "csv"),
    ],
)
def test_text_that_is_called_xls_is_read_as_text(read: Any, content: bytes, kind: str) -> None:
    outcome = read(content, "orders.xls")

    assert outcome.columns("reference", "amount_cents") == [("R1", 100)]
    assert outcome.report.files[0].format == kind


def test_the_extra_is_named_where_it_is_not_installed(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(SettingsError) as caught:
        read(as_xls(), "orders.xls")

    folder = Path(caught.value.message).parent
    assert caught.value.exit_code == 2
    assert caught.value.explained() == (
        f"{folder}/orders.xls: .xls files need python_calamine, which is not installed\n"
        "hint: install the extra: pip install 'reconcile[sheets]'; or save the file as .xlsx or CSV"
    )


def test_what_is_wrong_with_a_file_is_said_before_the_extra(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    with pytest.raises(OrderFileError, match="protected by a password"):
        read(compound({"EncryptedPackage": b"x"}), "orders.xlsx")


def test_text_called_xls_needs_no_extra(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)

    assert read(b"reference\tamount\tcurrency\nR1\t1.00\tEUR\n", "orders.xls").columns("reference") == [("R1",)]
    with pytest.raises(OrderFileError, match="no worksheet"):
        read(workbook({}), "orders.xls")
