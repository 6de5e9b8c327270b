"""
The attributes of an order that follow from others: floats, formatted strings, tax parts, counters, links.

`complete_order` fills what a row does not say; what it says stays. Display values only: nothing here is
compared with anything.
"""

from __future__ import annotations

from reconcile.money import EXPONENTS
from reconcile.sandbox.world.resources import AMOUNTS, ORDERS, Row

_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
_SUFFIXES = {"SEK": " kr", "NOK": " kr", "DKK": " kr.", "PLN": " zł"}

_CONSTANTS: Row = {
    "autorefresh": True,
    "place_async": False,
    "guest": True,
    "editable": False,
    "freight_taxable": True,
    "payment_method_taxable": True,
    "adjustment_taxable": True,
    "requires_billing_info": False,
    "skus_count": 1,
    "line_item_options_count": 0,
    "shipments_count": 1,
    "tax_calculations_count": 0,
    "validations_count": 0,
    "errors_count": 0,
    "circuit_state": "closed",
    "circuit_failure_count": 0,
    "return_url": "https://shop.example.com/",
    "terms_url": "https://shop.example.com/terms",
    "privacy_url": "https://shop.example.com/privacy",
}


def complete_order(row: Row) -> Row:
    """Return all 117 attributes of the order `row`, in the schema's order, with `id` left to the caller."""
    full: Row = {**_CONSTANTS, **_identity(row), **_tax_parts(row), **row}
    for amount in AMOUNTS:
        spell_out(full, amount, full.get("currency_code"))
    return {name: full.get(name) for name in ORDERS.attributes}


def format_money(cents: int, currency_code: str | None) -> str:
    """Return an amount as the API's `formatted_` attributes have it: `€1.234,50`. For show, never to be read."""
    digits = EXPONENTS.get(currency_code or "", 2)
    whole, fraction = divmod(abs(cents), 10**digits)
    number = f"{whole:,}".replace(",", ".") + (f",{fraction:0{digits}d}" if digits else "")
    sign = "-" if cents < 0 else ""
    code = currency_code or ""
    return f"{sign}{_SIGNS.get(code, '')}{number}{_SUFFIXES.get(code, '')}"


def spell_out(full: Row, amount: str, currency_code: str | None) -> None:
    """Put the float and the formatted form of `amount` into a row that has its minor units, and not these."""
    cents = full.get(f"{amount}_cents")
    if cents is None:
        return
    exponent = EXPONENTS.get(currency_code or "", 2)
    full.setdefault(f"{amount}_float", cents / 10**exponent)
    full.setdefault(f"formatted_{amount}", format_money(cents, currency_code))


def _identity(row: Row) -> Row:
    token = f"{abs(hash_text(str(row['id']))):032x}"
    return {
        "customer_email": f"customer{token[-7:]}@example.com",
        "customer_type": "returning" if int(token[-1], 16) < 6 else "new",
        "token": token,
        "checkout_url": f"https://sandbox.commercelayer.io/checkout/{token}",
        "cart_url": f"https://shop.example.com/cart/{token}",
        "payment_updated_at": row.get("placed_at"),
        "fulfillment_updated_at": row.get("approved_at"),
        "refreshed_at": row.get("created_at"),
        "payment_source_details": _source_details(row),
    }


def _source_details(row: Row) -> Row | None:
    if not row.get("payment_source_id"):
        return None
    return {"type": str(row.get("payment_source_type") or "klarna_payments").removesuffix("s")}


def hash_text(text: str) -> int:
    """Return a number below 2**128 that depends on `text` alone (FNV-1a), unlike `hash` in any process."""
    state = 0x6C62272E07BB014262B821756295C58D
    for byte in text.encode():
        state = (state ^ byte) * 0x0000000001000000000000000000013B & (1 << 128) - 1
    return state


def _tax_parts(row: Row) -> Row:
    """Return tax and taxable parts that add up to the row's own total tax, all of it on the items and shipping."""
    tax, total = row.get("total_tax_amount_cents"), row.get("total_amount_cents")
    if tax is None or total is None:
        return {}
    shipping = row.get("shipping_amount_cents") or 0
    shipping_tax = tax * shipping // total if total else 0
    taxable = total - tax if row.get("tax_included") else total
    shipping_taxable = shipping - shipping_tax if row.get("tax_included") else shipping
    return {
        "subtotal_tax_amount_cents": tax - shipping_tax,
        "shipping_tax_amount_cents": shipping_tax,
        "payment_method_tax_amount_cents": 0,
        "adjustment_tax_amount_cents": 0,
        "total_taxable_amount_cents": taxable,
        "subtotal_taxable_amount_cents": taxable - shipping_taxable,
        "shipping_taxable_amount_cents": shipping_taxable,
        "payment_method_taxable_amount_cents": 0,
        "adjustment_taxable_amount_cents": 0,
        "fees_amount_cents": 0,
        "duty_amount_cents": 0,
    }
