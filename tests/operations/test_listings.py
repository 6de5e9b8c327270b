"""Listings: the same figures for people and for programs, at every width, and not a word more than asked for."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TextIO

import pytest
from click.testing import CliRunner, Result
from places import SAMPLE

from reconcile.cli import console
from reconcile.cli.listing import show_json
from reconcile.cli.main import main
from reconcile.operations.night import match
from reconcile.settings.settings import Settings

ORDERS = str(SAMPLE / "orders.csv")
REFERENCE = "NW-2611-100812"
RUN = "runs/2026-11-20"


@pytest.fixture(scope="session")
def one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("listed")
    settings = Settings.of(orders=(ORDERS,), mode="live", out=str(folder / "runs"))
    match(settings, SAMPLE / "payments.csv", business_date=date(2026, 11, 20))
    return folder


@pytest.fixture
def night(one_night: Path, workplace: Path) -> Path:
    """A run in the folder to work in."""
    shutil.copytree(one_night, workplace, dirs_exist_ok=True)
    return workplace / RUN


def said(*words: str, **environ: str) -> Result:
    return CliRunner().invoke(main, words, env=environ, catch_exceptions=False)


def told(*words: str, **environ: str) -> Any:
    return json.loads(said(*words, "--format", "json", **environ).stdout)


def test_check_tells_programs_what_it_tells_people(workplace: Path) -> None:
    (workplace / "bad.csv").write_text("reference,total,currency\nA,x,EUR\n")
    text = said("check", "--offline", "bad.csv")
    found = told("check", "--offline", "bad.csv")

    assert [one["subject"] for one in found] == ["settings", "disk", "orders"]
    assert [one["verdict"] for one in found] == ["ok", "ok", "fail"]
    # What is free on the disk may change between the two.
    told_twice = [one["message"] for one in found if one["subject"] != "disk"]
    assert all(line in text.stdout for message in told_twice for line in message.split("\n"))
    assert [one["exit_code"] for one in found] == [0, 0, 3]
    assert said("check", "--offline", "bad.csv", "--format", "json").exit_code == text.exit_code == 3


@pytest.mark.slow
def test_verify_tells_programs_what_it_tells_people(night: Path) -> None:
    (untouched,) = told("runs", "verify")
    (night / "items.csv").write_text("")
    result = said("runs", "verify", "--format", "json")
    (changed,) = json.loads(result.stdout)

    assert (untouched["verdict"], untouched["folder"], untouched["problems"]) == ("ok", RUN, [])
    assert untouched["files"] == len([path for path in night.rglob("*") if path.is_file()])
    assert (changed["verdict"], changed["problems"]) == ("changed", ["items.csv was changed since it was published"])
    assert result.exit_code == 1
    assert said("runs", "verify").stdout.startswith(f"CHANGED {RUN}  {changed['run_id']}, {changed['files']} files\n")


def test_order_totals_are_inspected_with_exact_amounts_whatever_their_size(workplace: Path) -> None:
    cents = 2**62 - 1
    rows = [f"R{number},{cents},EUR,2026-11-20" for number in range(5)]
    (workplace / "orders.csv").write_text("\n".join(["reference,total_amount_cents,currency,ordered_on", *rows]))
    look = told("orders", "inspect", "orders.csv", "--rows", "1")

    (first,) = look["first_rows"]
    assert (first["reference"], first["amount_cents"], first["ordered_on"]) == ("R0", cents, "2026-11-20")
    assert look["totals"] == [{"currency_code": "EUR", "rows": 5, "amount_cents": 5 * cents}]
    assert [one["key"] for one in look["keys"]] == ["reference", "order_number", "order_id"]
    assert look["report"]["files"][0]["columns"]["amount"] == "total_amount_cents"


def test_rejects_are_inspected_with_the_exit_code_of_a_run(workplace: Path) -> None:
    (workplace / "orders.csv").write_text("reference,total,currency\nA,x,EUR\n")
    result = said("orders", "inspect", "orders.csv", "--format", "json")

    (reject,) = json.loads(result.stdout)["rejects"]
    assert (reject["source_line"], reject["column"], reject["value"]) == ("2", "total", "x")
    assert result.exit_code == 3


@pytest.mark.parametrize("name", ["pull", "run"])
def test_a_plan_is_told_to_programs_and_only_a_plan(name: str, values: dict[str, str]) -> None:
    access = {f"RECONCILE_{word.upper()}": values[word] for word in ("client_id", "client_secret")}
    words = [name, "--api-url", values["api"], *([ORDERS] if name == "run" else [])]
    plan = told(*words, "--dry-run", **access)
    without = said(*words, "--format", "json", **access)

    assert (plan["payments"], plan["mode"], plan["transport"], plan["orders"]) == (400, "live", "pages", None)
    assert set(plan["by_pages"]) == {"requests", "minutes"}
    assert f"{plan['payments']} in total" in said(*words, "--dry-run", **access).stdout
    assert (without.exit_code, without.stdout) == (2, "")
    assert list(Path().iterdir()) == []


def test_an_explanation_has_times_as_the_api_writes_them(night: Path) -> None:
    (one,) = told("explain", REFERENCE)

    created_at = one["item"]["payment_created_at"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created_at)
    assert created_at in said("explain", REFERENCE).stdout
    assert one["item"]["business_date"] == "2026-11-20"


LISTINGS = {
    "breaks": ("breaks", "list"),
    "runs": ("runs", "list"),
    "diff": ("runs", "diff", RUN, RUN),
    "verify": ("runs", "verify"),
    "explain": ("explain", REFERENCE),
    "inspect": ("orders", "inspect", ORDERS),
    "check": ("check", "--offline", ORDERS),
}


@pytest.mark.parametrize("words", LISTINGS.values(), ids=LISTINGS)
@pytest.mark.usefixtures("night")
def test_a_listing_is_json_alone_on_standard_output(words: tuple[str, ...]) -> None:
    result = said(*words, "--format", "json")

    json.loads(result.stdout)
    assert result.stderr == ""


@pytest.mark.parametrize("columns", [40, pytest.param(80, marks=pytest.mark.slow)])
@pytest.mark.parametrize("words", LISTINGS.values(), ids=LISTINGS)
@pytest.mark.usefixtures("night")
def test_a_listing_is_no_wider_than_the_terminal_where_its_words_allow_it(words: tuple[str, ...], columns: int) -> None:
    lines = said(*words, COLUMNS=str(columns)).stdout.splitlines()

    # A word that is too long stands on a line of its own, whole: it may be wanted for copying.
    assert [line for line in lines if len(line) > columns and " " in line.strip()] == []


def test_text_that_goes_to_no_terminal_is_not_folded(night: Path) -> None:
    lines = said("explain", "TEST-0").stdout.splitlines()

    assert any(len(line) > 90 and "order_number" in line and "left unmatched" in line for line in lines)


def test_a_column_that_no_row_has_is_left_out_of_the_table_and_not_of_the_rest(night: Path) -> None:
    table, as_csv = (said("breaks", "list", "--format", form).stdout.splitlines() for form in ("table", "csv"))

    columns = re.split(" {2,}", table[0])
    assert {"Break", "Code", "Likely cause"} <= set(columns)
    assert not {"Decision", "Method", "Market"} & set(columns)
    assert {"decision", "accepted_reason", "order_method", "market_name"} <= set(as_csv[0].split(","))


def test_an_item_is_named_by_the_id_that_the_list_shows(night: Path) -> None:
    one = told("breaks", "list", "--status", "duplicate_reference")[0]
    short = said("breaks", "list", "--status", "duplicate_reference").stdout.splitlines()[1].split()[0]
    assert one["item_id"].startswith(short)
    assert len(short) == 8

    (explained,) = told("explain", short)
    assert explained["item"]["item_id"] == one["item_id"]
    assert said("breaks", "accept", short, "--reason", "known").stderr.startswith("accepted ")
    assert [row["item_id"] for row in told("breaks", "list") if row["decision"]] == [one["item_id"]]


def test_fewer_signs_of_an_id_name_nothing(night: Path) -> None:
    one = told("breaks", "list")[0]["item_id"]

    assert said("explain", one[:7]).exit_code == 3
    assert said("breaks", "accept", one[:7], "--reason", "known").exit_code == 3
    assert said("explain", one[:7] + ("0" if one[7] != "0" else "1")).exit_code == 3


@pytest.mark.parametrize("option", ["--quiet", "--log-json"])
def test_nothing_is_said_of_an_empty_list_to_who_wants_no_talk(option: str, night: Path) -> None:
    for words in (
        ("breaks", "list", "--text", "unheard-of"),
        ("runs", "diff", RUN, RUN),
        ("runs", "list", "--out", "."),
    ):
        assert said(*words).stderr != ""
        assert said(*words, option).stderr == ""
    assert said("breaks", "list", "--limit", "1", option).stderr == ""


@pytest.mark.slow
def test_the_name_of_a_folder_cannot_steer_the_terminal(night: Path) -> None:
    night.rename("\x1b]run")
    result = said("runs", "verify", "\x1b]run")

    assert result.stdout.startswith("ok      ?]run  ")
    assert told("runs", "verify", "\x1b]run")[0]["folder"] == "\x1b]run"

    Path("\x1b]run").rename("\x9b31m")
    assert "\x9b" not in said("runs", "verify", "\x9b31m", "--format", "json").stdout
    assert told("runs", "verify", "\x9b31m")[0]["folder"] == "\x9b31m"


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    """A terminal of 63 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 63, 0, 0))
    with os.fdopen(ours), os.fdopen(theirs, "w") as stream:
        yield stream


