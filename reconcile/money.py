"""
Money is whole minor units of a currency: text to integer and back, never a float.

Knows how many decimals a currency has, and which strings are an amount in it.
Does not convert between currencies and does not round: an amount with more decimals than its currency
has is refused.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# ISO 4217 list one (current, as of 2026-09-17) and list three (withdrawn since the end of 2014, as of 2026-01-01):
# https://www.six-group.com/en/products-services/financial-information/data-standards.html
_TWO_DECIMALS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
    COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG IDR ILS INR
    IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MXV MYR MZN
    NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
    SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_WITHDRAWN_WITH_TWO_DECIMALS = """
    ANG BGN CUC HRK LTL SLL STD VEF ZWL
"""
# When: LTL 2014-12, STD (and MRO) 2017-12, VEF 2018-08, CUC 2021-06, HRK 2023-01, SLL 2023-12,
# ZWL 2024-09, ANG 2025-03, BGN 2026-01; of those without decimals, BYR 2017-01.
_OTHER_DECIMALS = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
# Commerce Layer counts minor units as RubyMoney does, where the forint has none (ISO 4217 gives it two):
# https://github.com/commercelayer/app-elements packages/app-elements/src/helpers/currencies.ts
_COMMERCE_LAYER_DECIMALS = {"HUF": 0}
_ISO_DECIMALS = {"HUF": 2}
"""Decimals that ISO 4217 gives such a currency: books may write them, as zeros."""

# ISO 4217 gives these two decimals, but their minor unit is a fifth, and that is how the same source counts them
# (the ariary in whole ones since RubyMoney 7): a decimal says nothing sure about minor units.
UNDECIMAL = frozenset({"MGA", "MRO", "MRU"})
"""Currencies that are only read and written in minor units."""

EXPONENTS: dict[str, int] = {
    **dict.fromkeys((_TWO_DECIMALS + _WITHDRAWN_WITH_TWO_DECIMALS).split(), 2),
    **{code: exponent for exponent, codes in _OTHER_DECIMALS.items() for code in codes.split()},
    **_COMMERCE_LAYER_DECIMALS,
}
"""Number of decimals of each currency code, as Commerce Layer counts minor units."""

CURRENCIES = UNDECIMAL | EXPONENTS.keys()
"""Every currency code that is known."""

ORDER_TOTALS = ("total_amount_with_taxes_cents", "total_amount_cents", "place_total_amount_cents")
"""Totals of an order, as columns of payments; the first is the one that is meant where none is named."""

AMOUNT_BASES = ("due", "captured", *ORDER_TOTALS)
"""What can be a payment's amount; the first is the default. The totals leave transactions aside."""

MOST_CENTS = 2**62 - 1
"""The largest amount, in minor units: the difference of two fits 64 bits on every engine."""

AMOUNT_LIMIT = 2**56
"""Minor units from which on, either way, an amount is a mistake: the sum of a few would leave 64 bits, and JSON."""

_MAYBE_THOUSANDS = 3
_CURRENCY, _PARENTHESES = "currency", "parentheses"
ACCOUNTING_FORMS: dict[str, tuple[tuple[str, str], ...]] = {
    _PARENTHESES: ((r"^\(([^()+-][^()]*)\)$", r"-\1"),),
    "angle_brackets": ((r"^<([^<>+-][^<>]*)>$", r"-\1"),),
    "dash_decimals": ((r"^([^0-9]*(?:[0-9]{1,3}(?:[^0-9][0-9]{3})+|[0-9]+))[.,](?:--?|[–—])", r"\1"),),
    "cr_dr": ((r"^([^()+-].*?) ?(?:CR|Cr|cr)$", r"-\1"), (r"^([^()+-].*?) ?(?:DR|Dr|dr)$", r"\1")),
    "soll_haben": ((r"^([^()+-].*?) ?H$", r"-\1"), (r"^([^()+-].*?) ?S$", r"\1")),
    _CURRENCY: (),  # by the row's currency, see `accounting_rules`
    "trailing_minus": ((r"^([0-9].*)-$", r"-\1"),),
    "spaced_sign": (("^([+-])[ \u00a0\u202f]+([0-9].*)$", r"\1\2"),),
}
"""
Ways to write an amount that count only where they are declared, as rules that make a leading sign of them.

(12.00), <12.00>, 12.00 CR, 12,00 H (Haben), 12.00- and - 12.00 are negative; DR and S (Soll) are positive; 12.- and
12,-- are whole. "currency" is a code or a symbol of the row's own currency beside the amount. Rules are regular
expressions for `re` and RE2 alike.
"""

