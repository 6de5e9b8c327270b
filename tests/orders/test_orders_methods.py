"""The payment method of an order row is found by its column's name, and stops no file that has none or odd ones."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from reconcile.errors import OrderFileError
from reconcile.orders.databases.url import orders_query

HEADER = "reference,total,currency"


def methods(outcome: Any) -> list[str | None]:
    assert outcome.rejects == []
    return [row["method"] for row in outcome.rows]


@pytest.mark.parametrize(
    "name",
    [
        *("Payment Method", "payment_method", "paymentMethod", "payment_method_title", "Payment Method Code"),
        *("Zahlungsart", "Zahlungsmethode", "Zahlart", "Zahlungsweise", "Zahlungsformcode", "Betalningsmetod"),
        *("Betalsätt", "Betalningssätt", "Betalingsmåte", "Betalingsmetode", "Betalingsmåde", "Maksutapa"),
        *("Betaalmethode", "Betaalwijze", "Betalingswijze", "Moyen de paiement", "Mode de paiement"),
        *("Mode de règlement", "Método de pago", "Forma de pago", "Modalidad de pago", "Metodo di pagamento"),
        *("Modalità di pagamento", "Metoda płatności", "Sposób płatności", "Forma zapłaty"),
    ],
)
def test_the_method_is_found_in_every_language(read: Any, name: str) -> None:
    assert methods(read(f"{HEADER},{name}\nA,1,EUR, Klarna \nB,2,EUR,\nC,3,EUR,  \n")) == ["Klarna", None, None]


@pytest.mark.parametrize("name", ["Payment", "Payment status", "Payment date", "Zahlung", "Betaling", "Paiement"])
def test_what_may_be_an_amount_or_a_state_is_no_method(read: Any, name: str) -> None:
    assert methods(read(f"{HEADER},{name}\nA,1,EUR,12.50\n")) == [None]


def test_a_method_in_the_exports_of_shops(read: Any) -> None:
    woo = "order_number,order_total,order_subtotal,order_currency,payment_method,payment_method_title\n"
    presta = '"ID";"Référence";"Nouveau client";"Total";"Paiement";"État"\n5;KHWLILZLL;0;20.90;Klarna;ok\n'
    page = "ID;Reference;New client;Total;Payment;Status\n5;KHWLILZLL;No;20.90;Klarna;ok\n"

    found = read(f"{woo}7,1,1,EUR,klarna_payments,Pay later\n", reference_column="order_number")

    assert methods(found) == ["klarna_payments"]
    assert methods(read(presta, currency="EUR")) == ["Klarna"]
    assert methods(read(page, currency="EUR")) == ["Klarna"]


def test_several_columns_of_methods_are_no_reason_to_stop(read: Any) -> None:
    several = f"{HEADER},Zahlungsart,Payment method name\nA,1,EUR,Rechnung,Klarna\n"
    twice = f"{HEADER},Payment Method,payment_method\nA,1,EUR,card,Klarna\n"

    assert methods(read(several)) == ["Klarna"]
    assert methods(read(several, method_column="Zahlungsart")) == ["Rechnung"]
    assert methods(read(twice)) == [None]
    assert methods(read(twice, method_column="payment_method")) == ["Klarna"]
    with pytest.raises(OrderFileError, match="several columns could be the method"):
        read(twice, method_column="PAYMENT METHOD")


def test_a_method_that_is_no_text_is_none(read: Any, tmp_path: Path) -> None:
    rows = [{"reference": "A", "total": 1.0, "currency": "EUR", "payment_method": odd} for odd in (True, 5, ["x"], {})]
    rows[1]["payment_method"] = {"id": 5}
    rows.append({"reference": "A", "total": 1.0, "currency": "EUR", "Payment Method": "Klarna"})
    written = io.BytesIO()
    with xlsxwriter.Workbook(written) as book:
        page = book.add_worksheet()
        for line, row in enumerate([(*HEADER.split(","), "Zahlungsart"), ("A", 1, "EUR"), ("B", 2, "EUR")]):
            page.write_row(line, 0, row)
        page.write_number(1, 3, 45000, book.add_format({"num_format": "yyyy-mm-dd"}))
        page.write_string(2, 3, "Klarna")
    for kind in (pa.array([0.5]), pa.array([True]), pa.array([[1]])):
        columns = {"reference": ["A"], "total": ["1"], "currency": ["EUR"], "payment_method": kind}
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        assert methods(read.paths(tmp_path / "a.parquet")) == [None]
    sql = "SELECT 'A' AS reference, '1' AS total, 'EUR' AS currency, 0.5 AS payment_method"

    assert methods(read(json.dumps(rows), "a.json")) == [None] * 5
    assert methods(read(written.getvalue(), "a.xlsx")) == [None, "Klarna"]
    (tmp_path / "a.db").touch()
    assert methods(read.paths(orders_query(sql, f"sqlite:{tmp_path / 'a.db'}"))) == [None]


def test_further_rows_of_an_order_may_have_another_method(read: Any) -> None:
    text = f"{HEADER},Payment Method\nA,1,EUR,Klarna\nA,1,EUR,\nB,2,EUR,\n"

    assert methods(read(text, continuation_rows="repeated")) == ["Klarna", None]
