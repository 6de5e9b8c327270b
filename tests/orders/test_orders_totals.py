"""A row that looks like the total of others is a reject with the option that leaves it out: no order, and not lost."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from reconcile.files.spreadsheets.sums import adds_up
from reconcile.orders.text import blocks
from reconcile.schema import ORDERS

HEADER = "reference,Order No.,total,currency\n"
LOOKS = "looks like a total"
KEYLESS = 'if it is one, add --skip-rows "", which leaves out rows without any key; else fill in its key'


def told(outcome: Any) -> list[tuple[str, str]]:
    assert {reject["reason"] for reject in outcome.rejects} <= {LOOKS}
    return [(reject["source_line"], reject["remedy"]) for reject in outcome.rejects]


@pytest.mark.parametrize(
    "word",
    [
        *("Total", "TOTALS:", "Grand total", "Subtotal", "Sub-total", "Sum", "= Total =", "Total Result"),
        *("Summe", "Gesamtsumme", "Zwischensumme", "Gesamtergebnis", "Insgesamt", "Summa", "Totalt", "Totalsumma"),
        *("I alt", "Delsum", "Yhteensä", "YHTEENSÄ", "Loppusumma", "Totaal", "Eindtotaal", "Total général"),
        *("Total Geral", "Celkem", "Mezisoučet", "Celkom", "Medzisúčet", "Összesen", "Sumă totală", "Γενικό σύνολο"),
        *("ΣΎΝΟΛΟ", "Gran total", "Totales"),
        *("Sous-total", "Total general", "Suma", "Totale", "Totale complessivo", "Razem", "Łącznie", "Suma końcowa"),
    ],
)
def test_a_word_for_a_total_in_place_of_the_keys_is_no_order(read: Any, word: str) -> None:
    text = f"{HEADER}A,1,1,EUR\nB,2,2,EUR\n{word},,7,EUR\n,{word},8,EUR\n"

    outcome = read(text)

    assert told(outcome) == [(line, f'if it is one, add --skip-rows "{word}"') for line in ("4", "5")]
    assert outcome.columns("reference") == [("A",), ("B",)]
    assert read(text, skip_rows=(word,)).rejects == []


@pytest.mark.parametrize("key", ["Total 1", "T-Total", "Summer", "Totally", "SUM1", "1", "Razem/2", "Gesamt-12"])
def test_a_key_that_holds_such_a_word_is_a_key(read: Any, key: str) -> None:
    assert read(f"{HEADER}{key},,5,EUR\n").columns("reference") == [(key,)]


def test_an_order_whose_other_key_is_no_word_is_an_order(read: Any) -> None:
    outcome = read(f"{HEADER}Total,1001,5,EUR\n")

    assert outcome.columns("reference", "order_number") == [("Total", "1001")]


@pytest.mark.parametrize("row", ["Total,,,EUR", "Total,,30,", "Total,,thirty,XXL"])
def test_a_total_is_told_as_that_whatever_else_it_lacks(read: Any, row: str) -> None:
    assert told(read(f"{HEADER}A,1,1,EUR\n{row}\n", currency="EUR")) == [("3", 'if it is one, add --skip-rows "Total"')]


@pytest.mark.parametrize(
    "rows",
    [
        "A,1,10,EUR\nB,2,20,EUR\n,,30,EUR\n",
        "A,,10,EUR\nB,,20,EUR\n,Sum 11/26,30,EUR\n",
        "A,1,10,EUR\nB,2,20,EUR\nC,3,1,SEK\n,,30,EUR\nD,4,1,SEK\n",
        "A,1,10,EUR\nB,2,-30,EUR\n,,-20,EUR\n",
    ],
)
def test_the_last_row_of_its_currency_is_no_order_if_it_is_the_sum_and_has_no_key(read: Any, rows: str) -> None:
    text = HEADER + rows
    (line,) = [n for n, row in enumerate(text.splitlines(), 1) if row.startswith(",")]

    outcome = read(text)

    ((place, remedy),) = told(outcome)
    assert place == str(line)
    assert (str(line),) not in outcome.columns("source_line")
    option = remedy.partition('--skip-rows "')[2].partition('"')[0]
    assert read(text, skip_rows=(option,)).rejects == []


@pytest.mark.parametrize(
    "rows",
    [
        "A,1,10,EUR\n,,10,EUR\n",  # one row is no sum
        "A,1,10,EUR\nB,2,20,EUR\n,,30,EUR\nC,3,5,EUR\n",  # not the last
        "A,1,10,EUR\nB,2,20,EUR\nC,,30,EUR\n",  # a reference, as the others have
        ",1,10,EUR\n,2,20,EUR\n,3,30,EUR\n",
        ",,10,EUR\n,,20,EUR\n,,30,EUR\n",  # nobody has a key
        "A,1,10,EUR\nB,2,20,SEK\n,,30,EUR\n",  # another currency
        "A,1,10,EUR\nB,2,20,EUR\n,,30.01,EUR\n",
        "A,1,10,EUR\nB,2,-10,EUR\n,,0,EUR\n",  # nothing is at stake
        "Total amount due to A,1,10,EUR\n",
    ],
)
def test_any_other_row_stays_an_order(read: Any, rows: str) -> None:
    outcome = read(HEADER + rows)

    assert outcome.rejects == []
    assert len(outcome.rows) == rows.count("\n")


@pytest.mark.parametrize("block_bytes", [16, 40, 64, 1 << 20])
def test_a_sum_is_found_across_batches(read: Any, monkeypatch: pytest.MonkeyPatch, block_bytes: int) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", max(block_bytes, len(HEADER) + 20))
    rows = "".join(f"R{n},{n},{n}.01,EUR\n" for n in range(40))
    total = sum(range(40)) + 0.4

    outcome = read(f"{HEADER}{rows},,{total:.2f},EUR\nS1,1,5,SEK\nS2,2,6,SEK\n")

    assert told(outcome) == [("42", KEYLESS)]
    assert [line for (line,) in outcome.columns("source_line")] == [*range(2, 42), 43, 44]


def test_a_sum_that_many_batches_follow_is_not_held_back_for_ever(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64)
    others = "".join(f"S{n},{n},{n},SEK\n" for n in range(1, 200))

    outcome = read(f"{HEADER}A,1,10,EUR\nB,2,20,EUR\n,,30,EUR\n{others}")

    assert told(outcome) == [("4", KEYLESS)]
    assert len(outcome.rows) == 201


@given(cut=st.integers(1, 12), cents=st.lists(st.integers(-999, 999), min_size=2, max_size=12))
def test_no_row_is_lost_wherever_files_are_cut(
    read: Any, tmp_path_factory: pytest.TempPathFactory, cut: int, cents: list[int]
) -> None:
    rows = [f"R{n},{n},{n},{cent / 100:.2f},EUR\n" for n, cent in enumerate(cents)]
    rows.append(f",,{len(cents)},{sum(cents) / 100:.2f},EUR\n")
    folder = tmp_path_factory.mktemp("cut")
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    for number, part in enumerate(parts):
        (folder / f"{number}.csv").write_text("reference,Order No.,note,total,currency\n" + "".join(part))

    outcome = read.paths([folder / f"{number}.csv" for number in range(len(parts))])

    is_sum = sum(cents) != 0
    assert len(outcome.rejects) == is_sum
    assert len(outcome.rows) + len(outcome.rejects) == len(rows)


def test_a_total_of_each_file_is_found_and_one_of_all_files(read: Any, tmp_path: Path) -> None:
    for name, rows in {
        "a": "A,1,10,EUR\nB,2,20,EUR\n,,30,EUR\n",
        "b": "C,3,1,EUR\nD,4,2,EUR\n,,3,EUR\n",
        "c": ",,33,EUR\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(HEADER + rows)

    outcome = read.paths([tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"])

    assert told(outcome) == [("4", KEYLESS), ("4", KEYLESS), ("2", KEYLESS)]
    assert outcome.report.rows == 4


def test_a_sum_in_a_file_of_our_own_is_told_too(read: Any) -> None:
    rows = [
        {"reference": reference, "amount_cents": cents, "currency_code": "EUR", "source_line": line}
        for line, (reference, cents) in enumerate([("A", 1), ("B", 2), (None, 3)], 2)
    ]
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, ORDERS), written)

    assert told(read(written.getvalue(), "a.parquet")) == [("4", KEYLESS)]


def test_a_total_is_in_no_delivery(tmp_path: Path) -> None:
    from reconcile.orders.read import read_orders_to_parquet

    path, out = tmp_path / "a.csv", tmp_path / "out.parquet"
    path.write_text(f"{HEADER}A,1,10,EUR\nB,2,20,EUR\nTotal,,x,EUR\n,,30,EUR\n")

    report = read_orders_to_parquet(path, out, rejects=tmp_path / "r.csv", max_rejects=2, is_delivery=True)

    assert (report.rows, report.rejects) == (2, 2)
    assert pq.read_table(out)["reference"].to_pylist() == ["A", "B"]


@pytest.mark.parametrize(
    ("formula", "is_sum"),
    [
        ("SUM(C2:C9)", True),
        ("SUBTOTAL(109,$C$2:$C$9)", True),
        ("subtotal(9,C11:C20)", True),
        ("SUM(C4,C9)", True),
        ("AGGREGATE(9,7,C2:C9)", True),
        ("SUBTOTAL(109,Orders[Total])", True),
        ("SUBTOTAL(109,[Total])", True),
        ("SUM(A10:B10)", False),  # along the row: net and tax
        ("SUM(B2:B9)", False),
        ("SUM(C2:C2)", False),
        ("SUM(Lines!C2:C9)", False),
        ("SUM(Lines!C2:Lines!C9)", False),
        ("SUM('Order lines'!$C$2:$C$9)", False),
        ("SUM(Orders[@[Net]:[Tax]])", False),
        ("SUM(Orders[[#This Row],[Net]:[Tax]])", False),
        ("SUMIF(Lines!A:A,A10,Lines!C:C)", False),
        ("SUMPRODUCT(C2:C9)", False),
        ("SUM(C2:C9)*1.25", False),
        ("B10*1.25", False),
        ("", False),
    ],
)
def test_a_formula_that_adds_up_other_rows_is_one_of_totals(formula: str, is_sum: bool) -> None:
    assert adds_up(formula, "C", 10) is is_sum


@pytest.mark.parametrize("is_compact", [True, False])
def test_a_row_of_sums_in_a_spreadsheet_is_no_order(read: Any, is_compact: bool) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page = book.add_worksheet()
        for line, row in enumerate([("reference", "total", "currency"), ("A", 10, "EUR"), ("B", 20, "EUR")]):
            page.write_row(line, 0, row)
        page.write_row(3, 0, ("All & sundry" if is_compact else "November", None, "EUR"))
        page.write_formula(3, 1, "=SUM(B2:B3)" if is_compact else '=SUM(B2:B3,N("<"))', None, 31)

    outcome = read(written.getvalue(), "a.xlsx")

    name = "All & sundry" if is_compact else "November"
    assert told(outcome) == [("4", f'if it is one, add --skip-rows "{name}"')]
    assert read(written.getvalue(), "a.xlsx", skip_rows=(name,)).rejects == []


def test_the_row_of_totals_of_a_table_is_no_order(read: Any) -> None:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        columns = [{"header": "reference", "total_string": "November"}, {"header": "total", "total_value": 30}]
        rows = [("A", 10, "EUR"), ("B", 20, "EUR")]
        page = book.add_worksheet()
        table = {"columns": [*columns, {"header": "currency", "total_string": "EUR"}], "data": rows, "total_row": True}
        page.add_table(0, 0, 3, 2, table)
        page.write_number(3, 1, 30)
    with zipfile.ZipFile(written) as archive:
        assert b'totalsRowCount="1"' in archive.read("xl/tables/table1.xml")

    outcome = read(written.getvalue(), "a.xlsx")

    assert told(outcome) == [("4", 'if it is one, add --skip-rows "November"')]
    assert outcome.columns("reference") == [("A",), ("B",)]


REPORT = "Customer,Num,Amount,Currency\nAnn B,NW-1,35.00,EUR\nSumma Design AB,,4.00,EUR\n{word},,39.00,EUR\n"


@pytest.mark.parametrize("word", ["TOTAL", "Total for Ann B", "Total: Ann B", "Summe für Ann B", "Total général"])
def test_a_word_for_a_total_in_the_first_column_is_one_where_the_row_has_no_key(read: Any, word: str) -> None:
    outcome = read(REPORT.format(word=word), reference_column="Num")

    assert outcome.columns("reference", "amount_cents") == [("NW-1", 3500), (None, 400)]
    assert [(row["source_line"], row["reason"]) for row in outcome.rejects] == [("4", "looks like a total")]
    assert outcome.rejects[0]["remedy"] == f'if it is one, add --skip-rows "{word}"'
    skipped = read(REPORT.format(word=word), reference_column="Num", skip_rows=(word,))
    assert (len(skipped.rows), skipped.rejects) == (2, [])
