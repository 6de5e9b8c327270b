"""The ledger: first seen, open, cleared, reopened; and the same answer whatever order the nights came in."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile import ledger
from reconcile.errors import OutputError
from reconcile.schema import HISTORY, ITEMS


def night(folder: Path, day: int, *breaks: tuple[str, str, int], run_id: str | None = None) -> ledger.PublishedRun:
    """Write one night's breaks: (item, state, cents at stake)."""
    rows: list[dict[str, Any]] = [
        dict.fromkeys(ITEMS.names)
        | {
            "item_id": item, "business_date": date(2026, 1, day), "status": "missing_order", "kind": "break",
            "is_break": True, "state": state, "payment_amount_cents": cents, "payment_currency_code": "EUR",
        }
        for item, state, cents in breaks
    ]  # fmt: skip
    path = folder / f"{day}-{run_id}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, ITEMS), path)
    return ledger.PublishedRun(date(2026, 1, day), run_id or f"r{day}", path)


def known(book: Path, day: int) -> dict[str, tuple[int, bool]]:
    """Return item → (day first seen, was open) before a day."""
    rows = ledger.history(book, date(2026, 1, day)).to_pylist()
    return {row["item_id"]: (row["first_seen_on"].day, row["was_open"]) for row in rows}


@pytest.fixture
def nights(tmp_path: Path) -> list[ledger.PublishedRun]:
    return [
        night(tmp_path, 1, ("a", "new", 5), ("b", "new", 7)),
        night(tmp_path, 2, ("b", "open", 8), ("c", "new", 1)),
        night(tmp_path, 4, ("a", "reopened", 5), ("c", "open", 1)),
    ]


def test_before_the_first_run_nothing_is_known(tmp_path: Path) -> None:
    table = ledger.history(tmp_path / "ledger.duckdb", date(2026, 1, 1))

    assert table.schema.equals(HISTORY)
    assert table.num_rows == 0


def test_a_break_keeps_the_day_it_was_first_seen(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    book = tmp_path / "ledger.duckdb"
    ledger.follow(book, nights)

    assert known(book, 2) == {"a": (1, True), "b": (1, True)}
    assert known(book, 3) == {"a": (1, False), "b": (1, True), "c": (2, True)}
    assert known(book, 5) == {"a": (1, True), "b": (1, False), "c": (2, True)}


def test_a_date_that_runs_again_sees_what_it_saw_the_first_time(
    tmp_path: Path, nights: list[ledger.PublishedRun]
) -> None:
    book = tmp_path / "ledger.duckdb"
    ledger.follow(book, nights[:1])
    first = known(book, 2)
    ledger.follow(book, nights)

    assert known(book, 2) == first


def test_the_nights_may_come_in_any_order(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    expected = None
    for n, order in enumerate(itertools.permutations(nights)):
        book = tmp_path / f"ledger{n}.duckdb"
        for count in range(1, len(order) + 1):
            ledger.follow(book, sorted(order[:count], key=lambda run: run.business_date))
        found = [known(book, day) for day in range(1, 6)]
        expected = expected or found

        assert found == expected


def test_a_run_that_was_replaced_is_read_again(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    book = tmp_path / "ledger.duckdb"
    ledger.follow(book, nights)
    replaced = night(tmp_path, 2, ("c", "new", 1), run_id="again")
    ledger.follow(book, [nights[0], replaced, nights[2]])

    assert known(book, 3) == {"a": (1, False), "b": (1, False), "c": (2, True)}


def test_a_run_that_was_removed_is_forgotten(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    book = tmp_path / "ledger.duckdb"
    ledger.follow(book, nights)
    ledger.follow(book, nights[:2])

    assert known(book, 5) == {"a": (1, False), "b": (1, True), "c": (2, True)}


def test_the_roll_forward_adds_up(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    (line,) = ledger.roll_forward(nights[0].breaks, nights[1].breaks)

    assert line == {
        "currency_code": "EUR",
        "opening": {"count": 2, "amount_cents": 12},
        "new": {"count": 1, "amount_cents": 1},
        "reopened": {"count": 0, "amount_cents": 0},
        "changed": {"count": 0, "amount_cents": 1},
        "cleared": {"count": 1, "amount_cents": 5},
        "closing": {"count": 2, "amount_cents": 9},
    }
    for figure in ("count", "amount_cents"):
        opening, *moves, cleared, closing = (line[move][figure] for move in list(line)[1:])
        assert opening + sum(moves) - cleared == closing


def test_a_break_that_changes_its_currency_moves_from_one_line_to_the_other(tmp_path: Path) -> None:
    before, after = night(tmp_path, 1, ("a", "new", 5)), night(tmp_path, 2, ("a", "open", 7))
    table = pq.read_table(after.breaks)
    column = table.schema.get_field_index("payment_currency_code")
    pq.write_table(table.set_column(column, ITEMS.field(column), pa.array(["SEK"])), after.breaks)
    euro, krona = ledger.roll_forward(before.breaks, after.breaks)

    assert (euro["opening"]["count"], euro["changed"]["count"], euro["closing"]["count"]) == (1, -1, 0)
    assert (krona["opening"]["count"], krona["changed"]["count"], krona["closing"]["count"]) == (0, 1, 1)


def test_a_ledger_that_cannot_be_written_is_one_error(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    nights[1].breaks.write_bytes(b"not a table")

    with pytest.raises(OutputError, match="cannot be read or written"):
        ledger.follow(tmp_path / "ledger.duckdb", nights)


def test_the_first_night_opens_with_nothing(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    (line,) = ledger.roll_forward(None, nights[0].breaks)

    assert (line["opening"]["count"], line["new"]["count"], line["closing"]["count"]) == (0, 2, 2)


def test_two_clean_nights_roll_nothing_forward(tmp_path: Path) -> None:
    assert ledger.roll_forward(night(tmp_path, 1).breaks, night(tmp_path, 2).breaks) == []


def test_a_damaged_ledger_is_told_with_the_remedy(tmp_path: Path) -> None:
    book = tmp_path / "ledger.duckdb"
    book.write_text("this is not a database, though it is long enough to be one" * 100)

    with pytest.raises(OutputError) as caught:
        ledger.follow(book, [])

    assert "cannot be opened" in caught.value.message
    assert caught.value.hint == "remove it: it is built again from the run folders beside it"
