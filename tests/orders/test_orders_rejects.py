"""A row that cannot be read is told by file, line, column, value and reason; never lost, never half-read."""

from __future__ import annotations

import csv
import errno
import io
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import reconcile
from reconcile.errors import OutputError, SettingsError, TooManyRejects
from reconcile.keys import clean_key
from reconcile.orders.cells.rows import clean_keys
from reconcile.orders.format import OrderFormat
from reconcile.orders.read import read_orders_to_parquet
from reconcile.orders.rejects import Reject, RejectsFile, cell_text, read_rejects, shortened
from reconcile.schema import ORDERS, REJECTS

BLANKS = "".join(sign for sign in map(chr, range(sys.maxunicode)) if sign.isspace())
HEADER = "Ref;Betrag;Currency;Order Date\n"


@pytest.mark.parametrize(
    ("row", "column", "value", "reason"),
    [
        ("R1;;EUR;", "Betrag", "", "is empty"),
        ("R1;N1N;EUR;", "Betrag", "N1N", "is not an amount in EUR"),
        ("R1;1e3;EUR;", "Betrag", "1e3", "is not an amount in EUR"),
        ("R1;12,3O;EUR;", "Betrag", "12,3O", "is not an amount in EUR"),
        ("R1;1.000;EUR;", "Betrag", "1.000", "has more decimals than EUR, which has 2"),
        ("R1;1.5;JPY;", "Betrag", "1.5", "has more decimals than JPY, which has 0"),
        ("R1;1;EURO;", "Currency", "EURO", "is not an ISO 4217 currency code"),
        ("R1;1;;", "Currency", "", "is empty"),
        ("R1;1;EUR;31.12.2026", "Order Date", "31.12.2026", "is not an ISO date (YYYY-MM-DD)"),
        ("R1;1;EUR;2026-02-30", "Order Date", "2026-02-30", "is not an ISO date (YYYY-MM-DD)"),
        ("R1;1;EUR;2026-01-02x", "Order Date", "2026-01-02x", "is not an ISO date (YYYY-MM-DD)"),
        ("R1;1;EUR", "", "R1;1;EUR", "has 3 cells, the header has 4"),
        ("R1;1;EUR;;x", "", "R1;1;EUR;;x", "has 5 cells, the header has 4"),
        ("R1", "", "R1", "has 1 cell, the header has 4"),
        ('"R1"x;1;EUR;', "", '"R1"x;1;EUR;', "has text after a closing quote"),
        (' "R1";1;EUR;', "", ' "R1";1;EUR;', "has a space before an opening quote"),
        ("R1; ;EUR;", "Betrag", " ", "is empty"),
    ],
)
def test_one_bad_cell_is_one_line_of_rejects(read: Any, row: str, column: str, value: str, reason: str) -> None:
    outcome = read(f"{HEADER}A;1;EUR;\n{row}\nB;2;EUR;\n", amount_column="Betrag")

    assert outcome.reasons == [("3", column, value, reason)]
    assert outcome.columns("reference", "source_line") == [("A", 2), ("B", 4)]
    assert outcome.report.rejects == 1


def test_every_bad_cell_of_a_row_is_told_and_the_row_counted_once(read: Any) -> None:
    outcome = read(f"{HEADER}R1;x;EUR;y\nR2;;ZZZ;z\n", amount_column="Betrag")

    assert [reason[:2] for reason in outcome.reasons] == [
        ("2", "Betrag"),
        ("2", "Order Date"),
        ("3", "Betrag"),
        ("3", "Currency"),
        ("3", "Order Date"),
    ]
    assert outcome.report.rejects == 2


def test_rejects_of_a_row_over_several_lines_name_its_first(read: Any) -> None:
    outcome = read('reference,amount,currency\n"a\n\nb",1,EUR\n"c\nd",x,EUR\n')

    assert outcome.reasons == [("5", "amount", "x", "is not an amount in EUR")]


