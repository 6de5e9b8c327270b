"""How far a pull is, in one line at any width."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.payments.report import PullProgress
from reconcile.reports.progress_text import progress_line, progress_text

HALFWAY = PullProgress(
    pages=494, payments=12340, expected_payments=500_000, requests=497, retries=0, waiting_seconds=0.0,
    rate_per_minute=198.4, quota_limit=200, quota_remaining=3, rewalks=0, hold_seconds=20.3, left_seconds=5870.0,
)  # fmt: skip


def test_it_says_how_much_what_is_waited_for_and_how_long_the_rest_takes() -> None:
    assert progress_text(HALFWAY) == (
        "12,340 of 500,000 payments (2%), waiting 21 s for the rate limit, about 1 h 38 min left, 198 requests/min"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.0, ""), (0.4, "about 1 s left, "), (90.0, "about 90 s left, "), (91.0, "about 2 min left, "),
     (5340.0, "about 89 min left, "), (5401.0, "about 1 h 31 min left, ")],
)  # fmt: skip
def test_time_left_is_rounded_up_to_what_matters(seconds: float | None, words: str) -> None:
    told = progress_text(replace(HALFWAY, hold_seconds=0.0, left_seconds=seconds))

    assert told == f"12,340 of 500,000 payments (2%), {words}198 requests/min"


def test_it_is_never_whole_before_it_is() -> None:
    assert "499,999 of 500,000 payments (99%)" in progress_text(replace(HALFWAY, payments=499_999))
    assert "500,001 of 500,000 payments (100%)" in progress_text(replace(HALFWAY, payments=500_001))
    assert progress_text(replace(HALFWAY, expected_payments=0, payments=0)).startswith("0 payments, waiting")


def test_no_rate_is_told_before_there_is_one() -> None:
    assert progress_text(replace(HALFWAY, hold_seconds=0.0, left_seconds=None, rate_per_minute=0.0)) == (
        "12,340 of 500,000 payments (2%)"
    )


def test_what_was_sent_again_is_told_last() -> None:
    assert progress_text(replace(HALFWAY, retries=3)).endswith(", 198 requests/min, 3 retried")


@pytest.mark.parametrize("columns", [1, 20, 39, 79, 99, 100, 119, 199])
def test_a_line_takes_exactly_its_columns(columns: int) -> None:
    line = progress_line(HALFWAY, columns)

    assert len(line) == columns
    assert "\n" not in line


def test_a_bar_is_there_where_there_is_room() -> None:
    assert progress_line(HALFWAY, 79).startswith("12,340 of 500,000 payments (2%), waiting 21 s for the rate limit, ab")
    assert progress_line(replace(HALFWAY, payments=250_000), 119).startswith(
        "[##########----------] 250,000 of 500,000 "
    )
