"""
What ERPs, shops and people call the columns of an order table, in the languages of Klarna's markets.

Knows words; `docs/orders.md` says where they were read. A word that may mean two things
(net or gross, order or invoice, the document's currency or the company's) is listed as unsure: it is reported as a
candidate, and never taken by itself. Does not look at a file, and does not decide between columns: `mapping` does.
What a word means in the exports of one program stands in `systems`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

from reconcile.money import ORDER_TOTALS
from reconcile.orders.columns import languages

Groups = tuple[tuple[str, ...], ...]

_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "ł": "l", "đ": "d", "ı": "i", "°": "o", "#": "no"})
_LONGEST = 300
_ASCII = {
    code: None for code in range(128) if unicodedata.category(chr(code))[0] in "PZC" and chr(code) not in "%*&@"
} | {ord("#"): "no"}
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


def folded(name: str) -> str:
    """
    Return `name` as it is compared: case, accents, blanks and punctuation do not matter, `#` is "no".

    "Total Amount", "total-amount" and "TOTAL_AMOUNT" are one, and so are "N° commande" and "Nº commande".
    """
    if len(name) > _LONGEST:
        return name  # no name that is known is so long; an unclosed quote can make one of megabytes
    if name.isascii():
        return name.translate(_ASCII).lower()
    composed = unicodedata.normalize("NFKC", name.replace("№", "#")).casefold().translate(_LETTERS)
    letters = unicodedata.normalize("NFKD", composed)
    return "".join(sign for sign in letters if unicodedata.category(sign)[0] not in "MPZC" or sign in "%*&@")


@cache
def spellings(names: Iterable[str]) -> frozenset[str]:
    """Return the folded forms of `names` (a tuple): with and without umlauts written as two letters."""
    plain = {folded(name) for name in names}
    return frozenset(
        plain | {folded(unicodedata.normalize("NFC", name).casefold().translate(_UMLAUTS)) for name in names}
    )


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word.strip() for line in lines for word in line.split("|"))


# The rows are en, de, sv, nb, da, fi, nl, fr, es, it, pl, as far as they have words of their own; `languages` has more.
_REFERENCE = _words(
    "reference | order reference | ref | klarna reference | customer reference",
    "referenz | bestellreferenz | auftragsreferenz | zahlungsreferenz | kundenreferenz | belegfeld 1",
    "referens | orderreferens | betalningsreferens | kundreferens",
    "referanse | ordrereferanse | betalingsreferanse | kundereferanse",
    "ordrereference | betalingsreference | kundereference",
    "viite | tilausviite | maksuviite | tilauksen viite",
    "referentie | bestelreferentie | orderreferentie | betalingsreferentie | klantreferentie",
    "référence | référence commande | référence de la commande | référence de paiement | référence client",
    "referencia | referencia de pedido | referencia del pedido | referencia de pago | referencia de cliente",
    "riferimento | riferimento ordine | riferimento pagamento | riferimento cliente",
    "referencja | numer referencyjny | nr referencyjny | referencja zamówienia",
    languages.REFERENCE,
)
EXTERNAL_DOCUMENT = _words(
    "external document no. | external document number | externe belegnummer | externe belegnr.",
    "externt dokumentnr | externt dokumentnummer | eksternt dokumentnr. | eksternt bilagsnr.",
    "ulkoisen asiakirjan nro | extern documentnr. | extern documentnummer",
    "n° doc. externe | n° document externe | n.º documento externo | nº documento externo | nr. documento esterno",
)
"""The customer's own number in Business Central, which says what system wrote the table."""

