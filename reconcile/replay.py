"""
A published run matched again from its own inputs: the same bytes, or what differs.

Takes payments and order rows as the run folder has them, the settings of its manifest, and what the runs before it and
people's decisions said when it was made. Writes nothing where the runs are.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from reconcile import acceptances, ledger, manifest
from reconcile.errors import OutputError
from reconcile.matching.match import match_to_parquet
from reconcile.parquet import scan
from reconcile.publishing import published_runs
from reconcile.schema import ITEMS
from reconcile.settings import Settings
from reconcile.wiring import policy_of

_OF_THE_LEDGER = ("first_seen_on", "last_seen_on", "age_days", "state", "accepted_reason", "accepted_until")


@dataclass(frozen=True, slots=True)
class Replay:
    """
    What matching a run again gave: the same bytes, or `problem`, in words; or only `note`.

    A note says that the same rows came out, while what is known of the nights before, or the software, has changed.
    """

    folder: str
    problem: str | None = None
    note: str | None = None


def replay(folders: Iterable[Path], *, memory_limit: str | None = None) -> Iterator[Replay]:
    """
    Match the runs in `folders` again, one after the other, and compare the items with those that were published.

    Raises OutputError when a manifest cannot be read or is of another version, or when there is no room for temporary
    files; PaymentFileError and OrderFileError when a run's own inputs cannot be read.
    """
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for folder in folders:
            again = _matched(folder, place, memory_limit)
            yield _compared(folder, again)
            again.unlink()


def _matched(folder: Path, place: Path, memory_limit: str | None) -> Path:
    document = manifest.read_manifest(folder)
    try:
        on = date.fromisoformat(document["business_date"])
        made_at = datetime.fromisoformat(document["created_at"])
        settings = msgspec.convert(document["settings"], Settings, strict=False)
    except (KeyError, ValueError, msgspec.ValidationError) as error:
        raise OutputError(
            f"{folder / manifest.NAME}: its settings are not of this version: {error}",
            hint="match the run again with the version that the manifest names",
        ) from error
    book = place / f"{folder.resolve().parent.as_posix().encode().hex()[-60:]}-{ledger.NAME}"
    ledger.follow(book, [run for run in published_runs(folder.parent) if run.business_date < on])
    decisions = acceptances.read_decisions(folder.parent / acceptances.NAME)
    items = place / "items.parquet"
    match_to_parquet(
        folder / "payments.parquet",
        folder / "orders.parquet",
        items,
        policy=policy_of(settings),
        business_date=on,
        run_id=document["run_id"],
        history=ledger.history(book, on),
        acceptances=acceptances.standing(
            (one for one in decisions if one.recorded_at is None or one.recorded_at < made_at), on
        ),
        memory_limit=memory_limit or settings.memory_limit,
        temp_directory=place,
    )
    return items


def _compared(folder: Path, again: Path) -> Replay:
    published = folder / "items.parquet"
    if not published.is_file():
        return Replay(str(folder), problem="items.parquet is missing")
    if manifest.digest_of(published).sha256 == manifest.digest_of(again).sha256:
        return Replay(str(folder))
    found = manifest.read_manifest(folder).get("software", {})
    others = [name for name, version in manifest.software().items() if found.get(name) != version]
    columns = [name for name in ITEMS.names if name not in _OF_THE_LEDGER]
    rows = _differing(published, again, columns)
    if rows:
        made = f" (it was made with other versions of {', '.join(others)})" if others else ""
        return Replay(str(folder), problem=f"matched again, {rows:,} of its items are others{made}")
    if _differing(published, again, ITEMS.names):
        return Replay(str(folder), note="matched again the same rows; runs before it or decisions have changed since")
    return Replay(str(folder), note=f"matched again the same rows, in other bytes: {', '.join(others) or 'rewritten'}")


def _differing(published: Path, again: Path, columns: list[str]) -> int:
    """How many rows are in one of the files only, or more often than in the other."""
    chosen: Any = ", ".join(columns)
    one, other = (f"SELECT {chosen} FROM {scan(path)}" for path in (published, again))
    query = f"SELECT count(*) FROM (({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one}))"
    with contextlib.closing(duckdb.connect()) as connection:
        try:
            ((rows,),) = connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise OutputError(
                f"{published}: cannot be read as items of this version", hint="`reconcile runs verify` tells more"
            ) from error
    return int(rows)
