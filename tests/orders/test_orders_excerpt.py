"""An excerpt of a text is read as the rows of the text that it has."""

from __future__ import annotations

import io

import pytest

from reconcile.errors import OrderFileError
from reconcile.orders.format import OrderFormat
from reconcile.orders.text import blocks, excerpt
from reconcile.orders.text.excerpt import excerpt_from

HEADER = "A list of November\n\nreference;total;currency\n"
ROWS = ["A1;1.00;EUR\n", '"A\n2";2.00;EUR\n', '"A""3";3.00;EUR\r\n', "A4;4.00;EUR\n", "A5;5.00;EUR\n", 'A6;6"0;EUR']


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 110)
    monkeypatch.setattr(excerpt, "_FIRST_ROWS", 1)


def found(line: int, encoding: str = "utf-8") -> str | None:
    stream = io.BytesIO((HEADER + "".join(ROWS)).encode(encoding))
    text = excerpt_from(stream, OrderFormat(), path="o.csv", line=line)
    return text.decode(encoding) if text is not None else None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_has_the_lines_above_the_first_rows_and_those_from_a_line_on(encoding: str) -> None:
    lines = [4, 5, 7, 8, 9, 10]  # on which the rows begin

    for at, line in enumerate(lines[1:], 1):
        text = found(line, encoding)
        assert text is not None
        begun = HEADER + ROWS[0] + ROWS[at]
        assert text.startswith(begun)
        assert (HEADER + ROWS[0] + "".join(ROWS[at:])).startswith(text)


def test_there_is_none_for_a_line_among_the_first_rows_or_behind_the_last() -> None:
    assert [found(line) for line in (1, 3, 4)] == [None] * 3
    assert found(10) is not None
    assert found(11) is None


def test_what_cannot_be_read_on_the_way_is_an_error() -> None:
    stream = io.BytesIO((HEADER + "".join(ROWS[:5])).encode() + b"A\xff;1.00;EUR\n")
    with pytest.raises(OrderFileError, match="is not UTF-8 text"):
        excerpt_from(stream, OrderFormat(), path="o.csv", line=10)
