"""Which transport is chosen, and why."""

from __future__ import annotations

import pytest

from reconcile.payments.transport import FEWEST_FOR_EXPORTS, choose_transport


@pytest.mark.parametrize("via", ["pages", "exports"])
@pytest.mark.parametrize("payments", [0, 1_000_000])
def test_a_transport_asked_for_is_taken_whatever_the_number_of_payments(via: str, payments: int) -> None:
    assert choose_transport(via, payments).transport == via


def test_auto_reads_few_payments_by_pages_and_many_by_exports_and_says_why() -> None:
    few, many = (choose_transport("auto", payments) for payments in (FEWEST_FOR_EXPORTS - 1, FEWEST_FOR_EXPORTS))

    assert (few.transport, many.transport) == ("pages", "exports")
    assert "2,000" in few.why
    assert few.why != many.why
