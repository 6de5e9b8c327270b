"""
A `reconcile.toml` to start from: every setting with its meaning and its default, or an example.
"""

from __future__ import annotations

import msgspec

from reconcile.settings.settings import PREFIX, Settings, declared


def commented_toml() -> str:
    """Return a `reconcile.toml` that names every setting with its meaning and default, all commented out."""
    lines = [
        "# Settings of reconcile. Every setting is commented out and shows its default, or an example.",
        "# The environment (RECONCILE_…) goes over this file, options of the command line over both.",
        f"# Credentials are no settings: {PREFIX}CLIENT_ID and {PREFIX}CLIENT_SECRET, or {PREFIX}CLIENT_SECRET_FILE.",
    ]
    table = ""
    for name, (place, _) in declared().items():
        if place.table != table:
            table = place.table
            lines += ["", f"[{table}]"]
        lines += [f"# {place.about}", f"#{place.key or name} = {_EXAMPLES.get(name) or _default(name)}"]
    return "\n".join(lines) + "\n"


_EXAMPLES = {
    "organization": '"my-shop"',
    "api_url": '"https://my-shop.commercelayer.io/api"',
    "auth_url": '"https://auth.commercelayer.io"',
    "mode": '"live"',
    "scope": '"market:all"',
    "allowance": '"/var/lib/reconcile/allowance"',
    "since": '"2026-01-01"',
    "until": '"2026-11-01T00:00:00Z"',
    "orders": '["exports/orders-*.csv"]',
    "orders_sql": '"SELECT reference, total, currency FROM orders ORDER BY reference"',
    "orders_db": '"postgresql://reader@db.example.com/books"',
    "currency": '"EUR"',
    "thousands": '" "',
    "amount_unit": '"minor"',
    "accounting": '["parentheses"]',
    "date_format": '"%d.%m.%Y"',
    "continuation_rows": '"empty"',
    "delimiter": '";"',
    "quote": '"\'"',
    "encoding": '"cp1252"',
    "sheet": '"Orders"',
    "reference_column": '"Our reference"',
    "amount_column": '"Gross total"',
    "currency_column": '"Currency"',
    "order_number_column": '"Order no."',
    "order_id_column": '"Commerce Layer id"',
    "ordered_on_column": '"Order date"',
    "sign_column": '"Debit/Credit"',
    "tolerance_cents": "5",
    "tolerance_percent": '"0.5"',
    "tolerances": "{ SEK = { cents = 50 } }",
    "group_orders": '"sum"',
    "clean_case": '"fold"',
    "clean_replace": "[{ pattern = '^INV[0-9]{4}/', with = \"\" }]",
    "clean_strip_prefix": '["PO-", "WEB-"]',
    "clean_strip_suffix": '["-A"]',
    "clean_strip_zeros": "true",
    "clean_pad_zeros": "10",
    "fail_on": '["breaks>0"]',
    "warn_on": '["within_tolerance.amount>10.00EUR"]',
    "load_to": '"duckdb:warehouse.duckdb"',
    "locale": '"de-DE"',
}


def _default(name: str) -> str:
    fields = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    return msgspec.json.encode(fields[name]).decode()
