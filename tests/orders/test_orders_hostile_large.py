"""Files that are made to fill memory: read or refused in a process of its own, whose memory is measured."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import CENTS, ROW
from spreadsheets import HEADER, named, number, rows, sheet, text, workbook, zipped

pytestmark = pytest.mark.slow

MOST_MIB = 150
"""What a hostile file may add to the memory of a process that has read a small one."""

MEASURED = """
import json, resource, sys
from pathlib import Path
from reconcile.errors import OrderFileError
from reconcile.orders.read import read_orders_to_parquet

def read(path):
    folder = Path(path).parent
    try:
        report = read_orders_to_parquet(path, folder / "o.parquet", rejects=folder / "r.csv", max_rejects=10**9)
    except OrderFileError as error:
        return error.message
    return [report.rows, report.rejects]

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

small, large = sys.argv[1:]
read(small)
before = peak()
outcome = read(large)
print(json.dumps([outcome, (peak() - before) >> 10]))
"""


def measured(small: Path, large: Path) -> tuple[list[int] | str, int]:
    """Return rows and rejects (or the message of the error) of `large`, and the memory it took, in MiB."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEASURED, small, large], capture_output=True, text=True, check=True
    )
    outcome, mib = json.loads(done.stdout)
    return outcome, mib


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.csv"
    path.write_text(CENTS + ROW)
    return path


def written(path: Path, pieces: Iterator[bytes]) -> Path:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
    return path


def test_a_line_of_a_gigabyte_is_refused_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    pieces = (b"x" * (1 << 20) if i else CENTS.encode() for i in range(1025))

    outcome, mib = measured(small, written(tmp_path / "orders.csv", pieces))

    assert "a line is longer than 16 MiB" in outcome
    assert mib < MOST_MIB


def test_a_quote_open_for_a_gigabyte_is_refused_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    pieces = (b"A,1,EUR\n" * (1 << 17) if i else f'{CENTS}"'.encode() for i in range(1025))

    outcome, mib = measured(small, written(tmp_path / "orders.csv", pieces))

    assert "orders.csv:2: a quoted cell begins in this row and is never closed" in outcome
    assert mib < MOST_MIB


@pytest.mark.parametrize("filling", [b"\n", b"x", b"\0", b'"', b",", b"\xef\xbb\xbf"])
def test_a_packed_gigabyte_of_one_sign_is_refused_in_bounded_memory(
    tmp_path: Path, small: Path, filling: bytes
) -> None:
    piece = filling * ((1 << 20) // len(filling))
    path = tmp_path / "orders.csv.gz"
    with gzip.open(path, "wb", 9) as file:
        file.write(CENTS.encode())
        for _ in range(1024):
            file.write(piece)

    outcome, mib = measured(small, path)

    assert isinstance(outcome, str)
    assert mib < 4 * MOST_MIB  # a place is kept for each quote of the longest row there can be


def test_a_zip_bomb_is_refused_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    path = tmp_path / "orders.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("orders.csv", "w", force_zip64=True) as member,
    ):
        member.write(CENTS.encode())
        for _ in range(1024):
            member.write(b"\n" * (1 << 20))

    outcome, mib = measured(small, path)

    assert "unpacks to more than 500 times its size" in outcome
    assert mib < MOST_MIB


def test_ten_thousand_columns_are_read_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    header = CENTS.strip() + "".join(f",c{i}" for i in range(10_000)) + "\n"
    row = ROW.strip() + ",x" * 10_000 + "\n"
    pieces = ((row if i else header).encode() for i in range(3001))

    assert_read(measured(small, written(tmp_path / "orders.csv", pieces)), [3000, 0])


def test_half_a_million_rejects_are_written_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    pieces = (b"A,x,\n" * 1000 if i else CENTS.encode() for i in range(501))

    assert_read(measured(small, written(tmp_path / "orders.csv", pieces)), [0, 500_000], most_mib=500)


def test_rows_of_several_lines_are_read_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    header = CENTS.strip() + ",note\n"
    pieces = (b'A,1,EUR,"one\ntwo, 2\nthree"\n' * 1000 if i else header.encode() for i in range(301))

    assert_read(measured(small, written(tmp_path / "orders.csv", pieces)), [300_000, 0])


def book(path: Path, count: int, columns: int, *, shared: bool) -> Path:
    """Write a spreadsheet of `count` rows; texts are all different, and shared or stored in their cells."""
    names = [*HEADER, *(f"c{i}" for i in range(columns - 3))]

    def cells(line: int) -> list[str]:
        first = f't="s"><v>{line}</v></c>' if shared else text(f"R{line}")
        more = [f't="s"><v>{line * columns + i}</v></c>' if shared else text(f"{line} {i}") for i in range(3, columns)]
        return [first, number(f"{line}.25"), text("EUR"), *more]

    def letters(at: int) -> str:
        return chr(65 + at) if at < 26 else chr(64 + at // 26) + chr(65 + at % 26)

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts_of(workbook(sheet(""))).items():
            if name not in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"):
                archive.writestr(name, content)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            head, tail = sheet("|").split("|")
            part.write((head + rows(named(*names))).encode())
            for line in range(2, count + 2):
                row = "".join(f'<c r="{letters(at)}{line}" {one}' for at, one in enumerate(cells(line)))
                part.write(f'<row r="{line}">{row}</row>'.encode())
            part.write(tail.encode())
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
            part.write(b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">')
            for at in range((count + 2) * columns if shared else 0):
                part.write(b"<si><t>text %d</t></si>" % at)
            part.write(b"</sst>")
    return path


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("shared", [True, False])
def test_a_spreadsheet_of_twenty_columns_is_read_in_bounded_memory(tmp_path: Path, small: Path, shared: bool) -> None:
    path = book(tmp_path / "orders.xlsx", 100_000, 20, shared=shared)

    assert_read(measured(small, path), [100_000, 0])


def test_a_spreadsheet_of_all_the_rows_there_can_be_is_read_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    path = book(tmp_path / "orders.xlsx", (1 << 20) - 1, 3, shared=False)

    assert_read(measured(small, path), [(1 << 20) - 1, 0])


def test_a_long_string_in_many_cells_is_read_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    shared = [f"<si><t>{'x' * 100_000}</t></si>"]
    table = [['t="s"><v>0</v></c>', number("1"), text("EUR")]] * 5000
    path = tmp_path / "orders.xlsx"
    path.write_bytes(workbook(sheet(rows(named(*HEADER), *table)), strings=shared))

    assert_read(measured(small, path), [5000, 0], most_mib=1200)  # a row group of the longest texts, and its copy


def test_a_directory_of_many_names_is_refused_in_bounded_memory(tmp_path: Path, small: Path) -> None:
    path = tmp_path / "orders.xlsx"
    path.write_bytes(many_names(300_000))

    outcome, mib = measured(small, path)

    assert "its directory is larger than that of any spreadsheet" in outcome
    assert mib < MOST_MIB


def many_names(count: int) -> bytes:
    empty = zipped({"a" * 30: b""})
    start, end = empty.index(b"PK\1\2"), empty.index(b"PK\5\6")
    entry, record = empty[start:end], bytearray(empty[end:])
    record[8:12] = min(count, 65535).to_bytes(2, "little") * 2
    record[12:16] = (len(entry) * count).to_bytes(4, "little")
    return empty[:start] + entry * count + bytes(record)


def assert_read(found: tuple[list[int] | str, int], wanted: list[int], most_mib: int = MOST_MIB) -> None:
    outcome, mib = found

    assert outcome == wanted
    assert mib < most_mib
