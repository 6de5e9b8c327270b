"""
Rows that are no orders, or are cancelled, as the user declares: left out before anything of them is read, and summed.

Knows `only`, `skip_rows` and `withdrawn`; which of them a row meets first, in this order, is what it is counted under.
Does not know where a row comes from, nor what becomes of the rows that stay.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa

from reconcile.files.arrow import Column
from reconcile.files.arrow import compute as pc
from reconcile.keys import pattern_of
from reconcile.orders.cells.money import known_amounts, read_money
from reconcile.orders.columns.mapping import KEYS, ColumnMap
from reconcile.orders.format import OrderFormat
from reconcile.orders.opened import RawRows
from reconcile.orders.rejects import shortened
from reconcile.orders.report import LeftOut, LeftOutReason

KEY_ROLES = (*KEYS, "document")
"""Columns that are read as keys."""

_MOST_VALUES = 20  # of a column that are told one by one
_MOST_KEPT = 10_000  # of a column that are counted one by one, so that memory has an end
_LONGEST = 200


class _Rule(NamedTuple):
    """Why rows are left out: by which setting, and which `cells` of which column (bool per row, `hits`)."""

    reason: LeftOutReason
    column: str
    cells: Column
    hits: Column


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch by what becomes of its rows: `kept` ones with the rejects that are left, `withdrawn` ones, and sums."""

    kept: RawRows
    withdrawn: RawRows
    left_out: tuple[LeftOut, ...] = ()


def sort_rows(raw: RawRows, columns: ColumnMap, form: OrderFormat, worth: pa.Table | None = None) -> Sorted:
    """
    Return the rows of `raw` by what `form` says of them.

    `worth` are their `currency_code` and `amount_cents` where these are known, else they are read.
    """
    nothing = raw.where(pa.repeat(pa.scalar(False), len(raw.lines)))
    if not form.leaves_rows_out:
        return Sorted(raw, nothing)
    stays = pa.repeat(pa.scalar(True), len(raw.lines))
    withdrawn = pc.invert(stays)
    found: list[LeftOut] = []
    for rule in _rules(raw, columns, form):
        mine = pc.and_(rule.hits, stays)
        stays = pc.and_not(stays, mine)
        if pc.any(mine).as_py():
            found += _sums(rule, mine, raw, columns, form) if worth is None else _added(rule, mine, worth.filter(mine))
        if rule.reason == "withdrawn":
            withdrawn = pc.or_(withdrawn, mine)
    if not found:
        return Sorted(raw, nothing)
    gone = set(raw.lines.filter(pc.invert(stays)).to_pylist())
    rejects = tuple(reject for reject in raw.rejects if reject.line not in gone)
    return Sorted(replace(raw.where(stays), rejects=rejects), raw.where(withdrawn), tuple(found))


def fits(texts: Column, pattern: str) -> Column:
    """Return whether each text, without outer blanks, fits `pattern` whatever its case; null is the empty text."""
    trimmed = pc.utf8_trim_whitespace(pc.fill_null(texts, ""))
    found: Column = pc.match_substring_regex(trimmed, pattern, ignore_case=True)
    return found


def is_filled(texts: Column) -> Column:
    """Return whether each text is there and not blank."""
    found: Column = pc.greater(pc.binary_length(pc.utf8_trim_whitespace(pc.fill_null(texts, ""))), 0)
    return found


def _rules(raw: RawRows, columns: ColumnMap, form: OrderFormat) -> Iterator[_Rule]:
    for mark, values in form.only.items():
        if mark in columns.marks:
            texts = raw.shown[columns.marks[mark]]
            yield _Rule("only", columns.names[columns.marks[mark]], texts, pc.invert(fits(texts, pattern_of(values))))
    if form.skip_rows:
        yield from _footers(raw, columns, form.skip_rows)
    for mark, values in form.withdrawn.items():
        if mark in columns.marks:
            texts = raw.shown[columns.marks[mark]]
            yield _Rule("withdrawn", columns.names[columns.marks[mark]], texts, fits(texts, pattern_of(values)))


