from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from reconcile.files.parquet import write_parquet
from reconcile.runs.folder import staged
from reconcile.schema import ITEMS, ORDERS, PAYMENTS

NIGHT = date(2026, 11, 22)
MOMENT = datetime(2026, 11, 22, 3, 4, 5, 678_000, tzinfo=UTC)

PublishRun = Callable[..., Path]


@pytest.fixture
def publish_run(tmp_path: Path) -> PublishRun:
    """Give a function that publishes a small run folder: `items` items, as many payments, one order less."""

    def publish(
        *,
        business_date: date = NIGHT,
        run_id: str = "run-1",
        items: int = 3,
        of_run: str | None = None,
        organization: str | None = "acme",
        mode: str | None = "live",
        out: str = "runs",
    ) -> Path:
        tables = {
            "items.parquet": (ITEMS, [_item(n, business_date, of_run or run_id) for n in range(items)]),
            "payments.parquet": (PAYMENTS, [_payment(n) for n in range(items)]),
            "orders.parquet": (ORDERS, [_order(n) for n in range(max(items - 1, 0))]),
        }
        with staged(tmp_path / out, business_date) as staging:
            for name, (schema, rows) in tables.items():
                write_parquet(pa.Table.from_pylist(rows, schema=schema).to_batches(), schema, staging.folder / name)
            return staging.publish(
                {
                    "run_id": run_id,
                    "business_date": business_date.isoformat(),
                    "organization": organization,
                    "mode": mode,
                },
                staging.outputs({name: len(rows) for name, (_, rows) in tables.items()}),
            )

    return publish


def _item(number: int, business_date: date, run_id: str) -> dict[str, Any]:
    is_break = number % 3 == 0
    return {
        "item_id": f"i{number}",
        "business_date": business_date,
        "run_id": run_id,
        "status": "amount_mismatch" if is_break else "matched",
        "kind": "break" if is_break else "ok",
        "is_break": is_break,
        "reference": f"00{number}",
        "payment_amount_cents": 9_007_199_254_740_993 + number,
        "payment_currency_code": "EUR",
        "difference_cents": -70 if is_break else 0,
        "mismatched_amounts": None,
        "placed_at": MOMENT,
        "first_seen_on": business_date if is_break else None,
        "age_days": 0 if is_break else None,
    }


def _payment(number: int) -> dict[str, Any]:
    return {
        "payment_id": f"p{number}",
        "reference": f"00{number}",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "metadata": '{"a":"it\'s"}',
        "total_amount_with_taxes_cents": 100 * number,
    }


def _order(number: int) -> dict[str, Any]:
    return {"reference": f"00{number}", "amount_cents": 100 * number, "currency_code": "EUR", "source_line": number + 2}
