"""
A published run matched again from its own inputs: the same bytes, or what differs.

Takes payments and order rows as the run folder has them, the settings of its manifest, and what the runs before it and
people's decisions said when it was made. Writes nothing where the runs are.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from reconcile import acceptances, ledger, manifest
from reconcile.errors import OutputError, ReconcileError
from reconcile.matching.match import match_to_parquet
from reconcile.parquet import scan
from reconcile.publishing import published_runs, run_id_of
from reconcile.schema import ITEMS
from reconcile.wiring import policy_of, settings_of


@dataclass(frozen=True, slots=True)
class Replay:
    """
    What matching a run again gave: the same bytes, or `problem`, in words; or only `note`.

    A note says that the run cannot come out again as it was, and why: runs before it, decisions, or the software are
    others today; the rows are the same but for what follows from these.
    """

    folder: str
    problem: str | None = None
    note: str | None = None


def replay(folders: Iterable[Path]) -> Iterator[Replay]:
    """
    Match the runs in `folders` again, one after the other, and compare the items with those that were published.

    What stands in the way of one run is its problem, and does not keep the others from being looked at.
    """
    runs_in = cache(published_runs)  # of each folder of runs once, however many of its runs are matched
    with tempfile.TemporaryDirectory() as place:
        for folder in folders:
            try:
                document = manifest.read_manifest(folder)
                again, is_as_it_was = _matched(folder, document, runs_in, Path(place))
                yield _compared(folder, document, again, is_as_it_was)
            except ReconcileError as error:
                yield Replay(str(folder), problem=f"cannot be matched again: {error}")


def _matched(
    folder: Path, document: Mapping[str, Any], runs_in: Callable[[Path], list[ledger.PublishedRun]], place: Path
) -> tuple[Path, bool]:
    """Match the run again into a file of `place`; tell also whether all that its id stands for is as it was."""
    settings = settings_of(document, folder)
    try:
        on = date.fromisoformat(document["business_date"])
        made_at = datetime.fromisoformat(document["created_at"])
    except (KeyError, ValueError) as error:
        raise OutputError(f"{folder / manifest.NAME}: does not tell when the run was made: {error}") from error
    out, items = manifest.out_of(folder), place / "items.parquet"
    before = [run for run in runs_in(out) if run.business_date < on]
    if gone := [str(run.breaks) for run in before if not run.breaks.is_file()]:
        raise OutputError(f"{gone[0]} is missing, which tells what was open the night before")
    book = place / f"{manifest.digest_of_text(str(out))}.duckdb"  # goes on from run to run of the same folder
    ledger.follow(book, before)
    decisions = acceptances.read_decisions(out / acceptances.NAME)
    accepted = acceptances.standing(
        (one for one in decisions if one.recorded_at is None or one.recorded_at < made_at), on
    )
    policy = policy_of(settings)
    match_to_parquet(
        folder / "payments.parquet",
        folder / "orders.parquet",
        items,
        policy=policy,
        business_date=on,
        run_id=document["run_id"],
        history=ledger.history(book, on),
        acceptances=accepted,
        memory_limit=settings.memory_limit,
        temp_directory=place,
    )
    return items, run_id_of(on, policy, folder, before, accepted) == document["run_id"]


def _compared(folder: Path, document: Mapping[str, Any], again: Path, is_as_it_was: bool) -> Replay:
    published = folder / "items.parquet"
    if not published.is_file():
        return Replay(str(folder), problem="items.parquet is missing")
    if manifest.digest_of(published).sha256 == manifest.digest_of(again).sha256:
        return Replay(str(folder))
    found = document.get("software", {})
    others = ", ".join(name for name, version in manifest.software().items() if found.get(name) != version)
    # A run's id stands for its inputs, settings, the runs before it and decisions: where it is the same, so are items.
    compared = ITEMS.names if is_as_it_was else [name for name in ITEMS.names if name not in _OF_THE_LEDGER]
    if items := _differing(published, again, compared):
        made = f" (it was made with other versions of {others})" if others else ""
        return Replay(str(folder), problem=f"matched again, {items:,} of its items are others{made}")
    if not is_as_it_was:
        return Replay(
            str(folder), note="runs before it, decisions or the version have changed since: run its date again"
        )
    return Replay(str(folder), note=f"matched again the same rows, in other bytes: {others or 'rewritten'}")


_OF_THE_LEDGER = ("first_seen_on", "last_seen_on", "age_days", "state", "accepted_reason", "accepted_until")


def _differing(published: Path, again: Path, columns: list[str]) -> int:
    """How many items are another row in one of the files, or not there."""
    chosen: Any = ", ".join(columns)
    one, other = (f"SELECT {chosen} FROM {scan(path)}" for path in (published, again))
    query = f"SELECT count(DISTINCT item_id) FROM (({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one}))"
    with contextlib.closing(duckdb.connect()) as connection:
        try:
            ((rows,),) = connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise OutputError(
                f"{published}: cannot be read as items of this version", hint="it was written by another version"
            ) from error
    return int(rows)
