"""
Cells as read to rows of ORDERS: clean key, exact amount, known currency, ISO date; or a reject with its reason.

Knows what every column of ORDERS means. Does not know where the cells come from: a leaf (`delimited`, `json_text`,
`parquet_table`) hands them over as text, batch by batch, and nothing here keeps more than one batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from reconcile.arrow import Column
from reconcile.arrow import compute as pc
from reconcile.keys import clean_key
from reconcile.money import EXPONENTS
from reconcile.orders.amounts import read_cents, read_decimals
from reconcile.orders.columns import ColumnMap
from reconcile.orders.opened import RawRows
from reconcile.orders.options import OrderFormat
from reconcile.orders.rejects import Reject
from reconcile.schema import ORDERS

# ISO 8601, extended: a date, or a date and a time of day (cut away, as is its zone: the date is the one written).
_TIME = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))?"
_ISO_DATE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({_TIME})?$"
_ASCII_BLANKS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "  # what str.strip() strips of ASCII text


@dataclass(frozen=True, slots=True)
class OrderRows:
    """Good rows as a table of ORDERS, rejects in the order of their lines, and how many rows those are."""

    table: pa.Table
    rejects: tuple[Reject, ...] = ()

    @property
    def rejected_rows(self) -> int:
        """Number of rows with at least one reject: a row is counted once."""
        return len({reject.line for reject in self.rejects})


def order_rows(raw: RawRows, columns: ColumnMap, form: OrderFormat, *, source_file: str) -> OrderRows:
    """Return the rows of `raw` as ORDERS; a row with any unreadable cell is not in the table."""
    count = len(raw.lines)
    nothing = pa.nulls(count, pa.string())
    codes, exponents, found_currency = _currencies(raw.cells.get("currency"), count, form.currency)
    amounts, found_amount = _amounts(raw, codes, exponents, columns, form)
    found_amount |= _empty(raw.cells["amount"], found_currency)
    days, found_date = _dates(raw.cells.get("ordered_on", nothing))
    found = {
        "amount": (raw.cells["amount"], found_amount),
        "currency": (raw.cells.get("currency", nothing), found_currency),
        "ordered_on": (raw.cells.get("ordered_on", nothing), found_date),
    }
    table = pa.table(
        [
            clean_keys(raw.cells["reference"]),
            clean_keys(raw.cells.get("order_number", nothing)),
            clean_keys(raw.cells.get("order_id", nothing)),
            amounts,
            codes.cast(pa.string()),
            days,
            pa.repeat(pa.scalar(source_file, pa.string()), count),
            raw.lines,
            raw.cells["reference"],
            raw.cells["amount"],
        ],
        schema=ORDERS,
    )
    rejects = [*raw.rejects, *_rejects(found, raw.lines, columns)]
    if not rejects:
        return OrderRows(table)
    bad = pa.array(sorted({reject.line for reject in rejects}), pa.int64())
    kept = table.filter(pc.invert(pc.is_in(table["source_line"], value_set=bad)))
    return OrderRows(kept, tuple(sorted(rejects, key=lambda reject: reject.line)))


def clean_keys(texts: Column) -> Column:
    """Return `clean_key` of every text: ASCII is read by the column, the rest one by one."""
    if texts.null_count == len(texts):
        return texts
    trimmed = pc.ascii_trim(texts, characters=_ASCII_BLANKS)
    empty = pc.equal(pc.binary_length(trimmed), 0)
    keys: Column = pc.if_else(empty, None, trimmed) if pc.any(empty).as_py() else trimmed
    ascii_only = pc.string_is_ascii(texts)
    if pc.all(ascii_only).as_py() is not False:
        return keys
    others = pc.fill_null(pc.invert(ascii_only), False)
    cleaned = [clean_key(text) for text in texts.filter(others).to_pylist() if text is not None]
    filled: Column = pc.replace_with_mask(keys, others, pa.array(cleaned, pa.string()))
    return filled


def _currencies(cells: Column | None, count: int, default: str | None) -> tuple[Column, Column, dict[int, str]]:
    """Return the code (dictionary) and the number of decimals (int8) per row, null where the reason is given."""
    if cells is None:
        cells = pa.nulls(count, pa.string())
    written = pc.fill_null(cells, "").dictionary_encode()
    texts = written.dictionary.to_pylist()
    meant = [text.strip().upper() or default or "" for text in texts]
    known = [code if code in EXPONENTS else None for code in meant]
    exponents = pc.take(pa.array([EXPONENTS[code] if code else None for code in known], pa.int8()), written.indices)
    codes = pa.DictionaryArray.from_arrays(written.indices, pa.array(known, pa.string()))
    reasons: dict[int, str] = {}
    if None in known:
        why = ["is not an ISO 4217 currency code" if code else "is empty" for code in meant]
        rows = pc.indices_nonzero(pc.is_null(exponents))
        places = written.indices.take(rows).to_pylist()
        reasons = {row: why[place] for row, place in zip(rows.to_pylist(), places, strict=True)}
    return codes, exponents, reasons


def _amounts(
    raw: RawRows, codes: Column, exponents: Column, columns: ColumnMap, form: OrderFormat
) -> tuple[Column, dict[int, str]]:
    texts = raw.cells["amount"]
    if columns.amount_is_cents:
        return read_cents(texts)
    if raw.literal is None or (form.decimal == "." and form.thousands is None):
        return read_decimals(texts, codes, exponents, decimal=form.decimal, thousands=form.thousands)
    # Every text is read both ways, each with the other kind hidden: a hidden row has no currency, hence no reason.
    as_text, reasons = read_decimals(
        texts, codes, pc.if_else(raw.literal, None, exponents), decimal=form.decimal, thousands=form.thousands
    )
    as_number, more = read_decimals(texts, codes, pc.if_else(raw.literal, exponents, None), decimal=".", thousands=None)
    return pc.coalesce(as_number, as_text), reasons | more


def _empty(texts: Column, rows: Iterable[int]) -> dict[int, str]:
    """Return the reason for those of `rows` that have no amount: that much is known without a currency."""
    return {row: "is empty" for row in rows if not (texts[row].as_py() or "").strip()}


def _dates(texts: Column) -> tuple[Column, dict[int, str]]:
    """Return date32 per text, null for null and blank ones, and the reason per unreadable row index."""
    if texts.null_count == len(texts):
        return pa.nulls(len(texts), pa.date32()), {}
    written = texts.dictionary_encode()  # many orders have one date: each is read once
    trimmed = pc.ascii_trim_whitespace(written.dictionary)
    shaped = pc.match_substring_regex(trimmed, _ISO_DATE)
    heads = pc.if_else(shaped, pc.utf8_slice_codeunits(trimmed, 0, 10), None).dictionary_encode()
    days = pc.take(pa.array([_day(text) for text in heads.dictionary.to_pylist()], pa.date32()), heads.indices)
    found = pc.take(days, written.indices)
    if found.null_count == texts.null_count:
        return found, {}
    rows = pc.indices_nonzero(pc.and_(pc.is_null(found), pc.is_valid(texts)))
    places = zip(rows.to_pylist(), texts.take(rows).to_pylist(), strict=True)
    return found, {row: "is not an ISO date (YYYY-MM-DD)" for row, text in places if text and text.strip()}


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _rejects(found: Mapping[str, tuple[Column, dict[int, str]]], lines: Column, columns: ColumnMap) -> list[Reject]:
    return [
        Reject(lines[i].as_py(), columns.name(role) if role in columns.positions else None, texts[i].as_py(), reason)
        for role, (texts, reasons) in found.items()
        for i, reason in reasons.items()
    ]
