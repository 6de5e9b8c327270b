"""A published run matched again from its own inputs: the same bytes, or what differs, and why."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from nights import EVERY_REPORT, OUT, night, nights_in, said

from reconcile.operations.verify import verify
from reconcile.runs.verify import Verification

WRONG = "NW-2611-100812"
RULES: dict[str, Any] = {"tolerance_cents": 3, "clean_case": "fold", "clean_strip_prefix": ("nw-",), "lag_days": 1}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three nights; after the first a break is accepted, the third has rules, a page and a workbook of its own."""
    folder = nights_in(tmp_path_factory.mktemp("replayed"), 18)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert said("breaks", "accept", WRONG, "--reason", "known").exit_code == 0
        night(19)
        night(20, **EVERY_REPORT, **RULES)
    return folder


@pytest.fixture
def nights(made: Path, workplace: Path) -> list[Path]:
    shutil.copytree(made, workplace, dirs_exist_ok=True)
    return [OUT / f"2026-11-{day}" for day in (18, 19, 20)]


def changed(table: pa.Table, column: str, value: Any) -> tuple[int, pa.Field[Any], pa.Array[Any]]:
    """Return `column` of `table` with `value` in its first row, as `set_column` takes it."""
    field = table.schema.field(column)
    return table.schema.get_field_index(column), field, pa.array([value, *table[column].to_pylist()[1:]], field.type)


def rewrite(folder: Path, name: str, table: pa.Table) -> None:
    """Put `table` in place of a run's, and its digest into the manifest: a forger's work."""
    pq.write_table(table, folder / name)
    rehash(folder, name)


def rehash(folder: Path, name: str) -> None:
    """Put the digest of a file as it is now into the manifest."""
    document = json.loads((folder / "manifest.json").read_bytes())
    for output in document["outputs"]:
        if output["path"] == name:
            output["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(document))


def replayed(folders: list[Path]) -> list[Verification]:
    """Verify the runs in `folders`, matching each again."""
    return verify(OUT, folders, is_replayed=True)


def test_every_night_comes_out_byte_for_byte(nights: list[Path]) -> None:
    assert [(one.problems, one.notes, one.replayed) for one in replayed(nights)] == [((), (), True)] * 3
    # A night comes out by itself too, and looking at it changes nothing.
    before = sorted((path, path.stat().st_mtime_ns) for path in OUT.rglob("*"))
    assert [(one.problems, one.notes) for one in replayed(nights[2:])] == [((), ())]
    assert sorted((path, path.stat().st_mtime_ns) for path in OUT.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "column", "value", "rows"),
    [
        ("payments.parquet", "total_amount_with_taxes_cents", 1, 1),
        pytest.param("orders.parquet", "currency_code", "CHF", 1, marks=pytest.mark.slow),
        pytest.param("items.parquet", "difference_cents", 12345, 1, marks=pytest.mark.slow),
        pytest.param("items.parquet", "accepted_reason", "as agreed", 1, marks=pytest.mark.slow),
        pytest.param("items.parquet", "age_days", 0, 1, marks=pytest.mark.slow),
        ("items.parquet", "item_id", "f" * 32, 2),
    ],
)
def test_a_forged_table_is_found_though_its_digest_is_forged_too(
    nights: list[Path], name: str, column: str, value: Any, rows: int
) -> None:
    table = pq.read_table(nights[1] / name)
    rewrite(nights[1], name, table.set_column(*changed(table, column, value)))

    (found,) = replayed([nights[1]])
    assert f"matched again, {rows} of its items differ" in found.problems
    result = said("runs", "verify", "--replay", str(nights[1]))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"CHANGED {nights[1]}  ")
    assert f"matched again, {rows} of its items differ\n" in result.stdout


@pytest.mark.slow
def test_what_earlier_nights_or_decisions_say_since_is_a_note(nights: list[Path]) -> None:
    said("breaks", "accept", "NW-2611-100820", "--reason", "late", "--run", str(nights[1]))
    (found,) = replayed([nights[1]])  # decided after the run
    assert (found.problems, found.notes) == ((), ())

    night(18, lag_days=60)  # hides what was open
    (found,) = replayed([nights[1]])
    assert found.problems == ()
    assert found.notes == (
        "the run of 2026-11-18 was replaced after this one was made: run this date again",
        "runs before it, decisions or the version have changed since: run its date again",
    )


def test_other_bytes_of_the_same_rows_are_a_note(nights: list[Path]) -> None:
    rewrite(nights[0], "items.parquet", pq.read_table(nights[0] / "items.parquet"))

    (found,) = replayed(nights[:1])
    assert found.problems == ()
    assert found.notes == ("matched again: the same rows, in different bytes: rewritten",)


@pytest.mark.slow
def test_the_command_tells_people_and_programs(nights: list[Path]) -> None:
    lines = said("runs", "verify", "--replay").stdout.splitlines()
    assert [line.split(", ", 1)[1] for line in lines] == [f"{files} files, matched again" for files in (9, 9, 11)]

    found = json.loads(said("runs", "verify", "--replay", "--format", "json").stdout)
    assert [(one["verdict"], one["replayed"], one["problems"]) for one in found] == [("ok", True, [])] * 3
    assert not json.loads(said("runs", "verify", "--format", "json").stdout)[0]["replayed"]


def test_a_run_with_a_changed_file_is_not_matched_again(nights: list[Path]) -> None:
    (nights[0] / "payments.parquet").write_bytes(b"no table")

    result = said("runs", "verify", "--replay", str(nights[0]))
    assert result.exit_code == 1
    assert "payments.parquet was changed since it was published" in result.stdout
    assert "matched again" not in result.stdout


def test_a_run_that_cannot_be_matched_again_keeps_no_other_from_it(nights: list[Path]) -> None:
    document = json.loads((nights[1] / "manifest.json").read_bytes())
    document["settings"]["match"]["tolerance_cents"] = "many"
    (nights[1] / "manifest.json").write_text(json.dumps(document))

    first, second, third = replayed(nights)
    assert (first.problems, first.replayed) == ((), True)
    assert second.problems[0].startswith("cannot be made again: runs/2026-11-19/manifest.json: its settings are from")
    assert third.problems[0].startswith("the previous run, 2026-11-19, is not the one it was made after")


@pytest.mark.slow
def test_a_run_may_be_named_from_inside_and_after_it_was_replaced(
    nights: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = json.loads((nights[2] / "manifest.json").read_bytes())["run_id"]
    night(20, tolerance_cents=5)
    assert said("runs", "verify", "--replay", str(OUT / ".superseded" / run_id)).exit_code == 0

    monkeypatch.chdir(nights[1])
    assert said("runs", "verify", ".", "--replay").stdout.endswith(" 9 files, matched again\n")
    assert "2026-11-18  Amount differs" in said("explain", WRONG, "--run", ".").stdout
