"""
The same table in every format and dialect gives the same `orders.parquet`.

Byte for byte where a format can hold the same texts on the same lines (all are read from standard input, so that the
file has one name); in every column but the raw amount and the line where it cannot: a list of JSON objects and a
Parquet file count rows from 1, and a number has no zeros behind it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import other_spreadsheets as other
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spreadsheets import zipped

from reconcile.money import EXPONENTS, PLACEHOLDERS, format_amount
from reconcile.orders.format import OrderFormat
from reconcile.orders.read import read_orders_to_parquet

Rows = Sequence[tuple[str, int, str]]
"""Reference, minor units, currency."""

HEADER = ("reference", "amount", "currency")
TABLE: Rows = [
    ("007", 123450, "EUR"),
    ("1E5", -3, "JPY"),
    ("9" * 30, 1, "KWD"),
    ("Ü 4;,|\t", 700, "EUR"),
    ('say "hi" & <bye>', 0, "EUR"),
    ("one line", 500, "SEK"),
    ("=1+1", 99999999999999, "EUR"),
    ("_x0041_ Cafe\u0301 😀", 5, "HUF"),
    ("  padded  ", -1, "EUR"),
]
CODES = st.sampled_from(["EUR", "SEK", "JPY", "KWD", "HUF", "CLF"])
# What a key is not that is read as it is meant, and not as it is written: tests/orders/test_orders_keys.py.
SPOILT = re.compile(r"\s*(?:'.*|=\".*|[0-9]+\.0|[0-9.,]+[Ee]\+[0-9]+)\s*", re.DOTALL)
REFERENCES = st.text(
    st.characters(exclude_categories=["Cs", "Cn", "Cc"], include_characters="\n\t"), min_size=1
).filter(lambda text: not SPOILT.fullmatch(text) and text.strip() not in PLACEHOLDERS)
TABLES = st.lists(st.tuples(REFERENCES, st.integers(-(10**14), 10**14), CODES), min_size=1, max_size=6)


def texts(rows: Rows) -> list[tuple[str, str, str]]:
    return [(reference, format_amount(cents, code), code) for reference, cents, code in rows]


def delimited(rows: Rows, mark: str = ",", quote: str = '"', end: str = "\n", decimal: str = ".") -> str:
    def cell(text: str) -> str:
        return quote + text.replace(quote, quote * 2) + quote

    table = [HEADER, *((ref, amount.replace(".", decimal), code) for ref, amount, code in texts(rows))]
    return "".join(mark.join(map(cell, row)) + end for row in table)


def objects(rows: Rows, *, as_numbers: bool = False) -> list[str]:
    mark = "" if as_numbers else '"'
    return [
        f'{{"reference": {json.dumps(ref)}, "amount": {mark}{amount}{mark}, "currency": "{code}"}}'
        for ref, amount, code in texts(rows)
    ]


def ndjson(rows: Rows) -> str:
    return "\n" + "\n".join(objects(rows)) + "\n"  # a blank line, where a table of text has its header


def array(rows: Rows, *, as_numbers: bool = False) -> str:
    return f"[{', '.join(objects(rows, as_numbers=as_numbers))}]"


def parquet(rows: Rows, *, as_decimals: bool = False) -> bytes:
    columns = list(zip(*texts(rows), strict=True)) or [(), (), ()]
    amounts = (
        pa.array(map(Decimal, columns[1]), pa.decimal128(30, 4)) if as_decimals else pa.array(columns[1], pa.string())
    )
    written = io.BytesIO()
    pq.write_table(
        pa.table([pa.array(columns[0], pa.string()), amounts, pa.array(columns[2], pa.string())], HEADER), written
    )
    return written.getvalue()


def xlsx(rows: Rows, *, as_numbers: bool = False, constant_memory: bool = False) -> bytes:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"constant_memory": constant_memory}) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, HEADER)
        for line, (reference, amount, code) in enumerate(texts(rows), 1):
            page.write_string(line, 0, reference)
            if as_numbers:
                page.write_number(line, 1, float(amount))
            else:
                page.write_string(line, 1, amount)
            page.write_string(line, 2, code)
    return written.getvalue()


def xls(rows: Rows, *, as_numbers: bool = False) -> bytes:
    amounts = [float(amount) if as_numbers else amount for _, amount, _ in texts(rows)]
    return other.xls(
        other.table(HEADER, *((ref, amount, code) for (ref, _, code), amount in zip(rows, amounts, strict=True)))
    )


def ods(rows: Rows, *, as_numbers: bool = False) -> bytes:
    def cell(value: str) -> str:
        kept = quoteattr(value, {"\n": "&#10;", "\t": "&#9;"})
        return f'<table:table-cell office:value-type="string" office:string-value={kept}/>'

    amount = partial(other.ods_value, "float") if as_numbers else cell
    table = [(cell(ref), amount(total), cell(code)) for ref, total, code in texts(rows)]
    return other.ods("".join(other.ods_row(*row) for row in [tuple(map(cell, HEADER)), *table]))


def excel_2003(rows: Rows, *, as_numbers: bool = False) -> bytes:
    kinds = ("String", "Number" if as_numbers else "String", "String")
    table = [[("String", name) for name in HEADER], *(list(zip(kinds, row, strict=True)) for row in texts(rows))]
    return other.excel_2003({"Orders": [[other.data(kind, value) for kind, value in row] for row in table]})


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed


FROM_LINE_2: dict[str, tuple[Callable[[Rows], bytes], dict[str, str]]] = {
    "csv": (lambda rows: delimited(rows).encode(), {}),
    "csv of semicolons": (lambda rows: delimited(rows, ";").encode(), {}),
    "tsv": (lambda rows: delimited(rows, "\t").encode(), {}),
    "pipes": (lambda rows: delimited(rows, "|").encode(), {}),
    "another delimiter": (lambda rows: delimited(rows, "#").encode(), {"delimiter": "#"}),
    "single quotes": (lambda rows: delimited(rows, quote="'").encode(), {}),
    "utf-8 with a mark": (lambda rows: delimited(rows).encode("utf-8-sig"), {}),
    "utf-16": (lambda rows: delimited(rows).encode("utf-16"), {}),
    "utf-16 without a mark": (lambda rows: delimited(rows).encode("utf-16-be"), {"encoding": "utf-16-be"}),
    "utf-32": (lambda rows: delimited(rows).encode("utf-32"), {}),
    "gb18030": (lambda rows: delimited(rows).encode("gb18030"), {"encoding": "gb18030"}),
    "csv.gz": (lambda rows: gzip.compress(delimited(rows).encode()), {}),
    "csv.zst": (lambda rows: zstd(delimited(rows).encode()), {}),
    "csv.zip": (lambda rows: zipped({"orders.csv": delimited(rows)}), {}),
    "ndjson": (lambda rows: ndjson(rows).encode(), {}),
    "ndjson.gz": (lambda rows: gzip.compress(ndjson(rows).encode()), {}),
    "xlsx": (xlsx, {}),
    "xlsx of inline strings": (lambda rows: xlsx(rows, constant_memory=True), {}),
    "xls": (xls, {}),
    "ods": (ods, {}),
    "excel 2003": (excel_2003, {}),
}
FROM_ROW_1: dict[str, tuple[Callable[[Rows], bytes], dict[str, str]]] = {
    "json": (lambda rows: array(rows).encode(), {}),
    "json in a document": (lambda rows: f'{{"a": {{"b": [1]}}, "rows": {array(rows)}, "n": 2}}'.encode(), {}),
    "json.zst": (lambda rows: zstd(array(rows).encode()), {}),
    "parquet": (parquet, {}),
}
BY_VALUE: dict[str, tuple[Callable[[Rows], bytes], dict[str, str]]] = {
    "lines of crlf": (lambda rows: delimited(rows, end="\r\n").encode(), {}),
    "lines of cr": (lambda rows: delimited(rows, end="\r").encode(), {}),
    "decimal commas": (lambda rows: delimited(rows, ";", decimal=",").encode(), {"decimal": ","}),
    "json of numbers": (
        lambda rows: array(rows, as_numbers=True).encode(),
        {"decimal": ",", "thousands": ".", "amount_unit": "major"},
    ),
    "parquet of decimals": (lambda rows: parquet(rows, as_decimals=True), {"decimal": ","}),
    "xlsx of numbers": (lambda rows: xlsx(rows, as_numbers=True), {"decimal": ","}),
    "xls of numbers": (lambda rows: xls(rows, as_numbers=True), {"decimal": ","}),
    "ods of numbers": (lambda rows: ods(rows, as_numbers=True), {"decimal": ","}),
    "excel 2003 of numbers": (lambda rows: excel_2003(rows, as_numbers=True), {"decimal": ","}),
}
EVERY = FROM_LINE_2 | FROM_ROW_1 | BY_VALUE


@pytest.fixture(scope="session")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return `orders(dialect, rows)`: the path of what became of `rows`, written in a dialect and piped in."""
    folder = tmp_path_factory.mktemp("agree")

    def read(dialect: str, rows: Rows) -> Path:
        write, declared = EVERY[dialect]
        path = folder / f"{dialect}.parquet"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(write(rows)), encoding="utf-8"))
            read_orders_to_parquet("-", path, OrderFormat(**declared), rejects=folder / "rejects.csv")  # type: ignore[arg-type]
        return path

    return read


