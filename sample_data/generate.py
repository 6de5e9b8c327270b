"""
Write the sample data: a month of a small outdoor shop that sells in six countries, with known troubles planted.

`python sample_data/generate.py` writes the same bytes every time. What is planted is listed in README.md.
"""

from __future__ import annotations

import csv
import hashlib
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FIRST_DAY, LAST_DAY = date(2026, 10, 21), date(2026, 11, 20)
COUNTRIES = {
    "DE": ("EUR", 38),
    "AT": ("EUR", 9),
    "SE": ("SEK", 22),
    "NO": ("NOK", 9),
    "DK": ("DKK", 8),
    "GB": ("GBP", 8),
    "US": ("USD", 6),
}
RATES = {"EUR": 1, "SEK": 11, "NOK": 11, "DKK": 7, "GBP": 1, "USD": 1}  # price lists, not exchange rates
PRICES = (1290, 1995, 2490, 2995, 3990, 4995, 5990, 7995, 8990, 11995, 14990, 18995, 24990, 32995)
SHIPPING = {"EUR": 495, "SEK": 4900, "NOK": 5900, "DKK": 3900, "GBP": 495, "USD": 795}
METHODS = ({"identifier": "pay_later", "name": "Pay later"}, {"identifier": "pay_over_time", "name": "Financing"}, {"identifier": "pay_now", "name": "Pay now"})  # fmt: skip
GATEWAY = "KlrnGtwyNw"
KLARNA_NAMES = ("Klarna Pay later", "Klarna Pay now", "Klarna")  # as the ERP writes them

Row = dict[str, Any]


class Shop:
    """Orders and payments as Commerce Layer has them, and the rows an ERP exported of them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.payments: list[Row] = []
        self.orders: list[Row] = []
        self.exported: list[Row] = []
        self.number = 100_231
        self.ids = 0

    def opaque(self, kind: str, length: int = 10) -> str:
        """Return the next id of a kind: a text that tells nothing."""
        self.ids += 1
        digest = hashlib.sha256(f"{kind}:{self.ids}".encode()).digest()
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
        return "".join(alphabet[byte % len(alphabet)] for byte in digest[:length])

    def moment(self, day: date | None = None) -> datetime:
        """Return a moment of a shop's day: mostly afternoon and evening."""
        days = (LAST_DAY - FIRST_DAY).days
        day = day or FIRST_DAY + timedelta(days=self.random.randrange(days))  # the last day is planted by hand
        hour = min(23, max(6, int(self.random.gauss(17, 4))))
        return datetime(
            day.year, day.month, day.day, hour, self.random.randrange(60), self.random.randrange(60),
            self.random.randrange(1000) * 1000, tzinfo=UTC,
        )  # fmt: skip

    def order(self, placed: datetime | None, created: datetime, *, country: str | None = None, **changes: Any) -> Row:
        """Add an order; `placed` None leaves it a draft."""
        countries = list(COUNTRIES)
        country = country or self.random.choices(countries, [weight for _, weight in COUNTRIES.values()])[0]
        currency = COUNTRIES[country][0]
        goods = 0
        for _ in range(self.random.choice((1, 1, 1, 2, 2, 3, 4))):
            price = self.random.choice(PRICES) * RATES[currency]
            goods += price if RATES[currency] == 1 else price // 100 * 100  # crowns are priced whole
        shipping = 0 if goods > 8000 * RATES[currency] else SHIPPING[currency]
        total = goods + shipping
        tax = round(total * 0.0825) if country == "US" else round(total * 0.2)
        self.number += self.random.choice((1, 1, 2, 3))
        order: Row = {
            "id": self.opaque("order"),
            "number": str(self.number),
            "reference": f"NW-{created:%y%m}-{self.number}",
            "reference_origin": "storefront",
            "status": "placed" if placed else "pending",
            "payment_status": "authorized" if placed else "unpaid",
            "fulfillment_status": "unfulfilled",
            "currency_code": currency,
            "country_code": country,
            "tax_included": country != "US",
            "total_amount_cents": total,
            "total_tax_amount_cents": tax,
            "total_amount_with_taxes_cents": total + tax if country == "US" else total,
            "shipping_amount_cents": shipping,
            "subtotal_amount_cents": goods,
            "place_total_amount_cents": total if placed else None,
            "placed_at": stamp(placed) if placed else None,
            "created_at": stamp(created - timedelta(minutes=11)),
            "updated_at": stamp((placed or created) + timedelta(minutes=2)),
            "payment_source_id": None,
        }
        if placed and placed.date() < LAST_DAY - timedelta(days=3):
            order |= {"status": "approved", "payment_status": "paid", "fulfillment_status": "fulfilled"}
        order |= changes
        self.orders.append(order)
        return order

    def payment(self, order: Row | None, created: datetime, **changes: Any) -> Row:
        """Add a payment; the latest one of an order is its current payment source."""
        identifier = self.opaque("payment")
        payment: Row = {
            "id": identifier,
            "reference": order["reference"] if order else None,
            "reference_origin": "storefront" if order else None,
            "mismatched_amounts": False if order and order["placed_at"] else None,
            "session_id": f"{hashlib.sha256(identifier.encode()).hexdigest()[:8]}-klarna",
            "client_token": f"token-of-{identifier}",
            "auth_token": f"auth-of-{identifier}",
            "payment_methods": self.random.sample(METHODS, self.random.choice((1, 2, 3))),
            "payment_instrument": {},
            "metadata": {"market": order["country_code"]} if order else {},
            "order_id": order["id"] if order else None,
            "payment_gateway_id": "KlrnGtwyNw",
            "created_at": stamp(created),
            "updated_at": stamp(created + timedelta(minutes=3)),
            **changes,
        }
        self.payments.append(payment)
        if order:
            order["payment_source_id"] = identifier
        return payment

    def export(self, order: Row, **changes: Any) -> Row:
        """Add the row that the ERP exported for an order."""
        cents = order["total_amount_with_taxes_cents"]
        row = {
            "reference": order["reference"],
            "order_number": order["number"],
            "ordered_on": (order["placed_at"] or order["created_at"])[:10],
            "currency": order["currency_code"],
            "total_amount": f"{cents // 100}.{cents % 100:02d}",
            "market": order["country_code"],
            **changes,
        }
        self.exported.append(row)
        return row

    def sale(self, day: date | None = None, *, country: str | None = None, export: bool = True, **changes: Any) -> Row:
        """Add an ordinary sale: order, payment, exported row. Returns the order."""
        placed = self.moment(day)
        order = self.order(placed, placed - timedelta(minutes=4), country=country, **changes)
        self.payment(order, placed - timedelta(minutes=4))
        if export:
            self.export(order)
        return order

    def add_to_exported(self, cents: int) -> None:
        """Change the total of the last exported row by `cents`."""
        row = self.exported[-1]
        total = int(row["total_amount"].replace(".", "")) + cents
        row["total_amount"] = f"{total // 100}.{total % 100:02d}"


