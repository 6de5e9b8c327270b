"""
Business software whose lists are known by their columns, beside those in `systems`. `docs/orders.md` has the sources.
"""

from __future__ import annotations

from reconcile.orders.columns.system import System

_ERPNEXT_NET = ("Total", "total", "Net Total", "net_total", "Grand Total (Company Currency)", "base_grand_total")

BOOK_SYSTEMS: tuple[System, ...] = (
    System(
        "Odoo sales orders",
        marks=(
            ("amount_total", "date_order"),
            ("Order Reference", "Untaxed Amount"),
            ("Order Reference", "Invoice Status"),
        ),
        columns={
            "reference": (("Customer Reference", "client_order_ref"),),
            "amount": (("Total", "amount_total"),),
            "currency": (("Currency", "currency_id", "Currency/Currency", "currency_id/name"),),
            "order_number": (("Order Reference", "name"),),
            "order_id": (),
            "ordered_on": (("Order Date", "date_order"),),
        },
        unsure={"amount": ("Untaxed Amount", "amount_untaxed")},
    ),
    System(
        "Odoo invoices",
        marks=(("Total in Currency Signed",), ("amount_total_in_currency_signed",)),
        columns={
            "reference": (("Reference", "ref"),),
            "amount": (("Total in Currency Signed", "amount_total_in_currency_signed"),),
            "currency": (("Currency", "currency_id", "Currency/Currency", "currency_id/name"),),
            "order_number": (("Origin", "Source Document", "invoice_origin"),),
            "order_id": (),
            "ordered_on": (("Invoice/Bill Date", "Invoice Date", "invoice_date"),),
        },
        unsure={"amount": ("Total Signed", "amount_total_signed")},
    ),
    System(
        "ERPNext",
        marks=(
            ("Grand Total (Company Currency)",),
            ("Grand Total", "Rounded Total"),
            ("base_grand_total", "rounded_total"),
            ("grand_total", "transaction_date"),
            ("Grand Total", "Customer's Purchase Order"),
        ),
        columns={
            "reference": (("Customer's Purchase Order", "po_no"),),
            "amount": (("Grand Total", "grand_total"),),
            "currency": (("Currency", "currency"),),
            "order_number": (("ID", "name"),),
            "order_id": (),
            "ordered_on": (("Date", "transaction_date", "posting_date"),),
        },
        unsure={"amount": ("Rounded Total", "rounded_total", *_ERPNEXT_NET)},
        notes={"amount": "the rounded total and that in the company's currency are not the order's"},
    ),
    System(
        "Fortnox",
        marks=(("DocumentNumber", "YourOrderNumber"), ("DocumentNumber", "TotalVAT")),
        columns={
            "reference": (("YourOrderNumber",), ("ExternalInvoiceReference1",)),
            "amount": (("Total",),),
            "currency": (("Currency",),),
            "order_number": (("OrderReference",),),
            "order_id": (),
            "ordered_on": (("OrderDate",), ("InvoiceDate",)),
        },
        unsure={
            "reference": ("YourReference", "DocumentNumber"),
            "amount": ("Net", "TotalToPay", "Balance"),
        },
        notes={"amount": "`Net` is without tax, `TotalToPay` after deductions, `Balance` what is still open"},
    ),
    System(
        "QuickBooks",
        marks=(("Transaction Type", "Num"), ("Transaction Type", "No.")),
        columns={
            "reference": (),
            "amount": (),
            "order_number": (),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={"reference": ("Num", "No.", "Memo/Description"), "amount": ("Amount", "Debit", "Credit")},
        notes={
            "reference": "`Num` is the number of the document, which may be an order's, an invoice's or a payment's",
            "amount": "amounts are in the company's currency, and without tax in reports of sales",
        },
    ),
    System(
        "commercetools",
        marks=(("totalPrice.centAmount",), ("taxedPrice.totalGross.centAmount",)),
        columns={
            "amount": (("taxedPrice.totalGross.centAmount",),),
            "currency": (("taxedPrice.totalGross.currencyCode",), ("totalPrice.currencyCode",)),
            "order_number": (("orderNumber",),),
            "order_id": (),
            "ordered_on": (("createdAt",),),
        },
        unsure={"amount": ("totalPrice.centAmount", "taxedPrice.totalNet.centAmount")},
        notes={"amount": "`totalPrice` is with tax or without, as the prices of the project are"},
    ),
)
"""They count before all others: their marks are narrow."""
