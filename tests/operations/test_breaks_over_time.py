"""A break over several nights: it stays the same one when the other side turns up, and tells what it was."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from nights import OUT, breaks_of, night_of, said

from reconcile.figures.summary import read_summary
from reconcile.history.breaks import Grounds, accept, accept_sheet, withdraw, write_sheet
from reconcile.history.decisions import NAME, read_decisions
from reconcile.operations.explain import explain
from reconcile.operations.verify import verify
from reconcile.schema import ITEMS

BOOKS = "reference,order_number,total,currency\nR7,N7,10.00,EUR\n"
OTHER = {"reference": "R7", "order_number": "N7", "payment_id": "P7", "order_id": "O7"}
"""A payment that is matched every night."""
PAYMENT = {"reference": "R1", "order_number": "N1", "payment_id": "P1", "order_id": "O1"}
AGAIN = PAYMENT | {"payment_id": "P9", "order_id": "O9"}
NEW_COLUMNS = ("break_id", "changed_from_status", "changed_from_item_id", "accepted_for")

pytestmark = pytest.mark.usefixtures("workplace")


def told(folder: Path) -> dict[str, Any]:
    """Return what is told of each break: status → break, item, day it was first seen, state, status before."""
    rows = pq.read_table(folder / "breaks.parquet").to_pylist()
    assert [row["break_id"] for row in rows].count(None) == 0
    assert len({row["break_id"] for row in rows}) == len(rows)
    return {row["status"]: row for row in rows}


def moves(folder: Path) -> dict[str | None, tuple[tuple[int, int], ...]]:
    """Return the moves of each currency, in count and amount, which add up."""
    lines = read_summary(folder).roll_forward
    assert sum(line.changed.count for line in lines) == 0
    return {line.currency_code: tuple((move.count, move.amount_cents) for move in line.moves[:-1]) for line in lines}


def is_verified() -> None:
    found = verify(OUT, is_replayed=True)
    assert [one.problems for one in found] == [()] * len(found)


def test_a_payment_gets_its_order_row_with_another_amount() -> None:
    first = told(night_of([OTHER, PAYMENT], BOOKS, day=19))["missing_order"]
    accept(OUT / "2026-11-19", ["R1"], Grounds("comes in December"))
    held = told(night_of([OTHER, PAYMENT], BOOKS, day=20))["missing_order"]
    assert (held["accepted_reason"], held["accepted_for"], held["state"]) == ("comes in December", None, "open")

    folder = night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=21)

    row = told(folder)["amount_mismatch"]
    assert (row["break_id"], row["first_seen_on"], row["age_days"]) == (first["item_id"], date(2026, 11, 19), 2)
    assert (row["state"], row["changed_from_status"], row["changed_from_item_id"]) == ("open", "missing_order", None)
    assert (row["accepted_reason"], row["accepted_for"]) == (None, "missing_order, 10.00 EUR: comes in December")
    assert moves(folder) == {"EUR": ((1, 1000), (0, 0), (0, 0), (0, -800), (0, 0))}
    (listed,) = breaks_of(folder)
    assert listed["decision"] is None
    assert "no longer: missing_order, 10.00 EUR: comes in December" in " ".join(said("breaks", "list").stdout.split())
    is_verified()


@pytest.mark.slow
def test_an_order_row_gets_its_payment() -> None:
    first = told(night_of([OTHER], BOOKS + "R1,N1,12.00,EUR\n", day=19))["missing_payment"]

    folder = night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=20)

    row = told(folder)["amount_mismatch"]
    assert (row["break_id"], row["changed_from_item_id"]) == (first["item_id"], first["item_id"])
    assert row["item_id"] != first["item_id"]
    assert (row["first_seen_on"], row["changed_from_status"]) == (date(2026, 11, 19), "missing_payment")
    (one,) = explain(folder, "R1")
    assert [night.status for night in one.nights] == ["missing_payment", "amount_mismatch"]
    matched = night_of([OTHER, PAYMENT], BOOKS + "R1,N1,10.00,EUR\n", day=21)
    (one,) = explain(matched, "R1")
    assert [night.status for night in one.nights] == ["missing_payment", "amount_mismatch"]


@pytest.mark.slow
def test_two_breaks_become_one_and_the_older_gives_its_age() -> None:
    row = told(night_of([OTHER], BOOKS + "R9,N1,12.00,EUR\n", day=17))["missing_payment"]
    unnumbered = PAYMENT | {"order_number": None}
    before = told(night_of([OTHER, unnumbered], BOOKS + "R9,N1,12.00,EUR\n", day=19))
    assert (before["missing_payment"]["state"], before["missing_order"]["state"]) == ("open", "new")

    folder = night_of([OTHER, PAYMENT], BOOKS + "R9,N1,12.00,EUR\n", day=20)

    one = told(folder)["amount_mismatch"]
    assert (one["break_id"], one["first_seen_on"]) == (before["missing_order"]["break_id"], row["first_seen_on"])
    assert (one["changed_from_status"], one["state"]) == ("missing_order", "open")
    assert moves(folder)["EUR"] == ((2, 2200), (0, 0), (0, 0), (0, -800), (1, 1200))
    again = told(night_of([OTHER, PAYMENT], BOOKS + "R9,N1,12.00,EUR\n", day=21))["amount_mismatch"]
    assert (again["first_seen_on"], again["break_id"]) == (date(2026, 11, 17), one["break_id"])
    night_of([OTHER, PAYMENT], BOOKS + "R9,N1,10.00,EUR\n", day=22)
    back = told(night_of([OTHER, PAYMENT], BOOKS + "R9,N1,12.00,EUR\n", day=23))["amount_mismatch"]
    assert (back["first_seen_on"], back["state"]) == (date(2026, 11, 17), "reopened")
    is_verified()


def test_a_duplicate_is_resolved_into_a_pair() -> None:
    twice = [OTHER, PAYMENT, AGAIN]
    before = pq.read_table(night_of(twice, BOOKS + "R1,N8,12.00,EUR\n", day=19) / "breaks.parquet").to_pylist()
    assert {row["status"] for row in before} == {"duplicate_reference"}

    folder = night_of([OTHER, PAYMENT], BOOKS + "R1,N8,12.00,EUR\n", day=20)

    (row,) = told(folder).values()
    assert (row["status"], row["changed_from_status"], row["state"]) == (
        "amount_mismatch",
        "duplicate_reference",
        "open",
    )
    assert row["break_id"] == row["item_id"]
    assert [move[0] for move in moves(folder)["EUR"]] == [3, 0, 0, 0, 2]


@pytest.mark.slow
def test_a_pair_falls_apart() -> None:
    pair = told(night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=19))["amount_mismatch"]

    rows = told(night_of([OTHER, PAYMENT], BOOKS + "X1,N2,12.00,EUR\n", day=20))

    assert (rows["missing_order"]["break_id"], rows["missing_order"]["state"]) == (pair["break_id"], "open")
    assert (rows["missing_payment"]["state"], rows["missing_payment"]["first_seen_on"]) == ("new", date(2026, 11, 20))


@pytest.mark.slow
def test_a_pair_that_came_of_a_row_falls_apart_into_two_names_also_when_it_runs_again() -> None:
    books = BOOKS + "R1,N1,12.00,EUR\n"
    row = told(night_of([OTHER], books, day=18))["missing_payment"]
    night_of([OTHER, PAYMENT], books, day=19)

    folder = night_of([OTHER, PAYMENT, AGAIN], books, day=20)

    ids = {one["item_id"]: one["break_id"] for one in pq.read_table(folder / "breaks.parquet").to_pylist()}
    assert ids.pop(row["item_id"]) == f"{row['item_id']}-20261120"
    assert row["item_id"] in ids.values()
    (decided,) = accept(folder, [row["item_id"]], Grounds("named by break", until=date(2026, 11, 20)))
    assert (decided.item_id, decided.status) == (row["item_id"], "duplicate_reference")
    (OUT / NAME).unlink()
    before = (folder / "items.parquet").read_bytes()
    night_of([OTHER, PAYMENT, AGAIN], books, day=20)
    assert (folder / "items.parquet").read_bytes() == before
    is_verified()


@pytest.mark.slow
def test_a_reference_is_corrected_in_the_books() -> None:
    first = told(night_of([OTHER], BOOKS + "R1-typo,N1,12.00,EUR\n", day=19))["missing_payment"]

    row = told(night_of([OTHER], BOOKS + "R1,N1,12.00,EUR\n", day=20))["missing_payment"]

    assert (row["break_id"], row["changed_from_item_id"]) == (first["item_id"], first["item_id"])
    assert (row["changed_from_status"], row["age_days"]) == (None, 1)


@pytest.mark.slow
def test_what_was_cleared_comes_back_under_its_name() -> None:
    first = told(night_of([OTHER], BOOKS + "R1,N1,12.00,EUR\n", day=17))["missing_payment"]
    night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=18)
    night_of([OTHER, PAYMENT], BOOKS + "R1,N1,10.00,EUR\n", day=19)

    folder = night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=20)

    row = told(folder)["amount_mismatch"]
    assert (row["break_id"], row["state"], row["age_days"]) == (first["item_id"], "reopened", 3)
    assert (row["changed_from_status"], row["changed_from_item_id"]) == (None, None)
    assert moves(folder)["EUR"] == ((0, 0), (0, 0), (1, 200), (0, 0), (0, 0))


@pytest.mark.slow
def test_one_that_moves_to_another_currency_leaves_one_line_and_enters_the_other() -> None:
    night_of([OTHER, PAYMENT | {"currency_code": "SEK"}], BOOKS, day=19)
    accept(OUT / "2026-11-19", ["R1"], Grounds("known", cap="20.00"))

    folder = night_of([OTHER, PAYMENT], BOOKS, day=20)

    assert moves(folder) == {
        "EUR": ((0, 0), (0, 0), (0, 0), (1, 1000), (0, 0)),
        "SEK": ((1, 1000), (0, 0), (0, 0), (-1, -1000), (0, 0)),
    }
    assert told(folder)["missing_order"]["accepted_for"] == "missing_order, up to 20.00 SEK: known"
    is_verified()


@pytest.mark.slow
def test_a_decision_names_the_break_and_one_that_names_the_item_holds_too() -> None:
    first = told(night_of([OTHER], BOOKS + "R1,N1,12.00,EUR\n", day=18))["missing_payment"]
    pair = told(night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=19))["amount_mismatch"]
    write_sheet(OUT / "2026-11-19", Path("sheet.csv"))
    line = f"{pair['item_id']},2026-11-19,by hand\n"
    (OUT / NAME).write_text(f"item_id,accepted_on,reason\n{line}")

    row = told(night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=20))["amount_mismatch"]
    assert row["accepted_reason"] == "by hand"
    (decided,) = accept(OUT / "2026-11-20", [first["item_id"][:8]], Grounds("by command"))
    assert decided.item_id == first["item_id"]
    row = told(night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=21))["amount_mismatch"]
    assert row["accepted_reason"] == "by command"
    withdraw(OUT / "2026-11-21", [pair["item_id"]], reason="it was not")
    row = told(night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\n", day=22))["amount_mismatch"]
    assert (row["accepted_reason"], row["accepted_for"]) == (None, None)
    assert {one.item_id for one in read_decisions(OUT / NAME)} == {first["item_id"], pair["item_id"]}


@pytest.mark.slow
def test_a_sheet_of_yesterday_is_still_about_the_same_break() -> None:
    first = told(night_of([OTHER], BOOKS + "R1-typo,N1,12.00,EUR\n", day=19))["missing_payment"]
    write_sheet(OUT / "2026-11-19", Path("sheet.csv"))
    lines = Path("sheet.csv").read_text().splitlines()
    places = lines[0].split(",")
    for number, line in enumerate(lines):
        if line.startswith(first["item_id"]):
            cells = line.split(",")
            cells[places.index("accept_reason")] = "known"
            lines[number] = ",".join(cells)
    Path("sheet.csv").write_text("\n".join(lines) + "\n")
    folder = night_of([OTHER], BOOKS + "R1,N1,12.00,EUR\n", day=20)

    (decided,) = accept_sheet(folder, Path("sheet.csv"))
    assert decided.item_id == first["break_id"]
    assert accept_sheet(folder, Path("sheet.csv")) == []


@pytest.mark.slow
@pytest.mark.parametrize("has_ledger", [True, False])
def test_a_night_after_runs_of_an_earlier_version(has_ledger: bool) -> None:
    first = told(night_of([OTHER, PAYMENT], BOOKS + "R9,N9,5.00,EUR\n", day=18))
    folder = night_of([OTHER, PAYMENT], BOOKS + "R9,N9,5.00,EUR\n", day=19)
    for run in (OUT / "2026-11-18", folder):
        made_by_an_earlier_version(run)
    (OUT / "ledger.duckdb").unlink()
    if has_ledger:
        ledger_of_an_earlier_version(OUT / "ledger.duckdb")
    assert {row["break_id"] for row in breaks_of(folder)} == {row["item_id"] for row in first.values()}

    folder = night_of([OTHER, PAYMENT], BOOKS + "R1,N1,12.00,EUR\nR9,N9,5.00,EUR\n", day=20)

    rows = told(folder)
    assert rows["amount_mismatch"]["break_id"] == first["missing_order"]["item_id"]
    assert {row["first_seen_on"] for row in rows.values()} == {date(2026, 11, 18)}
    assert moves(folder) == {"EUR": ((2, 1500), (0, 0), (0, 0), (0, -800), (0, 0))}
    assert read_summary(OUT / "2026-11-19").roll_forward[0].changed.count == 0


def made_by_an_earlier_version(run: Path) -> None:
    path = run / "breaks.parquet"
    table = pq.read_table(path)
    names = ITEMS.names[: ITEMS.names.index("amount_basis")]
    pq.write_table(table.select(names), path)
    summary = json.loads((run / "summary.json").read_text())
    for line in summary["roll_forward"]:
        del line["changed"]
    (run / "summary.json").write_text(json.dumps(summary))


def ledger_of_an_earlier_version(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            """CREATE TABLE runs (business_date DATE PRIMARY KEY, run_id TEXT NOT NULL);
               CREATE TABLE episodes (item_id TEXT NOT NULL, opened_on DATE NOT NULL, cleared_on DATE)"""
        )
        for day in ("2026-11-18", "2026-11-19"):
            run_id = json.loads((OUT / day / "manifest.json").read_text())["run_id"]
            connection.execute("INSERT INTO runs VALUES (?, ?)", [day, run_id])
        connection.execute(
            f"INSERT INTO episodes SELECT item_id, DATE '2026-11-18', NULL FROM '{OUT}/2026-11-19/breaks.parquet'"
        )