_UNSURE_REFERENCE = _words(
    "your reference | po number | po no. | po # | purchase order no. | purchase order number | assignment",
    "payment reference",
    "external id | externalid | transaction id | payment id | payment references | merchant reference | document no.",
    "ihre referenz | zuordnung | verwendungszweck | kundenbestellnummer | belegnummer | belegnr. | belegfeld 2",
    "din referens | er referens | ocr-nummer | deres referanse | deres reference | kid | viitenumero | viitteenne",
    "uw referentie | betalingskenmerk | votre référence | su referencia | vs. riferimento | customer order number",
    languages.UNSURE_REFERENCE,
)
_ORDER_NUMBER = _words(
    "order number | order no. | order # | sales order | sales order number | sales order no. | order number formatted",
    "bestellnummer | bestellnr. | best.-nr. | auftragsnr.",
    "ordernummer | ordernr | beställningsnummer",
    "ordrenummer | ordrenr. | bestillingsnummer | ordensnummer",
    "tilausnumero | tilausnro",
    "bestelnummer | bestelnr. | ordernr.",
    "numéro de commande | n° commande | n° de commande",
    "número de pedido | nº pedido | nº de pedido | n.º pedido",
    "numero ordine | nr. ordine | n. ordine | codice ordine",
    "numer zamówienia | nr zamówienia",
    languages.ORDER_NUMBER,
)
_ORDER_ID = _words(
    "bestell-id | auftrags-id | ordre-id | tilauksen tunnus | tilaus-id | bestel-id | id commande",
    "identifiant commande | id de pedido | id pedido | id ordine | id zamówienia",
    languages.ORDER_ID,
)
GROSS = _words(
    "total amount with taxes | amount including vat | amount including gst | amount incl. vat | amount incl. tax",
    "total incl. tax | total incl. taxes | total incl. vat | total including tax | total including vat",
    "order total | grand total | gross amount | gross total | total gross | amount (gross)",
    "bruttobetrag | gesamtbrutto | betrag brutto | gesamtbetrag brutto | betrag inkl. mwst.",
    "betrag inkl. ust. | gesamtbetrag inkl. mwst. | gesamt inkl. mwst. | summe inkl. mwst. | rechnungsbetrag",
    "endbetrag | totalsumma inkl. moms | belopp inkl. moms | total inkl. moms | totalt inkl. moms | bruttobelopp",
    "totalt inkl. mva. | totalt inkludert mva | beløp inkl. mva | totalbeløp inkl. mva | bruttobeløp",
    "beløb inkl. moms | i alt inkl. moms | totalbeløb inkl. moms | bruttobeløb",
    "yhteensä sisältäen arvonlisäveron | summa sis. alv | yhteensä sis. alv | loppusumma | bruttosumma",
    "totaal incl. btw | bedrag incl. btw | totaal inclusief btw | bedrag inclusief btw | brutobedrag",
    "total ttc | montant ttc | montant total ttc | montant brut | total brut",
    "total con iva incluido | importe con iva | total con iva | importe iva incluido | total iva incluido",
    "total bruto",
    "somma totale incl. iva | importo iva inclusa | totale iva inclusa | importo lordo | totale lordo",
    "suma całkowita z vat | wartość brutto | kwota brutto | suma brutto",
    languages.GROSS,
)
"""Names that say the amount is with tax."""

BARE_GROSS = _words("gross | brutto | bruto | brut | lordo", languages.BARE_GROSS)
"""The same in one word, which may be a weight: no better than a plain "Total" beside it."""

_PLAIN = _words(
    "amount | total | total amount | order amount | sum",
    "betrag | gesamt | summe | gesamtbetrag | gesamtsumme | bestellwert | auftragswert | bestellsumme",
    "belopp | totalt | summa | totalbelopp | totalsumma | ordervärde | ordersumma",
    "beløp | i alt | totalbeløp | ordreverdi | ordresum",
    "beløb | totalbeløb | ordreværdi",
    "yhteensä | tilauksen arvo | tilauksen summa | kokonaissumma",
    "bedrag | totaal | totaalbedrag | bestelwaarde | orderbedrag",
    "montant | montant total | montant de la commande | total commande | total de la commande",
    "importe | importe total | monto | monto total | valor del pedido | total del pedido",
    "importo | totale | importo totale | totale ordine",
    "kwota | łącznie | suma | razem | wartość zamówienia | kwota zamówienia",
    languages.PLAIN_TOTALS,
)
NET = _words(
    "net | net amount | net value | net total | total net | subtotal | sub total | amount excl. vat | amount excl. tax",
    "n. revenue",
    "amount (net) | amount (net of tax) | amount excluding vat | total excl. vat | total excl. tax | untaxed amount",
    "net sales | n. revenue (formatted) | netto | nettobetrag | nettowert | zwischensumme | gesamtbetrag netto | netwr",
    "totalnetamount | betrag ohne mwst. | totalsumma exkl. moms | belopp exkl. moms | delsumma | nettobelopp",
    "total ekskl. mva | beløp ekskl. mva | delsum | nettobeløp | i alt eksl. moms | i alt ekskl. moms",
    "beløb ekskl. moms | nettobeløb | ilman arvonlisäveroa yhteensä | summa ilman alv | veroton | välisumma",
    "totaal zonder btw | totaal excl. btw | bedrag excl. btw | onbelast | subtotaal | nettobedrag",
    "total hors tva | hors taxe | total ht | montant ht | sous-total",
    "base imponible | total sin iva | importe sin iva | neto | importe neto",
    "ante imposte | somma totale senza iva | imponibile | subtotale | importo netto | totale netto",
    "wartość netto | kwota netto | suma netto | suma całkowita bez vat",
    languages.NET,
)
"""Names that say, or usually mean, that the amount is without tax."""

