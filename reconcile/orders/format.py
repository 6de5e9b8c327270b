"""
How an order file says what it says: its columns, its number format, its dialect, its encoding.

Knows which of these declarations are possible at all. Does not look at a file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from reconcile.errors import SettingsError
from reconcile.money import ACCOUNTING_FORMS, CURRENCIES
from reconcile.orders.dates import is_date_format
from reconcile.schema import AMOUNT_BASES

_THOUSANDS = (".", ",", "'", "\u2019", "_", " ", "\u00a0", "\u202f")
CONTINUATIONS = ("empty", "repeated")
DOWNLOAD_LIMIT = "4GB"
_SIZE = re.compile(r"\s*([0-9]{1,15}) ?([KMGT]?B)\s*", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_NO_ENCODINGS_OF_FILES = ("undefined", "punycode", "idna", "unicode-escape", "raw-unicode-escape")
_DELIMITER_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


class Declared(TypedDict, total=False):
    """The fields of OrderFormat, as the keywords of the functions that read orders."""

    reference_column: str | None
    amount_column: str | None
    currency_column: str | None
    order_number_column: str | None
    order_id_column: str | None
    ordered_on_column: str | None
    sign_column: str | None
    currency: str | None
    amount_basis: str
    amount_unit: str | None
    decimal: str
    thousands: str | None
    accounting: Sequence[str]
    date_format: str | None
    continuation_rows: str | None
    delimiter: str | None
    quote: str | None
    encoding: str | None
    sheet: str | None
    download_limit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFormat:
    """
    What the user declares about the order files; None is "find it in the file".

    `*_column` name a column of the file (`""` for an optional one: leave it unread). `currency` is that of every
    amount without a currency of its own. `amount_basis` is the column of `reconcile.schema.AMOUNT_BASES` that wins
    where a Commerce Layer export has several amounts. `amount_unit` is "minor" for whole minor units and "major" for
    decimals (default: "minor" for names that end in "cents"). `decimal` and `thousands` are the separators of amounts,
    `accounting` the forms of `reconcile.money.ACCOUNTING_FORMS` they may have; `sign_column` tells debits and credits
    apart. `date_format` is how dates are written, as `strptime` has it (default: ISO 8601). `continuation_rows` says
    what the further rows of one order have in place of its total: nothing ("empty"), or the same again ("repeated");
    they are then left out and counted.
    `delimiter` and `quote` those of cells (`quote=""`: no cell is quoted), `encoding` is a name Python knows,
    `sheet` the sheet of a spreadsheet. `download_limit` is the size up to which a file is fetched, like "4GB".

    Raises SettingsError when a declaration is impossible; the delimiter may be a word (`tab`).
    """

    reference_column: str | None = None
    amount_column: str | None = None
    currency_column: str | None = None
    order_number_column: str | None = None
    order_id_column: str | None = None
    ordered_on_column: str | None = None
    sign_column: str | None = None
    currency: str | None = None
    amount_basis: str = AMOUNT_BASES[0]
    amount_unit: str | None = None
    decimal: str = "."
    thousands: str | None = None
    accounting: Sequence[str] = ()
    date_format: str | None = None
    continuation_rows: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    download_limit: str = DOWNLOAD_LIMIT

    def __post_init__(self) -> None:
        """Refuse what cannot be, and spell what can in one way."""
        object.__setattr__(self, "thousands", self.thousands or None)
        object.__setattr__(self, "accounting", tuple(self.accounting))
        if self.delimiter is not None:
            object.__setattr__(self, "delimiter", _DELIMITER_WORDS.get(self.delimiter, self.delimiter))
        if self.currency is not None:
            object.__setattr__(self, "currency", self.currency.strip().upper())
        for check in (_check_columns, _check_money, _check_rows, _check_dialect, _check_encoding, _check_limit):
            check(self)

    @property
    def names_columns(self) -> bool:
        """Whether any column is named by the user."""
        return any(self.column(role) is not None for role in COLUMN_OPTIONS)

    @property
    def download_limit_bytes(self) -> int:
        """The size in bytes up to which a file is fetched."""
        found = _SIZE.fullmatch(self.download_limit)
        return int(found[1]) * _UNITS[found[2].upper()] if found else 0

    def column(self, role: str) -> str | None:
        """Return the column the user named for `role`, None where they named none."""
        name: str | None = getattr(self, f"{role}_column")
        return name


COLUMN_OPTIONS = {
    "reference": "--reference-column",
    "amount": "--amount-column",
    "currency": "--currency-column",
    "order_number": "--order-number-column",
    "order_id": "--order-id-column",
    "ordered_on": "--ordered-on-column",
    "sign": "--sign-column",
}
"""What a column of an order file can be, and the option that names it."""


def _check_columns(form: OrderFormat) -> None:
    for role in ("reference", "amount"):
        if form.column(role) == "":
            raise SettingsError(f"{COLUMN_OPTIONS[role]} is empty", hint="every order file needs this column")
    if form.amount_basis not in AMOUNT_BASES:
        raise SettingsError(
            f'amount_basis "{form.amount_basis}" is unknown', hint=f"use one of {', '.join(AMOUNT_BASES)}"
        )


def _check_money(form: OrderFormat) -> None:
    if form.currency is not None and form.currency not in CURRENCIES:
        raise SettingsError(
            f'currency "{form.currency}" is not an ISO 4217 currency code', hint="write it like EUR, SEK or GBP"
        )
    if form.decimal not in (".", ","):
        raise SettingsError(f'decimal "{form.decimal}" is not a decimal separator', hint='use "." or ","')
    if form.thousands is not None and form.thousands not in _THOUSANDS:
        raise SettingsError(
            f'thousands "{form.thousands}" is not a thousands separator',
            hint="use a point, a comma, an apostrophe, an underscore or a space",
        )
    if form.thousands == form.decimal:
        raise SettingsError(
            f'decimal and thousands are both "{form.decimal}"', hint="an amount could be read two ways: change one"
        )


def _check_rows(form: OrderFormat) -> None:
    unknown = sorted(set(form.accounting) - set(ACCOUNTING_FORMS))
    if unknown:
        raise SettingsError(f'accounting "{unknown[0]}" is unknown', hint=f"use any of {', '.join(ACCOUNTING_FORMS)}")
    if form.amount_unit not in (None, "minor", "major"):
        raise SettingsError(f'amount_unit "{form.amount_unit}" is unknown', hint="use minor (whole cents) or major")
    if form.continuation_rows not in (None, *CONTINUATIONS):
        raise SettingsError(
            f'continuation_rows "{form.continuation_rows}" is unknown', hint=f"use one of {', '.join(CONTINUATIONS)}"
        )
    if form.date_format is not None and not is_date_format(form.date_format):
        raise SettingsError(
            f'date_format "{form.date_format}" is not a format of dates',
            hint='name day, month and year, as in "%d.%m.%Y" (31.12.2026); YYYY-MM-DD is always the ISO date',
        )


def _check_dialect(form: OrderFormat) -> None:
    if form.quote is not None and form.quote not in ("", '"', "'"):
        raise SettingsError(f"quote {form.quote!r} is not possible", hint="use \", ', or nothing for no quotes")
    delimiter = form.delimiter
    if delimiter is None:
        return
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter.isalnum() or delimiter in "\"'\r\n\0\\":
        raise SettingsError(
            f"delimiter {delimiter!r} is not possible",
            hint="use one ASCII character that is not a letter, a digit, a quote or a line end; tab is written `tab`",
        )


def _check_encoding(form: OrderFormat) -> None:
    if form.encoding is None:
        return
    try:
        codec = codecs.lookup(form.encoding)
        is_text = codec._is_text_encoding and codec.name.replace("_", "-") not in _NO_ENCODINGS_OF_FILES
    except (LookupError, ValueError):
        is_text = False
    if not is_text:
        raise SettingsError(
            f'encoding "{form.encoding}" is unknown', hint="use a name like utf-8, cp1252, iso-8859-15 or utf-16-le"
        )


def _check_limit(form: OrderFormat) -> None:
    if not form.download_limit_bytes:
        raise SettingsError(
            f'download_limit "{form.download_limit}" is not a size', hint="write it like 500MB or 4GB; B, KB and TB too"
        )
