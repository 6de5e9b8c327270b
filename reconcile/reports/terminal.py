"""
All figures of a run for a terminal: what agrees, what breaks, how much and in which currency.

Takes the figures of a summary as they are and adds nothing up. Returns text; printing it is the command's.

Colour only repeats what a word on the same line says.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.figures.aging import AgingBucket
from reconcile.figures.roll_forward import MOVES, Apart
from reconcile.figures.statuses import StatusLine
from reconcile.figures.summary import (
    NO_CURRENCY,
    VERDICTS,
    Control,
    Counts,
    FlagAgreement,
    OrderBookFigures,
    Summary,
)
from reconcile.matching.policy import LABEL_OF, order_column
from reconcile.matching.report import KeyCleaning, KeyProfile
from reconcile.orders.report import LeftOut
from reconcile.reports.display import PLAIN, Display, shown_value
from reconcile.reports.text_table import BOLD, KEEP, TextTable, fitted, paint, plain, render, wrap

_SENTENCE = 100  # columns of a sentence where there is no terminal
_DIM, _RED, _GREEN, _YELLOW = "2", "31", "32", "33"
_KIND_COLOURS = {"ok": _GREEN, "timing": _YELLOW, "info": _DIM, "break": _RED}
_VERDICT_COLOURS = {"clean": _GREEN, "clean_with_exceptions": _YELLOW}


def summary_table(summary: Summary, *, width: int | None, colour: bool, display: Display = PLAIN) -> str:
    """
    Return the figures of a run as lines of at most `width` columns (40 or more), without a last line feed.

    Without a width tables have their own, and sentences are folded at 100 columns.

    Amounts are in decimal form with grouped thousands, as `display` has them. A block that is too wide for `width` has
    its columns one below the other. Without `colour` there are no escape codes.
    """
    statuses = _statuses(summary.statuses, display)
    blocks = [
        headline(summary, width=width, colour=colour, display=display),
        render(fitted(statuses, width, spare=("Code",), whole=statuses.header), width, colour),
        render(_control(summary.control, summary.counts, display), width, colour),
        *([render(_order_book(summary.order_book, display), width, colour)] if summary.order_book else []),
        *([render(left_out_table(summary.left_out, display), width, colour)] if summary.left_out else []),
        render(_flag_agreement(summary.flag_agreement, display), width, colour),
    ]
    if not_comparable := summary.flag_agreement.not_comparable:
        blocks[-1] += f"\nNot comparable: {display.count(not_comparable)}"
    if summary.patterns:
        lines = [line for pattern in summary.patterns for line in wrap(f"- {plain(pattern.text)}", width or _SENTENCE)]
        blocks.append("\n".join([paint("What breaks have in common", BOLD, colour), *lines]))
    profile = summary.key_profile
    tables = (
        _apart(summary.apart, display),
        _keys(profile, display),
        _cleaning(profile.cleaning, display),
        _aging(summary.aging, display),
    )
    for table in tables:
        if table.rows:
            blocks.append(render(table, width, colour))
    return "\n\n".join(blocks)


def grouped_amount(cents: int | None, currency_code: str | None) -> str:
    """Return minor units for people: 123456789 in EUR is "1,234,567.89"; nothing where there is no amount."""
    return PLAIN.amount(cents, currency_code)


def headline(summary: Summary, *, width: int | None, colour: bool, display: Display = PLAIN) -> str:
    """Return the verdict of a run with what is at stake, and which run it is; else as `summary_table`."""
    counts, columns = summary.counts, width or _SENTENCE
    words = VERDICTS.get(summary.verdict, plain(summary.verdict))
    shade = _VERDICT_COLOURS.get(summary.verdict, _RED)
    breaks = display.plural(counts.breaks, "break") if counts.breaks else "no breaks"
    verdict = f"{words}: {breaks} in {display.plural(counts.items, 'item')}"
    if accepted := summary.accepted_count:
        verdict += f", {display.count(accepted)} accepted"
    if stake := summary.at_stake:
        verdict += f", at stake {display.amounts((plain(code), cents) for code, cents in stake.items())}"
    facts = [
        display.date(summary.business_date).replace("\u202f", " "),  # a blank of another width is not `plain`
        summary.organization,
        summary.mode,
        summary.amount_basis,
        f"run {summary.run_id}",
    ]
    about = " · ".join(plain(fact).replace(" ", KEEP) for fact in facts if fact)
    lines = [paint(line, BOLD + ";" + shade, colour) for line in wrap(verdict, columns)]
    return "\n".join([*lines, *wrap(about, columns)])


def _statuses(statuses: Sequence[StatusLine], display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = []
    colours: list[str] = []
    for status in statuses:
        lines = [
            (
                one.currency_code,
                display.count(one.count),
                (one.payment_amount_cents, one.order_amount_cents, one.difference_cents),
            )
            for one in status.amounts
        ]
        rows += _per_currency(
            (plain(LABEL_OF.get(status.status, status.status)), plain(status.status), plain(status.kind)),
            status.count,
            lines,
            display,
            amounts=3,
        )
        colours += [_KIND_COLOURS.get(status.kind, "")] * (len(rows) - len(colours))
    header = ("Status", "Code", "Kind", "Currency", "Items", "Payments", "Orders", "Difference")
    return TextTable(header, frozenset({"Status", "Code", "Kind", "Currency"}), rows, colours, point=display.decimal)


def _control(control: Control, counts: Counts, display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for side, total, of in (("payments", counts.payments, control.payments), ("orders", counts.orders, control.orders)):
        lines = [(one.currency_code, display.count(one.rows_in), (one.amount_in_cents,)) for one in of]
        rows += _per_currency((f"{side} in",), total, lines, display)
    if counts.rejects:
        rows += _per_currency(("rejected",), counts.rejects, (), display)
    header = ("Side", "Currency", "Rows", "Amount")
    return TextTable(header, frozenset({"Side", "Currency"}), rows, [""] * len(rows), point=display.decimal)


def _order_book(book: OrderBookFigures, display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for line in book.lines:
        out, into = (
            (display.count(count), display.amount(cents, line.currency_code)) if count else ("", "")
            for count, cents in ((line.rows_out, line.amount_out_cents), (line.rows_in, line.amount_in_cents))
        )
        rows.append((line.kind, line.currency_code or NO_CURRENCY, *out, *into))
    header = ("Order book", "Currency", "Rows out", "Amount out", "Rows in", "Amount in")
    return TextTable(header, frozenset({"Order book", "Currency"}), rows, [""] * len(rows), point=display.decimal)


def left_out_table(lines: Sequence[LeftOut], display: Display = PLAIN) -> TextTable:
    """Return the order rows that were left out as declared; an amount is the sum of those that can be read."""
    rows: list[tuple[str, ...]] = []
    for line in lines:
        value = plain(shown_value(line.value))
        amount = display.amount(line.amount_cents, line.currency_code) if line.rows > line.unread else ""
        counts = display.count(line.rows), display.count(line.unread) if line.unread else ""
        rows.append((line.reason, plain(line.column), value, _currency(line.currency_code), *counts, amount))
    header = ("Left out by", "Column", "Value", "Currency", "Rows", "Unreadable", "Amount")
    return TextTable(header, frozenset(header[:4]), rows, [""] * len(rows), point=display.decimal)


def _flag_agreement(flags: FlagAgreement, display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = [
        ("mismatched", display.count(flags.flagged_and_differs), display.count(flags.flagged_but_agrees)),
        ("not mismatched", display.count(flags.differs_not_flagged), display.count(flags.agree)),
    ]
    return TextTable(("The API says", "We find: differs", "agrees"), frozenset({"The API says"}), rows, ["", ""])


def _keys(profile: KeyProfile, display: Display) -> TextTable:
    """How usable the keys are: rows with and without one, keys on both sides, keys that are not unique, pairs made."""
    rows: list[tuple[str, ...]] = []
    payments, orders = ({use.key: use for use in side} for side in (profile.payments, profile.orders))
    for one in profile.passes:
        uses = (payments[one.key], orders[order_column(one.key)])
        counts = [count for use in uses for count in (use.rows - use.without, use.without)]
        twice = one.payment_keys_twice + one.order_keys_twice
        rows.append((one.key, *map(display.count, (*counts, one.shared_keys, twice, one.pairs))))
    header = ("Key", "Payments", "Blank", "Orders", "Blank", "On both sides", "Duplicates", "Pairs")
    return TextTable(header, frozenset({"Key"}), rows, [""] * len(rows))


def _cleaning(keys: Sequence[KeyCleaning], display: Display) -> TextTable:
    """What the clean-up rules did: rows of each side whose key a rule changed; keys emptied and keys made one."""
    counts: dict[tuple[str, str], dict[str, str]] = {}
    touched = {one.key for one in keys if any(one.changed.values())} or {one.key for one in keys[:1]}
    for one in keys:
        if one.key not in touched:
            continue
        effects = {**one.changed, "left empty": one.emptied, "merged": one.collisions}
        for effect, number in effects.items():
            if number or effect in one.changed:
                counts.setdefault((effect, one.key), {})[one.side] = display.count(number)
    rows: list[tuple[str, ...]] = []
    for head, sides in counts.items():
        rows.append((*head, sides.get("payments", ""), sides.get("orders", "")))
    return TextTable(("Clean-up", "Key", "Payments", "Orders"), frozenset({"Clean-up", "Key"}), rows, [""] * len(rows))


def _apart(apart: Apart | None, display: Display) -> TextTable:
    """How many breaks came and went because of changed rules, and because of the data."""
    steps = () if apart is None else (("rules", apart.by_rules), ("data", apart.by_data))
    rows = [
        (cause, _currency(line.currency_code), *(display.count(move.count) for move in line.moves))
        for cause, lines in steps
        for line in lines
    ]
    header = ("Breaks by", "Currency", *(move.capitalize() for move in MOVES))
    return TextTable(header, frozenset({"Breaks by", "Currency"}), rows, [""] * len(rows))


def _aging(aging: Sequence[AgingBucket], display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for bucket in aging:
        if bucket.count:
            lines = [(one.currency_code, "", (one.at_stake_cents,)) for one in bucket.amounts]
            rows += _per_currency((plain(bucket.bucket),), bucket.count, lines, display)
    header = ("Days open", "Currency", "Breaks", "At stake")
    return TextTable(header, frozenset({"Days open", "Currency"}), rows, [""] * len(rows), point=display.decimal)


def _per_currency(
    head: tuple[str, ...],
    total: int,
    lines: Sequence[tuple[str | None, str, tuple[int | None, ...]]],
    display: Display,
    *,
    amounts: int = 1,
) -> list[tuple[str, ...]]:
    """
    Rows of `head`, currency, count and amounts: one where there is one currency, else the total above each.

    `lines` are the currencies, each with its count as text and its `amounts` in minor units.
    """
    rows = [(_currency(code), count, *(display.amount(cents, code) for cents in of)) for code, count, of in lines]
    if len(rows) == 1:
        return [(*head, rows[0][0], display.count(total), *rows[0][2:])]
    return [(*head, "", display.count(total), *[""] * amounts), *((*[""] * len(head), *row) for row in rows)]


def _currency(currency_code: str | None) -> str:
    return plain(currency_code) if currency_code else NO_CURRENCY
