"""The mirror and sorted rows: both or neither, in order, whatever a crash leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.errors import MirrorError, OutputError
from reconcile.payments.mirror.commits import ROWS, UnfinishedPull
from reconcile.payments.mirror.mirror import Mirror, open_mirror, scratch_mirror
from reconcile.payments.mirror.sorted_rows import merged_rows, sorted_distinct, write_payments
from reconcile.schema import PAYMENTS

AT = datetime(2026, 1, 1, tzinfo=UTC)


def rows(*ids: str, reference: str = "r", walk: int = 1) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [{"payment_id": id_, "reference": reference, "created_at": AT, "updated_at": AT, "walk": walk} for id_ in ids],
        schema=ROWS,
    )


def kept(pull: UnfinishedPull) -> list[tuple[str, str]]:
    return [(row["payment_id"], row["reference"]) for table in pull.rows() for row in table.to_pylist()]


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with reopened(tmp_path) as opened:
        yield opened


def reopened(folder: Path) -> Mirror:
    return open_mirror(folder / "mirror", organization="shop", mode="live")


def test_rows_come_back_sorted_by_bytes_and_the_later_one_stays(mirror: Mirror) -> None:
    pull = mirror.unfinished("w")

    pull.commit([rows("b", "a"), rows("é", "B", "a", reference="again")], b"1")
    pull.commit([rows("b", reference="later")], b"2")

    assert kept(pull) == [("B", "again"), ("a", "again"), ("b", "later"), ("é", "again")]


def test_bookmarks_are_those_of_the_last_commit_after_a_reopening(mirror: Mirror) -> None:
    pull = mirror.unfinished("w")
    assert pull.bookmarks is None

    pull.commit([rows("a")], b"first")
    pull.commit([], b"second")

    assert mirror.unfinished("w").bookmarks == b"second"
    assert mirror.unfinished("another").bookmarks is None


@pytest.fixture
def few_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.payments.mirror.commits.MANY_FILES", 32)


@pytest.mark.usefixtures("few_files")
def test_many_commits_are_merged_into_few_files_and_nothing_is_lost(mirror: Mirror, tmp_path: Path) -> None:
    pull = mirror.unfinished("w")
    for number in range(200):
        pull.commit([rows(f"{number * 7919 % 200:03d}", "dup", reference=str(number))], str(number).encode())

    again = mirror.unfinished("w")

    assert len(list((tmp_path / "mirror").rglob("*.arrow"))) < 32 + 8
    assert kept(again) == kept(pull)
    assert len(kept(again)) == 201
    assert dict(kept(again))["dup"] == "199"
    assert again.bookmarks == b"199"


@pytest.mark.usefixtures("few_files")
def test_leftovers_of_a_crash_are_cleared(mirror: Mirror, tmp_path: Path) -> None:
    """A commit that was not renamed, and files whose merged file is there already."""
    pull = mirror.unfinished("w")
    pull.commit([rows("a")], b"1")
    first = next((tmp_path / "mirror").rglob("*.arrow"))
    saved = first.read_bytes()
    for number in range(31):
        pull.commit([rows(f"x{number}")], b"2")
    first.write_bytes(saved)  # as if the merge had died before removing it
    (first.parent / "rows-00000033-00000033.new").write_bytes(b"half")

    again = mirror.unfinished("w")

    assert len(kept(again)) == 32
    assert again.bookmarks == b"2"
    assert len(list(first.parent.iterdir())) == 1


def test_a_damaged_file_is_refused_with_the_remedy(mirror: Mirror, tmp_path: Path) -> None:
    mirror.unfinished("w").commit([rows("a")], b"1")
    file = next((tmp_path / "mirror").rglob("*.arrow"))
    file.write_bytes(file.read_bytes()[:-40])

    with pytest.raises(MirrorError, match="cannot be read") as caught:
        mirror.unfinished("w")

    assert "remove the mirror folder" in (caught.value.hint or "")


def test_a_missing_file_in_between_is_damage(mirror: Mirror, tmp_path: Path) -> None:
    pull = mirror.unfinished("w")
    for number in range(3):
        pull.commit([rows(str(number))], b"1")
    next((tmp_path / "mirror").rglob("rows-00000002-*")).unlink()

    with pytest.raises(MirrorError):
        mirror.unfinished("w")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("organization", "other", "organization other, this pull of organization shop"),
        ("mode", "test", "mode test, this pull of mode live"),
        ("version", 99, "format version 99, this pull of format version"),
        ("fields", ["payment_id"], "different fields"),
    ],
)
def test_a_mirror_of_something_else_is_refused(tmp_path: Path, field: str, value: object, said: str) -> None:
    with reopened(tmp_path):
        pass
    identity = tmp_path / "mirror" / "mirror.json"
    identity.write_text(json.dumps({**json.loads(identity.read_text()), field: value}))

    with pytest.raises(MirrorError, match=said) as caught:
        reopened(tmp_path)

    assert "name another mirror folder" in (caught.value.hint or "")


def test_an_identity_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "mirror.json").write_text("{")

    with pytest.raises(MirrorError):
        reopened(tmp_path)


def test_the_lock_is_given_up_on_closing_and_after_a_refusal(tmp_path: Path) -> None:
    with reopened(tmp_path), pytest.raises(MirrorError, match="in use"):
        reopened(tmp_path)
    with pytest.raises(MirrorError, match="mode"):
        open_mirror(tmp_path / "mirror", organization="shop", mode="test")

    with reopened(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "mirror").touch()

    with pytest.raises(OutputError):
        reopened(tmp_path)


def test_finishing_keeps_the_rows_and_forgets_the_commits(mirror: Mirror, tmp_path: Path) -> None:
    pull = mirror.unfinished("w")
    pull.commit([rows("b", "a")], b"1")
    merged = tmp_path / "merged.parquet"
    write_payments(pull.rows(), merged)

    mirror.finish(pull, merged)

    assert mirror.payments.read_bytes() == merged.read_bytes()
    assert mirror.unfinished("w").bookmarks is None
    assert kept(mirror.unfinished("w")) == []


def test_a_scratch_mirror_leaves_nothing(tmp_path: Path) -> None:
    with scratch_mirror(tmp_path / "payments.parquet") as scratch:
        scratch.unfinished("w").commit([rows("a")], b"1")
        assert list(tmp_path.iterdir())

    assert list(tmp_path.iterdir()) == []


ids = st.lists(st.text(alphabet="abAB01é", min_size=1, max_size=3))


@given(st.lists(ids, max_size=6), st.integers(1, 4))
def test_merging_runs_is_sorting_everything_at_once(runs: list[list[str]], size: int) -> None:
    parts = [sorted_distinct([pa.Table.from_batches([rows(*run, reference=str(n))])]) for n, run in enumerate(runs)]
    merged = merged_rows([part.combine_chunks().to_batches(max_chunksize=size) for part in parts])

    expected = {id_: str(n) for n, run in enumerate(runs) for id_ in run}
    found = [(row["payment_id"], row["reference"]) for table in merged for row in table.to_pylist()]
    assert found == sorted(expected.items(), key=lambda pair: pair[0].encode())


def test_the_bytes_of_a_file_do_not_show_how_its_rows_came(tmp_path: Path) -> None:
    table = pa.Table.from_batches([rows(*(f"{number:06d}" for number in range(40_000)))])
    files = []
    for size in (40_000, 32_768, 7_001):
        files.append(tmp_path / f"{size}.parquet")
        write_payments((table.slice(start, size) for start in range(0, 40_000, size)), files[-1])

    assert len({file.read_bytes() for file in files}) == 1
    assert pq.read_schema(files[0]).equals(PAYMENTS)
    assert pq.read_metadata(files[0]).num_row_groups == 2


def test_a_crash_while_commits_are_forgotten_leaves_none_of_them(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = mirror.unfinished("w")
    pull.commit([rows("a")], b"1")
    pull.commit([rows("b")], b"2")

    def killed(folder: Path, **_: object) -> None:
        if folder.exists():
            next(iter(folder.glob("*.arrow"))).unlink()
            raise KeyboardInterrupt

    with monkeypatch.context() as crash, pytest.raises(KeyboardInterrupt):
        crash.setattr("reconcile.payments.mirror.commits.shutil.rmtree", killed)
        pull.forget()

    anew = mirror.unfinished("w")
    assert (anew.bookmarks, kept(anew)) == (None, [])
    anew.commit([rows("c")], b"3")
    anew.forget()
    assert mirror.unfinished("w").bookmarks is None


def test_a_crash_before_a_pull_is_taken_over_loses_no_page(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull = mirror.unfinished("w")
    pull.commit([rows("a")], b"1")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash, pytest.raises(KeyboardInterrupt):
        crash.setattr("reconcile.payments.mirror.mirror.shutil.copyfile", killed)
        mirror.finish(pull, tmp_path / "payments.parquet")

    again = mirror.unfinished("w")
    assert (again.bookmarks, kept(again)) == (b"1", kept(pull))
