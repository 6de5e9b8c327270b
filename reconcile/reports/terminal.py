"""
The end-of-run table: what agrees, what breaks, how much and in which currency, for a terminal.

Takes the figures of `summary.json` as they are and
adds nothing up but what is at stake in all breaks. Returns text; printing it is the command's.

Colour only repeats what a word on the same line says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reconcile.figures.summary import VERDICTS, at_stake
from reconcile.reports.display import PLAIN, Display
from reconcile.reports.text_table import BOLD, KEEP, TextTable, paint, plain, render, wrap

_DIM, _RED, _GREEN, _YELLOW = "2", "31", "32", "33"
_KIND_COLOURS = {"ok": _GREEN, "timing": _YELLOW, "info": _DIM, "break": _RED}
_VERDICT_COLOURS = {"clean": _GREEN, "clean_with_exceptions": _YELLOW}


def summary_table(summary: Mapping[str, Any], *, width: int, colour: bool, display: Display = PLAIN) -> str:
    """
    Return the figures of a run as lines of at most `width` columns (40 or more), without a last line feed.

    `summary` is the document of `summary.json`. Amounts are in decimal form with grouped thousands, as `display` has
    them. A block that is too wide for `width` has its columns one below the other. Without `colour` there are no escape
    codes.
    """
    blocks = [
        _headline(summary, width, colour, display),
        render(_statuses(summary["statuses"], display), width, colour),
        render(_control(summary["control"], summary["counts"], display), width, colour),
        render(_flag_agreement(summary["flag_agreement"], display), width, colour),
    ]
    not_comparable = summary["flag_agreement"]["not_comparable"]
    if not_comparable:
        blocks[-1] += f"\nnot comparable: {display.count(not_comparable)}"
    if patterns := summary.get("patterns"):
        lines = [line for pattern in patterns for line in wrap(f"- {plain(pattern['text'])}", width)]
        blocks.append("\n".join([paint("Breaks have in common", BOLD, colour), *lines]))
    keys = _keys(summary.get("key_profile"), display)
    if keys.rows:
        blocks.append(render(keys, width, colour))
    cleaning = _cleaning((summary.get("key_profile") or {}).get("cleaning", ()), display)
    if cleaning.rows:
        blocks.append(render(cleaning, width, colour))
    aging = _aging(summary.get("aging", ()), display)
    if aging.rows:
        blocks.append(render(aging, width, colour))
    return "\n\n".join(blocks)


def grouped_amount(cents: int | None, currency_code: str | None) -> str:
    """Return minor units for people: 123456789 in EUR is "1,234,567.89"; nothing where there is no amount."""
    return PLAIN.amount(cents, currency_code)


def _headline(summary: Mapping[str, Any], width: int, colour: bool, display: Display) -> str:
    counts = summary["counts"]
    words = VERDICTS.get(summary["verdict"], plain(summary["verdict"]))
    shade = _VERDICT_COLOURS.get(summary["verdict"], _RED)
    breaks = display.plural(counts["breaks"], "break") if counts["breaks"] else "no breaks"
    verdict = f"{words}: {breaks} in {display.plural(counts['items'], 'item')}"
    amounts = [line for status in summary["statuses"] for line in status["amounts"]]
    if accepted := sum(line.get("accepted_count", 0) for line in amounts):
        verdict += f", {display.count(accepted)} accepted"
    stakes = at_stake(summary["statuses"]).items()
    if stakes:
        amounts_of = (f"{_currency(code)}{KEEP}{display.amount(cents, code)}" for code, cents in stakes)
        verdict += f", at stake {', '.join(amounts_of)}"
    facts = [
        display.date(summary["business_date"]).replace("\u202f", " "),  # a blank of another width is not `plain`
        summary.get("organization"),
        summary.get("mode"),
        summary["amount_basis"],
        f"run {summary['run_id']}",
    ]
    about = " · ".join(plain(fact).replace(" ", KEEP) for fact in facts if fact)
    lines = [paint(line, BOLD + ";" + shade, colour) for line in wrap(verdict, width)]
    return "\n".join([*lines, *wrap(about, width)])


def _statuses(statuses: Sequence[Mapping[str, Any]], display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = []
    colours: list[str] = []
    columns = ("payment_amount_cents", "order_amount_cents", "difference_cents")
    for status in statuses:
        head = (plain(status["status"]), plain(status["kind"]))
        rows += _per_currency(head, status["count"], status["amounts"], display, columns=columns, counted="count")
        colours += [_KIND_COLOURS.get(status["kind"], "")] * (len(rows) - len(colours))
    header = ("Status", "Kind", "Currency", "Items", "Payments", "Orders", "Difference")
    return TextTable(header, frozenset({"Status", "Kind", "Currency"}), rows, colours, point=display.decimal)


def _control(
    control: Mapping[str, Sequence[Mapping[str, Any]]], counts: Mapping[str, int], display: Display
) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for side in ("payments", "orders"):
        columns = ("amount_in_cents",)
        rows += _per_currency((f"{side} in",), counts[side], control[side], display, columns=columns, counted="rows_in")
    if counts.get("rejects"):
        rows += _per_currency(("rejected",), counts["rejects"], (), display, columns=("amount_in_cents",))
    header = ("Side", "Currency", "Rows", "Amount")
    return TextTable(header, frozenset({"Side", "Currency"}), rows, [""] * len(rows), point=display.decimal)


def _flag_agreement(counts: Mapping[str, int], display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = [
        ("mismatched", display.count(counts["flagged_and_differs"]), display.count(counts["flagged_but_agrees"])),
        ("not mismatched", display.count(counts["differs_not_flagged"]), display.count(counts["agree"])),
    ]
    return TextTable(("The API says", "We find: differs", "agrees"), frozenset({"The API says"}), rows, ["", ""])


def _keys(profile: Mapping[str, Any] | None, display: Display) -> TextTable:
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
        rows.append((one["key"], *map(display.count, (*counts, one["shared_keys"], twice, one["pairs"]))))
    header = ("Key", "Payments", "without", "Orders", "without", "On both", "Twice", "Pairs")
    return TextTable(header, frozenset({"Key"}), rows, [""] * len(rows))


def _cleaning(keys: Sequence[Mapping[str, Any]], display: Display) -> TextTable:
    """What the clean-up rules did: rows of each side whose key a rule changed; keys emptied and keys made one."""
    counts: dict[tuple[str, str], dict[str, str]] = {}
    touched = {one["key"] for one in keys if any(one["changed"].values())} or {one["key"] for one in keys[:1]}
    for one in keys:
        if one["key"] not in touched:
            continue
        effects = {**one["changed"], "nothing left": one["emptied"], "made one": one["collisions"]}
        for effect, number in effects.items():
            if number or effect in one["changed"]:
                counts.setdefault((effect, one["key"]), {})[one["side"]] = display.count(number)
    rows: list[tuple[str, ...]] = []
    for head, sides in counts.items():
        rows.append((*head, sides.get("payments", ""), sides.get("orders", "")))
    return TextTable(("Clean-up", "Key", "Payments", "Orders"), frozenset({"Clean-up", "Key"}), rows, [""] * len(rows))


def _aging(aging: Sequence[Mapping[str, Any]], display: Display) -> TextTable:
    rows: list[tuple[str, ...]] = []
    for bucket in aging:
        if bucket["count"]:
            head = (plain(bucket["bucket"]),)
            rows += _per_currency(head, bucket["count"], bucket["amounts"], display, columns=("at_stake_cents",))
    header = ("Days open", "Currency", "Breaks", "At stake")
    return TextTable(header, frozenset({"Days open", "Currency"}), rows, [""] * len(rows), point=display.decimal)


def _per_currency(
    head: tuple[str, ...],
    total: int,
    lines: Sequence[Mapping[str, Any]],
    display: Display,
    *,
    columns: tuple[str, ...],
    counted: str | None = None,
) -> list[tuple[str, ...]]:
    """Rows of `head`, currency, count and amounts: one where there is one currency, else the total above each."""
    rows = []
    for line in lines:
        code = line["currency_code"]
        rows_of_it = display.count(line[counted]) if counted else ""
        rows.append((_currency(code), rows_of_it, *(display.amount(line[column], code) for column in columns)))
    if len(rows) == 1:
        return [(*head, rows[0][0], display.count(total), *rows[0][2:])]
    return [(*head, "", display.count(total), *[""] * len(columns)), *((*[""] * len(head), *row) for row in rows)]


def _currency(currency_code: str | None) -> str:
    return plain(currency_code) if currency_code else "none"
