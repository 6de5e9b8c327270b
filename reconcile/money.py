"""
Money is whole minor units of a currency: text to integer and back, never a float.

Knows how many decimals a currency has, and which texts are an amount in it.
Does not convert between currencies and does not round: an amount with more decimals than its currency
has is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache

# ISO 4217 list one (current) and list three (withdrawn, since 2015), as of January 2026:
# https://www.six-group.com/en/products-services/financial-information/data-standards.html
_TWO_DECIMALS = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY
    COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG IDR ILS INR
    IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN
    NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN
    SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
    ANG BGN CUC HRK LTL MRO SLL STD VEF ZWL
"""
_OTHER_DECIMALS = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
# Commerce Layer counts minor units as RubyMoney does, where the forint has none (ISO 4217 gives it two):
# https://github.com/commercelayer/app-elements packages/app-elements/src/helpers/currencies.ts
_COMMERCE_LAYER_DECIMALS = {"HUF": 0}

EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_TWO_DECIMALS.split(), 2),
    **{code: exponent for exponent, codes in _OTHER_DECIMALS.items() for code in codes.split()},
    **_COMMERCE_LAYER_DECIMALS,
}
"""Number of decimals of each currency code, as Commerce Layer counts minor units."""

INT64_MAX = 2**63 - 1


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
def amount_pattern(decimal: str = ".", thousands: str | None = None) -> re.Pattern[str]:
    """
    Return the shape of an amount: groups `sign`, `whole` (with its separators) and `fraction`.

    Only what is declared is accepted: without `thousands`, "1,234" and "1 234" have no shape.
    """
    whole = r"[0-9]+"
    if thousands:
        separator = re.escape(thousands)
        whole = rf"(?:[0-9]{{1,3}}(?:{separator}[0-9]{{3}})+|[0-9]+)"
    return re.compile(rf"(?P<sign>[+-]?)(?P<whole>{whole})(?:{re.escape(decimal)}(?P<fraction>[0-9]+))?")


def parse_amount(text: str, currency_code: str, *, decimal: str = ".", thousands: str | None = None) -> int:
    """
    Return the amount in `text` as minor units of `currency_code`.

    "1234.50" is 123450 in EUR; "1234" is 1234 in JPY (exponents: ISO 4217, with Commerce Layer's exceptions).
    A leading sign and surrounding blanks are accepted, symbols and exponents ("1e3") are not. More decimals than
    the currency has are refused even when they are zeros: "1.000" in EUR may be meant as one thousand.

    Raises AmountError when `text` is empty, has more decimals than the currency, could be read two ways
    ("1,234" without a declared separator), or does not fit 64 bits.
    """
    digits_after_point = exponent(currency_code)
    stripped = text.strip()
    if not stripped:
        raise AmountError(text, "is empty")
    match = amount_pattern(decimal, thousands).fullmatch(stripped)
    if match is None:
        raise AmountError(text, _why_not(stripped, currency_code, decimal, thousands))
    fraction = match["fraction"] or ""
    if len(fraction) > digits_after_point:
        raise AmountError(text, f"has more decimals than {currency_code}, which has {digits_after_point}")
    whole = match["whole"].replace(thousands, "") if thousands else match["whole"]
    if len(whole) > 40:  # int() of a very long text is slow, and refused by Python above 4300 digits
        raise AmountError(text, "is too large")
    cents = int(whole + fraction.ljust(digits_after_point, "0"))
    if cents > INT64_MAX:
        raise AmountError(text, "is too large")
    return -cents if match["sign"] == "-" else cents


def parse_cents(text: str) -> int:
    """
    Return the whole number of minor units in `text`, as `*_cents` columns hold it ("-1250").

    Raises AmountError when `text` is empty, is not a whole number in plain digits, or does not fit 64 bits.
    """
    stripped = text.strip()
    if not stripped:
        raise AmountError(text, "is empty")
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", stripped):
        raise AmountError(text, "is not a whole number of minor units")
    cents = int(stripped)
    if abs(cents) > INT64_MAX:
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


def _why_not(text: str, currency_code: str, decimal: str, thousands: str | None) -> str:
    if re.fullmatch(r"[+-]?[0-9]{1,3}([.,'\u2019 \u00a0\u202f][0-9]{3})*([.,][0-9]+)?", text):
        declared = f'decimal = "{decimal}"' + (f', thousands = "{thousands}"' if thousands else "")
        return f"could be read two ways, or does not follow what is declared ({declared})"
    return f"is not an amount in {currency_code}"
