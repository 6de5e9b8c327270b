"""
The figures of a page in the words of a page: amounts as text, bars, and what adds up to what.

Takes a summary and `manifest.json` as they are, and adds up only what a reader is to see adding up. Knows no mark-up
but the charts'; the template says where each figure stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from markupsafe import Markup

from reconcile.figures.breakdown import Breakdown
from reconcile.figures.patterns import ANOTHER, Pattern
from reconcile.figures.summary import NO_CURRENCY, VERDICTS, FlagAgreement, Summary
from reconcile.matching.policy import KIND_OF, LABEL_OF, MEANING_OF, Kind
from reconcile.money import format_amount
from reconcile.reports.display import PLAIN, Display, shown_value
from reconcile.reports.page import bridge, moves
from reconcile.reports.page.control import control_tables, hash_totals_table
from reconcile.reports.page.table import Table, link_to_breaks

_VERDICT_MEANINGS = {
    "clean": "There are no breaks.",
    "clean_with_exceptions": "There are breaks to review; no limit is exceeded.",
    "over_limit": "A limit that stops the close is exceeded.",
}
_SEARCHED = ("method", "gateway", "market", "file", "carried")  # patterns whose value the table can search for
_ONLY_SOME = ("pull", "narrowed", "payments_file")  # of a manifest: a run has the first two, a match the last


def figures(summary: Summary, manifest: Mapping[str, object], *, display: Display = PLAIN) -> dict[str, object]:
    """
    Return everything that the page's template shows, by name; strings are as they were read, not yet escaped.

    Figures and dates are strings as `display` has them, but for those in `summary` and `manifest`.
    Raises ValueError for a summary of before there was a bridge, without which no control total can be shown.
    """
    if summary.counts.items and not summary.bridge:
        raise ValueError("'bridge' is missing")
    return {
        "verdict": summary.verdict,
        "verdict_words": VERDICTS[summary.verdict],
        "verdict_meaning": _VERDICT_MEANINGS[summary.verdict],
        "summary": summary,
        "manifest": {**dict.fromkeys(_ONLY_SOME), **manifest},
        "at_stake": display.amounts(summary.at_stake.items()),
        "tiles": _tiles(summary, display),
        "totals": _totals(summary, display),
        "currencies": _currencies(summary),
        "spans": moves.spans(summary.aging),
        "patterns": [_pattern(one, summary.business_date) for one in summary.patterns],
        "link": link_to_breaks,
        "control": control_tables(summary, display),
        "breakdown": [_breakdown(one, display) for one in summary.breakdown],
        "labels": LABEL_OF,
        "meanings": MEANING_OF,
        "bridges": [bridge.as_table(one, display) for one in summary.bridge if one.moves_money],
        "flags": _flags(summary.flag_agreement, display),
        "roll_forward": moves.moved(summary.roll_forward, display, "Breaks and amounts at stake"),
        "apart": moves.by_cause(summary.apart, display),
        "aging": [
            moves.aging(summary.aging, display, "Breaks by days since they were first seen", "Open for", "age"),
            moves.aging(
                summary.aging_from_data, display, "Breaks by days since their order or payment", "Age", "data_age"
            ),
        ],
        "hash_totals": hash_totals_table(summary.hash_totals),
        "trend": moves.trend(summary, display),
    }


def _tiles(summary: Summary, display: Display) -> list[tuple[str, str]]:
    """The few figures that a reader looks for first."""
    counts, moved = summary.counts, summary.roll_forward
    tiles = [
        ("breaks", counts.breaks),
        ("accepted", summary.accepted_count),
        ("new", sum(line.new.count + line.reopened.count for line in moved)),
        ("cleared", sum(line.cleared.count for line in moved)),
        ("items", counts.items),
        ("payments", counts.payments),
        ("order rows", counts.orders),
        ("rejected rows", counts.rejects),
    ]
    return [(name, display.count(number)) for name, number in tiles]


def _totals(summary: Summary, display: Display) -> Table:
    """What is signed for, a row per currency: both sides, and what their difference is made of."""
    breaks = [line for status in summary.statuses if status.kind == Kind.BREAK for line in status.amounts]
    rows: list[tuple[str | Markup, ...]] = []
    for one in summary.bridge:
        code = one.currency_code
        mine = [line for line in breaks if line.currency_code == code]
        parts = dict.fromkeys(Kind, 0)
        for step in one.statuses:
            parts[KIND_OF[step.status]] += step.difference_cents
        amounts = (one.payment_amount_cents, one.order_amount_cents, one.difference_cents, *parts.values())
        rows.append(
            (
                code or NO_CURRENCY, *(display.amount(cents, code) for cents in amounts),
                display.count(sum(line.count for line in mine)),
                display.amount(sum(line.at_stake_cents for line in mine), code),
            )
        )  # fmt: skip
    made_of = ("= ok", "+ breaks", "+ timing", "+ info")
    header = ("Currency", "Payments", "Order rows", "Difference", *made_of, "Breaks", "At stake")
    return Table("Totals, and what the difference is made of", header, 1, rows, currency_at=0)


def _currencies(summary: Summary) -> list[str]:
    """The currencies that a reader can look at one at a time."""
    lines = (*summary.control.payments, *summary.control.orders)
    return sorted({line.currency_code for line in lines if line.currency_code})


def _pattern(pattern: Pattern, business_date: date) -> str | Markup:
    """What breaks have in common in words; a link to them where the table can show just these."""
    wanted = {"status": pattern.status.value} if pattern.status else {}
    if pattern.kind == "difference" and isinstance(pattern.value, int):
        code = pattern.currency_code or ""
        wanted |= {"currency": code, "text": format_amount(pattern.value, code)}
    elif pattern.kind == "day" and (age := (business_date - date.fromisoformat(str(pattern.value))).days) >= 0:
        wanted |= {"data_age": f"{age}-{age}"}
    elif pattern.kind in _SEARCHED and pattern.value != ANOTHER:
        wanted |= {"text": str(pattern.value)}
    else:
        return pattern.text
    return link_to_breaks(pattern.text, **wanted)


def _breakdown(breakdown: Breakdown, display: Display) -> Table:
    """All items by what they share; the lines of a currency add up to its statuses."""
    rows: list[tuple[str | Markup, ...]] = []
    for line in breakdown.lines:
        code = line.currency_code
        amounts = (line.payment_amount_cents, line.order_amount_cents, line.difference_cents)
        rows.append(
            (
                shown_value(line.value), code or NO_CURRENCY, display.count(line.count),
                *(display.amount(cents, code) for cents in amounts),
                display.count(line.breaks) if line.breaks else "",
                display.amount(line.at_stake_cents, code) if line.breaks else "",
            )
        )  # fmt: skip
    header = (breakdown.title, "Currency", "Items", "Payments", "Orders", "Difference", "Breaks", "At stake in breaks")
    by = breakdown.title if breakdown.by == "carried" else breakdown.title.lower()
    return Table(f"By {by}", header, 2, rows, currency_at=1)


def _flags(flags: FlagAgreement, display: Display) -> Table:
    rows: list[tuple[str | Markup, ...]] = [
        ("mismatched", display.count(flags.flagged_and_differs), display.count(flags.flagged_but_agrees)),
        ("not mismatched", display.count(flags.differs_not_flagged), display.count(flags.agree)),
    ]
    return Table("Flags", ("Commerce Layer says", "We find: differs", "We find: agrees"), 1, rows)
