"""Records that are missing a key, or hold texts and amounts that nobody expects, in whole nights of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from nights import night_of


def statuses(folder: Path) -> list[tuple[Any, ...]]:
    rows = pq.read_table(folder / "items.parquet").to_pylist()
    return sorted((row["payment_id"] or "", row["order_source_line"] or 0, row["status"]) for row in rows)


def test_a_row_without_a_reference_beside_one_that_has_it_is_an_item_of_its_own() -> None:
    folder = night_of([{"reference": "R1"}], "reference,total,currency\nR1,10.00,EUR\n,7.00,EUR\n")

    assert statuses(folder) == [("", 3, "missing_reference"), ("P0001", 2, "matched")]


def test_a_payment_without_a_reference_beside_one_that_has_it_is_an_item_of_its_own() -> None:
    folder = night_of([{"reference": "R1"}, {"reference": None}], "reference,total,currency\nR1,10.00,EUR\n")

    assert statuses(folder) == [("P0001", 2, "matched"), ("P0002", 0, "missing_reference")]
