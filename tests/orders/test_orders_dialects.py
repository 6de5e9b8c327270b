"""Any table of references and amounts comes back exact from any dialect it is written in."""

from __future__ import annotations

import gzip
import re
import unicodedata
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconcile.errors import OrderFileError
from reconcile.money import EXPONENTS, PLACEHOLDERS, format_amount
from reconcile.orders.text.dialect import DELIMITERS

TABLE = [
    ("007", "1234.50", "EUR"),
    ("1E5", "-3", "JPY"),
    ("9" * 30, "0.001", "KWD"),
    ("Ü 4;,|\t", "+7", "EUR"),
    ('say "hi"', "0", "EUR"),
    ("two\nlines", "5.0", "SEK"),
    ("", "5.00", "SEK"),
]
WANTED = [
    ("007", 123450, "EUR"),
    ("1E5", -3, "JPY"),
    ("9" * 30, 1, "KWD"),
    ("Ü 4;,|", 700, "EUR"),
    ('say "hi"', 0, "EUR"),
    ("two\nlines", 500, "SEK"),
    (None, 500, "SEK"),
]
NAMES = ("reference", "amount_cents", "currency_code")


def quoted(cell: str, quote: str, *, always: bool, delimiter: str) -> str:
    if always or set(cell) & {quote, delimiter, "\n", "\r", '"', "'"} or cell != cell.strip():
        return quote + cell.replace(quote, quote * 2) + quote
    return cell


def written(
    rows: list[tuple[str, ...]], *, delimiter: str = ",", quote: str = '"', always: bool = False, end: str = "\n"
) -> str:
    header = ("reference", "amount", "currency")
    return "".join(
        delimiter.join(quoted(cell, quote, always=always, delimiter=delimiter) for cell in row) + end
        for row in (header, *rows)
    )


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("always", [True, False])
def test_every_delimiter_is_found(read: Any, delimiter: str, always: bool) -> None:
    outcome = read(written(TABLE, delimiter=delimiter, always=always))

    assert outcome.columns(*NAMES) == WANTED
    assert outcome.report.files[0].delimiter == delimiter


@pytest.mark.parametrize(
    ("quote", "end", "encoding"),
    list(product(['"', "'"], ["\n", "\r\n", "\r"], ["utf-8", "utf-8-sig", "utf-16", "utf-32"])),
)
def test_quotes_line_ends_and_encodings_do_not_matter(read: Any, quote: str, end: str, encoding: str) -> None:
    text = written(TABLE, quote=quote, end=end, always=True)

    assert read(text.encode(encoding)).columns(*NAMES) == WANTED


@pytest.mark.parametrize("encoding", ["cp1252", "iso-8859-15", "utf-16-le", "utf-16-be", "shift_jis"])
def test_another_encoding_is_read_when_it_is_named(read: Any, encoding: str) -> None:
    reference = "注文" if encoding == "shift_jis" else "Zoë"

    outcome = read(written([(reference, "1.00", "EUR")]).encode(encoding), encoding=encoding)

    assert outcome.columns(*NAMES) == [(reference, 100, "EUR")]
    assert outcome.report.files[0].encoding == encoding


def test_the_same_table_gives_the_same_file_whatever_its_dialect(read: Any, tmp_path: Path) -> None:
    from reconcile.orders.read import read_orders_to_parquet

    files = []
    for number, (delimiter, always) in enumerate(product(DELIMITERS, [True, False])):
        source = tmp_path / "orders.csv"
        source.write_text(written(TABLE, delimiter=delimiter, always=always), newline="")
        destination = tmp_path / f"{number}.parquet"
        read_orders_to_parquet(source, destination, rejects=tmp_path / "rejects.csv")
        files.append(destination.read_bytes())

    assert set(files) == {files[0]}


def test_decimal_commas_do_not_pass_for_delimiters(read: Any) -> None:
    text = "reference\tamount\tcurrency\nR1, a\t1.234,5\tEUR\n"

    outcome = read(text, decimal=",", thousands=".")

    assert outcome.columns(*NAMES) == [("R1, a", 123450, "EUR")]