def stamp(moment: datetime) -> str:
    """Return a moment as Commerce Layer writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def plant(shop: Shop) -> None:
    """Add every trouble that README.md lists, and nothing else."""
    for cents in (1, -1, 2, -1, 1, 1):  # within_tolerance: rounding per line and per order
        shop.sale()
        shop.add_to_exported(cents)
    for n in range(4):  # amount_mismatch: shipping left out, a discount booked twice, one cent too much for rounding
        shop.sale(date(2026, 10, 28 + n), country="DE")
        shop.add_to_exported((-495, -1000, -495, 3)[n])
    cents_for_units = shop.sale(date(2026, 11, 3), country="SE")  # amount_mismatch: minor units taken for units
    shop.exported[-1]["total_amount"] = f"{cents_for_units['total_amount_with_taxes_cents']}.00"
    for day in (5, 6, 9):  # amount_mismatch: US orders exported without sales tax
        order = shop.sale(date(2026, 11, day), country="US")
        shop.add_to_exported(order["total_amount_cents"] - order["total_amount_with_taxes_cents"])
    edited = shop.sale(date(2026, 11, 11), country="GB")  # amount_mismatch that the API flags too
    edited["total_amount_cents"] += 2995
    edited["total_amount_with_taxes_cents"] += 2995
    shop.payments[-1]["mismatched_amounts"] = True
    for country, wrong in (("DK", "SEK"), ("NO", "SEK")):  # currency_mismatch
        shop.sale(date(2026, 11, 12), country=country)
        shop.exported[-1]["currency"] = wrong
    for status, payment_status in (("cancelled", "voided"), ("approved", "refunded"), ("cancelled", "refunded")):
        shop.sale(date(2026, 11, 10), status=status, payment_status=payment_status)  # status_mismatch
    for _ in range(3):  # flagged_by_api
        shop.sale()
        shop.payments[-1]["mismatched_amounts"] = True
    for day in (13, 14):  # amount_unknown
        order = shop.sale(date(2026, 11, day), country="AT")
        order["total_amount_with_taxes_cents"] = None
    for n in range(9):  # matched on order_number: the integrator forgot the reference on the payment
        order = shop.sale()
        shop.payments[-1]["reference"] = None
        if n % 3 == 0:
            shop.exported[-1]["reference"] = ""
    for _ in range(8):  # superseded: the cart changed and Klarna got a new session
        order = shop.sale()
        current = shop.payments.pop()
        first = datetime.fromisoformat(current["created_at"]) - timedelta(minutes=20)
        shop.payment(order, first, mismatched_amounts=None)
        shop.payments.append(current)
        order["payment_source_id"] = current["id"]
    for _ in range(20):  # not_placed: left at the checkout
        created = shop.moment()
        shop.payment(shop.order(None, created), created)
    for _ in range(6):  # not_placed: not even an order is left
        shop.payment(None, shop.moment())
    first, second = shop.sale(date(2026, 11, 2)), shop.sale(date(2026, 11, 4))  # duplicate_reference, two payments
    shop.payments[-1]["reference"] = first["reference"]
    shop.exported[-1]["reference"] = first["reference"]
    shop.exported[-1]["order_number"] = shop.exported[-2]["order_number"]
    assert second["reference"] != first["reference"]
    shop.sale(date(2026, 11, 7))  # duplicate_reference: exported twice
    shop.exported.append(dict(shop.exported[-1]))
    unnamed = shop.sale(date(2026, 11, 8), country="AT", export=False, number=None)  # missing_reference, payment
    shop.payments[-1]["reference"] = None
    shop.export(unnamed, reference="", order_number="")  # missing_reference, order row
    for day in (1, 9, 15):  # missing_order
        shop.sale(date(2026, 11, day), export=False)
    for _ in range(5):  # awaiting_order: placed after the ERP's export
        shop.sale(LAST_DAY, export=False)
    for day in (2, 16):  # missing_payment: booked as Klarna, no such payment
        placed = shop.moment(date(2026, 11, day))
        shop.export(shop.order(placed, placed, country="DE"))
    placed = shop.moment(LAST_DAY)  # awaiting_payment: invoiced today, paid by link later
    shop.export(shop.order(placed, placed, country="DE"))
    shop.sale(date(2026, 10, 30), country="DE", reference="0004711")  # leading zeros and exponents stay text
    shop.sale(date(2026, 10, 30), country="DE", reference="1E5")


def write(shop: Shop, folder: Path) -> None:
    """Write what Commerce Layer has and what the ERP exported."""
    # Ids are handed out in the order of creation, nearly: imports and clocks see to the exceptions.
    shop.payments.sort(key=lambda payment: str(payment["created_at"]))
    shop.exported.sort(key=lambda row: (row["ordered_on"], row["order_number"]))
    (folder / "commerce_layer").mkdir(exist_ok=True)
    for name, rows in (("klarna_payments", shop.payments), ("orders", shop.orders)):
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / "commerce_layer" / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    write_csv(shop.exported, folder / "orders.csv")
    rows = of_all_methods(shop)
    write_csv(rows, folder / "all_methods.csv")
    write_days(rows, folder)


def of_all_methods(shop: Shop) -> list[Row]:
    """Return what the ERP exports where nobody asks for Klarna alone: every order with its payment method."""
    chance = random.Random(20261121)  # of its own: the other files stay as they are
    noted_as_card = next(row["reference"] for row in shop.exported if row["market"] == "AT")  # but paid with Klarna
    rows = [
        row | {"payment_method": "Card" if row["reference"] == noted_as_card else chance.choice(KLARNA_NAMES)}
        for row in shop.exported
    ]
    for n in range(540):
        country = chance.choices(list(COUNTRIES), [weight for _, weight in COUNTRIES.values()])[0]
        currency, day = COUNTRIES[country][0], FIRST_DAY + timedelta(days=chance.randrange(31))
        total = (chance.choice(PRICES) * RATES[currency] + SHIPPING[currency]) // 100
        number = str(90_000 + 3 * n + chance.randrange(3))
        rows.append({
            "reference": f"NW-{day:%y%m}-{number}", "order_number": number, "ordered_on": day.isoformat(),
            "currency": currency, "total_amount": f"{total}.00", "market": country,
            "payment_method": chance.choice(("Card", "Card", "PayPal", "Invoice", "Swish" if country == "SE" else "Card")),
        })  # fmt: skip
    rows.sort(key=lambda row: (row["ordered_on"], row["order_number"]))
    return rows


def write_days(rows: list[Row], folder: Path) -> None:
    """Write the last three days as an ERP does that exports what was invoiced or changed on a day."""
    days = {day: [row for row in rows if row["ordered_on"] == f"2026-11-{day}"] for day in (18, 19, 20)}
    klarna = [row for row in days[18] if row["payment_method"] in KLARNA_NAMES and row["total_amount"]]
    late, corrected = klarna[0], klarna[1]
    days[18].remove(late)
    days[20].append(late)  # invoiced two days after it was placed
    days[18][days[18].index(corrected)] = corrected | {"total_amount": f"{float(corrected['total_amount']) + 10:.2f}"}
    days[19].append(corrected)  # a voucher was forgotten on the day before
    (folder / "days").mkdir(exist_ok=True)
    for day, of_day in days.items():
        write_csv(of_day, folder / "days" / f"orders-2026-11-{day}.csv")


def write_csv(rows: list[Row], path: Path) -> None:
    """Write rows as a CSV file with the names of the first one's columns."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_pulled(shop: Shop, folder: Path) -> None:
    """Write the payments as `reconcile pull --to payments.csv` does, and two test payments among them."""
    orders = {order["id"]: order for order in shop.orders}
    sources = {payment["order_id"]: payment for payment in sorted(shop.payments, key=lambda one: one["created_at"])}

    def row_of(payment: Row, mode: str) -> Row:
        order = orders.get(payment["order_id"], {})
        return pulled_row(payment, order, mode) | money_of(order, is_source=sources[payment["order_id"]] is payment)

    rows = [row_of(payment, "live") for payment in shop.payments]
    for n, payment in enumerate(shop.payments[:2]):
        rows.append(row_of(payment, "test") | {"payment_id": f"{payment['id'][:8]}T{n}", "reference": f"TEST-{n}"})
    rows.sort(key=lambda row: row["payment_id"])
    write_csv(rows, folder / "payments.csv")


