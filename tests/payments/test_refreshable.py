"""Which class a flagged payment is in: the first that holds, at the edges of each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconcile.payments.refreshable import LABEL_OF_REFRESHABLE, REMEDY_OF, Refreshable, refreshable

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
CAN_BE = {
    "mismatched_amounts": True,
    "order_id": "O",
    "order_status": "pending",
    "placed_at": None,
    "updated_at": NOW - timedelta(hours=1),
    "order_updated_at": NOW - timedelta(hours=1),
    "is_current_source": None,
}
SHORTLY = timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("changes", "class_"),
    [
        ({}, "refresh"),
        ({"mismatched_amounts": False}, "agrees_now"),
        ({"mismatched_amounts": None}, "agrees_now"),
        ({"order_id": None, "order_status": None, "order_updated_at": None}, "no_order"),
        ({"is_current_source": False}, "superseded"),
        ({"is_current_source": False, "order_status": "placed", "placed_at": NOW}, "superseded"),
        ({"is_current_source": True}, "refresh"),
        ({"placed_at": NOW - timedelta(days=9)}, "closed"),
        ({"order_status": "placed"}, "closed"),
        ({"order_status": "approved"}, "closed"),
        ({"order_status": "cancelled", "updated_at": NOW - timedelta(days=9)}, "closed"),
        ({"order_status": "editing", "placed_at": NOW - timedelta(hours=1)}, "closed"),
        ({"updated_at": NOW - timedelta(hours=48)}, "expired"),
        ({"updated_at": NOW - timedelta(hours=48) + SHORTLY}, "refresh"),
        ({"updated_at": NOW - timedelta(hours=49), "order_updated_at": NOW}, "expired"),
        ({"order_updated_at": NOW - timedelta(minutes=30)}, "refresh"),
        ({"order_updated_at": NOW - timedelta(minutes=30) + SHORTLY}, "in_use"),
        ({"order_updated_at": NOW + timedelta(seconds=2)}, "in_use"),
        ({"order_updated_at": None}, "refresh"),
        ({"order_status": "placing"}, "in_use"),
    ],
)
def test_the_first_class_that_holds(changes: dict[str, Any], class_: str) -> None:
    assert refreshable(CAN_BE | changes, NOW, is_newest=True) == class_


def test_a_newer_payment_counts_only_where_the_source_is_not_known() -> None:
    classes = [
        refreshable(CAN_BE | {"is_current_source": known}, NOW, is_newest=False) for known in (None, True, False)
    ]

    assert classes == [Refreshable.SUPERSEDED, Refreshable.REFRESH, Refreshable.SUPERSEDED]


def test_a_payment_that_is_gone_has_vanished() -> None:
    assert refreshable(None, NOW, is_newest=True) is Refreshable.VANISHED


def test_every_class_has_a_label_and_a_remedy() -> None:
    assert set(LABEL_OF_REFRESHABLE) == set(REMEDY_OF) == set(Refreshable)
