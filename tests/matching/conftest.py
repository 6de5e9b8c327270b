"""The ways to match, for tests that run on each of them or compare them."""

from __future__ import annotations

from pathlib import Path

import pytest
from matching_world import Match, MatchFiles, match_arrow, match_pandas


@pytest.fixture(params=["pandas", "duckdb"])
def match(request: pytest.FixtureRequest, tmp_path: Path) -> Match:
    """Every way to match, one after the other."""
    return match_pandas if request.param == "pandas" else MatchFiles(tmp_path)


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Match, Match]:
    """Frames in memory, and DuckDB on files."""
    return match_arrow, MatchFiles(tmp_path_factory.mktemp("duckdb"))
