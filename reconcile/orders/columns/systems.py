"""
Programs whose exports are known: which columns give one away, and what its columns mean.

Knows that the same word means different things in them: `ID` is the order's number in Magento and its key elsewhere,
`Amount` is without tax in lists of Business Central, `Order` is a cost object in SAP. `docs/orders.md` has the sources.
A number that is that of an order or of an invoice, depending on the list, is never taken as the order's number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from functools import cache

from reconcile.money import ORDER_TOTALS
from reconcile.orders.columns.book_systems import BOOK_SYSTEMS
from reconcile.orders.columns.names import (
    CLEAR,
    DOCUMENT_DATE,
    EXTERNAL_DOCUMENT,
    GROSS,
    NET,
    UNSURE,
    Groups,
    spellings,
)
from reconcile.orders.columns.payment_systems import PAYMENT_SYSTEMS
from reconcile.orders.columns.provider_systems import PROVIDER_SYSTEMS
from reconcile.orders.columns.shop_systems import SHOP_SYSTEMS
from reconcile.orders.columns.system import Fixed, System

_NET_IN_SAP = "SAP's net values are without tax"
_SAP_SALES: dict[str, Groups] = {
    "reference": (("XBLNR", "BSTNK", "BSTKD"),),
    "amount": (),
    "currency": (("WAERK",),),
    "ordered_on": (("AUDAT",),),
}
_UNSURE_IN_SAP_SALES = {"reference": ("IHREZ",), "amount": ("NETWR", "BRTWR")}
_MAGENTO_TOTALS = (  # "Grand Total (Purchased)" in pt, pt-br, cs, ro, el, es-mx
    *("Total (Comprado)", "Total geral (comprado)", "Celkový součet (koupeno)", "Total General (Achiziționat)"),
    *("Γενικό σύνολο (αγοράστηκαν)", "Gran Total (comprado)"),
)
_NO_REFERENCE = "its exports have no reference of the shop"

SYSTEMS: tuple[System, ...] = (
    *PROVIDER_SYSTEMS,
    *SHOP_SYSTEMS,
    *BOOK_SYSTEMS,
    System(
        "Commerce Layer",
        marks=tuple((basis,) for basis in ORDER_TOTALS),
        columns={
            "reference": (("reference", "order_reference"),),
            "order_number": (("order_number",), ("number",)),
            "order_id": (("order_id",), ("id",)),
        },
    ),
    System(
        "Shopify",
        marks=(("Financial Status", "Lineitem name"),),
        columns={
            "reference": (),
            "amount": (("Total",),),
            "currency": (("Currency",),),
            "order_number": (("Name",),),
            "order_id": (),
            "ordered_on": (("Created at",),),
        },
        unsure={
            "reference": ("Name", "Payment Reference", "Payment ID", "Payment References"),
            "amount": ("Subtotal",),
        },
        notes={
            "reference": "`Name` is the shop's order number, payment references are Shopify's own",
            "amount": "export orders with their `Total`",
        },
        fixed=Fixed(continuation_rows="empty"),
    ),
    System(
        "Magento",
        marks=(("Purchase Point",), ("increment_id", "grand_total"), *((name,) for name in _MAGENTO_TOTALS)),
        columns={
            "reference": (),
            "amount": (("Grand Total (Purchased)", "grand_total", *_MAGENTO_TOTALS),),
            "currency": (("order_currency_code",),),
            "order_number": (("ID", "Identificador"), ("increment_id",)),
            "order_id": (),
            "ordered_on": (("Purchase Date",), ("created_at",)),
        },
        unsure={
            "reference": ("ID", "Identificador", "increment_id", "ext_order_id"),
            "amount": ("Grand Total (Base)", "base_grand_total"),
        },
        notes={
            "reference": "its order grid has no reference of the shop",
            "amount": "a base total is in the base currency, whatever the order's is",
        },
    ),
    System(
        "PrestaShop",
        marks=(("New client", "Payment"), ("Nouveau client", "Paiement"), ("total_paid_tax_incl", "payment")),
        columns={
            "amount": (("Total", "total_paid_tax_incl"),),
            "method": (("Payment", "Paiement"),),  # elsewhere that is an amount
        },
        unsure={"amount": ("total_paid", "total_paid_real", "total_paid_tax_excl")},
    ),
    System(
        "WooCommerce",
        marks=(("order_subtotal", "order_total"), ("order_number_formatted", "order_total")),
        columns={"reference": (), "order_id": ()},
        unsure={"reference": ("order_number", "order_id", "transaction_id")},
        notes={"reference": _NO_REFERENCE},
    ),
    System(
        "SAP sales orders",
        marks=(("VBELN", "AUDAT"),),
        columns={**_SAP_SALES, "order_number": (("VBELN",),)},
        unsure=_UNSURE_IN_SAP_SALES,
        notes={"amount": _NET_IN_SAP},
    ),
    System(
        "SAP sales documents",
        marks=(("VBELN", "WAERK"), ("VBELN", "NETWR"), ("BSTNK",), ("BSTKD",)),
        columns={**_SAP_SALES, "order_number": ()},
        unsure=_UNSURE_IN_SAP_SALES,
        notes={"amount": _NET_IN_SAP},
    ),
    System(
        "SAP S/4HANA sales orders",
        marks=(("SalesOrder", "TotalNetAmount"),),
        columns={
            "reference": (("PurchaseOrderByCustomer",),),
            "amount": (),
            "currency": (("TransactionCurrency",),),
            "order_number": (("SalesOrder",),),
            "ordered_on": (("SalesOrderDate",),),
        },
        unsure={"amount": ("TotalNetAmount",)},
        notes={"amount": _NET_IN_SAP},
    ),
    System(
        "SAP line items",
        marks=(("BELNR", "WAERS"), ("WRBTR",), ("DMBTR",), ("WRSHB",), ("DMSHB",)),
        columns={
            "reference": (("XBLNR",),),
            "amount": (("WRBTR", "WRSHB"),),
            "currency": (("WAERS",),),
            "order_number": (),
            "ordered_on": (("BLDAT",),),
        },
        unsure={"reference": ("ZUONR",), "amount": ("DMBTR", "DMSHB"), "currency": ("HWAER",)},
        notes={"amount": "it is in the company's currency, which is not that of `WAERS`"},
    ),
    System(
        "SAP line items",
        marks=(
            ("Amount in doc. curr.",),
            ("Amount in local currency",),
            ("Assignment", "Document Number"),
            ("Betrag in Belegwährung",),
            ("Betrag in Hauswährung",),
            ("Zuordnung", "Belegnummer"),
        ),
        columns={
            "reference": (("Reference", "Referenz"),),
            "amount": (("Amount in doc. curr.", "Amount in document currency", "Betrag in Belegwährung"),),
            "currency": (("Document currency", "Doc. currency", "Belegwährung"),),
            "order_number": (),
            "ordered_on": (DOCUMENT_DATE,),
        },
        unsure={
            "reference": ("Assignment", "Zuordnung"),
            "amount": ("Amount", "Amount in local currency", "Betrag", "Betrag in Hauswährung"),
            "currency": ("Currency", "Local Currency", "Währung", "Hauswährung"),
        },
        notes={
            "amount": "an amount is only good with the column of its own currency",
            "currency": "an amount is only good with the column of its own currency",
        },
    ),
    System(
        "NetSuite",
        marks=(
            ("PO/Check Number",),
            ("Amount (Foreign Currency)",),
            ("Amount (Transaction Total)",),
            ("Internal ID", "Document Number"),
        ),
        columns={
            "reference": (("PO/Check Number", "PO #", "External ID", "ExternalId", "External ID (Text)"),),
            "amount": (("Amount (Foreign Currency)",),),
            "order_id": (),
            "ordered_on": (("Date",),),
        },
        unsure={
            "reference": ("Document Number", "Internal ID"),
            "amount": ("Amount", "Amount (Transaction Total)", "Amount (Gross)", "Amount (Net)", "Amount (Net of Tax)"),
        },
        notes={"amount": "NetSuite's `Amount` is in the base currency; add `Amount (Foreign Currency)` to the search"},
    ),
    System(
        "Dynamics 365 Business Central",
        marks=tuple((name,) for name in EXTERNAL_DOCUMENT),
        columns={
            "reference": (EXTERNAL_DOCUMENT,),
            "amount": (GROSS,),
            "ordered_on": (*CLEAR["ordered_on"], DOCUMENT_DATE),
        },
        unsure={"amount": ("Original Amount", *CLEAR["amount"][1], *NET)},
        notes={"amount": "amounts in lists of orders and invoices are without tax: add the column that includes it"},
    ),
    System(
        "Dynamics 365 Finance",
        marks=(("SalesOrderNumber", "OrderTotalAmount"), ("SalesOrderNumber", "CustomersOrderReference")),
        columns={
            "reference": (("CustomersOrderReference", "CustomerRequisitionNumber"),),
            "amount": (),
            "currency": (("CurrencyCode",),),
            "order_number": (("SalesOrderNumber",),),
            "ordered_on": (("OrderCreationDateTime",),),
        },
        unsure={"amount": ("OrderTotalAmount",)},
        notes={"amount": "it is not documented whether this total is with tax"},
    ),
    System(
        "Xero",
        marks=(
            ("InvoiceNumber", "InvoiceAmountDue"),
            ("InvoiceNumber", "LineAmount"),
            ("*InvoiceNumber", "*UnitAmount"),
        ),
        columns={
            "reference": (("Reference",),),
            "amount": (("Total",),),
            "order_number": (),
            "ordered_on": (("InvoiceDate", "*InvoiceDate"),),
            "document": (("InvoiceNumber", "*InvoiceNumber"),),  # two invoices of one total are two rows
        },
        unsure={"amount": ("InvoiceAmountDue", "LineAmount")},
        notes={"amount": "`LineAmount` is a part of the total, `InvoiceAmountDue` what is still open"},
        fixed=Fixed(continuation_rows="repeated"),
    ),
    System(
        "DATEV",
        marks=(("Umsatz (ohne Soll/Haben-Kz)",), ("Umsatz", "Belegfeld 1")),
        columns={
            "reference": (("Belegfeld 1",),),
            "amount": (("Umsatz (ohne Soll/Haben-Kz)", "Umsatz"),),
            "currency": (("WKZ Umsatz",),),
            "order_number": (),
            "ordered_on": (),
        },
        unsure={"reference": ("Belegfeld 2", "Auftragsnummer")},
        fixed=Fixed(decimal=","),
    ),
    *PAYMENT_SYSTEMS,
)
"""Known programs; the first whose marks are there counts."""


def system_of(loose: Set[str]) -> System | None:
    """Return the program that wrote a table with the folded column names `loose`, None when it is none of these."""
    for system in SYSTEMS:
        if any(all(spellings((name,)) & loose for name in mark) for mark in system.marks):
            return system
    return None


def minor_in_json(name: str | None) -> Mapping[str, Set[str]] | None:
    """Return the values by columns with which the program `name` counts JSON in minor units, None where it does not."""
    return next((system.kinds for system in SYSTEMS if system.name == name and system.is_minor_in_json), None)


def vocabulary(role: str) -> frozenset[str]:
    """Return the folded form of every name that may mean `role`, in any language and system."""
    return _vocabularies()[role]


@cache
def _vocabularies() -> dict[str, frozenset[str]]:
    return {role: spellings(tuple(dict.fromkeys(_all_names(role)))) for role in CLEAR}


def _all_names(role: str) -> Iterable[str]:
    yield from (name for group in CLEAR[role] for name in group)
    yield from UNSURE[role]
    for system in SYSTEMS:
        yield from (name for group in system.columns.get(role, ()) for name in group)
        yield from system.unsure.get(role, ())
