"""The run folder: all or nothing, the older one kept, one run per date at a time."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest

from reconcile.errors import FolderBusy, OutputError
from reconcile.runs import folder, verify
from reconcile.runs.manifest import digest_of_text

NIGHT = date(2026, 11, 20)


def publish(out: Path, run_id: str, text: str = "a\n") -> Path:
    with folder.staged(out, NIGHT) as staging:
        (staging.folder / "items.csv").write_text(text)
        document = {"business_date": NIGHT.isoformat(), "run_id": run_id}
        return staging.publish(document, staging.outputs({"items.csv": 1}))


def test_a_published_folder_has_its_files_and_a_manifest_with_their_digests(tmp_path: Path) -> None:
    place = publish(tmp_path, "r1")

    assert place == tmp_path / "2026-11-20"
    assert sorted(path.name for path in place.iterdir()) == ["items.csv", "manifest.json"]
    assert folder.read_manifest(place).document["outputs"] == [
        {
            "path": "items.csv",
            "sha256": "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7",
            "bytes": 2,
            "rows": 1,
        }
    ]


def test_the_older_folder_of_a_date_is_kept_under_its_run_id(tmp_path: Path) -> None:
    publish(tmp_path, "r1", "old\n")
    publish(tmp_path, "r2", "new\n")

    assert (tmp_path / "2026-11-20" / "items.csv").read_text() == "new\n"
    assert (tmp_path / ".superseded" / "r1" / "items.csv").read_text() == "old\n"


def test_a_run_that_fails_leaves_the_published_folder_alone(tmp_path: Path) -> None:
    publish(tmp_path, "r1", "old\n")

    with pytest.raises(ValueError, match="half"), folder.staged(tmp_path, NIGHT) as staging:
        (staging.folder / "items.csv").write_text("half")
        int("half")

    assert (tmp_path / "2026-11-20" / "items.csv").read_text() == "old\n"
    assert [path.name for path in folder.published(tmp_path)] == ["2026-11-20"]
    assert not (tmp_path / ".2026-11-20.staging").exists()


def test_what_a_killed_run_left_behind_is_not_taken_over(tmp_path: Path) -> None:
    litter = tmp_path / ".2026-11-20.staging"
    litter.mkdir()
    (litter / "payments.parquet").write_text("half")

    place = publish(tmp_path, "r1")

    assert sorted(path.name for path in place.iterdir()) == ["items.csv", "manifest.json"]


def test_two_runs_of_one_date_do_not_meet(tmp_path: Path) -> None:
    with folder.staged(tmp_path, NIGHT), pytest.raises(FolderBusy, match="another run of this date"):
        publish(tmp_path, "r2")

    assert publish(tmp_path, "r2").is_dir()


def test_two_dates_can_run_at_once(tmp_path: Path) -> None:
    with folder.staged(tmp_path, date(2026, 11, 19)):
        assert publish(tmp_path, "r1").is_dir()


def test_a_file_that_was_changed_or_removed_is_found(tmp_path: Path) -> None:
    place = publish(tmp_path, "r1")
    assert verify.altered_files(place) == []

    (place / "items.csv").write_text("b\n")
    assert verify.altered_files(place) == ["items.csv was changed since it was published"]

    (place / "items.csv").unlink()
    assert verify.altered_files(place) == ["items.csv is missing"]


def test_a_folder_without_a_manifest_is_not_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / "2026-11-20").mkdir()

    assert folder.published(tmp_path) == []
    with pytest.raises(OutputError, match="is not a run folder"):
        folder.read_manifest(tmp_path / "2026-11-20")


def test_published_folders_come_oldest_first_and_nothing_else_does(tmp_path: Path) -> None:
    publish(tmp_path, "r1")
    for name in ("2026-11-19", "2026-12-01", "notes", "ledger.duckdb"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(json.dumps({"run_id": name}))

    assert [path.name for path in folder.published(tmp_path)] == ["2026-11-19", "2026-11-20", "2026-12-01"]


def test_a_file_in_the_way_of_the_output_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("not a folder")

    with pytest.raises(OutputError) as caught:
        publish(tmp_path / "runs", "r1")

    assert caught.value.exit_code == 5
    assert caught.value.hint == "choose another folder: a file is in the way"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_without_rights_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        publish(tmp_path / "runs", "r1")


def test_texts_of_a_digest_do_not_run_into_each_other() -> None:
    assert digest_of_text("ab", "c") != digest_of_text("a", "bc")
