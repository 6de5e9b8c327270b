"""What quotes make of the bytes of a text: the same as looking at one byte after the other, whatever the length."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.orders.text.blocks import AT_ONCE, count_lines
from reconcile.orders.text.quoting import Quoting

TEXTS = st.text('a0,"\n\r ', min_size=1, max_size=200)
LINES = ['"a","b"\n', '"",""\r\n', '"a""b",c\n', '"a\nb",c\r', "a,b\n"]
ROWS = st.lists(st.sampled_from(LINES), min_size=8, max_size=30).map("".join)


def inside(text: str) -> list[bool]:
    """Return for each place in `text`, and its end, whether an odd number of quotes is before it or at it."""
    return [text[: at + 1].count('"') % 2 == 1 for at in range(len(text) + 1)]


def line_ends(text: str, *, final: bool) -> list[int]:
    following = (*text[1:], "" if final else "\n")
    both = enumerate(zip(text, following, strict=True))
    return [at for at, (one, after) in both if one == "\n" or (one == "\r" and after != "\n")]


def first_violation(text: str) -> int | None:
    edges, is_inside = ',"\n\r', inside(text)
    for at, one in enumerate(text):
        beside = text[at - 1 : at] if is_inside[at] else text[at + 1 : at + 2]
        if one == '"' and beside and beside not in edges:
            return at
    return None


@given(TEXTS | ROWS, st.booleans())
@example('"' + "a" * 62 + '"\n' + '"' + "b" * 64 + '"x', True)
@example("a" * 63 + "\r", False)
@example("a" * 63 + "\r\n", True)
@example("a" * 63 + '\n"', True)
def test_words_of_bits_say_what_single_bytes_say(text: str, final: bool) -> None:
    found = Quoting(text.encode(), ",", '"', final)
    ends = line_ends(text, final=final)
    outside = [at for at in ends if not inside(text)[at]]

    assert found.line_ends().tolist() == ends
    assert found.is_inside(np.arange(len(text) + 1)).tolist() == inside(text)
    assert found.is_closed == (text.count('"') % 2 == 0)
    assert found.first_violation() == first_violation(text)
    assert found.end_of_records() == max(outside, default=-1) + 1
    for at in range(len(text)):
        assert found.end_of_records(at) == max((end for end in outside if end < at), default=-1) + 1


@given(TEXTS)
def test_without_a_quote_there_is_nothing_inside(text: str) -> None:
    found = Quoting(text.encode(), ",", "", final=True)

    assert found.first_violation() is None
    assert found.end_of_records() == max(line_ends(text, final=True), default=-1) + 1


def test_a_text_that_is_looked_at_in_parts_is_one_text() -> None:
    rows = b'"a\n","bc"\n' * 60_000

    found = Quoting(rows + b'"d"e,f\n', ",", '"', final=True)

    assert len(rows) > 2 * AT_ONCE
    assert count_lines(rows) == len(found.line_ends()) - 1 == 120_000
    assert found.first_violation() == len(rows) + 2
    assert found.end_of_records(len(rows) + 2) == len(rows)
