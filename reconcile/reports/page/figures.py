"""
The figures of a page in the words of a page: amounts as text, bars, and what adds up to what.

Takes `summary.json` and `manifest.json` as they are, and adds up only what a reader is to see adding up. Knows no
mark-up but the charts'; the template says where each figure stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from reconcile.figures.summary import MOVES, VERDICTS, at_stake
from reconcile.figures.totals import NO_DATE
from reconcile.matching.policy import KIND_OF, MEANING_OF, Kind, Status
from reconcile.reports.display import PLAIN, Display
from reconcile.reports.page import charts
from reconcile.reports.text_table import KEEP

_VERDICT_MEANINGS = {
    "clean": "There is no break.",
    "clean_with_exceptions": "There are breaks to look at; no limit is exceeded.",
    "over_limit": "A limit that stops the close is exceeded.",
}
NO_CODE = "none"
_TREND_HIGH = 120
_ONLY_SOME = ("pull", "narrowed", "payments_file")  # of a manifest: a run has the first two, a match the last
_MEANINGS = {status.value: meaning for status, meaning in MEANING_OF.items()}


@dataclass(frozen=True, slots=True)
class Table:
    """A plain table: `words` columns of words come first, all others are figures. The last row may be a total."""

    caption: str
    header: tuple[str, ...]
    words: int
    rows: list[tuple[str | Markup, ...]]
    has_total: bool = False


def figures(summary: Mapping[str, Any], manifest: Mapping[str, Any], *, display: Display = PLAIN) -> dict[str, Any]:
    """
    Return everything that the page's template shows, by name; texts are as they were read, not yet escaped.

    Figures and dates are texts as `display` has them, but for those in `summary` and `manifest`.
    """
    kinds = {line["status"]: line["kind"] for line in summary["statuses"]}
    verdict = VERDICTS.get(summary["verdict"], summary["verdict"])
    meaning = _VERDICT_MEANINGS.get(summary["verdict"], "")
    return {
        "verdict": summary["verdict"],
        "verdict_words": verdict,
        "verdict_meaning": meaning,
        "summary": summary,
        "manifest": {**dict.fromkeys(_ONLY_SOME), **manifest},
        "at_stake": _at_stake(_stake_of(summary["statuses"]), display),
        "tiles": _tiles(summary, display),
        "control": [_control(side, summary, kinds, display) for side in ("payments", "orders")],
        "statuses": [_status(line, display) for line in summary["statuses"]],
        "bridges": [_bridge(line, kinds, display) for line in summary["bridge"] if _moves_money(line)],
        "flags": _flags(summary["flag_agreement"], display),
        "roll_forward": _roll_forward(summary["roll_forward"], display),
        "aging": [
            _aging(summary["aging"], display, "Breaks by days since they were first seen", "Open for"),
            _aging(summary["aging_from_data"], display, "Breaks by days since their order or payment", "Age"),
        ],
        "hash_totals": _hash_totals(summary["hash_totals"]),
        "trend": _trend(summary, display),
    }


def _tiles(summary: Mapping[str, Any], display: Display) -> list[tuple[str, str]]:
    """The few figures that a reader looks for first."""
    moved = {move: sum(line[move]["count"] for line in summary["roll_forward"]) for move in MOVES}
    counts = summary["counts"]
    accepted = sum(line["accepted_count"] for status in summary["statuses"] for line in status["amounts"])
    tiles = [
        ("breaks", counts["breaks"]),
        ("accepted", accepted),
        ("new", moved["new"] + moved["reopened"]),
        ("cleared", moved["cleared"]),
        ("items", counts["items"]),
        ("payments", counts["payments"]),
        ("order rows", counts["orders"]),
        ("rejected rows", counts["rejects"]),
    ]
    return [(name, display.count(number)) for name, number in tiles]


def _at_stake(stake: Mapping[str, int], display: Display) -> str:
    codes = {code: "" if code == NO_CODE else code for code in stake}
    return ", ".join(f"{code}{KEEP}{display.amount(stake[code], known)}" for code, known in codes.items())


def _control(side: str, summary: Mapping[str, Any], kinds: Mapping[str, str], display: Display) -> Table:
    """What went in, by what became of it, and what came out: each row adds up from left to right."""
    cents = "payment_amount_cents" if side == "payments" else "order_amount_cents"
    by_kind: dict[str | None, dict[str, int]] = {}
    for line in summary["bridge"]:
        sums = by_kind.setdefault(line["currency_code"], dict.fromkeys(Kind, 0))
        for step in line["statuses"]:
            sums[_kind(step["status"], kinds)] += step[cents]
    rows: list[tuple[str | Markup, ...]] = []
    for line in summary["control"][side]:
        code = line["currency_code"]
        sums = by_kind.get(code, dict.fromkeys(Kind, 0))
        adds_up = sum(sums.values()) == line["amount_in_cents"] == line["amount_out_cents"]
        proved = adds_up and line["rows_in"] == line["rows_out"]
        parts = (line["amount_in_cents"], *(sums[kind] for kind in Kind), line["amount_out_cents"])
        rows.append(
            (
                code or NO_CODE,
                display.count(line["rows_in"]),
                *(display.amount(one, code) for one in parts),
                display.count(line["rows_out"]),
                "adds up" if proved else "DOES NOT ADD UP",
            )
        )
    title = "Payments" if side == "payments" else "Order rows"
    amounts = ("Amount in", "= ok", "+ breaks", "+ timing", "+ info", "= amount out")
    return Table(title, ("Currency", "Rows in", *amounts, "Rows out", "Proof"), 1, rows)


def _status(line: Mapping[str, Any], display: Display) -> dict[str, Any]:
    return {
        "status": line["status"],
        "kind": line["kind"],
        "meaning": _MEANINGS.get(line["status"], ""),
        "count": display.count(line["count"]),
        "lines": [
            (
                one["currency_code"] or NO_CODE,
                display.count(one["count"]),
                *(
                    display.amount(one[name], one["currency_code"])
                    for name in ("payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents")
                ),
                display.count(one["accepted_count"]) if one["accepted_count"] else "",
            )
            for one in line["amounts"]
        ],
    }


def _moves_money(bridge: Mapping[str, Any]) -> bool:
    return bool(bridge["payment_amount_cents"] or bridge["order_amount_cents"])


def _bridge(line: Mapping[str, Any], kinds: Mapping[str, str], display: Display) -> Table:
    """The way from the payments' total to the order rows' total, a bar and a running total for each status."""
    code = line["currency_code"] or ""
    steps = [(step["status"], -step["difference_cents"]) for step in line["statuses"] if step["difference_cents"]]
    steps.sort(key=lambda step: (-abs(step[1]), step[0]))
    running = [line["payment_amount_cents"]]
    for _, cents in steps:
        running.append(running[-1] + cents)
    low, high = min(running), max(running)
    low -= max((high - low) // 8, 1)  # totals are bars of a shortened axis, not points

    def amount(cents: int) -> str:
        return display.amount(cents, code)

    def bar(before: int, after: int, kind: str, name: str) -> Markup:
        words = f"{name}: from {amount(before)} to {amount(after)}" if kind != "total" else f"{name}: {amount(after)}"
        return charts.step_bar(before, after, low=low, high=high, kind=kind, words=words)

    rows: list[tuple[str | Markup, ...]] = [
        ("payments", bar(low, running[0], "total", "payments"), amount(running[0]), amount(running[0]))
    ]
    for (status, cents), before, after in zip(steps, running, running[1:], strict=False):
        signed = f"+{amount(cents)}" if cents > 0 else amount(cents)
        rows.append((status, bar(before, after, _kind(status, kinds), status), signed, amount(after)))
    rows.append(("unexplained", "", amount(line["unexplained_cents"]), amount(running[-1])))
    orders = line["order_amount_cents"]
    rows.append(("order rows", bar(low, orders, "total", "order rows"), amount(orders), amount(orders)))
    return Table(code or "no currency", ("Step", "Chart", "Amount", "Total so far"), 2, rows, has_total=True)


def _flags(counts: Mapping[str, int], display: Display) -> Table:
    rows: list[tuple[str | Markup, ...]] = [
        ("mismatched", display.count(counts["flagged_and_differs"]), display.count(counts["flagged_but_agrees"])),
        ("not mismatched", display.count(counts["differs_not_flagged"]), display.count(counts["agree"])),
    ]
    return Table("Flags", ("Commerce Layer says", "We find: differs", "We find: agrees"), 1, rows)


def _roll_forward(lines: Sequence[Mapping[str, Any]], display: Display) -> Table:
    """Opening + new + reopened + changed − cleared = closing: one row of counts and one of amounts per currency."""
    rows: list[tuple[str | Markup, ...]] = []
    for line in lines:
        code = line["currency_code"]
        counts = (display.count(line[move]["count"]) for move in MOVES)
        amounts = (display.amount(line[move]["amount_cents"], code) for move in MOVES)
        rows += [(code or NO_CODE, "breaks", *counts), (code or NO_CODE, "at stake", *amounts)]
    header = ("Currency", "Figure", "Opening", "+ new", "+ reopened", "+ changed", "− cleared", "= closing")
    return Table("Breaks and what they put at stake", header, 2, rows)


def _hash_totals(totals: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """Digits as they are, in any locale: they are compared, not read."""
    rows: list[tuple[str | Markup, ...]] = []
    for side, name in (("payments", "payments"), ("orders", "order rows")):
        for line in totals[side]:
            went_in, came_out = line["keys_in"], line["keys_out"]
            proof = "grouped" if came_out is None else "the same" if went_in == came_out else "NOT THE SAME"
            rows.append((name, line["currency_code"] or NO_CODE, went_in, came_out or "", proof))
    return Table("Hash totals of what names the rows", ("Side", "Currency", "In", "Out", "Proof"), 2, rows)


def _aging(buckets: Sequence[Mapping[str, Any]], display: Display, caption: str, since: str) -> Table:
    most = max((bucket["count"] for bucket in buckets), default=0)
    rows: list[tuple[str | Markup, ...]] = []
    for bucket in buckets:
        n, days = bucket["count"], bucket["bucket"].replace("-", "–") + (" days" if bucket["bucket"] != NO_DATE else "")
        stake = {one["currency_code"] or NO_CODE: one["at_stake_cents"] for one in bucket["amounts"]}
        bar = charts.length_bar(n, most=most, kind="break", words=f"{days}: {display.plural(n, 'break')}")
        at_stake = _at_stake({code: cents for code, cents in stake.items() if cents}, display)
        rows.append((days, bar, at_stake, display.count(n)))
    return Table(caption, (since, "Chart", "At stake", "Breaks"), 3, rows)


def _trend(summary: Mapping[str, Any], display: Display) -> dict[str, Any] | None:
    """The breaks of the runs before this one and of this one; nothing where this is the first."""
    earlier = summary.get("trend") or []
    if not earlier:
        return None
    tonight = {
        **{name: summary[name] for name in ("business_date", "verdict")},
        **{name: summary["counts"][name] for name in ("items", "breaks")},
        "at_stake": _stake_of(summary["statuses"]),
    }
    runs = [*earlier, tonight]
    values = [run["breaks"] for run in runs]
    dates = [display.date(run["business_date"]) for run in runs]
    first, last = dates[0], dates[-1]
    counts = ", ".join(map(display.count, values))
    chart = charts.columns(
        values,
        kinds=["total"] * len(earlier) + ["break"],
        titles=[
            f"{display.isolated(on)}: {display.plural(run['breaks'], 'break')}"
            for on, run in zip(dates, runs, strict=True)
        ],
        words=f"breaks of {display.plural(len(runs), 'run')} from {first} to {last}: {counts}",
        high=_TREND_HIGH,
    )
    rows: list[tuple[str | Markup, ...]] = [
        (
            on,
            VERDICTS.get(run["verdict"], run["verdict"]),
            _at_stake(run["at_stake"], display),
            display.count(run["items"]),
            display.count(run["breaks"]),
        )
        for on, run in zip(reversed(dates), reversed(runs), strict=True)
    ]
    table = Table("The last runs, latest first", ("Business date", "Verdict", "At stake", "Items", "Breaks"), 3, rows)
    return {"chart": chart, "table": table, "first": first, "last": last, "most": display.count(max(values))}


def _stake_of(statuses: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {code or NO_CODE: cents for code, cents in at_stake(statuses).items()}


def _kind(status: str, kinds: Mapping[str, str]) -> str:
    return kinds.get(status) or KIND_OF[Status(status)].value
