"""Row groups: full ones by rows, smaller ones where texts are long; where batches began and ended never shows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.files import parquet
from reconcile.files.parquet import write_parquet

SCHEMA = pa.schema([("key", pa.string()), ("note", pa.string()), ("amount", pa.int64())])
ROWS = pa.table(
    {"key": ["é" * (n % 7) for n in range(100)], "note": [None, "x" * 30] * 50, "amount": range(100)}, SCHEMA
)


def groups(path: Path) -> list[int]:
    found = pq.read_metadata(path)
    return [found.row_group(i).num_rows for i in range(found.num_row_groups)]


def written(path: Path, batch_rows: int) -> Path:
    write_parquet(ROWS.combine_chunks().to_batches(batch_rows), SCHEMA, path, rows_per_group=40)
    return path


def test_groups_are_cut_by_rows(tmp_path: Path) -> None:
    assert groups(written(tmp_path / "a.parquet", 7)) == [40, 40, 20]


@pytest.mark.parametrize("most_bytes", [1, 31, 100, 500])
def test_groups_of_long_texts_are_smaller_and_the_same_however_rows_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    monkeypatch.setattr(parquet, "TEXT_BYTES_PER_GROUP", most_bytes)

    paths = [written(tmp_path / f"{rows}.parquet", rows) for rows in (1, 3, 7, 40, 100)]

    assert len({path.read_bytes() for path in paths}) == 1
    assert pq.read_table(paths[0]).equals(ROWS)
    assert max(groups(paths[0])) < 40
    texts = [len((row["key"] or "").encode()) + len(row["note"] or "") for row in ROWS.to_pylist()]
    start = 0
    for count in groups(paths[0]):
        assert count == 1 or sum(texts[start : start + count]) <= most_bytes
        start += count