@pytest.mark.parametrize(("name", "width"), [("stdout", console.line_width), ("stderr", console.talk_width)])
def test_the_width_is_that_of_the_terminal_that_an_output_goes_to(
    name: str, width: Callable[[], int | None], terminal: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (console.line_width(), console.talk_width()) == (None, None)

    monkeypatch.setattr(sys, name, terminal)

    assert width() == 63
    assert {console.line_width(), console.talk_width()} == {63, None}


@pytest.mark.parametrize(("said", "columns"), [("72", 72), ("7", 40), ("0", None), ("wide", None), ("", None)])
def test_columns_says_the_width_where_it_is_a_number(
    said: str, columns: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", said)

    assert (console.line_width(), console.talk_width()) == (columns, columns)


def test_colour_is_for_terminals_where_nobody_asked_for_none(terminal: TextIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not console.colour()

    monkeypatch.setattr(sys, "stderr", terminal)
    assert console.colour()

    monkeypatch.setenv("NO_COLOR", "1")
    assert not console.colour()


def test_json_keeps_integers_of_any_size_and_texts_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"cents": 2**80, "text": "größer \x1b", "on": date(2026, 11, 20), "none": None, "several": (1, 2)})

    written = capsys.readouterr().out
    assert json.loads(written) == {
        "cents": 2**80, "text": "größer \x1b", "on": "2026-11-20", "none": None, "several": [1, 2],
    }  # fmt: skip
    assert "größer \\u001b" in written
