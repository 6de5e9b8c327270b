"""
The outcome of a match of frames: the frames, the figures, breaks that somebody asks for, and files for people.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Unpack

import pyarrow as pa

from reconcile.figures.summary import FrameSummary
from reconcile.figures.tables import items_in
from reconcile.files.duckdb import connected
from reconcile.matching.frames import FrameT
from reconcile.notices import Notice
from reconcile.operations.chosen_breaks import (
    ChosenBreaks,
    ConditionKeywords,
    chosen_breaks,
    conditions_of,
    shown_width,
)
from reconcile.operations.framed import Sides, publish_sides
from reconcile.operations.made_run import verdict_of
from reconcile.operations.report import write_page, write_workbook
from reconcile.operations.run_frames import Run
from reconcile.reports.output_cell import CellHead, OutputCell, cell_of, headline_of
from reconcile.settings.keywords import with_keywords
from reconcile.settings.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class MatchResult(Generic[FrameT]):
    """
    The outcome of `match_payments`.

    `items` and `breaks` are frames with the columns of ITEMS, `breaks` the largest first; `summary` has the figures of
    `summary.json` under the same names: counts, statuses, control totals, flag agreement, aging. `warnings` are what a
    reader must know besides. Frames have no runs before them: every break is new, and its `age_days` 0; `data_age_days`
    counts from the day of its order.
    """

    items: FrameT = field(repr=False)
    breaks: FrameT = field(repr=False)
    summary: FrameSummary = field(repr=False)
    warnings: tuple[Notice, ...] = ()
    _table: pa.Table = field(repr=False, kw_only=True)
    _sides: Sides = field(repr=False, kw_only=True)
    _settings: Settings = field(repr=False, kw_only=True)
    _framed: Callable[[pa.Table], FrameT] = field(repr=False, kw_only=True)

    def __repr__(self) -> str:
        return self._cell().text(shown_width())

    def _repr_html_(self) -> str:
        return self._cell().html()

    @with_keywords(ConditionKeywords)
    def breaks_where(self, **asked: Unpack[ConditionKeywords]) -> ChosenBreaks[FrameT]:
        """
        Return the breaks that are asked for, the largest of each currency first.

            result.breaks_where(min_amount="100EUR", data_age=">3")

        Conditions hold together; several values of one are alternatives. `min_amount` ("100EUR") and `currency` are of
        what is at stake; `data_age` is in days since the order or payment, `age` since a run first saw the break: ">3",
        "<=30", "4-7"; `status`, `state`, `market`, `method` and `gateway` are names, the last three with `*` for any
        characters; `text` is a part of a reference, a number or an id. `reconcile breaks list` takes the same words.

        Raises SettingsError for what is no such condition, or a name that is nowhere in the items.
        """
        return chosen_breaks(self._table, conditions_of(asked), self._framed)

    def to_folder(self, out: str | Path | None = None) -> Run[FrameT]:
        """
        Publish the match as a run folder `OUT/<business date>/`, as `reconcile match` does, and return it.

        `out` is the folder of the runs, by default that of the settings ("runs"). Both sides as they were given are
        matched again, after the runs that are there: breaks that they know have their ages and decisions. Raises as
        `match_files`.
        """
        settings = self._settings if out is None else self._settings.replaced(out=str(out))
        return Run(publish_sides(self._sides, settings).folder, self._framed)

    def report(self, to: str | Path | None = None, *, locale: str | None = None) -> Path:
        """Write the page of the match (HTML) and return where: `to`, else `report-DATE.html` in the working folder."""
        with self._published() as folder:
            return write_page(folder, to, locale=locale)

    def to_excel(self, to: str | Path | None = None, *, max_rows: int | None = None) -> Path:
        """
        Write the workbook of the match and return where: `to`, else `report-DATE.xlsx` in the working folder.

        A sheet has `max_rows` rows at most, or as many as the settings say.
        """
        with self._published() as folder:
            return write_workbook(folder, to, max_rows=max_rows)

    @contextmanager
    def _published(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="reconcile-") as out:
            bare = {"out": out, "html": False, "xlsx": False, "items_csv": False, "load_to": None}
            settings = self._settings.replaced(**bare, on_empty_payments="warn", on_empty_orders="warn")
            yield publish_sides(self._sides, settings).folder

    def _cell(self) -> OutputCell:
        chosen, on = self._settings.commercelayer, self._sides.business_date
        about = (str(on), chosen.organization, chosen.mode, self._settings.match.amount_basis)
        headline = headline_of(verdict_of(self.summary, ()), self.summary.counts)
        head = CellHead(headline, about, tuple(one.line for one in self.warnings))
        with connected() as connection:
            breaks = f"(SELECT * FROM {items_in(connection, self._table)} WHERE is_break)"
            return cell_of(head, connection, breaks, bridges=self.summary.bridge)
