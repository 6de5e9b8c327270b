"""Where rules changed, what came and went because of them is told apart from what the data did."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from nights import OUT, night_of, said

from reconcile.figures.roll_forward import RollForward
from reconcile.figures.summary import Summary, read_summary
from reconcile.operations.verify import verify

HEAD = "reference,amount,currency\n"


def counts(lines: tuple[RollForward, ...]) -> dict[str, int]:
    """Return the counts of the moves in the only currency, without those that are 0."""
    (line,) = lines
    assert line.currency_code == "EUR"
    named = zip(("opening", "new", "reopened", "changed", "cleared", "closing"), line.moves, strict=True)
    return {name: move.count for name, move in named if move.count}


def payments(*numbers: int) -> list[dict[str, Any]]:
    return [{"payment_id": f"P{number}", "order_id": f"O{number}", "reference": f"R{number}"} for number in numbers]


@pytest.fixture
def two_nights() -> Summary:
    """
    A night with two differences and a payment without an order; then one that tolerates the smaller difference.

    Meanwhile the larger difference was mended, and another payment came that has no order.
    """
    night_of(payments(1, 2, 3), HEAD + "R1,10.02,EUR\nR2,15.00,EUR\n", day=19)
    folder = night_of(payments(1, 2, 3, 4), HEAD + "R1,10.02,EUR\nR2,10.00,EUR\n", day=20, tolerance_cents=5)
    return read_summary(folder)


def test_what_rules_did_is_told_apart_from_what_data_did(two_nights: Summary) -> None:
    assert counts(two_nights.roll_forward) == {"opening": 3, "new": 1, "cleared": 2, "closing": 2}
    assert counts(two_nights.roll_forward_by_rules) == {"opening": 3, "cleared": 1, "closing": 2}
    assert counts(two_nights.roll_forward_by_data) == {"opening": 2, "new": 1, "cleared": 1, "closing": 2}
    (by_rules,) = two_nights.roll_forward_by_rules
    assert (by_rules.cleared.amount_cents, by_rules.closing.amount_cents) == (2, 1500)


def test_a_break_that_only_the_rules_made_is_new_by_rules_and_not_by_data() -> None:
    books = HEAD + "R1,10.02,EUR\nR2,15.00,EUR\n"
    night_of(payments(1, 2), books, day=19, tolerance_cents=5)

    summary = read_summary(night_of(payments(1, 2), books, day=20))

    assert counts(summary.roll_forward_by_rules) == {"opening": 1, "new": 1, "closing": 2}
    assert counts(summary.roll_forward_by_data) == {"opening": 2, "closing": 2}


@pytest.mark.slow
def test_days_that_are_no_longer_covered_set_no_open_break_aside() -> None:
    night_of(payments(1), HEAD + "R9,10.00,EUR\n", day=19)

    summary = read_summary(night_of(payments(1), HEAD + "R9,10.00,EUR\n", day=20, covers="2026-11-15.."))

    assert counts(summary.roll_forward_by_rules) == {"opening": 2, "closing": 2}
    assert counts(summary.roll_forward_by_data) == {"opening": 2, "closing": 2}


@pytest.mark.slow
def test_without_changed_rules_nothing_is_told_apart() -> None:
    night_of(payments(1), HEAD + "R2,10.00,EUR\n", day=19)
    summary = read_summary(night_of(payments(1), HEAD + "R3,10.00,EUR\n", day=20))

    assert (summary.roll_forward_by_rules, summary.roll_forward_by_data, summary.apart) == ((), (), None)


def test_a_run_before_that_cannot_be_matched_again_stops_no_night() -> None:
    before = night_of(payments(1), HEAD + "R2,10.00,EUR\n", day=19)
    (before / "payments.parquet").write_bytes(b"")

    summary = read_summary(night_of(payments(1), HEAD + "R2,10.00,EUR\n", day=20, tolerance_cents=5))

    assert summary.apart is None
    assert "rules_changed" in [one.code for one in summary.warnings]


@pytest.mark.usefixtures("two_nights")
def test_nothing_of_the_second_matching_stays_and_the_run_is_verified() -> None:
    assert sorted(path.name for path in (OUT / "2026-11-20").iterdir() if path.is_dir()) == []
    assert [one.problems for one in verify(OUT, is_replayed=True)] == [(), ()]


@pytest.mark.slow
@pytest.mark.usefixtures("two_nights")
def test_steps_that_do_not_make_one_way_are_found() -> None:
    path = OUT / "2026-11-20/summary.json"
    document = json.loads(path.read_text())
    document["roll_forward_by_data"][0]["opening"]["count"] += 1
    path.write_text(json.dumps(document))
    manifest = OUT / "2026-11-20/manifest.json"
    hashed = json.loads(manifest.read_text())
    for output in hashed["outputs"]:
        if output["path"] == "summary.json":
            content = path.read_bytes()
            output |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    manifest.write_text(json.dumps(hashed))

    (found,) = verify(OUT, [OUT / "2026-11-20"])

    assert "summary.json: what came and went by rules and by data is not its roll_forward" in found.problems


@pytest.mark.slow
def test_the_page_and_the_terminal_tell_them_apart() -> None:
    night_of(payments(1, 2), HEAD + "R1,10.02,EUR\nR2,15.00,EUR\n", day=19)
    words = (
        "match",
        "payments.parquet",
        "orders.csv",
        "--date",
        "2026-11-20",
        "--mode",
        "live",
        "--tolerance-cents",
        "5",
    )

    result = said(*words)

    assert result.exit_code == 0, result.stderr
    assert "Breaks by" in result.stderr
    page = Path("runs/2026-11-20/report.html").read_text()
    assert "Because of the rules: the last run with today&#39;s rules" in page
    assert "Because of the data: from there to this run" in page
