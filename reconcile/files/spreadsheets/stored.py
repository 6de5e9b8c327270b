"""
How a spreadsheet file is stored, by its first bytes: its name says little, as programs call more than one thing .xls.

Reads no sheet. Sources: ECMA-376 part 2, ODF 1.3 part 2, [MS-CFB] 2.2, [MS-XLS] 2.4.21.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import BinaryIO, Literal

from reconcile.files.encodings import marked_encoding, utf_16_without_mark
from reconcile.files.spreadsheets.unreadable import SAVE_AS, NotASpreadsheet, damaged, encrypted

Stored = Literal["package", "open document", "compound", "bare", "html", "excel 2003", "text", "nothing"]
"""
As .xlsx is; as OpenDocument is; as .xls is, and what is encrypted; as .xls was before 1993; as a web page; as Excel's
XML of 2003; as another text, or as nothing that is known here; an empty file.
"""

EXCEL_2003 = "urn:schemas-microsoft-com:office:spreadsheet"

_HEAD_BYTES = 4096
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
_END_OF_DIRECTORY = b"PK\5\6"
_LONGEST_COMMENT = 1 << 16
_MOST_DIRECTORY_BYTES = 16 << 20
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BARE = (b"\x09\x00\x04\x00", b"\x09\x02\x06\x00", b"\x09\x04\x06\x00")
_MARKUP = re.compile(r"\s*<[!?A-Za-z]")
_WORKBOOK = re.compile(r"<(?:\w+:)?Workbook\s")


def stored_as(file: BinaryIO) -> Stored:
    """Return how `file`, which is at its beginning and is left there, is stored; raises OSError as the disk does."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if not head:
        return "nothing"
    if head.startswith(_ZIP):
        return "open document" if _is_open_document(file) else "package"
    if head.startswith(_COMPOUND):
        return "compound"
    if head.startswith(_BARE):
        return "bare"
    text = head.decode(marked_encoding(head) or utf_16_without_mark(head) or "utf-8", "ignore").lstrip("\ufeff")
    if not _MARKUP.match(text):
        return "text"
    return "excel 2003" if EXCEL_2003 in text and _WORKBOOK.search(text) else "html"


def check_directory(file: BinaryIO) -> None:
    """Raise NotASpreadsheet for an archive whose directory, which is read as a whole, is of no honest size."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _LONGEST_COMMENT - 22))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at >= 0 and int.from_bytes(tail[at + 12 : at + 16], "little") > _MOST_DIRECTORY_BYTES:
        raise damaged("its directory is larger than that of any spreadsheet")


def other_kind(file: BinaryIO, stored: Stored) -> NotASpreadsheet:
    """Return the error for a `file` that is `stored` in a way that is not read where it is given."""
    match stored:
        case "nothing":
            return NotASpreadsheet("there is nothing in the file", hint="export it again")
        case "compound" if is_encrypted(file):
            return encrypted()
        case "compound":
            return NotASpreadsheet("this is a spreadsheet in the old .xls format", hint=SAVE_AS)
        case "bare":
            return NotASpreadsheet("this is an .xls file of a program from before 1993", hint=SAVE_AS)
        case "open document":
            return NotASpreadsheet("this is a spreadsheet in the OpenDocument format (.ods)", hint=SAVE_AS)
    file.seek(0)
    head = file.read(1 << 16)
    what = "of another kind" if b"\0" in head[:1000] else "text"
    return NotASpreadsheet(
        f"this is not a spreadsheet: its content is {what}",
        hint="give the file the right extension, such as .csv, or save it as .xlsx",
        head=head,
    )


def is_encrypted(file: BinaryIO) -> bool:
    """Return whether a compound file holds a spreadsheet that only a password opens."""
    file.seek(0)
    before = b""
    while piece := file.read(1 << 20):
        if _ENCRYPTED in before[-len(_ENCRYPTED) :] + piece:
            return True
        before = piece
    return False


def _is_open_document(file: BinaryIO) -> bool:
    """Return whether an archive says that it is a spreadsheet; what is wrong in a damaged one, its reader says."""
    try:
        check_directory(file)
        with zipfile.ZipFile(file) as package, package.open("mimetype") as told:
            return told.read(len(_OPEN_DOCUMENT)) == _OPEN_DOCUMENT
    except (
        NotASpreadsheet,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        ValueError,
        KeyError,
        zlib.error,
        EOFError,
    ):
        return False
    finally:
        file.seek(0)
