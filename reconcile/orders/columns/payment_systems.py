"""
What the interfaces of payment programs and shops hand out as JSON: totals in minor units, and what is no total.

Their minor units are known by their columns, and count for JSON only: the same programs write decimals in CSV.
`docs/orders.md` has the sources.
"""

from __future__ import annotations

from reconcile.orders.columns.system import System

PAYMENT_SYSTEMS: tuple[System, ...] = (
    System(
        "Klarna settlements",
        marks=(
            ("payment_reference", "total_settlement_amount"),
            ("total_sale_amount", "total_settlement_amount"),
            ("payment_reference", "capture_id"),
            ("short_order_id", "capture_id"),
            ("short_order_id", "sale_date"),
            ("capture_id", "sale_date"),
            ("settlement_id", "payment_transaction_id"),
        ),
        columns={
            "reference": (("merchant_reference1",),),
            "order_number": (),
            "order_id": (),
            "amount": (("amount",),),
            "ordered_on": (("sale_date",),),
        },
        unsure={"reference": ("merchant_reference2", "order_id", "payment_reference")},
        is_minor_in_json=True,
        is_instead=(
            "a settlement report of Klarna",
            "totals of orders come from the shop or the ERP: export them there",
        ),
    ),
    System(
        "Klarna orders",
        marks=(("order_amount", "purchase_currency"),),
        columns={
            "reference": (("merchant_reference1",),),
            "order_number": (),
            "order_id": (),
            "amount": (("order_amount",),),
            "currency": (("purchase_currency",),),
        },
        unsure={"reference": ("merchant_reference2", "order_id", "klarna_reference")},
        is_minor_in_json=True,
    ),
    System(
        "Adyen",
        marks=(("pspReference", "amount.value"),),
        columns={
            "reference": (("merchantReference",),),
            "order_id": (),
            "amount": (("amount.value", "amount"),),
            "currency": (("amount.currency",),),
        },
        is_minor_in_json=True,
    ),
    System(
        "Stripe",
        marks=(("id", "object", "amount", "currency"),),
        columns={"amount": (("amount",),), "currency": (("currency",),)},
        is_minor_in_json=True,
        kinds={"object": frozenset(("charge", "payment_intent", "refund", "invoice", "checkout.session"))},
    ),
    System(
        "Shopify API",
        marks=(
            ("total_price", "total_price_set.shop_money.amount"),
            ("total_price", "order_number", "name", "created_at"),
        ),
        columns={"amount": (("total_price",),), "ordered_on": (("created_at",),)},
    ),
)
"""Programs whose documents are known; they count after all others."""