_UNSURE_AMOUNT = _words(
    "original amount | order total amount | amount in doc. curr. | amount in local currency | umsatz | basisumsatz",
    "betrag in belegwährung | betrag in hauswährung | lineamount | brtwr | amount (transaction total)",
    "grand total (base) | base grand total",
    languages.UNSURE_AMOUNT,
)
OPEN_AMOUNTS = _words(
    "remaining amount | amount due | outstanding balance | amount remaining | restbetrag | restbeløp | restbeløb",
    "restbedrag | återstående belopp | jäljellä oleva summa | importe pendiente | importo residuo | montant ouvert",
    languages.OPEN_AMOUNTS,
)
"""What is still open of an amount: never a total."""

TAXES = _words(
    "tax | taxes | vat | tax amount | vat amount | total tax | tax total | gst | mwst | mwst. | mwst-betrag | ust",
    "steuer | steuerbetrag | umsatzsteuer | mehrwertsteuer | moms | momsbelopp | momsbeløb | mva | mva-beløp | alv",
    "arvonlisävero | alv-summa | btw | btw-bedrag | tva | montant tva | iva | importe iva | importo iva | kwota vat",
    "podatek | ordertotaltaxamount",
    languages.TAXES,
)
"""Names of the tax itself: beside it, a plain "Amount" may be the one without."""

TWINS = _words(
    "amount in local currency | amount in doc. curr. | amount (lcy) | amount (fcy) | amount (foreign currency)",
    "amount (base) | base amount | base total | total (base) | total (lcy) | amount (usd) | amount lcy",
    "betrag in hauswährung | betrag in belegwährung | betrag (mw) | belopp (bva) | beløp (nok) | beløb (rv)",
    "bedrag (lv) | montant dev soc | importe dl | importo vl | amount in company currency | amount in base currency",
)
"""The same amount in another currency: beside it, a plain "Amount" may be in either."""

