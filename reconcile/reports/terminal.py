"""
The end-of-run table: what agrees, what breaks, how much and in which currency, for a terminal.

Knows how wide text is on a terminal and how figures line up. Takes the figures of `summary.json` as they are and
adds nothing up but what is at stake in all breaks. Returns text; printing it is the command's.

Colour only repeats what a word on the same line says.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconcile.money import format_amount

_BOLD, _DIM, _RED, _GREEN, _YELLOW = "1", "2", "31", "32", "33"
_KIND_COLOURS = {"ok": _GREEN, "timing": _YELLOW, "info": _DIM, "break": _RED}
_VERDICTS = {
    "clean": ("Clean: ", _GREEN),
    "clean_with_exceptions": ("Clean with exceptions: ", _YELLOW),
    "over_limit": ("Over limit: ", _RED),
}
_KEEP = "\u00a0"  # a blank at which no line is broken; written as a plain one


@dataclass(frozen=True, slots=True)
class _Table:
    """Cells of one block; `left` columns are words, all others are figures. Row `colours` may be empty."""

    header: tuple[str, ...]
    left: frozenset[str]
    rows: list[tuple[str, ...]]
    colours: list[str]


def summary_table(summary: Mapping[str, Any], *, width: int, colour: bool) -> str:
    """
    Return the figures of a run as lines of at most `width` columns (40 or more), without a last line feed.

    `summary` is the document of `summary.json`. Amounts are in decimal form with grouped thousands. A block that
    is too wide for `width` has its columns one below the other. Without `colour` there are no escape codes.
    """
    blocks = [
        _headline(summary, width, colour),
        _render(_statuses(summary["statuses"]), width, colour),
        _render(_control(summary["control"], summary["counts"]), width, colour),
        _render(_flag_agreement(summary["flag_agreement"]), width, colour),
    ]
    not_comparable = summary["flag_agreement"]["not_comparable"]
    if not_comparable:
        blocks[-1] += f"\nnot comparable: {_count(not_comparable)}"
    keys = _keys(summary.get("key_profile"))
    if keys.rows:
        blocks.append(_render(keys, width, colour))
    aging = _aging(summary.get("aging", ()))
    if aging.rows:
        blocks.append(_render(aging, width, colour))
    return "\n\n".join(blocks)


def grouped_amount(cents: int | None, currency_code: str | None) -> str:
    """Return minor units for people: 123456789 in EUR is "1,234,567.89"; nothing where there is no amount."""
    if cents is None or not (cents or currency_code):
        return ""
    sign = "-" if cents < 0 else ""
    digits = re.match("[0-9]+", text := format_amount(abs(cents), currency_code or ""))
    assert digits, "an amount starts with a digit"
    return f"{sign}{int(digits[0]):,}{text[digits.end() :]}"


def _headline(summary: Mapping[str, Any], width: int, colour: bool) -> str:
    counts = summary["counts"]
    words, shade = _VERDICTS.get(summary["verdict"], (f"{_plain(summary['verdict'])}: ", _RED))
    breaks = _plural(counts["breaks"], "break") if counts["breaks"] else "no breaks"
    verdict = f"{words}{breaks} in {_plural(counts['items'], 'item')}"
    at_stake = _at_stake(summary["statuses"])
    if at_stake:
        verdict += f", at stake {at_stake}"
    facts = [
        summary["business_date"],
        summary.get("organization"),
        summary.get("mode"),
        summary["amount_basis"],
        f"run {summary['run_id']}",
    ]
    about = " · ".join(_plain(fact).replace(" ", _KEEP) for fact in facts if fact)
    lines = [_paint(line, _BOLD + ";" + shade, colour) for line in _wrap(verdict, width)]
    return "\n".join([*lines, *_wrap(about, width)])


def _at_stake(statuses: Sequence[Mapping[str, Any]]) -> str:
    totals: dict[str | None, int] = {}
    for status in statuses:
        if status["kind"] == "break":
            for line in status["amounts"]:
                code = line["currency_code"]
                totals[code] = totals.get(code, 0) + (line.get("at_stake_cents") or 0)
    by_code = sorted(totals.items(), key=lambda total: (total[0] is None, total[0]))
    return ", ".join(f"{_currency(code)}{_KEEP}{grouped_amount(cents, code)}" for code, cents in by_code if cents)


def _statuses(statuses: Sequence[Mapping[str, Any]]) -> _Table:
    rows: list[tuple[str, ...]] = []
    colours: list[str] = []
    columns = ("payment_amount_cents", "order_amount_cents", "difference_cents")
    for status in statuses:
        head = (_plain(status["status"]), _plain(status["kind"]))
        rows += _per_currency(head, status["count"], status["amounts"], columns=columns, counted="count")
        colours += [_KIND_COLOURS.get(status["kind"], "")] * (len(rows) - len(colours))
    header = ("Status", "Kind", "Currency", "Items", "Payments", "Orders", "Difference")
    return _Table(header, frozenset({"Status", "Kind", "Currency"}), rows, colours)


def _control(control: Mapping[str, Sequence[Mapping[str, Any]]], counts: Mapping[str, int]) -> _Table:
    rows: list[tuple[str, ...]] = []
    for side in ("payments", "orders"):
        columns = ("amount_in_cents",)
        rows += _per_currency((f"{side} in",), counts[side], control[side], columns=columns, counted="rows_in")
    if counts.get("rejects"):
        rows += _per_currency(("rejected",), counts["rejects"], (), columns=("amount_in_cents",))
    return _Table(("Side", "Currency", "Rows", "Amount"), frozenset({"Side", "Currency"}), rows, [""] * len(rows))


def _flag_agreement(counts: Mapping[str, int]) -> _Table:
    rows: list[tuple[str, ...]] = [
        ("mismatched", _count(counts["flagged_and_differs"]), _count(counts["flagged_but_agrees"])),
        ("not mismatched", _count(counts["differs_not_flagged"]), _count(counts["agree"])),
    ]
    return _Table(("The API says", "We find: differs", "agrees"), frozenset({"The API says"}), rows, ["", ""])


def _keys(profile: Mapping[str, Any] | None) -> _Table:
    """How usable the keys are: rows with and without one, keys on both sides, keys that are not unique, pairs made."""
    rows: list[tuple[str, ...]] = []
    sides = {(side, use["key"]): use for side in ("payments", "orders") for use in (profile or {}).get(side, ())}
    for one in (profile or {}).get("passes", ()):
        counts = []
        for side in ("payments", "orders"):
            use = sides[side, one["key"]]
            without = use["null"] + use["blank"]
            counts += [use["rows"] - without, without]
        twice = one["payment_keys_twice"] + one["order_keys_twice"]
        rows.append((one["key"], *map(_count, (*counts, one["shared_keys"], twice, one["pairs"]))))
    header = ("Key", "Payments", "without", "Orders", "without", "On both", "Twice", "Pairs")
    return _Table(header, frozenset({"Key"}), rows, [""] * len(rows))


def _aging(aging: Sequence[Mapping[str, Any]]) -> _Table:
    rows: list[tuple[str, ...]] = []
    for bucket in aging:
        if bucket["count"]:
            head = (_plain(bucket["bucket"]),)
            rows += _per_currency(head, bucket["count"], bucket["amounts"], columns=("at_stake_cents",))
    header = ("Days open", "Currency", "Breaks", "At stake")
    return _Table(header, frozenset({"Days open", "Currency"}), rows, [""] * len(rows))


def _per_currency(
    head: tuple[str, ...],
    total: int,
    lines: Sequence[Mapping[str, Any]],
    *,
    columns: tuple[str, ...],
    counted: str | None = None,
) -> list[tuple[str, ...]]:
    """Rows of `head`, currency, count and amounts: one where there is one currency, else the total above each."""
    rows = []
    for line in lines:
        code = line["currency_code"]
        count = _count(line[counted]) if counted else ""
        rows.append((_currency(code), count, *(grouped_amount(line[column], code) for column in columns)))
    if len(rows) == 1:
        return [(*head, rows[0][0], _count(total), *rows[0][2:])]
    return [(*head, "", _count(total), *[""] * len(columns)), *((*[""] * len(head), *row) for row in rows)]


def _points_aligned(cells: Sequence[str]) -> list[str]:
    """Pad figures on the right, so that decimal points stand below each other when flush right; words stay."""
    decimals = [len(cell.partition(".")[1] + cell.partition(".")[2]) for cell in cells]
    return [
        cell + " " * (max(decimals) - own) if cell[-1:].isdigit() else cell
        for cell, own in zip(cells, decimals, strict=True)
    ]


def _render(table: _Table, width: int, colour: bool) -> str:
    columns = [
        [name, *(cells if name in table.left else _points_aligned(cells))]
        for name, *cells in zip(table.header, *table.rows, strict=True)
    ]
    widths = [max(map(_columns_wide, cells)) for cells in columns]
    if sum(widths) + 2 * (len(widths) - 1) > width:
        return _stacked(table, width, colour)
    lines = []
    for row, shade in zip(zip(*columns, strict=True), [_BOLD, *table.colours], strict=True):
        cells = [
            _pad(cell, cell_wide, left=name in table.left)
            for name, cell, cell_wide in zip(table.header, row, widths, strict=True)
        ]
        lines.append(_paint("  ".join(cells).rstrip(), shade, colour))
    return "\n".join(lines)


def _stacked(table: _Table, width: int, colour: bool) -> str:
    """One line per cell: the first column as title, each other as name and value, values flush right."""
    lines = []
    for row, shade in zip(table.rows, table.colours, strict=True):
        if row[0]:
            lines += [_paint(line, shade, colour) for line in _wrap(row[0], width)]
        for name, cell in zip(table.header[1:], row[1:], strict=True):
            if cell:
                value_wide = max(width - 2 - len(name) - 1, _columns_wide(cell))
                lines.append(f"  {name} {_pad(cell, value_wide, left=False)}")
    return "\n".join(lines)


def _currency(currency_code: str | None) -> str:
    return _plain(currency_code) if currency_code else "none"


def _count(number: int) -> str:
    return f"{number:,}"


def _plural(number: int, noun: str) -> str:
    return f"{_count(number)} {noun}" if number == 1 else f"{_count(number)} {noun}s"


def _plain(text: object) -> str:
    # Texts from outside must not move the cursor, colour the screen or turn the writing around.
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))


def _columns_wide(text: str) -> int:
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _pad(text: str, width: int, *, left: bool) -> str:
    blanks = " " * (width - _columns_wide(text))
    return text + blanks if left else blanks + text


def _wrap(text: str, width: int) -> list[str]:
    return [line.replace(_KEEP, " ") for line in textwrap.wrap(text, width, break_on_hyphens=False)]


def _paint(text: str, shade: str, colour: bool) -> str:
    return f"\x1b[{shade}m{text}\x1b[0m" if colour and shade else text
