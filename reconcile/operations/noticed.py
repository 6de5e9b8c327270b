"""
Everything that a reader of a run is told besides its figures, gathered from the rooms that notice it.

Knows where each of them finds what it needs; what is noticed is known there.
"""

from __future__ import annotations

from reconcile.figures import warnings
from reconcile.figures.set_aside import set_aside
from reconcile.history.earlier import EarlierRuns
from reconcile.matching.report import MatchReport
from reconcile.notices import Notice, notice
from reconcile.operations.staged_run import StagedRun


def noticed(night: StagedRun, report: MatchReport, earlier: EarlierRuns) -> list[Notice]:
    """Return the notes and warnings of a run, but for those that are known when it is published."""
    source = night.source
    found = warnings.pull_warnings(source.pull) if source.pull else []
    found += warnings.narrowed_warnings(source.narrowed or None)
    found += warnings.export_warnings(source.why_all)
    found += warnings.run_warnings(night.orders, report)
    if night.settings.match.group_orders is not None:
        found += warnings.grouping_warnings(night.orders)
    found += [notice("unreadable_run", f"{problem}; none of it was needed") for problem in earlier.problems]
    if night.book is not None:
        found += warnings.book_warnings(night.book.report, night.book.late)
    return found + set_aside(report.control.outgoing)
