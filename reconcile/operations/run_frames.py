"""
A published run as frames: its tables, its figures, its breaks that somebody asks for, its reports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Unpack, overload

import duckdb
import pyarrow as pa

from reconcile.errors import OutputError, SettingsError
from reconcile.figures.summary import Summary, read_summary
from reconcile.files.duckdb import connected
from reconcile.files.parquet import selected
from reconcile.history.published import CHANGED, breaks_in, items_sql, read_errors
from reconcile.matching.frames import FRAMES, FrameT
from reconcile.notices import Notice
from reconcile.operations.chosen_breaks import (
    ChosenBreaks,
    ConditionKeywords,
    chosen_breaks,
    conditions_of,
    shown_width,
)
from reconcile.operations.report import write_page, write_workbook
from reconcile.reports.output_cell import CellHead, OutputCell, cell_of, headline_of
from reconcile.runs.folder import published, read_manifest
from reconcile.runs.manifest import is_date
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.schema import ITEMS, ORDERS, PAYMENTS, TRANSACTIONS
from reconcile.settings.keywords import with_keywords

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


@dataclass(frozen=True, eq=False)
class Run(Generic[FrameT]):
    """
    A published run, as `read_run` returns it; its tables are read when they are asked for.

    `folder` is where it is; `summary` its figures and `warnings` what a reader must know besides.
    """

    folder: Path
    _framed: Callable[[pa.Table], FrameT] = field(repr=False)

    def __repr__(self) -> str:
        return self._cell().text(shown_width())

    def _repr_html_(self) -> str:
        return self._cell().html()

    @cached_property
    def summary(self) -> Summary:
        """The figures of `summary.json`."""
        return read_summary(self.folder)

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What a reader must know besides the figures."""
        return self.summary.warnings

    @cached_property
    def items(self) -> FrameT:
        """Every row of both sides, once: columns of ITEMS."""
        with _read(self._run.items) as connection:
            return self._framed(_table(connection, f"FROM {items_sql(self._run.items)}", ITEMS))

    @cached_property
    def breaks(self) -> FrameT:
        """The items to review, oldest and largest first: columns of ITEMS."""
        return self._framed(breaks_in(self._run.breaks, hint=CHANGED))

    @cached_property
    def payments(self) -> FrameT:
        """The payment side as it was matched: columns of PAYMENTS."""
        return self._side(self._run.payments, PAYMENTS)

    @cached_property
    def orders(self) -> FrameT:
        """The order side as it was matched: columns of ORDERS."""
        return self._side(self._run.orders, ORDERS)

    @cached_property
    def transactions(self) -> FrameT | None:
        """The transactions of the payments' orders: columns of TRANSACTIONS; None where the run has none."""
        path = self._run.transactions
        return None if path is None else self._side(path, TRANSACTIONS)

    @with_keywords(ConditionKeywords)
    def breaks_where(self, **asked: Unpack[ConditionKeywords]) -> ChosenBreaks[FrameT]:
        """Return the breaks that are asked for, as `MatchResult.breaks_where`; accepted is what was so in the run."""
        with _read(self._run.items):
            return chosen_breaks(self._run.items, conditions_of(asked), self._framed)

    def report(self, to: str | Path | None = None, *, locale: str | None = None) -> Path:
        """Write the page of the run again and return where: `to`, else `report-DATE.html` in the working folder."""
        return write_page(self.folder, to, locale=locale)

    def to_excel(self, to: str | Path | None = None, *, max_rows: int | None = None) -> Path:
        """
        Write the workbook of the run again and return where: `to`, else `report-DATE.xlsx` in the working folder.

        A sheet has `max_rows` rows at most, or as many as the settings say.
        """
        return write_workbook(self.folder, to, max_rows=max_rows)

    @property
    def _run(self) -> RunFolder:
        return RunFolder(self.folder)

    def _side(self, path: Path, schema: pa.Schema) -> FrameT:
        with _read(path) as connection:
            return self._framed(_table(connection, selected(path, schema), schema))

    def _cell(self) -> OutputCell:
        summary = self.summary
        about = (str(summary.business_date), summary.organization, summary.mode, summary.amount_basis, summary.run_id)
        notes = (*summary.limits_exceeded, *(one.line for one in summary.warnings))
        head = CellHead(headline_of(summary.verdict, summary.counts), about, notes)
        with _read(self._run.breaks) as connection:
            return cell_of(head, connection, items_sql(self._run.breaks), bridges=summary.bridge)


@overload
def read_run(folder: str | Path, frames: Literal["pandas"] = "pandas") -> Run[pd.DataFrame]: ...
@overload
def read_run(folder: str | Path, frames: Literal["polars"]) -> Run[pl.DataFrame]: ...
@overload
def read_run(folder: str | Path, frames: Literal["arrow"]) -> Run[pa.Table]: ...
def read_run(folder: str | Path, frames: str = "pandas") -> Run[Any]:
    """
    Return a published run: `.items`, `.breaks`, `.payments`, `.orders`, `.transactions`, `.summary`, `.warnings`.

    `folder` is a run folder ("runs/2026-11-20"), or a folder of them: then it is the latest. `frames` says of which
    kind its tables are: "pandas" (with Arrow types), "polars" or "arrow".

    Raises OutputError where there is no run, or it cannot be read.
    """
    if frames not in ("pandas", "polars", "arrow"):
        raise SettingsError(f'frames "{frames}" is not one of pandas, polars, arrow')
    if not isinstance(folder, str | Path):
        raise SettingsError(f"folder is of type {type(folder).__name__}", hint='read_run("runs/2026-11-20")')
    place = Path(folder)
    is_run = is_date(place.name) or (place / RunFile.MANIFEST).exists()
    runs = [place] if is_run else published(place)
    if not runs:
        raise OutputError(
            f"{place}: there is no run", hint="name a run folder, such as runs/2026-11-20, or the folder of the runs"
        )
    read_manifest(runs[-1])
    return Run(runs[-1], FRAMES[frames])


@contextmanager
def _read(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection; that the file `path` cannot be read is an OutputError."""
    with read_errors(path), connected() as connection:
        yield connection


def _table(connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema) -> pa.Table:
    table: pa.Table = connection.sql(query).to_arrow_table()
    return table.cast(schema)
