"""
The CSV file in which people decide about breaks: a line for each, with columns to fill in.

Knows the form of the file, and whether a line is still about the break it was written for. Which breaks there are,
what may be decided about them and how that is kept is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from reconcile.errors import AcceptanceError
from reconcile.files.csv_text import NotCsv, csv_line, csv_table
from reconcile.files.disk import disk_errors, replacing
from reconcile.files.formula_guard import guarded, unguarded
from reconcile.money import format_amount
from reconcile.schema import Row

SHEET = (
    "item_id",
    "reference",
    "payment_id",
    "status",
    "at_stake",
    "currency_code",
    "first_seen_on",
    "age_days",
    "accepted_for",
    "accept_reason",
    "accept_until",
    "accept_cap",
    "accept_by",
)
"""Columns of the file. Those that begin with `accept_` are for people to fill in."""


def write_lines(destination: Path, rows: Iterable[Row], standing: Mapping[str, Row]) -> None:
    """
    Write the breaks `rows` (columns of ITEMS, and `currency_code`) to `destination`, with columns SHEET.

    What stands is filled in: `standing` has the columns of ACCEPTANCES by item id.
    Raises OutputError when the file cannot be written.
    """
    with (
        disk_errors(destination),
        replacing(destination) as partial,
        partial.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(csv_line(SHEET))
        file.writelines(csv_line(_line(row, standing.get(row["item_id"], {}))) for row in rows)


def lines_filled_in(sheet: Path) -> list[tuple[int, dict[str, str]]]:
    """
    Return number and cells, by column, of the lines of `sheet` that give a reason.

    Reason and name come back as they stand there; around other cells blanks mean nothing.
    Raises AcceptanceError when the file cannot be read or a required column is missing.
    """
    try:
        table = csv_table(sheet.read_bytes().decode("utf-8-sig"))
    except NotCsv as error:
        raise AcceptanceError(f"{sheet}:{error.line}: {error.problem}", hint="correct the line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise AcceptanceError(f"{sheet}: cannot be read: {error}", hint="it is CSV in UTF-8") from error
    missing = [name for name in ("item_id", "accept_reason") if name not in table.names]
    if missing:
        raise AcceptanceError(
            f'{sheet}:1: there is no column "{missing[0]}"', hint="`reconcile breaks export` writes such a file"
        )
    lines = [(row.line, {name: _cell(name, text) for name, text in table.by_name(row).items()}) for row in table.rows]
    return [(line, cells) for line, cells in lines if cells["accept_reason"].strip()]


def _cell(column: str, text: str) -> str:
    found = unguarded(text)
    return found if column in ("accept_reason", "accept_by") else found.strip()


def why_stale(cells: Mapping[str, str], row: Row | None) -> str:
    """Return why a line cannot be taken for the break `row` as it is now (null: there is none); nothing when it can."""
    if row is None:
        return f'"{cells["item_id"]}" is not a break in this run'
    at_stake = amount_text(row["at_stake_cents"], row["currency_code"])
    for name, now in (("status", row["status"]), ("at_stake", at_stake)):
        if cells.get(name) and _without_zeros(cells[name]) != _without_zeros(now):
            return f"the {name.replace('_', ' ')} of the break is {now} now, not {cells[name]}"
    return ""


def until_in(cells: Mapping[str, str]) -> date | None:
    """Return the last date that a line gives, null when it gives none. Raises AcceptanceError when it is no date."""
    text = cells.get("accept_until")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise AcceptanceError(f'accept_until "{text}" is not a date', hint="write it like 2026-12-31") from None


def amount_text(cents: int, currency_code: str | None) -> str:
    """Return `cents`, minor units of `currency_code`, as a decimal; nothing where no currency says what they are."""
    return "" if currency_code is None else format_amount(cents, currency_code)


def _line(row: Row, decided: Row) -> tuple[object, ...]:
    """Return the cells of SHEET for the break `row`, about which `decided` stands."""
    cap = decided.get("cap_cents")
    return (
        row["item_id"],
        guarded(row["reference"] or ""),
        guarded(row["payment_id"] or ""),
        row["status"],
        amount_text(row["at_stake_cents"], row["currency_code"]),
        guarded(row["currency_code"] or ""),
        row["first_seen_on"],
        row["age_days"],
        guarded(row["accepted_for"] or ""),
        guarded(decided.get("accepted_reason") or ""),
        decided.get("accepted_until"),
        "" if cap is None else amount_text(cap, row["currency_code"]),
        "",
    )


def _without_zeros(text: str) -> str:
    # A spreadsheet that saves the file again writes 12.50 as 12.5.
    return text.rstrip("0").rstrip(".") if "." in text else text
