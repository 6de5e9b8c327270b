"""CSV of our own: every text comes back, in Python and in DuckDB, and what others made of the file is read too."""

from __future__ import annotations

import contextlib
import csv
import io
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.files.csv_text import CsvRow, NotCsv, csv_line, csv_rows, scan_csv
from reconcile.files.formula_guard import unguarded_sql
from reconcile.reports.csv_tables import write_csv

any_text = st.text(max_size=12) | st.text("\",;\t\r\n #'=+-@\\\x00\x0b\x1c\x85\u2028\ufeff😀a", max_size=8)
tables = st.integers(2, 4).flatmap(
    lambda width: st.lists(st.lists(any_text, min_size=width, max_size=width), min_size=1, max_size=6)
)


def rows(text: str, delimiter: str = ",") -> list[tuple[str, ...]]:
    return [row.cells for row in csv_rows(io.StringIO(text, newline="\n"), delimiter=delimiter)]


@given(table=tables, delimiter=st.sampled_from(",;\t"))
@settings(max_examples=300, deadline=None)
def test_every_text_comes_back(table: list[list[str]], delimiter: str) -> None:
    text = "".join(csv_line(cells, delimiter=delimiter) for cells in table)

    assert rows(text, delimiter) == [tuple(cells) for cells in table]
    assert list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)) == table


@given(table=tables)
@settings(max_examples=200, deadline=None)
def test_what_others_write_comes_back(table: list[list[str]]) -> None:
    """With quotes around every cell and lines that end as in Windows, as spreadsheets save."""
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(table)

    assert rows(text.getvalue()) == [tuple(cells) for cells in table]


def test_a_cell_may_have_any_length() -> None:
    long = 'say "no"\r\n' * 50_000

    assert rows(csv_line(["a", long]) + csv_line(["b", "c"])) == [("a", long), ("b", "c")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n\n\r\nc,d", [(1, ("a", "b")), (4, ("c", "d"))]),
        ('a,"b\nb"\nc,d\n', [(1, ("a", "b\nb")), (3, ("c", "d"))]),
        ("a,b\rc,d\r", [(1, ("a", "b")), (2, ("c", "d"))]),
        ('a,5" pipe\n', [(1, ("a", '5" pipe'))]),
        ("a,\nb,", [(1, ("a", "")), (2, ("b", ""))]),
        ('"",\n', [(1, ("", ""))]),
        ("", []),
    ],
)
def test_rows_know_their_line(text: str, expected: list[tuple[int, tuple[str, ...]]]) -> None:
    found = list(csv_rows(io.StringIO(text, newline="\n")))

    assert found == [CsvRow(line, cells) for line, cells in expected]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('a,b\nc,"d\ne,f\n', 2, "opens a quote that is never closed"),
        ('a,b\n"c"d,e\n', 2, "has text after a closing quote"),
        ("a,b\nc,d\rx,y\n", 2, "has a carriage return outside quotes"),
    ],
)
def test_what_is_not_csv_is_told_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(NotCsv) as told:
        list(csv_rows(io.StringIO(text, newline="\n")))

    assert (told.value.line, told.value.problem) == (line, problem)


@given(texts=st.lists(st.none() | any_text | st.just("x\n" * 1_500_000), min_size=1, max_size=5))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tables_for_spreadsheets_come_back(texts: list[str | None], tmp_path: Path) -> None:
    path, schema = tmp_path / "a.csv", pa.schema([("row", pa.int64()), ("text", pa.string())])
    write_csv(pa.table({"row": range(len(texts)), "text": texts}, schema), schema, path)
    with contextlib.closing(duckdb.connect()) as connection:
        query = f"SELECT row, {unguarded_sql('text')} FROM {scan_csv(path, schema.names)} ORDER BY row::INT"
        found = connection.execute(query).fetchall()

    assert found == [(str(row), text) for row, text in enumerate(texts)]
