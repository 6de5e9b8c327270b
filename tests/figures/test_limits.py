"""Limits: the notation, what is measured, and what is said when one is exceeded."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.errors import SettingsError
from reconcile.figures.limits import exceeded, parse_limit
from reconcile.figures.statuses import StatusAmounts, StatusLine
from reconcile.figures.summary import Control, FlagAgreement, FrameCounts, FrameSummary
from reconcile.matching.policy import Kind, Status
from reconcile.matching.report import KeyProfile
from reconcile.notices import notice

STATUSES = ("matched", "amount_mismatch", "missing_order")


def line(status: str, kind: str, *amounts: tuple[Any, ...]) -> StatusLine:
    """Make a line of currency, count and cents at stake, and where some are accepted, count and cents of these."""
    lines = [StatusAmounts(one[0], one[1], None, None, None, *one[2:]) for one in amounts]
    return StatusLine(Status(status), Kind(kind), sum(one.count for one in lines), tuple(lines))


def figures(items: int, *statuses: StatusLine) -> FrameSummary:
    return FrameSummary(
        FrameCounts(0, 0, items, 0), statuses, Control((), ()), (), FlagAgreement(0, 0, 0, 0, 0), (), (),
        KeyProfile((), (), ()), (),
    )  # fmt: skip


FIGURES = figures(
    1000,
    line("matched", "ok", ("EUR", 990, 0)),
    line("amount_mismatch", "break", ("EUR", 4, 12_345), ("SEK", 1, 99)),
    line("missing_order", "break", ("EUR", 3, 50_000), (None, 2, 0)),
)


def said(text: str) -> list[str]:
    return exceeded([parse_limit(text, STATUSES)], FIGURES)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("breaks>0", "breaks>0: 10 breaks"),
        ("breaks>9", "breaks>9: 10 breaks"),
        ("amount>623.44EUR", "amount>623.44EUR: 623.45 EUR at stake in breaks"),
        ("amount > 0.98 SEK", "amount > 0.98 SEK: 0.99 SEK at stake in breaks"),
        ("percent>0.99", "percent>0.99: 1.000 % of the items are breaks"),
        ("missing_order>4", "missing_order>4: 5 items are missing_order"),
        ("missing_order.count>4", "missing_order.count>4: 5 items are missing_order"),
        ("missing_order.amount>499EUR", "missing_order.amount>499EUR: 500.00 EUR at stake in missing_order"),
        ("amount_mismatch.percent>0.4", "amount_mismatch.percent>0.4: 0.500 % of the items are amount_mismatch"),
        ("matched>900", "matched>900: 990 items are matched"),
    ],
)
def test_a_limit_that_is_exceeded_is_said_in_words(text: str, sentence: str) -> None:
    assert said(text) == [sentence]


@pytest.mark.parametrize(
    "text",
    ["breaks>10", "amount>623.45EUR", "amount>0USD", "percent>1", "missing_order>5", "missing_order.amount>500EUR"],
)
def test_a_limit_that_is_just_met_is_not_exceeded(text: str) -> None:
    assert said(text) == []


def test_an_accepted_break_counts_against_no_limit() -> None:
    some = figures(100, line("missing_order", "break", ("EUR", 3, 50_000, 2, 49_900)))

    def told(text: str) -> list[str]:
        return exceeded([parse_limit(text, STATUSES)], some)

    assert told("breaks>1") == told("amount>1.00EUR") == told("percent>1") == told("missing_order>1") == []
    assert told("breaks>0") == ["breaks>0: 1 break"]
    assert told("amount>0.99EUR") == ["amount>0.99EUR: 1.00 EUR at stake in breaks"]


def test_a_warning_of_the_code_exceeds_a_limit_on_it() -> None:
    limit = parse_limit(" warning : stale_orders ", STATUSES)
    found = [notice("short_orders", "few"), notice("stale_orders", "a.csv is old"), notice("stale_orders", "b.csv")]

    assert exceeded([limit], FIGURES, found) == ["warning : stale_orders: a.csv is old; b.csv"]
    assert exceeded([limit], FIGURES, found[:1]) == exceeded([limit], FIGURES) == []


def test_an_unknown_warning_is_named_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="there is no warning stale_order") as caught:
        parse_limit("warning:stale_order", STATUSES)

    assert "stale_orders, short_orders" in str(caught.value.hint)


def test_a_note_is_no_limit() -> None:
    with pytest.raises(SettingsError, match="out_of_period is a note of what was set aside as asked"):
        parse_limit("warning:out_of_period", STATUSES)


def test_an_empty_run_has_no_percentage() -> None:
    assert exceeded([parse_limit("percent>0", STATUSES)], figures(0)) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "breaks",
        "breaks>",
        "breaks>-1",
        "breaks>0.5",
        "breaks>0EUR",
        "amount>100",
        "percent>1EUR",
        "nonsense>0",
        "a.b.c>0",
        "warning",
        "warning:stale_orders>0",
    ],
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a limit"):
        parse_limit(text, STATUSES)


def test_an_unknown_status_is_named() -> None:
    with pytest.raises(SettingsError, match="there is no status misssing_order"):
        parse_limit("misssing_order.amount>1EUR", STATUSES)


def test_an_amount_has_the_decimals_of_its_currency() -> None:
    with pytest.raises(SettingsError, match="has more decimals than JPY"):
        parse_limit("amount>1.5JPY", STATUSES)