_CURRENCY = _words(
    "currency | order currency | order currency code | currency iso | document currency | transaction currency",
    "währung | währungscode | währungskennzeichen | belegwährung | wkz umsatz",
    "valuta | valutakod | valutakode | valuutta | valuutan koodi | valuuttakoodi | valutacode",
    "devise | code devise | moneda | divisa | código divisa | código de divisa | código moneda",
    "codice valuta | waluta | kod waluty",
    languages.CURRENCY,
)
_ORDERED_ON = _words(
    "order date | ordered at | purchase date | date of order",
    "bestelldatum | auftragsdatum | verkaufsdatum",
    "orderdatum | beställningsdatum | ordredato | bestillingsdato | tilauspvm | tilauksen päivämäärä | tilauspäivä",
    "besteldatum | date commande | date de commande | date de la commande | fecha pedido | fecha de pedido",
    "fecha del pedido | fecha venta | data ordine | data dell'ordine | data zamówienia",
    languages.ORDERED_ON,
)
_SOLD_ON = _words("sale date | verkoop datum | date de la vente | data sprzedaży", languages.SOLD_ON)
DOCUMENT_DATE = _words(
    "document date | belegdatum | dokumentdatum | bilagsdato | asiakirjan pvm | documentdatum | date document",
    "fecha emisión documento | data documento",
)
_METHOD = _words(  # the first one there is taken: what all programs have in common, then each language's, codes last
    "payment method | payment method name | payment method title | method of payment | payment option",
    "zahlungsart | zahlungsmethode | zahlart | zahlungsweise | zahlungsform | bezahlmethode | bezahlart",
    "betalningsmetod | betalningssätt | betalsätt | betalningsform",
    "betalingsmåte | betalingsmetode | betalingsmåde | betalingsform",
    "maksutapa | tilauksen maksutapa | maksumuoto",
    "betaalmethode | betaalwijze | betalingswijze | betalingsmethode | betaalmiddel",
    "moyen de paiement | mode de paiement | méthode de paiement | mode de règlement | moyen de règlement",
    "método de pago | forma de pago | modalidad de pago | medio de pago | modo de pago",
    "metodo di pagamento | modalità di pagamento | mezzo di pagamento | forma di pagamento",
    "metoda płatności | sposób płatności | forma płatności | sposób zapłaty | forma zapłaty | rodzaj płatności",
    languages.METHOD,
    "payment method code | zahlungsformcode | betalningsmetodkod | betalingsmåtekode | betalingsformskode",
    "maksutapakoodi | betalingswijzecode | payment type | payment gateway",
)
SIGNS = _words(
    "soll/haben-kennzeichen | soll-/haben-kennzeichen | soll/haben-kennz. | soll/haben | s/h | shkzg | sh-kennzeichen",
    "debit/credit ind | debit/credit indicator | debit/credit | dr/cr | d/c | debet/kredit | debe/haber | dare/avere",
    languages.SIGNS,
)
"""Names of a column that says whether an amount is a debit or a credit."""

MINOR_UNITS = frozenset(
    _words(
        "cent | cents | minor | subunit | subunits | penny | pennies | pence | öre | øre | sentti | senttiä",
        "centime | centimes | céntimo | céntimos | centavos | centesimi | grosz | grosze | groszy | fillér | rappen",
    )
)
"""Words that say an amount may be counted in minor units."""

_OF_LINES = _words(
    "line amount | line total | line number | line no. | unit amount | unit price | sku | posnr | * | position",
    "artikelnummer | einzelpreis | zeilenbetrag | zeilennr. | radnr | linjenr. | rivinro | regelnr. | nº línea",
)

CLEAR: dict[str, Groups] = {
    "reference": ((*_REFERENCE, *EXTERNAL_DOCUMENT),),
    "amount": (
        (*GROSS, "order_total_cents", "grand_total_cents"),
        (*ORDER_TOTALS, "amount_cents", "total_cents", "order_amount_cents", *_PLAIN, *BARE_GROSS),
    ),
    "currency": (("currency_code",), _CURRENCY),
    "order_number": (("order_number",), _ORDER_NUMBER),
    "order_id": (("order_id",), _ORDER_ID),
    "ordered_on": (("ordered_on",), ("placed_at",), _ORDERED_ON, _SOLD_ON),
    "sign": (),
    "debit": (),
    "credit": (),
    "document": (),
    "method": tuple((word,) for word in _METHOD),
}
"""Role → names that mean it, in groups of falling precedence; names of one group are equals."""

UNSURE: dict[str, tuple[str, ...]] = {
    "reference": _UNSURE_REFERENCE,
    "amount": (*_UNSURE_AMOUNT, *NET, *TWINS, *OPEN_AMOUNTS),
    "currency": ("local currency", "hauswährung", "wkz basisumsatz", "base currency code"),
    "order_number": (),
    "order_id": (),
    "ordered_on": (),
    "sign": SIGNS,
    "debit": (),
    "credit": (),
    "document": (),
    "method": (),
}
"""Role → names that may mean it: reported as candidates, never taken by themselves."""


def names_of_lines(names: Iterable[str]) -> list[str]:
    """Return those of `names` that speak of an order's lines: there a table has several rows of one order."""
    meant = spellings(_OF_LINES)
    return [name for name in names if (loose := folded(name)) in meant or loose.startswith("lineitem")]
