"""
The header lines that ERPs and shops really write: each maps as it should, or is refused with the option to add.

The lines are those of `docs/orders.md`, whose sources say where they were read; columns that say nothing are left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import map_columns
from reconcile.orders.columns.names import folded
from reconcile.orders.columns.systems import SYSTEMS
from reconcile.orders.format import OrderFormat

SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Billing Name,Notes,Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,"
    "Outstanding Balance,Id,Tags,Source,Tax 1 Name,Tax 1 Value,Payment ID,Payment Terms Name,Payment References"
)
MAGENTO = (
    "ID,Purchase Point,Purchase Date,Bill-to Name,Ship-to Name,Grand Total (Base),Grand Total (Purchased),Status,"
    "Billing Address,Shipping Address,Shipping Information,Customer Email,Customer Group,Subtotal,"
    "Shipping and Handling,Customer Name,Payment Method,Total Refunded"
)
MAGENTO_TABLE = (
    "entity_id,state,status,base_grand_total,grand_total,increment_id,base_currency_code,order_currency_code,created_at"
)
WOOCOMMERCE = (
    "order_id,order_number,order_date,status,shipping_total,tax_total,fee_total,discount_total,order_total,"
    "order_subtotal,order_currency,payment_method,transaction_id"
)
WOOCOMMERCE_ANALYTICS = (
    "Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Net Sales"
)
SAP_VBAK = "VBELN,ERDAT,AUDAT,AUART,NETWR,WAERK,VKORG,KUNNR,BSTNK"
SAP_VBRK = "VBELN,FKART,FKDAT,NETWR,MWSBP,WAERK,KUNRG,XBLNR"
SAP_API = "SalesOrder,SalesOrderType,PurchaseOrderByCustomer,SalesOrderDate,TotalNetAmount,TransactionCurrency"
SAP_BSID = "BUKRS,KUNNR,BELNR,BUDAT,BLDAT,WAERS,XBLNR,ZUONR,SHKZG,DMBTR,WRBTR"
SAP_FBL5N = (
    "Assignment,Document Number,Document Type,Document Date,Posting Date,Order,Reference,Amount in doc. curr.,"
    "Document currency,Amount in local currency,Local Currency,Text"
)
SAP_FBL5N_SHORT = "Assignment,Document Number,Order,Reference,Document Date,Amount,Amount in local currency,Currency"
SAP_FBL5N_DE = (
    "Zuordnung;Belegnummer;Belegart;Belegdatum;Buchungsdatum;Auftrag;Referenz;Betrag in Belegwährung;Belegwährung;"
    "Betrag in Hauswährung;Hauswährung;Text"
)
NETSUITE = (
    "*,Internal ID,Date,Type,Document Number,Name,PO/Check Number,Status,Currency,Amount (Foreign Currency),Amount,Memo"
)
NETSUITE_BASE = "Internal ID,Date,Document Number,Name,PO/Check Number,Currency,Amount,Amount (Net),Amount (Tax)"
NETSUITE_TWO = "Document Number,PO/Check Number,External ID,Currency,Amount (Foreign Currency)"
BC_ORDERS = (
    "No.,Sell-to Customer No.,Sell-to Customer Name,External Document No.,Order Date,Document Date,Status,"
    "Currency Code,Amount,Amount Including VAT,Your Reference"
)
BC_ORDERS_AU = "No.,External Document No.,Document Date,Currency Code,Amount,Amount Including GST"
BC_NET = "No.,External Document No.,Order Date,Currency Code,Amount"
BC_LEDGER = (
    "Posting Date,Document Type,Document No.,External Document No.,Currency Code,Original Amount,Amount,Amount (LCY),"
    "Remaining Amount,Remaining Amt. (LCY)"
)
BC_DE = "Nr.;Externe Belegnummer;Auftragsdatum;Belegdatum;Währungscode;Betrag;Betrag inkl. MwSt.;Ihre Referenz"
BC_DA = "Nummer;Eksternt bilagsnr.;Ordredato;Bilagsdato;Valutakode;Beløb;Beløb inkl. moms;Reference"
FINANCE = (
    "SalesOrderNumber,CustomersOrderReference,CurrencyCode,OrderTotalAmount,OrderTotalTaxAmount,OrderCreationDateTime"
)
FINANCE_TWO = "SalesOrderNumber,CustomersOrderReference,CustomerRequisitionNumber,CurrencyCode,OrderTotalAmount"
XERO = (
    "ContactName,InvoiceNumber,Reference,InvoiceDate,DueDate,Total,TaxTotal,InvoiceAmountPaid,InvoiceAmountDue,"
    "Description,Quantity,UnitAmount,LineAmount,AccountCode,TaxType,TaxAmount,Currency,Type,Status"
)
DATEV = (
    "Umsatz (ohne Soll/Haben-Kz);Soll/Haben-Kennzeichen;WKZ Umsatz;Kurs;Basis-Umsatz;WKZ Basis-Umsatz;Konto;"
    "Gegenkonto (ohne BU-Schlüssel);BU-Schlüssel;Belegdatum;Belegfeld 1;Belegfeld 2;Skonto;Buchungstext;Auftragsnummer"
)
COMMERCE_LAYER = (
    "id,number,reference,reference_origin,status,currency_code,subtotal_amount_cents,total_tax_amount_cents,"
    "total_amount_cents,total_amount_float,formatted_total_amount,total_amount_with_taxes_cents,"
    "place_total_amount_cents,placed_at,created_at,updated_at"
)


def names_of(line: str) -> list[str]:
    return line.split(";" if ";" in line else ",")


def mapped(line: str, **declared: Any) -> dict[str, str]:
    return map_columns(names_of(line), OrderFormat(**declared), path="orders.csv", line=1).as_dict()


@pytest.mark.parametrize(
    ("line", "declared", "expected"),
    [
        pytest.param(
            COMMERCE_LAYER,
            {},
            ("reference", "total_amount_with_taxes_cents", "currency_code", "number", "id", "placed_at"),
            id="commerce-layer",
        ),
        pytest.param(
            SHOPIFY,
            {"reference_column": "Name"},
            ("Name", "Total", "Currency", "Name", None, "Created at"),
            id="shopify",
        ),
        pytest.param(
            MAGENTO,
            {"reference_column": "ID", "currency": "EUR"},
            ("ID", "Grand Total (Purchased)", None, "ID", None, "Purchase Date"),
            id="magento",
        ),
        pytest.param(
            MAGENTO_TABLE,
            {"reference_column": "increment_id"},
            ("increment_id", "grand_total", "order_currency_code", "increment_id", None, "created_at"),
            id="magento-table",
        ),
        pytest.param(
            WOOCOMMERCE,
            {"reference_column": "transaction_id"},
            ("transaction_id", "order_total", "order_currency", "order_number", None, "order_date"),
            id="woocommerce",
        ),
        pytest.param(
            SAP_VBAK,
            {"amount_column": "NETWR"},
            ("BSTNK", "NETWR", "WAERK", "VBELN", None, "AUDAT"),
            id="sap-orders",
        ),
        pytest.param(
            SAP_VBRK, {"amount_column": "NETWR"}, ("XBLNR", "NETWR", "WAERK", None, None, None), id="sap-invoices"
        ),
        pytest.param(
            SAP_API,
            {"amount_column": "TotalNetAmount"},
            (
                "PurchaseOrderByCustomer",
                "TotalNetAmount",
                "TransactionCurrency",
                "SalesOrder",
                None,
                "SalesOrderDate",
            ),
            id="sap-api",
        ),
        pytest.param(
            SAP_BSID,
            {"sign_column": "SHKZG"},
            ("XBLNR", "WRBTR", "WAERS", None, None, "BLDAT", "SHKZG"),
            id="sap-line-items",
        ),
        pytest.param(
            SAP_FBL5N,
            {},
            ("Reference", "Amount in doc. curr.", "Document currency", None, None, "Document Date"),
            id="sap-list",
        ),
        pytest.param(
            SAP_FBL5N_DE,
            {},
            ("Referenz", "Betrag in Belegwährung", "Belegwährung", None, None, "Belegdatum"),
            id="sap-list-de",
        ),
        pytest.param(
            NETSUITE,
            {},
            ("PO/Check Number", "Amount (Foreign Currency)", "Currency", None, None, "Date"),
            id="netsuite",
        ),
        pytest.param(
            BC_ORDERS,
            {},
            ("External Document No.", "Amount Including VAT", "Currency Code", None, None, "Order Date"),
            id="business-central",
        ),
        pytest.param(
            BC_ORDERS_AU,
            {},
            ("External Document No.", "Amount Including GST", "Currency Code", None, None, "Document Date"),
            id="business-central-au",
        ),
        pytest.param(
            BC_DE,
            {},
            ("Externe Belegnummer", "Betrag inkl. MwSt.", "Währungscode", None, None, "Auftragsdatum"),
            id="business-central-de",
        ),
        pytest.param(
            BC_DA,
            {},
            ("Eksternt bilagsnr.", "Beløb inkl. moms", "Valutakode", None, None, "Ordredato"),
            id="business-central-da",
        ),
        pytest.param(
            FINANCE,
            {"amount_column": "OrderTotalAmount"},
            (
                "CustomersOrderReference",
                "OrderTotalAmount",
                "CurrencyCode",
                "SalesOrderNumber",
                None,
                "OrderCreationDateTime",
            ),
            id="finance",
        ),
        pytest.param(XERO, {}, ("Reference", "Total", "Currency", None, None, "InvoiceDate"), id="xero"),
        pytest.param(
            DATEV,
            {"sign_column": "Soll/Haben-Kennzeichen"},
            (
                "Belegfeld 1",
                "Umsatz (ohne Soll/Haben-Kz)",
                "WKZ Umsatz",
                None,
                None,
                None,
                "Soll/Haben-Kennzeichen",
            ),
            id="datev",
        ),
    ],
)
def test_the_export_of_a_system_is_mapped(
    line: str, declared: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    roles = ("reference", "amount", "currency", "order_number", "order_id", "ordered_on", "sign")
    wanted = {role: name for role, name in zip(roles, expected, strict=False) if name is not None}

    found = mapped(line, **declared)

    assert {role: name for role, name in found.items() if role not in ("method", "document")} == wanted
    assert folded(found.get("method", "Payment Method")) == "paymentmethod"


@pytest.mark.parametrize(
    ("line", "declared", "message", "hint"),
    [
        pytest.param(
            SHOPIFY,
            {},
            'no column is clearly the reference: it may be one of "Name", "Payment Reference", "Payment ID", '
            '"Payment References"',
            "Shopify: `Name` is the shop's order number, payment references are Shopify's own; "
            'name the right one, e.g. --reference-column "Name"',
            id="shopify",
        ),
        pytest.param(
            SHOPIFY.replace(",Total,", ","),
            {"reference_column": "Name"},
            'no column is clearly the amount: it may be "Subtotal"',
            'Shopify: export orders with their `Total`; name the right one, e.g. --amount-column "Subtotal"',
            id="shopify-without-total",
        ),
        pytest.param(
            MAGENTO,
            {"reference_column": "ID"},
            None,
            "name it with --currency-column, or add --currency EUR when every amount is in one currency",
            id="magento-currency",
        ),
        pytest.param(
            MAGENTO.replace("Grand Total (Purchased),", ""),
            {"reference_column": "ID", "currency": "EUR"},
            'no column is clearly the amount: it may be "Grand Total (Base)"',
            "Magento: a base total is in the base currency, whatever the order's is; "
            'name the right one, e.g. --amount-column "Grand Total (Base)"',
            id="magento-base",
        ),
        pytest.param(
            WOOCOMMERCE,
            {},
            'no column is clearly the reference: it may be one of "order_number", "order_id", "transaction_id"',
            None,
            id="woocommerce",
        ),
        pytest.param(
            WOOCOMMERCE_ANALYTICS,
            {"reference_column": "Order #", "currency": "EUR"},
            'no column is clearly the amount: it may be one of "N. Revenue (formatted)", "Net Sales"',
            "WooCommerce Analytics: net revenue is without tax, shipping and refunds: export orders with their totals; "
            'name the right one, e.g. --amount-column "N. Revenue (formatted)"',
            id="woocommerce-analytics",
        ),
        pytest.param(
            SAP_VBAK,
            {},
            'no column is clearly the amount: it may be "NETWR"',
            'SAP sales orders: SAP\'s net values are without tax; name the right one, e.g. --amount-column "NETWR"',
            id="sap-orders",
        ),
        pytest.param(
            SAP_VBAK + ",BSTKD",
            {"amount_column": "NETWR"},
            'several columns could be the reference: "BSTNK", "BSTKD"',
            'name the right one, e.g. --reference-column "BSTNK"',
            id="sap-two-references",
        ),
        pytest.param(
            SAP_BSID,
            {},
            'column "SHKZG" says which amounts are credits, and is not declared',
            'add --sign-column "SHKZG" to make credits negative, or --sign-column "" if amounts have a sign',
            id="sap-sign",
        ),
        pytest.param(
            SAP_FBL5N_SHORT,
            {},
            'no column is clearly the amount: it may be one of "Amount", "Amount in local currency"',
            "SAP line items: an amount is only good with the column of its own currency; "
            'name the right one, e.g. --amount-column "Amount"',
            id="sap-list",
        ),
        pytest.param(
            SAP_FBL5N_SHORT,
            {"amount_column": "Amount"},
            'no column is clearly the currency: it may be "Currency"',
            None,
            id="sap-list-currency",
        ),
        pytest.param(
            NETSUITE_BASE,
            {},
            'no column is clearly the amount: it may be one of "Amount", "Amount (Net)"',
            "NetSuite: NetSuite's `Amount` is in the base currency; add `Amount (Foreign Currency)` to the search; "
            'name the right one, e.g. --amount-column "Amount"',
            id="netsuite",
        ),
        pytest.param(
            NETSUITE_TWO,
            {},
            'several columns could be the reference: "PO/Check Number", "External ID"',
            'name the right one, e.g. --reference-column "PO/Check Number"',
            id="netsuite-two-references",
        ),
        pytest.param(
            BC_NET,
            {},
            'no column is clearly the amount: it may be "Amount"',
            "Dynamics 365 Business Central: amounts in lists of orders and invoices are without tax: add the column "
            'that includes it; name the right one, e.g. --amount-column "Amount"',
            id="business-central-net",
        ),
        pytest.param(
            BC_LEDGER,
            {},
            'no column is clearly the amount: it may be one of "Original Amount", "Amount"',
            None,
            id="business-central-ledger",
        ),
        pytest.param(
            FINANCE,
            {},
            'no column is clearly the amount: it may be "OrderTotalAmount"',
            "Dynamics 365 Finance: it is not documented whether this total is with tax; "
            'name the right one, e.g. --amount-column "OrderTotalAmount"',
            id="finance",
        ),
        pytest.param(
            FINANCE_TWO,
            {"amount_column": "OrderTotalAmount"},
            'several columns could be the reference: "CustomersOrderReference", "CustomerRequisitionNumber"',
            None,
            id="finance-two-references",
        ),
        pytest.param(
            XERO.replace(",Total,", ","),
            {},
            'no column is clearly the amount: it may be one of "InvoiceAmountDue", "LineAmount"',
            None,
            id="xero-lines",
        ),
        pytest.param(
            DATEV,
            {},
            'column "Soll/Haben-Kennzeichen" says which amounts are credits, and is not declared',
            'add --sign-column "Soll/Haben-Kennzeichen" to make credits negative, '
            'or --sign-column "" if amounts have a sign',
            id="datev",
        ),
    ],
)
def test_what_an_export_leaves_open_is_asked_and_not_guessed(
    line: str, declared: dict[str, Any], message: str | None, hint: str | None
) -> None:
    with pytest.raises(OrderFileError) as caught:
        mapped(line, **declared)

    assert message is None or str(caught.value) == f"orders.csv:1: {message}"
    assert hint is None or caught.value.hint == hint


def test_the_document_tells_of_every_system_and_option() -> None:
    document = (Path(__file__).parents[2] / "docs" / "orders.md").read_text(encoding="utf-8")
    told = {word for system in SYSTEMS for word in system.name.split()[:2]}

    assert [word for word in sorted(told) if word not in document] == []
    for option in ("--accounting", "--sign-column", "--date-format", "--continuation-rows", "--amount-unit"):
        assert option in document
