"""Any table of references and amounts comes back exact from every database, as numbers and as texts."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconcile.files.duckdb import text_literal
from reconcile.keys import clean_key
from reconcile.money import PLACEHOLDERS, format_amount
from reconcile.orders.databases.url import orders_query

Rows = Sequence[tuple[str, int, str]]
"""Reference, minor units, currency."""

CODES = st.sampled_from(["EUR", "SEK", "JPY", "KWD", "HUF"])
REFERENCES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: text.strip() not in PLACEHOLDERS and not re.match(r"(?is)['=]|[0-9]+\.0$|[0-9].*e\+", text.strip())
)  # other keys are not what stands there: tests of cells have them
TABLES = st.lists(st.tuples(REFERENCES, st.integers(-(10**14), 10**14), CODES), min_size=1, max_size=6)
AWKWARD: Rows = [
    ("007", 123450, "EUR"),
    ("1E5", -3, "JPY"),
    ("9" * 30, 1, "KWD"),
    ("Cafe\u0301 '; DROP TABLE orders; --", 10, "EUR"),
    ("$1 %s :name ?", 99999999999999, "EUR"),
    ("\n\t", 0, "SEK"),
]


@pytest.fixture(scope="session", params=["sqlite", "duckdb", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres"))
    path = tmp_path_factory.mktemp("books") / f"books.{request.param}"
    with contextlib.closing((sqlite3 if request.param == "sqlite" else duckdb).connect(path)) as connection:
        connection.execute("CREATE TABLE orders (reference TEXT)")
    return f"{request.param}:{path}"


def select(rows: Rows, write: Callable[[str], str]) -> str:
    """Return a query whose result is `rows`, in their order, with amounts as `write` has them."""
    lines = (
        f"SELECT {line} AS line, {text_literal(reference)} AS reference, {text_literal(code)} AS currency, "
        f"{write(format_amount(cents, code))} AS amount"
        for line, (reference, cents, code) in enumerate(rows)
    )
    return "\nUNION ALL ".join(lines) + "\nORDER BY line"


@settings(max_examples=20, deadline=None)
@given(rows=TABLES, write=st.sampled_from([str, text_literal]))
@example(rows=AWKWARD, write=str)
@example(rows=AWKWARD, write=text_literal)
def test_every_table_comes_back_exact(read: Any, url: str, rows: Rows, write: Callable[[str], str]) -> None:
    outcome = read.paths(orders_query(select(rows, write), url))

    assert outcome.rejects == []
    assert outcome.columns("reference", "amount_cents", "currency_code", "reference_raw", "source_line") == [
        (clean_key(reference), cents, code, reference, line) for line, (reference, cents, code) in enumerate(rows, 1)
    ]
