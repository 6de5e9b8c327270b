"""Spreadsheets written by hand, so that a test can put into one what no program would."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
FORMATS = ("General", "yyyy\\-mm\\-dd", "000000", '"PO-"0000', "[h]:mm:ss", '#,##0.00 "EUR"', "builtin 14", "0.00E+00")
"""Number formats by style, as `number` takes it."""

HEADER = ("reference", "amount", "currency")


def text(value: str) -> str:
    """Return a cell of text, without its place."""
    return f't="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def number(stored: str, style: int = 0) -> str:
    """Return a cell of a number as it is stored, in the format `FORMATS[style]`."""
    return f's="{style}"><v>{stored}</v></c>'


def cell(kind: str, stored: str, formula: str = "") -> str:
    """Return a cell of any other type."""
    return f't="{kind}">{formula}<v>{stored}</v></c>'


def rows(*table: Sequence[str], first: int = 1) -> str:
    """Return rows of cells; those of a sequence stand one beside the other, "" leaves a place empty."""
    return "".join(
        f'<row r="{line}">'
        + "".join(f'<c r="{chr(65 + at)}{line}" {content}' for at, content in enumerate(row) if content)
        + "</row>"
        for line, row in enumerate(table, first)
    )


def named(*columns: str) -> list[str]:
    """Return a row of texts."""
    return [text(column) for column in columns]


def sheet(content: str, *, before: str = "", after: str = "", space: str = MAIN) -> str:
    """Return the XML of a sheet with the rows `content`."""
    return f'<worksheet xmlns="{space}">{before}<sheetData>{content}</sheetData>{after}</worksheet>'


def workbook(
    sheets: Mapping[str, str] | str,
    *,
    states: Mapping[str, str] | None = None,
    strings: Sequence[str] = (),
    properties: str = "",
    calculation: str = "",
    parts: Mapping[str, str | bytes] | None = None,
    space: str = MAIN,
    types: Mapping[str, str] | None = None,
) -> bytes:
    """
    Return a spreadsheet file.

    `sheets` are the XML of each sheet by name (or of one, "Sheet1"), `strings` the items of the shared strings as XML,
    `parts` more parts of the package, or others in place of those written here.
    """
    named_sheets = {"Sheet1": sheets} if isinstance(sheets, str) else sheets
    numbered = list(enumerate(named_sheets, 1))
    listed = "".join(
        f'<sheet name={quoteattr(name)} sheetId="{i}" state="{(states or {}).get(name, "visible")}" r:id="r{i}"/>'
        for i, name in numbered
    )
    related = [(f"r{i}", (types or {}).get(name, "worksheet"), f"worksheets/sheet{i}.xml") for i, name in numbered]
    related += [("s1", "sharedStrings", "sharedStrings.xml"), ("s2", "styles", "/xl/styles.xml")]
    package: dict[str, str | bytes] = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": relationships([("r1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{OFFICE}"><workbookPr {properties}/>'
        f"<sheets>{listed}</sheets>{calculation}</workbook>",
        "xl/_rels/workbook.xml.rels": relationships(related),
        "xl/sharedStrings.xml": f'<sst xmlns="{space}">{"".join(strings)}</sst>',
        "xl/styles.xml": styles(space),
        **{f"xl/worksheets/sheet{i}.xml": named_sheets[name] for i, name in numbered},
        **(parts or {}),
    }
    return zipped(package)


def styles(space: str = MAIN) -> str:
    """Return the styles part, with one style for each of FORMATS."""
    codes = "".join(
        f'<numFmt numFmtId="{163 + i}" formatCode={quoteattr(code)}/>'
        for i, code in enumerate(FORMATS)
        if i and not code.startswith("builtin")
    )
    numbers = [code.partition(" ")[2] if code.startswith("builtin") else 163 + i for i, code in enumerate(FORMATS)]
    used = "".join(f'<xf numFmtId="{number if i else 0}"/>' for i, number in enumerate(numbers))
    return (
        f'<styleSheet xmlns="{space}"><numFmts>{codes}</numFmts>'
        f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>{used}</cellXfs></styleSheet>'
    )


def relationships(related: Sequence[tuple[str, str, str]], mode: str = "Internal") -> str:
    """Return a part of relationships: id, kind and target of each."""
    listed = "".join(
        f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{target}" TargetMode="{mode}"/>'
        for key, kind, target in related
    )
    return f'<Relationships xmlns="{PACKAGE}">{listed}</Relationships>'


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Return an archive of `parts`."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()
