"""
What a run comes after: the runs before its date, what the latest of them were made of, which rules have changed since.

Read once, before anything is matched: what a run began with stays what it goes by.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconcile.errors import OutputError
from reconcile.history.deliveries import EarlierDelivery, latest_deliveries
from reconcile.history.earlier import EarlierRuns, earlier_runs
from reconcile.operations.staged_run import StagedRun
from reconcile.settings.stages import rules_of, settings_of


@dataclass(frozen=True, slots=True)
class Before:
    """
    The `runs` before a run, and the order sides of the latest of them, the latest first.

    `changed_rules` are rules, by table and key, that are not those of the latest; none where its cannot be read.
    """

    runs: EarlierRuns
    deliveries: tuple[EarlierDelivery, ...]
    changed_rules: tuple[str, ...]


def what_was_before(night: StagedRun) -> Before:
    """Return what `night` comes after. Raises as `earlier_runs`."""
    runs = earlier_runs(night.out, night.business_date)
    deliveries = latest_deliveries(runs.runs)
    return Before(runs, deliveries, _changed_rules(night, deliveries[0]) if deliveries else ())


def _changed_rules(night: StagedRun, latest: EarlierDelivery) -> tuple[str, ...]:
    try:
        theirs = rules_of(settings_of(latest.manifest, night.out / latest.business_date.isoformat()))
    except OutputError:
        return ()
    return tuple(name for name, value in rules_of(night.settings).items() if theirs[name] != value)
