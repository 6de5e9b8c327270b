"""
Payment providers whose reports are known by their columns. `docs/orders.md` has the sources.

A provider's own identifier (`Transaction ID`, `Psp Reference`) is none of the shop's, and never a key by itself; its
amounts before fees are what a shopper was charged. A report with several rows of one payment has no totals of orders.
"""

from __future__ import annotations

from reconcile.orders.columns.names import Groups
from reconcile.orders.columns.system import System

_PAYPAL: Groups = (  # gross, fee, net, transaction: en, de, es, it, fr, pl, nl; fees have had two names
    ("Gross", "Fee", "Net", "Transaction ID"),
    ("Brutto", "Gebühr", "Netto", "Transaktionscode"),
    ("Brutto", "Entgelt", "Netto", "Transaktionscode"),
    ("Bruto", "Tarifa", "Neto", "Id. de transacción"),
    ("Bruto", "Comisión", "Neto", "Id. de transacción"),
    ("Lordo", "Tariffa", "Netto", "Codice transazione"),
    ("Avant commission", "Commission", "Net", "Numéro de transaction"),
    ("Brutto", "Opłata", "Netto", "Numer transakcji"),
    ("Bruto", "Kosten", "Netto", "Transactie-ID"),
)
_PAYPAL_INVOICE: Groups = (
    (
        *("Invoice Number", "Invoice ID", "Rechnungsnummer", "Id. de factura", "N° ordine commerciante"),
        *("Numéro de facture", "Numer faktury"),
    ),
)

PROVIDER_SYSTEMS: tuple[System, ...] = (
    System(
        "Adyen reports",
        marks=(("Company Account", "Psp Reference"),),
        columns={
            "reference": (("Merchant Reference",),),
            "amount": (("Amount",),),
            "currency": (("Currency",),),
            "order_number": (),
            "order_id": (),
            "ordered_on": (("Creation Date",),),
        },
        unsure={
            "amount": (
                *("Gross Credit (GC)", "Gross Debit (GC)", "Net Credit (NC)", "Net Debit (NC)", "Payable (SC)"),
                *("Captured (PC)", "Authorised (PC)", "Received (PC)"),
            ),
            "currency": ("Gross Currency", "Payment Currency", "Net Currency"),
        },
        notes={
            "amount": "settlement and accounting reports have several rows of one payment: take the received payments",
        },
    ),
    System(
        "Stripe balance report",
        marks=(("balance_transaction_id",), ("Balance Transaction ID",)),
        columns={
            "reference": (),
            "amount": (("gross",),),
            "currency": (("currency",),),
            "order_number": (),
            "order_id": (),
            "ordered_on": (("created_utc",), ("created",)),
        },
        unsure={
            "reference": (
                *("payment_metadata[reference]", "payment_metadata[order_reference]", "payment_metadata[order_id]"),
                *("description", "source_id"),
            )
        },
        notes={"reference": "the shop's reference is in the metadata, `source_id` is Stripe's own"},
    ),
    System(
        "Stripe payments",
        marks=(("Converted Amount", "Converted Amount Refunded"),),
        columns={
            "reference": (),
            "amount": (("Amount",),),
            "currency": (("Currency",),),
            "order_number": (),
            "order_id": (),
            "ordered_on": (("Created (UTC)", "Created date (UTC)"), ("Created",)),
        },
        unsure={
            "reference": (
                *("reference (metadata)", "order_reference (metadata)", "order_id (metadata)", "Description"),
                *("PaymentIntent ID", "id"),
            ),
            "amount": ("Converted Amount",),
        },
        notes={
            "reference": "the shop's reference is in the metadata or the description, the others are Stripe's own",
            "amount": "`Converted Amount` is in the account's own currency",
        },
    ),
    System(
        "PayPal",
        marks=_PAYPAL,
        columns={
            "reference": _PAYPAL_INVOICE,
            "amount": (tuple(dict.fromkeys(names[0] for names in _PAYPAL)),),
            "order_number": (),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={
            "reference": (
                *("Custom Number", "Zollnummer", "Numero personalizzato"),
                *dict.fromkeys(names[3] for names in _PAYPAL),
            )
        },
        notes={
            "reference": "the shop's number is in the invoice number, which the report can be made to have; a "
            "transaction's is PayPal's own"
        },
    ),
)
"""They count before all others: their marks are narrow."""
