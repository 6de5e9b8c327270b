"""
Shops and market places whose exports are known by their columns. `docs/orders.md` has the sources.

An order's number of theirs is no reference: where there is nothing else, it is the key that such a table has. Dates
that are written differently from shop to shop are left unread.
"""

from __future__ import annotations

from reconcile.orders.columns.system import Fixed, System

SHOP_SYSTEMS: tuple[System, ...] = (
    System(
        "Squarespace",
        marks=(("Order ID", "Financial Status", "Lineitem name"),),
        columns={
            "reference": (),
            "amount": (("Total",),),
            "currency": (("Currency",),),
            "order_number": (("Order ID",),),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={"amount": ("Subtotal",)},
        fixed=Fixed(continuation_rows="empty"),
    ),
    System(
        "Etsy",
        marks=(("Order ID", "Order Net"), ("Order ID", "Adjusted Order Total")),
        columns={
            "reference": (),
            "amount": (("Order Total",),),
            "currency": (("Currency",),),
            "order_number": (("Order ID",),),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={"amount": ("Order Value", "Adjusted Order Total", "Order Net", "Adjusted Net Order Amount")},
        notes={"amount": "`Order Value` is without shipping and tax, `Order Net` without fees"},
    ),
    System(
        "Etsy items",
        marks=(("Item Total", "Listing ID"),),
        columns={
            "reference": (),
            "amount": (),
            "currency": (("Currency",),),
            "order_number": (("Order ID",),),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={"amount": ("Item Total",)},
        notes={"amount": "this list has a row for each item: download the orders, with their `Order Total`"},
    ),
    System(
        "Tiendanube and Nuvemshop",
        marks=(
            ("Número de orden", "Estado de la orden"),
            ("Número do Pedido", "Status do Pedido"),
            ("Número do Pedido", "Status do Envio"),
        ),
        columns={
            "reference": (),
            "amount": (("Total",),),
            "currency": (("Moneda", "Moeda"),),
            "order_number": (("Número de orden", "Número do Pedido"),),
            "order_id": (),
            "ordered_on": (("Fecha", "Data"),),
        },
        unsure={"amount": ("Subtotal de productos", "Subtotal")},
        fixed=Fixed(continuation_rows="empty", date_format="%d/%m/%Y %H:%M:%S"),
    ),
    System(
        "BigCommerce",
        marks=(("Order ID", "Order Total (inc tax)"), ("Order ID", "Order Total (ex tax)")),
        columns={
            "reference": (),
            "amount": (("Order Total (inc tax)",),),
            "currency": (),
            "order_number": (("Order ID",),),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={
            "amount": ("Order Total (ex tax)", "Subtotal (inc tax)", "Subtotal (ex tax)"),
            "currency": ("Order Currency Code",),
        },
        notes={
            "amount": "export orders with their `Order Total (inc tax)`",
            "currency": "where a currency was only shown to shoppers, totals are in the shop's own (`Exchange Rate`)",
        },
    ),
    System(
        "Shopware",
        marks=(("order_number", "sales_channel_id"), ("order_number", "amount_total")),
        columns={
            "amount": (("amount_total",),),
            "order_id": (),
            "ordered_on": (("order_date_time",),),
        },
        unsure={"amount": ("amount_net", "position_price")},
        notes={"amount": "add `amountTotal` to the export profile"},
    ),
    System(
        "eBay",
        marks=(("Sales Record Number", "Order Number"),),
        columns={
            "reference": (),
            "amount": (("Total Price",),),
            "currency": (),
            "order_number": (("Order Number",),),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={"amount": ("Sold For",)},
        notes={"amount": "`Sold For` is the price of one item"},
    ),
    System(
        "Amazon settlement",
        marks=(("settlement-id", "amount-type"), ("settlement-id", "deposit-date")),
        columns={
            "reference": (),
            "amount": (),
            "currency": (("currency",),),
            "order_number": (("order-id",),),
            "order_id": (),
            "ordered_on": (),
        },
        unsure={"amount": ("amount", "total-amount")},
        notes={"amount": "a settlement has several rows of one order, by `amount-type`: it has no totals of orders"},
    ),
    System(
        "Amazon orders",
        marks=(("amazon-order-id", "item-price"),),
        columns={
            "reference": (),
            "amount": (),
            "currency": (("currency",),),
            "order_number": (("amazon-order-id",),),
            "order_id": (),
            "ordered_on": (("purchase-date",),),
        },
        unsure={"amount": ("item-price",)},
        notes={"amount": "this report has a row for each item, and no totals of orders"},
    ),
    System(
        "WooCommerce Analytics",
        marks=(("Order #", "N. Revenue"), ("Order #", "N. Revenue (formatted)")),
        columns={
            "reference": (),
            "amount": (),
            "order_number": (("Order #",),),
            "order_id": (),
            "ordered_on": (("Date",),),
        },
        unsure={"amount": ("N. Revenue", "N. Revenue (formatted)", "Net Sales")},
        notes={"amount": "net revenue is without tax, shipping and refunds: export orders with their totals"},
    ),
)
"""They count before all others: their marks are narrow."""