def _footers(raw: RawRows, columns: ColumnMap, patterns: Iterable[str]) -> Iterator[_Rule]:
    pattern = pattern_of(patterns)
    keys = [role for role in KEY_ROLES if role in raw.cells]
    has_key = pa.repeat(pa.scalar(False), len(raw.lines))
    for role in keys:
        filled = is_filled(raw.cells[role])
        has_key = pc.or_(has_key, filled)
        yield _Rule("skip_rows", columns.name(role), raw.cells[role], pc.and_(filled, fits(raw.cells[role], pattern)))
    is_first = pa.repeat(pa.scalar(True), len(raw.lines))
    for place in sorted(raw.shown):
        filled = pc.and_(is_first, is_filled(raw.shown[place]))
        is_first = pc.and_not(is_first, filled)
        hits = pc.and_(filled, fits(raw.shown[place], pattern))
        yield _Rule("skip_rows", columns.names[place], raw.shown[place], hits)
    if any(not one.strip() for one in patterns):
        read = pc.invert(is_first) if raw.shown else pa.repeat(pa.scalar(True), len(raw.lines))
        yield _Rule("skip_rows", columns.name(keys[0]), raw.cells[keys[0]], pc.and_not(read, has_key))


def _sums(rule: _Rule, mine: Column, raw: RawRows, columns: ColumnMap, form: OrderFormat) -> Iterator[LeftOut]:
    """Yield the rows that are true in `mine`, by the value of the rule's column and their currency."""
    some = raw.where(mine)
    money = read_money(some, columns, form)
    worth = {"currency_code": money.codes.cast(pa.string()), "amount_cents": known_amounts(money)}
    yield from _added(rule, mine, pa.table(worth))


def _added(rule: _Rule, mine: Column, worth: pa.Table) -> Iterator[LeftOut]:
    texts: Column = pc.utf8_trim_whitespace(pc.fill_null(rule.cells.filter(mine), ""))
    amounts = worth["amount_cents"].cast(pa.decimal128(38))  # the sum of many would leave 64 bits
    table = pa.Table.from_arrays(
        [pa.chunked_array([texts]), worth["currency_code"], amounts], ["value", "code", "cents"]
    )
    sums = table.group_by(["value", "code"]).aggregate([("cents", "sum"), ("cents", "count"), ([], "count_all")])
    for row in sums.to_pylist():
        value, rows = shortened(row["value"], _LONGEST), row["count_all"]
        cents, unread = int(row["cents_sum"] or 0), rows - row["cents_count"]
        yield LeftOut(rule.reason, rule.column, value, row["code"], rows, cents, unread)


class LeftOutTally:
    """Adds up what is left out of one batch after the other; memory does not grow with the rows or their values."""

    def __init__(self) -> None:
        self._sums: dict[tuple[LeftOutReason, str, str | None, str | None], list[int]] = {}
        self._values: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, lines: Iterable[LeftOut]) -> None:
        """Add the sums of a batch."""
        for line in lines:
            value, known = line.value, self._values[line.reason, line.column]
            if value is not None and value not in known:
                if len(known) < _MOST_KEPT:
                    known.add(value)
                else:
                    value = None
            sums = self._sums.setdefault((line.reason, line.column, value, line.currency_code), [0, 0, 0])
            for at, more in enumerate((line.rows, line.amount_cents, line.unread)):
                sums[at] += more

    def lines(self) -> tuple[LeftOut, ...]:
        """Return the sums: the most frequent values of each column first, all others of it together under null."""
        shown: dict[tuple[str, str], list[str]] = {}
        for (reason, column), values in self._values.items():
            rows: Counter[str] = Counter(dict.fromkeys(values, 0))
            for (of, name, value, _), (count, _, _) in self._sums.items():
                if (of, name) == (reason, column) and value is not None:
                    rows[value] += count
            ranked = sorted(rows, key=lambda value: (-rows[value], value))
            shown[reason, column] = ranked[:_MOST_VALUES]
        whole: dict[tuple[LeftOutReason, str, str | None, str | None], list[int]] = {}
        for (reason, column, value, code), sums in self._sums.items():
            told = value if value in shown[reason, column] else None
            there = whole.setdefault((reason, column, told, code), [0, 0, 0])
            there[:] = [one + more for one, more in zip(there, sums, strict=True)]

        def rank(key: tuple[LeftOutReason, str, str | None, str | None]) -> tuple[int, str, int, str]:
            reason, column, value, code = key
            values = shown[reason, column]
            return REASONS.index(reason), column, values.index(value) if value in values else len(values), code or "~"

        return tuple(LeftOut(*key, *whole[key]) for key in sorted(whole, key=rank))


REASONS: tuple[LeftOutReason, ...] = ("only", "skip_rows", "withdrawn")