SYMBOLS = {
    "EUR": ("€",), "GBP": ("£",), "USD": ("US$", "$"), "AUD": ("A$", "$"), "CAD": ("C$", "$"), "NZD": ("NZ$", "$"),
    "SEK": ("kr.", "kr"), "NOK": ("kr.", "kr"), "DKK": ("kr.", "kr"), "ISK": ("kr.", "kr"), "PLN": ("zł",),
    "CZK": ("Kč",), "HUF": ("Ft",), "CHF": ("SFr.", "Fr."), "JPY": ("¥", "￥"), "CNY": ("¥", "￥"), "RON": ("lei",),
    "MDL": ("lei",), "MXN": ("$",), "BRL": ("R$",), "INR": ("₹",), "TRY": ("₺",), "UAH": ("₴",), "ILS": ("₪",),
    "EGP": ("£",), "GIP": ("£",), "FKP": ("£",), "SHP": ("£",), "SGD": ("S$", "$"), "HKD": ("HK$", "$"),
}  # fmt: skip
"""Symbols that stand beside an amount, or for a currency where only one of these has them."""

THOUSANDS = {
    ".": ".", ",": ",", "_": "_", "'": "'\u2019", "\u2019": "'\u2019", "apostrophe": "'\u2019",
    **dict.fromkeys((" ", "\u00a0", "\u202f", "\u2009", "space"), " \u00a0\u202f\u2009"),
}  # fmt: skip
"""Thousands separators as they are declared, with the characters that each stands for: every blank, each apostrophe."""

GROUPINGS = {"thousands": "{mark}[0-9]{{3}}", "indian": "(?:{mark}[0-9]{{2}})*{mark}[0-9]{{3}}"}
"""How the digits of an amount are grouped: 1,234,567 or 12,34,567."""

PLACEHOLDERS = ("NULL", "Null", "null", "(null)", "\\N", "#N/A", "N/A", "n/a", "-", "nan", "NaN", "<NA>", "NaT", "None")
"""What programs write where there is nothing: MySQL, PostgreSQL's clients, spreadsheets, pandas."""

GUARDED_AMOUNT = r"^\s*'([-+(]?[0-9].*)$"
"""A pattern (`re` and RE2) of an amount behind the apostrophe that keeps a spreadsheet from taking it for a number."""

MINUS = "\u2212"
"""The minus sign of Swedish, Norwegian, Finnish and Slovene, as CLDR writes it; it means nothing else."""


