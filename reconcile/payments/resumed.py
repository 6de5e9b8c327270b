"""
Rows of a pull that was resumed: proved, but as of its own cut-off, which is not that of the command that ended it.

Knows where they are kept until they have been brought up to date, and that a crash never leaves half of them. How they
came, and how they are brought up to date, is known elsewhere. A folder of the mirror's per window:

    mirror/resumed/<window>/
      payments.parquet   the rows
      finished.json      up to when they stand for everything, as `finished` writes it; what is carried into the report
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from reconcile.files.disk import disk_errors, replacing, sync
from reconcile.notices import notices_of
from reconcile.payments.finished import FINISHED_NAME, PAYMENTS_NAME, Base, Carried, Finished, entry_of, remember
from reconcile.payments.mirror.commits import UnfinishedPull
from reconcile.payments.mirror.mirror import Mirror, resumed_folder
from reconcile.payments.report import PullReport


def resumed_rows(mirror: Path, window: str) -> Base | None:
    """Return the rows of `window` in the folder `mirror` still to be brought up to date, null when there are none."""
    folder = resumed_folder(mirror, window)
    entry = entry_of(folder)
    if entry is None or entry.carried is None or entry.window != window:
        return None
    return Base(entry, folder / PAYMENTS_NAME)


def keep_resumed(store: Mirror, payments: Path, entry: Finished, *, pulls: Sequence[UnfinishedPull]) -> Base:
    """
    Keep the rows of `payments`, which `entry` describes, in place of those kept before, and drop the commits `pulls`.

    Raises OutputError.
    """
    folder = store.resumed(entry.window)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        finished = remember(folder, entry, payments)
        with replacing(folder / PAYMENTS_NAME) as partial:
            shutil.copyfile(payments, partial)
        sync(folder)
    # Not before: they are all there is of these rows. After a crash in between they are dropped with the rows.
    for pull in pulls:
        pull.forget()
    return Base(finished, folder / PAYMENTS_NAME)


def with_carried(report: PullReport, carried: Carried) -> PullReport:
    """Return `report`, of a pull that has brought rows up to date, with what the pull of these has to say."""
    transport = carried.transport if not report.updated or carried.transport == "pages" else "exports, then pages"
    return replace(
        report,
        started_at=carried.started_at,
        transport=transport,
        transport_reason=carried.transport_reason,
        warnings=notices_of(carried.warnings) + report.warnings,
    )


def drop_resumed(store: Mirror, window: str) -> None:
    """Drop the rows kept of `window`, if there are any. Raises OutputError."""
    folder = store.resumed(window)
    with disk_errors(folder):
        for name in (FINISHED_NAME, PAYMENTS_NAME):  # in this order: rows that nothing describes are none
            (folder / name).unlink(missing_ok=True)
        if folder.exists():
            sync(folder)
            folder.rmdir()
