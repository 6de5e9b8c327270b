"""Records of delimited text: the fast way, the careful way and any way of cutting the text agree."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconcile.errors import OrderFileError
from reconcile.orders.columns.mapping import ColumnMap
from reconcile.orders.text import records
from reconcile.orders.text.blocks import count_lines
from reconcile.orders.text.delimited import _from_records, _from_text
from reconcile.orders.text.dialect import Header
from reconcile.orders.text.records import Block, Dialect, Record, blocks_of, record_spans, scan_record

COMMA = Dialect(",")
NOISE = st.text('a0,"\n\r ', max_size=30)
CELLS = st.text('a,"\n\r é', max_size=4)
QUOTED = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=5).map(
    lambda rows: "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
)
TEXTS = NOISE | QUOTED | st.builds(lambda *parts: "".join(parts), QUOTED, NOISE, QUOTED)


def scanned(text: bytes, line: int = 1, dialect: Dialect = COMMA) -> list[Record] | None:
    """Read all of `text` record by record; None when a quote is never closed."""
    found, at = [], 0
    while at < len(text):
        step = scan_record(text, at, line, dialect, final=True)
        if step is None:
            return None
        record, end = step
        line += count_lines(text[at:end])
        at = end
        if record.cells != ("",):
            found.append(record)
    return found


def cut_up(text: bytes, pieces: Iterable[bytes], dialect: Dialect = COMMA) -> list[Record] | None:
    """Read `pieces` by blocks; None when a quote is never closed."""
    found: list[Record] = []
    try:
        for block in blocks_of(pieces, dialect, path="orders.csv"):
            if block.records is not None:
                found += [record for record in block.records if record.cells != ("",)]
                continue
            starts, ends, lines = record_spans(block.text, dialect, block.first_line)
            for start, end, line in zip(starts, ends, lines, strict=True):
                one = scanned(block.text[start:end], int(line), dialect)
                assert one is not None
                found += one
    except OrderFileError:
        return None
    return found


@given(TEXTS, st.lists(st.integers(0, 60), max_size=4))
@example('a,"b\r\n\r\nc",d\r\ne\r\n', [7])
@example("a\r\nb\rc\n\rd", [2, 5])
@example('"a",b\r\n"c",d\r\n', [6])
@example('5" x,b,c\n"a","b\n",c\n', [3])
def test_where_the_text_is_cut_does_not_matter(text: str, cuts: list[int]) -> None:
    raw = text.encode()
    places = sorted({0, len(raw), *(cut for cut in cuts if cut < len(raw))})
    pieces = [raw[a:b] for a, b in pairwise(places)]
    expected = scanned(raw)

    assert cut_up(raw, pieces) == expected


@given(TEXTS)
@example('"a""b",c,d\n')
@example(',,\n"","",""\n \n')
@example("a,b,c\r\n\r\na,b\r\r\na,b,c,d\n")
def test_arrow_reads_a_block_as_careful_reading_does(text: str) -> None:
    header = Header(COMMA, ("reference", "amount", "currency"), 1, 0, 1)
    columns = ColumnMap(header.names, {"reference": 0, "amount": 1, "currency": 2})
    for block in blocks_of([text.encode()] if scanned(text.encode()) is not None else [], COMMA, path="orders.csv"):
        if block.records is not None or not block.text.strip(b"\r\n"):
            continue
        careful = _from_records(scanned(block.text, block.first_line) or [], header, columns)
        fast = _from_text(block, header, columns)

        assert fast.lines.to_pylist() == careful.lines.to_pylist()
        assert {r: c.to_pylist() for r, c in fast.cells.items()} == {r: c.to_pylist() for r, c in careful.cells.items()}
        assert [(r.line, r.reason) for r in fast.rejects] == [(r.line, r.reason) for r in careful.rejects]


def test_text_that_keeps_to_the_rules_never_needs_care() -> None:
    text = b'a,"b\n""quoted"", and more",c\r\n\r\n"x",y,z\n'

    assert list(blocks_of([text], COMMA, path="orders.csv")) == [Block(text, 1, 5)]


def test_a_quote_inside_an_unquoted_cell_stays_as_it_is() -> None:
    text = b'R1,5" pipe\n'

    (block,) = blocks_of([text], COMMA, path="orders.csv")

    assert block.records == (Record(1, ("R1", '5" pipe'), b'R1,5" pipe'),)


def test_text_around_quotes_is_a_problem_of_its_row_only() -> None:
    text = b'"R1"x,1\n "R2",2\n"R3",3\n'

    found = [record for block in blocks_of([text], COMMA, path="o") for record in block.records or ()]

    assert [(record.line, record.problem) for record in found] == [
        (1, "has text after a closing quote"),
        (2, "has a space before an opening quote"),
        (3, None),
    ]


def test_care_ends_where_the_rules_are_kept_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_CAREFUL_BYTES", 8)
    text = b'5" x,b\n' + b"a,b\n" * 3 + b'"c",d\n'

    blocks = list(blocks_of([text], COMMA, path="orders.csv"))

    assert [block.records is None for block in blocks] == [False, True]
    assert [block.first_line for block in blocks] == [1, 3]


def test_a_quote_that_is_never_closed_is_named_by_its_row() -> None:
    with pytest.raises(OrderFileError) as caught:
        list(blocks_of([b'a,b\nc,"d\ne,f\n'], COMMA, path="orders.csv"))

    assert str(caught.value) == 'orders.csv:2: a quoted cell begins in this row and is never closed (")'


@pytest.mark.parametrize("start", [b"", b'"'])
def test_an_endless_row_is_refused_before_it_fills_the_memory(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORD_BYTES", 1000)
    served = []

    def endless() -> Iterable[bytes]:
        yield b"a,b\n" + start
        for number in range(1000):
            served.append(number)
            yield b"x" * 100

    with pytest.raises(OrderFileError) as caught:
        list(blocks_of(endless(), COMMA, path="orders.csv"))

    assert caught.value.line == 2
    assert len(served) <= 11


def test_without_quotes_a_quote_is_a_character() -> None:
    text = b'"a,b\nc",d\n'

    assert list(blocks_of([text], Dialect(",", ""), path="orders.csv")) == [Block(text, 1, 3)]
