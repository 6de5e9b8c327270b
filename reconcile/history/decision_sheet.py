"""
The sheet in which people decide about breaks: a line for each, with columns to fill in.

Knows its columns, whether a line is still about the break it was written for, and what is filled in, whatever a
spreadsheet has made of it. Which breaks there are, what may be decided about them and how that is kept is known
elsewhere; so is the form of the file (`sheet_files`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from reconcile.errors import AcceptanceError
from reconcile.files.encodings import WINDOWS
from reconcile.files.workbook_cells import Money
from reconcile.history.local_cells import amount_in, dates_in
from reconcile.money import AmountError, format_amount
from reconcile.schema import Row


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A column of the sheet: its name in CSV, its title and width in a workbook; `cells`: text, whole, day or money."""

    name: str
    title: str
    cells: str
    width: int

    @property
    def is_filled_in(self) -> bool:
        """Whether it is for people to fill in."""
        return self.name.startswith("accept_")


SHEET = (
    SheetColumn("item_id", "Item id", "text", 34),
    SheetColumn("reference", "Reference", "text", 20),
    SheetColumn("payment_id", "Payment id", "text", 14),
    SheetColumn("status", "Status code", "text", 20),
    SheetColumn("at_stake", "At stake", "money", 14),
    SheetColumn("currency_code", "Currency", "text", 10),
    SheetColumn("first_seen_on", "First seen", "day", 11),
    SheetColumn("age_days", "Age (days)", "whole", 11),
    SheetColumn("accepted_for", "Was accepted for", "text", 24),
    SheetColumn("accept_reason", "Accept because", "text", 40),
    SheetColumn("accept_until", "Accept until", "day", 14),
    SheetColumn("accept_cap", "Accept up to", "money", 14),
    SheetColumn("accept_by", "Accepted by", "text", 16),
    SheetColumn("status_label", "Status", "text", 20),
    SheetColumn("payment_amount", "Payment", "money", 14),
    SheetColumn("payment_currency_code", "Payment currency", "text", 10),
    SheetColumn("order_amount", "Order", "money", 14),
    SheetColumn("order_currency_code", "Order currency", "text", 10),
    SheetColumn("difference", "Difference", "money", 14),
    SheetColumn("data_age_days", "Age of the data (days)", "whole", 11),
    SheetColumn("suggestion", "Likely cause", "text", 40),
    SheetColumn("break", "Break as it was", "text", 30),
)
"""Columns of the file. Those that begin with `accept_` are for people to fill in; `break` is what they decide about."""

NAMES = frozenset({"break_id", *(column.name for column in SHEET)})
"""Names of columns that are read: `break_id` names a break as well."""

NAME_OF: Mapping[str, str] = MappingProxyType({column.title.casefold(): column.name for column in SHEET})
"""Title of a column, in small letters → its name."""

Line = Mapping[str, str | int | date | Money | None]
"""What stands in the columns of SHEET, by their names."""

_AGAIN = "write the file again with `reconcile breaks export` and decide again"
_TEXT_IDS = "export the breaks as .xlsx, where an id stays text, or import the column of the CSV file as text"
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")
_ID_LENGTH = 32


def line_of(row: Row, decided: Row, labels: Mapping[str, str]) -> Line:
    """
    Return the line for the break `row` (columns of ITEMS, and `currency_code`), about which `decided` stands.

    `decided` has columns of ACCEPTANCES; `labels` are the names of statuses where people read them.
    """
    code = row["currency_code"]
    seen = {column.name: row.get(column.name) for column in SHEET if not column.is_filled_in}
    return {
        **seen,
        "at_stake": _money(row["at_stake_cents"], code),
        "status_label": labels.get(row["status"], row["status"]),
        "payment_amount": _money(row.get("payment_amount_cents"), row.get("payment_currency_code")),
        "order_amount": _money(row.get("order_amount_cents"), row.get("order_currency_code")),
        "difference": _money(row.get("difference_cents"), row.get("payment_currency_code")),
        "break": _as_it_is(row),
        "accept_reason": decided.get("accepted_reason"),
        "accept_until": decided.get("accepted_until"),
        "accept_cap": _money(decided.get("cap_cents"), code),
        "accept_by": None,
    }


