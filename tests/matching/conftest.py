"""The ways to match, for tests that run on each of them or compare them."""

from __future__ import annotations

from pathlib import Path

import pytest
from matching_world import Match, MatchFiles, match_arrow, match_large, match_pandas


@pytest.fixture(params=["pandas", "duckdb"])
def match(request: pytest.FixtureRequest, tmp_path: Path) -> Match:
    """Every way to match, one after the other."""
    return match_pandas if request.param == "pandas" else MatchFiles(tmp_path)


@pytest.fixture(scope="session")
def every(tmp_path_factory: pytest.TempPathFactory) -> tuple[Match, ...]:
    """Frames in memory, the same on DuckDB, and DuckDB on files."""
    return match_arrow, match_large, MatchFiles(tmp_path_factory.mktemp("duckdb"))
