"""
The sheet of decisions as a file, CSV or XLSX, and back: also as a spreadsheet in any country has saved it.

Knows delimiters, encodings, cells and their guard against formulas. Does not know what a line means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from pathlib import Path

from reconcile.errors import AcceptanceError, OutputError
from reconcile.files.csv_text import NotCsv, csv_line, csv_table
from reconcile.files.disk import disk_errors, replacing
from reconcile.files.encodings import WINDOWS, text_in
from reconcile.files.formula_guard import guarded, unguarded
from reconcile.files.spreadsheets.cells import REMEDIES, CellKind, CellTexts
from reconcile.files.spreadsheets.fast_rows import SheetRow
from reconcile.files.spreadsheets.package import open_workbook
from reconcile.files.spreadsheets.unreadable import NotASpreadsheet
from reconcile.files.workbook_cells import Money, given, no_markup
from reconcile.history.decision_sheet import NAME_OF, NAMES, SHEET, Line, amount_text

_IDS, _TEXTS = ("item_id", "break_id"), ("accept_reason", "accept_by")
_KINDS: dict[str, CellKind] = {"item_id": "key", "break_id": "key", "accept_cap": "other"}
_WORKBOOK, _OTHERS = ".xlsx", (".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_HEADS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_SEARCHED_ROWS = 50


def write_lines(destination: Path, lines: Iterable[Line], *, on: date) -> None:
    """
    Write `lines` to `destination` with columns SHEET: as a workbook of the date `on` where it ends with .xlsx, or CSV.

    Raises OutputError when the file cannot be written, or is named like a spreadsheet of another kind.
    """
    suffix = destination.suffix.lower()
    if suffix in _OTHERS:
        raise OutputError(f"{destination}: there is no sheet in this format", hint="name it .xlsx or .csv")
    with disk_errors(destination), replacing(destination) as partial:
        if suffix == _WORKBOOK:
            from reconcile.history.sheet_workbook import write_workbook  # loads XlsxWriter, which few need

            write_workbook(partial, lines, on=on)
            return
        with partial.open("w", encoding="utf-8-sig", newline="") as file:  # by the mark a spreadsheet knows UTF-8
            file.write(csv_line(column.name for column in SHEET))
            file.writelines(csv_line(_csv_cell(line[column.name]) for column in SHEET) for line in lines)


def _csv_cell(value: object) -> object:
    if isinstance(value, Money):
        return amount_text(value.cents, value.currency_code)
    return guarded(no_markup(value)) if isinstance(value, str) else value


def lines_filled_in(sheet: Path, *, encoding: str | None = None) -> list[tuple[int, dict[str, str]]]:
    """
    Return number and cells, by column, of the lines of `sheet` that give a reason.

    CSV is in Unicode, else in `encoding` (None: that of Windows in Western Europe). Reason and name come back as they
    stand there; around other cells blanks mean nothing.
    Raises AcceptanceError when the file or a cell cannot be read, or a required column is missing.
    """
    try:
        with sheet.open("rb") as file:
            head = file.read(4)
        is_workbook = sheet.suffix.lower() == _WORKBOOK or head in _HEADS
        lines = _of_workbook(sheet) if is_workbook else _of_csv(sheet, encoding or WINDOWS)
    except NotCsv as error:
        raise AcceptanceError(f"{sheet}:{error.line}: {error.problem}", hint="correct the line") from error
    except NotASpreadsheet as error:
        raise AcceptanceError(f"{sheet}: {error.problem}", hint=error.hint) from error
    except (OSError, UnicodeError) as error:
        hint = "it is CSV in UTF-8, UTF-16 or as --encoding says, or .xlsx"
        raise AcceptanceError(f"{sheet}: cannot be read: {error}", hint=hint) from error
    return [(line, cells) for line, cells in lines if cells["accept_reason"].strip()]


def _of_csv(sheet: Path, encoding: str) -> list[tuple[int, dict[str, str]]]:
    try:
        text = text_in(sheet.read_bytes(), otherwise=encoding)
    except LookupError as error:
        raise AcceptanceError(f'there is no encoding "{encoding}"', hint="name one like cp1252 or cp1250") from error
    table = csv_table(text.removeprefix("\ufeff"), NAMES | {column.title for column in SHEET})
    names = _named(table.names)
    _check_names(names, f"{sheet}:1")
    for row in table.rows:
        if any(map(str.strip, row.cells[len(names) :])):
            raise NotCsv(row.line, "has more cells than columns")
    padding = [""] * len(names)
    return [
        (row.line, {name: _read(name, cell) for name, cell in zip(names, (*row.cells, *padding), strict=False)})
        for row in table.rows
    ]


def _of_workbook(sheet: Path) -> list[tuple[int, dict[str, str]]]:
    found: dict[str, list[tuple[int, dict[str, str]]]] = {}
    first: Sequence[str] = ()
    with open_workbook(sheet, name=str(sheet)) as book:
        texts = CellTexts(book)
        for one in [one for one in book.sheets if one.is_visible]:
            with book.rows(one) as rows:
                names = _header(rows, texts)
                first = first or names
                if _lacking(names) is None:
                    _check_names(names, str(sheet))
                    found[one.name] = [(row.line, _cells(row, names, texts, f"{sheet}:{row.line}")) for row in rows]
    if not found:
        _check_names(first, str(sheet))
    if len(found) > 1:
        named = " and ".join(f'"{name}"' for name in found)
        raise AcceptanceError(f"{sheet}: the sheets {named} have decisions", hint="leave one of them")
    return next(iter(found.values()))


def _header(rows: Iterator[SheetRow], texts: CellTexts) -> Sequence[str]:
    """Return the first of `rows` that names the columns, those before it are titles; or the first one of all."""
    first: Sequence[str] = ()
    for row in islice(rows, _SEARCHED_ROWS):
        width = max(row.cells) + 1
        names = _named([texts.plain(row.cells[at]) or "" if at in row.cells else "" for at in range(width)])
        if _lacking(names) is None:
            return names
        first = first or names
    return first


def _cells(row: SheetRow, names: Sequence[str], texts: CellTexts, where: str) -> dict[str, str]:
    found = {name: row.cells[at] for at, name in enumerate(names) if at in row.cells}
    read = {name: texts.of_kind(cell, _KINDS.get(name, "day")) for name, cell in found.items()}
    cells = dict.fromkeys(names, "") | {name: _read(name, text or "") for name, (text, _) in read.items()}
    if cells["accept_reason"].strip():
        for name, (text, why) in read.items():
            if why is not None and name.startswith("accept_"):
                raise AcceptanceError(f'{where}: {name} "{text or ""}" {why}', hint=REMEDIES[why])
    return cells


def _named(titles: Iterable[str]) -> list[str]:
    plain = (" ".join(title.split()) for title in titles)
    return [title if title in NAMES else NAME_OF.get(title.casefold(), "") for title in plain]


def _lacking(names: Sequence[str]) -> str | None:
    if not set(_IDS) & set(names):
        return _IDS[0]
    return None if _TEXTS[0] in names else _TEXTS[0]


def _check_names(names: Sequence[str], where: str) -> None:
    hint = "`reconcile breaks export` writes such a file"
    if lacking := _lacking(names):
        raise AcceptanceError(f'{where}: there is no column "{lacking}"', hint=hint)
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice:
        raise AcceptanceError(f'{where}: column "{twice}" is there twice', hint="leave one of them")


def _read(column: str, text: str) -> str:
    found = given(unguarded(text))
    return found if column in _TEXTS else found.strip()
