"""
`report.xlsx`: a run folder as a workbook, in the memory of one batch of rows, however many rows there are.

XlsxWriter makes the workbook with all pages, styles and filters, but without the rows of Breaks, All items and
Rejects; these are streamed into their sheets while the file is packed. The same folder gives the same bytes: no clock
is read, and the files inside carry the date of the zip format's own epoch.
"""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import IO

import duckdb
import pyarrow as pa
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from reconcile.errors import OutputError
from reconcile.figures.summary import Summary, read_summary
from reconcile.files.csv_text import NotCsv
from reconcile.files.disk import replacing
from reconcile.files.duckdb import connected
from reconcile.files.spreadsheets.fast_rows import MOST_ROWS
from reconcile.files.workbook_cells import WORKBOOK, formats_of
from reconcile.history.published import items_sql
from reconcile.matching.policy import Kind
from reconcile.orders.rejects import read_rejects
from reconcile.reports.csv_tables import errors_told, items_columns
from reconcile.reports.workbook.page import A4, ROW_STYLES, Page
from reconcile.reports.workbook.pages import write_about, write_aging, write_breakdown, write_control, write_summary
from reconcile.reports.workbook.rows import (
    ITEM_COLUMNS,
    LAST_PRINTED,
    REJECT_COLUMNS,
    WorkbookColumn,
    letters,
    rows_sql,
)
from reconcile.reports.workbook.sums import BREAKS_SHEET, ITEMS_SHEET, Sums, currencies_of, trusted_sums
from reconcile.runs.run_folder import RunFile, RunFolder
from reconcile.schema import REJECTS
from reconcile.version import __version__

_OTHER_VERSION = "it was written by another version: run `reconcile match` again"
_ROWS_PER_BATCH = 10_000
_COMPRESSION_LEVEL = 1  # sheets are so repetitive that more effort saves little and takes three times as long
_ROW_BYTES = 2_000  # of a row without its strings, at most; above 2 GB the zip format needs its larger form
_SHEETS = ("Summary", BREAKS_SHEET, "Aging", "Control totals", "Breakdown", ITEMS_SHEET, "Rejects", "About")


@dataclass(frozen=True, slots=True)
class _Table:
    """A sheet of rows: their columns, where they come from (SQL), how many there are and how many fit."""

    columns: tuple[WorkbookColumn, ...]
    relation: str
    rows: int
    written: int
    rest: str  # the file that has the rows which do not fit

    @property
    def note(self) -> str | None:
        left = self.rows - self.written
        return f"{left:,} more rows are not on this sheet: all are in {self.rest}" if left else None


def write_xlsx(folder: Path, destination: Path, *, max_rows: int = MOST_ROWS, memory_limit: str = "1GB") -> Path:
    """
    Write the workbook of the run folder `folder` to `destination` and return it; no manifest is needed.

    Reads `summary.json`, `items.parquet`, `breaks.parquet` and `rejects.csv`. A sheet has `max_rows` rows at most, and
    Excel's 1,048,576: where there are more items, only those that are not matched; what is left out is counted on the
    sheet and on the summary. The file is complete when it appears under its name.
    Raises OutputError when a file of the folder cannot be read, or `destination` cannot be written.
    """
    summary = read_summary(folder)
    for name in (RunFile.ITEMS, RunFile.BREAKS):
        items_columns(folder / name)  # refuses what is no table of items, before anything is written
    with (
        errors_told(destination),
        replacing(destination) as partial,
        connected(destination.parent, memory_limit) as connection,
    ):
        tables = _tables(connection, folder, max_rows)
        items = tables[ITEMS_SHEET].relation
        sums, long = trusted_sums(
            connection,
            items,
            rows={name: table.written for name, table in tables.items()},
            whole=frozenset(name for name, table in tables.items() if not table.note),
        )
        shell = _shell(summary, tables, sums, _notes(tables, long))
        _pack(shell, partial, tables, connection, currencies_of(connection, items), _sheets(summary))
    return destination


