"""
A reader of workbooks for tests: the parts of XLSX that ours have, and what their formulas come to.

It shares no code with the writer. A formula of a kind it does not know is an error.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True)
class Cell:
    """Text, number or claim as it stands; the formula where there is one; the number format."""

    value: str | float | bool
    formula: str | None
    number_format: str


Sheet = dict[str, Cell]


@dataclass(frozen=True)
class Book:
    """Sheets by name, in order, and the XML of each."""

    sheets: dict[str, Sheet]
    xml: dict[str, bytes]

    def rows(self, name: str) -> list[dict[str, Cell]]:
        """Return the rows under the header of row 1, as title → cell."""
        sheet = self.sheets[name]
        titles = {letters(place): cell.value for place, cell in sheet.items() if number(place) == 1}
        found: dict[int, dict[str, Cell]] = {}
        for place, cell in sheet.items():
            if number(place) > 1:
                found.setdefault(number(place), {})[str(titles[letters(place)])] = cell
        return [found[row] for row in sorted(found)]

    def texts(self, name: str) -> list[str]:
        return [str(cell.value) for cell in self.sheets[name].values()]


def read_book(path: Path) -> Book:
    """Read a workbook, strictly: what is no XML is an error."""
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        trees = {name: ElementTree.fromstring(packed.read(name)) for name in packed.namelist() if name.endswith("xml")}
        raw = {name: packed.read(name) for name in packed.namelist()}
    shared = [_text(entry) for entry in trees["xl/sharedStrings.xml"]]
    targets = {
        relation.get("Id"): f"xl/{relation.get('Target')}"
        for relation in ElementTree.fromstring(raw["xl/_rels/workbook.xml.rels"])
    }
    formats = _formats(trees["xl/styles.xml"])
    sheets, xml = {}, {}
    for entry in trees["xl/workbook.xml"].iter(f"{MAIN}sheet"):
        target = targets[entry.get(RELATION)]
        name = str(entry.get("name"))
        sheets[name] = {
            str(cell.get("r")): _cell(cell, shared, formats)
            for cell in trees[target].iter(f"{MAIN}c")
            if len(cell)
        }  # fmt: skip
        xml[name] = raw[target]
    return Book(sheets, xml)


def computed(book: Book, sheet: str, place: str) -> float:
    """Return what the formula of a cell comes to, from the other cells as they are written."""
    formula = book.sheets[sheet][place].formula
    assert formula is not None
    return _computed(book, sheet, formula)


def letters(place: str) -> str:
    return place.rstrip("0123456789")


def number(place: str) -> int:
    return int(place[len(letters(place)) :])


def _computed(book: Book, sheet: str, formula: str) -> float:
    if rounded := re.fullmatch(r"ROUND\((.*),([0-9])\)", formula):
        return round(_computed(book, sheet, rounded[1]), int(rounded[2]))
    if counted := re.fullmatch(r"COUNTIFS\((.*)\)", formula):
        return float(len(_chosen(book, sheet, counted[1].split(","))))
    if added := re.fullmatch(r"SUMIFS\((.*)\)", formula):
        what, *where = added[1].split(",")
        cells = _range(book, sheet, what)
        numbers = [cells[place].value for place in _chosen(book, sheet, where) if place in cells]
        return float(sum(value for value in numbers if not isinstance(value, str)))
    total, signs = 0.0, re.findall(r"([+-]?)([A-Z]+[0-9]+)", formula)
    assert "".join(sign + place for sign, place in signs) == formula, formula
    for sign, place in signs:
        total += float(book.sheets[sheet][place].value) * (-1 if sign == "-" else 1)
    return total


def _chosen(book: Book, sheet: str, where: list[str]) -> list[int]:
    """Return the places of the rows, from 0, at which all conditions hold."""
    chosen: set[int] | None = None
    for cells, condition in zip(where[::2], where[1::2], strict=True):
        found = _range(book, sheet, cells)
        rows = {row for row, cell in found.items() if _holds(cell.value, _criterion(book, sheet, condition))}
        chosen = rows if chosen is None else chosen & rows
    return sorted(chosen or ())


def _criterion(book: Book, sheet: str, condition: str) -> str:
    return condition.strip('"') if condition.startswith('"') else str(book.sheets[sheet][condition.lstrip("$")].value)


def _holds(value: Any, criterion: str) -> bool:
    if compared := re.fullmatch(r"(>=|<=)([0-9]+)", criterion):
        if isinstance(value, str):
            return False
        return value >= int(compared[2]) if compared[1] == ">=" else value <= int(compared[2])
    return str(value).casefold() == criterion.casefold()


def _range(book: Book, sheet: str, text: str) -> dict[int, Cell]:
    named, bounds = text.rsplit("!", 1) if "!" in text else (sheet, text)
    first, last = bounds.replace("$", "").split(":")
    assert letters(first) == letters(last)
    cells = book.sheets[named.strip("'")]
    places = {row - number(first): f"{letters(first)}{row}" for row in range(number(first), number(last) + 1)}
    return {row: cells[place] for row, place in places.items() if place in cells}


def _cell(cell: ElementTree.Element, shared: list[str], formats: list[str]) -> Cell:
    found, formula, kind = cell.find(f"{MAIN}v"), cell.find(f"{MAIN}f"), cell.get("t", "n")
    number_format = formats[int(cell.get("s", "0"))]
    raw = (found.text or "") if found is not None else ""
    value: str | float | bool
    if kind == "inlineStr":
        value = _text(cell[0])
    elif kind == "s":
        value = shared[int(raw)]
    elif kind == "b":
        value = raw == "1"
    else:
        assert kind == "n", kind
        value = float(raw)
    return Cell(value, formula.text if formula is not None else None, number_format)


def _text(entry: ElementTree.Element) -> str:
    assert all(child.tag == f"{MAIN}t" for child in entry), "a plain text, without markup of its own"
    text = "".join(child.text or "" for child in entry)
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)


def _formats(styles: ElementTree.Element) -> list[str]:
    own = {entry.get("numFmtId"): str(entry.get("formatCode")) for entry in styles.iter(f"{MAIN}numFmt")}
    known = {"0": "General", "3": "#,##0", "4": "#,##0.00", "49": "@"}
    cells = styles.find(f"{MAIN}cellXfs")
    assert cells is not None
    return [own.get(entry.get("numFmtId")) or known[str(entry.get("numFmtId"))] for entry in cells]
