"""Tonight's order side against what it should be, without a run: names of day files."""

from __future__ import annotations

import pytest

from reconcile.figures.deliveries import NewDelivery, delivery_warnings
from reconcile.orders.report import OrdersReport


@pytest.mark.parametrize("name", ["exports/{date}/orders.csv", "orders-{date:%d%m%y}.csv"])
@pytest.mark.parametrize(("is_full", "codes"), [(True, ["day_files"]), (False, [])])
def test_a_day_file_is_no_whole_order_side(is_full: bool, codes: list[str], name: str) -> None:
    delivery = NewDelivery(OrdersReport(1, 0, ()), (name, "more.csv"), 1, is_full)

    found = delivery_warnings(delivery, ())

    assert [one.code for one in found] == codes
    assert all(name in one.text and "--delivery changes" in one.text for one in found)


def test_files_without_the_date_in_their_names_are_as_they_should_be() -> None:
    assert delivery_warnings(NewDelivery(OrdersReport(1, 0, ()), ("orders-*.csv",), 1, True), ()) == []
