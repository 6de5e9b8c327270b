"""
Which declarations about order files are possible at all, each problem with what to write; and their one spelling.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from msgspec.structs import force_setattr

from reconcile.errors import SettingsError
from reconcile.money import ACCOUNTING_FORMS, CURRENCIES, ORDER_TOTALS, THOUSANDS

if TYPE_CHECKING:
    from reconcile.orders.format import OrderFormat

_CONTINUATIONS = ("empty", "repeated")
_NO_ENCODINGS_OF_FILES = ("undefined", "punycode", "idna", "unicode-escape", "raw-unicode-escape")
_THOUSANDS_AS = {
    **dict.fromkeys(("space", "\u00a0", "\u202f", "\u2009"), " "),
    **dict.fromkeys(("apostrophe", "\u2019"), "'"),
}  # each stands for all of its kind
_DELIMITER_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}


def spell_format(form: OrderFormat) -> None:
    """Put every declaration that has several spellings into one of them."""
    force_setattr(form, "thousands", _THOUSANDS_AS.get(form.thousands or "", form.thousands) or None)
    for name in ("debit_column", "credit_column"):
        force_setattr(form, name, getattr(form, name) or None)
    if form.delimiter is not None:
        force_setattr(form, "delimiter", _DELIMITER_WORDS.get(form.delimiter, form.delimiter))
    if form.currency is not None:
        force_setattr(form, "currency", form.currency.strip().upper())
    for name in ("only", "withdrawn"):
        force_setattr(form, name, {column: tuple(values) for column, values in getattr(form, name).items()})
    for name in ("accounting", "skip_rows", "carry"):
        force_setattr(form, name, tuple(getattr(form, name)))


def check_format(form: OrderFormat) -> None:
    """Raise SettingsError for the first declaration that is impossible."""
    for check in (
        _check_columns,
        _check_money,
        _check_rows,
        _check_left_out,
        _check_carried,
        _check_dialect,
        _check_encoding,
        _check_limit,
    ):
        check(form)


def _check_columns(form: OrderFormat) -> None:
    if form.amount_column == "":
        raise SettingsError("--amount-column is empty", hint="every order file needs this column")
    if (form.debit_column is None) != (form.credit_column is None):
        raise SettingsError("only one of --debit-column and --credit-column is named", hint="name both")
    if form.debit_column is not None and (form.amount_column or form.sign_column):
        raise SettingsError(
            "--debit-column and --credit-column are named beside --amount-column or --sign-column",
            hint="amounts are either in two columns, or in one: leave out the others",
        )
    if wrong := {value: sign for value, sign in form.signs.items() if sign not in ("+", "-") or not value.strip()}:
        value, sign = next(iter(wrong.items()))
        raise SettingsError(f'sign {value}="{sign}" is neither "+" nor "-"', hint="write it like RETURN=-")
    if form.signs and not form.sign_column:
        raise SettingsError("there are signs, and no column that has them", hint="name it with --sign-column")
    if form.amount_basis not in ORDER_TOTALS:
        raise SettingsError(
            f'amount_basis "{form.amount_basis}" is unknown', hint=f"use one of {', '.join(ORDER_TOTALS)}"
        )


def _check_money(form: OrderFormat) -> None:
    if form.currency is not None and form.currency not in CURRENCIES:
        raise SettingsError(
            f'currency "{form.currency}" is not an ISO 4217 currency code', hint="write it like EUR, SEK or GBP"
        )
    if form.decimal not in (None, ".", ","):
        raise SettingsError(f'decimal "{form.decimal}" is not a decimal separator', hint='use "." or ","')
    if form.thousands is not None and form.thousands not in THOUSANDS:
        raise SettingsError(
            f'thousands "{form.thousands}" is not a thousands separator',
            hint='use ".", ",", "_", space or apostrophe',
        )
    if form.thousands is not None and form.thousands == (form.decimal or "."):
        raise SettingsError(
            f'decimal and thousands are both "{form.thousands}"', hint="an amount could be read two ways: change one"
        )
    if form.grouping == "indian" and form.thousands is None:
        raise SettingsError("grouping is indian, and there is no thousands separator", hint="add --thousands ,")


def _check_rows(form: OrderFormat) -> None:
    unknown = sorted(set(form.accounting) - set(ACCOUNTING_FORMS))
    if unknown:
        raise SettingsError(f'accounting "{unknown[0]}" is unknown', hint=f"use any of {', '.join(ACCOUNTING_FORMS)}")
    if form.amount_unit not in (None, "minor", "major"):
        raise SettingsError(f'amount_unit "{form.amount_unit}" is unknown', hint="use minor (whole cents) or major")
    if form.continuation_rows not in (None, *_CONTINUATIONS):
        raise SettingsError(
            f'continuation_rows "{form.continuation_rows}" is unknown', hint=f"use one of {', '.join(_CONTINUATIONS)}"
        )
    if form.header_line is not None and form.header_line < 1:
        raise SettingsError(f"header_line {form.header_line} is not a line: they count from 1")
    if form.date_format is not None and not _is_date_format(form.date_format):
        raise SettingsError(
            f'date_format "{form.date_format}" is not a format of dates',
            hint='name day, month and year, as in "%d.%m.%Y" (31.12.2026); YYYY-MM-DD is always the ISO date',
        )


def _check_left_out(form: OrderFormat) -> None:
    for table, rules, example in (("only", form.only, '"sale"'), ("withdrawn", form.withdrawn, '"cancelled"')):
        for column, values in rules.items():
            if not column.strip() or not values:
                what = f'{table} names no values of column "{column}"' if column.strip() else f"{table} names no column"
                raise SettingsError(what, hint=f"write [orders.{table}] and below it: COLUMN = [{example}]")


def _check_carried(form: OrderFormat) -> None:
    if any(not column.strip() for column in form.carry) or len(set(form.carry)) < len(form.carry):
        raise SettingsError(
            "carry names no column, or one twice", hint='write columns of the order files: carry = ["Country"]'
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
