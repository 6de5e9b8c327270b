"""A table in any language of Klarna's markets is mapped without options, where its words mean one thing."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import map_columns
from reconcile.orders.columns.names import CLEAR, NET, OPEN_AMOUNTS, SIGNS, UNSURE, folded, spellings
from reconcile.orders.format import OrderFormat

TABLES = {  # reference, order number, amount, currency, order date
    "en": ("Order reference", "Order no.", "Total incl. VAT", "Currency", "Order date"),
    "de": ("Bestellreferenz", "Bestellnummer", "Gesamtbetrag brutto", "Währung", "Bestelldatum"),
    "sv": ("Referens", "Ordernummer", "Belopp inkl. moms", "Valuta", "Orderdatum"),
    "nb": ("Referanse", "Ordrenummer", "Totalt inkl. mva.", "Valuta", "Ordredato"),
    "da": ("Ordrereference", "Ordrenr.", "Beløb inkl. moms", "Valuta", "Ordredato"),
    "fi": ("Viite", "Tilausnumero", "Summa sis. alv", "Valuutta", "Tilauspäivä"),
    "nl": ("Referentie", "Bestelnummer", "Totaal incl. btw", "Valuta", "Besteldatum"),
    "fr": ("Référence", "N° commande", "Montant TTC", "Devise", "Date de commande"),
    "es": ("Referencia", "Nº pedido", "Importe con IVA", "Divisa", "Fecha de pedido"),
    "it": ("Riferimento", "Numero ordine", "Totale IVA inclusa", "Valuta", "Data ordine"),
    "pl": ("Numer referencyjny", "Numer zamówienia", "Wartość brutto", "Waluta", "Data zamówienia"),
    "pt": ("Referência", "Número da encomenda", "Total com IVA", "Moeda", "Data da encomenda"),
    "pt-br": ("Referência do pedido", "Nº do pedido", "Preço Final (Com Impostos)", "Moeda", "Data do pedido"),
    "cs": ("Referenční číslo", "Číslo objednávky", "Celkem s DPH", "Měna", "Datum objednávky"),
    "sk": ("Referenčné číslo", "Číslo objednávky", "Celkom vrátane DPH", "Mena", "Dátum objednávky"),
    "hu": ("Hivatkozás", "Rendelésszám", "Bruttó végösszeg", "Pénznem", "Rendelés dátuma"),
    "ro": ("Referință comandă", "Număr comandă", "Total cu TVA", "Monedă", "Data comenzii"),
    "el": ("Αναφορά", "Αριθμός παραγγελίας", "Σύνολο με ΦΠΑ", "Νόμισμα", "Ημερομηνία παραγγελίας"),
    "es-419": ("Referencia de la orden", "Número de orden", "Total con impuestos", "Moneda", "Fecha de la orden"),
}
PLAIN = {
    "en": "Amount", "de": "Betrag", "sv": "Belopp", "nb": "Beløp", "da": "Beløb", "fi": "Summa", "nl": "Bedrag",
    "fr": "Montant", "es": "Importe", "it": "Importo", "pl": "Kwota",
    "pt": "Montante", "pt-br": "Valor total", "cs": "Částka", "sk": "Suma", "hu": "Összeg", "ro": "Sumă", "el": "Ποσό",
    "es-419": "Monto",
}  # fmt: skip
ROLES = ("reference", "order_number", "amount", "currency", "ordered_on")


def mapped(*names: str, **declared: Any) -> dict[str, str]:
    return map_columns(names, OrderFormat(**declared), path="orders.csv", line=1).as_dict()


def refused(*names: str, **declared: Any) -> str:
    with pytest.raises(OrderFileError) as caught:
        mapped(*names, **declared)
    return str(caught.value).removeprefix("orders.csv:1: ")


@pytest.mark.parametrize("language", TABLES)
def test_a_table_in_one_language_needs_no_options(language: str) -> None:
    names = TABLES[language]

    assert mapped(*names) == dict(zip(ROLES, names, strict=True))


@pytest.mark.parametrize("language", TABLES)
def test_capitals_accents_and_signs_of_a_language_do_not_matter(language: str) -> None:
    names = tuple(name.upper().replace(" ", "_") for name in TABLES[language])
    bare = tuple(
        "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
        for name in TABLES[language]
    )

    assert mapped(*names) == dict(zip(ROLES, names, strict=True))
    assert mapped(*bare) == dict(zip(ROLES, bare, strict=True))


@pytest.mark.parametrize("language", PLAIN)
def test_a_plain_amount_is_taken_when_nothing_beside_it_makes_it_doubtful(language: str) -> None:
    reference, _, gross, currency, _ = TABLES[language]

    assert mapped(reference, PLAIN[language], currency)["amount"] == PLAIN[language]
    assert mapped(reference, PLAIN[language], gross, currency)["amount"] == gross


@pytest.mark.parametrize("name", NET)
def test_a_name_that_usually_means_net_is_never_taken_by_itself(name: str) -> None:
    assert refused("reference", name, "currency").startswith("no column is clearly the amount: it may be ")
    assert mapped("reference", name, "total", "currency")["amount"] == "total"
    assert mapped("reference", name, "currency", amount_column=name)["amount"] == name


@pytest.mark.parametrize("name", OPEN_AMOUNTS)
def test_what_is_still_open_is_never_taken_for_the_total(name: str) -> None:
    assert refused("reference", name, "currency").startswith("no column is clearly the amount: it may be ")


@pytest.mark.parametrize("name", SIGNS)
def test_a_column_of_debit_and_credit_must_be_declared(name: str) -> None:
    names = ("reference", "amount", "currency", name)

    assert refused(*names) == f'column "{name}" says which amounts are credits, and is not declared'
    assert mapped(*names, sign_column=name)["sign"] == name
    assert "sign" not in mapped(*names, sign_column="")


GROSS_BESIDE_NET = [
    ("Gross", "Net"), ("Brutto", "Netto"), ("Bruto", "Neto"), ("Brut", "Net"), ("Lordo", "Netto"), ("Bruto", "Líquido"),
    ("Hrubá", "Čistá částka"), ("Bruttó", "Nettó"), ("Ακαθάριστο", "Καθαρό"),
]  # fmt: skip


@pytest.mark.parametrize(("gross", "net"), GROSS_BESIDE_NET)
def test_gross_in_one_word_is_the_amount_beside_a_net_a_fee_and_a_tax(gross: str, net: str) -> None:
    assert mapped("order number", gross, "fee", net, "currency")["amount"] == gross
    assert mapped("order number", net, gross, "VAT", "currency")["amount"] == gross
    assert mapped("order number", gross, "VAT", "currency")["amount"] == gross


def test_gross_in_one_word_may_be_a_weight_beside_a_total() -> None:
    assert refused("order number", "total", "gross", "net", "currency") == (
        'several columns could be the amount: "total", "gross"'
    )


@pytest.mark.parametrize("beside", ["VAT", "Tax amount", "MwSt.", "Moms", "BTW", "TVA", "IVA", "DPH", "ÁFA", "ΦΠΑ"])
def test_a_plain_amount_beside_the_tax_may_be_net_unless_the_net_is_there_too(beside: str) -> None:
    assert refused("reference", "amount", beside, "currency") == ('no column is clearly the amount: it may be "amount"')
    assert mapped("reference", "amount", beside, "net amount", "currency")["amount"] == "amount"
    assert mapped("reference", "gross amount", beside, "currency")["amount"] == "gross amount"


@pytest.mark.parametrize(
    "twin",
    [
        "Amount in local currency",
        "Amount (LCY)",
        "Base amount",
        "Betrag in Hauswährung",
        "Amount (USD)",
        "Amount in EUR",
    ],
)
def test_one_amount_in_two_currencies_is_asked(twin: str) -> None:
    message = refused("reference", "amount", twin, "currency")

    assert message.startswith("no column is clearly the amount: it may be ")
    assert twin in message


def test_a_total_without_tax_as_basis_makes_no_name_better_than_another() -> None:
    names = ("reference", "amount", "amount including vat", "currency")

    assert mapped(*names)["amount"] == "amount including vat"
    assert refused(*names, amount_basis="total_amount_cents") == (
        'several columns could be the amount: "amount", "amount including vat"'
    )


@pytest.mark.parametrize("name", ["name", "number", "no.", "id", "order", "document no.", "belegnummer", "auftrag"])
def test_a_word_that_may_be_any_number_is_not_taken_for_the_orders(name: str) -> None:
    assert mapped("reference", "amount", "currency", name) == {
        "reference": "reference",
        "amount": "amount",
        "currency": "currency",
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("N° commande", "nº commande"),
        ("№ commande", "no commande"),
        ("Order #", "order no."),
        ("Währung", "WAEHRUNG"),
        ("Größe", "groesse"),
        ("Grand Total (Purchased)", "grand_total_purchased"),
        ("beløp", "BELØP"),
        ("łącznie", "Lacznie"),
        ("Ⅻ", "xii"),
    ],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert folded(other) in spellings((one.casefold(),))


@pytest.mark.parametrize("name", ["tax %", "total €", "total $", "*", "amount+tax"])
def test_a_sign_that_changes_the_meaning_stays(name: str) -> None:
    assert folded(name) not in {folded("tax"), folded("total"), "", folded("amount tax")}


@pytest.mark.parametrize("role", CLEAR)
def test_no_name_is_both_sure_and_unsure(role: str) -> None:
    sure = spellings(tuple(name for group in CLEAR[role] for name in group))

    assert not sure & spellings(UNSURE[role])


def test_no_name_means_two_roles() -> None:
    meanings = {role: spellings(tuple(name for group in groups for name in group)) for role, groups in CLEAR.items()}
    clashes = {
        (one, other, name)
        for one in meanings
        for other in meanings
        if one < other
        for name in meanings[one] & meanings[other]
    }

    assert clashes == set()
