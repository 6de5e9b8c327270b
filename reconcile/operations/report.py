"""
The reports of a published run, rendered again: the page and the workbook, beside the run and never in it.
"""

from __future__ import annotations

from pathlib import Path

from reconcile.errors import OutputError
from reconcile.reports.page.html import write_html
from reconcile.reports.workbook.xlsx import write_xlsx
from reconcile.runs.folder import read_manifest
from reconcile.settings.stages import settings_of


def write_page(folder: Path, to: str | Path | None = None, *, locale: str | None = None) -> Path:
    """
    Write the page of the run `folder` and return where: `to`, else `report-DATE.html` in the working folder.

    `locale` is that of figures and dates; null is that of the run's settings. Raises OutputError for a place in a
    published run, and as `write_html`.
    """
    return write_html(folder, _place(folder, to, "html"), locale=locale)


def write_workbook(folder: Path, to: str | Path | None = None, *, max_rows: int | None = None) -> Path:
    """
    Write the workbook of the run `folder` and return where: `to`, else `report-DATE.xlsx` in the working folder.

    `max_rows` are the rows that a sheet has at most; null: as the run's settings say. Raises OutputError for a place in
    a published run, and as `write_xlsx`.
    """
    most = max_rows or settings_of(read_manifest(folder), folder).reports.max_rows
    return write_xlsx(folder, _place(folder, to, "xlsx"), max_rows=most)


def _place(folder: Path, to: str | Path | None, ending: str) -> Path:
    place = Path(to) if to is not None else Path(f"report-{read_manifest(folder).business_date}.{ending}")
    if place.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{place}: is in a published run, which is never changed", hint="name another file with --to")
    return place