def test_a_footer_without_an_amount_is_a_reject_and_a_blank_row_is_none(read: Any) -> None:
    outcome = read(f"{HEADER}A;1;EUR;\n;;;\n; ; ;\nTotal;;;\n;;;\n", amount_column="Betrag")

    assert outcome.reasons == [("5", "Betrag", "", "looks like a total")]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-01-02", date(2026, 1, 2)),
        (" 2026-01-02 ", date(2026, 1, 2)),
        ("2026-01-02T23:59:59.999Z", date(2026, 1, 2)),
        ("2026-01-02 23:59", date(2026, 1, 2)),
        ("2026-01-02T00:00:00+09:00", date(2026, 1, 1)),  # in UTC
        ("2026-01-01 23:30:00 -0100", date(2026, 1, 2)),
        ("", None),
        ("  ", None),
    ],
)
def test_dates_are_iso_dates_or_the_date_of_an_iso_time(read: Any, text: str, day: date | None) -> None:
    assert read(f"{HEADER}R1;1;EUR;{text}\n", amount_column="Betrag").columns("ordered_on") == [(day,)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-28T22:59:59.999Z", date(2026, 3, 28)),
        ("2026-03-28T23:00:00Z", date(2026, 3, 29)),  # in winter, an hour before UTC
        ("2026-03-29T22:00Z", date(2026, 3, 30)),  # summer time has begun
        ("2026-03-29T18:00:00-0400", date(2026, 3, 30)),
        ("2026-03-29T22:00:00", date(2026, 3, 29)),  # local time
        ("1969-12-31T23:00:00.5+00", date(1970, 1, 1)),
    ],
)
def test_a_time_with_an_offset_is_of_its_day_in_the_time_zone(read: Any, text: str, day: date) -> None:
    read_in_stockholm = read(f"{HEADER}R1;1;EUR;{text}\n", amount_column="Betrag", time_zone="Europe/Stockholm")
    assert read_in_stockholm.columns("ordered_on") == [(day,)]


@pytest.mark.parametrize(
    ("date_format", "text", "day"),
    [
        ("%d.%m.%Y", "31.12.2026", date(2026, 12, 31)),
        ("%d.%m.%Y", "1.2.2026", date(2026, 2, 1)),
        ("%m/%d/%Y", "12/31/2026", date(2026, 12, 31)),
        ("%Y%m%d", "20261231", date(2026, 12, 31)),
        ("%d.%m.%y", " 31.12.26 ", date(2026, 12, 31)),
        ("%m/%d/%Y %H:%M:%S", "9/6/2016  6:29:00", date(2016, 9, 6)),
        ("%d.%m.%Y", "2026-12-31", date(2026, 12, 31)),
        ("%d.%m.%Y", "2026-12-31T10:00:00Z", date(2026, 12, 31)),
        ("%d.%m.%Y", "", None),
    ],
)
def test_a_declared_format_is_read_beside_iso_dates(read: Any, date_format: str, text: str, day: date | None) -> None:
    content = f"{HEADER}R1;1;EUR;{text}\n"

    assert read(content, date_format=date_format).columns("ordered_on") == [(day,)]


@pytest.mark.parametrize("text", ["31/12/2026", "31.12.2026 10:00", "30.02.2026", "12.31.2026", "1\u0663.12.2026"])
def test_a_date_in_another_format_than_declared_is_a_reject(read: Any, text: str) -> None:
    assert read(f"{HEADER}R1;1;EUR;{text}\n", date_format="%d.%m.%Y").reasons == [
        ("2", "Order Date", text, 'is not a date like "%d.%m.%Y"')
    ]


@pytest.mark.parametrize("date_format", ["", "%d.%m", "%Y", "%H:%M", "day", "%Q", "%d.%m.%Y %", "%Y-%d-%m"])
def test_a_format_that_says_no_day_or_another_than_iso_is_a_settings_error(date_format: str) -> None:
    with pytest.raises(SettingsError, match="is not a format of dates"):
        OrderFormat(date_format=date_format)


@pytest.mark.parametrize(
    ("mark", "cents"),
    [("S", 1250), ("H", -1250), (" haben ", -1250), ("Debit", 1250), ("CR", -1250), ("+", 1250), ("-", -1250)],
)
def test_the_column_of_signs_makes_credits_negative(read: Any, mark: str, cents: int) -> None:
    for name, amount in (("amount", "12.50"), ("amount_cents", "1250")):
        outcome = read(f"reference;{name};currency;S/H\nR1;{amount};EUR;{mark}\n", sign_column="S/H")

        assert outcome.columns("amount_cents") == [(cents,)]


