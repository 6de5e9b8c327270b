"""Packed order files: what comes out is what went in, or one clear error, in bounded memory."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reconcile.errors import OrderFileError
from reconcile.files.streams import LARGEST_RATIO, ROOM_BYTES
from reconcile.orders.places.sources import OrderSource, SourceStream

TABLE = b"reference,amount,currency\nR1,1.00,EUR\nR2,2.00,EUR\n"
ROWS = [("R1", 100), ("R2", 200)]


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def in_directory(packed: bytes, offset: int, value: bytes) -> bytes:
    """Return the archive with bytes of its first entry in the central directory replaced."""
    at = packed.index(b"PK\x01\x02") + offset
    return packed[:at] + value + packed[at + len(value) :]


def refused(read: Any, content: bytes, name: str) -> OrderFileError:
    with pytest.raises(OrderFileError) as caught:
        read(content, name=name)
    assert caught.value.hint
    assert caught.value.path.endswith(name)
    return caught.value


def unpacked(path: Path) -> int:
    """Return how many bytes are in the file."""
    with closing(SourceStream(OrderSource(path, ".csv", path.suffix, path.name))) as stream:
        return sum(map(len, iter(lambda: stream.read(1 << 20), b"")))


def problem(read: Any, content: bytes, name: str) -> str:
    error = refused(read, content, name)
    return error.message.removeprefix(f"{error.path}: ")


@pytest.mark.parametrize(
    ("pack", "name", "compression"),
    [
        (gzip.compress, "orders.csv.gz", "gz"),
        (zstd, "orders.csv.zst", "zst"),
        (zstd, "ORDERS.CSV.ZST", "zst"),
        (lambda content: zipped(("orders.csv", content)), "orders.zip", "zip"),
        (lambda content: zipped(("export/Orders.CSV", content)), "whatever.csv.zip", "zip"),
        (lambda content: zipped(("orders.csv", content), method=zipfile.ZIP_STORED), "orders.zip", "zip"),
        (lambda content: b"SFX stub" * 9 + zipped(("orders.csv", content)), "orders.zip", "zip"),
    ],
)
def test_a_packed_table_is_read_like_the_table(
    read: Any, pack: Callable[[bytes], bytes], name: str, compression: str
) -> None:
    outcome = read(pack(TABLE), name=name)

    assert outcome.columns("reference", "amount_cents") == ROWS
    assert outcome.columns("source_line") == [(2,), (3,)]
    assert [(file.format, file.compression) for file in outcome.report.files] == [("csv", compression)]
    assert outcome.report.files[0].bytes == len(pack(TABLE))


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_members_and_frames_are_one_file(read: Any, pack: Callable[[bytes], bytes]) -> None:
    name = "orders.csv.gz" if pack is gzip.compress else "orders.csv.zst"

    packed = pack(TABLE[:20]) + pack(b"") + pack(TABLE[20:])

    assert read(packed, name=name).columns("reference", "amount_cents") == ROWS


def test_the_name_inside_an_archive_says_the_format(read: Any) -> None:
    packed = zipped(("orders.ndjson", b'{"reference": "R1", "total": "1.00", "currency": "EUR"}\n'))

    assert [file.format for file in read(packed, name="orders.csv.zip").report.files] == ["json"]


def test_what_a_system_puts_beside_a_file_does_not_count(read: Any) -> None:
    packed = zipped(
        ("export/", b""),
        ("export/orders.csv", TABLE),
        ("__MACOSX/export/._orders.csv", b"\0\5\26\7"),
        ("export/.DS_Store", b"\0"),
        ("Thumbs.db", b"\0"),
    )

    assert read(packed, name="orders.zip").columns("reference", "amount_cents") == ROWS


@pytest.mark.parametrize("name", ["orders.csv.gz", "orders.csv.zst", "orders.csv.zip"])
def test_a_file_cut_off_anywhere_is_an_error(tmp_path: Path, name: str) -> None:
    noise = random.Random(1)
    table = TABLE + b"".join(b"R%d,1.00,EUR\n" % noise.getrandbits(60) for _ in range(15))
    packed = {"gz": gzip.compress(table), "st": zstd(table), "ip": zipped(("orders.csv", table))}[name[-2:]]

    for cut in range(1, len(packed)):
        (tmp_path / name).write_bytes(packed[:cut])
        with pytest.raises(OrderFileError):
            unpacked(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "pack"), [("orders.csv.gz", gzip.compress), ("orders.csv.zst", zstd), ("orders.csv.zst", lambda b: b)]
)
def test_what_follows_or_precedes_the_packed_bytes_is_an_error(
    read: Any, name: str, pack: Callable[[bytes], bytes]
) -> None:
    for content in (pack(TABLE) + b"x", pack(TABLE) + b"\n\n\n\nmore", b"x" + pack(TABLE)):
        assert problem(read, content, name).startswith("the compressed file is damaged or truncated (")
    if name.endswith(".gz"):
        assert "(it is not gzip, or something follows the compressed bytes)" in problem(read, TABLE, name)


@pytest.mark.parametrize("at", range(0, 60, 3))
def test_a_changed_byte_of_an_archive_gives_no_other_rows(read: Any, at: int) -> None:
    packed = bytearray(zipped(("orders.csv", TABLE * 3), method=zipfile.ZIP_STORED))
    packed[30 + len("orders.csv") + at] ^= 0x01

    assert "size or checksum is not what the archive says" in problem(read, bytes(packed), "orders.zip")


def test_an_archive_must_agree_with_itself(read: Any) -> None:
    longer, plain = zipped(("orders.csv", TABLE + b"R3,3.00,EUR\n")), zipped(("orders.csv", TABLE))
    # An archive that says a shorter length, with the checksum of the shorter text: the last row must not be lost.
    hides_a_row = in_directory(longer, 16, struct.pack("<L", zlib.crc32(TABLE)))
    hides_a_row = in_directory(hides_a_row, 24, struct.pack("<L", len(TABLE)))

    assert "it holds more than the archive says" in problem(read, hides_a_row, "orders.zip")
    with pytest.raises(OrderFileError, match="its list of files is wrong"):
        read(plain.replace(b"orders.csv", b"others.csv", 1), name="orders.zip")
    for offset, value in ((24, len(TABLE) + 1), (24, len(TABLE) - 1), (16, 0), (20, 5), (20, 1 << 20), (42, 7)):
        message = problem(read, in_directory(plain, offset, struct.pack("<L", value)), "orders.zip")
        assert message.startswith("the compressed file is damaged or truncated ("), (offset, value)


def test_an_archive_holds_nothing_behind_its_file(read: Any) -> None:
    plain = zipped(("orders.csv", TABLE))
    directory, end = plain.index(b"PK\x01\x02"), plain.index(b"PK\x05\x06")
    packed_bytes = struct.unpack_from("<L", plain, directory + 20)[0]
    longer = in_directory(plain, 20, struct.pack("<L", packed_bytes + 4))
    longer = longer[:directory] + b"more" + longer[directory : end + 16] + struct.pack("<LH", directory + 4, 0)

    assert "it holds more than the archive says" in problem(read, longer, "orders.zip")


def test_an_archive_must_leave_no_doubt_which_file_is_meant(read: Any) -> None:
    two = zipped(("a.csv", TABLE), ("b.csv", TABLE))
    many = zipped(*((f"{at}.csv", TABLE) for at in range(9)))

    assert problem(read, zipped(), "orders.zip") == "the archive contains no file"
    assert problem(read, zipped(("a/", b"")), "orders.zip") == "the archive contains no file"
    assert problem(read, two, "orders.zip") == 'there are 2 files in the archive: "a.csv", "b.csv"'
    assert problem(read, many, "orders.zip") == 'there are 9 files in the archive: "0.csv", "1.csv", "2.csv", …'
    with pytest.raises(OrderFileError, match=r'orders\.zip \(a\.pdf\): files ending in "\.pdf" cannot be read'):
        read(zipped(("a.pdf", TABLE)), name="orders.zip")


@pytest.mark.parametrize(
    "name",
    ["../orders.csv", "a/../../orders.csv", "/etc/orders.csv", "C:\\orders.csv", "..\\orders.csv", "~/orders.csv",
     "or\nders.csv", "\u202eorders.csv"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused_and_leads_nowhere(read: Any, tmp_path: Path, name: str) -> None:
    assert "has a name that leads elsewhere" in problem(read, zipped((name, TABLE)), "orders.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("inside", ["orders.csv.gz", "orders.zip", "orders.csv.zst", "orders.tar", "orders.7z"])
def test_an_archive_inside_an_archive_is_refused(read: Any, inside: str) -> None:
    assert problem(read, zipped((inside, TABLE)), "orders.zip") == f'"{inside}" in the archive is itself compressed'


@pytest.mark.parametrize("name", ["orders.csv.gz.zst", "orders.csv.gz.gz", "orders.csv.zst.gz"])
def test_a_file_packed_twice_is_refused(read: Any, name: str) -> None:
    assert problem(read, zstd(gzip.compress(TABLE)), name) == "the file is compressed more than once"


def test_what_cannot_be_unpacked_is_told_apart(read: Any) -> None:
    plain = zipped(("orders.csv", TABLE))
    link = zipfile.ZipInfo("orders.csv")
    link.external_attr = 0o120777 << 16

    assert "is encrypted" in problem(read, in_directory(plain, 8, b"\x01\x00"), "orders.zip")
    assert "is compressed with method 12" in problem(
        read, zipped(("orders.csv", TABLE), method=zipfile.ZIP_BZIP2), "orders.zip"
    )
    assert "is compressed with method 14" in problem(
        read, zipped(("orders.csv", TABLE), method=zipfile.ZIP_LZMA), "orders.zip"
    )
    assert "is compressed with method 99" in problem(read, in_directory(plain, 10, b"\x63\x00"), "orders.zip")
    assert "is a link, not a file" in problem(read, zipped((link, b"/etc/passwd")), "orders.zip")  # type: ignore[arg-type]  # writestr takes both
    assert "is a spreadsheet" in problem(read, zipped(("[Content_Types].xml", b""), ("xl/a.xml", b"")), "orders.zip")
    assert "this is not a readable zip archive" in problem(read, TABLE, "orders.zip")


def test_a_list_of_files_without_end_is_refused_unread(read: Any) -> None:
    packed = zipped(("orders.csv", TABLE))
    end = packed.index(b"PK\x05\x06")
    directory = packed[packed.index(b"PK\x01\x02") : end] * 20_000
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 20_000, 20_000, len(directory), packed.index(b"PK\x01\x02"), 0)

    assert "its list of files is too long" in problem(
        read, packed[: packed.index(b"PK\x01\x02")] + directory + tail, "orders.zip"
    )


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".zip"])
def test_what_unpacks_to_no_table_stops_early(tmp_path: Path, suffix: str) -> None:
    room = ROOM_BYTES + (8 << 20)
    path = tmp_path / f"orders.csv{suffix}"
    pack = {".gz": gzip.compress, ".zst": zstd, ".zip": lambda content: zipped(("o.csv", content))}[suffix]
    path.write_bytes(pack(b"reference,amount,currency\n" + b" " * room))
    stream = SourceStream(OrderSource(path, ".csv", suffix, "orders"))
    read_bytes = 0

    with pytest.raises(OrderFileError, match=f"unpacks to more than {LARGEST_RATIO} times its size"):
        while piece := stream.read(1 << 20):
            read_bytes += len(piece)
    stream.close()

    assert ROOM_BYTES - (1 << 20) <= read_bytes <= ROOM_BYTES


def test_a_table_that_packs_well_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        for at in range(100):
            packed.write(b"".join(b"%d,%s\n" % (at * 10_000 + row, b"0" * 90) for row in range(10_000)))

    assert unpacked(path) > ROOM_BYTES
