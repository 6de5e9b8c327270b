"""Columns that are carried come with each row as one JSON object, from every format alike."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.format import OrderFormat
from reconcile.schema import ORDERS

HEADER = ("reference", "total", "currency", "Country", 'Sales "channel"')
ROWS = [
    ("A1", "10.00", "EUR", "SE", "web"),
    ("A2", "20.00", "EUR", " DE ", ""),
    ("A3", "30.00", "EUR", "", 'the "shop" / \\ é'),
    ("A4", "40.00", "EUR", "", " "),
]
CARRY = ("country", 'Sales "channel"')
EXPECTED = [
    {"country": "SE", 'Sales "channel"': "web"},
    {"country": "DE"},
    {'Sales "channel"': 'the "shop" / \\ é'},
    None,
]


def as_csv() -> bytes:
    cells = [[f'"{cell.replace(chr(34), 2 * chr(34))}"' for cell in row] for row in (HEADER, *ROWS)]
    return "".join(",".join(row) + "\n" for row in cells).encode()


def as_json() -> bytes:
    return json.dumps([dict(zip(HEADER, row, strict=True)) for row in ROWS]).encode()


def as_xlsx() -> bytes:
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate((HEADER, *ROWS)):
            for place, cell in enumerate(row):
                sheet.write_string(at, place, cell)
    return written.getvalue()


def as_parquet() -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table([pa.array(column) for column in zip(*ROWS, strict=True)], HEADER), written)
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [(as_csv, "a.csv"), (as_json, "a.json"), (as_xlsx, "a.xlsx"), (as_parquet, "a.parquet")],
)
def test_carried_columns_come_from_every_format(read: Any, content: Any, name: str) -> None:
    outcome = read(content(), name, carry=CARRY)

    carried = [text and json.loads(text) for (text,) in outcome.columns("carried")]
    assert carried == EXPECTED


def test_a_carried_column_leaves_no_row_out(read: Any) -> None:
    outcome = read(as_csv(), "a.csv", carry=("Country",), only={"Country": ("SE", "DE")})

    assert outcome.columns("reference", "carried") == [("A1", '{"Country": "SE"}'), ("A2", '{"Country": "DE"}')]


def test_what_was_carried_is_read_again_from_our_own_file(read: Any, tmp_path: Path) -> None:
    first = read(as_csv(), "a.csv", carry=CARRY)
    pq.write_table(pa.Table.from_pylist(first.rows, ORDERS), tmp_path / "orders.parquet")

    again = read((tmp_path / "orders.parquet").read_bytes(), "orders.parquet", carry=CARRY)

    assert again.columns("carried") == first.columns("carried") != []


def test_a_column_that_no_file_has_is_an_error(read: Any) -> None:
    with pytest.raises(OrderFileError, match='no file has a column "Land"') as caught:
        read(as_csv(), "a.csv", carry=("Land",))

    assert "--carry" in (caught.value.hint or "")


def test_a_column_is_carried_once() -> None:
    with pytest.raises(SettingsError, match="one twice"):
        OrderFormat(carry=("Country", "Country"))
