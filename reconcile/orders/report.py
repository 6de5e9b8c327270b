"""
What reading order totals reports: each file or query as it was read, and how many rows came of it.

Values only, for the manifest and for people; reads nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Literal

from msgspec import Struct, to_builtins

from reconcile.schema import Count, Currency, means

LeftOutReason = Literal["only", "skip_rows", "withdrawn"]


class LeftOut(Struct, frozen=True):
    """Rows that were left out as declared, of one value and currency."""

    reason: Annotated[LeftOutReason, means("the setting of [orders] by which they are left out")]
    column: Annotated[str, means("the file's own name of the column that says so")]
    value: Annotated[str | None, means("its value; null: all those that are not among the 20 most frequent")]
    currency_code: Currency
    rows: Annotated[Count, means("rows")]
    amount_cents: Annotated[int, means("sum of those amounts that can be read")]
    unread: Annotated[Count, means("rows whose amount cannot be read")] = 0


TidiedKind = Literal["guard", "formula", "placeholder", "whole", "merged", "invisible"]


class TidiedCells(Struct, frozen=True):
    """Keys of one column that were read as they are meant, not as they are written."""

    kind: Annotated[
        TidiedKind,
        means(
            'guard: without the apostrophe of a spreadsheet; formula: the text of ="…"; placeholder: NULL and '
            "the like, read as blank; whole: without .0, as declared; merged: of a cell for several rows; "
            "invisible: has characters that are not seen, and keeps them"
        ),
    ]
    column: Annotated[str, means("the file's own name of the column")]
    cells: Annotated[Count, means("cells")]


@dataclass(frozen=True, slots=True)
class CurrencyTotal:
    """Rows of one currency and their sum, in minor units; the currency is null where rows have none."""

    currency_code: str | None
    rows: int
    amount_cents: int


@dataclass(frozen=True, slots=True)
class OrderFile:
    """
    One file as it was read.

    `bytes` and `sha256` are those of the file as it came; `rows` became orders, `rejects` are rows that did not;
    `columns` maps our columns to the file's own names, `unread` are its others. `encoding`, `delimiter`, `quote` are
    None where the format has none; so is `sheet`, and `other_sheets` have the columns too but were not read.
    `floats` are columns of binary floats, read at 15 digits; `untold` is what the reader of a spreadsheet does not tell
    of its cells. `continuation_rows` and `left_out` others were left out as declared. `system` is the program whose
    columns these are, and `taken` what its format always is and nobody has declared, by the names of the settings.

    A query's result is reported in the same way: `path` is the database, `bytes` and `sha256` are those of the cells
    read, `query_sha256` is that of its text, and `ordered` says whether it asks for an order of its rows.
    """

    path: str
    format: str
    compression: str | None
    bytes: int
    sha256: str
    rows: int
    rejects: int
    encoding: str | None
    delimiter: str | None
    quote: str | None
    columns: dict[str, str]
    unread: tuple[str, ...] = ()
    sheet: str | None = None
    other_sheets: tuple[str, ...] = ()
    floats: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    continuation_rows: int = 0
    left_out: int = 0
    query_sha256: str | None = None
    ordered: bool = True
    system: str | None = None
    taken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrdersReport:
    """
    Rows read, rows rejected (each once, whatever the number of its unreadable cells), and the files.

    `continuation_rows` were left out as further rows of an order, where the user has declared such; `left_out` are all
    other rows that were. `totals` are the sums of the rows read; `tidied` are keys that were read as they are meant.
    """

    rows: int
    rejects: int
    files: tuple[OrderFile, ...]
    continuation_rows: int = 0
    left_out: tuple[LeftOut, ...] = ()
    totals: tuple[CurrencyTotal, ...] = ()
    tidied: tuple[TidiedCells, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain values, for a manifest."""
        return {**asdict(self), "left_out": to_builtins(self.left_out), "tidied": to_builtins(self.tidied)}


ChangeKind = Literal["before", "added", "repeated", "replaced", "withdrawn", "after"]


class BookTotal(Struct, frozen=True):
    """The order book in one currency."""

    currency_code: Currency
    rows: Annotated[Count, means("order rows")]
    amount_cents: Annotated[int, means("their sum")]


class BookChange(Struct, frozen=True):
    """What one delivery did to the order book in one currency, by kind."""

    kind: Annotated[
        ChangeKind,
        means("added; repeated: as it was; replaced: by other rows of its key; withdrawn: taken out as the row says"),
    ]
    currency_code: Currency
    rows_out: Annotated[Count, means("rows that left the book")]
    amount_out_cents: Annotated[int, means("their sum")]
    rows_in: Annotated[Count, means("rows that came into it")]
    amount_in_cents: Annotated[int, means("their sum")]


@dataclass(frozen=True, slots=True)
class BookReport:
    """
    An order book brought up to date: totals before and after, what changed.

    `unlike` keys were replaced by fewer rows, or have another order number now beside the one they had; `unlike_keys`
    are some of them.
    """

    before: tuple[BookTotal, ...]
    changes: tuple[BookChange, ...]
    after: tuple[BookTotal, ...]
    unlike: int
    unlike_keys: tuple[str, ...]
