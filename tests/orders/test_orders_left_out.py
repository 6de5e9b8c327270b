"""Rows that are declared to be no orders are left out before anything of them is read, counted and summed."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.cells.left_out import LeftOutTally
from reconcile.orders.databases.url import OrdersQuery, orders_query
from reconcile.orders.format import OrderFormat
from reconcile.orders.report import LeftOut
from reconcile.schema import DELIVERY, ORDERS

HEADER = ("Type", "reference", "total", "currency", "Status")
ROWS = [
    ("sale", "A1", "10.00", "EUR", "open"),
    ("Fee", "F1", "n/a", "EUR", "open"),
    ("fee", "F2", "-1.50", "EUR", "open"),
    ("refund: goods", "A2", "-20.00", "EUR", "Cancelled"),
    ("fee", "F3", "7", "SEK", "open"),
    ("Sale", "A3", "30.00", "EUR", "open"),
]
DECLARED = {"only": {"type": ("sale", "refund*")}, "withdrawn": {"Status": ("cancel*",)}}


def as_csv() -> bytes:
    return "".join(",".join(row) + "\n" for row in (HEADER, *ROWS)).encode()


def as_careful_csv() -> bytes:
    return as_csv().replace(b"A1,", b'A"1,').replace(b"sale,", b' "sale",', 1)


def as_json() -> bytes:
    return json.dumps([dict(zip(HEADER, row, strict=True)) for row in ROWS]).encode()


def as_xlsx() -> bytes:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page = book.add_worksheet()
        for line, row in enumerate((HEADER, *ROWS)):
            page.write_row(line, 0, row)
        page.write_formula(2, 2, "=NA()", None, "#N/A")
    return written.getvalue()


def as_parquet() -> bytes:
    columns = [pa.array(column) for column in zip(*ROWS, strict=True)]
    columns[0] = columns[0].dictionary_encode()
    written = io.BytesIO()
    pq.write_table(pa.table(columns, HEADER), written)
    return written.getvalue()


def in_sqlite(path: Path) -> OrdersQuery:
    with contextlib.closing(sqlite3.connect(path)) as books:
        books.execute("CREATE TABLE orders (Type, reference, total, currency, Status)")
        books.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", ROWS)
        books.commit()
    return query(f"sqlite:{path}")


def in_duckdb(path: Path) -> OrdersQuery:
    with duckdb.connect(path) as books:
        kind = "CREATE TYPE kind AS ENUM ('sale', 'Fee', 'fee', 'refund: goods', 'Sale')"
        books.execute(
            kind + "; CREATE TABLE orders (Type kind, reference TEXT, total TEXT, currency TEXT, Status TEXT)"
        )
        books.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", ROWS)
    return query(f"duckdb:{path}")


def query(url: str) -> OrdersQuery:
    found = orders_query("SELECT * FROM orders", url)
    assert found is not None
    return found


EXPECTED = (
    LeftOut("only", "Type", "fee", "EUR", 1, -150),
    LeftOut("only", "Type", "fee", "SEK", 1, 700),
    LeftOut("only", "Type", "Fee", "EUR", 1, 0, 1),
    LeftOut("withdrawn", "Status", "Cancelled", "EUR", 1, -2000),
)


@pytest.mark.parametrize(
    ("content", "name"),
    [(as_csv, "a.csv"), (as_json, "a.json"), (as_xlsx, "a.xlsx"), (as_parquet, "a.parquet")],
)
def test_rows_of_other_kinds_are_left_out_of_every_format(read: Any, content: Any, name: str) -> None:
    outcome = read(content(), name, **DECLARED)

    assert outcome.columns("reference", "amount_cents") == [("A1", 1000), ("A3", 3000)]
    assert outcome.rejects == []
    assert outcome.report.left_out == EXPECTED
    assert outcome.report.files[0].left_out == 4


@pytest.mark.parametrize("books", [in_sqlite, in_duckdb])
def test_rows_of_other_kinds_are_left_out_of_a_query(read: Any, books: Any, tmp_path: Path) -> None:
    outcome = read.paths(books(tmp_path / "books"), **DECLARED)

    assert outcome.columns("reference", "amount_cents") == [("A1", 1000), ("A3", 3000)]
    assert outcome.rejects == []
    assert outcome.report.left_out == EXPECTED


def test_rows_of_other_kinds_are_left_out_of_postgresql(read: Any, postgres: str) -> None:
    rows = ", ".join(str(row) for row in ROWS)
    names = ", ".join(f'"{name}"' for name in HEADER)
    found = orders_query(f"SELECT * FROM (VALUES {rows}) AS orders ({names})", postgres)

    assert read.paths(found, **DECLARED).report.left_out == EXPECTED


def test_where_quotes_are_read_with_care_rows_are_left_out_too(read: Any) -> None:
    outcome = read(as_careful_csv(), **DECLARED)

    assert outcome.columns("reference") == [("A3",)]
    assert [row["source_line"] for row in outcome.rejects] == ["2"]  # nobody knows what it is
    assert outcome.report.left_out == EXPECTED


def test_a_file_of_our_own_is_filtered_by_its_own_columns(read: Any) -> None:
    table = pa.table(
        {
            "reference": ["A", "Total", None],
            "amount_cents": [100, 500, 7],
            "currency_code": ["EUR", "EUR", "SEK"],
            "method": ["klarna", "klarna", "card"],
            "source_line": [2, 2, 2],
        }
    )
    own = pa.Table.from_pylist(table.to_pylist(), ORDERS)
    written = io.BytesIO()
    pq.write_table(own, written)

    outcome = read(written.getvalue(), "a.parquet", only={"Method": ("klarna",)}, skip_rows=("TOTAL",))

    assert outcome.columns("reference", "amount_cents") == [("A", 100)]
    assert outcome.report.left_out == (
        LeftOut("only", "method", "card", "SEK", 1, 7),
        LeftOut("skip_rows", "reference", "Total", "EUR", 1, 500),
    )


@pytest.mark.parametrize(
    ("content", "patterns", "lines"),
    [
        ("reference,total,currency\nA,1,EUR\nTotal,1,\n", ("total",), [2]),
        ("reference,total,currency\nA,1,EUR\n***END OF FILE***\n", ("***END OF FILE***",), [2]),
        ("date,reference,total,currency\n,A,1,EUR\nPrinted 2026,,,\n", ("printed*",), [2]),
        ("reference,total,currency\nA,1,EUR\n,1,EUR\n", ("",), [2]),
        ("reference,total,currency\nA,1,EUR\n,1,EUR\n", ("1",), [2]),
        ("reference,total,currency\nT1,1,EUR\nTX,1,EUR\nT12,1,EUR\n", ("T?",), [4]),
        ("note,reference,total,currency\nTotal of May,B,1,EUR\nx,Totals 2,2,EUR\n", ("Total of*",), [3]),
        ("reference,Order No.,total,currency\nA,1,1,EUR\n,Sum,1,EUR\n", ("sum",), [2]),
        ('reference,total,currency\nA,1,EUR\n"Sum\nof all",1,EUR\n', ("Sum*all",), [2]),
        ("reference,total,currency\nA[1],1,EUR\nA1,1,EUR\n", ("A[1]",), [3]),
    ],
)
def test_footers_are_left_out_by_a_key_or_the_first_cell(
    read: Any, content: str, patterns: tuple[str, ...], lines: list[int]
) -> None:
    outcome = read(content, skip_rows=patterns)

    assert outcome.columns("source_line") == [(line,) for line in lines]
    assert outcome.rejects == []
    assert sum(line.rows for line in outcome.report.left_out) == outcome.report.files[0].left_out > 0


def test_a_footer_of_one_cell_is_told_with_the_option_that_leaves_it_out(read: Any) -> None:
    (reject,) = read("reference,total,currency\nA,1,EUR\n*** end ***\n").rejects

    assert reject["remedy"] == 'if it is a footer, add --skip-rows "*** end ***"; else export the row again'
    assert read("reference,total,currency\nA,1,EUR\n*** end ***\n", skip_rows=("*** end ***",)).rejects == []


def test_a_row_of_another_width_that_is_no_footer_stays_a_reject(read: Any) -> None:
    outcome = read("reference,total,currency\nA,1,EUR\nB,1\n", skip_rows=("Total",))

    assert outcome.reasons == [("3", "", "B,1", "has 2 cells, the header has 3")]


def test_continuation_rows_go_on_across_rows_that_are_left_out(read: Any) -> None:
    text = "Type,reference,total,currency\nsale,A,1,EUR\nfee,F,2,EUR\nsale,A,,\nsale,B,3,EUR\n"

    outcome = read(text, only={"Type": ("sale",)}, continuation_rows="empty")

    assert outcome.columns("reference") == [("A",), ("B",)]
    assert outcome.report.continuation_rows == 1


def test_an_object_that_names_the_column_later_than_others_is_no_order(read: Any) -> None:
    lines = [{"reference": f"R{n}", "total": "1", "currency": "EUR", "note": "x" * 1000} for n in range(5000)]
    text = "\n".join(map(json.dumps, [*lines, {**lines[0], "Type": "fee"}]))
    other = '{"reference": "A", "total": "1", "currency": "EUR", "Type": "fee"}'
    folder = Path("left-out")
    folder.mkdir(exist_ok=True)
    (folder / "a.ndjson").write_text(text)
    (folder / "b.ndjson").write_text(other)

    outcome = read.paths([folder / "a.ndjson", folder / "b.ndjson"], only={"Type": ("sale",)})

    assert [reject["reason"] for reject in outcome.rejects] == [
        "says whether the row is left out, and the objects before it have no such key"
    ]
    assert outcome.report.left_out == (LeftOut("only", "Type", "fee", "EUR", 1, 100),)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_column_inside_an_object_is_meant_by_its_path(read: Any) -> None:
    text = '[{"reference": "A", "total": 1.0, "currency": "EUR", "payment": {"type": "sale"}, "is_test": false},'
    text += '{"reference": "B", "total": 1.0, "currency": "EUR", "payment": {"type": "fee"}, "is_test": false},'
    text += '{"reference": "C", "total": 1.0, "currency": "EUR", "payment": {"type": "sale"}, "is_test": true}]'

    outcome = read(text, "a.json", only={"payment.type": ("sale",), "is_test": ("false",)})

    assert outcome.columns("reference") == [("A",)]


def test_cells_of_other_types_are_compared_as_they_are_shown(read: Any) -> None:
    table = pa.table(
        {
            "reference": ["A", "B", "C"],
            "total": ["1", "1", "1"],
            "currency": ["EUR"] * 3,
            "is_test": [False, True, None],
            "share": [0.5, 0.5, 1.0],
            "lines": [["a"], ["b"], None],
        }
    )
    written = io.BytesIO()
    pq.write_table(table, written)

    def left(**declared: Any) -> list[tuple[Any, ...]]:
        return list(read(written.getvalue(), "a.parquet", **declared).columns("reference"))

    assert left(only={"is_test": ("false", "")}) == [("A",), ("C",)]
    assert left(only={"share": ("0.5",)}) == [("A",), ("B",)]
    assert left(withdrawn={"lines": ("*b*",)}) == [("A",), ("C",)]


def test_a_column_that_no_file_has_is_an_error_that_lists_the_columns(read: Any) -> None:
    with pytest.raises(OrderFileError) as caught:
        read("reference,total,currency\nA,x,EUR\n", only={"Typ": ("sale",)})

    assert caught.value.message.endswith(
        'orders.csv: no file has a column "Typ", which the settings name; '
        'the columns are "reference", "total", "currency"'
    )
    assert (
        caught.value.hint == "correct the name in only, withdrawn or carry of [orders], --only, --withdrawn or --carry"
    )


def test_a_column_that_one_of_the_files_has_counts_there_alone(read: Any) -> None:
    Path("a.csv").write_text("reference,total,currency\nA,1,EUR\n")
    Path("b.csv").write_text("reference,total,currency,Type\nB,1,EUR,fee\nC,1,EUR,sale\n")

    outcome = read.paths([Path("a.csv"), Path("b.csv")], only={"type": ("sale",)})

    assert outcome.columns("reference") == [("A",), ("C",)]
    assert [file.left_out for file in outcome.report.files] == [0, 1]


def test_a_name_of_two_columns_must_be_written_exactly(read: Any) -> None:
    text = "reference,total,currency,Type,TYPE\nA,1,EUR,sale,fee\n"

    with pytest.raises(OrderFileError, match='column "type", which the settings name, occurs 2 times'):
        read(text, only={"type": ("sale",)})
    assert read(text, only={"TYPE": ("fee",)}).columns("reference") == [("A",)]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"only": {"Type": ()}}, 'only names no values of column "Type"'),
        ({"withdrawn": {" ": ("x",)}}, "withdrawn names no column"),
    ],
)
def test_rules_without_columns_or_values_are_refused(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        OrderFormat(**declared)

    assert caught.value.message == message


def test_the_20_most_frequent_values_are_told_and_the_rest_together(read: Any) -> None:
    rows = [f"fee {kind:02},F{kind}-{n},1,EUR\n" for kind in range(25) for n in range(kind + 1)]

    outcome = read("Type,reference,total,currency\nsale,A,1,EUR\n" + "".join(rows), only={"Type": ("sale",)})

    lines = outcome.report.left_out
    assert [line.value for line in lines] == [f"fee {kind:02}" for kind in range(24, 4, -1)] + [None]
    assert [line.rows for line in lines] == [*range(25, 5, -1), 15]
    assert sum(line.amount_cents for line in lines) == 100 * len(rows)


def test_sums_beyond_64_bits_are_exact(read: Any) -> None:
    rows = "".join(f"fee,F{n},{10**18 - 1},EUR\n" for n in range(12))

    outcome = read(
        f"Type,reference,total_cents,currency\nsale,A,1,EUR\n{rows}", only={"Type": ("sale",)}, amount_unit="minor"
    )

    (line,) = outcome.report.left_out
    assert (line.rows, line.unread, line.amount_cents) == (12, 0, 12 * (10**18 - 1))


def test_a_tally_has_an_end_and_loses_nothing() -> None:
    tally = LeftOutTally()
    for n in range(30_000):
        tally.add([LeftOut("only", "Type", f"kind {n}", "EUR", 1, 5)])

    lines = tally.lines()
    assert len(lines) == 21
    assert (sum(line.rows for line in lines), sum(line.amount_cents for line in lines)) == (30_000, 150_000)


def delivered(content: str | bytes, name: str, **declared: Any) -> tuple[pa.Table, Any, list[str]]:
    from reconcile.orders.read import read_orders_to_parquet

    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    out, rejects = Path("out.parquet"), Path("rejects.csv")
    form = OrderFormat(**declared)
    report = read_orders_to_parquet(Path(name), out, form, rejects=rejects, max_rejects=99, is_delivery=True)
    return pq.read_table(out), report, rejects.read_text().splitlines()[1:]


def test_a_delivery_keeps_withdrawn_rows_and_rejected_ones_that_have_a_key() -> None:
    text = (
        "reference,total,currency,Order Date,Status\n"
        "A,1,EUR,2026-11-20,open\n"
        "B,x,EUR,2026-11-20,CANCELLED\n"
        "C,x,EUR,2026-11-20,open\n"
        ",x,EUR,,open\n"
        "D,2,XXL,,open\n"
        "E,2,EUR,tomorrow,open\n"
        "F,3,EUR,,cancelled\n"
        "G,4\n"
        "H,5,EUR,,open\n"
    )

    table, report, rejects = delivered(text, "a.csv", withdrawn={"Status": ("cancelled",)})

    assert table.schema.equals(DELIVERY)
    names = ("reference", "amount_cents", "currency_code", "source_line", "is_withdrawn")
    assert [tuple(row[name] for name in names) for row in table.to_pylist()] == [
        ("A", 100, "EUR", 2, False),
        ("B", None, "EUR", 3, True),
        ("C", None, "EUR", 4, False),
        ("D", None, None, 6, False),
        ("E", None, "EUR", 7, False),
        ("F", 300, "EUR", 8, True),
        ("H", 500, "EUR", 10, False),
    ]
    assert (report.rows, report.rejects, len(rejects)) == (2, 5, 5)
    assert report.left_out == (
        LeftOut("withdrawn", "Status", "CANCELLED", "EUR", 1, 0, 1),
        LeftOut("withdrawn", "Status", "cancelled", "EUR", 1, 300),
    )


def test_a_key_that_a_spreadsheet_has_changed_is_no_key_of_a_delivery() -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        page.write_row(0, 0, ("reference", "Order No.", "total", "currency"))
        page.write_row(1, 0, ("A", "1", 1, "EUR"))
        page.write_number(2, 0, 45000, day)
        page.write_row(2, 1, ("2", 1, "EUR"))
        page.write_number(3, 0, 45000, day)
        page.write_row(3, 2, (1, "EUR"))

    table, report, _ = delivered(written.getvalue(), "a.xlsx")

    assert [(row["reference"], row["order_number"], row["amount_cents"]) for row in table.to_pylist()] == [
        ("A", "1", 100),
        (None, "2", None),
    ]
    assert (report.rows, report.rejects) == (1, 2)


def test_an_own_file_is_a_delivery_too() -> None:
    own = pa.Table.from_pylist(
        [
            {"reference": "A", "amount_cents": 1, "currency_code": "EUR", "source_line": 2, "method": "klarna"},
            {"reference": "B", "amount_cents": 2, "currency_code": "EUR", "source_line": 3, "method": "void"},
        ],
        ORDERS,
    )
    written = io.BytesIO()
    pq.write_table(own, written)

    table, report, _ = delivered(written.getvalue(), "a.parquet", withdrawn={"method": ("void",)})

    assert [(row["reference"], row["is_withdrawn"]) for row in table.to_pylist()] == [("A", False), ("B", True)]
    assert report.rows == 1
