"""Folders of Parquet files as one table, and patterns that never lead in circles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.errors import OrderFileError, SettingsError
from reconcile.orders.places.patterns import matches, matching_paths
from reconcile.orders.read import read_orders, read_orders_to_parquet


def written(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"reference": ["R1"], "amount_cents": [100], "currency": ["EUR"]} | columns), path)
    return path


def bare(path: Path, *references: str) -> Path:
    """Write a file that has no currency: its folders tell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"reference": references, "amount_cents": [100] * len(references)}), path)
    return path


def refused(read: Any, *paths: str | Path, **declared: Any) -> OrderFileError:
    with pytest.raises(OrderFileError) as caught:
        read.paths(list(paths), **declared)
    assert caught.value.hint
    return caught.value


def test_a_folder_is_one_table_with_its_folders_names_as_columns(read: Any, tmp_path: Path) -> None:
    bare(tmp_path / "currency=SEK" / "day=2026-01-02" / "part-1.parquet", "S2")
    bare(tmp_path / "currency=SEK" / "day=2026-01-02" / "part-0.parquet", "S0", "S1")
    bare(tmp_path / "currency=EUR" / "day=2026-01-03" / "PART.PQ", "E0")

    outcome = read.paths(tmp_path, ordered_on_column="day")

    assert outcome.columns("reference", "currency_code", "source_line") == [
        ("E0", "EUR", 1), ("S0", "SEK", 1), ("S1", "SEK", 2), ("S2", "SEK", 1),
    ]  # fmt: skip
    assert [str(day) for (day,) in outcome.columns("ordered_on")] == ["2026-01-03", *["2026-01-02"] * 3]
    assert outcome.rows[0]["source_file"] == f"{tmp_path}/currency=EUR/day=2026-01-03/PART.PQ"
    assert outcome.report.files[0].columns["currency"] == "currency"


def test_what_a_writer_leaves_beside_its_files_is_no_data(read: Any, tmp_path: Path) -> None:
    written(tmp_path / "part-0.parquet")
    for name in ("_SUCCESS", "_metadata", "_old/0/part-0.parquet", ".part-0.parquet.crc", ".x/a.parquet", "a.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("no Parquet")

    assert read.paths(str(tmp_path) + "/").columns("reference", "source_file") == [("R1", f"{tmp_path}/part-0.parquet")]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("_delta_log/00000000000000000000.json", "this is a Delta table, some files of which are no longer current"),
        (".hoodie/hoodie.properties", "this is a Hudi table, some files of which are no longer current"),
        ("_temporary/0/_temporary/attempt_0/part-1.parquet", "this folder is still being written, or its writer"),
    ],
)
def test_a_folder_some_files_of_which_do_not_count_is_refused(read: Any, tmp_path: Path, name: str, words: str) -> None:
    written(tmp_path / "part-0.parquet")
    written(tmp_path / name)

    assert words in refused(read, tmp_path).message


def test_folders_names_are_read_as_they_are_escaped(read: Any, tmp_path: Path) -> None:
    bare(tmp_path / "order%20number=A%2F1%3D%C3%A4" / "a.parquet", "R1")
    bare(tmp_path / "order%20number=__HIVE_DEFAULT_PARTITION__" / "a.parquet", "R2")
    bare(tmp_path / "order%20number=007" / "a.parquet", "R0")

    outcome = read.paths(tmp_path, currency="EUR", order_number_column="order number")

    assert outcome.columns("reference", "order_number") == [("R0", "007"), ("R1", "A/1=ä"), ("R2", None)]


def test_a_null_partition_is_a_cell_without_a_value(read: Any, tmp_path: Path) -> None:
    bare(tmp_path / "currency=__HIVE_DEFAULT_PARTITION__" / "a.parquet", "R1")

    outcome = read.paths(tmp_path)

    assert outcome.rows == []
    assert [(line, column) for line, column, _, _ in outcome.reasons] == [("1", "currency")]


