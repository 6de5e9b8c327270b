"""A load that is killed: readers meet whole tables of one run each, and the next load mends everything."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FORMER = [["run-1 5"], ["run-1 5"], ["run-1 4"], ["run-1 1"]]
FOLLOWING = [["run-2 3"], ["run-2 3"], ["run-2 2"], ["run-2 1"]]


def _kills(publish_run: Any, url: str, *, way: str = "kill") -> list[dict[str, Any]]:
    publish_run(items=5)
    following = publish_run(items=3, run_id="run-2")
    former = following.parent / ".superseded" / "run-1"
    script = Path(__file__).with_name("killed_loads.py")
    done = subprocess.run(
        [sys.executable, str(script), way, str(former), str(following), url],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_load_into_duckdb_that_is_killed_at_any_step_has_happened_or_not(publish_run: Any, tmp_path: Path) -> None:
    kills = _kills(publish_run, f"duckdb:{tmp_path}/x.duckdb")

    assert len(kills) > 20
    assert [kill["met"] for kill in kills if kill["met"] not in (FORMER, FOLLOWING)] == []
    assert {json.dumps(kill["met"]) for kill in kills} == {json.dumps(FORMER), json.dumps(FOLLOWING)}
    assert [kill["mended"] for kill in kills if kill["mended"] != FOLLOWING] == []


@pytest.mark.slow
def test_a_load_into_parquet_that_is_killed_at_any_step_leaves_whole_partitions(
    publish_run: Any, tmp_path: Path
) -> None:
    kills = _kills(publish_run, f"parquet:{tmp_path}/warehouse")

    assert len(kills) > 25
    for kill in kills:
        for met, former, following in zip(kill["met"], FORMER, FOLLOWING, strict=True):
            assert met in (former, following)
        # `runs` is last: where it names the new run, every table has it.
        assert kill["met"] == FOLLOWING or kill["met"][-1] == FORMER[-1]
        assert kill["mended"] == FOLLOWING


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["duckdb", "parquet"])
def test_a_load_onto_a_full_disk_is_one_error_and_has_not_happened(kind: str, publish_run: Any, tmp_path: Path) -> None:
    loads = _kills(publish_run, f"{kind}:{tmp_path}/x", way="fill")

    assert len(loads) == 3
    for load in loads:
        assert "File too large" in load["error"]
        assert load["met"] == FORMER
        assert load["mended"] == FOLLOWING
        assert load["made_anew"] == FOLLOWING
