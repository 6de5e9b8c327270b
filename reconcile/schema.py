"""
The tables that cross a boundary: column, Arrow type, unit and source of each, said once.

A table of this module is a `pyarrow.Schema` whose fields carry a `description`; files and frames have exactly
these columns in this order, also when they are empty. Nothing here reads or writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pyarrow as pa
from msgspec import Meta

UTC_MS = pa.timestamp("ms", tz="UTC")

Row = dict[str, Any]
"""A row of one of these tables, or of a query over them, by its columns: values as Arrow gives them to Python."""

Columns = Mapping[str, Any]
"""Columns of one of these tables by their names: Arrow arrays of one length."""


def means(description: str) -> Meta:
    """Return what a field of a JSON document says of itself in its JSON Schema."""
    return Meta(description=description)


Count = Annotated[int, Meta(ge=0)]
Currency = Annotated[str | None, means("ISO 4217; null where the rows have none")]


def table_schema(*columns: tuple[str, pa.DataType, str], required: Sequence[str] = ()) -> pa.Schema:
    """Return a table by its columns: name, type and description of each; only those `required` are never null."""
    return pa.schema(
        pa.field(name, type_, nullable=name not in required, metadata={"description": description})
        for name, type_, description in columns
    )


_NOT_READ = "null where they were not read, or one is of another currency or has no amount"

# Sources: https://docs.commercelayer.io/core-api-reference/klarna_payments/object and .../orders/object
PAYMENTS = table_schema(
    ("payment_id", pa.string(), "klarna_payments id, an opaque text"),
    ("reference", pa.string(), "klarna_payments reference, free text set by the integrator"),
    ("reference_origin", pa.string(), "klarna_payments reference_origin"),
    (
        "mismatched_amounts",
        pa.bool_(),
        "klarna_payments mismatched_amounts, as the API said at the time of the pull",
    ),
    ("created_at", UTC_MS, "klarna_payments created_at"),
    ("updated_at", UTC_MS, "klarna_payments updated_at"),
    ("session_id", pa.string(), "klarna_payments session_id"),
    ("payment_methods", pa.string(), "klarna_payments payment_methods, canonical JSON"),
    ("payment_instrument", pa.string(), "klarna_payments payment_instrument, canonical JSON"),
    ("metadata", pa.string(), "klarna_payments metadata, canonical JSON"),
    ("payment_gateway_id", pa.string(), "payment_gateways id of the related gateway"),
    ("mode", pa.string(), "meta.mode: live or test"),
    ("order_id", pa.string(), "linked order, an opaque text"),
    ("order_number", pa.string(), "orders number"),
    ("order_reference", pa.string(), "orders reference"),
    ("order_status", pa.string(), "orders status"),
    ("payment_status", pa.string(), "orders payment_status"),
    ("currency_code", pa.string(), "orders currency_code, ISO 4217"),
    ("total_amount_cents", pa.int64(), "orders total_amount_cents, minor units"),
    ("total_amount_with_taxes_cents", pa.int64(), "orders total_amount_with_taxes_cents, minor units"),
    ("place_total_amount_cents", pa.int64(), "orders place_total_amount_cents, minor units"),
    ("placed_at", UTC_MS, "orders placed_at"),
    ("order_updated_at", UTC_MS, "orders updated_at"),
    ("cancelled_at", UTC_MS, "orders cancelled_at"),
    ("payment_gateway_name", pa.string(), "payment_gateways name"),
    ("market_id", pa.string(), "markets id of the order's market"),
    ("market_name", pa.string(), "markets name"),
    (
        "order_source_type",
        pa.string(),
        "type of the order's payment_source: klarna_payments, stripe_payments …; null where it has none, or not known",
    ),
    (
        "is_current_source",
        pa.bool_(),
        "whether this payment is the order's payment_source; null where it has none, or not known",
    ),
    ("authorized_amount_cents", pa.int64(), "sum of the order's succeeded authorizations, minor units; " + _NOT_READ),
    ("captured_amount_cents", pa.int64(), "sum of the order's succeeded captures, minor units; " + _NOT_READ),
    ("refunded_amount_cents", pa.int64(), "sum of the order's succeeded refunds, minor units; " + _NOT_READ),
    ("voided_amount_cents", pa.int64(), "sum of the order's succeeded voids, minor units; " + _NOT_READ),
    required=("payment_id", "created_at", "updated_at"),
)

# Sources: https://docs.commercelayer.io/core-api-reference/authorizations/object, .../captures, .../refunds, .../voids
TRANSACTIONS = table_schema(
    ("transaction_id", pa.string(), "id of the authorization, capture, refund or void, an opaque text"),
    ("type", pa.string(), "authorizations, captures, refunds or voids"),
    ("order_id", pa.string(), "the order it belongs to"),
    ("payment_id", pa.string(), "its own payment_source, where that is a klarna payment; else null"),
    ("number", pa.string(), "number, such as 42/T/001"),
    ("amount_cents", pa.int64(), "amount_cents, minor units"),
    ("currency_code", pa.string(), "currency_code, ISO 4217"),
    ("succeeded", pa.bool_(), "succeeded: a failed attempt moved no money"),
    ("gateway_transaction_id", pa.string(), "gateway_transaction_id"),
    ("token_sha256", pa.string(), "SHA-256 (hex) of the token: it can be compared, and not used"),
    ("created_at", UTC_MS, "created_at"),
    required=("transaction_id", "type", "order_id"),
)
"""Transactions of the orders of a pull, sorted by `order_id`, `type`, `transaction_id`, each once."""

_OF_ORDER = pa.struct([one.remove_metadata() for one in TRANSACTIONS if one.name != "order_id"])
MIRRORED = PAYMENTS.append(
    pa.field(
        "transactions",
        pa.list_(pa.field("element", _OF_ORDER)),
        metadata={"description": "transactions of the order as they were read with the payment; null where not read"},
    )
)
"""A payment as it is read and kept in the mirror: whatever was read with it comes and goes with it."""

ORDERS = table_schema(
    ("reference", pa.string(), "clean key: Unicode NFC, outer white space stripped"),
    ("order_number", pa.string(), "order number, as text"),
    ("order_id", pa.string(), "Commerce Layer order id, where the export has it"),
    ("amount_cents", pa.int64(), "exported order total, minor units of currency_code"),
    ("currency_code", pa.string(), "ISO 4217"),
    ("ordered_on", pa.date32(), "date of the order, where the export has it"),
    ("source_file", pa.string(), "file the row was read from, as given"),
    ("source_line", pa.int64(), "line (text files) or row number (others) in that file, from 1"),
    ("reference_raw", pa.string(), "reference exactly as read"),
    ("amount_raw", pa.string(), "amount exactly as read"),
    ("method", pa.string(), "payment method, outer white space stripped; where the export has it"),
    ("document", pa.string(), "the document's own number, clean like a key; where a column is declared as it"),
    ("delivered_on", pa.date32(), "business date of the last delivery that brought the row; null for full files"),
    ("carried", pa.string(), "values of the columns of [orders] carry, a JSON object; null where none is filled"),
)

DELIVERY = ORDERS.append(
    pa.field("is_withdrawn", pa.bool_(), nullable=False, metadata={"description": "the row says that it is cancelled"})
)
"""
What one delivery brings to the order book: rows of ORDERS, withdrawn ones, and rejected ones that have a key.

