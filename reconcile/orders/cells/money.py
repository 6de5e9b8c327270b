"""
What the rows of a batch are worth: currency, exact amount and sign, or the reason why that cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.money import CURRENCIES, EXPONENTS, PLACEHOLDERS, SYMBOLS
from reconcile.orders.cells.amounts import read_cents, read_decimals, with_sides, with_signs
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import RawRows


@dataclass(frozen=True, slots=True)
class ReadMoney:
    """
    Currency and amount per row: ISO 4217 (a dictionary), and int64 minor units; null where they cannot be read.

    `reasons` says why, by role and row.
    """

    codes: Column
    amounts: Column
    reasons: Mapping[str, dict[int, str]]


def read_money(raw: RawRows, columns: ColumnMap, form: OrderFormat) -> ReadMoney:
    """Return what the rows of `raw` are worth; an amount whose currency or sign cannot be read may be there."""
    codes, exponents, found_currency = _currencies(raw.cells.get("currency"), len(raw.lines), form.currency)
    amounts, found_amount = _amounts(raw, codes, exponents, columns, form)
    found_amount |= _empty(raw.cells["amount"], found_currency)
    amounts, found_sign = with_signs(amounts, raw.cells.get("sign"), form.signs)
    amounts, found_side = with_sides(amounts, raw.cells.get("side"))
    found_amount |= found_side
    return ReadMoney(codes, amounts, {"amount": found_amount, "currency": found_currency, "sign": found_sign})


def known_amounts(money: ReadMoney) -> Column:
    """Return the amounts of those rows whose amount, currency and sign can all be read, null for the others."""
    unknown = sorted({row for rows in money.reasons.values() for row in rows})
    if not unknown:
        return money.amounts
    rows = pa.array(range(len(money.amounts)), pa.int64())
    known: Column = pc.if_else(pc.is_in(rows, value_set=pa.array(unknown, pa.int64())), None, money.amounts)
    return known


def _currencies(cells: Column | None, count: int, default: str | None) -> tuple[Column, Column, dict[int, str]]:
    """Return the code (dictionary) and the number of decimals (int8) per row, null where the reason is given."""
    if cells is None:
        cells = pa.nulls(count, pa.string())
    written = pc.fill_null(cells, "").dictionary_encode()
    texts = written.dictionary.to_pylist()
    meant = [_code(text.strip(), default) for text in texts]
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


def _code(text: str, default: str | None) -> str:
    """Return the code that is written, or that a symbol stands for: of `default`, or the only one that has it."""
    if not text or text in PLACEHOLDERS:
        return default or ""
    code = text.upper() if text.isascii() else text  # only ASCII has one upper case: "ısk" would be "ISK"
    if code in CURRENCIES:
        return code
    having = [one for one, symbols in SYMBOLS.items() if text in symbols]
    return default if default in having else having[0] if len(having) == 1 else code


def _amounts(
    raw: RawRows, codes: Column, exponents: Column, columns: ColumnMap, form: OrderFormat
) -> tuple[Column, dict[int, str]]:
    texts = raw.cells["amount"]
    accounting = tuple(form.accounting)
    if columns.amount_is_cents:
        return read_cents(texts, accounting=accounting)
    read = partial(
        read_decimals,
        decimal=form.decimal or ".",
        thousands=form.thousands,
        grouping=form.grouping,
        accounting=accounting,
    )
    if raw.literal is None or (form.decimal in (None, ".") and form.thousands is None):
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
    cells = ((row, (texts[row].as_py() or "").strip()) for row in rows)
    return {row: "is empty" for row, text in cells if not text or text in PLACEHOLDERS}
