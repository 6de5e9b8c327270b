"""CSV and breaks: the dialect to the byte, the guard against formulas, the order of work."""

from __future__ import annotations

import csv
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.errors import OutputError
from reconcile.reports.csv_tables import write_breaks, write_csv, write_items_csv
from reconcile.schema import ITEMS, PAYMENTS, REJECTS, UTC_MS

EVERY_TYPE = pa.schema(
    [
        ("text", pa.string()),
        ("cents", pa.int64()),
        ("days", pa.int32()),
        ("claim", pa.bool_()),
        ("day", pa.date32()),
        ("instant", UTC_MS),
    ]
)


def _text_csv(tmp_path: Path, *texts: str | None) -> str:
    table = pa.table({"text": pa.array(texts, pa.string()), "cents": pa.array([-70] * len(texts))})
    write_csv(table, table.schema, tmp_path / "texts.csv")
    return (tmp_path / "texts.csv").read_bytes().decode()


def test_the_dialect_is_written_to_the_byte(tmp_path: Path) -> None:
    table = pa.Table.from_pylist(
        [
            {
                "text": "plain",
                "cents": 9_223_372_036_854_775_807,
                "days": 0,
                "claim": True,
                "day": date(2026, 11, 22),
                "instant": datetime(2026, 11, 22, 3, 4, 5, 678_000, tzinfo=UTC),
            },
            {"text": "", "cents": -70, "claim": False, "instant": datetime(2026, 1, 1, tzinfo=UTC)},
            {},
            {"text": 'a,b "c"\nd'},
            {"text": "Ærø 鈴木 😀 \\ "},
            {"text": "#1"},
            {"text": "007"},
        ],
        schema=EVERY_TYPE,
    )

    rows = write_csv(table, EVERY_TYPE, tmp_path / "table.csv")

    assert rows == 7
    assert (tmp_path / "table.csv").read_bytes().decode() == (
        "text,cents,days,claim,day,instant\n"
        "plain,9223372036854775807,0,true,2026-11-22,2026-11-22T03:04:05.678Z\n"
        '"",-70,,false,,2026-01-01T00:00:00.000Z\n'
        ",,,,,\n"
        '"a,b ""c""\nd",,,,,\n'
        "Ærø 鈴木 😀 \\ ,,,,,\n"
        '"#1",,,,,\n'
        "007,,,,,\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+49 30 123",
        "-70",
        "@SUM(A1)",
        "\tx",
        "\rx",
        "\nx",
        " =1",
        "\u00a0\u200b=1",
        "\ufeff@x",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "\u22121",
        "'=1",
        "''-1",
        "\x00=1",
    ],
)
def test_a_text_that_a_spreadsheet_would_run_gets_one_apostrophe(tmp_path: Path, text: str) -> None:
    written = _text_csv(tmp_path, text)

    assert list(csv.reader(written.splitlines(keepends=True)))[1] == ["'" + text, "-70"] or "\r" in text
    assert written.removeprefix("text,cents\n").lstrip('"').startswith("'" + text)


@pytest.mark.parametrize("text", ["R-1", "1=1", "a@b.example", "100", "", "'quoted'", "ref -1", "{}", "~-1", "Ä-1"])
def test_any_other_text_is_not_touched(tmp_path: Path, text: str) -> None:
    written = _text_csv(tmp_path, text)

    assert written == f"text,cents\n{text or chr(34) * 2},-70\n"


def test_a_text_cannot_go_on_as_a_formula_where_the_list_separator_is_a_semicolon(tmp_path: Path) -> None:
    written = _text_csv(tmp_path, "R1;=1+1;ok", "R1\n@x", "R1\t -1", "R1;1=1")

    assert written == (
        "text,cents\n"
        "R1;'=1+1;ok,-70\n"
        '"R1\n\'@x",-70\n'
        "R1\t' -1,-70\n"
        "R1;1=1,-70\n"
    )  # fmt: skip


def test_numbers_are_never_guarded(tmp_path: Path, write_items: Any) -> None:
    items = write_items({"difference_cents": -70, "order_source_line": 5, "reference": "-70"})

    write_items_csv(items, tmp_path / "items.csv")

    (row,) = csv.DictReader((tmp_path / "items.csv").read_text().splitlines())
    assert (row["difference_cents"], row["reference"]) == ("-70", "'-70")


