"""Spark gives what DuckDB gives, to the byte: every case, random worlds, other processes; and says what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from matching_world import BUSINESS_DATE, Case, MatchFiles, orders_table, payments_table
from test_cases import marked, worlds
from worlds import policies
from worlds import worlds as any_worlds

from reconcile.errors import SettingsError
from reconcile.history.identity import BEFORE
from reconcile.history.states import BreakStates
from reconcile.matching.engines import spark_session
from reconcile.matching.match import check_engine
from reconcile.matching.policy import MatchPolicy
from reconcile.matching.report import MatchReport

SAMPLE = Path(__file__).parents[2] / "sample_data"
World = tuple[pa.Table, pa.Table]


def both(folder: Path, world: World, **settings: Any) -> list[tuple[bytes, MatchReport]]:
    """Return the file of items and the report by DuckDB and by Spark."""
    found = []
    for engine in ("duckdb", "spark"):
        _, report = MatchFiles(folder)(*world, engine=engine, **settings)
        found.append(((folder / "items.parquet").read_bytes(), report))
    return found


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize("cases", worlds(), ids=lambda cases: cases[0].name)
def test_cases_on_spark(cases: list[Case], tmp_path: Path) -> None:
    payments, orders = (
        pa.concat_tables(marked(table, place) if len(cases) > 1 else table for place, table in enumerate(tables))
        for tables in ([case.payments for case in cases], [case.orders for case in cases])
    )
    settings = {"policy": cases[0].policy, "business_date": cases[0].business_date}
    money = [
        marked(case.transactions, place) if len(cases) > 1 else case.transactions
        for place, case in enumerate(cases)
        if case.transactions is not None
    ]
    transactions = pa.concat_tables(money) if money else None
    duckdb, spark = both(tmp_path, (payments, orders), transactions=transactions, **settings)

    assert spark == duckdb


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.usefixtures("spark")
def test_breaks_are_known_again_on_spark(tmp_path: Path) -> None:
    world = (
        payments_table([{"reference": f"R{number}", "order_number": f"{number}"} for number in range(9)]),
        orders_table([{"reference": f"R{number}", "amount_cents": 10000 + number % 3} for number in range(3, 12)]),
    )
    MatchFiles(tmp_path)(*world, policy=MatchPolicy())
    breaks = pq.read_table(tmp_path / "items.parquet", filters=[("is_break", "=", True)]).select(BEFORE.names)
    states = BreakStates(BUSINESS_DATE, before=breaks.slice(2).cast(BEFORE))
    duckdb, spark = both(tmp_path, world, policy=MatchPolicy(), states=states)

    assert spark == duckdb
    assert set(pq.read_table(tmp_path / "items.parquet").column("state").to_pylist()) == {None, "new", "open"}


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("spark")
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(world=any_worlds, policy=policies)
def test_random_worlds_on_spark(tmp_path_factory: pytest.TempPathFactory, world: World, policy: MatchPolicy) -> None:
    duckdb, spark = both(tmp_path_factory.mktemp("world"), world, policy=policy)

    assert spark == duckdb


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("spark")
def test_a_hint_counts_the_same_on_spark(tmp_path: Path) -> None:
    payments = payments_table([{"reference": f"PO-{number:03}"} for number in range(12)])
    orders = orders_table([{"reference": f"{number:03}"} for number in range(12)])
    duckdb, spark = both(tmp_path, (payments, orders), policy=MatchPolicy())

    assert spark == duckdb
    assert "strip_prefix" in str(spark[1].hint)


@pytest.fixture
def spark_home(tmp_path: Path) -> Path:
    """Give Spark's programs under a folder in which its workers may write."""
    pyspark = pytest.importorskip("pyspark", reason="install the extra: reconcile[spark]")
    if not shutil.which("java"):
        pytest.skip("Spark needs Java")
    home = tmp_path / "spark"
    home.mkdir()
    for one in Path(pyspark.__file__).parent.iterdir():
        (home / one.name).symlink_to(one)
    return home


def reconcile(folder: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SPARK_HOME": str(home)}
    command = [sys.executable, "-m", "reconcile", "match", str(SAMPLE / "payments.csv"), str(SAMPLE / "orders.csv")]
    options = ["--date", "2026-11-20", *words]
    return subprocess.run([*command, *options], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(600)
def test_two_processes_of_a_cluster_give_the_same_run_and_say_as_little(tmp_path: Path, spark_home: Path) -> None:
    rules = '[match.clean]\ncase = "fold"\nreplace = [{ pattern = "[ .-]" }]\nstrip_suffix = ["É"]\n'
    (tmp_path / "reconcile.toml").write_text(rules, "utf-8")
    alone = reconcile(tmp_path, spark_home, "--out", "alone")
    cluster = "local-cluster[2,1,1024]"
    together = reconcile(tmp_path, spark_home, "--out", "together", "--engine", "spark", "--spark-master", cluster)

    assert (together.returncode, together.stderr.replace("together", "alone")) == (alone.returncode, alone.stderr)
    names = ("items.parquet", "breaks.parquet", "items.csv")
    runs = [[(tmp_path / out / "2026-11-20" / name).read_bytes() for name in names] for out in ("together", "alone")]
    assert runs[0] == runs[1]
    executors = sorted(path.name for path in spark_home.glob("work/app-*/*"))
    assert executors == ["0", "1"]


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(600)
def test_a_master_that_is_none_is_named(tmp_path: Path, spark_home: Path) -> None:
    done = reconcile(tmp_path, spark_home, "--engine", "spark", "--spark-master", "nowhere")

    assert done.returncode == 2
    assert done.stderr == (
        'error: Spark does not start on master "nowhere" '
        "(Master must either be yarn or start with spark, k8s, or local)\n"
        'hint: masters are "local[*]", "spark://HOST:PORT", "yarn" and the like; '
        "the default engine, duckdb, needs nothing\n"
    )


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_session, "find_spec", lambda _: None)
    with pytest.raises(SettingsError) as caught:
        spark_session.check_spark()

    assert caught.value.explained() == (
        'engine "spark" needs pyspark, which is not installed\n'
        "hint: install the extra: pip install 'reconcile[spark]'; the default engine, duckdb, needs nothing"
    )


@pytest.mark.parametrize(
    ("home", "where"),
    [(None, "there is no `java` on the PATH"), ("/nowhere", "JAVA_HOME is /nowhere, where there is none")],
)
def test_without_java_it_is_told_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch, home: str | None, where: str
) -> None:
    monkeypatch.setattr(spark_session, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    if home:
        monkeypatch.setenv("JAVA_HOME", home)
    with pytest.raises(SettingsError) as caught:
        spark_session.check_spark()

    assert caught.value.explained() == (
        f'engine "spark" needs Java, and {where}\n'
        "hint: install Java 17 or 21, and set JAVA_HOME where it is not on the PATH; "
        "the default engine, duckdb, needs nothing"
    )


def test_an_engine_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match='engine "flink" is not one of duckdb, spark'):
        check_engine("flink")