def pulled_row(payment: Row, order: Row, mode: str) -> Row:
    """Return a payment and its order as one row of the payments table, without the order's money."""
    methods = json.dumps(payment["payment_methods"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    flag = payment["mismatched_amounts"]
    own = ("reference", "reference_origin", "mismatched_amounts", "created_at", "updated_at", "session_id")
    row = {"payment_id": payment["id"]} | {name: payment[name] for name in own} | {"payment_methods": methods}
    row |= {"payment_instrument": None, "metadata": None}  # personal: not read unless asked for
    row |= {
        "mismatched_amounts": None if flag is None else str(flag).lower(),
        "payment_gateway_id": GATEWAY,
        "mode": mode,
    }
    row |= {"order_id": order.get("id"), "order_number": order.get("number"), "order_reference": order.get("reference")}
    row |= {"order_status": order.get("status"), "payment_status": order.get("payment_status")}
    amounts = ("total_amount_cents", "total_amount_with_taxes_cents", "place_total_amount_cents")
    row |= {name: order.get(name) for name in ("currency_code", *amounts, "placed_at")}
    return row | {"order_updated_at": order.get("updated_at")}


def money_of(order: Row, *, is_source: bool) -> Row:
    """Return the columns of an order's money: it was captured once it was paid, and moved back whole where it was."""
    status, total = (
        order.get("payment_status"),
        order.get("total_amount_with_taxes_cents") or order.get("total_amount_cents"),
    )
    row: Row = {"cancelled_at": order.get("cancelled_at"), "payment_gateway_name": "Klarna"}
    row |= {"market_id": None, "market_name": None}
    row |= {"order_source_type": (order and "klarna_payments") or None}
    row |= {"is_current_source": str(is_source).lower() if order else None}
    moved = {
        "authorized": status in ("authorized", "paid", "refunded", "voided"), "captured": status in ("paid", "refunded"),
        "refunded": status == "refunded", "voided": status == "voided",
    }  # fmt: skip
    return row | {f"{what}_amount_cents": (total if is_so else 0) if order else None for what, is_so in moved.items()}


def make(folder: Path = HERE) -> None:
    """Write the sample data into `folder`."""
    shop = Shop(seed=20261120)
    for _ in range(310):
        shop.sale()
    plant(shop)
    write(shop, folder)
    write_pulled(shop, folder)


if __name__ == "__main__":
    make()