An amount that cannot be read is null, and so are all amounts of rejected rows.
"""

REJECTS = table_schema(
    ("source_file", pa.string(), "file the row was read from, as given"),
    ("source_line", pa.int64(), "line or row number in that file, from 1"),
    ("column", pa.string(), "the file's own name of the column"),
    ("value", pa.string(), "the cell as read"),
    ("reason", pa.string(), "why it cannot be read"),
    ("remedy", pa.string(), "what to do: the option to add, or what to correct in the export"),
    required=("source_file", "source_line", "reason", "remedy"),
)

ITEMS = table_schema(
    (
        "item_id",
        pa.string(),
        "stable across runs: digest of payment_id, or of the order row's keys and occurrence",
    ),
    ("business_date", pa.date32(), "the date this run stands for"),
    ("run_id", pa.string(), "the run that wrote this row"),
    ("status", pa.string(), "the verdict, one of the statuses"),
    ("kind", pa.string(), "ok, break, timing or info"),
    ("is_break", pa.bool_(), "kind is break"),
    (
        "reference",
        pa.string(),
        "key as compared, under the rules of [match.clean]: of the payment, else of the order row",
    ),
    ("matched_on", pa.string(), "the pass that paired the rows; null when unpaired"),
    ("payment_id", pa.string(), "klarna_payments id"),
    ("payment_reference", pa.string(), "klarna_payments reference, as the API has it"),
    ("order_id", pa.string(), "of the payment's linked order, else of the order row"),
    ("order_number", pa.string(), "of the payment's linked order, else of the order row"),
    ("order_reference", pa.string(), "of the payment's linked order, else of the order row as read"),
    ("order_source_file", pa.string(), "file of the order row"),
    ("order_source_line", pa.int64(), "line of the order row"),
    ("payment_amount_cents", pa.int64(), "amount of the payment by the run's amount_basis, minor units"),
    ("payment_currency_code", pa.string(), "ISO 4217"),
    ("order_amount_cents", pa.int64(), "exported order total, minor units"),
    ("order_currency_code", pa.string(), "ISO 4217"),
    ("difference_cents", pa.int64(), "payment minus order, minor units; null unless both have one currency"),
    ("mismatched_amounts", pa.bool_(), "what the API says about its own order; never overwritten"),
    ("amounts_agree", pa.bool_(), "what we find: difference within tolerance; null when not comparable"),
    ("order_status", pa.string(), "of the payment's linked order"),
    ("payment_status", pa.string(), "of the payment's linked order"),
    ("mode", pa.string(), "live or test"),
    ("placed_at", UTC_MS, "of the payment's linked order"),
    ("payment_created_at", UTC_MS, "klarna_payments created_at"),
    ("payment_updated_at", UTC_MS, "klarna_payments updated_at"),
    ("first_seen_on", pa.date32(), "business date on which this break was first seen; null for non-breaks"),
    ("last_seen_on", pa.date32(), "business date on which this break was last seen; null for non-breaks"),
    ("age_days", pa.int32(), "business_date minus first_seen_on; null for non-breaks"),
    ("state", pa.string(), "new, open or reopened; null for non-breaks"),
    ("accepted_reason", pa.string(), "why this break is accepted, null when it is not"),
    ("accepted_until", pa.date32(), "until when it is accepted"),
    ("suggestion", pa.string(), "likeliest explanation of a break, never a match; null where there is none"),
    ("amount_basis", pa.string(), "which amount stands for the payment"),
    ("at_stake_cents", pa.int64(), "what the item puts at stake, minor units; 0 where nothing is"),
    ("at_stake_currency_code", pa.string(), "ISO 4217, of at_stake_cents"),
    ("row_reference", pa.string(), "reference of the order row as read, also in a pair"),
    ("row_order_number", pa.string(), "order number of the order row, also in a pair"),
    ("ordered_on", pa.date32(), "date of the order row"),
    (
        "data_age_days",
        pa.int32(),
        "business_date minus the day of the payment (placed_at, else created_at), else of the order row",
    ),
    ("order_method", pa.string(), "payment method of the order row"),
    (
        "break_id",
        pa.string(),
        "the break across runs, however it looks: the item_id that it had first; null for non-breaks",
    ),
    ("changed_from_status", pa.string(), "its status in the run before, where it is another now"),
    ("changed_from_item_id", pa.string(), "its item_id in the run before, where it is another now"),
    ("accepted_for", pa.string(), "what this break was accepted for, where that holds no longer; else null"),
    ("payment_gateway_name", pa.string(), "of the payment"),
    ("market_name", pa.string(), "of the payment's linked order"),
    ("authorized_amount_cents", pa.int64(), "of the payment's linked order, as in payments; " + _NOT_READ),
    ("captured_amount_cents", pa.int64(), "of the payment's linked order, as in payments; " + _NOT_READ),
    ("refunded_amount_cents", pa.int64(), "of the payment's linked order, as in payments; " + _NOT_READ),
    ("voided_amount_cents", pa.int64(), "of the payment's linked order, as in payments; " + _NOT_READ),
    ("order_source_type", pa.string(), "type of the payment_source of the payment's linked order"),
    ("order_carried", pa.string(), "of the order row, as in orders: a JSON object of the columns of [orders] carry"),
    ("links_dashboard", pa.string(), "the order's page in the dashboard; null where the organization is not known"),
    required=("item_id", "business_date", "status", "kind", "is_break"),
)

LEDGER_COLUMNS = (
    "first_seen_on", "last_seen_on", "age_days", "state", "accepted_reason", "accepted_until", "break_id",
    "changed_from_status", "changed_from_item_id", "accepted_for",
)  # fmt: skip
"""Columns of ITEMS that the history of runs and people's decisions fill; they say nothing about the match."""