class AmountError(ValueError):
    """`text` is not exactly one amount in the currency; `reason` says why, for a reject."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(f'"{text}" {reason}')
        self.text = text
        self.reason = reason


def exponent(currency_code: str) -> int:
    """
    Return the number of decimals of `currency_code` ("EUR" 2, "JPY" 0, "KWD" 3).

    Raises AmountError when the code is none of ISO 4217 (upper case).
    """
    try:
        return EXPONENTS[currency_code]
    except KeyError:
        raise AmountError(currency_code, "is not an ISO 4217 currency code") from None


@lru_cache(maxsize=64)
def currency_order(code: str | None) -> tuple[bool, str]:
    """Return by what currencies are sorted: by their codes, and last what has none."""
    return code is None, code or ""


def amount_pattern(decimal: str = ".", thousands: str | None = None, grouping: str = "thousands") -> re.Pattern[str]:
    """
    Return the shape of an amount: groups `sign`, `whole` (with its separators) and `fraction`.

    Only what is declared is accepted: without `thousands`, "1,234" and "1 234" have no shape.
    """
    whole = rf"(?:{grouped_digits(thousands, grouping)}|[0-9]+)" if thousands else r"[0-9]+"
    return re.compile(rf"(?P<sign>[+-]?)(?P<whole>{whole})(?:{re.escape(decimal)}(?P<fraction>[0-9]+))?")


def grouped_digits(thousands: str, grouping: str) -> str:
    """Return the pattern (`re` and RE2) of digits in groups, of which there are two at least."""
    mark = f"[{THOUSANDS[thousands]}]"
    if grouping == "indian":
        return rf"[1-9][0-9]?{GROUPINGS[grouping].format(mark=mark)}|[1-9][0-9]{{2}}{mark}[0-9]{{3}}"
    return rf"[1-9][0-9]{{0,2}}(?:{GROUPINGS[grouping].format(mark=mark)})+"  # 0.500 is a decimal in another country


@lru_cache(maxsize=1024)
def accounting_rules(currency_code: str, forms: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Return the rules of the declared `forms` (of ACCOUNTING_FORMS) in the order they apply in."""
    rules: list[tuple[str, str]] = []
    for form, of_form in ACCOUNTING_FORMS.items():
        if form in forms:
            rules += _beside(currency_code, with_parentheses=_PARENTHESES in forms) if form == _CURRENCY else of_form
    return tuple(rules)


def parse_amount(
    text: str,
    currency_code: str,
    *,
    decimal: str = ".",
    thousands: str | None = None,
    grouping: str = "thousands",
    accounting: tuple[str, ...] = (),
) -> int:
    """
    Return the amount in `text` as minor units of `currency_code`.

    "1234.50" is 123450 in EUR; "1234" is 1234 in JPY (exponents: ISO 4217, with Commerce Layer's exceptions).
    A leading sign (also MINUS) and surrounding blanks are accepted, symbols and exponents ("1e3") are not; forms of
    ACCOUNTING_FORMS only where `accounting` names them. Zeros behind the currency's decimals are accepted where they
    can mean nothing else: "110.0000" is 11000 in EUR, and "12.00" is 12 in HUF (which has two decimals in ISO 4217),
    but "1.000" may be one thousand, and "1.00" in JPY may be a hundred (as SAP's tables have it).

    Raises AmountError when `text` is empty, has more decimals than the currency, could be read two ways
    ("1,234" without a declared separator), or does not fit 64 bits.
    """
    if currency_code in UNDECIMAL:
        raise AmountError(text, f"is in {currency_code}, which is not counted in decimals")
    digits_after_point = exponent(currency_code)
    stripped = _plain(text, currency_code, accounting)
    match = amount_pattern(decimal, thousands, grouping).fullmatch(stripped)
    if match is None:
        raise AmountError(text, _why_not(stripped, currency_code, decimal, thousands))
    fraction = _without_zeros(match["fraction"] or "", currency_code)
    if len(fraction) > digits_after_point:
        raise AmountError(text, f"has more decimals than {currency_code}, which has {digits_after_point}")
    whole = re.sub(r"[^0-9]", "", match["whole"])
    if len(whole) > 40:  # int() of a very long text is slow, and refused by Python above 4300 digits
        raise AmountError(text, "is too large")
    cents = int(whole + fraction.ljust(digits_after_point, "0"))
    if cents > MOST_CENTS:
        raise AmountError(text, "is too large")
    return -cents if match["sign"] == "-" else cents


def parse_cents(text: str, *, accounting: tuple[str, ...] = ()) -> int:
    """
    Return the whole number of minor units in `text`, as `*_cents` columns hold it ("-1250").

    `accounting` is as in `parse_amount`, but for a currency beside the amount.

    Raises AmountError when `text` is empty, is not a whole number in plain digits, or does not fit 64 bits.
    """
    stripped = _plain(text, "", accounting)
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", stripped):
        raise AmountError(text, "is not a whole number of minor units")
    cents = int(stripped)
    if abs(cents) > MOST_CENTS:
        raise AmountError(text, "is too large")
    return cents


