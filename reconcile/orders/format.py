"""
How an order file says what it says: its columns, its number format, its dialect, its encoding.

Knows which of these declarations are possible at all.
"""

from __future__ import annotations

import codecs
import re
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import force_setattr

from reconcile.errors import SettingsError
from reconcile.money import ACCOUNTING_FORMS, AMOUNT_BASES, CURRENCIES

_THOUSANDS = (".", ",", "'", "\u2019", "_", " ", "\u00a0", "\u202f")
CONTINUATIONS = ("empty", "repeated")
DOWNLOAD_LIMIT = "4GB"
_SIZE = re.compile(r"\s*([0-9]{1,15}) ?([KMGT]?B)\s*", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_NO_ENCODINGS_OF_FILES = ("undefined", "punycode", "idna", "unicode-escape", "raw-unicode-escape")
_DELIMITER_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


def _column(role: str, meaning: str, example: str) -> Meta:
    return Meta(
        description=f"column with the {meaning}",
        examples=[example],
        extra={"table": "columns", "key": role, "metavar": "NAME"},
    )


class OrderFormat(Struct, frozen=True, kw_only=True):
    """
    What the user declares about the order files: `[orders]` of the settings. None is "find it in the file".

    `*_column` name a column of the file (`""` for an optional one: leave it unread). `amount_basis` is the column of
    `reconcile.money.AMOUNT_BASES` that wins where a Commerce Layer export has several amounts; a time with an offset is
    of its day in `time_zone`. `quote=""`: no cell is quoted. `continuation_rows` are left out and counted.

    Raises SettingsError when a declaration is impossible; the delimiter may be a word (`tab`).
    """

    reference_column: Annotated[str | None, _column("reference", "reference", "Our reference")] = None
    amount_column: Annotated[str | None, _column("amount", "order total", "Gross total")] = None
    currency_column: Annotated[str | None, _column("currency", "currency", "Currency")] = None
    order_number_column: Annotated[str | None, _column("order_number", "order number", "Order no.")] = None
    order_id_column: Annotated[str | None, _column("order_id", "Commerce Layer order id", "Commerce Layer id")] = None
    ordered_on_column: Annotated[str | None, _column("ordered_on", "order date", "Order date")] = None
    document_column: Annotated[
        str | None,
        Meta(
            description="column with the document's own number, by which a later delivery replaces rows",
            examples=["Invoice no."],
            extra={"name": "row_column", "table": "columns", "key": "row", "metavar": "NAME"},
        ),
    ] = None
    method_column: Annotated[
        str | None,
        Meta(
            description="column with the payment method, where the files have orders of all methods",
            examples=["Payment method"],
            extra={"table": "/population", "metavar": "NAME"},
        ),
    ] = None
    sign_column: Annotated[
        str | None, _column("sign", "debit and credit, which makes credits negative", "Debit/Credit")
    ] = None
    currency: Annotated[
        str | None,
        Meta(
            description="currency of all rows, where the files have no such column",
            examples=["EUR"],
            extra={"metavar": "CODE"},
        ),
    ] = None
    amount_basis: str = AMOUNT_BASES[0]
    time_zone: str = "UTC"
    amount_unit: Annotated[
        Literal["minor", "major"] | None,
        Meta(
            description="unit of amounts: whole cents (minor), or decimals (major); "
            "default: minor in columns named ...cents, else major",
            examples=["minor"],
        ),
    ] = None
    decimal: Annotated[str, Meta(description='decimal separator of amounts: "." or ","', extra={"metavar": "CHAR"})] = (
        "."
    )
    thousands: Annotated[
        str | None,
        Meta(
            description="thousands separator of amounts; default: none",
            examples=[" "],
            extra={"metavar": "CHAR"},
        ),
    ] = None
    accounting: Annotated[
        tuple[str, ...],
        Meta(
            description='forms that amounts may have: "(12.00)", "12.00-", "12.00 CR", "12,00 H", "12.00 EUR"',
            examples=[["parentheses"]],
            extra={"choices": tuple(ACCOUNTING_FORMS)},
        ),
    ] = ()
    date_format: Annotated[
        str | None,
        Meta(
            description='how dates are written, such as "%d.%m.%Y" (as strptime has it); default: ISO 8601',
            examples=["%d.%m.%Y"],
            extra={"metavar": "FORMAT"},
        ),
    ] = None
    continuation_rows: Annotated[
        Literal["empty", "repeated"] | None,
        Meta(
            description="leave out further rows of an order, where its total is empty or repeated in them",
            examples=["empty"],
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        Meta(
            description="column separator of text files; default: detected",
            examples=[";"],
            extra={"metavar": "CHAR"},
        ),
    ] = None
    quote: Annotated[
        str | None,
        Meta(
            description="quote character of text files; default: detected",
            examples=["'"],
            extra={"metavar": "CHAR"},
        ),
    ] = None
    encoding: Annotated[
        str | None,
        Meta(
            description="encoding of text files; default: UTF-8, or by byte order mark",
            examples=["cp1252"],
            extra={"metavar": "NAME"},
        ),
    ] = None
    sheet: Annotated[
        str | None,
        Meta(
            description="sheet of a spreadsheet; default: the first visible one that has the columns",
            examples=["Orders"],
            extra={"metavar": "NAME"},
        ),
    ] = None
    download_limit: Annotated[
        str,
        Meta(
            description="maximum size of a file fetched from an address, or read from standard input",
            extra={"metavar": "SIZE"},
        ),
    ] = DOWNLOAD_LIMIT

    def __post_init__(self) -> None:
        """Refuse what cannot be, and spell what can in one way."""
        force_setattr(self, "thousands", self.thousands or None)
        force_setattr(self, "accounting", tuple(self.accounting))
        if self.delimiter is not None:
            force_setattr(self, "delimiter", _DELIMITER_WORDS.get(self.delimiter, self.delimiter))
        if self.currency is not None:
            force_setattr(self, "currency", self.currency.strip().upper())
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
    "document": "--row-column",
    "method": "--method-column",
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
    if form.date_format is not None and not _is_date_format(form.date_format):
        raise SettingsError(
            f'date_format "{form.date_format}" is not a format of dates',
            hint='name day, month and year, as in "%d.%m.%Y" (31.12.2026); YYYY-MM-DD is always the ISO date',
        )


def _is_date_format(text: str) -> bool:
    from reconcile.orders.dates import is_date_format  # with it comes Arrow, which a command's help does without

    return is_date_format(text)


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


DETECTED = OrderFormat()
"""Nothing is declared: all is found in the file."""
