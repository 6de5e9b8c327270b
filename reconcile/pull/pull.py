"""
The pull: from Commerce Layer through the mirror to `payments.parquet`.

Knows what goes before and after, whichever way payments come: authenticate, agree on the mode, open the mirror, choose
between everything and what changed, publish, take over. The file gets its name only when the pull has proved itself
complete; how is known to `full` and `incremental`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

import pyarrow as pa
import pyarrow.parquet as pq

from reconcile.commercelayer.client import CommerceLayer
from reconcile.commercelayer.query import timestamp
from reconcile.disk import disk_errors, sync
from reconcile.errors import Refused, SettingsError, WrongMode
from reconcile.mirror import Mirror, open_mirror, scratch_mirror
from reconcile.pull.bookmarks import Spent
from reconcile.pull.finished import Finished, Found, finished_pull, take_over, vanished_before
from reconcile.pull.full import FullPull
from reconcile.pull.incremental import DEFAULT_OVERLAP, Changes
from reconcile.pull.report import PullProgress, PullReport, spent_by
from reconcile.schema import PAYMENTS

__all__ = ["PullProgress", "PullReport", "pull_to_parquet", "pull_to_table"]


async def pull_to_parquet(
    client: CommerceLayer,
    destination: Path,
    *,
    mirror: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    mode: str | None = None,
    via: str = "pages",
    incremental: bool = False,
    overlap: timedelta = DEFAULT_OVERLAP,
    recheck: Collection[str] = (),
    on_progress: Callable[[PullProgress], None] | None = None,
    commit_seconds: float = 2.0,
    commit_pages: int = 200,
) -> PullReport:
    """
    Write all payments created from `since` on and before `until` (both aware; null: from the first, until now).

    `destination` gets the columns of `schema.PAYMENTS`, sorted by payment_id, one row per payment; it appears only
    when the pull is proved complete. With a `mirror` folder an interrupted pull goes on where it stopped: the same
    window given again keeps its cut-off. Without one nothing is kept. `mode` (`live` or `test`) must agree with
    the token and with every row.

    `via` is `pages`, `exports` or `auto`; exports that the server refuses are made up for by pages, and the report
    tells. The rows are the same either way. An unfinished pull goes on with its own transport for `auto`.

    With `incremental` only what changed since the last finished pull of the same window is read, from `overlap` before
    it, and by id what is flagged or named in `recheck`; without such a pull in the mirror everything is read, and
    `PullReport.warnings` says why. Payments that a pull no longer finds are noted in `vanished.parquet` of the mirror.

    Raises CommerceLayerError (AuthError, Unreachable, Refused, WrongMode, MirrorError, IncompletePull), OutputError
    when the disk does not take it, SettingsError for a window that ends before it starts.
    """
    if since is not None and until is not None and since >= until:
        raise SettingsError(f"since {timestamp(since)} is not before until {timestamp(until)}")
    at_start = spent_by(client)
    with _new_file(destination) as beside:
        await client.authenticate()
        agreed = agreed_mode(client, mode)
        with _mirror_at(mirror, destination, organization=client.organization, mode=agreed) as store:
            await asyncio.to_thread(vanished_before, store.folder)  # told now, and not after an hour of pulling
            window = window_name(since, until)
            last = await asyncio.to_thread(finished_pull, store.folder, window)
            pull = await _begun(
                client,
                store,
                window,
                last if incremental else None,
                until=until,
                overlap=overlap,
                recheck=recheck,
                via=via,
                common={"since": since, "mode": agreed, "at_start": at_start, "on_progress": on_progress},
            )
            await pull.walk_until_proved(beside, commit_seconds=commit_seconds, commit_pages=commit_pages)
            await asyncio.to_thread(_publish, beside, destination)
            report = pull.report()
            if mirror is None:
                return report
            entry = Finished(
                window=window,
                cut_off=report.until,
                watermark=pull.began_at or report.until,
                finished_at=report.finished_at,
                rows=report.payments,
            )
            gone = await asyncio.to_thread(
                take_over, store, destination, entry, pulls=pull.stores, last=last.finished, vanished=pull.vanished
            )
            return replace(report, vanished=gone)


async def pull_to_table(
    client: CommerceLayer,
    *,
    mirror: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    mode: str | None = None,
    via: str = "pages",
    on_progress: Callable[[PullProgress], None] | None = None,
) -> pa.Table:
    """Return what `pull_to_parquet` writes, in memory. Arguments and errors as there."""
    with tempfile.TemporaryDirectory(prefix="reconcile-") as folder:
        payments = Path(folder) / "payments.parquet"
        await pull_to_parquet(
            client, payments, mirror=mirror, since=since, until=until, mode=mode, via=via, on_progress=on_progress
        )
        return await asyncio.to_thread(pq.read_table, payments, schema=PAYMENTS)


class _Common(TypedDict):
    """What a pull needs to know, whichever it is."""

    since: datetime | None
    mode: str
    at_start: Spent
    on_progress: Callable[[PullProgress], None] | None


async def _begun(
    client: CommerceLayer,
    store: Mirror,
    window: str,
    last: Found | None,
    *,
    until: datetime | None,
    overlap: timedelta,
    recheck: Collection[str],
    via: str,
    common: _Common,
) -> FullPull | Changes:
    """Return the pull that is to be done, planned: of what changed since `last`, of everything when that cannot be."""
    why_full = last.why if last is not None else ""
    if last is not None and last.finished is not None:
        changes = Changes(client, store, last.finished, overlap=overlap, recheck=recheck, **common)
        try:
            await changes.plan(until)
        except Refused as error:
            if error.status != 400:
                raise
            why_full = f"payments cannot be listed by their changes: {error.message}"
        else:
            return changes
    warnings = (f"everything was pulled, though an incremental pull was asked for: {why_full}",) if why_full else ()
    pull = FullPull(client, store.unfinished(window), via=via, warnings=warnings, **common)
    await pull.plan(until)
    return pull


def window_name(since: datetime | None, until: datetime | None) -> str:
    """Return the text by which a mirror tells windows apart."""
    return f"{since and timestamp(since)}|{until and timestamp(until)}"


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
    folder: Path | None, destination: Path, *, organization: str, mode: str
) -> contextlib.AbstractContextManager[Mirror]:
    if folder is None:
        return scratch_mirror(destination)
    return open_mirror(folder, organization=organization, mode=mode)


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


def _publish(beside: Path, destination: Path) -> None:
    with disk_errors(destination):
        beside.replace(destination)
        sync(destination.parent)
