"""
Amounts of a whole column at once: text to minor units, exactly as `reconcile.money` reads one.

Knows the shapes that can be read with a few passes over the column; every other cell is handed to
`money.parse_amount` itself, which reads it or names the reason. So a cell has one meaning, whichever way it took.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from reconcile.files.arrow import Column, text_bytes
from reconcile.files.arrow import compute as pc
from reconcile.money import (
    THOUSANDS,
    AmountError,
    accounting_rules,
    grouped_digits,
    idle_zeros,
    parse_amount,
    parse_cents,
)
from reconcile.orders.cells.meant import as_meant

_SAFE_DIGITS = 18  # 10**18 - 1 fits 64 bits, whatever the digits are
_POWERS = pa.array([10**n for n in range(_SAFE_DIGITS + 1)], pa.int64())

# Marks of another column, seen from the customer's account: what is owed is positive, what is credited or paid back is
# negative. DATEV and SAP write S (Soll, debit) and H (Haben, credit): https://www.sapdatasheet.org/abap/dtel/shkzg.html
_IS_CREDIT = {
    **dict.fromkeys(("s", "soll", "d", "dr", "debit", "debet", "debe", "dare", "+"), False),
    **dict.fromkeys(("h", "haben", "c", "cr", "credit", "kredit", "haber", "avere", "-"), True),
}


def read_decimals(
    texts: Column,
    currencies: Column,
    exponents: Column,
    *,
    decimal: str,
    thousands: str | None,
    grouping: str = "thousands",
    accounting: tuple[str, ...] = (),
) -> tuple[Column, dict[int, str]]:
    """
    Return minor units of `texts` (int64, null where unreadable), and the reason per unreadable row index.

    `currencies` holds one ISO 4217 code per row and `exponents` its number of decimals (int8); rows with a null
    currency are left null without a reason.
    """
    alike = _alike_decimals(texts, exponents, decimal)
    if alike is not None:
        return alike, {}
    plain = _plain_decimals(texts, exponents, decimal)
    open_rows = pc.and_(pc.is_null(plain), pc.is_valid(exponents))
    if not pc.any(open_rows).as_py():
        return plain, {}
    some = as_meant(texts.filter(open_rows))
    codes = currencies.filter(open_rows).cast(pa.string())
    decimals = exponents.filter(open_rows)
    signed = _plainly_signed(pc.ascii_trim_whitespace(some), codes, accounting)
    tidied = _without_zeros(_tidied(signed, decimal, thousands, grouping), codes, decimal)
    second = _negated(_plain_decimals(tidied, decimals, decimal), pc.starts_with(signed, "-"))

    def read_one(i: int, text: str) -> int:
        code = codes[i].as_py()
        return parse_amount(text, code, decimal=decimal, thousands=thousands, grouping=grouping, accounting=accounting)

    return _with_the_rest(plain, open_rows, some, second, read_one)


def read_cents(texts: Column, *, accounting: tuple[str, ...] = ()) -> tuple[Column, dict[int, str]]:
    """Return whole minor units of `texts` (int64, null where unreadable), and the reason per unreadable row index."""
    plain = _plain_integers(texts)
    if not plain.null_count:
        return plain, {}
    open_rows = pc.is_null(plain)
    some = as_meant(texts.filter(open_rows))
    signed = _applied(accounting_rules("", accounting), pc.ascii_trim_whitespace(some))
    second = _negated(_plain_integers(_unsigned(signed)), pc.starts_with(signed, "-"))

    def read_one(_: int, text: str) -> int:
        return parse_cents(text, accounting=accounting)

    return _with_the_rest(plain, open_rows, some, second, read_one)


def with_signs(
    amounts: Column, marks: Column | None, signs: Mapping[str, str] = MappingProxyType({})
) -> tuple[Column, dict[int, str]]:
    """
    Return `amounts` (int64) with those of credits negative, and the reason per row whose mark says nothing.

    `signs` are "+" or "-" by mark, as declared; where they are all "-", every other mark is "+". Without them marks are
    words for debit and credit. Without `marks` amounts are returned as they are. One that is negative by itself is
    refused beside a mark: it could be meant either way.
    """
    if marks is None:
        return amounts, {}
    declared = {mark.strip().casefold(): sign == "-" for mark, sign in signs.items()}
    other = False if declared and all(declared.values()) else None
    written = pc.fill_null(marks, "").dictionary_encode()
    known = declared or _IS_CREDIT
    meant = [known.get(text.strip().casefold(), other) for text in written.dictionary.to_pylist()]
    credits = pc.take(pa.array(meant, pa.bool_()), written.indices)
    problem = "has no declared sign" if declared else "does not say debit or credit"
    reasons = dict.fromkeys(pc.indices_nonzero(pc.is_null(credits)).to_pylist(), problem)
    doubtful = pc.indices_nonzero(pc.fill_null(pc.less(amounts, 0), False)).to_pylist()
    if declared:  # a sign of its own contradicts a credit alone
        doubtful = [row for row in doubtful if credits[row].as_py()]
    reasons |= dict.fromkeys(doubtful, "has a sign of its own as well")
    signed: Column = pc.if_else(pc.fill_null(credits, False), pc.negate(amounts), amounts)
    return signed, reasons


def with_sides(amounts: Column, sides: Column | None) -> tuple[Column, dict[int, str]]:
    """Return `amounts` with those on the credit side negated, and the reason per row that has both sides."""
    if sides is None:
        return amounts, {}
    both = pc.indices_nonzero(pc.equal(sides, "both")).to_pylist()
    found: Column = pc.if_else(pc.equal(sides, "credit"), pc.negate(amounts), amounts)
    return found, dict.fromkeys(both, "has a debit and a credit")


def in_one(debits: Column, credits: Column) -> tuple[Column, Column]:
    """
    Return the amounts of two columns as one, and on which side each stands: "debit", "credit", "both".

    A side is empty where it is blank or 0; "debit" where both are.
    """
    debit, credit = (pc.invert(_is_nothing(texts)) for texts in (debits, credits))
    mark = pc.case_when(
        pc.make_struct(pc.and_(debit, credit), credit, pc.fill_null(pc.invert(credit), True)), "both", "credit", "debit"
    )
    return pc.if_else(debit, debits, pc.if_else(credit, credits, pc.coalesce(debits, credits))), mark


def _is_nothing(texts: Column) -> Column:
    found: Column = pc.match_substring_regex(pc.fill_null(texts, ""), r"^\s*[+-]?[0.,]*\s*$")
    return found


def _alike_decimals(texts: Column, exponents: Column, decimal: str) -> Column | None:
    """Read digits that all have as many decimals as all currencies have, and some; None where any has others."""
    fewest, most = (number.as_py() for number in pc.min_max(exponents).values())
    if texts.null_count or exponents.null_count or fewest != most or not fewest:
        return None
    starts, signs = text_bytes(texts)
    lengths = np.diff(starts)
    if lengths.min() < fewest + 2 or lengths.max() > _SAFE_DIGITS + 1:
        return None
    starts, signs = starts - starts[0], signs[starts[0] : starts[-1]]
    is_digit = signs - ord("0") < 10  # what is below 0 is far above 9 without a sign
    has_point = signs[starts[1:] - fewest - 1] == ord(decimal)
    if not has_point.all() or np.count_nonzero(is_digit) + len(texts) != len(signs):
        return None
    places = starts - np.arange(len(starts), dtype=np.int32)  # without a point in each of those before
    buffers = [None, pa.py_buffer(places.data), pa.py_buffer(signs[is_digit].data)]
    digits: Column = pa.Array.from_buffers(pa.string(), len(texts), buffers)
    return digits.cast(pa.int64())


def _plain_decimals(texts: Column, exponents: Column, decimal: str) -> Column:
    """Read digits, or digits with one separator and at most `exponents` digits behind it; null for the others."""
    point = pc.find_substring(texts, decimal)
    digits = pc.replace_substring(texts, decimal, "", max_replacements=1)
    count = pc.binary_length(digits)
    has_point = pc.greater_equal(point, 0)
    decimals = pc.if_else(has_point, pc.subtract(count, point), 0)
    missing = pc.subtract(exponents.cast(pa.int32()), decimals)
    fits = pc.and_(pc.greater_equal(missing, 0), pc.less_equal(pc.add(count, missing), _SAFE_DIGITS))
    shape = pc.or_(pc.invert(has_point), pc.and_(pc.greater(point, 0), pc.greater(decimals, 0)))
    good = pc.fill_null(pc.and_(pc.and_(pc.ascii_is_decimal(digits), fits), shape), False)
    if not pc.all(good).as_py():
        digits, missing = pc.if_else(good, digits, None), pc.if_else(good, missing, None)
    amounts: Column = pc.multiply(digits.cast(pa.int64()), pc.take(_POWERS, missing))
    return amounts


def _plain_integers(texts: Column) -> Column:
    good = pc.and_(pc.ascii_is_decimal(texts), pc.less_equal(pc.binary_length(texts), _SAFE_DIGITS))
    amounts: Column = pc.if_else(good, texts, None).cast(pa.int64())
    return amounts


def _plainly_signed(texts: Column, codes: Column, accounting: tuple[str, ...]) -> Column:
    """Give strings in a declared form of accounting the leading sign that they stand for."""
    if not accounting:
        return texts
    plain = texts
    for code in pc.unique(codes).to_pylist():
        rules = accounting_rules(code, accounting)
        plain = pc.if_else(pc.equal(codes, code), _applied(rules, texts), plain)
    return plain


def _applied(rules: Sequence[tuple[str, str]], texts: Column) -> Column:
    for pattern, plain in rules:
        texts = pc.replace_substring_regex(texts, pattern, plain)
    return texts


def _without_zeros(texts: Column, codes: Column, decimal: str) -> Column:
    """Take last zeros of a fraction away, where `money.parse_amount` reads them as nothing."""
    shorter = texts
    for code in pc.unique(codes).to_pylist():
        if (pattern := idle_zeros(code, decimal)) is not None:
            idle = pc.and_(pc.equal(codes, code), pc.match_substring_regex(texts, pattern))
            shorter = pc.if_else(idle, pc.utf8_rtrim(pc.utf8_rtrim(texts, "0"), decimal), shorter)
    return shorter


def _tidied(texts: Column, decimal: str, thousands: str | None, grouping: str) -> Column:
    """Take the sign and well-placed thousands separators away; badly placed ones stay, and are not digits."""
    bare = _unsigned(texts)
    if thousands is None:
        return bare
    grouped = pc.match_substring_regex(bare, f"^(?:{grouped_digits(thousands, grouping)})([{decimal}][0-9]+)?$")
    tidy: Column = pc.if_else(grouped, pc.replace_substring_regex(bare, f"[{THOUSANDS[thousands]}]", ""), bare)
    return tidy


def _unsigned(texts: Column) -> Column:
    signed = pc.or_(pc.starts_with(texts, "-"), pc.starts_with(texts, "+"))
    bare: Column = pc.if_else(signed, pc.utf8_slice_codeunits(texts, 1), texts)
    return bare


def _negated(amounts: Column, where: Column) -> Column:
    signed: Column = pc.if_else(where, pc.negate(amounts), amounts)
    return signed


def _with_the_rest(
    plain: Column, open_rows: Column, some: Column, second: Column, read_one: Callable[[int, str], int]
) -> tuple[Column, dict[int, str]]:
    """
    Put `second` where `open_rows` is true in `plain`, and what one-by-one reading makes of those still null.

    `some` are the strings of `open_rows`, `second` what is known of them.
    """
    rows = pc.indices_nonzero(open_rows)
    found: dict[int, int] = {}
    reasons: dict[int, str] = {}
    for i in pc.indices_nonzero(pc.is_null(second)).to_pylist():
        try:
            found[i] = read_one(i, some[i].as_py() or "")
        except AmountError as error:
            reasons[rows[i].as_py()] = error.reason
    if found:
        second = pc.coalesce(second, pa.array([found.get(i) for i in range(len(second))], pa.int64()))
    return pc.replace_with_mask(plain, open_rows, second), reasons
