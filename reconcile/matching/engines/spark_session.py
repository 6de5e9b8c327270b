"""
A Spark session for one matching: one that is there already, or one that is started and stopped again.

Knows what a machine needs for it, and the options that results depend on. Runs no query. pyspark is imported only when
a session is requested.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from reconcile.errors import OutputError, SettingsError, first_line

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEFAULT_MASTER = "local[*]"
"""Spark on this machine, with all its cores."""

_PART_BYTES = 16 << 20  # of compressed Parquet, four times as much in memory

_DUCKDB_REMAINS = "the default engine, duckdb, needs nothing"

# What results depend on: names and strings are compared as they are, times are UTC, an overflow is an error.
_SEMANTICS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "true",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.session.timeZone": "UTC",
}
_QUIET = {
    "spark.app.name": "reconcile",
    "spark.log.level": "ERROR",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_THIS_MACHINE = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}


def check_spark() -> None:
    """Raise SettingsError where Spark cannot run: pyspark or Java is not there."""
    if find_spec("pyspark") is None:
        raise SettingsError(
            'engine "spark" needs pyspark, which is not installed',
            hint=f"install the extra: pip install 'reconcile[spark]'; {_DUCKDB_REMAINS}",
        )
    home = os.environ.get("JAVA_HOME")
    # Whoever started this process from Java (spark-submit) has left the port to it.
    if "PYSPARK_GATEWAY_PORT" not in os.environ and not shutil.which(f"{home}/bin/java" if home else "java"):
        where = f"JAVA_HOME is {home}, where there is none" if home else "there is no `java` on the PATH"
        raise SettingsError(
            f'engine "spark" needs Java, and {where}',
            hint=f"install Java 17 or 21, and set JAVA_HOME where it is not on the PATH; {_DUCKDB_REMAINS}",
        )


@contextlib.contextmanager
def spark_session(master: str, *, input_bytes: int, log: Path) -> Iterator[SparkSession]:
    """
    Give a session on `master` for inputs of `input_bytes` of Parquet; what Java says goes to the file `log`.

    A session that is active in this process is used in place of a new one, with options of its own. Raises
    SettingsError when Spark cannot start, OutputError when it stops with an error.
    """
    check_spark()
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    session = running.newSession() if running is not None else _started(master, log)
    try:
        parts = {
            "spark.sql.files.maxPartitionBytes": str(_PART_BYTES),
            "spark.sql.shuffle.partitions": str(input_bytes // _PART_BYTES + 1),
        }
        for name, value in {**_SEMANTICS, **parts}.items():
            session.conf.set(name, value)
        with _errors_told():
            yield session
    finally:
        if running is None:
            session.stop()


def _started(master: str, log: Path) -> SparkSession:
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkException
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    conf = SparkConf().setMaster(master).setAll(list(_QUIET.items()))
    if master.startswith("local"):
        conf.setAll(list(_THIS_MACHINE.items()))
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        with log.open("wb") as sink, warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of a newer pandas, which nothing here touches
            # Java talks to standard error before any option of ours can reach it.
            gateway = SparkContext._gateway or launch_gateway(
                conf, popen_kwargs={"stdout": sink, "stderr": subprocess.STDOUT}
            )
            return SparkSession(SparkContext(conf=conf, gateway=gateway))
    except (PySparkException, *_java_errors()) as error:
        raise SettingsError(
            f'Spark does not start on master "{master}" ({_said_by_java(log) or _reason(error)})',
            hint=f'masters are "local[*]", "spark://HOST:PORT", "yarn" and the like; {_DUCKDB_REMAINS}',
        ) from error


@contextlib.contextmanager
def _errors_told() -> Iterator[None]:
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, *_java_errors()) as error:
        raise OutputError(
            f"Spark stopped while matching ({_reason(error)})",
            hint="every worker must see the run folder under the same path, and have memory and disk for its part",
        ) from error


def _said_by_java(log: Path) -> str | None:
    """Return what Java says that never came up."""
    found = re.search(r'^(?:Error|Exception in thread "main" [\w.$]+): (.+)$', log.read_text("utf-8", "replace"), re.M)
    return found[1] if found else None


def _java_errors() -> tuple[type[Exception], ...]:
    from py4j.protocol import Py4JError

    return Py4JError, ConnectionError


def _reason(error: Exception) -> str:
    """Return what Java says, without the stack."""
    java = getattr(error, "java_exception", None)
    return first_line(error if java is None else RuntimeError(java.getMessage() or java.toString()))
