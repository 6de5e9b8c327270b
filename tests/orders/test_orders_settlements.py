"""Settlement reports of Klarna are no totals of orders, whatever their form, and the payout is never a key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconcile.errors import OrderFileError

SUMMARY = "payment_reference;payout_date;currency_code;total_sale_amount;total_fee_amount;total_settlement_amount\n"
TOTALS = "XISA93DJ;2026-11-03;SEK;1701.00;42.50;1658.50\n"
DETAILS = "type;capture_id;order_id;short_order_id;merchant_reference1;sale_date;amount;currency_code\n"
LINES = "SALE;c-1;ce17b4cb;K4MADNY1;N1;2026-10-21;1701.00;SEK\nFEE;c-1;ce17b4cb;K4MADNY1;N1;2026-10-21;42.50;SEK\n"
SFTP = "type,capture_date,sale_date,order_id,short_order_id,capture_id,merchant_reference1,amount,posting_currency\n"
NETWORK = "settlement_id,payment_transaction_id,reference,amount,tax_amount,currency\nS1,P1,N1,10.00,2.00,EUR\n"
TRANSACTION = {
    "payment_reference": "XISA93DJ", "type": "SALE", "capture_id": "c-1", "order_id": "ce17b4cb",
    "merchant_reference1": "N1", "amount": 170100, "currency_code": "SEK", "vat_amount": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (f"{SUMMARY}{TOTALS}\n{DETAILS}{LINES}", "settlement.XISA93DJ.csv"),
        (DETAILS + LINES, "settlement.csv"),
        (SUMMARY + TOTALS, "summary.csv"),
        (SFTP + "SALE,2026-10-22,2026-10-21,ce17,K4,c-1,N1,10.00,EUR\n", "a.csv"),
        (NETWORK, "network.csv"),
        (json.dumps([TRANSACTION]), "transactions.json"),
        (json.dumps({"transactions": [TRANSACTION], "pagination": {"count": 1}}), "transactions.json"),
    ],
)
def test_a_settlement_report_is_refused_as_order_totals(read: Any, content: str, name: str) -> None:
    with pytest.raises(OrderFileError, match="this is a settlement report of Klarna, not order totals") as caught:
        read(content, name=name)

    assert (caught.value.hint or "").startswith("totals of orders come from the shop or the ERP")


def test_its_amounts_can_be_named_all_the_same(read: Any) -> None:
    csv = read(f"{SUMMARY}{TOTALS}\n{DETAILS}{LINES}", amount_column="amount", only={"type": ("SALE",)})
    transactions = read(json.dumps([TRANSACTION]), name="a.json", amount_column="amount")

    assert csv.columns("reference", "order_id", "amount_cents") == [("N1", None, 170100)]
    assert transactions.columns("reference", "order_id", "amount_cents") == [("N1", None, 170100)]


def test_a_payout_is_no_key_but_a_candidate(read: Any) -> None:
    with pytest.raises(OrderFileError, match='no column is clearly the reference: it may be "payment_reference"'):
        read("payment_reference,total,currency\nP1,1.00,EUR\n")
    named = read("payment_reference,total,currency\nP1,1.00,EUR\n", reference_column="payment_reference")
    other = read("payment_reference,reference,total,currency\nP1,R1,1.00,EUR\n")

    assert (named.columns("reference"), other.columns("reference")) == ([("P1",)], [("R1",)])
