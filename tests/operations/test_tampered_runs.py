"""Run folders that somebody has changed: nothing outside of them is touched, and `runs verify` sees what was done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from nights import EVERY_REPORT, OUT, night, nights_in, said

from reconcile.errors import OutputError
from reconcile.operations.verify import verify
from reconcile.runs.folder import published, read_manifest
from reconcile.runs.verify import verify_run, verify_runs

FIRST, LAST = OUT / "2026-11-19", OUT / "2026-11-20"


def two_nights(folder: Path, **options: Any) -> Path:
    """Run two nights in `folder`, and decide something between them."""
    nights_in(folder, 19, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert said("breaks", "accept", "NW-2611-100812", "--reason", "known").exit_code == 0
        night(20, **options)
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_nights(tmp_path_factory.mktemp("tampered"))


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_nights(tmp_path_factory.mktemp("reported"), **EVERY_REPORT)


@pytest.fixture(autouse=True)
def _two_nights(made: Path, workplace: Path) -> None:
    shutil.copytree(made, workplace, dirs_exist_ok=True)


@pytest.fixture
def reports(reported: Path, _two_nights: None, workplace: Path) -> None:
    """Two nights with pages and workbooks, in place of those without."""
    shutil.rmtree(OUT)
    shutil.copytree(reported, workplace, dirs_exist_ok=True)


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of a run folder."""
    document = json.loads((folder / "manifest.json").read_text())
    change(document)
    (folder / "manifest.json").write_text(json.dumps(document))


