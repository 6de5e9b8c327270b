"""A column of amounts is read exactly as `reconcile.money` reads one, whatever way a cell takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile.money import ACCOUNTING_FORMS, EXPONENTS, AmountError, parse_amount, parse_cents
from reconcile.orders.cells.amounts import read_cents, read_decimals

SIGNS = st.sampled_from(["", "", "", "-", "+", "--", "- ", "\u2212"])
BLANKS = st.sampled_from(["", "", "", " ", "\t", "\u00a0", "\n", "\x1c"])
DIGITS = st.text("0123456789", max_size=4) | st.text("0123456789", min_size=14, max_size=22)
MARKS = st.sampled_from(["", ".", ",", "'", " ", "\u202f", "..", "e", "٫"])
GROUPS = st.text("0123456789", min_size=3, max_size=3)
ALMOST_AMOUNTS = st.builds("".join, st.tuples(BLANKS, SIGNS, DIGITS, MARKS, GROUPS, MARKS, DIGITS, BLANKS))
PLAIN_AMOUNTS = st.builds(
    lambda sign, whole, fraction: f"{sign}{whole}" + (f".{fraction}" if fraction else ""),
    st.sampled_from(["", "-", "+"]),
    st.integers(0, 10**17).map(str),
    st.text("0123456789", max_size=5),
)
TEXTS = ALMOST_AMOUNTS | PLAIN_AMOUNTS | PLAIN_AMOUNTS.map(lambda t: t.replace(".", ",")) | st.text(max_size=8)
FORM_NAMES = tuple(sorted(ACCOUNTING_FORMS))
FORMS = st.lists(st.sampled_from(FORM_NAMES), unique=True).map(tuple)
DRESSED = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "(", "-", "€", "EUR ", "-€", "kr ", "( "]),
        PLAIN_AMOUNTS | PLAIN_AMOUNTS.map(lambda t: t + "0000"),
        st.sampled_from(
            ["", ")", "-", " CR", "DR", " H", "S", " EUR", "€", " kr.", "- CR", " EUR-", ") CR", "\u00a0€"]
        ),
    ),
)
CODES = st.sampled_from([*sorted(EXPONENTS)[::20], "EUR", "JPY", "KWD", "CLF"])
SEPARATORS = st.sampled_from(
    [(".", None), (",", None), (".", ","), (",", "."), (",", " "), (".", "'"), (",", "\u202f"), (".", "_")]
)


def verdict(parse: Callable[..., int], *args: str, **declared: Any) -> tuple[int | None, str | None]:
    """Return the amount, or the reason why there is none."""
    try:
        return parse(*args, **declared), None
    except AmountError as error:
        return None, error.reason


@settings(max_examples=60)
@given(st.lists(st.tuples(TEXTS | DRESSED, CODES), max_size=8), SEPARATORS, FORMS)
@example(
    [(text, "EUR") for text in (".5", "5.", ".", "-.5", "+5.", "", "-", "5.5.5", "0x1", "9" * 19)], (".", None), ()
)
@example(
    [(text, "EUR") for text in ("1,234", "1,23", ",123", "1,234.", "-1,234.5", "1234,567", "1,234,5")], (".", ","), ()
)
@example(
    [(text, "KWD") for text in (".500", "1.500", "1.5001", "9223372036854775.807", "9223372036854775.808")],
    (".", None),
    (),
)
@example([("110.0000", code) for code in ("EUR", "JPY", "KWD", "CLF")], (".", None), ())
@example([(f"1.{zeros}", "EUR") for zeros in ("0", "00", "000", "0000", "00010", "50000")], (".", None), ())
@example(
    [(text, "EUR") for text in ("(12.00)", "12.00-", "12.00 CR", "(-1)", "€-5", "-€5", "5 SEK")],
    (".", None),
    FORM_NAMES,
)
def test_a_column_of_decimals_is_what_money_reads_one_by_one(
    cells: list[tuple[str, str]], separators: tuple[str, str | None], accounting: tuple[str, ...]
) -> None:
    decimal, thousands = separators
    texts = pa.array([text for text, _ in cells], pa.string())
    codes = pa.array([code for _, code in cells], pa.string()).dictionary_encode()
    exponents = pa.array([EXPONENTS[code] for _, code in cells], pa.int8())

    amounts, reasons = read_decimals(
        texts, codes, exponents, decimal=decimal, thousands=thousands, accounting=accounting
    )

    for i, (text, code) in enumerate(cells):
        expected = verdict(parse_amount, text, code, decimal=decimal, thousands=thousands, accounting=accounting)

        assert (amounts[i].as_py(), reasons.get(i)) == expected


WHOLES = st.integers(0, 10**16).map(str) | st.text("0123456789", min_size=1, max_size=17)


@settings(max_examples=100)
@given(
    st.sampled_from(["JPY", "EUR", "KWD", "CLF"]),
    st.sampled_from(".,"),
    st.lists(st.tuples(WHOLES, st.text("0123456789", min_size=4, max_size=4)), max_size=4),
    st.lists(st.tuples(TEXTS, CODES), max_size=1),
)
@example("EUR", ".", [("0" * 16, "9900"), ("9" * 16, "9900")], [])
@example("EUR", ".", [("9" * 17, "9900")], [])
@example("EUR", ".", [("1", "0000")], [("1..00", "EUR")])
@example("EUR", ".", [("1", "0000")], [("12.0", "EUR")])
@example("EUR", ".", [("1", "0000")], [("-1.00", "EUR")])
@example("EUR", ".", [("1", "0000")], [(".00", "EUR")])
@example("EUR", ".", [("1", "0000")], [("1:00", "EUR")])
@example("EUR", ".", [("1", "0000")], [("1.00", "JPY")])
@example("EUR", ".", [("1", "0000")], [("1.00", "KWD")])
def test_amounts_that_are_written_alike_are_what_money_reads_one_by_one(
    code: str, decimal: str, alike: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    behind = EXPONENTS[code] or 0
    cells = [(f"{whole}{decimal}{part[:behind]}".rstrip(".,"), code) for whole, part in alike] + others
    before = [("12.345", "EUR")]  # of another part of the same column
    texts, codes = (pa.array(part, pa.string()) for part in zip(*before, *cells, strict=True))
    exponents = pa.array([EXPONENTS[one] for one in codes.to_pylist()], pa.int8())

    amounts, reasons = read_decimals(
        texts[1:], codes.dictionary_encode()[1:], exponents[1:], decimal=decimal, thousands=None
    )

    assert list(zip(amounts.to_pylist(), map(reasons.get, range(len(cells))), strict=True)) == [
        verdict(parse_amount, text, one, decimal=decimal) for text, one in cells
    ]


@settings(max_examples=60)
@given(st.lists(TEXTS | DRESSED, max_size=8), FORMS)
@example(["(1250)", "1250-", "1250 CR", "1250 H", "1250 EUR", "-(1250)"], ("parentheses", "trailing_minus", "cr_dr"))
def test_a_column_of_cents_is_what_money_reads_one_by_one(cells: list[str], accounting: tuple[str, ...]) -> None:
    amounts, reasons = read_cents(pa.array(cells, pa.string()), accounting=accounting)

    for i, text in enumerate(cells):
        assert (amounts[i].as_py(), reasons.get(i)) == verdict(parse_cents, text, accounting=accounting)


def test_a_missing_amount_is_empty_and_a_row_without_currency_is_not_judged() -> None:
    texts = pa.array([None, "1.00"], pa.string())
    codes = pa.array(["EUR", None], pa.string()).dictionary_encode()

    amounts, reasons = read_decimals(texts, codes, pa.array([2, None], pa.int8()), decimal=".", thousands=None)

    assert amounts.to_pylist() == [None, None]
    assert reasons == {0: "is empty"}
