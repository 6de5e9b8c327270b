"""The ledger: first seen, open, cleared, reopened; and the same answer whatever order the nights came in."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.errors import OutputError
from reconcile.figures.roll_forward import roll_forward
from reconcile.history import ledger
from reconcile.history.identity import HISTORY
from reconcile.history.published import breaks_in
from reconcile.schema import ITEMS


def night(folder: Path, day: int, *breaks: tuple[str, str, int], run_id: str | None = None) -> ledger.PublishedRun:
    """Write one night's breaks: (item, state, cents at stake)."""
    rows: list[dict[str, Any]] = [
        dict.fromkeys(ITEMS.names)
        | {
            "item_id": item, "business_date": date(2026, 1, day), "status": "missing_order", "kind": "break",
            "is_break": True, "state": state, "at_stake_cents": cents, "at_stake_currency_code": "EUR",
            "break_id": item,
        }
        for item, state, cents in breaks
    ]  # fmt: skip
    path = folder / f"{day}-{run_id}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, ITEMS), path)
    return ledger.PublishedRun(date(2026, 1, day), run_id or f"r{day}", path)


def known(book: Path, runs: list[ledger.PublishedRun], day: int) -> dict[str, tuple[int, bool]]:
    """Return item → (day first seen, was open) before a day."""
    before, history = ledger.history_before(book, runs, date(2026, 1, day))
    latest = breaks_in(before[-1].breaks, ("item_id",)).column(0).to_pylist() if before else []
    return {row["item_id"]: (row["first_seen_on"].day, row["item_id"] in latest) for row in history.to_pylist()}


def rolled(before: ledger.PublishedRun | None, after: ledger.PublishedRun) -> list[dict[str, Any]]:
    opening = None if before is None else breaks_in(before.breaks)
    return [msgspec.to_builtins(line) for line in roll_forward(opening, breaks_in(after.breaks))]


@pytest.fixture
def nights(tmp_path: Path) -> list[ledger.PublishedRun]:
    return [
        night(tmp_path, 1, ("a", "new", 5), ("b", "new", 7)),
        night(tmp_path, 2, ("b", "open", 8), ("c", "new", 1)),
        night(tmp_path, 4, ("a", "reopened", 5), ("c", "open", 1)),
    ]


def test_before_the_first_run_nothing_is_known(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    before, table = ledger.history_before(tmp_path / "ledger.duckdb", nights, date(2026, 1, 1))

    assert before == []
    assert table.schema.equals(HISTORY)
    assert table.num_rows == 0


def test_a_break_keeps_the_day_it_was_first_seen(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    book = tmp_path / "ledger.duckdb"

    assert known(book, nights, 2) == {"a": (1, True), "b": (1, True)}
    assert known(book, nights, 3) == {"a": (1, False), "b": (1, True), "c": (2, True)}
    assert known(book, nights, 5) == {"a": (1, True), "b": (1, False), "c": (2, True)}


def test_a_date_that_runs_again_sees_what_it_saw_the_first_time(
    tmp_path: Path, nights: list[ledger.PublishedRun]
) -> None:
    book = tmp_path / "ledger.duckdb"
    first = known(book, nights[:1], 2)

    assert known(book, nights, 2) == first


@pytest.mark.slow
def test_the_nights_may_come_in_any_order(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    expected = None
    for n, order in enumerate(itertools.permutations(nights)):
        book = tmp_path / f"ledger{n}.duckdb"
        for count in range(1, len(order) + 1):
            ledger.follow(book, sorted(order[:count], key=lambda run: run.business_date))
        found = [known(book, nights, day) for day in range(1, 6)]
        expected = expected or found

        assert found == expected


def test_a_run_that_was_replaced_is_read_again(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    book = tmp_path / "ledger.duckdb"
    ledger.follow(book, nights)
    replaced = night(tmp_path, 2, ("c", "new", 1), run_id="again")

    assert known(book, [nights[0], replaced, nights[2]], 3) == {"a": (1, False), "b": (1, False), "c": (2, True)}


def test_a_run_that_was_removed_is_forgotten(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    book = tmp_path / "ledger.duckdb"
    ledger.follow(book, nights)

    assert known(book, nights[:2], 5) == {"a": (1, False), "b": (1, True), "c": (2, True)}


def test_the_roll_forward_adds_up(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    (line,) = rolled(nights[0], nights[1])

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
    column = table.schema.get_field_index("at_stake_currency_code")
    pq.write_table(table.set_column(column, ITEMS.field(column), pa.array(["SEK"])), after.breaks)
    euro, krona = rolled(before, after)

    assert (euro["opening"]["count"], euro["changed"]["count"], euro["closing"]["count"]) == (1, -1, 0)
    assert (krona["opening"]["count"], krona["changed"]["count"], krona["closing"]["count"]) == (0, 1, 1)


def test_breaks_that_cannot_be_read_are_named(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    nights[1].breaks.write_bytes(b"not a table")

    with pytest.raises(OutputError, match=r"2-None\.parquet: cannot be read") as caught:
        ledger.follow(tmp_path / "ledger.duckdb", nights)

    assert "run its date again" in (caught.value.hint or "")


def test_a_run_that_cannot_be_read_is_the_one_that_the_ledger_knows(
    tmp_path: Path, nights: list[ledger.PublishedRun]
) -> None:
    book = tmp_path / "ledger.duckdb"
    before = known(book, nights, 5)
    damaged = ledger.PublishedRun(nights[1].business_date, ledger.UNREADABLE, nights[1].breaks, problem="cut")
    nights[1].breaks.unlink()

    runs, _ = ledger.history_before(book, [nights[0], damaged, nights[2]], date(2026, 1, 5))

    assert [run.run_id for run in runs] == ["r1", "r2", "r4"]
    assert known(book, [nights[0], damaged, nights[2]], 5) == before


def test_the_first_night_opens_with_nothing(tmp_path: Path, nights: list[ledger.PublishedRun]) -> None:
    (line,) = rolled(None, nights[0])

    assert (line["opening"]["count"], line["new"]["count"], line["closing"]["count"]) == (0, 2, 2)


def test_two_clean_nights_roll_nothing_forward(tmp_path: Path) -> None:
    assert rolled(night(tmp_path, 1), night(tmp_path, 2)) == []


def test_a_damaged_ledger_is_told_with_the_remedy(tmp_path: Path) -> None:
    book = tmp_path / "ledger.duckdb"
    book.write_text("this is not a database, though it is long enough to be one" * 100)

    with pytest.raises(OutputError) as caught:
        ledger.follow(book, [])

    assert "cannot be opened" in caught.value.message
    assert caught.value.hint == "remove it: it is built again from the run folders beside it"