@pytest.mark.parametrize("dialect", FROM_LINE_2)
def test_a_table_of_text_gives_the_same_bytes_in_every_dialect(orders: Any, dialect: str) -> None:
    expected = orders("csv", TABLE).read_bytes()

    assert orders(dialect, TABLE).read_bytes() == expected


@pytest.mark.parametrize("dialect", FROM_ROW_1)
def test_formats_without_a_header_line_give_the_same_bytes_too(orders: Any, dialect: str) -> None:
    expected = orders("json", TABLE).read_bytes()

    assert orders(dialect, TABLE).read_bytes() == expected


def check_exact(orders: Any, rows: Rows, dialect: str) -> None:
    table = pq.read_table(orders(dialect, rows))
    columns = [table[name].to_pylist() for name in ("reference_raw", "amount_cents", "currency_code")]

    assert list(zip(*columns, strict=True)) == list(rows)
    expected = pq.read_table(orders("csv", rows)).drop_columns(["source_line", "amount_raw"])
    assert table.drop_columns(["source_line", "amount_raw"]).equals(expected)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=30, deadline=None)
@given(rows=TABLES, dialect=st.sampled_from(list(EVERY)))
def test_any_table_comes_back_exact_from_any_format(orders: Any, rows: Rows, dialect: str) -> None:
    check_exact(orders, rows, dialect)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=25, deadline=None)
@given(rows=TABLES)
def test_any_table_comes_back_exact_from_every_format(orders: Any, rows: Rows) -> None:
    for dialect in EVERY:
        check_exact(orders, rows, dialect)


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=25, deadline=None)
@given(rows=TABLES.filter(lambda rows: not any("\n" in reference for reference, _, _ in rows)))
def test_any_table_of_lines_gives_the_same_bytes_in_every_dialect(orders: Any, rows: Rows) -> None:
    for same in (FROM_LINE_2, FROM_ROW_1):
        assert len({orders(dialect, rows).read_bytes() for dialect in same}) == 1


def test_the_table_covers_currencies_of_every_number_of_decimals() -> None:
    assert {EXPONENTS[code] for code in ("EUR", "SEK", "JPY", "KWD", "HUF", "CLF")} == {0, 2, 3, 4}
