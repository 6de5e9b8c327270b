"""
Everything that a reader of a run is told besides its figures, gathered from the rooms that notice it.

Knows where each of them finds what it needs; what is noticed is known there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from reconcile.days import weekdays_of
from reconcile.errors import OutputError
from reconcile.figures import warnings
from reconcile.figures.counterparts import two_references, unknown_methods
from reconcile.figures.deliveries import NewDelivery, delivery_warnings, missed_dates
from reconcile.figures.overlaps import overlap_warnings
from reconcile.figures.set_aside import left_out, set_aside
from reconcile.figures.units import unit_warnings
from reconcile.history.deliveries import EarlierDelivery
from reconcile.notices import Notice, notice
from reconcile.operations.before import Before
from reconcile.operations.staged_run import Matched, StagedRun
from reconcile.runs.folder import read_manifest, superseded
from reconcile.settings.settings import COMMERCE_LAYER


def noticed(night: StagedRun, matched: Matched, before: Before) -> list[Notice]:
    """Return the notes and warnings of a run, but for those that are known when it is published."""
    source, report, latest = night.source, matched.report, before.runs.link
    found = warnings.pull_warnings(source.pull) if source.pull else []
    found += warnings.narrowed_warnings(source.narrowed or None)
    found += warnings.export_warnings(source.why_all)
    found += warnings.run_warnings(night.orders, report)
    found += warnings.unknown_statuses(night.folder.payments)
    if night.settings.match.group_orders is not None:
        found += warnings.grouping_warnings(night.orders)
    found += _of_orders(night, before.deliveries)
    found += unit_warnings(matched.units)
    found += missed_dates(
        latest.business_date if latest else None, night.business_date, weekdays_of(night.settings.run.days)
    )
    found += _rules_changed(before)
    found += _replaced(night, matched.run_id)
    found += [notice("unreadable_run", f"{problem}; none of it was needed") for problem in before.runs.problems]
    if night.book is not None:
        found += warnings.book_warnings(night.book.report, night.book.late)
    return found + set_aside(report.control.outgoing) + left_out(night.orders.left_out)


def _of_orders(night: StagedRun, before: tuple[EarlierDelivery, ...]) -> list[Notice]:
    folder, policy, files = night.folder, night.settings.policy, night.orders.files
    is_full = not policy.population.brings_changes
    found = delivery_warnings(
        NewDelivery(night.orders, night.settings.orders.files, night.orders.rows, is_full), before
    )
    if is_full and len(files) > 1:
        digests = [file.sha256 for file in files]
        copies = [file.path for file, digest in zip(files, digests, strict=True) if digests.count(digest) > 1]
        found += overlap_warnings(folder.orders, policy.on, copies=copies)
    if COMMERCE_LAYER in night.settings.orders.files:
        text = "order totals are Commerce Layer's own: it is compared with itself, and not with the books"
        found.append(notice("order_amounts_are_ours", text))
    if any("method" in file.columns for file in files):
        found += unknown_methods(folder.orders, policy)
    return found + two_references(folder.payments, folder.orders, policy)


def _rules_changed(before: Before) -> list[Notice]:
    changed = before.changed_rules
    if not changed:
        return []
    on = before.deliveries[0].business_date
    text = f"rules are not those of the run of {on}: {', '.join(changed)}; what came and went may be due to that"
    return [notice("rules_changed", text, rules=changed, date=on.isoformat())]


def _replaced(night: StagedRun, run_id: str) -> list[Notice]:
    """A run of this date that was published before; the same run once more, after an interruption, replaces nothing."""
    place, date = night.staging.place, f"{night.business_date:%Y%m%d}"
    kept = [folder for folder in superseded(night.out) if folder.name.startswith(date)]
    before = [folder for folder in (place, *kept) if folder.exists()]
    replaced = [known for folder in before if (known := _published_as(folder))[1] != run_id]
    if not replaced:
        return []
    _, last = max(replaced)
    text = f"this date was published before, as run {last}: this run replaces it"
    return [notice("replaced_run", text, run_id=last)]


def _published_as(folder: Path) -> tuple[datetime, str]:
    """Return when the run `folder` was made, and its id."""
    long_ago = datetime.min.replace(tzinfo=UTC)
    try:
        manifest = read_manifest(folder)
    except OutputError:
        return long_ago, "unreadable"
    return manifest.created_at or long_ago, manifest.run_id
