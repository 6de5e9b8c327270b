"""
Two nights as an earlier version has published them: without what items and orders have since, warnings as texts.

`earlier_runs` unpacks them. They were made by the commit COMMIT, whose columns had no `at_stake_cents`, no `break_id`
and no `method`, and whose `summary.json` was of version 1:

    git archive 8470a0f | tar x -C /tmp/old
    cd /tmp && PYTHONPATH=/tmp/old python …/tests/earlier_version.py
    tar cJf …/tests/earlier_version.tar.xz -C runs 2026-11-20 2026-11-21 acceptances.csv
"""

from __future__ import annotations

import tarfile
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from reconcile.history import breaks
from reconcile.operations.night import match
from reconcile.payments.mirror.sorted_rows import write_payments
from reconcile.schema import PAYMENTS
from reconcile.settings.settings import Settings

COMMIT = "8470a0f"
DAYS = ("2026-11-20", "2026-11-21")

_PAID = {
    "created_at": datetime(2026, 11, 1, tzinfo=UTC),
    "updated_at": datetime(2026, 11, 1, tzinfo=UTC),
    "placed_at": datetime(2026, 11, 1, tzinfo=UTC),
    "mode": "live",
    "order_status": "placed",
    "payment_status": "paid",
    "currency_code": "EUR",
    "total_amount_with_taxes_cents": 1000,
}
_OTHERWISE = [
    {"reference": "A-1"},
    {"reference": "A-2"},
    {"reference": "A-3", "currency_code": "SEK"},
    {"reference": "A-4"},
    {"reference": "A-5", "mismatched_amounts": True},
    {"reference": "A-6"},
    {"reference": "A-7", "order_status": "cancelled", "payment_status": "voided"},
    {"reference": "A-8"},
    {"reference": "A-8"},
    {"reference": "A-9", "placed_at": None, "order_status": "pending", "payment_status": "unpaid"},
    {"reference": "A-10", "placed_at": datetime(2026, 11, 20, 9, tzinfo=UTC)},
    {"reference": None},
]
_BOTH_NIGHTS = (
    "reference,amount,currency,date\nA-1,10.00,EUR,2026-11-01\nA-2,10.01,EUR,2026-11-01\nA-3,10.00,EUR,2026-11-02\n"
    "A-4,12.50,EUR,2026-11-02\nA-5,10.00,EUR,2026-11-01\nA-7,10.00,EUR,2026-11-01\nB-2,8.00,DKK,\n"
)
SECOND_NIGHT = _BOTH_NIGHTS + "A-6,10.00,EUR,2026-11-01\n"
"""The order totals of the second night; in the first B-1 stands in place of A-6."""

RULES = {"tolerance_cents": 2, "lag_days": 1, "fail_on": ("breaks>50", "amount>500.00EUR")}
"""Settings of both nights. After the first one A-4 is accepted, by Ada, as "a deposit"."""


def earlier_runs(into: Path) -> list[Path]:
    """Unpack the two nights into the folder of runs `into`, and return their folders, oldest first."""
    with tarfile.open(Path(__file__).with_suffix(".tar.xz")) as archive:
        archive.extractall(into, filter="data")
    return [into / day for day in DAYS]


def payments_of_earlier_runs(path: Path) -> Path:
    """Write the payments of both nights to `path`, and return it."""
    rows = [_PAID | {"payment_id": f"P{n:04}", "order_id": f"O{n:04}"} | row for n, row in enumerate(_OTHERWISE, 1)]
    write_payments([pa.Table.from_pylist(rows, PAYMENTS)], path)
    return path


def _make() -> None:
    payments = payments_of_earlier_runs(Path("payments.parquet"))
    settings = Settings.of(orders=("orders.csv",), mode="live", html=False, xlsx=False, **RULES)
    Path("orders.csv").write_text(_BOTH_NIGHTS + "B-1,7.00,EUR,2026-11-03\n", encoding="utf-8")
    first = match(settings, payments, business_date=date.fromisoformat(DAYS[0])).folder
    breaks.accept(first, ["A-4"], reason="a deposit", by="Ada")
    Path("orders.csv").write_text(SECOND_NIGHT, encoding="utf-8")
    match(settings, payments, business_date=date.fromisoformat(DAYS[1]))


if __name__ == "__main__":
    _make()