def test_every_figure_can_be_read_back_by_others(tmp_path: Path, write_items: Any) -> None:
    items = write_items(
        {"payment_amount_cents": 9_007_199_254_740_993, "difference_cents": -1, "order_source_line": 12},
        {"payment_amount_cents": None, "mismatched_amounts": False, "reference": "00123"},
        {"reference": "", "order_number": "1E5", "age_days": 3},
    )
    write_items_csv(items, tmp_path / "items.csv")
    expected = pq.read_table(items)

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        columns = ", ".join(f'"{f.name}"::{_DUCKDB_TYPES[f.type]} AS "{f.name}"' for f in ITEMS)
        read = connection.sql(
            f"SELECT {columns} FROM read_csv('{tmp_path}/items.csv', all_varchar = true, header = true, "
            "allow_quoted_nulls = false)"
        ).to_arrow_table()
    assert read.cast(ITEMS).equals(expected)

    frame = pd.read_csv(tmp_path / "items.csv", dtype="string", keep_default_na=False)
    assert frame["payment_amount_cents"].tolist() == ["9007199254740993", "", "10000"]
    assert frame["reference"].tolist() == ["R000", "00123", ""]


_DUCKDB_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    UTC_MS: "TIMESTAMPTZ",
}


def test_an_empty_table_has_a_header(tmp_path: Path, write_items: Any) -> None:
    assert write_items_csv(write_items(), tmp_path / "items.csv") == 0
    assert write_csv(REJECTS.empty_table(), REJECTS, tmp_path / "rejects.csv") == 0

    assert (tmp_path / "items.csv").read_text() == ",".join(ITEMS.names) + "\n"
    assert (tmp_path / "rejects.csv").read_text() == ",".join(REJECTS.names) + "\n"


def test_a_reader_of_batches_is_written_in_its_order(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    batches = [pa.record_batch([pa.array(range(i, i + 1000))], schema=schema) for i in range(0, 20_000, 1000)]

    rows = write_csv(pa.RecordBatchReader.from_batches(schema, batches), schema, tmp_path / "n.csv")

    assert rows == 20_000
    assert (tmp_path / "n.csv").read_text() == "n\n" + "".join(f"{n}\n" for n in range(20_000))


def test_row_groups_and_threads_do_not_change_a_byte(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64()), ("text", pa.string())])
    table = pa.table({"n": range(300_000), "text": ["=x"] * 300_000}, schema=schema)
    written = []
    for rows_per_group in (300_000, 2_048, 122_880):
        pq.write_table(table, tmp_path / "n.parquet", row_group_size=rows_per_group)
        write_csv(tmp_path / "n.parquet", schema, tmp_path / "n.csv")
        written.append((tmp_path / "n.csv").read_bytes())

    assert written[0] == written[1] == written[2]
    assert written[0][:20] == b"n,text\n0,'=x\n1,'=x\n2"


def test_a_name_with_signs_of_patterns_and_quotes_is_a_plain_name(tmp_path: Path) -> None:
    folder = tmp_path / "ru*n [1]? 'x'"
    look_alike = tmp_path / "run 1x 'x'"
    for number, place in enumerate((folder, look_alike)):
        place.mkdir()
        pq.write_table(pa.table({"n": [number]}), place / "n.parquet")

    write_csv(folder / "n.parquet", pa.schema([("n", pa.int64())]), folder / "n.csv")

    assert sorted(path.name for path in folder.iterdir()) == ["n.csv", "n.parquet"]
    assert (folder / "n.csv").read_text() == "n\n0\n"


