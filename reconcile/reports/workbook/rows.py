"""
Rows of a worksheet, put together by DuckDB as the XML that XLSX holds: one string per row, streamed into the file.

Knows the columns of the sheets and how a cell of each kind is written. Does not know files, styles or formulas: a cell
names its style by number, and every string is inline, so that nothing of it is ever a formula, a link or markup.

Source: ECMA-376 part 1, 18.3.1.4 (cells), 18.3.1.53 (inline strings), 22.9.2.19 (characters that XML cannot hold).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconcile.figures.summary import NO_CURRENCY
from reconcile.files.duckdb import text_literal
from reconcile.files.workbook_cells import MOST_CELL_CHARACTERS, MOST_EXACT
from reconcile.matching.policy import LABEL_OF
from reconcile.money import EXPONENTS
from reconcile.schema import ITEMS, REJECTS


@dataclass(frozen=True, slots=True)
class WorkbookColumn:
    """
    One column of a sheet: its title, how its cells are written, the SQL of its values, its width in characters.

    `cells` is text, whole, claim, day, instant or money; money is in minor units of `currency` (SQL too).
    """

    title: str
    cells: str
    sql: str
    width: int
    currency: str = "NULL"


_PAYMENT, _ORDER = "payment_currency_code", "order_currency_code"
_LABELS = " ".join(f"WHEN {text_literal(status)} THEN {text_literal(label)}" for status, label in LABEL_OF.items())
ITEM_COLUMNS = (
    WorkbookColumn("Status", "text", f"CASE status {_LABELS} ELSE status END", 20),
    WorkbookColumn("Kind", "text", "kind", 8),
    WorkbookColumn("State", "text", "state", 10),
    WorkbookColumn("Age (days)", "whole", "age_days", 11),
    WorkbookColumn("Age of the data (days)", "whole", "data_age_days", 11),
    WorkbookColumn("Reference", "text", "reference", 20),
    WorkbookColumn("Payment currency", "text", _PAYMENT, 10),
    WorkbookColumn("Payment", "money", "payment_amount_cents", 14, _PAYMENT),
    WorkbookColumn("Order currency", "text", _ORDER, 10),
    WorkbookColumn("Order", "money", "order_amount_cents", 14, _ORDER),
    WorkbookColumn("Difference", "money", "difference_cents", 14, _PAYMENT),
    # A formula can ask for a word, not for nothing.
    WorkbookColumn("Currency", "text", f"coalesce(at_stake_currency_code, '{NO_CURRENCY}')", 10),
    WorkbookColumn("At stake", "money", "at_stake_cents", 14, "at_stake_currency_code"),
    WorkbookColumn("Likely cause", "text", "suggestion", 40),
    WorkbookColumn("Accepted because", "text", "accepted_reason", 24),
    WorkbookColumn("Accepted until", "day", "accepted_until", 14),
    WorkbookColumn("Accepted no longer, was for", "text", "accepted_for", 24),
    WorkbookColumn("First seen", "day", "first_seen_on", 11),
    WorkbookColumn("Last seen", "day", "last_seen_on", 11),
    WorkbookColumn("Matched on", "text", "matched_on", 13),
    WorkbookColumn("Payment id", "text", "payment_id", 14),
    WorkbookColumn("Payment reference", "text", "payment_reference", 20),
    WorkbookColumn("Order id", "text", "order_id", 14),
    WorkbookColumn("Order number", "text", "order_number", 14),
    WorkbookColumn("Order reference", "text", "order_reference", 20),
    WorkbookColumn("Order file", "text", "order_source_file", 24),
    WorkbookColumn("Line", "whole", "order_source_line", 8),
    WorkbookColumn("Order row reference", "text", "row_reference", 20),
    WorkbookColumn("Order row number", "text", "row_order_number", 14),
    WorkbookColumn("Ordered on", "day", "ordered_on", 11),
    WorkbookColumn("Payment method", "text", "order_method", 14),
    WorkbookColumn("At stake currency", "text", "at_stake_currency_code", 10),
    WorkbookColumn("Amount basis", "text", "amount_basis", 30),
    WorkbookColumn("API says mismatched", "claim", "mismatched_amounts", 12),
    WorkbookColumn("Amounts agree", "claim", "amounts_agree", 12),
    WorkbookColumn("Order status", "text", "order_status", 13),
    WorkbookColumn("Payment status", "text", "payment_status", 14),
    WorkbookColumn("Mode", "text", "mode", 7),
    WorkbookColumn("Placed at (UTC)", "instant", "placed_at", 19),
    WorkbookColumn("Payment created (UTC)", "instant", "payment_created_at", 21),
    WorkbookColumn("Payment updated (UTC)", "instant", "payment_updated_at", 21),
    WorkbookColumn("Status code", "text", "status", 20),
    WorkbookColumn("Code in the run before", "text", "changed_from_status", 20),
    WorkbookColumn("Item in the run before", "text", "changed_from_item_id", 34),
    WorkbookColumn("Market", "text", "market_name", 14),
    WorkbookColumn("Payment gateway", "text", "payment_gateway_name", 18),
    WorkbookColumn("Authorized", "money", "authorized_amount_cents", 14, _PAYMENT),
    WorkbookColumn("Captured", "money", "captured_amount_cents", 14, _PAYMENT),
    WorkbookColumn("Refunded", "money", "refunded_amount_cents", 14, _PAYMENT),
    WorkbookColumn("Voided", "money", "voided_amount_cents", 14, _PAYMENT),
    WorkbookColumn("Carried", "text", "order_carried", 24),
    WorkbookColumn("Order paid by", "text", "order_source_type", 18),
    WorkbookColumn("Dashboard", "text", "links_dashboard", 24),
    WorkbookColumn("Item id", "text", "item_id", 34),
    WorkbookColumn("Break id", "text", "break_id", 34),
)
"""Breaks and items, what people ask first on the left: ITEMS but for date and run, which are those of the workbook."""

LAST_PRINTED = next(place for place, column in enumerate(ITEM_COLUMNS) if column.sql == "suggestion")
"""Place of the last column of ITEM_COLUMNS that a page of paper has room for."""

REJECT_COLUMNS = tuple(
    WorkbookColumn(
        name.replace("_", " ").capitalize(),
        "whole" if name == "source_line" else "text",
        f'"{name}"::BIGINT' if name == "source_line" else f'"{name}"',
        {"source_line": 11, "reason": 60, "remedy": 60}.get(name, 24),
    )
    for name in REJECTS.names
)
"""Rows that could not be read, as `reconcile.orders.rejects` reads them: without the guard that only a CSV needs."""

assert {column.sql for column in ITEM_COLUMNS} >= set(ITEMS.names) - {"business_date", "run_id", "is_break"}


def letters(index: int) -> str:
    """Return the letters of a column by its place from 0: A, B, … Z, AA."""
    text = ""
    index += 1
    while index:
        index, place = divmod(index - 1, 26)
        text = chr(ord("A") + place) + text
    return text


def rows_sql(
    columns: Sequence[WorkbookColumn], relation: str, *, rows: int, styles: Mapping[str, int], currencies: Sequence[str]
) -> str:
    """
    Return SQL that gives the first `rows` rows of `relation` as XML, from row 2 of the sheet on, in their order.

    `styles` are the numbers of the styles: text, whole, claim, day, instant, long, minor, and money0 to money4 by a
    currency's decimals. `currencies` are the codes that may occur; amounts of any other stay in minor units.
    """
    cells = [_cell(place, column.cells, styles, currencies) for place, column in enumerate(columns)]
    values = [f"{column.sql} AS v{place}" for place, column in enumerate(columns)]
    codes = [f"{column.currency} AS c{place}" for place, column in enumerate(columns) if column.cells == "money"]
    return f"""
        SELECT concat('<row r="', n, '">', {", ".join(cells)}, '</row>') FROM (
            SELECT (1 + row_number() OVER ())::VARCHAR AS n, {", ".join(values + codes)}
            FROM (FROM {relation} LIMIT {rows}))
    """


def text_xml(text_sql: str) -> str:
    """Return SQL for the element `<t>` of a string (SQL too); characters that XML cannot hold are shown as �."""
    special = text_literal(r"[&<>\x00-\x1f\x{fffe}\x{ffff}]|_x[0-9A-Fa-f]{4}_|^ | $")
    no_xml = text_literal(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]")
    most = MOST_CELL_CHARACTERS
    short = f"CASE WHEN length({text_sql}) > {most} THEN left({text_sql}, {most - 1}) || '…'"
    whole = f"{short} ELSE {text_sql} END"
    # A reader takes _x0041_ for the character of that number: one that was in the text says so.
    for sign, entity in (
        ("'_x'", "'_x005F_x'"),
        ("'&'", "'&amp;'"),
        ("'<'", "'&lt;'"),
        ("'>'", "'&gt;'"),
        ("chr(13)", "'&#13;'"),
    ):
        whole = f"replace({whole}, {sign}, {entity})"
    whole = f"regexp_replace({whole}, {no_xml}, '�', 'g')"
    is_special = f"(strlen({text_sql}) > {MOST_CELL_CHARACTERS} OR regexp_matches({text_sql}, {special}))"
    return (
        f"CASE WHEN {is_special} THEN '<t xml:space=\"preserve\">' || {whole} || '</t>' "
        f"ELSE '<t>' || {text_sql} || '</t>' END"
    )


def _cell(place: int, cells: str, styles: Mapping[str, int], currencies: Sequence[str]) -> str:
    """Return SQL for the cell of value `v…` and currency `c…` in row `n`, NULL where there is nothing."""
    value = f"v{place}"
    start = f"""'<c r="{letters(place)}' || n || '" s="' || """
    if cells == "money":
        return start + _money(value, f"c{place}", styles, currencies)
    if cells == "day":
        return start + _if_known(value, f"({value} - DATE '1899-12-30')", styles["day"], styles["text"])
    if cells == "instant":
        number = f"(epoch_ms({value}) / 86400000.0 + 25569)"
        return start + _if_known(value, number, styles["instant"], styles["text"])
    if cells == "claim":
        return f"""{start}'{styles["claim"]}" t="b"><v>' || {value}::INT::VARCHAR || '</v></c>'"""
    return start + (_number(value, styles["whole"]) if cells == "whole" else _text(value, styles["text"]))


def _number(number: str, style: int) -> str:
    return f"""'{style}"><v>' || {number}::VARCHAR || '</v></c>'"""


def _text(text: str, style: int) -> str:
    return f"""'{style}" t="inlineStr"><is>' || {text_xml(text)} || '</is></c>'"""


def _if_known(moment: str, number: str, style: int, text_style: int) -> str:
    # A spreadsheet's calendar begins in 1900, with a 29 February that was none, and ends with the year 9999.
    known = f"{moment} >= DATE '1900-03-01' AND {moment} < DATE '9999-12-31'"
    return f"CASE WHEN {known} THEN {_number(number, style)} ELSE {_text(f'{moment}::VARCHAR', text_style)} END"


def _money(cents: str, currency: str, styles: Mapping[str, int], currencies: Sequence[str]) -> str:
    by_decimals: dict[int, list[str]] = {}
    for code in currencies:
        if code in EXPONENTS:
            by_decimals.setdefault(EXPONENTS[code], []).append(text_literal(code))
    rungs = [
        f"WHEN {currency} IN ({', '.join(codes)}) THEN {_amount(cents, decimals, styles[f'money{decimals}'], styles)}"
        for decimals, codes in by_decimals.items()
    ]
    in_minor_units = _amount(cents, 0, styles["minor"], styles)
    return f"(CASE {' '.join(rungs)} ELSE {in_minor_units} END)" if rungs else f"({in_minor_units})"


def _amount(cents: str, decimals: int, style: int, styles: Mapping[str, int]) -> str:
    number = digits = f"{cents}::VARCHAR"
    if decimals:
        unit, size = 10**decimals, f"abs({cents}::HUGEINT)"
        number = f"({cents} / {unit}.0::DOUBLE)"  # rightly rounded: the double that is nearest to the amount
        whole, fraction = f"({size} // {unit})::VARCHAR", f"lpad(({size} % {unit})::VARCHAR, {decimals}, '0')"
        digits = f"(CASE WHEN {cents} < 0 THEN '-' ELSE '' END || {whole} || '.' || {fraction})"
    long = f"""'{styles["long"]}" t="inlineStr"><is><t>' || {digits} || '</t></is></c>'"""
    is_exact = f"{cents} BETWEEN {-MOST_EXACT} AND {MOST_EXACT}"
    return f"CASE WHEN {is_exact} THEN {_number(number, style)} ELSE {long} END"
