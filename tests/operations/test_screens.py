"""What commands put on a terminal of 80, 120 and 200 columns, and into a pipe: no line too wide, and nothing lost."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from nights import breaks_of, said
from places import SAMPLE
from screens import on_a_terminal

from reconcile.history.breaks import Grounds, accept
from reconcile.operations.night import match
from reconcile.settings.settings import Settings

RUN = Path("runs/2026-11-20")
LIST = ("breaks", "list")
REASON = (
    "known since spring: rounding in the shop, agreed with the auditors, to be booked by hand at the end of the year"
)


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two nights, with a decision in between whose reason no terminal has room for."""
    folder = tmp_path_factory.mktemp("screens")
    orders = (str(SAMPLE / "all_methods.csv"),)
    settings = Settings.of(orders=orders, mode="live", out=str(folder / "runs"), html=False, xlsx=False)
    first = match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, 19)).folder
    accept(first, [breaks_of(first)[0]["break_id"]], Grounds(REASON))
    match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, 20))
    return folder


@pytest.fixture
def run(listed: Path, workplace: Path) -> Path:
    """The second of them, in the folder to work in."""
    shutil.copytree(listed, workplace, dirs_exist_ok=True)
    return RUN


@pytest.mark.parametrize("columns", [80, *(pytest.param(columns, marks=pytest.mark.slow) for columns in (120, 200))])
def test_a_break_is_a_line_with_its_id_whatever_was_decided(columns: int, run: Path) -> None:
    table, sums = on_a_terminal(LIST, columns).split("\n\n")
    header, *lines = table.splitlines()
    breaks = breaks_of(run)

    assert [line.split()[0] for line in lines] == [row["break_id"][:8] for row in breaks]
    assert header.split()[0] == "Break"
    assert max(map(len, (*lines, header, *sums.splitlines()))) <= columns
    assert REASON not in table
    assert "…" in lines[0]


@pytest.mark.slow
def test_the_wider_the_terminal_the_more_of_a_break_is_there(run: Path) -> None:
    columns = [
        set(re.split(" {2,}", on_a_terminal(LIST, columns).splitlines()[0])) - {"Decision"}
        for columns in (80, 120, 200)
    ]

    assert columns[0] == {"Break", "Age", "Status", "Reference", "Currency", "At stake"}
    assert columns[1] - columns[0] == {"Likely cause"}
    assert columns[2] - columns[1] >= {"Code", "State", "Data age", "Difference"}


def test_what_is_asked_about_is_there_at_eighty_columns(run: Path) -> None:
    asked = (*LIST, "--data-age", ">3", "--method", "klarna")
    header = on_a_terminal(asked, 80).splitlines()[0]

    assert {"Break", "Data age", "Method"} <= set(re.split(" {2,}", header))


def test_a_pipe_has_everything_on_a_line_for_each_break(run: Path) -> None:
    listing = subprocess.run([sys.executable, "-m", "reconcile", *LIST], capture_output=True, text=True, check=True)
    header, *lines = listing.stdout.split("\n\n")[0].splitlines()

    assert {"Code", "State", "Data age", "Difference", "Method", "Gateway", "Likely cause"} <= set(
        re.split(" {2,}", header)
    )
    assert len(lines) == len(breaks_of(run))
    assert f"accepted: {REASON}" in lines[0]
    assert "…" not in listing.stdout


def test_columns_is_for_the_terminal_that_there_is_not(run: Path) -> None:
    lines = said(*LIST, COLUMNS="80").stdout.splitlines()

    assert max(map(len, lines)) <= 80


def test_what_is_asked_for_is_the_same_in_every_form(run: Path) -> None:
    asked = (*LIST, "--min-amount", "100EUR", "--min-amount", "1000SEK", "--data-age", ">3", "--sort", "amount")
    table, sums, *_ = said(*asked).stdout.split("\n\n")
    rows = json.loads(said(*asked, "--format", "json").stdout)
    lines = said(*asked, "--format", "csv").stdout.splitlines()

    assert [line.split()[0] for line in table.splitlines()[1:]] == [row["break_id"][:8] for row in rows]
    assert len(lines) == len(rows) + 1
    assert all(row["data_age_days"] > 3 for row in rows)
    assert {row["currency_code"]: 0 for row in rows} == {"EUR": 0, "SEK": 0}
    eur = [row["at_stake_cents"] for row in rows if row["currency_code"] == "EUR"]
    assert min(eur) >= 10000
    assert ["EUR", str(len(eur)), f"{sum(eur) / 100:,.2f}"] in [line.split() for line in sums.splitlines()]


MATCH = (
    "match", str(SAMPLE / "payments.csv"), str(SAMPLE / "all_methods.csv"), "--date", "2026-11-20", "--mode", "live",
    "--no-html", "--no-xlsx", "--out", "nights", "--fail-on", "breaks>99", "--fail-on", "currency_mismatch>1",
)  # fmt: skip


@pytest.mark.parametrize("columns", [80, *(pytest.param(columns, marks=pytest.mark.slow) for columns in (120, 200))])
def test_a_run_ends_with_verdict_limits_what_was_set_aside_and_the_ten_largest(columns: int, workplace: Path) -> None:
    folder = workplace / "folder.txt"
    said = on_a_terminal(MATCH, columns, stdout=folder, NO_COLOR="1")
    verdict, notices, largest = said.split("\n\n")
    title, header, *lines = largest.splitlines()
    rows = [line for line in lines if not line.startswith(" ")]

    assert verdict.startswith("Over limit: 48 breaks in 950 items, at stake DKK ")
    assert notices.splitlines()[:2] == [
        "over limit: currency_mismatch>1: 2 items are currency_mismatch",
        "within limits: breaks>99",
    ]
    assert "\nnote: set aside, as other payment methods have paid them: 540 order rows" in notices
    assert title == "Largest breaks, of each currency in turn"
    assert header.split() == ["Break", "Status", "Reference", "Currency", "At", "stake"]
    assert len(rows) == 11
    assert rows[-1] == "38 more: reconcile breaks list --run nights/2026-11-20"
    assert "          the order total is 100 times the payment: cents taken for units?" in lines
    assert [line for line in said.splitlines() if len(line) > columns and " " in line.strip()] == []
    assert "\x1b" not in said
    assert folder.read_text() == "nights/2026-11-20\n"


def test_a_terminal_has_colour_and_all_figures_where_they_are_asked_for(workplace: Path) -> None:
    said = on_a_terminal((*MATCH, "-v"), 120)

    assert said.count("\x1b[31mAmount differs") == 1
    assert "Days open  Currency  Breaks" in said
    assert "Largest breaks, of each currency in turn" in said
