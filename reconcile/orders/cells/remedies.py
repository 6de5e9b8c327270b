"""
What to do about a cell or a row that cannot be read: the option to add, or what to correct in the export.

Knows every reason of a reject, and which declaration would fit the cell. Declares nothing itself: a cell that could be
read with another declaration says so, and stays a reject.
"""

from __future__ import annotations

import re
import shlex
from itertools import product

from reconcile.money import EXPONENTS
from reconcile.orders.cells.tidied import A_FLOAT, LOST_DIGITS
from reconcile.orders.format import OrderFormat

CONTINUES = "if further rows of an order are empty here, add --continuation-rows empty: they are excluded and counted"

# Reason (as it begins) → remedy, where the cell makes no difference.
_BY_REASON = (
    ("is too large", "correct the amount: no order is that large"),
    ("is not a whole number of minor units", "if amounts have decimals here, add --amount-unit major"),
    ("is in ", "give the amount in whole minor units, in a column whose name ends in _cents"),
    (
        "does not say debit or credit",
        "write S, D, DR or debit for what is owed, and H, C, CR or credit for what is paid back",
    ),
    ("has a debit and a credit", "write an amount on one side only, or name another column with --amount-column"),
    ("has no declared sign", "add --sign VALUE=+ or VALUE=- for it"),
    ("has a sign of its own", 'export amounts without a sign, or add --sign-column "" where their own sign is right'),
    (
        "has text after a closing quote",
        "double the quotes inside the cell, or add --quote '' where quotes mean nothing",
    ),
    (
        "is several rows in one",
        "double the quotes inside cells, or add --quote '' where quotes mean nothing",
    ),
    ("has a space before an opening quote", "remove the space, or add --quote '' where quotes mean nothing"),
    (
        LOST_DIGITS,
        "format the column as text before the numbers are entered, or export it from the program that has the orders",
    ),
    (A_FLOAT, "if 100408.0 is 100408 here, add --float-keys whole; else export the column as text"),
    ("is not a JSON object", "write every row as an object of column names and values"),
    ("is neither text nor a number", "write text or a number here, not a list, an object or true and false"),
    ("occurs more than once", "write every column once in an object"),
)
_DATES = (  # shape, how to declare it, and where the month may come first, how else
    (r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}", "%d.%m.%Y", None),
    (r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}", "%d/%m/%Y", "%m/%d/%Y"),
    (r"[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}", "%d-%m-%Y", "%m-%d-%Y"),
    (r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}", "%Y/%m/%d", None),
    (r"[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,2}", "%Y.%m.%d", None),
    (r"[A-Z][a-z]{2} [0-9]{1,2}, [0-9]{4}", "%b %d, %Y", None),
    (r"[0-9]{8}", "%Y%m%d", None),
)
_TIMES = (
    (r"", ""),
    (r"\s+[0-9]{1,2}:[0-9]{2}", " %H:%M"),
    (r"\s+[0-9]{1,2}:[0-9]{2}:[0-9]{2}", " %H:%M:%S"),
    (r"\s+[0-9]{1,2}:[0-9]{2}:[0-9]{2} [AP]M", " %H:%M:%S %p"),
)
_QUOTE = '"'
_UNREAD = 'to leave dates unread, add --ordered-on-column ""'
_BESIDE_CURRENCY = re.compile(r"[0-9-] ?([A-Z]{3}|[€£$¥]|kr\.?|zł)$|^([A-Z]{3}|[€£$¥]|kr\.?) ?[+-]?[0-9]")
_OF_FORMS = {
    "parentheses": re.compile(r"\([^()]+\)"),
    "trailing_minus": re.compile(r"[0-9].*-"),
    "cr_dr": re.compile(r".*[0-9] ?(CR|DR)", re.IGNORECASE),
    "soll_haben": re.compile(r".*[0-9] ?[HS]"),
}
_ONE_SIGN = re.compile(r"[+-]*[0-9]+([.,])[0-9]{1,2}")
_GROUPED = re.compile(r"[+-]*[0-9]{1,3}(?:([.,'\u2019 \u00a0\u202f])[0-9]{3})+([.,])[0-9]+")


