"""
How an order file says what it says: its columns, its number format, its dialect, its encoding.

Which of these declarations are possible at all, and in which spelling they are kept, is known by `format_checks`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from msgspec import Meta, Struct

from reconcile.money import ACCOUNTING_FORMS, ORDER_TOTALS
from reconcile.orders.format_checks import check_format, spell_format

DOWNLOAD_LIMIT = "4GB"
_SIZE = re.compile(r"\s*([0-9]{1,15}) ?([KMGT]?B)\s*", re.IGNORECASE)
_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


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
    `reconcile.money.ORDER_TOTALS` that wins where a Commerce Layer export has several amounts; a time with an offset is
    of its day in `time_zone`. `quote=""`: no cell is quoted. `continuation_rows` are left out and counted, and so are
    rows by `only`, `skip_rows` and `withdrawn`; their columns, and those of `carry`, have the files' own names.

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
    debit_column: Annotated[
        str | None, _column("debit", "debits, where amounts stand in two columns; they are positive", "")
    ] = None
    credit_column: Annotated[str | None, _column("credit", "credits beside it; they are negative", "")] = None
    signs: Annotated[
        dict[str, str],
        Meta(
            description='"+" or "-" for values of the sign column, such as { RETURN = "-" }; where none is "+", all '
            "others are",
            examples=[{"RETURN": "-"}],
            extra={"name": "sign", "metavar": "VALUE=SIGN"},
        ),
    ] = {}
    currency: Annotated[
        str | None,
        Meta(
            description="currency of all rows, where the files have no such column",
            examples=["EUR"],
            extra={"metavar": "CODE"},
        ),
    ] = None
    amount_basis: str = ORDER_TOTALS[0]
    time_zone: str = "UTC"
    amount_unit: Annotated[
        Literal["minor", "major"] | None,
        Meta(
            description="unit of amounts: whole cents (minor), or decimals (major); "
            "default: minor in columns named ...cents, else major",
            examples=["minor"],
        ),
    ] = None
    decimal: Annotated[
        str | None,
        Meta(
            description='decimal separator of amounts: "." or ","; default: a point, or as the program that wrote the '
            "file always has it",
            examples=[","],
            extra={"metavar": "CHAR"},
        ),
    ] = None
    thousands: Annotated[
        str | None,
        Meta(
            description='thousands separator of amounts: ".", ",", "_", "space" (any blank) or "apostrophe"; '
            "default: none",
            examples=["space"],
            extra={"metavar": "CHAR"},
        ),
    ] = None
    grouping: Annotated[
        Literal["thousands", "indian"],
        Meta(description="how digits are grouped: thousands (1,234,567), or indian (12,34,567)"),
    ] = "thousands"
    accounting: Annotated[
        tuple[str, ...],
        Meta(
            description='forms that amounts may have: "(12.00)", "<12.00>", "12.-", "12.00 CR", "12,00 H", '
            '"12.00 EUR", "12.00-", "- 12.00"',
            examples=[["parentheses"]],
            extra={"choices": tuple(ACCOUNTING_FORMS)},
        ),
    ] = ()
    float_keys: Annotated[
        Literal["whole"] | None,
        Meta(
            description='"whole": keys that were numbers are read without their decimals, 100408.0 as 100408, and '
            "number cells of .xls and .ods files as their digits",
            examples=["whole"],
        ),
    ] = None
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
    only: Annotated[
        dict[str, tuple[str, ...]],
        Meta(
            description="columns of the files with the values that rows of orders have there; rows with another are "
            "left out and counted; * and ? stand for other characters",
            examples=[{"Type": ["sale", "refund*"]}],
            extra={"metavar": "COLUMN=VALUE"},
        ),
    ] = {}
    skip_rows: Annotated[
        tuple[str, ...],
        Meta(
            description="leave out and count rows, such as footers, of which a key or the first filled cell is this; * "
            'and ? stand for other characters, "" for rows without any key',
            examples=[["Total", "*** end of file ***"]],
            extra={"metavar": "PATTERN"},
        ),
    ] = ()
    withdrawn: Annotated[
        dict[str, tuple[str, ...]],
        Meta(
            description="columns of the files with the values that cancelled orders have there; such rows are left out "
            "and counted; * and ? stand for other characters",
            examples=[{"Status": ["cancelled"]}],
            extra={"metavar": "COLUMN=VALUE"},
        ),
    ] = {}
    carry: Annotated[
        tuple[str, ...],
        Meta(
            description="columns of the files that are kept beside the totals, to break figures down by",
            examples=[["Country"]],
            extra={"metavar": "COLUMN"},
        ),
    ] = ()
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
    header_line: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="line of a text file that has the names of the columns; lines above it are left out; "
            "default: found",
            examples=[4],
            extra={"metavar": "N"},
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
    records: Annotated[
        str | None,
        Meta(
            description='list with the rows in a JSON file, as the keys that lead to it, "" if one object is one row; '
            "default: its only list of objects",
            examples=["data.orders"],
            extra={"metavar": "PATH"},
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
        spell_format(self)
        check_format(self)

    @property
    def names_columns(self) -> bool:
        """Whether any column is named by the user."""
        return any(self.column(role) is not None for role in COLUMN_OPTIONS)

    @property
    def marks(self) -> tuple[str, ...]:
        """The columns by whose values rows are left out, withdrawn or broken down, as the user names them."""
        return tuple(dict.fromkeys((*self.only, *self.withdrawn, *self.carry)))

    @property
    def leaves_rows_out(self) -> bool:
        """Whether rows are left out by what stands in their cells."""
        return bool(self.only or self.skip_rows or self.withdrawn)

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
    "debit": "--debit-column",
    "credit": "--credit-column",
}
"""What a column of an order file can be, and the option that names it."""


DETECTED = OrderFormat()
"""Nothing is declared: all is found in the file."""
