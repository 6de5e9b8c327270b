"""
What the latest runs before a business date were made of: their order files by digest, how many rows, which settings.

Read from their manifests, which may be old or damaged: what cannot be read of one is left out, and stops nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from reconcile.errors import OutputError
from reconcile.history.ledger import PublishedRun
from reconcile.runs.folder import read_manifest
from reconcile.runs.manifest import Manifest
from reconcile.runs.run_folder import RunFile

MOST_RUNS = 5


@dataclass(frozen=True, slots=True)
class EarlierDelivery:
    """
    The order side of an earlier run, by its `manifest`: SHA-256 of each of its files, and rows where they are known.
    """

    business_date: date
    manifest: Manifest
    digests: frozenset[str]
    rows: int | None


def latest_deliveries(runs: Sequence[PublishedRun]) -> tuple[EarlierDelivery, ...]:
    """Return what the latest MOST_RUNS of `runs`, which are oldest first, were made of: the latest first."""
    return tuple(_read(runs[-MOST_RUNS:]))


def _read(runs: Sequence[PublishedRun]) -> Iterator[EarlierDelivery]:
    for run in reversed(runs):
        with contextlib.suppress(OutputError):
            manifest = read_manifest(run.breaks.parent)
            digests = frozenset(file.sha256 for file in manifest.order_files)
            orders = manifest.digests.get(RunFile.ORDERS)
            yield EarlierDelivery(run.business_date, manifest, digests, orders.rows if orders else None)
