"""Runs that are published: listed, verified, compared."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from nights import OUT, night, nights_in, said

from reconcile.errors import OutputError
from reconcile.figures.compare import counted_changes, diff_runs, list_runs
from reconcile.runs.verify import verify_run, verify_runs


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; in the second a wrong total is put right, one order is gone, and one has come."""
    folder = nights_in(tmp_path_factory.mktemp("nights"), 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        orders = folder / "orders.csv"
        lines = orders.read_text().splitlines()
        assert any("NW-2610-100444" in line for line in lines)
        lines = [line for line in lines if "NW-2610-100444" not in line]
        lines = [line.replace("1701.00", "1700.00") if "NW-2610-100408" in line else line for line in lines]
        fields = lines[1].split(",")
        fields[lines[0].split(",").index("reference")] = "UNHEARD-OF"
        fields[lines[0].split(",").index("order_number")] = ""
        orders.write_text("\n".join([*lines, ",".join(fields)]) + "\n")
        night(21)
    return folder


@pytest.fixture
def two_nights(made: Path, workplace: Path) -> tuple[Path, Path]:
    """A copy of the two runs, in the folder to work in."""
    shutil.copytree(made, workplace, dirs_exist_ok=True)
    return OUT / "2026-11-20", OUT / "2026-11-21"


def test_a_list_has_every_run_with_its_counts_oldest_first(two_nights: tuple[Path, Path]) -> None:
    first, second = list_runs(OUT)

    assert (first.business_date, second.business_date) == ("2026-11-20", "2026-11-21")
    summary = json.loads((two_nights[0] / "summary.json").read_text())
    assert (first.items, first.breaks, first.payments, first.orders) == tuple(
        summary["counts"][name] for name in ("items", "breaks", "payments", "orders")
    )
    breaks = [status for status in summary["statuses"] if status["kind"] == "break"]
    assert first.at_stake["EUR"] == sum(
        line["at_stake_cents"] for status in breaks for line in status["amounts"] if line["currency_code"] == "EUR"
    )


@pytest.mark.slow
def test_replaced_runs_are_listed_where_asked_for(two_nights: tuple[Path, Path]) -> None:
    again = night(20, tolerance_cents=5)

    assert [line.superseded for line in list_runs(OUT)] == [False, False]
    replaced, present, later = list_runs(OUT, with_superseded=True)
    assert (replaced.superseded, present.superseded, later.superseded) == (True, False, False)
    assert Path(present.folder) == again


def test_a_list_comes_as_a_table_as_csv_and_as_json(two_nights: tuple[Path, Path]) -> None:
    table, as_csv, as_json = (said("runs", "list", "--format", form).stdout for form in ("table", "csv", "json"))

    assert [line.split()[0] for line in table.splitlines()] == ["Run", "2026-11-20", "2026-11-21"]
    listed = json.loads(as_json)
    rows = list(csv.DictReader(io.StringIO(as_csv)))
    assert [row["run_id"] for row in rows] == [line["run_id"] for line in listed]
    assert json.loads(rows[0]["at_stake"]) == listed[0]["at_stake"]


def test_a_folder_without_runs_says_so_and_one_that_is_not_there_is_an_error(workplace: Path) -> None:
    OUT.mkdir()

    assert said("runs", "list").stderr == "no run in runs\n"
    assert said("runs", "list", "--format", "json").stdout == "[]\n"
    elsewhere = said("runs", "list", "--out", "elsewhere")
    assert elsewhere.exit_code == 5
    assert "elsewhere: there is no such folder" in elsewhere.stderr


def test_untouched_runs_are_what_was_published(two_nights: tuple[Path, Path]) -> None:
    assert [(one.problems, one.notes) for one in verify_runs(OUT)] == [((), ()), ((), ())]
    assert said("runs", "verify").exit_code == 0
    assert said("runs", "verify", "-q").stdout == ""


@pytest.mark.parametrize("name", ["items.parquet", "items.csv", "summary.json", "payments.parquet", "rejects.csv"])
def test_a_file_with_another_byte_is_found(two_nights: tuple[Path, Path], name: str) -> None:
    with (two_nights[1] / name).open("ab") as file:
        file.write(b" ")

    assert verify_run(two_nights[1]).problems == (f"{name} was changed since it was published",)
    result = said("runs", "verify")
    assert result.exit_code == 1
    assert f"{name} was changed since it was published" in result.stdout


def test_files_that_are_gone_or_were_added_are_found(two_nights: tuple[Path, Path]) -> None:
    (two_nights[0] / "items.csv").unlink()
    (two_nights[0] / "more.csv").write_text("1\n")

    assert verify_run(two_nights[0]).problems == ("items.csv is missing", "more.csv is not in the manifest")


def test_who_alters_an_earlier_run_and_its_manifest_breaks_the_chain(two_nights: tuple[Path, Path]) -> None:
    manifest = two_nights[0] / "manifest.json"
    manifest.write_text(manifest.read_text().replace("clean_with_exceptions", "clean"))

    first, second = verify_runs(OUT)

    assert first.problems == ()
    (problem,) = second.problems
    assert problem.startswith("the previous run, 2026-11-20, is not the one it was made after (20261120-")


@pytest.mark.parametrize("command", [("runs", "verify"), ("explain", "A"), ("report",), ("breaks", "list")])
def test_a_manifest_without_what_it_must_have_is_an_error(
    two_nights: tuple[Path, Path], command: tuple[str, ...]
) -> None:
    (two_nights[1] / "manifest.json").write_text("{}")

    result = said(*command)
    verifies = command[0] == "runs"  # which tells of a run what others stop at
    assert result.exit_code == (1 if verifies else 5)
    told = result.stdout if verifies else result.stderr
    assert f"{two_nights[1]}/manifest.json: is not the manifest of a run: Object missing required field" in told


def test_a_run_that_is_gone_breaks_the_chain(two_nights: tuple[Path, Path]) -> None:
    shutil.rmtree(two_nights[0])

    (problem,) = verify_run(two_nights[1]).problems
    assert problem.startswith("the previous run, 2026-11-20 (20261120-")
    assert problem.endswith("), is gone")


def test_a_run_that_was_made_again_is_a_note_on_the_later_one(two_nights: tuple[Path, Path]) -> None:
    night(20, tolerance_cents=5)

    _, later, replaced = verify_runs(OUT)
    assert replaced.folder.startswith("runs/.superseded/20261120-")
    assert replaced.problems == ()
    assert later.problems == ()
    assert later.notes == ("the run of 2026-11-20 was replaced after this one was made: run this date again",)


def test_a_difference_names_what_changed_what_came_and_what_went(two_nights: tuple[Path, Path]) -> None:
    changes = diff_runs(*two_nights)

    moves = {(one.change, one.reference): (one.before, one.after) for one in changes}
    assert moves["appeared", "UNHEARD-OF"][1]["status"] == "missing_payment"  # type: ignore[index]
    before, after = moves["changed", "NW-2610-100408"]
    assert before == {
        "status": "matched", "order_amount_cents": 170100, "difference_cents": 0,
    }  # fmt: skip
    assert after == {"status": "amount_mismatch", "order_amount_cents": 170000, "difference_cents": 100}
    assert moves["changed", "NW-2610-100444"][1]["status"] == "missing_order"  # type: ignore[index]
    assert ("matched", "missing_order", 1) in counted_changes(changes)
    assert sum(count for *_, count in counted_changes(changes)) == len(changes) == 3


def test_a_run_does_not_differ_from_itself(two_nights: tuple[Path, Path]) -> None:
    assert diff_runs(two_nights[0], two_nights[0]) == []
    assert said("runs", "diff", str(two_nights[0]), str(two_nights[0])).stderr == "no item differs\n"


def test_a_difference_is_told_for_people_and_for_programs(two_nights: tuple[Path, Path]) -> None:
    folders = [str(folder) for folder in two_nights]

    table = said("runs", "diff", *folders)
    assert "Matched -> No order found" in table.stderr
    assert "order_amount_cents 170000" in table.stdout
    listed = json.loads(said("runs", "diff", *folders, "--format", "json").stdout)
    assert {one["change"] for one in listed} == {"appeared", "changed"}


def test_what_is_no_run_folder_is_an_error(two_nights: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is not a run folder"):
        diff_runs(two_nights[0], tmp_path)
    (two_nights[0] / "items.parquet").write_text("no table")
    with pytest.raises(OutputError, match="cannot be compared"):
        diff_runs(*two_nights)


def test_a_run_without_items_csv_is_whole_without_it(two_nights: tuple[Path, Path]) -> None:
    folder = night(22, items_csv=False)

    assert not (folder / "items.csv").exists()
    assert (folder / "breaks.csv").exists()
    assert "items.csv" not in json.loads((folder / "manifest.json").read_text())["outputs"]
    assert verify_run(folder).problems == ()
    assert said("runs", "verify", "--replay", str(folder)).exit_code == 0
