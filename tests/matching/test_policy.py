"""Settings of a matching: what makes sense, and the message for what does not."""

from __future__ import annotations

from typing import Any

import pytest

from reconcile.errors import SettingsError
from reconcile.matching.policy import KIND_OF, Kind, MatchPolicy, Status
from reconcile.matching.tolerance import Tolerance


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"on": ()},
            "match on [] is not a choice of reference, order_reference, order_number, order_id, each at most once",
        ),
        ({"on": ("email",)}, "match on ['email'] is not a choice of"),
        ({"on": ("reference", "reference")}, "each at most once"),
        (
            {"amount_basis": "subtotal"},
            'amount_basis "subtotal" is not one of due, captured, total_amount_with',
        ),
        ({"group_orders": "max"}, 'group_orders "max" is not "sum"'),
        ({"refunds": "elsewhere"}, 'refunds "elsewhere" is not "booked_apart"'),
        ({"mode": "staging"}, 'mode "staging" is neither live nor test'),
        ({"lag_days": -1}, "lag_days -1 is not a number of days"),
        ({"lag_days": 4000}, "lag_days 4000 is not a number of days"),
        ({"tolerance_cents": -1}, "tolerance_cents -1 is not a number of minor units"),
        ({"tolerance_percent": "1e9"}, 'tolerance_percent "1e9" is not a decimal number from 0 to 100'),
        ({"tolerance_percent": "0.00001"}, "with at most 4 decimals"),
        ({"tolerance_percent": "half"}, 'tolerance_percent "half"'),
        ({"tolerance_percent": "NaN"}, 'tolerance_percent "NaN"'),
        ({"tolerance_percent": 0.1}, "tolerance_percent 0.1 is a float"),
    ],
)
def test_settings_that_cannot_hold_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        MatchPolicy(**settings)

    assert message in caught.value.message


@pytest.mark.parametrize(("percent", "millionths"), [("0.25", 2500), ("100", 10**6), ("0", 0), ("0.0001", 1)])
def test_a_percentage_is_exact_parts_of_a_million(percent: str, millionths: int) -> None:
    assert Tolerance(percent=percent).millionths == millionths


@pytest.mark.parametrize("name", ["Sek", "sweden", "market:", "shop:Nordics", "currency:SEK"])
def test_a_tolerance_is_of_a_currency_a_market_or_a_gateway(name: str) -> None:
    with pytest.raises(SettingsError, match="is not a currency code"):
        MatchPolicy(tolerances={name: Tolerance(cents=1)})


def test_every_status_has_a_kind_and_most_are_breaks() -> None:
    assert set(KIND_OF) == set(Status)
    assert {status for status, kind in KIND_OF.items() if kind is not Kind.BREAK} == {
        "matched",
        "within_tolerance",
        "superseded",
        "not_placed",
        "nothing_due",
        "unpaid",
        "nothing_booked",
        "not_listed",
        "other_method",
        "out_of_period",
        "awaiting_order",
        "awaiting_payment",
    }
