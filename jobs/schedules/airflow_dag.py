"""
Airflow: the nightly run as one task, in its own virtual environment, with a reaction to each exit code.

The run is a command, so that its packages and Airflow's never meet. Copy this file into the DAGs folder.
"""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

from airflow.exceptions import AirflowException, AirflowFailException
from airflow.sdk import dag, task

FINAL = {
    1: "over a limit (the run is published), or a proof failed (nothing is)",
    2: "usage or settings",
    3: "an input file: rejects, a bad file or an empty side",
    5: "warehouse, report or disk",
}


@dag(schedule="30 4 * * *", start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False, max_active_runs=1)
def reconcile_nightly():
    @task(retries=3, retry_delay=timedelta(minutes=10))
    def nightly() -> None:
        # The job takes yesterday by itself; for a backfill, add "--date" and the day that is meant.
        code = subprocess.run([".venv/bin/python", "jobs/nightly.py"], cwd="/srv/reconcile", check=False).returncode
        if code in FINAL:  # trying again changes nothing
            raise AirflowFailException(f"exit {code}: {FINAL[code]}")
        if code:  # 4, Commerce Layer, and 130, interrupted: the next try resumes from the mirror
            raise AirflowException(f"exit {code}")

    nightly()


reconcile_nightly()
