"""
The sheet of decisions as a workbook: cells of their own types, and what is to be filled in first and marked.

The same lines give the same bytes. Reading it back is known to `sheet_files`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from pathlib import Path

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from reconcile.errors import OutputError
from reconcile.files.formula_guard import guarded
from reconcile.files.spreadsheets.fast_rows import MOST_ROWS
from reconcile.files.workbook_cells import WORKBOOK, Money, formats_of, kept, money_style, write_money
from reconcile.history.decision_sheet import SHEET, Line, SheetColumn

# What people decide by, then what they fill in, then what only the import needs.
_ORDER = (
    "status_label", "reference", "payment_id", "payment_amount", "payment_currency_code", "order_amount",
    "order_currency_code", "difference", "at_stake", "currency_code", "age_days", "data_age_days", "first_seen_on",
    "suggestion", "accepted_for", "accept_reason", "accept_until", "accept_cap", "accept_by",
)  # fmt: skip
_COLUMNS = sorted(SHEET, key=lambda column: (*_ORDER, column.name).index(column.name))


def write_sheet_workbook(destination: Path, lines: Iterable[Line], *, on: date) -> None:
    """
    Write `lines`, of the run of the date `on`, as the only sheet of a workbook.

    Raises OSError as the disk does, OutputError when they are more than fit.
    """
    with destination.open("wb") as file:
        workbook = Workbook(file, dict(WORKBOOK))
        workbook.set_properties({"title": f"Decisions about breaks of {on}", "created": datetime.combine(on, time())})
        formats = formats_of(workbook, "fill")
        sheet = workbook.add_worksheet("Decisions")
        _head(sheet, formats)
        last = 0
        for last, line in enumerate(lines, 1):
            if last == MOST_ROWS:
                raise OutputError(f"there are more breaks than the {MOST_ROWS:,} rows of a sheet", hint="name it .csv")
            for place, column in enumerate(_COLUMNS):
                _write(sheet, (last, place), column, line, formats)
        sheet.autofilter(0, 0, max(last, 1), len(_COLUMNS) - 1)
        workbook.close()


def _head(sheet: Worksheet, formats: Mapping[str, Format]) -> None:
    for place, column in enumerate(_COLUMNS):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.title, formats["fill header" if column.is_filled_in else "header"])
    sheet.freeze_panes(1, 2)
    sheet.set_landscape()
    sheet.repeat_rows(0)


def _write(
    sheet: Worksheet, place: tuple[int, int], column: SheetColumn, line: Line, formats: Mapping[str, Format]
) -> None:
    value, prefix = line[column.name], "fill " if column.is_filled_in else ""
    match value:
        case Money():
            write_money(sheet, place, value, formats, prefix)
        case date():
            sheet.write_datetime(*place, datetime.combine(value, time()), formats[f"{prefix}day"])
        case int():
            sheet.write_number(*place, value, formats[f"{prefix}whole"])
        case str():
            sheet.write_string(*place, kept(guarded(value)), formats[f"{prefix}text"])
        case None if column.is_filled_in:
            code = line["currency_code"]
            style = money_style(code if isinstance(code, str) else None) if column.cells == "money" else column.cells
            sheet.write_blank(*place, None, formats[prefix + style])