def _tables(connection: duckdb.DuckDBPyConnection, folder: Path, max_rows: int) -> dict[str, _Table]:
    _load_rejects(connection, RunFolder(folder).rejects)
    sources = {
        BREAKS_SHEET: (ITEM_COLUMNS, items_sql(RunFolder(folder).breaks), RunFile.BREAKS),
        ITEMS_SHEET: (ITEM_COLUMNS, items_sql(RunFolder(folder).items), RunFile.ITEMS),
        "Rejects": (REJECT_COLUMNS, "rejects", RunFile.REJECTS),
    }
    tables = {}
    for name, (columns, relation, rest) in sources.items():
        rows = written = _rows_of(connection, relation)
        if rows > max_rows or rows >= MOST_ROWS:
            if name == ITEMS_SHEET:
                relation = f"(FROM {relation} WHERE kind <> '{Kind.OK}')"
            written = min(_rows_of(connection, relation), max_rows, MOST_ROWS - 2)  # without header and note
        tables[name] = _Table(columns, relation, rows, written, rest)
    return tables


def _rows_of(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.sql(f"SELECT count(*) FROM {relation}").fetchall()[0][0])


def _load_rejects(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Read `rejects.csv` as the table `rejects`."""
    schema = pa.schema([(name, pa.string()) for name in REJECTS.names])
    try:
        with path.open(encoding="utf-8", newline="\n") as text:
            rows = read_rejects(text)
            some = pa.Table.from_pylist(list(itertools.islice(rows, _ROWS_PER_BATCH)), schema)
            connection.register("some_rejects", some)
            connection.execute("CREATE TEMP TABLE rejects AS FROM some_rejects")
            while some.num_rows:
                some = pa.Table.from_pylist(list(itertools.islice(rows, _ROWS_PER_BATCH)), schema)
                connection.register("some_rejects", some)
                connection.execute("INSERT INTO rejects FROM some_rejects")
    except NotCsv as error:
        raise OutputError(f"{path}: {error.problem}", hint=_OTHER_VERSION) from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}", hint=_OTHER_VERSION) from error


def _notes(tables: Mapping[str, _Table], long: int) -> list[str]:
    notes = [f"{name}: {table.note}" for name, table in tables.items() if table.note]
    if long:
        notes.append(
            f"{long:,} items have an amount of more than fifteen digits: it is stored as text, which no formula adds up"
        )
    return notes


def _shell(summary: Summary, tables: Mapping[str, _Table], sums: Sums, notes: Sequence[str]) -> bytes:
    """Return the workbook without the rows of `tables`; row 2 of their sheets has one empty cell per style."""
    packed = io.BytesIO()
    workbook = Workbook(packed, dict(WORKBOOK))
    workbook.set_properties(
        {
            "title": f"Reconciliation of {summary.business_date}",
            "comments": f"run {summary.run_id}, reconcile {__version__}",
            "created": datetime.combine(summary.business_date, time()),
        }
    )
    formats = formats_of(workbook)
    widths = {
        "Summary": (22, 12, 10, 18, 18, 18, 18, 18, 10, 18, 80),
        "Aging": (12, 10, 18, 18, 18, 18, 18, 18),
        "Control totals": (12, 22, 18, 18, 18, 18, 14),
        "Breakdown": (28, 10, 10, 18, 18, 18, 10, 18),
        "About": (24, 110, 24),
    }
    for name in _sheets(summary):
        if name in tables:
            _headed_sheet(workbook, name, tables[name], formats)
            continue
        page = Page(workbook.add_worksheet(name), formats, widths[name])
        match name:
            case "Summary":
                write_summary(page, summary, sums, notes)
            case "Aging":
                write_aging(page, summary, sums)
            case "Control totals":
                write_control(page, summary, sums)
            case "Breakdown":
                write_breakdown(page, summary)
            case _:
                write_about(page, summary)
    workbook.close()
    return packed.getvalue()


def _sheets(summary: Summary) -> list[str]:
    """The sheets in their order; one without any content is left out."""
    return [name for name in _SHEETS if name != "Breakdown" or summary.breakdown]


def _headed_sheet(workbook: Workbook, name: str, table: _Table, formats: Mapping[str, Format]) -> None:
    sheet = workbook.add_worksheet(name)
    last_row, last_column = max(table.written, 1), len(table.columns) - 1
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, column.width)
        is_figure = column.cells in ("whole", "money")
        sheet.write_string(0, place, column.title, formats["figure header" if is_figure else "header"])
    for place, style in enumerate(ROW_STYLES):
        sheet.write_blank(1, place, None, formats[style])
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, last_row, last_column)
    _set_paper(sheet, name, last_row)
    sheet.ignore_errors({"number_stored_as_text": f"A1:{letters(last_column)}{last_row + 1}"})
    places = {column.title: place for place, column in enumerate(table.columns)}
    # Colour says again what a word in the cell says.
    for title, words in (("Kind", {"ok": "good", "timing": "look"}), ("State", {"new": "look", "reopened": "bad"})):
        for word, style in words.items():
            if title in places:
                rule = {"type": "cell", "criteria": "==", "value": f'"{word}"', "format": formats[style]}
                sheet.conditional_format(1, places[title], last_row, places[title], rule)


def _set_paper(sheet: Worksheet, name: str, last_row: int) -> None:
    """Have what a person works on printed a page wide; all items, which are data, are told on paper, not printed."""
    sheet.repeat_rows(0)
    sheet.set_landscape()
    sheet.set_paper(A4)
    sheet.fit_to_pages(1, 0)
    if name == BREAKS_SHEET:
        sheet.print_area(0, 0, last_row, LAST_PRINTED)
    elif name == ITEMS_SHEET:
        sheet.print_area(0, 0, 0, LAST_PRINTED)
        sheet.set_header("&LAll items: the rows of this sheet are not printed")


def _pack(
    shell: bytes,
    partial: Path,
    tables: Mapping[str, _Table],
    connection: duckdb.DuckDBPyConnection,
    currencies: Sequence[str],
    sheets: Sequence[str],
) -> None:
    streamed = {f"xl/worksheets/sheet{place}.xml": name for place, name in enumerate(sheets, 1) if name in tables}
    with (
        zipfile.ZipFile(io.BytesIO(shell)) as made,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as packed,
    ):
        for name in made.namelist():
            table = tables.get(streamed.get(name, ""))
            # Only where it may be needed: Excel offers to repair a workbook that has the larger form for nothing.
            is_large = table is not None and _bytes_at_most(connection, table) > zipfile.ZIP64_LIMIT
            with packed.open(name, "w", force_zip64=is_large) as file:  # a name alone is dated 1980-01-01
                if table is None:
                    file.write(made.read(name))
                else:
                    _stream(file, made.read(name), table, connection, currencies)


def _bytes_at_most(connection: duckdb.DuckDBPyConnection, table: _Table) -> int:
    texts = [column.sql for column in table.columns if column.cells == "text"]
    lengths = " + ".join(f"coalesce(strlen({text}), 0)" for text in texts)
    long = int(connection.sql(f"SELECT coalesce(sum({lengths}), 0) FROM {table.relation}").fetchall()[0][0])
    return table.written * _ROW_BYTES + 6 * long  # a character becomes six at most: _x005F_


_PROTOTYPE = re.compile(rb'<row r="2".*?</row>', re.DOTALL)
_STYLE = re.compile(rb' s="([0-9]+)"')
_DIMENSION = re.compile(rb'<dimension ref="[^"]*"/>')


def _stream(
    file: IO[bytes],
    sheet: bytes,
    table: _Table,
    connection: duckdb.DuckDBPyConnection,
    currencies: Sequence[str],
) -> None:
    """Write `sheet` with the rows of `table` in place of its row 2, from which the styles are taken."""
    prototype = _PROTOTYPE.search(sheet)
    assert prototype is not None, "the shell has a row of styles"
    styles = dict(zip(ROW_STYLES, map(int, _STYLE.findall(prototype[0])), strict=True))
    last_row = table.written + (2 if table.note else 1)
    used = f'<dimension ref="A1:{letters(len(table.columns) - 1)}{last_row}"/>'.encode()
    file.write(_DIMENSION.sub(used, sheet[: prototype.start()]))
    query = rows_sql(table.columns, table.relation, rows=table.written, styles=styles, currencies=currencies)
    connection.execute(f"CREATE OR REPLACE TEMP VIEW sheet AS {query}")  # as a relation, Python would parse it, too
    for chunk in _bytes_of(connection.table("sheet")):
        file.write(chunk)
    if table.note:
        cell = f'<c r="A{last_row}" s="{styles["text"]}" t="inlineStr"><is><t>{table.note}</t></is></c>'
        file.write(f'<row r="{last_row}">{cell}</row>'.encode())
    file.write(sheet[prototype.end() :])


def _bytes_of(relation: duckdb.DuckDBPyRelation) -> Iterator[memoryview]:
    """Yield the strings of the only column, one after the other, without making an object of each."""
    for batch in relation.to_arrow_reader(_ROWS_PER_BATCH):
        texts = batch.column(0)
        _, offsets, signs = texts.buffers()
        if signs is None or not len(texts):
            continue
        bounds = memoryview(offsets).cast("i")
        yield memoryview(signs)[bounds[texts.offset] : bounds[texts.offset + len(texts)]]
