"""
Loading a run folder into a warehouse: the front door, and the list of what can be loaded into.

Knows which scheme goes to which sink. A sink is a module with
`load(run: RunFolder, url: str, *, loaded_at: datetime) -> LoadReceipt`, and a line in SINKS.

Loads are idempotent: a load replaces exactly the rows of its organization, mode and business date, all of them or none.
"""

from __future__ import annotations

import importlib
import logging
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from reconcile.errors import SettingsError
from reconcile.warehouse.place import scheme_of, shown_place
from reconcile.warehouse.tables import LoadReceipt
from reconcile.warehouse.verified_run import open_run_folder

log = logging.getLogger("reconcile.run")

__all__ = ["SINKS", "LoadReceipt", "load_run", "sink_of"]

SINKS: dict[str, tuple[str, str | None]] = {  # URL scheme: (module with `load`, extra to install)
    "duckdb": ("reconcile.warehouse.duckdb", None),
    "file": ("reconcile.warehouse.parquet", None),
    "parquet": ("reconcile.warehouse.parquet", None),
}


def sink_of(url: str) -> ModuleType:
    """
    Return the module that loads into `url`; nothing is opened yet.

    Raises SettingsError when `url` names no warehouse, or one whose package is not installed.
    """
    scheme = scheme_of(url)
    if scheme not in SINKS:
        known = ", ".join(SINKS)
        raise SettingsError(
            f'"{shown_place(url)}": there is no warehouse of the kind "{scheme}"',
            hint=f"the kinds are: {known}",
        )
    module, extra = SINKS[scheme]
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SettingsError(
            f'"{scheme}" needs a package that is not installed: {error.name}',
            hint=f'pip install "reconcile[{extra}]"' if extra else None,
        ) from error


def load_run(folder: Path, url: str, *, loaded_at: datetime | None = None) -> LoadReceipt:
    """
    Load the published run folder `folder` into the warehouse `url`, in place of the rows of its scope.

    Its scope is its organization, mode and business date. `url` is `duckdb:FILE` or `parquet:FOLDER` (`duckdb:///…`
    where absolute); `loaded_at` (aware; default now) is kept in `runs` and nowhere else. Loading the same folder again
    leaves the same rows.
    Raises SettingsError when `url` names no warehouse, OutputError when `folder` is not whole, and WarehouseError
    when the warehouse refuses; nothing of the load is visible then.
    """
    sink = sink_of(url)
    moment = loaded_at or datetime.now(UTC)
    milliseconds = moment.microsecond // 1000 * 1000  # as precise as every other instant
    with open_run_folder(Path(folder)) as run:
        receipt: LoadReceipt = sink.load(run, url, loaded_at=moment.replace(microsecond=milliseconds))
    if receipt.unclaimed:
        log.warning(
            "%s: rows of %s without an organization or a mode are of no run of this folder, and were left alone: %s",
            receipt.url, receipt.business_date, ", ".join(receipt.unclaimed),
        )  # fmt: skip
    return receipt