def test_a_spreadsheets_line_that_names_the_delimiter_is_no_header(read: Any) -> None:
    outcome = read('sep=;\r\nreference;amount;currency\r\nR1;"1.00";EUR\r\n')

    assert outcome.columns(*NAMES, "source_line") == [("R1", 100, "EUR", 3)]


def test_any_other_delimiter_is_read_when_it_is_named(read: Any) -> None:
    assert read(written(TABLE[:3], delimiter="#"), delimiter="#").columns(*NAMES) == WANTED[:3]


def test_a_compressed_file_is_read_like_the_file_in_it(read: Any) -> None:
    packed = gzip.compress(written(TABLE[:1]).encode()) + gzip.compress(b"R2,2.00,EUR\n")

    assert read(packed, name="orders.csv.gz").columns(*NAMES) == [WANTED[0], ("R2", 200, "EUR")]


def test_lines_are_physical_ones_also_behind_quoted_line_ends(read: Any) -> None:
    text = '\r\nreference,amount,currency,note\r\nR1,1,EUR,"a\r\nb\nc"\r\n\r\n,,,\r\n   \r\nR2,2,EUR,x\r\nR3,3,EUR,y'

    assert read(text).columns("reference", "source_line") == [("R1", 3), ("R2", 9), ("R3", 10)]


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
CHANGED = re.compile(r"\s*(['=].*|.*[Ee]\+.*|.*\.0|sum|totals?)\s*", re.DOTALL | re.IGNORECASE)
REFERENCES = (st.text(CHARACTERS, max_size=8) | st.text('0123456789E",;|\t\r\n ', max_size=8)).filter(
    lambda text: text.strip() not in PLACEHOLDERS and not CHANGED.fullmatch(text)
)
CODES = st.sampled_from(["EUR", "JPY", "KWD", "CLF", "SEK"])


@st.composite
def amounts(draw: st.DrawFn) -> tuple[int, str]:
    return draw(st.integers(-(10**12), 10**12)), draw(CODES)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(REFERENCES, amounts()), max_size=6),
    delimiter=st.sampled_from(DELIMITERS),
    quote=st.sampled_from(['"', "'"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    comma=st.booleans(),
    packed=st.booleans(),
)
def test_any_table_comes_back_exact_from_any_dialect(
    read: Any,
    rows: list[tuple[str, tuple[int, str]]],
    delimiter: str,
    quote: str,
    end: str,
    encoding: str,
    comma: bool,
    packed: bool,
) -> None:
    decimal = "," if comma else "."
    cells = [(ref, format_amount(cents, code).replace(".", decimal), code) for ref, (cents, code) in rows]
    content = written(cells, delimiter=delimiter, quote=quote, always=True, end=end).encode(encoding)

    outcome = read(gzip.compress(content) if packed else content, "t.csv.gz" if packed else "t.csv", decimal=decimal)

    assert outcome.columns("reference_raw", "amount_cents", "currency_code") == [
        (ref, cents, code) for ref, (cents, code) in rows
    ]
    assert outcome.columns("reference") == [(unicodedata.normalize("NFC", ref).strip() or None,) for ref, _ in rows]
    assert all(EXPONENTS[code] >= 0 for _, _, code in cells)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50, deadline=None)
@given(content=st.binary(max_size=80) | st.text("reference,amount;\"'\n\r0159.EURé", max_size=80).map(str.encode))
def test_hostile_bytes_are_read_or_refused_but_never_crash(read: Any, content: bytes) -> None:
    for content_with_header in (content, b"reference,amount,currency\n" + content):
        rows, hints = [], ["none"]
        try:
            rows = read(content_with_header).rows
        except OrderFileError as error:
            hints = [error.hint]

        assert all(hints)
        assert all(row["amount_cents"] is not None and row["currency_code"] for row in rows)
