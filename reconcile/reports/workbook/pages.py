"""
The pages of a workbook that people read first: Summary, Aging, Control totals, About.

Takes the figures of `summary.json` as they are; formulas only add up again what stands beside them or on another
sheet. Does not read items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from reconcile.figures.summary import MOVES, VERDICTS
from reconcile.figures.totals import AGING_BUCKETS
from reconcile.matching.policy import MEANING_OF
from reconcile.reports.workbook.page import Cell, Count, Money, Page, Styled
from reconcile.reports.workbook.rows import ITEM_COLUMNS, MOST_EXACT, NO_CURRENCY
from reconcile.reports.workbook.sums import Sums
from reconcile.schema import ITEMS
from reconcile.version import __version__

_VERDICT_STYLES = {"clean": "good", "clean_with_exceptions": "look", "over_limit": "bad"}
_KINDS = {"ok": "good", "timing": "look", "break": "bad"}
_MEANINGS = {str(status): meaning for status, meaning in MEANING_OF.items()}
_NOT_LIVE = "not a formula"


def write_summary(page: Page, summary: Mapping[str, Any], sums: Sums, notes: Sequence[str]) -> None:
    """Write the verdict, the statuses with their amounts, totals per currency, and what else is to be known."""
    page.title(f"Reconciliation of {summary['business_date']}")
    _facts(page, summary)
    for sentence in (*summary.get("limits_exceeded", ()), *summary.get("warnings", ()), *notes):
        page.put("Note", Styled(sentence, "note"))
    titles = ("Items", "Payments", "Orders", "Difference", "At stake")
    page.heading("Statuses", "Status", "Kind", "Currency", *titles, "Accepted", "Accepted at stake", "Meaning")
    first = page.row
    for status in summary["statuses"]:
        for line in status["amounts"]:
            page.put(*_status_cells(status, line, sums, page.row))
    last = page.row - 1
    page.heading("Totals", "", "", "Currency", *titles, "Accepted", "Accepted at stake")
    for code, totals in _totals(summary["statuses"]).items():
        page.put(None, None, _named(code), *_total_cells(totals, code, sums, first, last, page.row), total=True)
    _flags(page, summary["flag_agreement"])
    if summary.get("patterns"):
        page.heading("Breaks have in common")
        for pattern in summary["patterns"]:
            page.put(pattern["text"])


def write_aging(page: Page, summary: Mapping[str, Any], sums: Sums) -> None:
    """Write how long breaks have been open, and what changed since the run before."""
    page.title("Aging of breaks")
    page.heading("Days since a break was first seen", "Days", "Currency", "Breaks", "At stake")
    for (first, last), bucket in zip(AGING_BUCKETS, summary["aging"], strict=True):
        # The breaks of a bucket are counted over all currencies; amounts of two of them have no sum.
        page.put(bucket["bucket"], "all", Count(bucket["count"], sums.aging_count(first, last)), total=True)
        for line in bucket["amounts"]:
            code = line["currency_code"]
            formula = sums.aging_amount(code, first, last, row=page.row)
            page.put(bucket["bucket"], _named(code), None, Money(line["at_stake_cents"], code, formula))
    page.heading("Days since the order or payment, or since the date of the order row", "Days", "Currency", "Breaks",
                 "At stake")  # fmt: skip
    for bucket in summary.get("aging_from_data", ()):
        page.put(bucket["bucket"], "all", bucket["count"], total=True)
        for line in bucket["amounts"]:
            code = line["currency_code"]
            page.put(bucket["bucket"], _named(code), None, Money(line["at_stake_cents"], code))
    page.heading("Since the run before", "Currency", "", *(move.capitalize() for move in MOVES))
    for line in summary["roll_forward"]:
        code = line["currency_code"]
        *counts, closing = (line[move]["count"] for move in MOVES)
        page.put(_named(code), "breaks", *counts, Count(closing, sums.moved(page.row)))
        *amounts, closing = (line[move]["amount_cents"] for move in MOVES)
        is_exact = max(map(abs, amounts)) <= MOST_EXACT
        formula = sums.moved(page.row, code) if is_exact else None
        page.put(_named(code), "at stake", *(Money(cents, code) for cents in amounts), Money(closing, code, formula))


def write_control(page: Page, summary: Mapping[str, Any], sums: Sums) -> None:
    """Write what came in and went out on both sides, and how the payments' total becomes that of the orders."""
    page.title("Control totals")
    titles = ("Rows in", "Amount in", "Rows out", "Amount out", "Rows left over")
    page.heading("Every row that came in went out again", "Side", "Currency", *titles)
    for side in ("payments", "orders"):
        for line in summary["control"][side]:
            code, row = line["currency_code"], page.row
            left = Count(line["rows_in"] - line["rows_out"], f"=C{row}-E{row}")
            page.put(
                side, _named(code), line["rows_in"], Money(line["amount_in_cents"], code),
                line["rows_out"], Money(line["amount_out_cents"], code), left,
            )  # fmt: skip
    page.put("rejected", None, summary["counts"].get("rejects", 0))
    page.heading("Hash totals of what names the rows", "Side", "Currency", "In", "Out")
    for side, lines in summary.get("hash_totals", {}).items():
        for line in lines:
            page.put(side, _named(line["currency_code"]), line["keys_in"], line["keys_out"])
    page.heading("From the payments' total to that of the orders", "Currency", "Status", "Payments", "Orders",
                 "Difference")  # fmt: skip
    for bridge in summary.get("bridge", ()):
        _write_bridge(page, bridge, sums)


