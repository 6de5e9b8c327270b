"""A spreadsheet from an ERP, as a newcomer has it: one command, no settings, and the items of the same table as CSV."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import xlsxwriter
from click.testing import CliRunner
from places import SAMPLE

from reconcile.cli.main import main


def as_spreadsheet(path: Path) -> None:
    """Write the sample's orders as people keep them: below a title, with numbers and dates, beside another sheet."""
    with xlsxwriter.Workbook(path) as book, (SAMPLE / "orders.csv").open(encoding="utf-8", newline="") as text:
        book.add_worksheet("About").write_row(0, 0, ["Orders and their totals"])
        page, days = book.add_worksheet("Orders"), book.add_format({"num_format": "dd.mm.yyyy"})
        page.write_row(0, 0, ["Order totals, all markets"])
        table = csv.DictReader(text)
        page.write_row(2, 0, list(table.fieldnames or ()))
        for line, row in enumerate(table, 3):
            page.write_string(line, 0, row["reference"])
            if row["order_number"]:
                page.write_number(line, 1, int(row["order_number"]))
            page.write_datetime(line, 2, date.fromisoformat(row["ordered_on"]), days)
            page.write_string(line, 3, row["currency"])
            page.write_number(line, 4, float(row["total_amount"]))
            page.write_string(line, 5, row["market"])


@pytest.mark.slow
def test_a_spreadsheet_gives_the_items_of_the_same_table_as_text(
    values: dict[str, str], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_spreadsheet(workplace / "orders.xlsx")
    (workplace / "orders.csv").write_bytes((SAMPLE / "orders.csv").read_bytes())
    monkeypatch.setenv("RECONCILE_CLIENT_ID", values["client_id"])
    monkeypatch.setenv("RECONCILE_CLIENT_SECRET", values["client_secret"])

    items = {}
    for name in ("orders.csv", "orders.xlsx"):
        words = ["run", "--api-url", values["api"], "--date", "2026-11-20", "--out", name.partition(".")[2], name]
        result = CliRunner().invoke(main, words, catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        run_folder = Path(result.stdout.strip().splitlines()[-1])
        items[name] = pq.read_table(run_folder / "items.parquet").drop_columns(
            ["order_source_file", "order_source_line", "suggestion", "run_id"]  # these tell of the file
        )

    assert items["orders.xlsx"].num_rows > 100
    assert items["orders.xlsx"].equals(items["orders.csv"])
