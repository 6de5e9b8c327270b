from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.schema import ITEMS

WriteItems = Callable[..., Path]


@pytest.fixture
def write_items(tmp_path: Path) -> WriteItems:
    """Give a function that writes rows of ITEMS, filled up with plausible values, to `items.parquet`."""

    def write(*rows: dict[str, Any], row_group_size: int | None = None) -> Path:
        table = pa.Table.from_pylist([_item(number) | row for number, row in enumerate(rows)], schema=ITEMS)
        path = tmp_path / "items.parquet"
        pq.write_table(table, path, row_group_size=row_group_size)
        return path

    return write


def _item(number: int) -> dict[str, Any]:
    return {
        "item_id": f"i{number:04d}",
        "business_date": date(2026, 11, 22),
        "run_id": "run-1",
        "status": "amount_mismatch",
        "kind": "break",
        "is_break": True,
        "reference": f"R{number:03d}",
        "payment_amount_cents": 10_000,
        "payment_currency_code": "EUR",
        "placed_at": datetime(2026, 11, 21, 23, 59, 58, 7000, tzinfo=UTC),
    }
