"""The ways to match, for tests that run on each of them or compare them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from matching_world import Match, MatchFiles, match_arrow, match_large, match_pandas


@pytest.fixture(params=["pandas", pytest.param("duckdb", marks=pytest.mark.slow)])
def match(request: pytest.FixtureRequest, tmp_path: Path) -> Match:
    """Every way to match, one after the other."""
    return match_pandas if request.param == "pandas" else MatchFiles(tmp_path)


@pytest.fixture(scope="session")
def every(tmp_path_factory: pytest.TempPathFactory) -> tuple[Match, ...]:
    """Frames in memory, the same on DuckDB, DuckDB on files, and files in memory."""
    large, small = (
        MatchFiles(tmp_path_factory.mktemp("large")),
        MatchFiles(tmp_path_factory.mktemp("small"), large=False),
    )
    return match_arrow, match_large, large, small


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """
    Give a Spark session on two cores, which matchings with `engine="spark"` then use.

    Small worlds take half the time without code made for each query; the run on processes of their own has it.
    """
    pytest.importorskip("pyspark", reason="install the extra: reconcile[spark]")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests")
    for name, value in _SMALL.items():
        builder = builder.config(name, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        session = builder.getOrCreate()
        yield session
        session.stop()


_SMALL = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.log.level": "ERROR",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.codegen.wholeStage": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
