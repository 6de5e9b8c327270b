"""
A published run matched again from its own inputs: the same bytes, or what differs.

Takes payments and order rows as the run folder has them, the settings of its manifest, and what the runs before it and
people's decisions said when it was made. Writes nothing where the runs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from reconcile.errors import OutputError
from reconcile.files.disk import sha256_of
from reconcile.files.duckdb import connected
from reconcile.files.parquet import scan
from reconcile.history import decisions, ledger
from reconcile.history.acceptances import standing
from reconcile.history.identity import FOLLOWED
from reconcile.history.published import breaks_in, columns_in
from reconcile.history.states import BreakStates
from reconcile.matching.items import RunFacts
from reconcile.matching.match import Resources, match_to_parquet
from reconcile.matching.report import MatchReport
from reconcile.operations.made_run import run_id_of
from reconcile.runs.folder import out_of
from reconcile.runs.manifest import MANIFEST_NAME, Manifest, digest_of_text, other_software
from reconcile.runs.run_folder import RunFolder
from reconcile.schema import ITEMS, LEDGER_COLUMNS
from reconcile.settings.stages import settings_of

_MONEY_CAME = "captured_amount_cents"
"""A column of ITEMS since whose first version the money of a payment is judged."""

_JUDGED = ("status", "kind", "is_break", "suggestion", "at_stake_cents", "at_stake_currency_code")
"""Columns of ITEMS that give a verdict: before _MONEY_CAME by other rules, so that they are not compared."""


@dataclass(frozen=True, slots=True)
class Replay:
    """
    A run matched again: the same bytes, or `problem`, in words; or only `note`.

    A note says that the run cannot come out again as it was, and why: runs before it, decisions, or the software are
    others today; the rows are the same but for what follows from these. `report` is that of the matching.
    """

    report: MatchReport
    problem: str | None = None
    note: str | None = None


def replay(folder: Path, manifest: Manifest, place: Path, runs: Sequence[ledger.PublishedRun]) -> Replay:
    """
    Match the run in `folder` again and compare the items with those that were published.

    `runs` are all runs of its folder of runs. Files are made in the folder `place`; a ledger is kept there for further
    runs of the same folder.
    Raises a ReconcileError when the run cannot be matched again.
    """
    settings = settings_of(manifest, folder)
    if manifest.created_at is None:
        raise OutputError(f"{folder / MANIFEST_NAME}: does not say when the run was made")
    on, out = manifest.business_date, out_of(folder)
    run, items = RunFolder(folder), RunFolder(place).items
    book = place / f"{digest_of_text(str(out))}.duckdb"
    before, history = ledger.history_before(book, [run for run in runs if run.business_date < on], on)
    made = decisions.read_decisions(out / decisions.NAME)
    made_at = manifest.created_at
    accepted = standing((one for one in made if one.recorded_at is None or one.recorded_at < made_at), on)
    policy, organization = settings.policy, settings.commercelayer.organization or None
    latest = breaks_in(before[-1].breaks, FOLLOWED) if before else None
    states = BreakStates(on, before=latest, history=history, acceptances=accepted)
    report = match_to_parquet(
        run.payments,
        run.orders,
        items,
        policy,
        RunFacts(on, manifest.run_id, states, organization),
        Resources(memory_limit=settings.run.memory_limit, spill=place),
        run.transactions,
    )
    is_as_it_was = run_id_of(on, (policy, organization), run, before, accepted) == manifest.run_id
    return _compared(run.items, items, manifest, report, is_as_it_was=is_as_it_was)


def _compared(published: Path, again: Path, manifest: Manifest, report: MatchReport, *, is_as_it_was: bool) -> Replay:
    if not published.is_file():
        return Replay(report, problem="items.parquet is missing")
    if sha256_of(published) == sha256_of(again):
        return Replay(report)
    there = columns_in(published).names
    others = other_software(manifest) or ("" if set(there) == set(ITEMS.names) else "reconcile")
    # A run's id stands for its inputs, settings, the runs before it and decisions: where it is the same, so are items.
    left: tuple[str, ...] = () if is_as_it_was else LEDGER_COLUMNS
    if _MONEY_CAME not in there:
        left = (*LEDGER_COLUMNS, *_JUDGED)
    compared = [name for name in there if name not in left]
    if items := differing_items(published, again, compared):
        made = f" (it was made with different versions of {others})" if others else ""
        return Replay(report, problem=f"matched again, {items:,} of its items differ{made}")
    if not is_as_it_was:
        return Replay(report, note="runs before it, decisions or the version have changed since: run its date again")
    return Replay(report, note=f"matched again: the same rows, in different bytes: {others or 'rewritten'}")


def differing_items(published: Path, again: Path, columns: Sequence[str] = ITEMS.names) -> int:
    """Return how many items are another row in one of two tables of ITEMS, or not there. Raises OutputError."""
    if published.is_file() and sha256_of(published) == sha256_of(again):
        return 0
    chosen: Any = ", ".join(columns)
    one, other = (f"SELECT {chosen} FROM {scan(path)}" for path in (published, again))
    query = f"SELECT count(DISTINCT item_id) FROM (({one} EXCEPT ALL {other}) UNION ALL ({other} EXCEPT ALL {one}))"
    with connected() as connection:
        try:
            ((rows,),) = connection.execute(query).fetchall()
        except duckdb.Error as error:
            raise OutputError(
                f"{published}: cannot be read as items of this version", hint="it was written by another version"
            ) from error
    return int(rows)
