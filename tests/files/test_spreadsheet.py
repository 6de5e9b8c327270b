"""The guard against formulas: nothing runs, and taking it off gives the text back, in SQL as in Python."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.files.formula_guard import guarded, guarded_sql, is_plain_sql, unguarded, unguarded_sql

SIGNS = "=+-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
hostile = st.text(alphabet=SIGNS + "'; \t\r\n\u00a0\u2003\u200b\ufeff\x00\x0b\"aZ09,é\ue000", max_size=8)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("  @cmd", "'  @cmd"),
        ("\uff1d1", "'\uff1d1"),
        ("'=1", "''=1"),
        ("\tx", "'\tx"),
        ("a;=1", "a;'=1"),
        ("a\n+1", "a\n'+1"),
        ("-70", "'-70"),
        ("R-70", "R-70"),
        ("007", "007"),
        ("1E5", "1E5"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_run_is_guarded(text: str, written: str) -> None:
    assert guarded(text) == written


@given(texts=st.lists(hostile, min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_sql_and_python_guard_alike_and_the_guard_comes_off(texts: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE given AS SELECT unnest(?::VARCHAR[]) AS x", [texts])
        connection.execute(f"CREATE TABLE safe AS SELECT {guarded_sql('x')} AS x FROM given")
        written = [row[0] for row in connection.execute("FROM safe").fetchall()]
        back = [row[0] for row in connection.execute(f"SELECT {unguarded_sql('x')} FROM safe").fetchall()]
        plain = connection.execute(f"SELECT x FROM given WHERE {is_plain_sql(['NULL', 'x', 'x'])}").fetchall()

    assert written == [guarded(text) for text in texts]
    assert [text for (text,) in plain if guarded(text) != text] == []
    assert back == texts
    runs = re.compile(rf"^[\t\r\n]|(?:^|[;\t\r\n])[^\S\t\r\n]*[{re.escape(SIGNS)}]")
    assert [text for text in written if runs.search(text)] == []


@given(text=hostile)
@settings(max_examples=300, deadline=None)
def test_taking_the_guard_off_a_single_text_gives_it_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["known", "'quoted'", "it's", "a; 'b", "", "-5"])
def test_a_text_that_never_had_a_guard_comes_back_as_it_is(text: str) -> None:
    assert unguarded(text) == text
