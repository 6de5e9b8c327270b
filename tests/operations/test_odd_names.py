"""Names and dates that no program expects: an error in words, never a traceback, and nothing half-done."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nights import OUT, night, said
from places import SAMPLE

from reconcile.errors import SettingsError
from reconcile.operations.night import match
from reconcile.payments.request import parse_moment
from reconcile.schema import PAYMENTS
from reconcile.settings.settings import Settings

BAD = b"x\xff".decode(errors="surrogateescape")
"""A name of bytes that are not UTF-8, as Python reads it from a command line."""

MATCH = ("match", "payments.csv", "orders.csv", "--mode", "live", "--no-xlsx", "--no-html")


@pytest.fixture(autouse=True)
def _inputs(workplace: Path) -> None:
    for name in ("orders.csv", "payments.csv"):
        lines = (SAMPLE / name).read_text(encoding="utf-8").splitlines(keepends=True)[:20]
        Path(name).write_text("".join(lines), encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("match", BAD, "orders.csv"), "payments"),
        ((*MATCH, "--out", BAD), "out"),
        (("runs", "list", "--out", BAD), "out"),
        (("runs", "verify", BAD), "folders"),
        (("runs", "diff", BAD, "x"), "before"),
        (("explain", BAD), "reference"),
        (("breaks", "list", "--text", BAD), "text"),
        (("breaks", "accept", "x", "--reason", BAD), "reason"),
        (("breaks", "accept", "x", "--reason", "x", "--by", BAD), "by"),
        (("breaks", "export", BAD), "file"),
        (("load", "x", "--to", f"duckdb:{BAD}"), "url"),
        (("report", "--to", BAD), "to"),
        (("pull", "--mirror", BAD), "mirror"),
    ],
)
def test_what_is_not_utf_8_is_refused_by_the_name_of_its_option(words: tuple[str, ...], named: str) -> None:
    result = said(*words)

    assert result.exit_code == 2
    assert result.stderr == f"error: {named}: is not UTF-8\nhint: rename the file or folder, or write the text again\n"


def test_an_order_file_of_any_name_is_read_by_a_pattern() -> None:
    shutil.copy("orders.csv", f"{BAD}.csv")

    named = said("match", "payments.csv", f"{BAD}.csv", *MATCH[3:])
    assert (named.exit_code, named.stderr.splitlines()) == (
        2,
        ["error: orders: is not UTF-8", "hint: rename the file or folder, or name it by a pattern"],
    )
    assert said("match", "payments.csv", "x*.csv", *MATCH[3:]).exit_code == 0

    (folder,) = OUT.glob("20*")
    document = json.loads((folder / "manifest.json").read_text())
    assert document["settings"]["orders"]["files"] == ["x*.csv"]
    assert document["inputs"]["files"][0]["path"] == r"x\udcff.csv"


@pytest.mark.parametrize("line", ['[run]\nout = "a\\u0000b"', '[match.clean]\nstrip_prefix = ["a\\u0000b"]'])
def test_a_nul_in_a_setting_is_refused(line: str) -> None:
    Path("reconcile.toml").write_text(line + "\n")

    result = said(*MATCH)

    assert result.exit_code == 2
    assert "holds the character U+0000" in result.stderr


@pytest.mark.parametrize("business_date", ["0001-01-01", "1979-12-31", "3000-01-01", "9999-12-31"])
def test_a_date_at_an_end_of_the_calendar_is_no_business_date(business_date: str) -> None:
    result = said(*MATCH, "--date", business_date, "--lag-days", "30")

    assert result.exit_code == 2
    assert result.stderr == (
        f"error: {business_date}: is not a business date\nhint: give one from 1980-01-01 to 2999-12-31\n"
    )


@pytest.mark.parametrize("business_date", ["1980-01-01", pytest.param("2999-12-31", marks=pytest.mark.slow)])
def test_the_first_and_the_last_business_date_can_run(business_date: str) -> None:
    assert said(*MATCH, "--date", business_date, "--lag-days", "3650").exit_code == 0
    assert said("runs", "verify", "--replay").exit_code == 0


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_an_instant_beyond_the_calendar_is_no_instant(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a date or time"):
        parse_moment(text, "since", "UTC")


def test_rows_at_both_ends_of_the_calendar_are_items_as_any_other() -> None:
    ends = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]
    rows = [
        {
            "payment_id": f"p{at}", "reference": f"R{at}", "mode": "live", "order_id": f"o{at}",
            "order_status": "placed", "currency_code": "EUR", "total_amount_with_taxes_cents": 100,
            **dict.fromkeys(("created_at", "updated_at", "placed_at", "order_updated_at"), moment),
        }
        for at, moment in enumerate(ends)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=PAYMENTS), "payments.parquet")
    Path("orders.csv").write_text("reference,total,currency,date\nR7,1.00,EUR,9999-12-31\nR8,1.00,EUR,0001-01-01\n")

    result = said("match", "payments.parquet", "orders.csv", *MATCH[3:], "--lag-days", "7")

    assert result.exit_code == 0, result.stderr
    assert said("breaks", "list").exit_code == 0
    assert said("runs", "verify", "--replay").exit_code == 0


def test_a_run_of_the_library_is_of_a_business_date_too() -> None:
    with pytest.raises(SettingsError, match="is not a business date"):
        match(Settings.of(orders=("orders.csv",)), Path("payments.csv"), business_date=date(9999, 12, 31))
    assert not OUT.exists()
    assert night(20).name == "2026-11-20"
