"""
What changed rules did, told apart from what the data did: the run before, matched again with today's rules.

Takes both sides as the folder of the run before has them. Writes nothing that stays. Where that folder cannot be read
any more, or its tables are of another version, nothing is told apart.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from reconcile.errors import ReconcileError
from reconcile.figures.roll_forward import Apart, told_apart
from reconcile.history.identity import FOLLOWED
from reconcile.history.published import breaks_in
from reconcile.history.states import BreakStates
from reconcile.matching.items import RunFacts
from reconcile.matching.match import Resources, match_to_parquet
from reconcile.operations.before import Before
from reconcile.operations.staged_run import StagedRun
from reconcile.runs.run_folder import RunFolder

log = logging.getLogger("reconcile.run")


def moves_apart(night: StagedRun, before: Before) -> Apart | None:
    """Return what came and went because of changed rules, and because of the data; null where no rule has changed."""
    latest, breaks = before.runs.link, before.runs.breaks
    if latest is None or breaks is None or not before.changed_rules:
        return None
    on, limit = latest.business_date, night.settings.run.memory_limit
    run = RunFolder(night.out / on.isoformat())
    facts = RunFacts(on, latest.run_id, BreakStates(on, before=breaks, history=before.runs.history))
    with night.timings.stage("rules"), tempfile.TemporaryDirectory(dir=night.folder.path) as place:
        items = RunFolder(Path(place)).items
        try:
            match_to_parquet(
                run.payments,
                run.orders,
                items,
                night.settings.policy,
                facts,
                Resources(memory_limit=limit, spill=Path(place)),
                run.transactions,
            )
        except ReconcileError as error:
            log.info("the run before cannot be matched again: %s", error.message)
            return None
        again = breaks_in(items, FOLLOWED)
    return told_apart(breaks, again, breaks_in(night.folder.breaks, FOLLOWED))
