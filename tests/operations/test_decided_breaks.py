"""Breaks that people decide about: accepted, seen again when they change, withdrawn, by hand and by a CSV file."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from nights import OUT, breaks_of, night, night_of, nights_in, said
from places import SAMPLE

from reconcile.errors import AcceptanceError
from reconcile.history.breaks import Grounds, accept, accept_sheet, withdraw, write_sheet
from reconcile.history.decisions import NAME, Decision, append_decisions, read_decisions


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nights_in(tmp_path_factory.mktemp("decided"), 20)


@pytest.fixture
def run(made: Path, workplace: Path) -> Path:
    """The run of a night, in the folder to work in."""
    shutil.copytree(made, workplace, dirs_exist_ok=True)
    return OUT / "2026-11-20"


def item(folder: Path, reference: str) -> dict[str, Any]:
    rows = pq.read_table(folder / "items.parquet").to_pylist()
    (row,) = [row for row in rows if row["reference"] == reference]
    return row


def read_sheet() -> list[dict[str, str]]:
    with Path("sheet.csv").open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def save_sheet(rows: list[dict[str, str]], *, encoding: str = "utf-8") -> None:
    with Path("sheet.csv").open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def mismatch(run: Path) -> dict[str, Any]:
    rows = breaks_of(run, status="amount_mismatch", currency="EUR")
    return next(row for row in rows if sum(one["reference"] == row["reference"] for one in rows) == 1)


def change_total(reference: str, cents: int) -> None:
    lines = Path("orders.csv").read_text().splitlines()
    place = lines[0].split(",").index("total_amount")
    changed = []
    for line in lines:
        cells = line.split(",")
        if cells[0] == reference or reference in cells:
            cells[place] = f"{cents // 100}.{cents % 100:02d}"
        changed.append(",".join(cells))
    assert changed != lines
    Path("orders.csv").write_text("\n".join(changed) + "\n")


def test_a_run_may_be_named_from_inside_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference, record = mismatch(run)["reference"], Path("runs/acceptances.csv").resolve()
    monkeypatch.chdir(run)

    assert said("breaks", "accept", reference, "--reason", "known", "--run", ".").exit_code == 0
    assert reference in record.read_text()
    assert not Path("acceptances.csv").exists()


def test_an_accepted_break_stays_visible_and_says_why(run: Path) -> None:
    one = mismatch(run)
    accept(run, [one["reference"]], Grounds("known rounding", until=date(2026, 12, 31), by="finance"))

    later = item(night(21), one["reference"])

    assert later["is_break"]
    assert later["accepted_reason"] == "known rounding"
    assert later["accepted_until"] == date(2026, 12, 31)
    (decided,) = breaks_of(OUT / "2026-11-21", accepted=True)
    assert decided["decision"] == "accepted"
    summary = json.loads((OUT / "2026-11-21" / "summary.json").read_text())
    line = next(line for line in summary["statuses"] if line["status"] == "amount_mismatch")
    eur = next(amount for amount in line["amounts"] if amount["currency_code"] == "EUR")
    assert (eur["accepted_count"], eur["accepted_at_stake_cents"]) == (1, one["at_stake_cents"])


def test_it_returns_when_its_amount_changes(run: Path) -> None:
    one = mismatch(run)
    accept(run, [one["reference"]], Grounds("known"))
    change_total(one["reference"], one["order_amount_cents"] + 7)

    assert item(night(21), one["reference"])["accepted_reason"] is None


@pytest.mark.parametrize(("more", "reason"), [(0, "up to a euro more"), (100, "up to a euro more"), (101, None)])
def test_up_to_its_cap_it_may_change(run: Path, more: int, reason: str | None) -> None:
    one = mismatch(run)
    sign = 1 if one["difference_cents"] > 0 else -1
    cap = one["at_stake_cents"] + 100
    accept(run, [one["item_id"]], Grounds("up to a euro more", cap=f"{cap // 100}.{cap % 100:02d}"))
    if more:
        change_total(one["reference"], one["order_amount_cents"] - sign * more)

    found = item(night(21), one["reference"])

    assert abs(found["difference_cents"]) == one["at_stake_cents"] + more
    assert found["accepted_reason"] == reason


@pytest.mark.slow
def test_it_returns_when_its_currency_changes_in_the_run_and_in_the_list(workplace: Path) -> None:
    night_of([{"reference": "R1", "currency_code": "SEK"}], "reference,total,currency\nR9,1.00,SEK\n", day=19)
    accept(OUT / "2026-11-19", ["R1"], Grounds("known"))
    folder = night_of([{"reference": "R1", "currency_code": "EUR"}], "reference,total,currency\nR9,1.00,EUR\n", day=20)

    (row,) = breaks_of(folder, text="R1")
    assert (row["at_stake_cents"], row["currency_code"], row["state"]) == (1000, "EUR", "open")
    assert (row["accepted_reason"], row["decision"]) == (None, None)


def test_it_returns_when_its_status_changes(run: Path) -> None:
    (one,) = breaks_of(run, status="missing_order")[:1]
    accept(run, [one["item_id"]], Grounds("comes in December", cap="99999.00"))
    text = Path("orders.csv").read_text().rstrip("\n")
    header = text.splitlines()[0].split(",")
    row = dict.fromkeys(header, "")
    row |= {"reference": one["reference"], "total_amount": "1.00", "currency": one["currency_code"]}
    Path("orders.csv").write_text("\n".join([text, ",".join(row.values())]) + "\n")

    found = item(night(21), one["reference"])

    assert found["status"] != "missing_order"
    assert found["accepted_reason"] is None


def test_after_its_last_date_it_returns(run: Path) -> None:
    one = mismatch(run)
    accept(run, [one["reference"]], Grounds("until tomorrow", until=date(2026, 11, 21)))

    assert item(night(21), one["reference"])["accepted_reason"] == "until tomorrow"
    assert item(night(22), one["reference"])["accepted_reason"] is None


@pytest.mark.slow
def test_a_break_is_also_named_as_its_reference_was_written(run: Path) -> None:
    one = mismatch(run)
    later = night(21, clean_case="fold", clean_strip_prefix=("NW-",))

    (row,) = breaks_of(later, text=one["payment_reference"])
    assert row["reference"] != one["reference"]
    assert [decision.item_id for decision in accept(later, [one["payment_reference"]], Grounds("known"))] == [
        one["item_id"]
    ]


@pytest.mark.slow
def test_what_is_decided_later_changes_no_earlier_night(run: Path) -> None:
    one = mismatch(run)
    later = night(21)
    accept(later, [one["reference"]], Grounds("seen on the 21st"))

    assert item(night(20), one["reference"])["accepted_reason"] is None
    assert item(night(21), one["reference"])["accepted_reason"] == "seen on the 21st"


def test_a_withdrawn_acceptance_is_no_more_and_stays_on_record(run: Path) -> None:
    one = mismatch(run)
    accept(run, [one["reference"]], Grounds("known"))
    withdraw(run, [one["reference"]], reason="it was not")

    assert item(night(21), one["reference"])["accepted_reason"] is None
    assert [(line.accepts, line.reason) for line in read_decisions(OUT / NAME)] == [
        (True, "known"),
        (False, "it was not"),
    ]
    with pytest.raises(AcceptanceError, match="is not accepted"):
        withdraw(run, [one["reference"]], reason="again")


def test_an_accepted_break_counts_against_no_limit(run: Path) -> None:
    breaks = breaks_of(run)
    accept(run, [row["item_id"] for row in breaks], Grounds("all known"))

    words = ("match", str(SAMPLE / "payments.csv"), "orders.csv", "--mode", "live", "--fail-on", "breaks>0")
    assert said(*words, "--date", "2026-11-21").exit_code == 0
    change_total(mismatch(run)["reference"], 1)
    result = said(*words, "--date", "2026-11-21")
    assert result.exit_code == 1
    assert "over limit: breaks>0: 1 break" in result.stderr
    assert f"{len(breaks) - 1} accepted" in result.stderr


@pytest.mark.slow
def test_equal_decisions_give_equal_bytes(run: Path) -> None:
    accept(run, [mismatch(run)["item_id"]], Grounds("known"))
    first = (night(21) / "items.parquet").read_bytes()

    assert (night(21) / "items.parquet").read_bytes() == first


def test_names_that_fit_none_or_several_record_nothing(run: Path) -> None:
    with pytest.raises(AcceptanceError, match='"unheard-of": is not a break'):
        accept(run, [mismatch(run)["item_id"], "unheard-of"], Grounds("x"))
    rows = breaks_of(run)
    twice = next(row["reference"] for row in rows if sum(row["reference"] == one["reference"] for one in rows) > 1)
    with pytest.raises(AcceptanceError, match="breaks have it"):
        accept(run, [twice], Grounds("x"))
    assert not (OUT / NAME).exists()

    assert len(accept(run, [twice], Grounds("x"), every=True)) > 1


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--reason", " "), "the reason is empty"),
        (("--reason", "x", "--until", "2026-11-19"), "until 2026-11-19 is before the run of 2026-11-20"),
        (("--reason", "x", "--cap", "1,0"), "could be read two ways"),
        (("--reason", "x", "--cap", "0.01"), "are at stake already"),
    ],
)
def test_what_makes_no_sense_is_told(run: Path, words: tuple[str, ...], problem: str) -> None:
    result = said("breaks", "accept", mismatch(run)["item_id"], *words)

    assert result.exit_code == 3
    assert problem in result.stderr
    assert not (OUT / NAME).exists()


def test_many_are_decided_in_a_file_that_anybody_can_edit(run: Path) -> None:
    assert write_sheet(run, Path("sheet.csv")) == len(breaks_of(run))
    rows = read_sheet()
    for row in rows[:3]:
        row |= {"accept_reason": "=known, by all", "accept_until": "2026-12-31", "accept_by": "ops"}
    save_sheet(rows, encoding="utf-8-sig")

    assert [one.item_id for one in accept_sheet(run, Path("sheet.csv"))] == [row["item_id"] for row in rows[:3]]
    assert accept_sheet(run, Path("sheet.csv")) == []  # what stands is not recorded twice
    assert {one.reason for one in read_decisions(OUT / NAME)} == {"=known, by all"}
    assert len(breaks_of(run, accepted=True)) == 3
    assert "accepted since" in said("breaks", "list", "--accepted").stdout


def test_a_line_about_a_break_that_has_changed_is_an_error_and_records_nothing(run: Path) -> None:
    write_sheet(run, Path("sheet.csv"))
    text = Path("sheet.csv").read_text()
    one = mismatch(run)
    rows = read_sheet()
    for row in rows:
        row["accept_reason"] = "known"
    save_sheet(rows)
    change_total(one["reference"], one["order_amount_cents"] + 7)
    later = night(21)

    is_now = r"sheet.csv:\d+: the break is amount_mismatch [0-9.]+ [A-Z]+ now, not amount_mismatch "
    with pytest.raises(AcceptanceError, match=is_now):
        accept_sheet(later, Path("sheet.csv"))
    assert not (OUT / NAME).exists()
    Path("sheet.csv").write_text(text.replace("accept_reason", "why"))
    with pytest.raises(AcceptanceError, match='there is no column "accept_reason"'):
        accept_sheet(later, Path("sheet.csv"))


@pytest.mark.parametrize(
    ("cells", "problem", "hint"),
    [
        ({"accept_until": "31.13.2026"}, 'accept_until "31.13.2026" is not a date', "write it like 2026-12-31"),
        ({"accept_until": "2026-11-19"}, "until 2026-11-19 is before the run of 2026-11-20", "a later date"),
        ({"accept_cap": "0.00"}, "cap 0.00: ", "a cap is the largest amount that may be at stake"),
        ({"accept_cap": "much"}, "cap: ", "write it as an amount of EUR"),
        ({"item_id": "elsewhere"}, '"elsewhere" is not a break in this run', "write the file again"),
        ({"status": "missing_order"}, "the status of the break is amount_mismatch now", "write the file again"),
    ],
)
def test_a_line_that_cannot_be_taken_is_told_and_nothing_of_the_file_is_recorded(
    run: Path, cells: dict[str, str], problem: str, hint: str
) -> None:
    write_sheet(run, Path("sheet.csv"))
    rows = read_sheet()
    place = next(at for at, row in enumerate(rows) if row["item_id"] == mismatch(run)["item_id"])
    rows[0]["accept_reason"] = rows[place]["accept_reason"] = "known"
    rows[place] |= cells
    save_sheet(rows)

    with pytest.raises(AcceptanceError) as told:
        accept_sheet(run, Path("sheet.csv"))
    assert told.value.message.startswith(f"sheet.csv:{place + 2}: {problem}")
    assert hint in (told.value.hint or "")
    assert not (OUT / NAME).exists()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("x,2026-11-20,perhaps,,,,,,known,,,", 'column "decision": "perhaps" is neither accept nor withdraw'),
        ("x,20.11.2026,accept,,,,,,known,,,", 'column "accepted_on": "20.11.2026" is not a date'),
        ("x,2026-11-20,accept,,1.00,,,,known,,,", 'column "currency_code": "" is not a currency'),
        ("x,2026-11-20,accept,,1.005,EUR,,,known,,,", 'column "at_stake":'),
        ("x,2026-11-20,accept,,,,,,,,,", 'column "reason": is empty'),
        (",2026-11-20,accept,,,,,,known,,,", 'column "item_id": is empty'),
        ("x,2026-11-20,accept,,,,,,known,,,,more", "there are more cells than columns"),
    ],
)
def test_a_decision_that_cannot_be_read_stops_the_run(run: Path, line: str, problem: str) -> None:
    accept(run, [mismatch(run)["item_id"]], Grounds("known"))
    with (OUT / NAME).open("a") as file:
        file.write(line + "\n")

    with pytest.raises(AcceptanceError) as told:
        night(21)
    assert problem in str(told.value)
    assert f"{NAME}:3: " in str(told.value)
    with pytest.raises(AcceptanceError):
        accept(run, [mismatch(run)["item_id"]], Grounds("more"))


def test_a_record_written_by_hand_is_taken(run: Path) -> None:
    one = mismatch(run)
    (OUT / NAME).write_text(f"item_id,accepted_on,reason\r\n{one['item_id']},2026-11-20,by hand")
    accept(run, [row["item_id"] for row in breaks_of(run)[-1:]], Grounds("by command"))

    assert item(night(21), one["reference"])["accepted_reason"] == "by hand"
    assert [line.reason for line in read_decisions(OUT / NAME)] == ["by hand", "by command"]


def test_a_record_that_lacks_columns_loses_nothing_of_a_decision(run: Path) -> None:
    first, second = breaks_of(run)[:2]
    by_hand = f"{first['item_id']},2026-11-20,by hand"
    written = f"item_id,accepted_on,reason,approved in\n{by_hand}"
    (OUT / NAME).write_text(written)
    accept(run, [second["item_id"]], Grounds("for a week", until=date(2026, 11, 27)))
    withdraw(run, [first["item_id"]], reason="not by hand")

    kept, accepted, withdrawn = read_decisions(OUT / NAME)
    assert (kept.accepts, kept.reason) == (True, "by hand")
    assert (accepted.until, accepted.status, accepted.cents) == (
        date(2026, 11, 27),
        second["status"],
        second["at_stake_cents"],
    )
    assert (withdrawn.accepts, withdrawn.reason) == (False, "not by hand")
    assert (OUT / NAME).read_text().startswith(written + "\n")  # lines are added, never changed


@pytest.mark.parametrize(
    "reason",
    [
        "is known\rx,2026-11-20,accept,,,,,,made up,,,",
        *(pytest.param(reason, marks=pytest.mark.slow) for reason in ('"', " \r\n=1,", "’\x1b[31m\u202e")),
    ],
)
def test_a_reason_and_a_name_come_back_in_every_later_command(run: Path, reason: str) -> None:
    one = mismatch(run)
    words = ("--reason", reason, "--by", f"{reason}\rfinance")
    assert said("breaks", "accept", one["item_id"], *words).exit_code == 0

    (decided,) = read_decisions(OUT / NAME)
    assert (decided.reason, decided.by) == (reason, f"{reason}\rfinance")
    assert item(night(21), one["reference"])["accepted_reason"] == reason
    assert said("breaks", "export", "sheet.csv").exit_code == 0
    assert accept_sheet(OUT / "2026-11-21", Path("sheet.csv")) == []
    assert said("breaks", "list", "--accepted").exit_code == 0
    assert said("breaks", "withdraw", one["item_id"], "--reason", reason).exit_code == 0
    assert item(night(21), one["reference"])["accepted_reason"] is None


@pytest.mark.parametrize(
    ("reason", "exit_code", "problem"),
    [
        ("x" * 131_073, 3, "error: reason: has 131,073 characters: 1,000 is the most that is kept\n"),
        ("half \udcff", 2, "error: reason: is not UTF-8\n"),
    ],
)
def test_a_reason_that_cannot_be_kept_is_refused_when_it_is_given(
    run: Path, reason: str, exit_code: int, problem: str
) -> None:
    one = mismatch(run)
    result = said("breaks", "accept", one["item_id"], "--reason", reason)

    assert (result.exit_code, result.stderr.startswith(problem)) == (exit_code, True)
    assert not (OUT / NAME).exists()
    write_sheet(run, Path("sheet.csv"))
    rows = read_sheet()
    rows[0]["accept_reason"] = "x" * 1_001
    save_sheet(rows)
    with pytest.raises(AcceptanceError, match=r"^sheet\.csv:2: reason: has 1,001 characters"):
        accept_sheet(run, Path("sheet.csv"))


@pytest.mark.parametrize("code", ["MGA", "XYZ", "eur"])
def test_a_break_in_a_currency_that_is_not_known_can_be_accepted(workplace: Path, code: str) -> None:
    OUT.mkdir()
    one = Decision("x", date(2026, 11, 20), "known", status="currency_mismatch", cents=-1250, currency_code=code)
    append_decisions(OUT / NAME, [one])

    (read,) = read_decisions(OUT / NAME)
    assert (read.cents, read.status, read.currency_code) == (-1250, "currency_mismatch", code)


def test_a_sheet_may_be_saved_by_a_spreadsheet_that_takes_zeros_away(run: Path) -> None:
    write_sheet(run, Path("sheet.csv"))
    rows = read_sheet()
    shorter = next(row for row in rows if row["at_stake"].endswith("0") and "." in row["at_stake"])
    shorter |= {"at_stake": shorter["at_stake"].rstrip("0").rstrip("."), "accept_reason": "known"}
    save_sheet(rows)

    assert [one.item_id for one in accept_sheet(run, Path("sheet.csv"))] == [shorter["item_id"]]


def test_breaks_are_filtered_and_listed_for_people_and_programs(run: Path) -> None:
    everything = json.loads(said("breaks", "list", "--format", "json").stdout)
    with duckdb.connect() as connection:
        ids = connection.sql(f"SELECT item_id FROM '{run}/breaks.parquet'").fetchall()
    assert [row["item_id"] for row in everything] == [id_ for (id_,) in ids]

    chosen = json.loads(
        said("breaks", "list", "--status", "amount_mismatch", "--currency", "eur", "--format", "json").stdout
    )
    assert {(row["status"], row["currency_code"]) for row in chosen} == {("amount_mismatch", "EUR")}
    one = mismatch(run)
    assert one["reference"] in said("breaks", "list", "--text", one["reference"][-5:].lower()).stdout
    assert said("breaks", "list", "--older-than", "0").stderr == f"no such break in {run}\n"
    assert said("breaks", "list", "--limit", "2").stderr == f"{len(everything) - 2} more\n"
    assert said("breaks", "list", "--status", "nonsense").exit_code == 2
    rows = list(csv.DictReader(said("breaks", "list", "--format", "csv").stdout.splitlines()))
    assert len(rows) == len(everything)