@pytest.mark.parametrize("name", ["currency=%FF/a.parquet", "currency=EUR/currency=SEK/a.parquet", "=EUR/a.parquet"])
def test_a_folders_name_that_says_no_value_is_refused(read: Any, tmp_path: Path, name: str) -> None:
    bare(tmp_path / name, "R1")

    assert "does not say column and value once" in refused(read, tmp_path).message


def test_a_column_in_the_file_and_in_its_folders_name_is_refused(read: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "currency=SEK" / "a.parquet")

    error = refused(read, tmp_path)

    assert error.message == f'{path}: column "currency" is in the file and in the name of its folder, too'
    assert read.paths(path).columns("currency_code") == [("EUR",)]
    assert read.paths(tmp_path / "*" / "*.parquet").columns("currency_code") == [("EUR",)]


def test_files_of_one_folder_have_the_same_columns(read: Any, tmp_path: Path) -> None:
    first = written(tmp_path / "a.parquet")
    more = written(tmp_path / "b.parquet", note=["x"])

    assert refused(read, tmp_path).message == (
        f'{more}: the files of one folder must have the same columns, and this one has a column "note" of its own'
        f" (compared with {first})"
    )
    written(tmp_path / "a.parquet", order_number=["1"], note=["x"])
    assert 'has no column "order_number"' in refused(read, tmp_path).message
    written(more, order_number=[7], note=[None])
    assert read.paths(tmp_path).columns("order_number") == [("1",), ("7",)]
    assert read.paths([tmp_path / "a.parquet", first.with_name("b.parquet")]).report.rows == 2


def test_two_folders_need_not_agree(read: Any, tmp_path: Path) -> None:
    written(tmp_path / "a" / "a.parquet", note=["x"])
    written(tmp_path / "b" / "a.parquet")

    assert read.paths([tmp_path / "a", tmp_path / "b"]).report.rows == 2


@pytest.mark.parametrize(
    ("names", "words", "pattern"),
    [
        ([], "this is a folder, and there is no Parquet file in it", "/*.csv"),
        (["notes.md"], "this is a folder, and there is no Parquet file in it", "/*.csv"),
        (["b.tsv.gz"], "this is a folder, and there is no Parquet file in it", "/*.tsv.gz"),
        (["day/b.xlsx"], "this is a folder, and there is no Parquet file in it", "/**/*.xlsx"),
        (["day/b.zip"], "this is a folder, and there is no Parquet file in it", "/**/*.zip"),
        (["_a.parquet"], "this is a folder, and there is no Parquet file in it", "/*.csv"),
        (["a.parquet", "b.json"], "there are other order files beside the Parquet files in this folder, such as b.json",
         "/*.parquet"),
    ],
)  # fmt: skip
def test_a_folder_of_anything_else_is_refused_with_a_pattern(
    read: Any, tmp_path: Path, names: list[str], words: str, pattern: str
) -> None:
    for name in names:
        written(tmp_path / name)

    error = refused(read, tmp_path)

    assert error.message == f"{tmp_path}: {words}"
    assert f'e.g. "{tmp_path}{pattern}"' in str(error.hint)


def test_a_folder_is_read_whole_or_not_at_all(read: Any, tmp_path: Path) -> None:
    written(tmp_path / "t" / "a.parquet")
    written(tmp_path / "elsewhere" / "b.parquet")
    (tmp_path / "t" / "more").symlink_to(tmp_path / "elsewhere")

    assert "links to folders inside a folder are not followed" in refused(read, tmp_path / "t").message
    (tmp_path / "t" / "more").unlink()
    os.mkfifo(tmp_path / "t" / "b.parquet")
    assert "this is not a regular file" in refused(read, tmp_path / "t").message
    (tmp_path / "t" / "b.parquet").unlink()
    (tmp_path / "t" / "c.parquet").symlink_to(tmp_path / "gone.parquet")
    assert refused(read, tmp_path / "t").message == f"{tmp_path}/t/c.parquet: this is a link that leads to no file"