def break_of(cells: Mapping[str, str], breaks: Mapping[str, Row]) -> Row:
    """
    Return the one of `breaks`, by item id and break id, that the line `cells` is about.

    Raises AcceptanceError when it is about none, or about one that has changed since.
    """
    ids = [cells[name] for name in ("item_id", "break_id") if cells.get(name)]
    row = next((breaks[one] for one in ids if one in breaks), None)
    if row is not None:
        _check_unchanged(cells, row)
        return row
    if not ids:
        raise AcceptanceError("item_id is empty: the line names no break", hint=_AGAIN)
    if _NUMBER.fullmatch(ids[0]) and len(ids[0]) != _ID_LENGTH:
        raise AcceptanceError(f'item_id "{ids[0]}" is a number that a spreadsheet has made of the id', hint=_TEXT_IDS)
    raise AcceptanceError(f'"{ids[0]}" is not a break in this run', hint=_AGAIN)


def _check_unchanged(cells: Mapping[str, str], row: Row) -> None:
    now = {"status": row["status"], "break": _as_it_is(row)}
    if not cells.get("break"):  # a file of before there was this column
        now["at_stake"] = amount_text(row["at_stake_cents"], row["currency_code"])
    for name, is_now in now.items():
        if cells.get(name) and not _is_same(cells[name], is_now, row["currency_code"]):
            what = "break" if name == "break" else f"{name.replace('_', ' ')} of the break"
            raise AcceptanceError(f"the {what} is {is_now} now, not {cells[name]}", hint=_AGAIN)


def _is_same(text: str, now: str, currency_code: str | None) -> bool:
    # A spreadsheet that saves the file again writes 12.50 as 12.5, or as 12,5.
    try:
        return text == now or amount_in(text, currency_code or "") == amount_in(now, currency_code or "")
    except AmountError:
        return False


def reason_in(cells: Mapping[str, str], stands: str | None, encoding: str | None = None) -> str:
    """
    Return the reason that a line gives, or the one that `stands` where it is that as a spreadsheet saves it.

    In a file that is not in Unicode, but in `encoding`, a character of no such encoding is a question mark.
    """
    saved = (stands or "").encode(encoding or WINDOWS, "replace").decode(encoding or WINDOWS)
    of_one_end = {_LINE_END.sub("\n", text) for text in (stands or "", saved)}
    return stands if stands and _LINE_END.sub("\n", cells["accept_reason"]) in of_one_end else cells["accept_reason"]


_LINE_END = re.compile("\r\n?")


def until_in(cells: Mapping[str, str], stands: date | None = None) -> date | None:
    """
    Return the last date that a line gives, null when it gives none; of two that may be meant the one that `stands`.

    Raises AcceptanceError when it is no date, or could be two.
    """
    text = cells.get("accept_until")
    if not text:
        return None
    found = dates_in(text)
    if stands in found:
        return stands
    if not found:
        raise AcceptanceError(f'accept_until "{text}" is not a date', hint="write it like 2026-12-31")
    if len(found) > 1:
        raise AcceptanceError(
            f'accept_until "{text}" could be {" or ".join(map(str, found))}', hint=f"write it like {found[0]}"
        )
    return found[0]


def cap_in(cells: Mapping[str, str], currency_code: str | None, stands: int | None = None) -> str | None:
    """
    Return the cap that a line gives as a decimal of `currency_code`, null when it gives none.

    Raises AcceptanceError when it is no amount, could be two, or is that which `stands` without its decimal sign.
    """
    text = cells.get("accept_cap")
    if not text or currency_code is None:
        return text or None
    try:
        cents = amount_in(text, currency_code)
    except AmountError as error:
        hint = f"write it as an amount of {currency_code}, like 12.50"
        raise AcceptanceError(f"cap: {error}", hint=hint) from error
    known = amount_text(stands, currency_code)
    if "." in known and text == known.replace(".", "").lstrip("0"):
        raise AcceptanceError(
            f"cap {text}: it may be the {known} of before, of which a spreadsheet has lost the decimal sign",
            hint=f"write {known}, or {format_amount(cents, currency_code)}",
        )
    return amount_text(cents, currency_code)


def amount_text(cents: int | None, currency_code: str | None) -> str:
    """Return `cents`, minor units of `currency_code`, as a decimal; nothing where no currency says what they are."""
    return "" if currency_code is None or cents is None else format_amount(cents, currency_code)


def _money(cents: int | None, currency_code: str | None) -> Money | None:
    return None if cents is None or currency_code is None else Money(cents, currency_code)


def _as_it_is(row: Row) -> str:
    """Return what there is to decide about, in words that no spreadsheet takes for a number or a date."""
    amount = amount_text(row["at_stake_cents"], row["currency_code"])
    return " ".join(part for part in (row["status"], amount, row["currency_code"]) if part)
