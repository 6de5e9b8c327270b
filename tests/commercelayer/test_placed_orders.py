"""Orders that were placed: their filters, and files that hold them or something else."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconcile.commercelayer.document import Document
from reconcile.commercelayer.exports.documents import BrokenExport
from reconcile.commercelayer.exports.placed_orders import IdRange, PlacedOrders, are_distinct, cut_at, orders_in_file
from reconcile.commercelayer.exports.slicing import slice_edges
from reconcile.commercelayer.query import Window

SINCE, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
PLACED = PlacedOrders(SINCE, UNTIL)


def order(id_: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "number": 7,
        "reference": None,
        "currency_code": "EUR",
        "total_amount_with_taxes_cents": 100,
        "placed_at": "2026-01-15T12:00:00.000Z",
        **changes,
    }


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in order("a").items() if key != name}


@pytest.fixture
def file_of(tmp_path: Path) -> Any:
    def write(*rows: dict[str, Any], name: str = "orders.json.gz") -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(json.dumps(rows).encode()))
        return path

    return write


def test_filters_name_the_window_the_method_and_the_slice() -> None:
    assert PlacedOrders(SINCE, UNTIL).filters(IdRange("a", "b")) == {
        "placed_at_gteq": "2026-01-01T00:00:00.000Z",
        "placed_at_lt": "2026-02-01T00:00:00.000Z",
        "payment_method_payment_source_type_eq": "klarna_payments",
        "id_gt": "a",
        "id_lteq": "b",
    }
    assert PlacedOrders(None, None, klarna_only=False).filters() == {"placed_at_not_null": "true"}


def test_a_file_of_what_was_asked_for_is_counted(file_of: Any) -> None:
    rows = [order("a"), order("b", placed_at="2026-01-01T00:00:00.000Z"), order("A", number="8", reference="R")]

    assert orders_in_file(file_of(*rows), PLACED).orders == 3


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([order("a"), order("b"), order("a")], "an order twice"),
        ([order("a", placed_at="2025-12-31T23:59:59.999Z")], "not requested"),
        ([order("a", placed_at="2026-02-01T00:00:00.000Z")], "not requested"),
        ([order("a", placed_at=None)], "documented shape"),
        ([order("a", total_amount_with_taxes_cents=1.5)], "documented shape"),
        *(([without(name)], "documented shape") for name in order("a")),
    ],
)
def test_a_file_of_something_else_is_refused(file_of: Any, rows: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(BrokenExport, match=why):
        orders_in_file(file_of(*rows), PLACED)


def test_an_order_in_two_files_is_found(file_of: Any) -> None:
    one = orders_in_file(file_of(order("a"), order("b"), name="1.json.gz"), PLACED).keys
    other = orders_in_file(file_of(order("c"), order("B"), name="2.json.gz"), PLACED).keys
    again = orders_in_file(file_of(order("d"), order("b"), name="3.json.gz"), PLACED).keys

    assert are_distinct([one, other])
    assert not are_distinct([one, other, again])
    assert are_distinct([])


class Counted:
    """An API whose list claims to hold any number of rows, and shows none."""

    def __init__(self) -> None:
        self.requests = 0

    async def get(self, path: str, params: Any, **_: Any) -> Document:
        self.requests += 1
        return Document(ids=[], record_count=0, date=None, body=b'{"data":[]}')


async def test_a_count_without_sense_costs_no_more_requests_than_a_cut_into_a_thousand() -> None:
    api: Any = Counted()

    await cut_at(api, PLACED, IdRange(), orders=10**18, most=5_000)
    await slice_edges(api, Window(SINCE, UNTIL), payments=10**18, most=5_000)

    assert api.requests < 2 * 1_000