def remedy_of(role: str | None, reason: str, value: str | None, form: OrderFormat, currency: str | None = None) -> str:
    """Return what to do about `value` in the column of `role` (None: the whole row), which is rejected for `reason`."""
    text = (value or "").strip()
    if reason.startswith("is not a date like"):
        return f"correct the date, or --date-format; {_UNREAD}"
    for beginning, remedy in _BY_REASON:
        if reason.startswith(beginning):
            return remedy
    if role == "currency":
        return _of_currency(text)
    if role == "ordered_on":
        return _of_date(text)
    if role == "amount":
        return _of_amount(reason, text, form, currency)
    if (footer := footer_of(reason, value)) is not None:
        return f"if it is a footer, add --skip-rows {quoted(footer)}; else export the row again"
    if "the header has" in reason:
        return "quote cells that hold the delimiter, and export the row again"
    return "correct it in the file, or export it again"


def footer_of(reason: str, value: str | None) -> str | None:
    """Return the pattern that leaves a row out that is rejected for having one cell alone; None for any other."""
    text = (value or "").strip()
    return text.strip(_QUOTE) if text and reason.startswith("has 1 cell,") else None


def quoted(text: str) -> str:
    """Return the value of an option as a shell takes it: in double quotes, unless it has a sign that counts in them."""
    return shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'


def _of_currency(text: str) -> str:
    if not text:
        return "fill it in, or add --currency CODE if all rows without one are in it; remove total rows"
    return "export the code of ISO 4217, such as EUR, not a name or a symbol"


def _of_date(text: str) -> str:
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return f"correct the date; {_UNREAD}"
    for (date, written, other), (time, behind) in product(_DATES, _TIMES):
        if re.fullmatch(date + time, text):
            or_else = f', or "{other}{behind}" where the month comes first' if other else ""
            return f'add --date-format "{written}{behind}"{or_else}; {_UNREAD}'
    return f'add --date-format, such as "%d.%m.%Y"; {_UNREAD}'


def _of_amount(reason: str, text: str, form: OrderFormat, currency: str | None) -> str:
    if not text:
        return "fill it in; a total row or an order line is not an order: export without them"
    if separators := _separators(text, form):
        return separators
    if "two ways" in reason:
        return "if that is how amounts are written here, add --decimal , or --thousands with its character"
    if "more decimals" in reason:
        return _of_decimals(text, currency, form)
    for name, shape in _OF_FORMS.items():
        if name not in form.accounting and shape.fullmatch(text):
            return f"if amounts are written like this, add --accounting {name}"
    if "currency" not in form.accounting and _BESIDE_CURRENCY.search(text):
        return "export amounts without a currency; if it is that of the row, add --accounting currency"
    return "export plain digits with at most one decimal separator"


def _separators(text: str, form: OrderFormat) -> str | None:
    """
    Return what to declare for the decimal separator and the thousands separator of `text`, None where it is not
    sure.
    """
    one = _ONE_SIGN.fullmatch(text)
    if one and one[1] != (form.decimal or "."):
        return f"if the {'comma' if one[1] == ',' else 'point'} separates decimals, add --decimal {one[1]}"
    grouped = _GROUPED.fullmatch(text)
    if grouped and grouped[1] != grouped[2]:
        space = "\u00a0\u202f"
        sign = "a no-break space" if grouped[1] in space else f"'{grouped[1]}'" if grouped[1] == " " else grouped[1]
        return f"if that is how amounts are written here, add --decimal {grouped[2]} --thousands {sign}"
    return None


def _of_decimals(text: str, currency: str | None, form: OrderFormat) -> str:
    fraction = re.split(r"[.,]", text)[-1]
    if EXPONENTS.get(currency or "") == 0:
        return "export the amount as it is shown, without decimals: stored with two, it may be off by a factor of 100"
    if fraction == "000" and form.decimal != "," and form.thousands is None:
        return "if it means thousands, add --decimal , --thousands . ; else export two decimals"
    return "export the decimals of the currency: nothing is rounded here"
