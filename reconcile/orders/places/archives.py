"""
Zip archives with one table in them: which file inside is meant, and its bytes as a stream.

Knows archives of one file, plain or deflated, and what a system puts beside it unasked. The name inside says which
format the table has and is used for nothing else. An archive is refused where it is encrypted, nested, inconsistent,
or leaves a doubt which file is meant.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from reconcile.errors import OrderFileError
from reconcile.orders.places.packing import TOO_SHORT, DamagedPacking

_LARGEST_LIST = 1 << 20  # bytes of the archive's list of files: some ten thousand names
_PIECE_BYTES = 1 << 18
_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, …, length of the name, length of the extra field
_ENCRYPTED, _UTF_8 = 0x1 | 0x40, 0x800
_LINK = 0o120000
_ASIDE = ("__MACOSX",)
_ASIDE_NAMES = (".DS_Store", "Thumbs.db", "desktop.ini")
_NESTED = (".zip", ".gz", ".zst", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz")


def only_member(path: Path, *, name: str) -> zipfile.ZipInfo:
    """
    Return the one file in the archive at `path`.

    Raises OrderFileError about `name` when there is none, or more than one, when it is encrypted, packed again or in
    an unknown way, and when its name leads anywhere.
    """
    members = _members(path, name)
    found = [member for member in members if not _is_aside(member)]
    if not found:
        raise _refusal(name, "the archive contains no file", "pack one table of order totals")
    if len(found) > 1:
        listed = ", ".join(f'"{_shown(member)}"' for member in found[:3]) + (", …" if len(found) > 3 else "")
        raise _refusal(name, f"there are {len(found)} files in the archive: {listed}", "unpack it, and name the files")
    _check(found[0], name)
    return found[0]


def holds(path: Path, member_name: str, *, name: str) -> bool:
    """Return whether the archive at `path` has a file of this name; raises OrderFileError when it is damaged."""
    return any(member.filename == member_name for member in _members(path, name))


def _members(path: Path, name: str) -> list[zipfile.ZipInfo]:
    try:
        with path.open("rb") as raw, zipfile.ZipFile(_Careful(raw)) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, DamagedPacking, NotImplementedError, struct.error, UnicodeDecodeError) as error:
        raise _damaged(name, str(error)) from error


class MemberStream:
    """
    The bytes of `member` of the archive at `path`, read forward; all that the archive says of them is checked.

    `read` raises DamagedPacking. `packed_bytes` is what has been read of the archive.
    """

    def __init__(self, path: Path, member: zipfile.ZipInfo) -> None:
        self._raw = path.open("rb")
        self.close = self._raw.close
        self._member = member
        self._left = member.compress_size
        self._bytes = self._crc = 0
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS) if member.compress_type == zipfile.ZIP_DEFLATED else None
        self._input = b""
        if not self._find():
            self.close()
            raise DamagedPacking("its list of files is wrong")

    @property
    def packed_bytes(self) -> int:
        """Bytes of the archive that what was read came from."""
        return self._member.compress_size - self._left

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, fewer at the end only."""
        pieces = []
        while size:
            piece = self._piece(min(size, _PIECE_BYTES) if size > 0 else _PIECE_BYTES)
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece) if size > 0 else 0
        return b"".join(pieces)

    def _find(self) -> bool:
        """Go to the member's first byte; return whether the archive has a member where its list says so."""
        try:
            self._raw.seek(self._member.header_offset)
            signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(self._raw.read(_LOCAL_HEADER.size))
        except (struct.error, ValueError):
            return False
        name = self._raw.read(name_bytes).decode("utf-8" if self._member.flag_bits & _UTF_8 else "cp437", "replace")
        self._raw.seek(extra_bytes, 1)
        return signature == b"PK\x03\x04" and name == self._member.orig_filename

    def _piece(self, size: int) -> bytes:
        piece = self._take(size) if self._inflate is None else self._inflated(self._inflate, size)
        self._bytes += len(piece)
        self._crc = zlib.crc32(piece, self._crc)
        if not piece and (self._bytes, self._crc, self._left) != (self._member.file_size, self._member.CRC, 0):
            raise DamagedPacking("size or checksum is not what the archive says")
        if self._bytes > self._member.file_size:
            raise DamagedPacking("it holds more than the archive says")
        return piece

    def _inflated(self, inflate: zlib._Decompress, size: int) -> bytes:
        while not inflate.eof:
            if not inflate.unconsumed_tail:
                self._input = self._take(_PIECE_BYTES)
            fed = inflate.unconsumed_tail or self._input
            try:
                piece = inflate.decompress(fed, size)
            except zlib.error as error:
                raise DamagedPacking(str(error)) from error
            if piece:
                return piece
            if not fed:
                raise DamagedPacking(TOO_SHORT)
        if inflate.unused_data:
            raise DamagedPacking("it holds more than the archive says")
        return b""

    def _take(self, size: int) -> bytes:
        taken = self._raw.read(min(size, self._left))
        if not taken and self._left:
            raise DamagedPacking(TOO_SHORT)
        self._left -= len(taken)
        return taken


class _Careful:
    """The archive's file for `zipfile`, which would read a list of any length into memory."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self.seek, self.tell, self.close = raw.seek, raw.tell, raw.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_LIST:
            # zipfile asks for "the rest" where it looks for the end of the archive, 64 KiB from it.
            taken = self._raw.read(_LARGEST_LIST + 1)
            if len(taken) > _LARGEST_LIST:
                raise DamagedPacking("its list of files is too long")
            return taken
        return self._raw.read(size)

    def seekable(self) -> bool:
        return True


def _check(member: zipfile.ZipInfo, name: str) -> None:
    shown = _shown(member)
    unpack = "unpack it, and name the file itself"
    parts = member.filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] in ("", "~") or ":" in parts[0] or not member.filename.isprintable():
        raise _refusal(name, f'the file in the archive has a name that leads elsewhere: "{shown}"', "pack it again")
    if member.external_attr >> 16 & 0o170000 == _LINK:
        raise _refusal(name, f'"{shown}" in the archive is a link, not a file', "pack the file itself")
    if member.flag_bits & _ENCRYPTED:
        raise _refusal(name, f'"{shown}" in the archive is encrypted', unpack)
    if PurePosixPath(shown).suffix.lower() in _NESTED:
        raise _refusal(name, f'"{shown}" in the archive is itself compressed', unpack)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        problem = f'"{shown}" in the archive is compressed with method {member.compress_type}, which is not read'
        raise _refusal(name, problem, "compress it as usual (deflate), or unpack it and name the file itself")


def _is_aside(member: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    return member.is_dir() or not parts or parts[0] in _ASIDE or parts[-1] in _ASIDE_NAMES or parts[-1].startswith("._")


def _shown(member: zipfile.ZipInfo) -> str:
    text = "".join(sign if sign.isprintable() else "?" for sign in member.filename)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _refusal(name: str, problem: str, hint: str) -> OrderFileError:
    return OrderFileError(problem, path=name, hint=hint)


def _damaged(name: str, problem: str) -> OrderFileError:
    return _refusal(name, f"this is not a readable zip archive ({problem})", "export it again")
