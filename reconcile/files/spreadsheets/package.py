"""
A spreadsheet file (.xlsx, .xlsm) as a package: its sheets, its shared strings, its number formats.

Knows which part is which by the relationships between them, never by a part's name, and what is no such package:
an encrypted file, one of an older or another program. Does not know rows or roles.
Source: ECMA-376 part 1 (SpreadsheetML) and part 2 (packages).
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconcile.files.spreadsheets.fast_rows import SheetRow, column_number
from reconcile.files.spreadsheets.sheet import sheet_rows
from reconcile.files.spreadsheets.stored import check_directory, other_kind, stored_as
from reconcile.files.spreadsheets.strings import SharedStrings, read_strings
from reconcile.files.spreadsheets.unreadable import SAVE_AS, NotASpreadsheet, damaged, encrypted
from reconcile.files.spreadsheets.xml import elements, pieces_of
from reconcile.files.streams import Readable, Watched

_LONGEST_TAG = 1 << 12
# They stand behind the rows. No text of a cell looks like that: it has no `<`.
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})"')


@dataclass(frozen=True, slots=True)
class Sheet:
    """A worksheet: its name, whether it is shown, and the part that holds its rows."""

    name: str
    is_visible: bool
    part: str


@dataclass(frozen=True, slots=True)
class Workbook:
    """
    An open spreadsheet file.

    `formats` are the number formats that a cell's style is an index of. `counts_from_1904` says which day number 0
    is. `is_uncalculated` says that whoever wrote the file left its formulas to be calculated when it is opened.
    """

    name: str
    sheets: tuple[Sheet, ...]
    strings: SharedStrings
    formats: tuple[str, ...]
    counts_from_1904: bool
    is_uncalculated: bool
    package: zipfile.ZipFile

    @contextmanager
    def rows(self, sheet: Sheet) -> Iterator[Iterator[SheetRow]]:
        """Open the rows of `sheet` that have a cell, in their order."""
        with opened_part(self.package, sheet.part) as part:
            yield sheet_rows(part, name=sheet.name)

    def totals_rows(self, sheet: Sheet) -> frozenset[int]:
        """Return the numbers of the rows of `sheet` that are the totals of a table in it, as the table says."""
        return frozenset(line for part in _tables(self.package, sheet) for line in _totals(part))

    def merged_cells(self, sheet: Sheet) -> Iterator[tuple[int, int, int]]:
        """Yield the cells of one column that are merged into one: the column, from 0, the first row and the last."""
        rest = b""
        with opened_part(self.package, sheet.part) as part:
            for piece in pieces_of(part, name=f'sheet "{sheet.name}"'):
                text = rest + piece
                cut = max(text.rfind(b"<"), len(text) - _LONGEST_TAG)
                yield from _merged(text[:cut])
                rest = text[cut:]
            yield from _merged(rest)


def _merged(text: bytes) -> Iterator[tuple[int, int, int]]:
    for left, first, right, last in _MERGED.findall(text):
        column = column_number(left.decode())
        if left == right and int(first) < int(last) and column is not None:
            yield column, int(first), int(last)


@contextmanager
def open_workbook(path: Path, *, name: str) -> Iterator[Workbook]:
    """
    Open the spreadsheet at `path`, called `name` in messages.

    Raises NotASpreadsheet when it is none, is encrypted, or is of a kind that cannot be read; OSError as the disk does.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("rb"))
            if (stored := stored_as(file)) != "package":
                raise other_kind(file, stored)
            check_directory(file)
            package = stack.enter_context(zipfile.ZipFile(file))
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise damaged(str(error)) from error
        yield _workbook(package, name)


