"""
What the API has: attributes, relationships, and what may be filtered and sorted by, as plain tables.

Schema 7.10.3, klarna_payments and what a reconciliation reaches from there. Nothing here computes.

Source: https://docs.commercelayer.io/core-api-reference/klarna_payments/object and .../orders/object;
filters and sorts as in the public resource catalogue, https://core.commercelayer.io/api/public/resources .
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MEDIA_TYPE = "application/vnd.api+json"

Row = dict[str, Any]
"""A resource object's values by their names, as JSON has them; with the ids of what it is related to."""


@dataclass(frozen=True, slots=True)
class Relationship:
    """
    One relationship: the resource type it leads to, whether it is a list, whether `include` accepts it.

    A polymorphic one leads to `type` or any of `others`: the linkage says to which.
    """

    type: str
    many: bool = False
    includable: bool = True
    others: tuple[str, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """All types that it may lead to."""
        return (self.type, *self.others)


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One resource type as requests may speak of it. `filterable` maps a name to its kind of value."""

    name: str
    attributes: tuple[str, ...]
    relationships: dict[str, Relationship]
    filterable: dict[str, str] = field(default_factory=dict)
    sortable: frozenset[str] = frozenset()
    crossings: dict[str, str] = field(default_factory=dict)
    """Relationships that a filter may cross, and the type behind each."""
    unexportable: frozenset[str] = frozenset()
    """Attributes that an export leaves out."""
    secrets: tuple[str, ...] = ()
    """Attributes that are credentials, or to be treated as such: they carry the canary."""


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text, for tables of names."""
    return tuple(text.split())


COMMON = {
    "id": "id",
    "created_at": "time",
    "updated_at": "time",
    "reference": "text",
    "reference_origin": "text",
    "metadata": "json",
}

KLARNA_PAYMENTS = ResourceType(
    name="klarna_payments",
    attributes=(
        "session_id",
        "client_token",
        "payment_methods",
        "auth_token",
        "mismatched_amounts",
        "payment_instrument",
        "created_at",
        "updated_at",
        "reference",
        "reference_origin",
        "metadata",
    ),
    relationships={
        "order": Relationship("orders"),
        # The concrete type, as the engine renders a polymorphic model; the schema allows both.
        "payment_gateway": Relationship("klarna_gateways"),
        "event_stores": Relationship("event_stores", many=True, includable=False),
    },
    # `mismatched_amounts` is computed by a method, not a column. Whether a filter on it works is not documented:
    # here it does not, so that nobody relies on it.
    filterable=COMMON,
    sortable=frozenset({"id", "reference", "reference_origin", "created_at", "updated_at"}),
    crossings={"order": "orders"},
    unexportable=frozenset({"auth_token"}),
    secrets=("client_token", "auth_token"),
)

PAYMENT_SOURCE = Relationship(
    "klarna_payments",
    others=words("""
        adyen_payments axerve_payments braintree_payments checkout_com_payments external_payments paypal_payments
        satispay_payments stripe_payments wire_transfers
    """),
)
"""What an order or a transaction is paid with: one of ten types."""

AMOUNTS = (
    "subtotal_amount",
    "shipping_amount",
    "payment_method_amount",
    "discount_amount",
    "adjustment_amount",
    "gift_card_amount",
    "total_tax_amount",
    "subtotal_tax_amount",
    "shipping_tax_amount",
    "payment_method_tax_amount",
    "adjustment_tax_amount",
    "total_amount",
    "total_taxable_amount",
    "subtotal_taxable_amount",
    "shipping_taxable_amount",
    "payment_method_taxable_amount",
    "adjustment_taxable_amount",
    "total_amount_with_taxes",
    "fees_amount",
    "duty_amount",
    "place_total_amount",
)
"""Amounts of an order; each comes as `_cents`, `_float` and `formatted_`."""

_ORDER_BEFORE_AMOUNTS = words("""
    number affiliate_code autorefresh place_async status payment_status fulfillment_status guest editable
    customer_email customer_type language_code currency_code tax_included tax_rate freight_taxable
    payment_method_taxable adjustment_taxable gift_card_taxable requires_billing_info country_code
    shipping_country_code_lock coupon_code gift_card_code
""")
_ORDER_AFTER_AMOUNTS = words("""
    skus_count line_item_options_count shipments_count tax_calculations_count validations_count errors_count
    payment_source_details token cart_url return_url terms_url privacy_url checkout_url placed_at approved_at
    cancelled_at payment_updated_at fulfillment_updated_at refreshed_at archived_at subscription_created_at
    expires_at expiration_info circuit_state circuit_failure_count created_at updated_at reference
    reference_origin metadata
""")
_TO_ONE = {
    "market": "markets",
    "customer": "customers",
    "shipping_address": "addresses",
    "billing_address": "addresses",
    "store": "stores",
    "default_shipping_method": "shipping_methods",
    "default_payment_method": "payment_methods",
    "payment_method": "payment_methods",
    "discount_engine_item": "discount_engine_items",
    "order_subscription": "order_subscriptions",
}
_TO_MANY = words("""
    available_payment_methods available_customer_payment_sources available_free_skus available_free_bundles
    line_items line_item_options stock_reservations stock_line_items stock_transfers shipments payment_options
    authorizations captures voids refunds returns order_subscriptions order_factories order_copies
    recurring_order_copies attachments notifications links resource_errors events tags
""")

ORDERS = ResourceType(
    name="orders",
    attributes=(
        *_ORDER_BEFORE_AMOUNTS,
        *(name for amount in AMOUNTS for name in (f"{amount}_cents", f"{amount}_float", f"formatted_{amount}")),
        *_ORDER_AFTER_AMOUNTS,
    ),
    relationships={
        **{name: Relationship(type_) for name, type_ in _TO_ONE.items()},
        "payment_source": PAYMENT_SOURCE,
        **{name: Relationship(name, many=True) for name in _TO_MANY},
        "transactions": Relationship("authorizations", many=True, others=("captures", "voids", "refunds")),
        "event_stores": Relationship("event_stores", many=True, includable=False),
    },
    # total_amount_with_taxes_cents is neither filterable nor sortable.
    filterable={
        **COMMON,
        **dict.fromkeys(("placed_at", "approved_at", "cancelled_at", "payment_updated_at", "archived_at"), "time"),
        **dict.fromkeys(("number", "status", "payment_status", "fulfillment_status"), "text"),
        **dict.fromkeys(("currency_code", "country_code", "language_code", "customer_email"), "text"),
        **dict.fromkeys(("total_amount_cents", "total_tax_amount_cents", "subtotal_amount_cents"), "integer"),
    },
    sortable=frozenset(
        words(
            "id number status payment_status fulfillment_status currency_code total_amount_cents placed_at approved_at "
            "cancelled_at created_at updated_at reference reference_origin"
        )
    ),
    crossings={"payment_source": "klarna_payments", "payment_method": "payment_methods"},
    unexportable=frozenset(words("affiliate_code customer_type refreshed_at expires_at expiration_info")),
)

_GATEWAY_ATTRIBUTES = words(
    "name force_payments credential_keys disabled_at created_at updated_at reference reference_origin metadata"
)
EVENTS_OF_A_ROW = Relationship("event_stores", many=True, includable=False)
_GATEWAY_FILTERS = {**COMMON, "name": "text"}

KLARNA_GATEWAYS = ResourceType(
    name="klarna_gateways",
    attributes=_GATEWAY_ATTRIBUTES,
    relationships={
        "payment_methods": Relationship("payment_methods", many=True),
        "event_stores": EVENTS_OF_A_ROW,
        "klarna_payments": Relationship("klarna_payments", many=True, includable=False),
    },
    filterable=_GATEWAY_FILTERS,
    sortable=frozenset({"id", "name", "created_at", "updated_at"}),
)
PAYMENT_GATEWAYS = ResourceType(
    name="payment_gateways",
    attributes=_GATEWAY_ATTRIBUTES,
    relationships={"payment_methods": Relationship("payment_methods", many=True), "event_stores": EVENTS_OF_A_ROW},
    filterable=_GATEWAY_FILTERS,
    sortable=frozenset({"id", "name", "created_at", "updated_at"}),
)
PAYMENT_METHODS = ResourceType(
    name="payment_methods",
    attributes=("name", "payment_source_type", "currency_code", "created_at", "updated_at", "metadata"),
    relationships={"payment_gateway": Relationship("klarna_gateways"), "event_stores": EVENTS_OF_A_ROW},
    filterable={**COMMON, "payment_source_type": "text"},
)

_EXPORT_INSTANTS = words("started_at completed_at estimated_completion_at interrupted_at")
_EXPORT_COUNTS = words("records_count processed_count")

EXPORTS = ResourceType(
    name="exports",
    attributes=(
        *words("resource_type format status includes fields filters dry_data jwt_filters"),
        *_EXPORT_INSTANTS,
        *_EXPORT_COUNTS,
        *words("progress attachment_url errors_log created_at updated_at reference reference_origin metadata"),
    ),
    relationships={"events": Relationship("events", many=True), "event_stores": EVENTS_OF_A_ROW},
    filterable={
        **COMMON,
        **dict.fromkeys(("resource_type", "format", "status"), "text"),
        **dict.fromkeys(_EXPORT_INSTANTS, "time"),
        **dict.fromkeys(_EXPORT_COUNTS, "integer"),
    },
    sortable=frozenset(
        words("id resource_type format status created_at updated_at reference reference_origin")
        + _EXPORT_INSTANTS
        + _EXPORT_COUNTS
    ),
)

_HAPPENED = words("created_at updated_at reference reference_origin metadata")

EVENT_STORES = ResourceType(
    name="event_stores",
    attributes=(*words("resource_type resource_id event payload who"), *_HAPPENED),
    relationships={},
)
VERSIONS = ResourceType(
    name="versions",
    attributes=(*words("resource_type resource_id event changes who"), *_HAPPENED),
    relationships={},
    filterable={**COMMON, **dict.fromkeys(("resource_type", "resource_id", "event"), "text")},
    sortable=frozenset(words("id resource_type resource_id event created_at updated_at")),
)
"""Deprecated; filters and sorts are not in the catalogue any more."""

ORGANIZATIONS = ResourceType(
    name="organizations",
    attributes=words("""
        name slug domain support_phone support_email logo_url favicon_url primary_color gtm_id gtm_id_test
        config api_auth_redirect api_fragment_caching_enabled api_rules_engine
        api_rules_engine_max_conditions_size api_rules_engine_max_rules_size api_new_auth
        api_purge_single_resource api_max_regex_length addresses_avs_check addresses_phone_required
        orders_sales_channel_guest_only orders_min_rebuild_shipments_lapse orders_min_refresh_lapse
        orders_autorefresh_cutoff_test orders_autorefresh_cutoff_live orders_number_editable_test
        orders_number_editable_live orders_number_as_reference orders_invalid_coupon_errors
        orders_invalid_gift_card_errors orders_validate_shipping_stock bundles_max_items_count
        coupons_min_code_length coupons_max_code_length gift_cards_exact_code_matching
        gift_cards_min_code_length gift_cards_max_code_length cleanups_max_concurrent_count
        exports_max_concurrent_count imports_max_concurrent_count imports_purge_cache imports_skip_errors
        inventory_models_max_stock_locations_cutoff promotions_max_concurrent_count
        promotions_max_conditions_size promotions_max_rules_size price_lists_max_conditions_size
        price_lists_max_rules_size imports_trigger_webhooks discount_engines_enabled discount_engines_errors
        tags_max_name_length tags_max_allowed_number tax_calculators_errors external_promotions_errors
        external_prices_errors skus_discovery payment_gateways_transaction_on_event created_at updated_at
        reference reference_origin metadata
    """),
    relationships={"event_stores": EVENTS_OF_A_ROW},
)