@pytest.mark.parametrize(
    ("amount", "mark", "reason"),
    [
        ("12.50", "", "does not say debit or credit"),
        ("12.50", "X", "does not say debit or credit"),
        ("-12.50", "H", "has a sign of its own as well"),
        ("-12.50", "S", "has a sign of its own as well"),
    ],
)
def test_a_sign_that_says_nothing_or_too_much_is_a_reject(read: Any, amount: str, mark: str, reason: str) -> None:
    outcome = read(f"reference;amount;currency;S/H\nR1;{amount};EUR;{mark}\n", sign_column="S/H")

    assert outcome.reasons == [("2", "S/H", mark, reason)]


def test_keys_are_clean_and_what_was_read_is_kept(read: Any) -> None:
    content = "reference,amount,currency,order_number,id\n\u2003e\u0301\u00a0, 1 ,EUR, 007 ,\n"

    names = ("reference", "reference_raw", "amount_raw", "order_number", "order_id")
    assert read(content).columns(*names) == [("é", "\u2003e\u0301\u00a0", " 1 ", "007", None)]


@given(st.lists(st.none() | st.text(BLANKS + "ae\u0301é1", max_size=5), max_size=6))
@example([blank + "a" + blank for blank in BLANKS])
def test_a_column_of_keys_is_cleaned_as_one_key_is(texts: list[str | None]) -> None:
    expected = [None if text is None else clean_key(text) for text in texts]

    assert clean_keys(pa.array(texts, pa.string())).to_pylist() == expected


def test_rejects_file_has_its_columns_also_without_rejects(tmp_path: Path) -> None:
    source = tmp_path / "orders.csv"
    source.write_text("reference,amount,currency\nR1,1,EUR\n")

    read_orders_to_parquet(source, tmp_path / "o.parquet", rejects=tmp_path / "r.csv")

    assert (tmp_path / "r.csv").read_bytes() == b"source_file,source_line,column,value,reason,remedy\n"
    assert REJECTS.names == ["source_file", "source_line", "column", "value", "reason", "remedy"]


def test_too_many_rejects_are_all_written_before_the_run_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("reference,amount,currency\n" + "R,x,EUR\n" * 3)
    Path("b.csv").write_text("reference,amount,currency\nR,,EUR\nR,1,EUR\n")

    with pytest.raises(TooManyRejects) as caught:
        read_orders_to_parquet(["a.csv", "b.csv"], Path("o.parquet"), rejects=Path("r.csv"), max_rejects=3)

    assert str(caught.value) == (
        "orders: 4 rows cannot be read, 3 allowed\n"
        '  a.csv:2: amount "x" is not an amount in EUR\n'
        '  a.csv:3: amount "x" is not an amount in EUR\n'
        '  a.csv:4: amount "x" is not an amount in EUR'
    )
    assert caught.value.hint == (
        "correct the cells, or set the rows aside with --max-rejects 4 (all are in r.csv, each with its remedy)"
    )
    assert (caught.value.rejects, caught.value.rejects_path) == (4, Path("r.csv"))
    with Path("r.csv").open(newline="") as text:
        assert [(row["source_file"], row["source_line"]) for row in csv.DictReader(text)] == [
            ("a.csv", "2"),
            ("a.csv", "3"),
            ("a.csv", "4"),
            ("b.csv", "2"),
        ]
    assert not Path("o.parquet").exists()


def test_as_many_rejects_as_allowed_are_set_aside(tmp_path: Path) -> None:
    source = tmp_path / "orders.csv"
    source.write_text("reference,amount,currency\nR1,x,EUR\nR2,1,EUR\n")

    report = read_orders_to_parquet(source, tmp_path / "o.parquet", rejects=tmp_path / "r.csv", max_rejects=1)

    assert (report.rows, report.rejects) == (1, 1)
    assert pq.read_table(tmp_path / "o.parquet")["reference"].to_pylist() == ["R2"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("@x", "'@x"),
        ("\tx", "'\tx"),
        ("-", "'-"),
        ("-12.30", "-12.30"),
        ("+1,5", "+1,5"),
        ("R1", "R1"),
        ("", ""),
    ],
)
def test_no_cell_of_rejects_is_run_as_a_formula(text: str, written: str) -> None:
    assert cell_text(text) == written


def test_a_giant_cell_is_shortened_in_rejects(read: Any) -> None:
    (reject,) = read("reference,amount,currency\nR1," + "x" * 100_000 + ",EUR\n").rejects

    assert len(reject["value"]) == 500
    assert reject["value"].endswith("…")


