"""Chained records: lines are added, cut ones stay, and whatever is done to a whole one is seen."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from reconcile.errors import FolderBusy, OutputError
from reconcile.runs import records
from reconcile.runs.records import REFRESHES_NAME, broken_records, chain, records_in, whole_lines


class Said(msgspec.Struct):
    word: str


def add(out: Path, *words: str) -> Path:
    path = out / REFRESHES_NAME
    with chain(path, "is in use") as record:
        for word in words:
            record.add(Said(word))
    return path


def words(path: Path) -> list[str]:
    return [line["word"] for _, line in whole_lines(path)]


def test_each_line_has_the_digest_of_the_one_before(tmp_path: Path) -> None:
    path = add(tmp_path, "a", "ß\n")
    add(tmp_path, "c")
    lines = path.read_bytes().splitlines()
    links = [json.loads(line)["previous_sha256"] for line in lines]

    assert links == [None, *(hashlib.sha256(line).hexdigest() for line in lines[:2])]
    assert words(path) == ["a", "ß\n", "c"]
    assert list(broken_records(tmp_path)) == []


@pytest.mark.parametrize("cut", [1, 10, -2, -1])
def test_a_line_that_was_cut_short_says_nothing_and_is_chained_to(tmp_path: Path, cut: int) -> None:
    path = add(tmp_path, "a", "b")
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:cut])
    add(tmp_path, "c", "d")

    # Without its line feed alone the line is whole.
    assert words(path) == ["a", *(["b"] if cut == -1 else []), "c", "d"]
    assert path.read_bytes().startswith(first + second[:cut])
    assert list(broken_records(tmp_path)) == []


def test_every_change_of_a_whole_line_but_the_last_breaks_the_chain(tmp_path: Path) -> None:
    path = add(tmp_path, "a", "b", "c")
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1)

    for place in range(last):  # the last line has nothing yet that vouches for it
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert len(list(broken_records(tmp_path))) == 1, place


def test_a_line_that_cannot_be_written_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = add(tmp_path, "a")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with chain(path, "is in use") as record:
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(OutputError, match="No space left"):
                record.add(Said("b"))
        record.add(Said("c"))

    assert words(path) == ["a", "c"]
    assert list(broken_records(tmp_path)) == []


def test_a_record_is_one_processs_alone(tmp_path: Path) -> None:
    with chain(tmp_path / REFRESHES_NAME, "is in use"), pytest.raises(FolderBusy, match="is in use"):
        add(tmp_path, "a")


def test_what_a_manifest_says_is_of_the_records_that_are_there(tmp_path: Path) -> None:
    assert records_in(tmp_path) == []
    path = add(tmp_path, "a")
    (record,) = records_in(tmp_path)

    assert (record.path, record.bytes) == (REFRESHES_NAME, path.stat().st_size)
    assert record.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert records._CHAINED == (REFRESHES_NAME,)
