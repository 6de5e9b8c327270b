"""
The pull: from Commerce Layer through the mirror to `payments.parquet`.

Knows what goes before and after, whichever way payments come: authenticate, agree on the mode, open the mirror,
publish, take over. The file gets its name only when the pull has proved itself complete; how it comes to that is known
to `stages`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.commercelayer.client import CommerceLayer
from reconcile.errors import WrongMode
from reconcile.files.disk import disk_errors, sync
from reconcile.payments.beside import transactions_beside
from reconcile.payments.bookmarks import Spent
from reconcile.payments.finished import batches_in, finished_pull, lost_ids, take_over, vanished_before
from reconcile.payments.mirror.mirror import Mirror, open_mirror, scratch_mirror
from reconcile.payments.mirror.sorted_rows import write_payments
from reconcile.payments.report import OnProgress, PullContext, PullProgress, PullReport, spent_by
from reconcile.payments.request import PullRequest
from reconcile.payments.resumed import drop_resumed
from reconcile.payments.selection import gone_altogether
from reconcile.payments.stages import PullStage, entry_for, pulled
from reconcile.payments.transactions import readings_of, write_transactions
from reconcile.schema import PAYMENTS

_EVERYTHING = PullRequest(mirror="")

__all__ = ["PullProgress", "PullReport", "pull_to_parquet", "pull_to_table"]


async def pull_to_parquet(
    client: CommerceLayer,
    destination: Path,
    request: PullRequest = _EVERYTHING,
    *,
    mode: str | None = None,
    recheck: Collection[str] = (),
    on_progress: OnProgress | None = None,
) -> PullReport:
    """
    Write all payments of the window of `request` to a Parquet file, and the transactions of their orders beside it.

    `destination` gets the columns of `schema.PAYMENTS`, sorted by payment_id, one row per payment, and the file that
    `transactions_beside` names those of `schema.TRANSACTIONS`; they appear only when the pull is proved complete. With
    a mirror an interrupted pull resumes where it stopped, and then reads what changed or was created since: the files
    are always as of now. Where that cannot be proved everything is pulled from scratch, and `PullReport.warnings` says
    so. `mode` (`live` or `test`) must agree with the token and with every row.

    What the server refuses to include is left out (`PullReport.refused`), what it does not export is read by pages; the
    rows are the same either way. An unfinished pull resumes with its own transport for `auto`.

    An incremental pull reads only what changed since the last finished pull of the same window, from its overlap
    before it, and by id what is flagged or named in `recheck`; without such a pull in the mirror everything is read,
    and `PullReport.warnings` says why. Payments that a pull no longer finds are noted in the mirror.

    Raises CommerceLayerError (AuthError, Unreachable, Refused, WrongMode, MirrorError, IncompletePull), OutputError
    when the disk does not take it.
    """
    at_start = spent_by(client)
    with _new_file(destination) as beside:
        await client.authenticate()
        agreed = agreed_mode(client, mode)
        with _mirror_at(request.mirror, destination, organization=client.organization, mode=agreed) as store:
            await asyncio.to_thread(vanished_before, store.folder)  # reported now, and not after an hour of pulling
            last = await asyncio.to_thread(finished_pull, store.folder, request.window)
            context = PullContext(client, request, agreed, on_progress, at_start, Spent())
            pull = await pulled(context, store, beside, base=last if request.incremental else None, recheck=recheck)
            vanished = await _vanished(context, store, beside, pull) if last.finished is not None else ()
            await asyncio.to_thread(_publish, beside, destination, with_transactions=request.money)
            report = pull.report()
            if not request.mirror:
                return report
            await asyncio.to_thread(_take_over, store, beside, pull, report, request.window, vanished)
            return replace(report, vanished=len(vanished))


async def pull_to_table(
    client: CommerceLayer,
    request: PullRequest = _EVERYTHING,
    *,
    mode: str | None = None,
    on_progress: OnProgress | None = None,
) -> pa.Table:
    """Return what `pull_to_parquet` writes, in memory. Arguments and errors as there."""
    with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
        payments = Path(folder) / "payments.parquet"
        await pull_to_parquet(client, payments, request, mode=mode, on_progress=on_progress)
        return await asyncio.to_thread(pq.read_table, payments, schema=PAYMENTS)


async def _vanished(context: PullContext, store: Mirror, rows: Path, pull: PullStage) -> Collection[str]:
    """Return the ids that the mirror's last pull of the same window has, and that are gone, as `pull` shows it."""
    if pull.vanished is not None:
        return pull.vanished
    lost = await asyncio.to_thread(lost_ids, store.payments, rows, before=pull.report().until)
    if context.request.narrowed is None:
        return lost
    return await gone_altogether(context.reading(), lost, mode=context.mode)


def _take_over(
    store: Mirror, rows: Path, pull: PullStage, report: PullReport, window: str, vanished: Collection[str]
) -> None:
    entry = entry_for(pull, report, window)
    take_over(store, rows, entry, pulls=pull.stores, vanished=vanished)
    drop_resumed(store, window)  # last of all: until then the same command can resume from them


def agreed_mode(client: CommerceLayer, mode: str | None) -> str:
    """Return the mode of a pull: as wanted and as the token says. Raises WrongMode when they differ or neither says."""
    if mode is not None and client.mode not in (None, mode):
        raise WrongMode(
            f"{client.api_url}: the credentials are of mode {client.mode}, this pull is of mode {mode}",
            hint=f"use the credentials of a {mode} application, or set the mode to {client.mode}",
        )
    if (agreed := mode or client.mode) is None:
        raise WrongMode(
            f"{client.api_url}: the token does not say whether it is live or test",
            hint="set the mode to live or test; every row is then compared with it",
        )
    return agreed


def _mirror_at(
    folder: str, destination: Path, *, organization: str, mode: str
) -> contextlib.AbstractContextManager[Mirror]:
    if not folder:
        return scratch_mirror(destination)
    return open_mirror(Path(folder), organization=organization, mode=mode)


@contextlib.contextmanager
def _new_file(destination: Path) -> Iterator[Path]:
    """Give the path of a file beside `destination`, known to be writable before hours are spent; it never stays."""
    beside = destination.with_name(f".{destination.name}.{os.getpid()}.new")
    with disk_errors(destination):
        destination.parent.mkdir(parents=True, exist_ok=True)
        beside.touch()
    try:
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def _publish(rows: Path, destination: Path, *, with_transactions: bool) -> None:
    """Write the payments in `rows`, and their transactions; those first: payments that are there are complete."""
    with disk_errors(destination):
        if with_transactions:
            write_transactions(readings_of(rows), transactions_beside(destination))
        payments = batches_in(rows, columns=PAYMENTS.names)
        write_payments((pa.Table.from_batches([batch]) for batch in payments), destination)
        sync(destination.parent)
