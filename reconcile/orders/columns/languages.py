"""
Words of order tables in Portuguese, Czech, Slovak, Hungarian, Romanian, Greek and the Spanish of Latin America.

Each text has the words of one meaning, separated by `|`, in a line or two per language in that order. Knows words, as
`names` does, which puts them into its groups; `docs/orders.md` says where they were read. What a translation has got
wrong (`Quantidade`, a quantity, for an amount) is left out, and what two programs use for different things is among the
unsure.
"""

from __future__ import annotations


def _words(*lines: str) -> str:
    return " | ".join(lines)


REFERENCE = _words(
    "referência | referência do pedido | referência da encomenda | referência de pagamento | referência do cliente",
    "referenční číslo | reference objednávky | reference platby | reference zákazníka",
    "referencia objednávky | referenčné číslo | referencia platby | referencia zákazníka",
    "hivatkozás | hivatkozási szám | rendelési hivatkozás | vevői hivatkozás",
    "referință | referință comandă | referința comenzii | referință plată | referința clientului",
    "αναφορά | αριθμός αναφοράς | αναφορά παραγγελίας | αναφορά πελάτη",
    "referencia de orden | referencia de la orden | referencia del cliente",
)
UNSURE_REFERENCE = _words(
    "id da transação | id transação | id da referência | nº de aquisição | número do documento",
    "variabilní symbol | referenční id | id transakce | číslo nákupní objednávky | číslo dokladu",
    "variabilný symbol | id transakcie | číslo dokladu",
    "tranzakció azonosító | közlemény | bizonylatszám | beszerzési rendelési szám",
    "id tranzacție | id de referință | număr document",
    "id συναλλαγής | id αναφοράς | αριθμός παραγγελίας αγοράς | αριθμός παραστατικού | αιτιολογία",
    "id de la transacción | id de referencia | número de orden de compra | número de pedido de compra",
)
ORDER_NUMBER = _words(
    "número do pedido | nº do pedido | nº pedido | pedido # | número da encomenda | número de encomenda",
    "nº da encomenda | nº de encomenda | nº encomenda | encomenda #",
    "číslo objednávky | č. objednávky | objednávka č. | objednávka # | kód objednávky",
    "rendelésszám | rendelés száma | rendelési szám | a rendelés száma | megrendelésszám | megrendelés száma",
    "număr comandă | număr de comandă | numărul comenzii | nr. comandă | nr. comenzii | comanda # | comanda nr.",
    "αριθμός παραγγελίας | αρ. παραγγελίας | κωδικός παραγγελίας | κωδ. παραγγελίας | παραγγελία #",
    "número de orden | número de la orden | número del pedido | nº de orden | nº orden | nro. de orden | orden #",
    "nro. de pedido",
)
ORDER_ID = _words(
    "id do pedido | id da encomenda | id objednávky | rendelés azonosító | megrendelés azonosító | id comandă",
    "id παραγγελίας | id de orden | id de la orden | id del pedido",
)
GROSS = _words(
    "total com iva | total (c/iva) | valor com iva | montante com iva | total com impostos",
    "preço final (com impostos) | total, impostos incl. | valor bruto | total bruto | montante bruto",
    "celkem s dph | celkem včetně dph | celková částka včetně dph | celková částka s dph | částka s dph",
    "celková cena s dph | cena celkem s dph | celkový součet (s dph) | celkem k úhradě (s dph) | hrubá částka",
    "celkom vrátane dph | celkom s dph | celková suma s dph | celková suma vrátane dph | suma s dph | hrubá suma",
    "bruttó összeg | bruttó végösszeg | bruttó érték | összesen áfával | összesen áfa-val | végösszeg (áfa-val)",
    "total cu tva | total inclusiv tva | valoare cu tva | sumă cu tva | total general (cu taxe incluse)",
    "valoare brută | sumă brută | total brut",
    "σύνολο με φπα | σύνολο συμπεριλαμβανομένου του φπα | γενικό σύνολο (με φπα) | σύνολο με φόρο | ποσό με φπα",
    "ακαθάριστο ποσό | ακαθάριστο σύνολο | μικτό ποσό",
    "total con impuestos | total con impuestos incluidos | total (impuestos incluidos) | monto con iva | monto bruto",
    "total general (con impuestos) | importe bruto",
)
BARE_GROSS = _words("bruto | hrubá | hrubé | hrubý | bruttó | brut | ακαθάριστο | μικτό")
PLAIN_TOTALS = _words(
    "valor | valor total | montante | montante total | total do pedido | total da encomenda | valor do pedido",
    "valor da encomenda | total geral | preço final",
    "celkem | částka | celková částka | celková cena | celkový součet | hodnota objednávky",
    "celkom | celková suma | celkový súčet",
    "összeg | összesen | végösszeg | mindösszesen | teljes összeg | rendelés végösszege | rendelési érték",
    "sumă | sumă totală | valoare totală | valoare comandă | total comandă",
    "ποσό | σύνολο | συνολικό ποσό | γενικό σύνολο | σύνολο παραγγελίας | αξία παραγγελίας",
    "total general | total de orden | total de la orden | valor de la orden | monto de la orden",
)
NET = _words(
    "líquido | valor líquido | total líquido | montante líquido | total sem iva | total (s/iva) | valor sem iva",
    "total sem impostos | preço final (sem impostos) | não tributado",
    "celkem bez dph | celková částka bez dph | částka bez dph | celková cena bez dph | celkový součet (bez dph)",
    "celkem k úhradě (bez dph) | mezisoučet | základ daně | čistá částka",
    "celkom bez dph | celková suma bez dph | suma bez dph | medzisúčet | základ dane | čistá suma",
    "nettó | nettó összeg | nettó érték | nettó végösszeg | áfa nélkül összesen | végösszeg (adó nélkül)",
    "részösszeg",
    "total fără tva | valoare fără tva | sumă fără tva | total general (fără taxe incluse) | valoare netă",
    "neimpozitat",
    "σύνολο χωρίς φπα | γενικό σύνολο (χωρίς φπα) | ποσό χωρίς φπα | αξία χωρίς φπα | υποσύνολο | καθαρό ποσό",
    "καθαρή αξία | καθαρό",
    "monto neto | total neto | monto sin iva | total sin impuestos | total (impuestos no incluidos)",
    "total general (sin impuestos) | base sin impuesto",
)
UNSURE_AMOUNT = _words("valoare")  # in Romanian lists with or without tax
OPEN_AMOUNTS = _words(
    "valor em aberto | valor em dívida | montante a pagar | total devido",
    "zbývá uhradit | dlužná částka | celkem dluží | celkem k úhradě",
    "zostáva uhradiť | dlžná suma | celkom na úhradu",
    "fizetendő összeg | fennmaradó összeg",
    "rest de plată | sumă de plătit | total de plătit | total de plată",
    "οφειλόμενο ποσό | συνολική οφειλή | υπόλοιπο",
    "saldo pendiente | monto pendiente | total debido",
)
TAXES = _words(
    "imposto | impostos | taxa | valor do imposto | valor do iva",
    "dph | daň | daně | částka dph | výše dph",
    "dane | suma dph",
    "áfa | áfa összege | áfa összeg | adó | adó összege",
    "impozit | taxe | valoare tva | sumă tva | sumă taxă",
    "φπα | φόρος | φόροι | ποσό φπα | ποσό του φόρου",
    "impuesto | impuestos | importe de impuestos | monto de iva",
)
CURRENCY = _words(
    "moeda | código da moeda | měna | kód měny | mena | kód meny | pénznem | pénznem kód | devizanem",
    "monedă | valută | cod monedă | cod valută | νόμισμα | κωδικός νομίσματος | código de moneda",
)
ORDERED_ON = _words(
    "data do pedido | data da encomenda | data da compra",
    "datum objednávky | datum nákupu | dátum objednávky | dátum nákupu",
    "rendelés dátuma | megrendelés dátuma",
    "data comenzii | data achiziției",
    "ημερομηνία παραγγελίας | ημ/νία παραγγελίας | ημερομηνία αγοράς",
    "fecha de orden | fecha de la orden | fecha de compra",
)
SOLD_ON = _words("data da venda | data vânzării")
METHOD = _words(
    "método de pagamento | forma de pagamento | meio de pagamento | modo de pagamento",
    "způsob platby | platební metoda | způsob úhrady | spôsob platby | platobná metóda | spôsob úhrady",
    "fizetési mód | fizetés módja",
    "metodă de plată | metoda de plată | modalitate de plată | modalitate plată | mod de plată",
    "μέθοδος πληρωμής | τρόπος πληρωμής",
    "typ platby | τύπος πληρωμής | tip de plată | tipo de pagamento | tipo de pago",
)
SIGNS = _words("débito/crédito | má dáti/dal | má dať/dal | tartozik/követel | χρέωση/πίστωση")