def test_a_file_of_two_words_is_given_twice(read: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")

    assert "the file is given twice" in refused(read, tmp_path, path).message
    assert "the file is given twice" in refused(read, tmp_path, f"{tmp_path}/").message


def test_a_pattern_never_walks_in_circles(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        for back in range(9):  # each a way back up: followed, they would lead to 27 ** 40 places
            (tmp_path / name / f"up{back}").symlink_to(tmp_path)
    written(tmp_path / "b" / "x.parquet")
    (tmp_path / "loop.parquet").symlink_to(tmp_path / "loop.parquet")

    assert matching_paths(f"{tmp_path}/**/x.parquet") == [tmp_path / "b" / "x.parquet"]
    assert matching_paths(f"{tmp_path}/[ab]/**") == [tmp_path / "b" / "x.parquet"]
    assert matching_paths(f"{tmp_path}/**/*.parquet") == [tmp_path / "b" / "x.parquet", tmp_path / "loop.parquet"]


@pytest.mark.parametrize("word", ["{}/*.csv", "{}/**/*.csv", "{}/pipe.csv", "/dev/zero", "/dev/stdin"])
def test_what_is_no_regular_file_is_never_opened(read: Any, tmp_path: Path, word: str) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")

    assert "this is not a regular file" in refused(read, word.format(tmp_path)).message


@pytest.mark.parametrize("word", ["loop.csv", "a/loop.csv/b.csv", "x" * 300, "nul\0.csv", "file.csv/b.csv", "", "\n"])
def test_a_path_that_leads_nowhere_is_no_file(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "file.csv").touch()

    assert refused(read, word)


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a.csv", "*.csv", True),
        ("d/a.csv", "*.csv", False),
        ("d/a.csv", "**/*.csv", True),
        ("a.csv", "**/*.csv", True),
        ("d/e/f/a.csv", "**/e/**/a.csv", True),
        ("d/e/a.csv", "**/e/**/**/a.csv", True),
        ("d/f/a.csv", "**/e/**/a.csv", False),
        (".d/a.csv", "**/*.csv", False),
        ("d/.a.csv", "**/*.csv", False),
        (".d/a.csv", ".d/*.csv", True),
        ("d/a.csv", "d/**", True),
        ("d", "d/**", True),
        ("A.CSV", "*.csv", False),
        ("a" * 250 + "/" + "a" * 250, "**/" + "a*" * 60 + "b", False),
        ("/".join("a" * 200), "/".join(["**"] * 60 + ["b"]), False),
    ],
)
def test_patterns_stand_for_names(name: str, pattern: str, expected: bool) -> None:
    assert expected == matches(name, pattern.split("/"))


def test_a_hard_link_is_the_same_file(read: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").hardlink_to(path)

    assert "the file is given twice" in refused(read, tmp_path / "*.parquet").message


@pytest.mark.parametrize(
    "name",
    [b"\xfc.parquet", b"a\x1b[31m\n.parquet", "\u202ea.parquet".encode()],
    ids=["not UTF-8", "control characters", "right to left"],
)
def test_a_name_that_cannot_be_shown_is_written_with_escapes(read: Any, tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / "in"
    path = written(tmp_path / "a.parquet")
    folder.mkdir()
    path.rename(folder / os.fsdecode(name))

    for word in (folder, folder / "*.parquet"):
        [shown] = read.paths(word).columns("source_file")[0]
        assert shown.startswith(f"{folder}/")
        assert shown.isprintable()
        assert "\\" in shown


def test_no_input_is_ever_overwritten(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet")
    before = path.read_bytes()
    link = tmp_path / "rejects.csv"
    link.symlink_to(path)

    with pytest.raises(SettingsError, match="would overwrite a file that is needed"):
        read_orders(path, rejects=path)
    with pytest.raises(SettingsError, match="would overwrite a file that is needed"):
        read_orders_to_parquet(path, tmp_path / "out.parquet", rejects=link)
    with pytest.raises(SettingsError, match="would overwrite a file that is needed"):
        read_orders_to_parquet(tmp_path / "*.parquet", path, rejects=tmp_path / "r.csv")
    with pytest.raises(SettingsError, match="would overwrite a file that is needed"):
        read_orders_to_parquet(path, tmp_path / "out", rejects=tmp_path / "out")

    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.parquet", "rejects.csv"]