def format_amount(cents: int, currency_code: str) -> str:
    """
    Return `cents` minor units as a plain decimal text of the currency: 123450 in EUR is "1234.50".

    The inverse of `parse_amount`. An unknown currency is written in minor units, marked as such.
    """
    digits_after_point = EXPONENTS.get(currency_code)
    if digits_after_point is None:
        return f"{cents} minor units"
    if digits_after_point == 0:
        return str(cents)
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 10**digits_after_point)
    return f"{sign}{whole}.{fraction:0{digits_after_point}d}"


def idle_zeros(currency_code: str, decimal: str = ".") -> str | None:
    """
    Return the pattern (`re` and RE2) of a fraction whose last zeros can mean nothing, None where they may.

    Three digits may be a group of thousands, and a currency without decimals may have been stored in hundredths.
    """
    written = _ISO_DECIMALS.get(currency_code, EXPONENTS[currency_code])
    if written < 2:
        return None
    lengths = [f"{max(_MAYBE_THOUSANDS, written) + 1},"]
    if currency_code in _ISO_DECIMALS:
        lengths.append(f"1,{written}")
    return "|".join(f"[{decimal}][0-9]{{{length}}}$" for length in lengths)


def _plain(text: str, currency_code: str, accounting: tuple[str, ...]) -> str:
    """Return an amount without what a spreadsheet has put around it, and with its sign in front of its digits."""
    plain = re.sub(GUARDED_AMOUNT, r"\1", text.strip().replace(MINUS, "-"))
    if not plain or plain in PLACEHOLDERS:
        raise AmountError(text, "is empty")
    for pattern, with_sign in accounting_rules(currency_code, accounting):
        plain = re.sub(pattern, with_sign, plain)
    return plain


def _without_zeros(fraction: str, currency_code: str) -> str:
    pattern = idle_zeros(currency_code)
    if pattern is None or not re.fullmatch(pattern, f".{fraction}"):
        return fraction
    kept = fraction[: EXPONENTS[currency_code]]
    return fraction if fraction[len(kept) :].strip("0") else kept


def _beside(currency_code: str, *, with_parentheses: bool) -> list[tuple[str, str]]:
    """Return the rules that take the code or a symbol of `currency_code` away, before or behind the digits."""
    if not currency_code:
        return []
    marks = "|".join(re.escape(mark) for mark in (currency_code, *SYMBOLS.get(currency_code, ())))
    blank = "[ \u00a0\u202f]?"
    rules = [(f"^([+-]?){blank}(?:{marks}){blank}([+-]?[0-9].*)$", r"\1\2"),
             (f"^([+-]?[0-9].*?){blank}(?:{marks})$", r"\1")]  # fmt: skip
    if with_parentheses:
        inside = r"\(([^()+-][^()]*)\)"
        rules += [(f"^(?:{marks}){blank}{inside}$", r"-\1"), (f"^{inside}{blank}(?:{marks})$", r"-\1")]
    return rules


def _why_not(text: str, currency_code: str, decimal: str, thousands: str | None) -> str:
    for sign in text:
        if not sign.isascii() and (sign.isdigit() or unicodedata.category(sign) == "Pd"):
            kind = "digit" if sign.isdigit() else "minus sign"
            return f'has "{sign}" (U+{ord(sign):04X}, {unicodedata.name(sign, "without a name")}) in place of a {kind}'
    if re.fullmatch(r"[+-]?[0-9]{1,3}([.,'\u2019 \u00a0\u202f][0-9]{3})*([.,][0-9]+)?", text):
        declared = f'decimal = "{decimal}"' + (f', thousands = "{thousands}"' if thousands else "")
        return f"could be read two ways, or does not follow what is declared ({declared})"
    return f"is not an amount in {currency_code}"