def write_about(page: Page, summary: Mapping[str, Any]) -> None:
    """Write what made the workbook, what its columns mean and where the rest is."""
    page.title("About this workbook")
    page.put("Run", summary["run_id"])
    page.put("Written by", f"reconcile {__version__}")
    for sentence in _READING:
        page.put("Reading", sentence)
    pull = summary.get("pull")
    if pull:
        page.put("Pull", f"{pull['payments']:,} payments of {pull['organization']} ({pull['mode']})")
        page.put("Proof", f"Commerce Layer counted {pull['count_before']} before and {pull['count_after']} after")
    page.heading("Statuses", "Status", "Meaning")
    for status, meaning in _MEANINGS.items():
        page.put(status, meaning)
    page.heading("Columns of Breaks and All items", "Column", "Meaning", "In items.parquet")
    for column in ITEM_COLUMNS:
        is_read = column.sql in ITEMS.names
        meaning = _DESCRIPTIONS[column.sql] if is_read else _DERIVED[column.title]
        meaning = meaning.replace(", minor units", "")  # in the file; here they are decimal numbers
        page.put(column.title, meaning, column.sql if is_read else "")


_READING = (
    "Figures are those of summary.json; every row of Breaks and All items is one of breaks.parquet and items.parquet.",
    f"Totals on Summary, Aging and Control totals are formulas over the sheets; where one is marked “{_NOT_LIVE}” a "
    "spreadsheet could not add it up exactly.",
    "Amounts are decimal numbers in their own currency; nothing is converted. More than fifteen digits are text.",
    "Instants are in UTC. Texts are shown as they are: none is a formula or a link. � is a sign that no cell holds.",
)
_DESCRIPTIONS = {field.name: (field.metadata or {})[b"description"].decode() for field in ITEMS}
_DERIVED = {
    "Currency": "of the payment, else of the order; none where neither has one",
    "At stake": "what differs, where both sides were compared and that is the finding; else the whole amount",
}


def _facts(page: Page, summary: Mapping[str, Any]) -> None:
    verdict = summary["verdict"]
    page.put("Verdict", Styled(VERDICTS.get(verdict, verdict), _VERDICT_STYLES.get(verdict, "bad")))
    page.put("Business date", date.fromisoformat(summary["business_date"]))
    for name in ("organization", "mode", "amount_basis", "run_id"):
        if summary.get(name):
            page.put(name.replace("_", " ").capitalize(), summary[name])
    for name in ("payments", "orders", "items", "breaks", "rejects"):
        page.put(name.capitalize(), summary["counts"].get(name, 0))


