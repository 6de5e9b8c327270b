"""Runs that an earlier version has published: listed, reported, explained, decided about, verified, gone on from."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from earlier_version import RULES, SECOND_NIGHT, earlier_runs, payments_of_earlier_runs
from nights import OUT, said
from test_replayed_runs import changed, rehash, rewrite

from reconcile.figures.summary import read_summary
from reconcile.operations.night import match
from reconcile.operations.verify import verify
from reconcile.schema import ITEMS
from reconcile.settings.settings import Settings

NOTE = "was made by an earlier version: what that version did not know is not compared"


@pytest.fixture
def runs() -> list[Path]:
    return earlier_runs(OUT)


def night_after(orders: str = SECOND_NIGHT, **options: Any) -> Path:
    """Run the night after the earlier version's, with its rules where `options` has no others; return the folder."""
    Path("orders.csv").write_text(orders, encoding="utf-8")
    settings = Settings.of(
        **{"orders": ("orders.csv",), "mode": "live", "html": False, "xlsx": False, **RULES, **options}
    )
    payments = payments_of_earlier_runs(Path("payments.parquet"))
    return match(settings, payments, business_date=date(2026, 11, 22)).folder


def test_they_have_fewer_columns_and_a_summary_of_version_1(runs: list[Path]) -> None:
    for run in runs:
        assert set(pq.read_schema(run / "items.parquet").names) < set(ITEMS.names)
        assert json.loads((run / "summary.json").read_bytes())["version"] == 1


def test_they_are_listed_and_compared(runs: list[Path]) -> None:
    listed = said("runs", "list", "--format", "json").stdout
    assert [(line["verdict"], line["breaks"]) for line in json.loads(listed)] == [
        ("clean_with_exceptions", 10),
        ("clean_with_exceptions", 9),
    ]
    found = json.loads(said("runs", "diff", *map(str, runs), "--format", "json").stdout)
    assert [(one["change"], one["reference"]) for one in found] == [
        ("changed", "A-10"),
        ("changed", "A-6"),
        ("gone", "B-1"),
    ]


@pytest.mark.parametrize("name", ["x.html", "x.xlsx"])
def test_they_are_reported(runs: list[Path], name: str) -> None:
    done = said("report", str(runs[1]), "--to", name)

    assert done.exit_code == 0, done.output
    assert Path(name).stat().st_size > 5_000


@pytest.mark.parametrize("reference", ["A-1", "A-3", "A-4", "A-8", "A-10", "B-2", "P0012"])
def test_every_kind_of_item_is_explained(runs: list[Path], reference: str) -> None:
    done = said("explain", reference)

    assert done.exit_code == 0, done.output
    assert f"{reference}  " in done.output


def test_their_breaks_are_listed_with_what_that_version_put_at_stake(runs: list[Path]) -> None:
    rows = json.loads(said("breaks", "list", "--format", "json").stdout)

    assert {row["reference"]: row["at_stake_cents"] for row in rows if row["reference"] not in (None, "A-8")} == {
        "A-3": 1000, "A-4": 250, "A-5": 0, "A-7": 1000, "A-10": 1000, "B-2": 800
    }  # fmt: skip
    assert [row["decision"] for row in rows if row["reference"] == "A-4"] == ["accepted"]
    assert all(row["break_id"] == row["item_id"] for row in rows)


def test_their_breaks_are_decided_about(runs: list[Path]) -> None:
    assert said("breaks", "accept", "A-7", "--reason", "voided").exit_code == 0

    rows = json.loads(said("breaks", "list", "--accepted", "--format", "json").stdout)
    assert {row["reference"]: row["decision"] for row in rows} == {"A-4": "accepted", "A-7": "accepted since"}


@pytest.mark.parametrize("is_replayed", [False, True])
def test_they_are_verified_without_a_false_alarm(runs: list[Path], is_replayed: bool) -> None:
    for found in verify(OUT, runs, is_replayed=is_replayed):
        assert found.problems == ()
        assert NOTE in found.notes
        assert found.replayed == is_replayed


def test_their_page_is_not_compared_with_one_of_today(runs: list[Path]) -> None:
    page = runs[1] / "report.html"
    page.write_text("<p>as it looked then</p>", encoding="utf-8")
    document = json.loads((runs[1] / "manifest.json").read_bytes())
    document["outputs"].append({"path": "report.html", "sha256": "", "bytes": page.stat().st_size})
    (runs[1] / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    rehash(runs[1], "report.html")

    assert verify(OUT, [runs[1]])[0].problems == ()


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("items.parquet", "payment_amount_cents", 999),
        ("breaks.parquet", "status", "matched"),
        ("payments.parquet", "total_amount_with_taxes_cents", 999),
        ("orders.parquet", "amount_cents", 999),
    ],
)
def test_what_a_forger_changes_in_them_is_still_found(runs: list[Path], name: str, column: str, value: object) -> None:
    table = pq.read_table(runs[1] / name)
    rewrite(runs[1], name, table.set_column(*changed(table, column, value)))

    assert verify(OUT, [runs[1]])[0].problems


def test_a_night_goes_on_from_them(runs: list[Path]) -> None:
    run = night_after()

    rows = pq.read_table(run / "breaks.parquet").to_pylist()
    by_reference = {row["reference"]: row for row in rows if row["reference"] not in (None, "A-8")}
    assert {name: (row["state"], row["age_days"]) for name, row in by_reference.items()} == {
        "A-3": ("open", 2), "A-4": ("open", 2), "A-5": ("open", 2), "A-7": ("open", 2), "A-10": ("open", 1),
        "B-2": ("open", 2),
    }  # fmt: skip
    assert by_reference["A-4"]["accepted_reason"] == "a deposit"
    assert {line.currency_code: line.opening.count for line in read_summary(run).roll_forward} == {
        "DKK": 1, "EUR": 7, "SEK": 1
    }  # fmt: skip
    assert [(line.business_date.isoformat(), line.breaks) for line in read_summary(run).trend] == [
        ("2026-11-20", 10),
        ("2026-11-21", 9),
    ]
    assert [found.problems for found in verify(OUT, is_replayed=True)] == [(), (), ()]


def test_changed_rules_are_told_apart_from_them(runs: list[Path]) -> None:
    run = night_after(tolerance_cents=250)

    apart = read_summary(run).apart
    assert apart is not None
    assert [(line.currency_code, line.cleared.count) for line in apart.by_rules if line.cleared.count] == [("EUR", 1)]
    assert verify(OUT, [run])[0].problems == ()


def test_an_order_book_begins_with_their_order_side(runs: list[Path]) -> None:
    run = night_after(delivery="changes")

    book = read_summary(run).order_book
    assert book is not None
    assert book.deliveries == 2
    assert sum(line.rows for line in book.before) == 8
    assert [(change.kind, change.rows_in) for change in book.changes if change.rows_in] == [
        ("repeated", 1),
        ("repeated", 7),
    ]


def test_items_without_a_column_that_every_version_had_are_refused(runs: list[Path]) -> None:
    items = pq.read_table(runs[1] / "items.parquet").drop_columns("status")
    rewrite(runs[1], "items.parquet", items)

    (problem,) = verify(OUT, [runs[1]])[0].problems
    assert problem == f"cannot be made again: {runs[1]}/items.parquet: has no column `status` of type string"
