"""
The money of an order as the API has it: the four types of transactions, the market, and what can be paid with.

Attributes and relationships as in `@commercelayer/sdk` 7.11.0 (`src/resources/authorizations.ts` and so on). Which of
them can be filtered and sorted by is not documented: here it is what every resource has, and what a transaction is
told by.
"""

from __future__ import annotations

from reconcile.sandbox.world.resources import (
    COMMON,
    EVENTS_OF_A_ROW,
    PAYMENT_SOURCE,
    Relationship,
    ResourceType,
    words,
)

_AMOUNT = words("number payment_method_type currency_code amount_cents amount_float formatted_amount")
_OUTCOME = words("succeeded message error_code error_detail token gateway_transaction_id")
_END = words("reference reference_origin metadata created_at updated_at")
_CHECKS = words("cvv_code cvv_message avs_code avs_message fraud_review")
_VERSIONS = Relationship("versions", many=True, includable=False)
_RETURN = Relationship("returns")


def _spelled(*amounts: str) -> tuple[str, ...]:
    return tuple(name for one in amounts for name in (f"{one}_cents", f"{one}_float", f"formatted_{one}"))


def _transaction(name: str, *own: str, **relationships: Relationship) -> ResourceType:
    return ResourceType(
        name=name,
        attributes=(*_AMOUNT, *_OUTCOME, *own, *_END),
        relationships={
            "order": Relationship("orders"),
            "payment_source": PAYMENT_SOURCE,
            "attachments": Relationship("attachments", many=True),
            "events": Relationship("events", many=True),
            "versions": _VERSIONS,
            "event_stores": EVENTS_OF_A_ROW,
            **relationships,
        },
        filterable={
            **COMMON,
            **dict.fromkeys(("number", "currency_code"), "text"),
            "amount_cents": "integer",
            "succeeded": "boolean",
        },
        sortable=frozenset(words("id number amount_cents created_at updated_at reference reference_origin")),
        secrets=("token",),
    )


BALANCES = {
    "authorizations": ("capture_amount", "capture_balance", "void_balance"),
    "captures": ("refund_amount", "refund_balance"),
    "refunds": (),
    "voids": (),
}
"""What is left of a transaction, by type; each comes as `_cents`, `_float` and `formatted_`."""

AUTHORIZATIONS = _transaction(
    "authorizations",
    *_CHECKS,
    *_spelled(*BALANCES["authorizations"]),
    captures=Relationship("captures", many=True),
    voids=Relationship("voids", many=True),
)
CAPTURES = _transaction(
    "captures",
    *_spelled(*BALANCES["captures"]),
    reference_authorization=Relationship("authorizations"),
    refunds=Relationship("refunds", many=True),
    **{"return": _RETURN},
)
REFUNDS = _transaction("refunds", reference_capture=Relationship("captures"), **{"return": _RETURN})
VOIDS = _transaction("voids", reference_authorization=Relationship("authorizations"))

MARKETS = ResourceType(
    name="markets",
    attributes=words("""
        number name code facebook_pixel_id checkout_url external_prices_url external_order_validation_url private
        shipping_cost_cutoff disabled_at external_includes created_at updated_at reference reference_origin metadata
    """),
    relationships={
        "merchant": Relationship("merchants"),
        "price_list": Relationship("price_lists"),
        "base_price_list": Relationship("price_lists"),
        "inventory_model": Relationship("inventory_models"),
        "subscription_model": Relationship("subscription_models"),
        "discount_engine": Relationship("discount_engines"),
        "tax_calculator": Relationship(
            "manual_tax_calculators",
            others=words("""
                avalara_accounts external_tax_calculators stripe_tax_accounts taxjar_accounts vertex_accounts
            """),
        ),
        "customer_group": Relationship("customer_groups"),
        "geocoder": Relationship("geocoders"),
        "default_shipping_method": Relationship("shipping_methods"),
        "default_payment_method": Relationship("payment_methods"),
        "stores": Relationship("stores", many=True),
        "price_list_schedulers": Relationship("price_list_schedulers", many=True),
        "attachments": Relationship("attachments", many=True),
        "versions": _VERSIONS,
        "event_stores": EVENTS_OF_A_ROW,
    },
    filterable={**COMMON, "name": "text", "code": "text", "disabled_at": "time"},
    sortable=frozenset(words("id name code disabled_at created_at updated_at reference reference_origin")),
)


def _source(name: str, own: str, gateway: str, *secrets: str) -> ResourceType:
    return ResourceType(
        name=name,
        attributes=words(f"{own} mismatched_amounts payment_instrument {' '.join(_END)}"),
        relationships={
            "order": Relationship("orders"),
            "payment_gateway": Relationship(gateway),
            "event_stores": EVENTS_OF_A_ROW,
        },
        filterable=COMMON,
        secrets=secrets,
    )


OTHER_SOURCES = (
    _source("adyen_payments", "public_key payment_methods payment_response", "adyen_gateways", "public_key"),
    _source("axerve_payments", "login return_url payment_request_data", "axerve_gateways", "payment_request_data"),
    _source("braintree_payments", "client_token payment_method_nonce options", "braintree_gateways", "client_token"),
    _source(
        "checkout_com_payments",
        "public_key payment_type token session_id payment_response",
        "checkout_com_gateways",
        "token",
    ),
    _source("external_payments", "payment_source_token options", "external_gateways", "payment_source_token"),
    _source("paypal_payments", "return_url cancel_url paypal_payer_id paypal_id status", "paypal_gateways"),
    _source("satispay_payments", "payment_id flow status redirect_url payment_response", "satispay_gateways"),
    _source(
        "stripe_payments",
        "stripe_id client_secret connected_account charge_id publishable_key receipt_email return_url options "
        "payment_method",
        "stripe_gateways",
        "client_secret",
        "publishable_key",
    ),
    _source("wire_transfers", "", "manual_gateways"),
)
"""The nine types of payment source that are not Klarna's, with what matters of each: the credentials."""