@pytest.mark.parametrize("place", ["missing/o.parquet", "file/o.parquet"])
def test_an_output_that_cannot_be_written_is_an_output_error(tmp_path: Path, place: str) -> None:
    source = tmp_path / "orders.csv"
    source.write_text("reference,amount,currency\nR1,1,EUR\n")
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="cannot be written") as caught:
        read_orders_to_parquet(source, tmp_path / place, rejects=tmp_path / "r.csv")

    assert caught.value.hint
    assert not (tmp_path / "r.csv").exists()


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source, out = tmp_path / "orders.csv", tmp_path / "out"
    source.write_text("reference,amount,currency\nR1,1,EUR\n")
    out.mkdir()
    monkeypatch.setattr("reconcile.files.parquet.ParquetFile.write", refuse)

    with pytest.raises(OutputError) as caught:
        read_orders_to_parquet(source, out / "o.parquet", rejects=out / "r.csv")

    assert str(caught.value) == f"{out}/o.parquet: cannot be written: No space left on device"
    assert list(out.iterdir()) == []


def test_a_frame_has_the_columns_of_orders_with_arrow_types(tmp_path: Path) -> None:
    source = tmp_path / "orders.csv"
    source.write_text("reference,amount,currency\n007,1.5,EUR\n")

    frame = reconcile.read_orders(str(source))
    empty = reconcile.read_orders(source, max_rejects=1, amount_column="reference", currency="JPY").iloc[:0]

    assert list(frame.columns) == ORDERS.names
    assert [kind.pyarrow_dtype for kind in frame.dtypes] == ORDERS.types
    assert frame["amount_cents"].tolist() == [150]
    assert list(empty.dtypes) == list(frame.dtypes)


def test_a_frames_rejects_are_written_where_asked(tmp_path: Path) -> None:
    source, rejects = tmp_path / "orders.csv", tmp_path / "r.csv"
    source.write_text("reference,amount,currency\nR1,x,EUR\n")

    with pytest.raises(TooManyRejects) as caught:
        reconcile.read_orders(source, rejects=rejects)
    with pytest.raises(TooManyRejects) as without:
        reconcile.read_orders(source)

    assert "is not an amount in EUR" in rejects.read_text()
    assert caught.value.rejects_path == rejects
    assert without.value.hint == (
        "export plain digits with at most one decimal separator; or set the rows aside with --max-rejects 1"
    )


def test_rows_come_in_file_order_whatever_block_is_done_first(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.orders.text.blocks.BLOCK_BYTES", 64)
    rows = [f"R{n},{n},EUR" if n % 7 else f'"R{n}",x,EUR' for n in range(500)]

    outcome = read("reference,amount,currency\n" + "\n".join(rows))

    assert outcome.columns("reference", "source_line") == [(f"R{n}", n + 2) for n in range(500) if n % 7]
    assert [int(reason[0]) for reason in outcome.reasons] == [n + 2 for n in range(500) if n % 7 == 0]


hostile = st.text(max_size=12) | st.text("\",;\t\r\n #'=+-@\x00\x1c\u2028\ufeff😀a1", max_size=8)


@given(rejects=st.lists(st.tuples(hostile, hostile, hostile, hostile, hostile | st.just("x" * 200_000)), max_size=4))
@settings(max_examples=60, deadline=None)
def test_every_reject_comes_back_but_for_the_rest_of_a_long_cell(rejects: list[tuple[str, ...]]) -> None:
    text = io.StringIO(newline="")
    file = RejectsFile(text)
    for line, (name, column, value, reason, remedy) in enumerate(rejects):
        file.write(name, [Reject(line, column, value, reason, remedy)])
    read = list(read_rejects(io.StringIO(text.getvalue(), newline="\n")))

    assert [tuple(row.values()) for row in read] == [
        (name, str(line), column, shortened(value, 500), reason, remedy)
        for line, (name, column, value, reason, remedy) in enumerate(rejects)
    ]


def test_a_lone_return_in_a_cell_does_not_end_the_line(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    with path.open("w", newline="") as text:
        RejectsFile(text).write("orders.csv", [Reject(7, "total", "a\rb", "is odd", "mend it")])

    with path.open(newline="") as text:
        rows = list(csv.reader(text))
    assert rows[1:] == [["orders.csv", "7", "total", "a\rb", "is odd", "mend it"]]
