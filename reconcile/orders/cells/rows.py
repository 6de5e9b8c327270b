"""
Cells as read to rows of ORDERS: clean key, exact amount, known currency, date; or a reject with its reason and remedy.

Knows what every column of ORDERS means. Does not know where the cells come from: a leaf (`delimited`, `json_text`,
`parquet_table`) hands them over as text, batch by batch, and nothing here keeps more than one batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.keys import clean_key
from reconcile.money import CURRENCIES, EXPONENTS
from reconcile.orders.cells.amounts import read_cents, read_decimals, with_signs
from reconcile.orders.cells.continuations import Edge, edges, starts_with_continuation, without_continuations
from reconcile.orders.cells.remedies import CONTINUES, remedy_of
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.dates import read_dates
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import RawRows
from reconcile.orders.rejects import Reject
from reconcile.schema import ORDERS

_ASCII_BLANKS = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f "  # what str.strip() strips of ASCII text


@dataclass(frozen=True, slots=True)
class OrderRows:
    """
    Good rows as a table of ORDERS, and rejects in the order of their lines.

    `continued` rows were left out, as the user declared. `first` and `last` are the cells of the batch at its edges,
    where the batch before must be known to know whether the first row continues its last.
    """

    table: pa.Table
    rejects: tuple[Reject, ...] = ()
    continued: int = 0
    first: Edge | None = None
    last: Edge | None = None

    @property
    def rejected_rows(self) -> int:
        """Number of rows with at least one reject: a row is counted once."""
        return len({reject.line for reject in self.rejects})

    def after(self, before: Edge | None, form: OrderFormat) -> OrderRows:
        """Return these rows without the first one, if it continues the order of the row `before`."""
        if self.first is None or not starts_with_continuation(self.first, before, form.continuation_rows):
            return self
        line = self.first.line
        kept = self.table.filter(pc.not_equal(self.table["source_line"], line))
        rejects = tuple(reject for reject in self.rejects if reject.line != line)
        return replace(self, table=kept, rejects=rejects, continued=self.continued + 1)


def order_rows(raw: RawRows, columns: ColumnMap, form: OrderFormat, *, source_file: str) -> OrderRows:
    """Return the rows of `raw` as ORDERS; a row with any unreadable cell is not in the table."""
    if form.continuation_rows is None:
        return _order_rows(raw, columns, form, source_file)
    first, last = edges(raw)
    kept, continued = without_continuations(raw, form.continuation_rows)
    return replace(_order_rows(kept, columns, form, source_file), continued=continued, first=first, last=last)


def _order_rows(raw: RawRows, columns: ColumnMap, form: OrderFormat, source_file: str) -> OrderRows:
    count = len(raw.lines)
    nothing = pa.nulls(count, pa.string())
    codes, exponents, found_currency = _currencies(raw.cells.get("currency"), count, form.currency)
    amounts, found_amount = _amounts(raw, codes, exponents, columns, form)
    found_amount |= _empty(raw.cells["amount"], found_currency)
    amounts, found_sign = with_signs(amounts, raw.cells.get("sign"))
    days, found_date = read_dates(
        raw.cells.get("ordered_on", nothing), date_format=form.date_format, time_zone=form.time_zone
    )
    found = {
        "amount": (raw.cells["amount"], found_amount),
        "currency": (raw.cells.get("currency", nothing), found_currency),
        "ordered_on": (raw.cells.get("ordered_on", nothing), found_date),
        "sign": (raw.cells.get("sign", nothing), found_sign),
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
            clean_keys(raw.cells.get("method", nothing)),
            clean_keys(raw.cells.get("document", nothing)),
            pa.nulls(count, pa.date32()),
        ],
        schema=ORDERS,
    )
    rejects = [*_with_remedies(raw.rejects, columns, form), *_rejects(found, raw, columns, codes, form)]
    if not rejects:
        return OrderRows(table)
    bad = pa.array(sorted({reject.line for reject in rejects}), pa.int64())
    kept = table.filter(pc.invert(pc.is_in(table["source_line"], value_set=bad)))
    return OrderRows(kept, tuple(sorted(rejects, key=lambda reject: reject.line)))


def clean_keys(texts: Column) -> Column:
    """Return `clean_key` of every string: ASCII is read by the column, the rest one by one."""
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
    # Only ASCII has one upper case: str.upper() makes "ISK" of "ısk" too.
    meant = [(text.strip().upper() if text.isascii() else text.strip()) or default or "" for text in texts]
    known = [code if code in CURRENCIES else None for code in meant]
    exponents = pc.take(pa.array([EXPONENTS.get(code or "") for code in known], pa.int8()), written.indices)
    codes = pa.DictionaryArray.from_arrays(written.indices, pa.array(known, pa.string()))
    reasons: dict[int, str] = {}
    if None in known:
        why = ["is not an ISO 4217 currency code" if code else "is empty" for code in meant]
        rows = pc.indices_nonzero(pc.is_null(codes))
        places = written.indices.take(rows).to_pylist()
        reasons = {row: why[place] for row, place in zip(rows.to_pylist(), places, strict=True)}
    return codes, exponents, reasons


def _amounts(
    raw: RawRows, codes: Column, exponents: Column, columns: ColumnMap, form: OrderFormat
) -> tuple[Column, dict[int, str]]:
    texts = raw.cells["amount"]
    accounting = tuple(form.accounting)
    if columns.amount_is_cents:
        return read_cents(texts, accounting=accounting)
    read = partial(read_decimals, decimal=form.decimal, thousands=form.thousands, accounting=accounting)
    if raw.literal is None or (form.decimal == "." and form.thousands is None):
        amounts, reasons = read(texts, codes, exponents)
    else:
        # Every text is read both ways, each with the other kind hidden: a hidden row has no decimals, hence no reason.
        as_text, reasons = read(texts, codes, pc.if_else(raw.literal, None, exponents))
        literal = pc.if_else(raw.literal, exponents, None)
        as_number, more = read_decimals(texts, codes, literal, decimal=".", thousands=None)
        amounts, reasons = pc.coalesce(as_number, as_text), reasons | more
    return amounts, reasons | _without_decimals(codes, exponents)


def _without_decimals(codes: Column, exponents: Column) -> dict[int, str]:
    """Return the reason for rows in a currency that is not counted in decimals."""
    if exponents.null_count == codes.null_count:
        return {}
    rows = pc.indices_nonzero(pc.and_(pc.is_null(exponents), pc.is_valid(codes))).to_pylist()
    return {row: f"is in {codes[row].as_py()}, which is not counted in decimals" for row in rows}


def _empty(texts: Column, rows: Iterable[int]) -> dict[int, str]:
    """Return the reason for those of `rows` that have no amount: that much is known without a currency."""
    return {row: "is empty" for row in rows if not (texts[row].as_py() or "").strip()}


def _rejects(
    found: Mapping[str, tuple[Column, dict[int, str]]],
    raw: RawRows,
    columns: ColumnMap,
    codes: Column,
    form: OrderFormat,
) -> list[Reject]:
    rejects = []
    for role, (texts, reasons) in found.items():
        if not reasons:
            continue
        name = columns.name(role) if role in columns.positions else None
        rows = pa.array(list(reasons), pa.int64())
        told = (column.take(rows).to_pylist() for column in (raw.lines, texts, codes.cast(pa.string())))
        for (row, reason), line, value, code in zip(reasons.items(), *told, strict=True):
            if reason == "is empty" and _continues(raw, row):
                remedy = CONTINUES
            else:
                remedy = remedy_of(role, reason, value, form, code)
            rejects.append(Reject(line, name, value, reason, remedy))
    return rejects


def _continues(raw: RawRows, row: int) -> bool:
    """Whether a row without an amount has the reference of the row above: it may be a further one of its order."""
    if row == 0 or (raw.cells["amount"][row].as_py() or "").strip():
        return False
    reference = raw.cells["reference"]
    mine: str = reference[row].as_py() or ""
    return bool(mine.strip()) and mine == reference[row - 1].as_py()


def _with_remedies(rejects: Sequence[Reject], columns: ColumnMap, form: OrderFormat) -> list[Reject]:
    """Give rejects of a leaf the remedy for their reason, where the leaf knows none itself."""
    roles = {columns.name(role): role for role in columns.positions}
    return [
        replace(one, remedy=one.remedy or remedy_of(roles.get(one.column or ""), one.reason, one.value, form))
        for one in rejects
    ]