def test_breaks_are_ordered_by_age_then_by_what_is_at_stake_then_by_id(tmp_path: Path, write_items: Any) -> None:
    items = write_items(
        {"item_id": "young-large", "first_seen_on": date(2026, 11, 20), "difference_cents": 90_000},
        {"item_id": "old-small", "first_seen_on": date(2026, 11, 1), "difference_cents": -1},
        {"item_id": "old-large", "first_seen_on": date(2026, 11, 1), "difference_cents": -500},
        {
            "item_id": "old-payment-only",
            "first_seen_on": date(2026, 11, 1),
            "status": "missing_order",
            "payment_amount_cents": 300,
        },
        {
            "item_id": "old-order-only",
            "first_seen_on": date(2026, 11, 1),
            "status": "missing_payment",
            "payment_amount_cents": None,
            "order_amount_cents": 400,
        },
        {"item_id": "b-equal", "first_seen_on": date(2026, 11, 1), "difference_cents": 200},
        {"item_id": "a-equal", "first_seen_on": date(2026, 11, 1), "difference_cents": -200},
        {"item_id": "unknown-age", "difference_cents": 900_000},
        {"item_id": "fine", "is_break": False, "kind": "ok", "status": "matched", "difference_cents": 0},
        row_group_size=2,
    )

    rows = write_breaks(items, tmp_path / "breaks.parquet", tmp_path / "breaks.csv")

    expected = [
        "old-large",
        "old-order-only",
        "old-payment-only",
        "a-equal",
        "b-equal",
        "old-small",
        "young-large",
        "unknown-age",
    ]
    assert rows == 8
    assert pq.read_table(tmp_path / "breaks.parquet")["item_id"].to_pylist() == expected
    assert pd.read_csv(tmp_path / "breaks.csv", dtype="string")["item_id"].tolist() == expected


def test_breaks_keep_the_schema_of_items_also_when_there_are_none(tmp_path: Path, write_items: Any) -> None:
    for rows in ([{"is_break": False}], [{}]):
        write_breaks(write_items(*rows), tmp_path / "breaks.parquet", tmp_path / "breaks.csv")

        assert pq.read_schema(tmp_path / "breaks.parquet").equals(ITEMS, check_metadata=True)


def test_the_same_items_give_the_same_bytes(tmp_path: Path, write_items: Any) -> None:
    rows = [{"difference_cents": n % 7} for n in range(3000)]
    written = []
    for rows_per_group in (3000, 100):
        items = write_items(*rows, row_group_size=rows_per_group)
        write_breaks(items, tmp_path / "breaks.parquet", tmp_path / "breaks.csv")
        written.append(((tmp_path / "breaks.parquet").read_bytes(), (tmp_path / "breaks.csv").read_bytes()))

    assert written[0] == written[1]


def test_a_table_of_another_version_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"item_id": ["x"]}), tmp_path / "items.parquet")

    with pytest.raises(OutputError) as caught:
        write_items_csv(tmp_path / "items.parquet", tmp_path / "items.csv")

    assert caught.value.message == f"{tmp_path}/items.parquet: has no column `business_date` of type date32[day]"
    assert caught.value.hint == "it was written by another version: run `reconcile match` again"
    assert not (tmp_path / "items.csv").exists()


@pytest.mark.parametrize("content", [None, b"not parquet"])
def test_a_missing_or_broken_table_is_one_error(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "items.parquet").write_bytes(content)

    with pytest.raises(OutputError, match=r"items\.parquet: cannot be read as Parquet"):
        write_items_csv(tmp_path / "items.parquet", tmp_path / "items.csv")


def test_a_folder_that_is_not_there_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere.*: No such file or directory"):
        write_csv(PAYMENTS.empty_table(), PAYMENTS, tmp_path / "nowhere" / "x.csv")


def test_a_failed_write_leaves_the_former_file_and_nothing_else(
    tmp_path: Path, write_items: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = write_items({})
    (tmp_path / "items.csv").write_text("former")
    monkeypatch.setattr(os, "fsync", _no_space)

    with pytest.raises(OutputError, match="No space left on device") as caught:
        write_items_csv(items, tmp_path / "items.csv")

    assert "free some space" in (caught.value.hint or "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["items.csv", "items.parquet"]
    assert (tmp_path / "items.csv").read_text() == "former"


def _no_space(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_too_little_memory_is_one_error_with_the_remedy(tmp_path: Path) -> None:
    table = pa.table({"text": ["x" * 1_000_000] * 60})

    with pytest.raises(OutputError, match="Out of Memory Error") as caught:
        write_csv(table, table.schema, tmp_path / "x.csv", memory_limit="10MB")

    assert caught.value.hint == "allow more with --memory-limit"
