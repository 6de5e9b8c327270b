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
        table = pa.Table.from_pylist([_staked(_item(number) | row) for number, row in enumerate(rows)], schema=ITEMS)
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


def _staked(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with what it puts at stake, where it does not say: what differs, else what is there."""
    amounts = (item.get(name) for name in ("difference_cents", "payment_amount_cents", "order_amount_cents"))
    codes = (item.get(name) for name in ("payment_currency_code", "order_currency_code"))
    cents = next((abs(amount) for amount in amounts if amount is not None), 0)
    code = next((code for code in codes if code is not None), None)
    return {"at_stake_cents": cents, "at_stake_currency_code": code} | item
