"""Which files are meant, and what is said of a file that cannot be read."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.places.places import find_places
from reconcile.orders.read import SOURCES, read_orders_to_parquet
from reconcile.orders.text.blocks import TextBlocks

HEADER = "reference,amount,currency\n"


def written(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEADER}{path.stem},1,EUR\n")


def refused(*paths: str | Path) -> OrderFileError:
    with pytest.raises(OrderFileError) as caught:
        find_places(list(paths), list(SOURCES))
    assert caught.value.hint
    return caught.value


def test_files_come_in_the_order_given_and_matches_by_name(read: Any, tmp_path: Path) -> None:
    written(tmp_path, "z.csv", "day/b.csv", "day/a.csv", "day/more/c.csv")

    outcome = read.paths([tmp_path / "z.csv", str(tmp_path / "day" / "**" / "*.csv")])

    assert outcome.columns("reference") == [("z",), ("a",), ("b",), ("c",)]
    assert [Path(file.path).name for file in outcome.report.files] == ["z.csv", "a.csv", "b.csv", "c.csv"]


def test_source_file_is_the_path_as_given(read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "day/a.csv")
    monkeypatch.chdir(tmp_path)

    assert read.paths("day/a.csv").columns("source_file") == [("day/a.csv",)]
    assert read.paths("day/*.csv").columns("source_file") == [("day/a.csv",)]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(read: Any, tmp_path: Path) -> None:
    written(tmp_path, "orders[1].csv", "orders1.csv")

    assert read.paths(tmp_path / "orders[1].csv").columns("reference") == [("orders[1]",)]


def test_files_of_several_formats_make_one_table(read: Any, tmp_path: Path) -> None:
    written(tmp_path, "a.csv")
    (tmp_path / "b.json").write_text('[{"reference": "b", "total": 2.0, "currency": "SEK"}]')
    (tmp_path / "c.TSV").write_text("ref\ttotal\tcurrency\nc\t3\tJPY\n")

    outcome = read.paths(sorted(tmp_path.iterdir()))

    assert outcome.columns("reference", "amount_cents") == [("a", 100), ("b", 200), ("c", 3)]
    assert [file.format for file in outcome.report.files] == ["csv", "json", "csv"]


def test_the_report_holds_what_a_manifest_needs(read: Any, tmp_path: Path) -> None:
    content = gzip.compress(f"{HEADER}R1,1,EUR\nR2,x,EUR\n".encode())
    path = tmp_path / "orders.csv.gz"
    path.write_bytes(content)

    assert read.paths(path).report.as_dict() == {
        "rows": 1,
        "rejects": 1,
        "files": (
            {
                "path": str(path),
                "format": "csv",
                "compression": "gz",
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "rows": 1,
                "rejects": 1,
                "encoding": "utf-8",
                "delimiter": ",",
                "quote": '"',
                "columns": {"reference": "reference", "amount": "amount", "currency": "currency"},
                "unread": (),
                "sheet": None,
                "other_sheets": (),
                "floats": (),
                "untold": (),
                "continuation_rows": 0,
                "left_out": 0,
                "query_sha256": None,
                "ordered": True,
                "system": None,
                "taken": {},
            },
        ),
        "continuation_rows": 0,
        "left_out": (),
        "totals": ({"currency_code": "EUR", "rows": 1, "amount_cents": 100},),
        "tidied": (),
    }


def test_a_file_meant_twice_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "a.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")

    assert "the file is given twice" in str(refused(tmp_path / "a.csv", tmp_path / "*.csv"))
    assert "the file is given twice" in str(refused(tmp_path / "a.csv", tmp_path / "link.csv"))


def test_what_is_no_file_of_a_known_kind_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "a.xyz", "b", "folder/c.csv")
    os.mkfifo(tmp_path / "pipe.csv")

    assert refused(tmp_path / "no.csv").message == f"{tmp_path}/no.csv: there is no such file"
    assert refused(tmp_path / "no*.csv").message == f"{tmp_path}/no*.csv: no file matches this pattern"
    assert refused(tmp_path / "folder").hint == f'name the files in it, e.g. "{tmp_path}/folder/*.csv"'
    assert refused(tmp_path / "pipe.csv").message == f"{tmp_path}/pipe.csv: this is not a regular file"
    assert refused(tmp_path / "a.xyz").message == f'{tmp_path}/a.xyz: files ending in ".xyz" cannot be read'
    assert refused(tmp_path / "b").message == f"{tmp_path}/b: the name has no known extension"
    assert all(suffix in str(refused(tmp_path / "b").hint) for suffix in (*SOURCES, ".gz"))
    assert refused().message == "orders: no order file is named"


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_not_the_folder_where_we_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "left-here.parquet").write_bytes(b"PAR1")
    monkeypatch.chdir(tmp_path)

    assert refused(name).message == "orders: the name of an order file is empty"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(read: Any, tmp_path: Path) -> None:
    written(tmp_path, "a.csv")
    (tmp_path / "a.csv").chmod(0)

    with pytest.raises(OrderFileError, match="the file cannot be read: Permission denied"):
        read.paths(tmp_path / "a.csv")


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:30], lambda b: b + b"x", lambda b: b"x" + b])
def test_a_damaged_gzip_is_one_error(read: Any, damage: Any) -> None:
    packed = gzip.compress(HEADER.encode() + b"R1,1,EUR\n" * 100)

    with pytest.raises(OrderFileError, match="the compressed file is damaged or truncated"):
        read(damage(packed), name="orders.csv.gz")


@pytest.mark.parametrize(
    ("content", "line", "message", "hint"),
    [
        (HEADER.encode() + b"\xe9,1,EUR\n", 2, "byte 27 (0xe9) is not UTF-8 text", '(there this byte is "é")'),
        (HEADER.encode() + b"\r\nR,1,E\r\n\xff", 4, "byte 36 (0xff) is not UTF-8 text", "--encoding cp1252"),
        (HEADER.encode() + b"\xe2\x82", 2, "byte 27 (0xe2) is not UTF-8 text", "--encoding cp1252"),
        (HEADER.encode("utf-16") + b"x", 2, "byte 55 (0x78) is not UTF-16 text", "damaged or truncated"),
        (HEADER.encode("utf-16-le"), 1, "there is a NUL character in the text", "--encoding utf-16-le"),
        (HEADER.encode("utf-16-be"), 1, "there is a NUL character in the text", "--encoding utf-16-be"),
        (HEADER.encode() + b"R1,1\0,EUR\n", 2, "there is a NUL character in the text", "export it again"),
    ],
)
def test_bytes_that_are_no_text_are_named_by_place(
    read: Any, content: bytes, line: int, message: str, hint: str
) -> None:
    with pytest.raises(OrderFileError) as caught:
        read(content)

    assert caught.value.line == line
    assert message in str(caught.value)
    assert hint in str(caught.value.hint)


def test_bytes_wrong_for_a_named_encoding_are_named_too(read: Any) -> None:
    with pytest.raises(OrderFileError) as caught:
        read(HEADER.encode() + b"R,1,EUR\n\xe9", encoding="ascii")

    assert str(caught.value).endswith("orders.csv:3: byte 35 (0xe9) is not ascii text")
    assert caught.value.hint == "the file is not in ascii: name the right one with --encoding"


@pytest.mark.parametrize("size", [4, 5, 6, 7])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_characters_may_lie_across_blocks(tmp_path: Path, size: int, encoding: str) -> None:
    path = tmp_path / "text"
    path.write_bytes("aé€😀\r\nb".encode(encoding))

    with path.open("rb") as stream:
        blocks = list(TextBlocks(stream, path="text", block_bytes=size))

    assert b"".join(blocks).decode() == "aé€😀\r\nb"
    assert all(block.decode() for block in blocks)


@pytest.mark.parametrize("size", [4, 5, 6, 7, 64])
def test_a_wrong_byte_has_one_place_wherever_blocks_end(tmp_path: Path, size: int) -> None:
    path = tmp_path / "text"
    path.write_bytes("é\né€\n".encode() + b"a\xff")

    with path.open("rb") as stream, pytest.raises(OrderFileError) as caught:
        list(TextBlocks(stream, path="text", block_bytes=size))

    assert str(caught.value) == "text:3: byte 11 (0xff) is not UTF-8 text"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n \n", b"sep=;\n"])
@pytest.mark.parametrize("name", ["orders.csv", "orders.json"])
def test_an_empty_file_is_an_error(read: Any, content: bytes, name: str) -> None:
    with pytest.raises(OrderFileError) as caught:
        read(content, name=name)

    assert caught.value.hint


def test_a_header_alone_is_a_table_without_rows(read: Any) -> None:
    outcome = read(HEADER)

    assert (outcome.rows, outcome.rejects, outcome.report.rows) == ([], [], 0)


def test_a_header_that_does_not_end_is_an_error(read: Any) -> None:
    with pytest.raises(OrderFileError, match=r"orders\.csv:1: the header line does not end"):
        read('"reference,amount,currency\n')


def test_the_first_error_in_a_file_is_the_one_that_is_told(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.orders.text.blocks.BLOCK_BYTES", 128)
    rows = b'{"reference":"R","amount":1.0,"currency":"EUR"}\n' * 10

    with pytest.raises(OrderFileError) as caught:
        read(rows + b"{broken\n" + rows[: 48 * 2] + b"\xff", name="orders.ndjson")

    assert caught.value.line == 11
    assert "this is not valid JSON" in str(caught.value)


def test_a_bad_file_leaves_nothing_behind(tmp_path: Path) -> None:
    written(tmp_path, "a.csv")
    (tmp_path / "b.csv").write_text("nothing,here\n")
    out = tmp_path / "out"
    out.mkdir()

    with pytest.raises(OrderFileError):
        read_orders_to_parquet(tmp_path / "*.csv", out / "orders.parquet", rejects=out / "rejects.csv")

    assert list(out.iterdir()) == []