ABOUT = pa.schema(
    ITEMS.field(name)
    for name in (
        "item_id", "status", "matched_on", "payment_id", "order_id", "reference", "payment_reference",
        "order_reference", "row_reference", "order_number", "row_order_number",
    )
)  # fmt: skip
"""Columns of ITEMS that say what a break is about: by them it is known again in a later run."""

ITEMS_ORDER = ("status", "reference", "payment_id", "order_source_file", "order_source_line")
"""ITEMS are sorted by these columns: strings by their UTF-8 bytes, nulls last."""

BREAKS_ORDER = "first_seen_on NULLS LAST, at_stake_cents DESC, item_id"
"""Breaks are listed the oldest first, then the largest amount at stake, whatever its currency; SQL over ITEMS."""

TRAIL = table_schema(
    ("payment_id", pa.string(), "klarna_payments id; null where only an order was named"),
    ("order_id", pa.string(), "the payment's order"),
    ("at", UTC_MS, "when it happened"),
    ("event", pa.string(), "create, update or destroy"),
    ("resource_type", pa.string(), "what it happened to: klarna_payments (the payment) or orders (its order)"),
    ("attribute", pa.string(), "what changed, by the API's name; null where the event names nothing"),
    ("before", pa.string(), "its value before, canonical JSON; null where there was none"),
    ("after", pa.string(), "its value after, canonical JSON; null where there is none"),
    ("who", pa.string(), "kind and id of the application, user or worker; null where the API does not say"),
    required=("at", "event", "resource_type"),
)
"""
What happened to payments and their orders, one row per changed attribute.

Sorted by payment_id, at and resource_type; changes of one event by attribute. Credentials are left out; of what is
personal the value is "(not shown)".
"""