def _workbook(package: zipfile.ZipFile, name: str) -> Workbook:
    names = [member.filename for member in package.infolist()]
    if len({name.casefold() for name in names}) < len(names):
        raise damaged("a part occurs twice")
    part = next((target for kind, target in _related(package, "").values() if kind == "officeDocument"), None)
    if part is None:
        raise _no_sheet()
    if part.endswith(".bin"):
        raise NotASpreadsheet("this is a spreadsheet in the binary .xlsb format", hint=SAVE_AS)
    related = _related(package, part)
    sheets: list[Sheet] = []
    counts_from_1904 = is_uncalculated = False
    with opened_part(package, part) as stream:
        for above, attributes in elements(stream, name="the workbook"):
            match above[1:]:
                case ("workbookPr",):
                    counts_from_1904 = _is_true(attributes.get("date1904"))
                case ("calcPr",):
                    is_uncalculated = _is_true(attributes.get("fullCalcOnLoad"))
                case ("sheets", "sheet"):
                    kind, target = related.get(attributes.get("id", ""), ("", ""))
                    if kind == "worksheet":  # not a chart, a dialogue or a macro
                        is_visible = attributes.get("state", "visible") == "visible"
                        sheets.append(Sheet(attributes.get("name", ""), is_visible, target))
    if not sheets:
        raise _no_sheet()
    by_kind = dict(related.values())
    strings = SharedStrings()
    if "sharedStrings" in by_kind:
        with opened_part(package, by_kind["sharedStrings"]) as stream:
            strings = read_strings(stream)
    formats: tuple[str, ...] = ()
    if "styles" in by_kind:
        with opened_part(package, by_kind["styles"]) as stream:
            formats = _formats(stream)
    return Workbook(name, tuple(sheets), strings, formats, counts_from_1904, is_uncalculated, package)


def _no_sheet() -> NotASpreadsheet:
    return NotASpreadsheet(
        "there is no worksheet in the file",
        hint="an archive of tables has the extension .zip; a spreadsheet may be saved again, as .xlsx",
    )


def _related(package: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the relationships of `part` ("": the package): id → the last word of the kind, and the part meant."""
    folder, base = posixpath.split(part)
    name = _found(package, posixpath.join(folder, "_rels", f"{base}.rels"))
    if name is None:
        return {}
    with opened_part(package, name) as stream:
        found = [one for above, one in elements(stream, name=name) if above[1:] == ("Relationship",)]
    return {
        one.get("Id", ""): (one.get("Type", "").rpartition("/")[2], _target(folder, one))
        for one in found
        if one.get("TargetMode") != "External"
    }


def _tables(package: zipfile.ZipFile, sheet: Sheet) -> Iterator[Mapping[str, str]]:
    """Yield the attributes of each table in `sheet`."""
    for kind, part in _related(package, sheet.part).values():
        if kind == "table" and _found(package, part) is not None:
            with opened_part(package, part) as stream:
                yield from (found for above, found in elements(stream, name=part) if len(above) == 1)


def _totals(table: Mapping[str, str]) -> range:
    """Return the last rows of a table that are its totals. Source: ECMA-376 part 1, 18.5.1.2."""
    count = table.get("totalsRowCount", "0")
    last = re.search(r"([0-9]{1,7})$", table.get("ref", ""))
    if last is None or not (count.isascii() and count.isdecimal() and len(count) < 8):
        return range(0)
    return range(int(last[1]) - int(count) + 1, int(last[1]) + 1)


def _target(folder: str, relationship: Mapping[str, str]) -> str:
    # Only ever looked up in the archive's own directory: it is no path of this machine, wherever it points.
    return posixpath.normpath(posixpath.join("/", folder, relationship.get("Target", ""))).lstrip("/")


def _found(package: zipfile.ZipFile, part: str) -> str | None:
    """Return the archive's name of `part`: as it is, in other case, or with the backslashes of some programs."""
    if part in package.NameToInfo:
        return part
    wanted = part.casefold()
    return next((name for name in package.NameToInfo if name.replace("\\", "/").casefold() == wanted), None)


@contextmanager
def opened_part(package: zipfile.ZipFile, part: str) -> Iterator[Readable]:
    """Open a part of a package; raises NotASpreadsheet when it is missing, damaged or encrypted."""
    name = _found(package, part)
    if name is None:
        raise damaged(f'part "{part}" is missing')
    try:
        stream = package.open(name)
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise damaged(f"{part}: {error}") from error
    except RuntimeError as error:  # zipfile's word for an encrypted member
        raise encrypted() from error
    with stream:
        packed_bytes = package.NameToInfo[name].compress_size
        yield Watched(stream, lambda: packed_bytes)


def _formats(stream: Readable) -> tuple[str, ...]:
    """Return the number format of each style: its code, or of the built-in ones `builtin:NUMBER`."""
    codes: dict[str, str] = {}
    styles: list[str] = []
    for above, attributes in elements(stream, name="the styles"):
        match above[1:]:
            case ("numFmts", "numFmt"):
                codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
            case ("cellXfs", "xf"):
                styles.append(attributes.get("numFmtId", "0"))
    return tuple(codes.get(number, f"builtin:{number}") for number in styles)


def _is_true(text: str | None) -> bool:
    return text in ("1", "true", "on")
