"""Statuses that this version does not know are warned of, by name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reconcile.figures.warnings import unknown_statuses
from reconcile.matching.due import ORDER_STATUSES, PAYMENT_STATUSES
from reconcile.schema import PAYMENTS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "payments.parquet"


def payments(*rows: tuple[str | None, str | None]) -> pa.Table:
    return pa.table(
        {
            "order_status": pa.array([row[0] for row in rows], pa.string()),
            "payment_status": pa.array([row[1] for row in rows], pa.string()),
        }
    )


def test_each_value_is_named(file: Path) -> None:
    pq.write_table(payments(("archived", "paid"), ("archived", "promised"), ("placed", "lost")), file)

    (warning,) = unknown_statuses(file)
    assert warning.code == "unknown_statuses"
    assert warning.text == (
        'statuses that this version does not know: order_status "archived", payment_status "lost", payment_status '
        '"promised"; such orders never count as placed and paid: what would be matched is a break, and what would be '
        "left out is not"
    )


def test_known_ones_and_missing_ones_are_not_warned_of(file: Path) -> None:
    known = [(status, None) for status in ORDER_STATUSES] + [(None, status) for status in PAYMENT_STATUSES]
    pq.write_table(payments(*known), file)

    assert unknown_statuses(file) == []


def test_a_file_without_these_columns_has_none(file: Path) -> None:
    pq.write_table(PAYMENTS.empty_table().select(["payment_id"]), file)

    assert unknown_statuses(file) == []