def hashed_again(folder: Path, name: str) -> None:
    """Put the present digest of a file into the manifest: a forger's work."""
    content = (folder / name).read_bytes()

    def change(document: dict[str, Any]) -> None:
        (output,) = (one for one in document["outputs"] if one["path"] == name)
        output |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}

    edit(folder, change)


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder that belongs to somebody else, beside the folder of runs."""
    folder = tmp_path / "victim"
    folder.mkdir()
    (folder / "precious.txt").write_text("precious")
    return folder


@pytest.mark.parametrize(
    "run_id",
    [
        "../../victim",
        "",
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in ("{victim}", ".", "..", "a/b", "a\x00b", "x" * 500, "a\n")
        ),
    ],
)
def test_a_run_id_that_leads_elsewhere_removes_nothing_there(run_id: str, victim: Path) -> None:
    kept = OUT / ".superseded" / "20261101-000000000000"
    kept.mkdir(parents=True)
    (kept / "items.csv").write_text("of another run")
    edit(LAST, lambda document: document.update(run_id=run_id.format(victim=victim)))

    night(20, tolerance_cents=5, xlsx=False)

    assert (victim / "precious.txt").read_text() == "precious"
    assert (kept / "items.csv").exists()
    assert (OUT / ".superseded/incomplete-2026-11-20/items.parquet").exists()
    assert read_manifest(LAST).business_date == date(2026, 11, 20)


@pytest.mark.slow
def test_a_replaced_run_is_never_removed_for_one_that_only_has_its_id(victim: Path) -> None:
    own = read_manifest(LAST).run_id
    night(20, tolerance_cents=5, xlsx=False)
    before = (OUT / ".superseded" / own / "items.parquet").read_bytes()
    edit(LAST, lambda document: document.update(run_id=own))

    night(20, tolerance_cents=6, xlsx=False)

    assert (OUT / ".superseded" / own / "items.parquet").read_bytes() == before
    assert (OUT / ".superseded" / f"{own}-2" / "items.parquet").exists()


@pytest.mark.slow
def test_links_are_not_followed_to_remove_or_replace_anything(victim: Path) -> None:
    run_id = read_manifest(LAST).run_id
    (victim / run_id).mkdir()
    (victim / run_id / "precious.txt").write_text("precious")
    (OUT / ".superseded").symlink_to(victim)
    with pytest.raises(OutputError, match=r"\.superseded: cannot be written: is a link"):
        night(20, tolerance_cents=5, xlsx=False)
    (OUT / ".superseded").unlink()
    (OUT / ".2026-11-20.staging").symlink_to(victim)
    (OUT / ".superseded").mkdir()
    (OUT / ".superseded" / run_id).symlink_to(victim / run_id)

    night(20, tolerance_cents=5, xlsx=False)

    assert (victim / "precious.txt").read_text() == "precious"
    assert (victim / run_id / "precious.txt").read_text() == "precious"
    assert [path.name for path in published(OUT)] == ["2026-11-19", "2026-11-20"]


def test_nothing_is_written_through_a_link_at_a_temporary_name(victim: Path) -> None:
    Path(".breaks.csv.partial").symlink_to(victim / "precious.txt")

    assert said("breaks", "export", "breaks.csv").exit_code == 0

    assert (victim / "precious.txt").read_text() == "precious"
    assert Path("breaks.csv").read_text("utf-8-sig").startswith("item_id,")


ODD: list[Any] = [None, True, 7, 1.5, "", "x", "a\x00b", [], ["x"], {}, {"path": "x"}, "9999-12-31", "..", [None]]
ODD_FIELDS = ("business_date", "run_id", "outputs", "previous", "created_at", "settings", "software", "records")
COMMANDS = (
    ("runs", "list"),
    ("runs", "verify"),
    ("runs", "verify", "--replay", str(LAST)),
    ("runs", "diff", str(FIRST), str(LAST)),
    ("breaks", "list"),
    ("explain", "NW-2611-100812"),
    ("report",),
    ("load", str(LAST), "--to", "duckdb:w.duckdb"),
)


@pytest.mark.slow
@pytest.mark.parametrize("field", ODD_FIELDS)
def test_a_manifest_with_a_field_of_another_type_is_read_or_refused(field: str) -> None:
    whole = (LAST / "manifest.json").read_text()
    read = 0
    for value in ODD:
        edit(LAST, lambda document, value=value: document.update({field: value}))
        with contextlib.suppress(OutputError):
            read_manifest(LAST)
            read += 1
        (LAST / "manifest.json").write_text(whole)
    assert read < len(ODD) / 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize("field", ODD_FIELDS)
def test_a_manifest_with_a_field_of_another_type_is_no_traceback(field: str) -> None:
    whole = (LAST / "manifest.json").read_text()
    for value in ODD:
        edit(LAST, lambda document, value=value: document.update({field: value}))
        for words in COMMANDS:
            assert said(*words).exit_code in (0, 1, 2, 3, 5), (value, words)
        (LAST / "manifest.json").write_text(whole)


@pytest.mark.parametrize(
    "output",
    [
        {"path": "../../victim/precious.txt"},
        {"path": "{victim}/precious.txt"},
        {"path": "/dev/zero"},
        {"path": ""},
        {"path": "a//b"},
        {"path": "./items.csv"},
        {"path": "a\x00b"},
        {"path": 7},
        {"sha256": "no digest"},
        {"sha256": None},
        {"bytes": "many"},
        {"rows": "many"},
    ],
)
def test_an_output_that_names_no_file_of_the_folder_is_refused(output: dict[str, Any], victim: Path) -> None:
    named = {key: one.format(victim=victim) if isinstance(one, str) else one for key, one in output.items()}
    edit(LAST, lambda document: document["outputs"][0].update(named))

    with pytest.raises(OutputError, match="is not the manifest of a run"):
        read_manifest(LAST)
    assert said("runs", "verify").exit_code == 1


@pytest.mark.slow
def test_a_manifest_that_is_no_json_or_no_file_is_told(victim: Path) -> None:
    for content in ("", "null", "[]", "{", '"' * 7, "[" * 100_000):
        (LAST / "manifest.json").write_text(content)
        assert said("breaks", "list").exit_code == 5
        assert "manifest.json: is not the manifest of a run" in said("runs", "verify").stdout
    (LAST / "manifest.json").unlink()
    assert "2026-11-20  , 0 files" in said("runs", "verify").stdout
    (LAST / "manifest.json").mkdir()
    assert "manifest.json: cannot be read: Is a directory" in said("runs", "verify").stdout
    assert [line["verdict"] for line in json.loads(said("runs", "list", "--format", "json").stdout)] == [
        "clean_with_exceptions",
        "unreadable",
    ]


def problems(folder: Path = LAST) -> str:
    return " | ".join(sentence for one in verify(OUT) if one.folder == str(folder) for sentence in one.problems)


@pytest.mark.slow
@pytest.mark.usefixtures("reports")
def test_untouched_runs_have_no_problem() -> None:
    assert [(one.problems, one.notes) for one in verify(OUT)] == [((), ()), ((), ())]


def test_a_folder_that_was_renamed_or_copied_to_another_date_is_seen() -> None:
    shutil.copytree(LAST, OUT / "2026-11-21")
    assert "holds the run of 2026-11-20: the folder was renamed or copied" in problems(OUT / "2026-11-21")

    result = said("load", str(OUT / "2026-11-21"), "--to", "duckdb:w.duckdb")
    assert result.exit_code == 5


@pytest.mark.slow
@pytest.mark.usefixtures("reports")
@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("summary.json", '"breaks": ', '"breaks": 1', "summary.json: its counts are not those of the run's files"),
        ("summary.json", "clean_with_exceptions", "clean", "summary.json: its verdict"),
        ("report.html", "breaks", "brakes", "report.html: is not what is rendered from the run's files"),
        ("breaks.csv", "missing_order", "missing_ordre", "breaks.csv: its totals differ from summary.json"),
        ("breaks.csv", "NW-2611-100812", "NW-2611-100813", "breaks.csv: is not what is written from breaks.parquet"),
        ("items.csv", "NW-2611-100812", "NW-2611-100813", "items.csv: is not what is written from items.parquet"),
    ],
)
def test_a_file_of_the_last_run_that_was_changed_and_hashed_again_is_seen(
    name: str, old: str, new: str, problem: str
) -> None:
    text = (LAST / name).read_text()
    assert old in text
    (LAST / name).write_text(text.replace(old, new, 1))
    hashed_again(LAST, name)

    assert problem in problems()


@pytest.mark.slow
def test_breaks_that_were_left_out_and_hashed_again_are_seen() -> None:
    table = pq.read_table(LAST / "breaks.parquet")
    pq.write_table(table.slice(1), LAST / "breaks.parquet")
    hashed_again(LAST, "breaks.parquet")

    assert "breaks.parquet: its rows are not the breaks in items.parquet" in problems()


@pytest.mark.slow
@pytest.mark.usefixtures("reports")
def test_a_workbook_that_was_changed_and_hashed_again_is_seen_when_runs_are_matched_again() -> None:
    (LAST / "report.xlsx").write_bytes((FIRST / "report.xlsx").read_bytes())
    hashed_again(LAST, "report.xlsx")

    (found,) = verify(OUT, [LAST], is_replayed=True)
    assert found.problems == ("report.xlsx: is not what is written from the run's files",)


@pytest.mark.slow
def test_a_chain_that_was_cut_is_seen() -> None:
    edit(LAST, lambda document: document.update(previous=None))

    assert "names no previous run, although that of 2026-11-19 exists: the chain is broken" in problems()


@pytest.mark.slow
def test_a_run_between_a_run_and_the_one_before_it_is_seen() -> None:
    night(21, xlsx=False)
    edit(OUT / "2026-11-21", lambda document: document.update(previous=read_link(FIRST)))

    assert "was made after the run of 2026-11-19, although that of 2026-11-20 exists" in problems(OUT / "2026-11-21")


def read_link(folder: Path) -> dict[str, str]:
    manifest = read_manifest(folder)
    return {
        "business_date": str(manifest.business_date),
        "run_id": manifest.run_id,
        "manifest_sha256": manifest.sha256,
    }


@pytest.mark.slow
def test_a_night_that_ran_late_is_a_note_on_those_after_it() -> None:
    night(23, xlsx=False)
    night(22, xlsx=False)

    by_folder = {one.folder: one for one in verify_runs(OUT)}
    assert by_folder["runs/2026-11-23"].problems == ()
    assert by_folder["runs/2026-11-23"].notes == (
        "the run of 2026-11-22 was published after this one was made: run this date again",
    )


@pytest.mark.slow
def test_a_replaced_run_that_was_altered_is_seen() -> None:
    run_id = read_manifest(LAST).run_id
    night(20, tolerance_cents=5, xlsx=False)
    (OUT / ".superseded" / run_id / "items.csv").write_text("nothing")

    assert problems(OUT / ".superseded" / run_id) == "items.csv was changed since it was published"


@pytest.mark.slow
def test_a_link_in_place_of_a_file_is_seen(tmp_path: Path) -> None:
    shutil.move(LAST / "items.csv", tmp_path / "elsewhere.csv")
    (LAST / "items.csv").symlink_to(tmp_path / "elsewhere.csv")
    assert problems() == "items.csv is a link, and not the file that was published"

    (LAST / "more").symlink_to(tmp_path)
    assert "more is not in the manifest" in problems()


@pytest.mark.parametrize("change", ["edited", "removed line", "removed"])
def test_decisions_that_were_changed_are_seen_and_those_that_were_added_are_not(change: str) -> None:
    record = OUT / "acceptances.csv"
    assert said("breaks", "accept", "NW-2610-100408", "--reason", "late").exit_code == 0
    assert problems() == ""

    lines = record.read_text().splitlines(keepends=True)
    if change == "removed":
        record.unlink()
    else:
        lines[1] = lines[1].replace("known", "knows") if change == "edited" else ""
        record.write_text("".join(lines))
    assert problems() == "acceptances.csv was changed since this run was made: lines may only be added to it"


@pytest.mark.slow
def test_the_run_before_that_cannot_be_read_stops_the_night_before_any_work() -> None:
    (LAST / "manifest.json").write_text("{")

    with pytest.raises(OutputError, match=r"2026-11-20/manifest\.json: is not the manifest of a run"):
        night(21, xlsx=False)
    night(20, xlsx=False)  # the remedy
    night(21, xlsx=False)


@pytest.mark.slow
def test_an_old_run_that_is_damaged_is_told_and_stops_no_night() -> None:
    night(21, xlsx=False)
    before = read_manifest(OUT / "2026-11-21")
    (FIRST / "manifest.json").write_text((FIRST / "manifest.json").read_text()[:1000])
    (FIRST / "breaks.parquet").write_bytes(b"")

    folder = night(22, xlsx=False)

    warnings = json.loads((folder / "summary.json").read_text())["warnings"]
    (warning,) = [one["text"] for one in warnings if one["code"] == "unreadable_run"]
    assert warning.startswith("runs/2026-11-19/manifest.json: is not the manifest of a run")
    assert warning.endswith("none of it was needed")
    again = night(21, xlsx=False)
    assert read_manifest(again).run_id == before.run_id
    listed = said("runs", "list")
    assert listed.exit_code == 0
    assert "warning: runs/2026-11-19/manifest.json: is not the manifest" in listed.stderr
    assert "Unreadable" in listed.stdout
    assert said("breaks", "list").exit_code == 0
    assert said("runs", "verify").exit_code == 1


def test_the_ledger_without_which_a_damaged_run_is_needed_says_what_is_missing() -> None:
    night(21, xlsx=False)
    (FIRST / "manifest.json").write_text("{")
    (OUT / "ledger.duckdb").unlink()
    night(22, xlsx=False)  # its breaks can still be read

    (FIRST / "breaks.parquet").unlink()
    (OUT / "ledger.duckdb").unlink()
    with pytest.raises(OutputError, match=r"2026-11-19/breaks\.parquet: cannot be read") as caught:
        night(22, xlsx=False)
    assert "run its date again" in (caught.value.hint or "")


@pytest.mark.slow
def test_verifying_one_run_looks_at_its_files_too() -> None:
    text = (FIRST / "summary.json").read_text()
    (FIRST / "summary.json").write_text(text.replace('"breaks"', '"brakes"', 1))
    hashed_again(FIRST, "summary.json")

    assert verify_run(FIRST).problems == ()
    assert problems(LAST).startswith("the previous run, 2026-11-19, is not the one")
    (found,) = verify(OUT, [FIRST])
    assert found.problems