def _status_cells(status: Mapping[str, Any], line: Mapping[str, Any], sums: Sums, row: int) -> list[Cell]:
    name, code = status["status"], line["currency_code"]
    of = {
        title: sums.status_line(name, code, column=title, row=row) for title in ("Payment", "Order", "Difference")
    } | {
        "At stake": sums.status_line(name, code, column="At stake", row=row),
        "Items": sums.status_line(name, code, column=None, row=row),
    }
    meaning = _MEANINGS.get(name, "")
    return [
        name,
        Styled(status["kind"], _KINDS.get(status["kind"], "text")),
        _named(code),
        Count(line["count"], of["Items"]),
        Money(line["payment_amount_cents"], code, of["Payment"]),
        Money(line["order_amount_cents"], code, of["Order"]),
        Money(line["difference_cents"], code, of["Difference"]),
        Money(line["at_stake_cents"], code, of["At stake"]),
        line.get("accepted_count", 0),
        Money(line.get("accepted_at_stake_cents", 0), code),
        meaning if of["Items"] else f"{meaning} ({_NOT_LIVE})",
    ]


_SUMMED = (
    "count", "payment_amount_cents", "order_amount_cents", "difference_cents", "at_stake_cents", "accepted_count",
    "accepted_at_stake_cents",
)  # fmt: skip


def _totals(statuses: Sequence[Mapping[str, Any]]) -> dict[str | None, dict[str, int]]:
    totals: dict[str | None, dict[str, int]] = {}
    for line in (line for status in statuses for line in status["amounts"]):
        total = totals.setdefault(line["currency_code"], dict.fromkeys(_SUMMED, 0))
        for name in _SUMMED:
            total[name] += line.get(name) or 0
    return dict(sorted(totals.items(), key=lambda entry: (entry[0] is None, entry[0] or "")))


def _total_cells(total: Mapping[str, int], code: str | None, sums: Sums, first: int, last: int, row: int) -> list[Cell]:
    cells: list[Cell] = []
    for letter, name in zip("DEFGHIJ", _SUMMED, strict=True):
        formula = sums.column_total(letter, "C", first, last, code=code, row=row)
        number = total[name]
        cells.append(Count(number, formula) if name.endswith("count") else Money(number, code, formula))
    return cells


def _flags(page: Page, counts: Mapping[str, int]) -> None:
    page.heading("Does the API's mismatched_amounts agree?", "The API says", "", "", "We find: differs", "Agrees")
    page.put("mismatched", None, None, counts["flagged_and_differs"], counts["flagged_but_agrees"])
    page.put("not mismatched", None, None, counts["differs_not_flagged"], counts["agree"])
    page.put("not comparable", None, None, counts["not_comparable"])


def _write_bridge(page: Page, bridge: Mapping[str, Any], sums: Sums) -> None:
    code, first = bridge["currency_code"], page.row
    for step in bridge["statuses"]:
        row = page.row
        payments, orders = (sums.bridge_line(code, column=column, row=row) for column in ("Payment", "Order"))
        page.put(
            _named(code), step["status"],
            Money(step["payment_amount_cents"], code, payments), Money(step["order_amount_cents"], code, orders),
            Money(step["difference_cents"], code, sums.gap("C", "D", code, row=row) if payments else None),
            None if payments else _NOT_LIVE,
        )  # fmt: skip
    names = ("payment_amount_cents", "order_amount_cents", "difference_cents")
    row, last = page.row, page.row - 1
    totals = [
        Money(bridge[name], code, sums.column_total(letter, "A", first, last, code=code, row=row))
        for letter, name in zip("CDE", names, strict=True)
    ]
    page.put(_named(code), "total", *totals, total=True)


def _named(code: str | None) -> str:
    return code or NO_CURRENCY
