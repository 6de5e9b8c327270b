"""Spreadsheets of other programs written by hand, so that a test can put into one what no program would."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from spreadsheets import zipped

DATE, TIME, PERCENT = 1, 2, 3
"""Styles of cells in `xls`: number formats 14, 20 and 10; 0 is General."""

_FORMATS = (0, 14, 20, 10)
_SECTOR = 512
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def record(kind: int, content: bytes) -> bytes:
    """Return a record of a BIFF stream: [MS-XLS] 2.1.4."""
    return struct.pack("<HH", kind, len(content)) + content


def label(row: int, column: int, value: str) -> bytes:
    """Return a cell of text; rows and columns from 0."""
    return record(0x204, struct.pack("<HHH", row, column, 0) + _text(value))


def number(row: int, column: int, value: float, style: int = 0) -> bytes:
    """Return a cell of a number."""
    return record(0x203, struct.pack("<HHHd", row, column, style, value))


def truth(row: int, column: int, value: int, *, is_error: bool = False) -> bytes:
    """Return a cell of true or false, or of an error."""
    return record(0x205, struct.pack("<HHHBB", row, column, 0, value, is_error))


def formula(row: int, column: int, value: float | str) -> bytes:
    """Return a cell of the formula 1, with its result."""
    result = struct.pack("<d", value) if isinstance(value, float) else struct.pack("<HIH", 0, 0, 0xFFFF)
    cell = record(0x006, struct.pack("<HHH", row, column, 0) + result + struct.pack("<HIH", 0, 0, 3) + b"\x1e\x01\x00")
    return cell + (record(0x207, _text(value)) if isinstance(value, str) else b"")


def merged(first_row: int, last_row: int, column: int, last_column: int | None = None) -> bytes:
    """Return that cells are merged."""
    last = column if last_column is None else last_column
    return record(0xE5, struct.pack("<HHHHH", 1, first_row, last_row, column, last))


def dimensions(rows: int, columns: int) -> bytes:
    """Return what a sheet says of its size."""
    return record(0x200, struct.pack("<IIHHH", 0, rows, 0, columns, 0))


def table(*rows: Sequence[str | float]) -> bytes:
    """Return the cells of rows, from the first one on."""
    return b"".join(
        label(line, at, value) if isinstance(value, str) else number(line, at, value)
        for line, row in enumerate(rows)
        for at, value in enumerate(row)
    )


def xls(sheets: Mapping[str, bytes] | bytes, *, hidden: Sequence[str] = (), globals_: bytes = b"") -> bytes:
    """Return an .xls file; `sheets` are the records of each by name, or of one, "Sheet1"."""
    named = {"Sheet1": sheets} if isinstance(sheets, bytes) else dict(sheets)
    formats = b"".join(record(0xE0, struct.pack("<HHH14x", 0, number, 0)) for number in _FORMATS)
    head = record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0)) + record(0x42, b"\xb0\x04") + globals_ + formats
    bodies = [
        record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0)) + content + record(0x0A, b"")
        for content in named.values()
    ]
    at = len(head) + sum(12 + 2 * len(name) for name in named) + 4
    listed = b""
    for name, body in zip(named, bodies, strict=True):
        text = name.encode("utf-16-le")
        listed += record(0x85, struct.pack("<IBBBB", at, name in hidden, 0, len(name), 1) + text)
        at += len(body)
    return compound({"Workbook": head + listed + record(0x0A, b"") + b"".join(bodies)})


def compound(streams: Mapping[str, bytes]) -> bytes:
    """Return a compound file: [MS-CFB]; streams are at least 4,096 bytes long, zeros behind them if need be."""
    padded = {name: content.ljust(4096, b"\0") for name, content in streams.items()}
    counts = [-(-len(content) // _SECTOR) for content in padded.values()]
    fats = next(count for count in range(1, 109) if count * 128 >= count + 1 + sum(counts))
    fat, starts = [_FAT] * fats + [_END], []
    for count in counts:
        starts.append(len(fat))
        fat += [*range(len(fat) + 1, len(fat) + count), _END]
    fat += [_FREE] * (fats * 128 - len(fat))
    folder = _entry("Root Entry", 5, _END, 0, child=1) + b"".join(
        _entry(name, 2, start, len(content), right=at + 2 if at + 1 < len(padded) else _FREE)
        for at, ((name, content), start) in enumerate(zip(padded.items(), starts, strict=True))
    )
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6,
        0, fats, fats, 0, 4096, _END, 0, _END, 0,
    )  # fmt: skip
    header += struct.pack("<109I", *range(fats), *[_FREE] * (109 - fats))
    body = b"".join(
        content.ljust(count * _SECTOR, b"\0") for content, count in zip(padded.values(), counts, strict=True)
    )
    return header + struct.pack(f"<{len(fat)}I", *fat) + folder.ljust(_SECTOR, b"\0") + body


def _entry(name: str, kind: int, start: int, size: int, *, child: int = _FREE, right: int = _FREE) -> bytes:
    text = name.encode("utf-16-le")
    return struct.pack("<64sHBBIII36xIQ", text, len(text) + 2, kind, 1, _FREE, right, child, start, size)


def _text(value: str) -> bytes:
    return struct.pack("<HB", len(value.encode("utf-16-le")) // 2, 1) + value.encode("utf-16-le")


def ods(
    sheets: Mapping[str, str] | str, *, hidden: Sequence[str] = (), parts: Mapping[str, str | bytes] | None = None
) -> bytes:
    """Return an OpenDocument spreadsheet; `sheets` are the XML of the rows of each by name, or of one, "Sheet1"."""
    named = {"Sheet1": sheets} if isinstance(sheets, str) else dict(sheets)
    office = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = " ".join(f'xmlns:{name}="{office}{name}:1.0"' for name in ("office", "table", "text", "style"))
    shown = "".join(
        f'<style:style style:name="{name}" style:family="table"><style:table-properties table:display="{name}"/>'
        "</style:style>"
        for name in ("true", "false")
    )
    tables = "".join(
        f"<table:table table:name={quoteattr(name)} "
        f'table:style-name="{"false" if name in hidden else "true"}">{rows}</table:table>'
        for name, rows in named.items()
    )
    content = (
        f"<office:document-content {spaces}><office:automatic-styles>{shown}</office:automatic-styles>"
        f"<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": content,
            "META-INF/manifest.xml": manifest(""),
            **(parts or {}),
        }
    )


def manifest(entries: str) -> str:
    """Return the part that lists the others."""
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    return f'<manifest:manifest xmlns:manifest="{space}">{entries}</manifest:manifest>'


def ods_row(*cells: str, repeated: int = 1) -> str:
    """Return a row of cells."""
    return f'<table:table-row table:number-rows-repeated="{repeated}">{"".join(cells)}</table:table-row>'


def ods_text(value: str) -> str:
    """Return a cell of text."""
    return f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'


def ods_value(kind: str, value: str, *, repeated: int = 1) -> str:
    """Return a cell of another type: float, percentage, date, time, boolean."""
    attribute = {"date": "date-value", "time": "time-value", "boolean": "boolean-value"}.get(kind, "value")
    return (
        f'<table:table-cell table:number-columns-repeated="{repeated}" office:value-type="{kind}" '
        f'office:{attribute}="{value}"><text:p>{value}</text:p></table:table-cell>'
    )


def ods_blank(repeated: int = 1) -> str:
    """Return empty cells."""
    return f'<table:table-cell table:number-columns-repeated="{repeated}"/>'


def excel_2003(sheets: Mapping[str, Sequence[Sequence[str]]], *, styles: str = "", after: str = "") -> bytes:
    """Return a workbook in Excel's XML of 2003: cells of rows by sheet; `after` stands behind the rows of each."""
    tables = "".join(
        f"<Worksheet ss:Name={quoteattr(name)}><Table>"
        + "".join(f"<Row>{''.join(row)}</Row>" for row in rows)
        + f"</Table>{after}</Worksheet>"
        for name, rows in sheets.items()
    )
    space = "urn:schemas-microsoft-com:office:spreadsheet"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><?mso-application progid="Excel.Sheet"?>\n'
        f'<Workbook xmlns="{space}" xmlns:ss="{space}"><Styles>{styles}</Styles>{tables}</Workbook>'
    ).encode()


def data(kind: str, value: str, **attributes: str) -> str:
    """Return a cell of Excel's XML of 2003."""
    named = "".join(f" ss:{name}={quoteattr(text)}" for name, text in attributes.items())
    return f'<Cell{named}><Data ss:Type="{kind}">{escape(value)}</Data></Cell>'
