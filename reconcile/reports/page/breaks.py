"""
The breaks of a page: which of them it shows, and their cells as short JSON that its script reads.

Takes the columns of `breaks.parquet` as they are; those that an earlier version did not know are null. Where breaks are
very many or very long, the largest of each currency are shown, and the page says where all of them are.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import msgspec

from reconcile.files.duckdb import connected, path_literal
from reconcile.history.published import columns_in, item_columns, read_errors
from reconcile.matching.dashboard import DASHBOARD
from reconcile.matching.policy import LABEL_OF, MEANING_OF, Status
from reconcile.reports.display import PLAIN, Display
from reconcile.schema import Row

MOST_SHOWN = 5_000
"""Breaks that a page shows at most."""

MOST_TEXT = 8 << 20
"""Characters of text in the breaks that a page shows, at most: a browser has to hold them."""

# What the script shows, searches and exports, in the order of its CSV.
_TEXTS = (
    "status", "reference", "suggestion", "accepted_reason", "accepted_until", "state", "first_seen_on", "matched_on",
    "payment_id", "payment_reference", "order_id", "order_number", "order_reference", "order_source_file",
    "order_source_line", "order_status", "payment_status", "mode", "placed_at", "payment_created_at",
    "mismatched_amounts", "payment_currency_code", "order_currency_code", "currency_code", "age_days", "data_age_days",
    "order_method", "order_carried", "item_id",
    "break_id", "changed_from_status", "changed_from_item_id", "accepted_for", "payment_gateway_name", "market_name",
    "order_source_type", "links_dashboard",
)  # fmt: skip
_LONGEST = (
    "reference",
    "payment_reference",
    "order_reference",
    "order_number",
    "accepted_reason",
    "accepted_for",
    "suggestion",
)
_AMOUNTS = {
    "payment_amount": ("payment_amount_cents", "payment_currency_code"),
    "order_amount": ("order_amount_cents", "order_currency_code"),
    "difference": ("difference_cents", "currency_code"),
    "at_stake": ("at_stake_cents", "currency_code"),
    "authorized_amount": ("authorized_amount_cents", "payment_currency_code"),
    "captured_amount": ("captured_amount_cents", "payment_currency_code"),
    "refunded_amount": ("refunded_amount_cents", "payment_currency_code"),
    "voided_amount": ("voided_amount_cents", "payment_currency_code"),
}
_MOMENTS = ("accepted_until", "first_seen_on", "placed_at", "payment_created_at")


@dataclass(frozen=True, slots=True)
class ShownBreaks:
    """
    Breaks as a page shows them, oldest and largest first.

    `json` goes into a script element as it is: it has no `<`. `shown` of `total` breaks are in it; `statuses`,
    each with its label, and `currencies` are those that occur.
    """

    json: str
    shown: int
    total: int
    statuses: tuple[tuple[str, str], ...]
    currencies: tuple[str, ...]


def shown_breaks(breaks: Path, *, display: Display = PLAIN, memory_limit: str = "1GB") -> ShownBreaks:
    """
    Return the breaks of `breaks`, a `breaks.parquet`: all of them, or the largest of each currency.

    They keep the order of the file. The page's script sorts, saves and counts by plain strings; where `display` has a
    locale, the strings to be seen come beside them. Looking for them beyond `memory_limit` goes to disk.
    Raises OutputError when the file cannot be read.
    """
    rows, total = _largest(breaks, memory_limit)
    columns: dict[str, object] = {name: _packed([_text(row[name]) for row in rows]) for name in _TEXTS}
    for name, (cents, code) in _AMOUNTS.items():
        columns[name] = _packed([PLAIN.amount(row[cents], row[code]) for row in rows])
    used = {row["status"] for row in rows}
    meanings = {status.value: meaning for status, meaning in MEANING_OF.items() if status in used}
    labels = {status: LABEL_OF[status] for status in meanings}
    document: dict[str, object] = {"rows": len(rows), "columns": columns, "labels": labels, "meanings": meanings}
    document["dashboard"] = DASHBOARD
    if display.locale is not None:
        digits = [display.count(digit) for digit in range(10)]
        written = {"group": display.group, "groups": display.groups, "decimal": display.decimal, "minus": display.minus}
        document |= {"seen": _seen(rows, display), "written": {**written, "digits": digits}}
    text = msgspec.json.encode(document).decode()
    return ShownBreaks(
        json=text.replace("<", "\\u003c"),  # no string can end the element, or open a comment in it
        shown=len(rows),
        total=total,
        statuses=tuple((status.value, LABEL_OF[status]) for status in Status if status in used),
        currencies=tuple(sorted({row["currency_code"] for row in rows if row["currency_code"]})),
    )


def _largest(breaks: Path, memory_limit: str) -> tuple[list[Row], int]:
    """Return the rows to show, in the order of the file, and how many there are in all."""
    lengths = " + ".join(f"length(coalesce({name}, ''))" for name in _LONGEST)
    # Amounts of two currencies are not compared: the largest of each, then the second largest of each, and so on.
    # Ranked by few columns, for breaks may be more than the memory holds.
    query = f"""
        WITH ranked AS (
            SELECT file_row_number AS place, at_stake_currency_code AS code,
                   row_number() OVER (PARTITION BY code ORDER BY at_stake_cents DESC, file_row_number) AS rank
            FROM breaks
        ), chosen AS (
            SELECT * FROM ranked ORDER BY rank, code NULLS LAST LIMIT {MOST_SHOWN}
        ), counted AS (
            SELECT breaks.*, code AS currency_code, at_stake_cents AS at_stake_cents,
                   sum({lengths}) OVER (ORDER BY rank, code NULLS LAST ROWS UNBOUNDED PRECEDING) AS signs
            FROM breaks JOIN chosen ON place = file_row_number
        )
        SELECT * FROM counted WHERE signs <= {MOST_TEXT} ORDER BY file_row_number
    """
    with (
        tempfile.TemporaryDirectory() as spill,
        connected(Path(spill), memory_limit) as connection,
        read_errors(breaks),
    ):
        connection.execute(
            f"""CREATE TEMP VIEW breaks AS SELECT {item_columns(columns_in(breaks).names)}, file_row_number
                FROM read_parquet({path_literal(breaks)}, hive_partitioning = false, file_row_number = true)"""
        )
        total = connection.execute("SELECT count(*) FROM breaks").fetchall()[0][0]
        return connection.sql(query).to_arrow_table().to_pylist(), total
    raise AssertionError("the block returns or raises")


def _seen(rows: Sequence[Row], display: Display) -> dict[str, object]:
    """Return the columns that look different in a locale, as they look there."""
    columns: dict[str, object] = {}
    for name, (cents, code) in _AMOUNTS.items():
        columns[name] = _packed([display.amount(row[cents], row[code]) for row in rows])
    for name in _MOMENTS:
        columns[name] = _packed([_moment(row[name], display) for row in rows])
    for name in ("age_days", "data_age_days"):
        columns[name] = _packed(["" if row[name] is None else display.count(row[name]) for row in rows])
    return columns


def _moment(value: date | None, display: Display) -> str:
    if value is None:
        return ""
    return display.minutes(value) if isinstance(value, datetime) else display.date(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _moment(value, PLAIN) if isinstance(value, date) else str(value)


def _packed(cells: Sequence[str]) -> object:
    """Return a column as it is, or as its different strings and their places, where that is shorter."""
    places = {text: place for place, text in enumerate(dict.fromkeys(cells))}
    if 2 * len(places) > len(cells):
        return cells
    return {"of": list(places), "at": [places[text] for text in cells]}