REFRESH = table_schema(
    ("payment_id", pa.string(), "klarna_payments id"),
    ("reference", pa.string(), "klarna_payments reference, as in the run"),
    ("order_id", pa.string(), "the payment's order now; as in the run where the payment is gone"),
    ("order_number", pa.string(), "orders number"),
    ("refreshable", pa.string(), "whether its session at Klarna can be written again: refresh, or why not"),
    ("remedy", pa.string(), "what to do about it, in words"),
    ("mismatched_amounts", pa.bool_(), "what the API says of the payment now; null where it does not say"),
    ("updated_at", UTC_MS, "klarna_payments updated_at now"),
    ("order_status", pa.string(), "orders status now"),
    ("order_updated_at", UTC_MS, "orders updated_at now"),
    ("amount_cents", pa.int64(), "the order's total_amount_with_taxes_cents now, minor units"),
    ("currency_code", pa.string(), "orders currency_code, ISO 4217"),
    ("outcome", pa.string(), "what became of it with --apply; null in a plan"),
    ("words", pa.string(), "why it was not sent, or what the server said; else null"),
    required=("payment_id", "refreshable", "remedy"),
)
"""Flagged payments of a run as `reconcile refresh` shows them, one row each, sorted by `payment_id`."""

PUBLISHED_TABLES = {
    "payments": PAYMENTS,
    "orders": ORDERS,
    "rejects": REJECTS,
    "items": ITEMS,
    "history": TRAIL,
    "refresh": REFRESH,
}
"""Published tables by name."""
