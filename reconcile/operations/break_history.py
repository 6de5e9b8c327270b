"""
`history.parquet` of a run: what happened to the payments of its breaks, and to their orders.

Knows which breaks are worth a request before others. A trail that cannot be read is warned of, and never stops a run:
none of its figures comes from there.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from reconcile.errors import CommerceLayerError
from reconcile.figures.warnings import history_warnings
from reconcile.files.disk import disk_errors
from reconcile.files.parquet import write_parquet
from reconcile.operations.made_run import MadeRun
from reconcile.payments.trails import Subject, Trails, nothing_read, read_trails
from reconcile.runs.run_folder import RunFile
from reconcile.schema import TRAIL

if TYPE_CHECKING:
    from reconcile.schema import Row
    from reconcile.settings.credentials import Secrets
    from reconcile.settings.settings import Settings


def with_history(made: MadeRun, secrets: Secrets) -> MadeRun:
    """
    Return `made` with the audit trails of its breaks in its folder, where `[pull] history` asks for them.

    Raises OutputError when the disk does not take the file.
    """
    night = made.night
    if night.settings.pull.history == "none":
        return made
    with night.timings.stage("history"):
        read = _read(night.settings, secrets, broken_payments(night.folder.breaks))
        with disk_errors(night.folder.history):
            rows = write_parquet(read.table.to_batches(), TRAIL, night.folder.history)
    return replace(
        made,
        notices=(*made.notices, *history_warnings(read)),
        rows={**made.rows, RunFile.HISTORY: rows},
    )


def broken_payments(breaks: Path) -> list[Subject]:
    """
    Return the payments of the file `breaks`, with their orders, in the order in which they are worth a request.

    Those that nobody has accepted come first, of these the youngest (of an older one the run of its first night has
    the trail), of these the largest.
    """
    columns = ["payment_id", "order_id", "accepted_reason", "age_days", "at_stake_cents"]
    rows = pq.read_table(breaks, columns=columns).to_pylist()
    ordered = sorted((row for row in rows if row["payment_id"] is not None), key=_rank)
    return [Subject(row["payment_id"], row["order_id"]) for row in ordered]


def _rank(row: Row) -> tuple[bool, int, int, str]:
    return row["accepted_reason"] is not None, row["age_days"] or 0, -(row["at_stake_cents"] or 0), row["payment_id"]


def _read(settings: Settings, secrets: Secrets, subjects: list[Subject]) -> Trails:
    from reconcile.operations.pull import awaited  # with it comes aiohttp
    from reconcile.settings.stages import connect

    async def read() -> Trails:
        async with connect(settings, secrets) as client:
            await client.authenticate()
            return await read_trails(client, subjects, most_requests=settings.pull.history_requests)

    if not subjects:
        return nothing_read(subjects)
    try:
        return awaited(read())
    except CommerceLayerError as error:  # not even a token
        return nothing_read(subjects, error)
