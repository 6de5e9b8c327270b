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
from nights import OUT, night, nights_in, said

from reconcile.replay import Replay, replay

WRONG = "NW-2611-100812"
RULES: dict[str, Any] = {"tolerance_cents": 3, "clean_case": "fold", "clean_strip_prefix": ("nw-",), "lag_days": 1}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three nights; after the first a break is accepted, the third has rules of its own."""
    folder = nights_in(tmp_path_factory.mktemp("replayed"), 18)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert said("breaks", "accept", WRONG, "--reason", "known").exit_code == 0
        night(19)
        night(20, **RULES)
    return folder


@pytest.fixture
def nights(made: Path, workplace: Path) -> list[Path]:
    shutil.copytree(made, workplace, dirs_exist_ok=True)
    return [OUT / f"2026-11-{day}" for day in (18, 19, 20)]


def rewrite(folder: Path, name: str, column: str, value: Any) -> None:
    """Set `column` of the first row of a run's table, and its digest in the manifest: a forger's work."""
    table = pq.read_table(folder / name)
    rows = table.to_pylist()
    rows[0][column] = value
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), folder / name)
    document = json.loads((folder / "manifest.json").read_bytes())
    for output in document["outputs"]:
        if output["path"] == name:
            output["sha256"] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(document))


def test_every_night_comes_out_byte_for_byte(nights: list[Path]) -> None:
    assert list(replay(nights)) == [Replay(str(folder)) for folder in nights]
    # A night comes out by itself too, and looking at it changes nothing.
    before = sorted((path, path.stat().st_mtime_ns) for path in OUT.rglob("*"))
    assert list(replay(nights[2:])) == [Replay(str(nights[2]))]
    assert sorted((path, path.stat().st_mtime_ns) for path in OUT.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "column", "value", "rows"),
    [
        ("payments.parquet", "total_amount_with_taxes_cents", 1, 1),
        ("orders.parquet", "currency_code", "CHF", 1),
        ("items.parquet", "difference_cents", 12345, 1),
        ("items.parquet", "accepted_reason", "as agreed", 1),
        ("items.parquet", "age_days", 0, 1),
        ("items.parquet", "item_id", "f" * 32, 2),
    ],
)
def test_a_forged_table_is_found_though_its_digest_is_forged_too(
    nights: list[Path], name: str, column: str, value: Any, rows: int
) -> None:
    rewrite(nights[1], name, column, value)

    (found,) = replay([nights[1]])
    assert found.problem == f"matched again, {rows} of its items are others"
    result = said("runs", "verify", "--replay", str(nights[1]))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"CHANGED {nights[1]}  ")
    assert f"matched again, {rows} of its items are others\n" in result.stdout


def test_what_earlier_nights_or_decisions_say_since_is_a_note(nights: list[Path]) -> None:
    said("breaks", "accept", "NW-2611-100820", "--reason", "late", "--run", str(nights[1]))
    assert list(replay([nights[1]])) == [Replay(str(nights[1]))]  # decided after the run

    night(18, lag_days=60)  # hides what was open
    (found,) = replay([nights[1]])
    assert found == Replay(
        str(nights[1]), note="runs before it, decisions or the version have changed since: run its date again"
    )


def test_other_bytes_of_the_same_rows_are_a_note(nights: list[Path]) -> None:
    rows = pq.read_table(nights[0] / "items.parquet")
    pq.write_table(rows, nights[0] / "items.parquet", compression="none")

    (found,) = replay(nights[:1])
    assert found == Replay(str(nights[0]), note="matched again the same rows, in other bytes: rewritten")


def test_the_command_tells_people_and_programs(nights: list[Path]) -> None:
    lines = said("runs", "verify", "--replay").stdout.splitlines()
    assert [line.split(", ", 1)[1] for line in lines] == ["11 files, matched again"] * 3

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
    document["settings"]["tolerance_cents"] = "many"
    (nights[1] / "manifest.json").write_text(json.dumps(document))
    shutil.move(nights[0] / "breaks.parquet", "breaks.parquet")

    first, second, third = replay(nights)
    assert first == Replay(str(nights[0]))
    assert str(second.problem).startswith(
        "cannot be matched again: runs/2026-11-19/manifest.json: its settings are not"
    )
    assert third.problem == (
        "cannot be matched again: "
        f"{nights[0].resolve()}/breaks.parquet is missing, which tells what was open the night before"
    )


def test_a_run_may_be_named_from_inside_and_after_it_was_replaced(
    nights: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = json.loads((nights[2] / "manifest.json").read_bytes())["run_id"]
    night(20, tolerance_cents=5)
    assert said("runs", "verify", "--replay", str(OUT / ".superseded" / run_id)).exit_code == 0

    monkeypatch.chdir(nights[1])
    assert said("runs", "verify", ".", "--replay").stdout.endswith("11 files, matched again\n")
    assert "2026-11-18  amount_mismatch" in said("explain", WRONG, "--run", ".").stdout
