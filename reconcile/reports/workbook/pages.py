"""
The pages of a workbook that people read first: Summary, Aging, Control totals, Breakdown, About.

Takes a summary as it is; formulas only add up again what stands beside them or on another
sheet. Does not read items.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.figures.aging import AgingBucket
from reconcile.figures.roll_forward import MOVES, RollForward
from reconcile.figures.statuses import StatusAmounts, StatusLine
from reconcile.figures.summary import NO_CURRENCY, VERDICTS, Bridge, FlagAgreement, OrderBookFigures, Summary
from reconcile.files.workbook_cells import MOST_EXACT, Money
from reconcile.matching.policy import LABEL_OF, MEANING_OF, Kind
from reconcile.money import currency_order
from reconcile.orders.report import LeftOut
from reconcile.reports.display import shown_value
from reconcile.reports.workbook.page import CountCell, Page, PageCell, Styled
from reconcile.reports.workbook.rows import ITEM_COLUMNS
from reconcile.reports.workbook.sums import Sums
from reconcile.schema import ITEMS
from reconcile.version import __version__

_VERDICT_STYLES = {"clean": "good", "clean_with_exceptions": "look", "over_limit": "bad"}
_KINDS = {Kind.OK: "good", Kind.TIMING: "look", Kind.BREAK: "bad"}
_NOT_LIVE = "not a formula"


def write_summary(page: Page, summary: Summary, sums: Sums, notes: Sequence[str]) -> None:
    """Write the verdict, the statuses with their amounts, totals per currency, and what else is to be known."""
    page.title(f"Reconciliation of {summary.business_date}")
    _facts(page, summary)
    for sentence in summary.limits_exceeded:
        page.put("Over limit", Styled(sentence, "note"))
    for warning in summary.warnings:
        page.put(warning.level.capitalize(), Styled(warning.text, "note"))
    for sentence in notes:
        page.put("Note", Styled(sentence, "note"))
    titles = ("Items", "Payments", "Orders", "Difference", "At stake")
    page.heading("Statuses", "Status", "Kind", "Currency", *titles, "Accepted", "Accepted at stake", "Meaning", "Code")
    first = page.row
    for status in summary.statuses:
        for line in status.amounts:
            page.put(*_status_cells(status, line, sums, page.row))
    last = page.row - 1
    page.heading("Totals", "", "", "Currency", *titles, "Accepted", "Accepted at stake")
    lines = [line for status in summary.statuses for line in status.amounts]
    for code in sorted({line.currency_code for line in lines}, key=currency_order):
        mine = [line for line in lines if line.currency_code == code]
        page.put(None, None, _named(code), *_total_cells(mine, code, sums, first, last, page.row), total=True)
    _flags(page, summary.flag_agreement)
    if summary.patterns:
        page.heading("What breaks have in common")
        for pattern in summary.patterns:
            page.put(pattern.text)


def write_aging(page: Page, summary: Summary, sums: Sums) -> None:
    """Write how long breaks have been open, and what changed since the previous run."""
    page.title("Aging of breaks")
    titles = ("Days", "Currency", "Breaks", "At stake")
    page.heading("Days since a break was first seen", *titles)
    for bucket in summary.aging:
        _write_bucket(page, bucket, sums)
    page.heading("Days since the order or payment, or since the date of the order row", *titles)
    for bucket in summary.aging_from_data:
        _write_bucket(page, bucket)
    _write_moves(page, "Since the previous run", summary.roll_forward, sums)
    if summary.apart is not None:
        title = "Because of changed rules: the previous run matched again with today's rules"
        _write_moves(page, title, summary.apart.by_rules, sums)
        _write_moves(page, "Because of the data: from there to this run", summary.apart.by_data, sums)


def _write_moves(page: Page, title: str, lines: Sequence[RollForward], sums: Sums) -> None:
    page.heading(title, "Currency", "", *(move.capitalize() for move in MOVES))
    for line in lines:
        code = line.currency_code
        *counts, closing = (move.count for move in line.moves)
        page.put(_named(code), "breaks", *counts, CountCell(closing, sums.moved(page.row)))
        *amounts, closing = (move.amount_cents for move in line.moves)
        is_exact = max(map(abs, amounts)) <= MOST_EXACT
        formula = sums.moved(page.row, code) if is_exact else None
        page.put(_named(code), "at stake", *(Money(cents, code) for cents in amounts), Money(closing, code, formula))


def _write_bucket(page: Page, bucket: AgingBucket, sums: Sums | None = None) -> None:
    """Write the breaks of one age, with formulas over the sheet of breaks where there are `sums`."""
    days = bucket.days if sums is not None else None
    # The breaks of a bucket are counted over all currencies; amounts of two of them have no sum.
    page.put(
        bucket.bucket, "all", CountCell(bucket.count, sums.aging_count(*days) if sums and days else None), total=True
    )
    for line in bucket.amounts:
        code = line.currency_code
        formula = sums.aging_amount(code, *days, row=page.row) if sums and days else None
        page.put(bucket.bucket, _named(code), None, Money(line.at_stake_cents, code, formula))


def write_control(page: Page, summary: Summary, sums: Sums) -> None:
    """Write what came in and went out on both sides, and how the payments' total becomes that of the orders."""
    page.title("Control totals")
    titles = ("Rows in", "Amount in", "Rows out", "Amount out", "Rows left over")
    page.heading("Rows and amounts in and out", "Side", "Currency", *titles)
    for side, control in (("payments", summary.control.payments), ("orders", summary.control.orders)):
        for line in control:
            code, row = line.currency_code, page.row
            left = CountCell(line.rows_in - line.rows_out, f"=C{row}-E{row}")
            page.put(
                side, _named(code), line.rows_in, Money(line.amount_in_cents, code),
                line.rows_out, Money(line.amount_out_cents, code), left,
            )  # fmt: skip
    page.put("rejected", None, summary.counts.rejects)
    if summary.order_book is not None:
        _write_order_book(page, summary.order_book)
    if summary.left_out:
        _write_left_out(page, summary.left_out)
    page.heading("Hash totals of row identifiers", "Side", "Currency", "In", "Out")
    for side, totals in (("payments", summary.hash_totals.payments), ("orders", summary.hash_totals.orders)):
        for total in totals:
            page.put(side, _named(total.currency_code), total.keys_in, total.keys_out)
    page.heading("From the payments' total to the orders' total", "Currency", "Status", "Payments", "Orders",
                 "Difference")  # fmt: skip
    for bridge in summary.bridge:
        _write_bridge(page, bridge, sums)


def _write_order_book(page: Page, book: OrderBookFigures) -> None:
    titles = ("Step", "Currency", "Rows out", "Amount out", "Rows in", "Amount in")
    page.heading(f"Order book, deliveries: {book.deliveries}", *titles)
    for line in book.lines:
        code = line.currency_code
        page.put(
            line.kind, _named(code), line.rows_out, Money(line.amount_out_cents, code),
            line.rows_in, Money(line.amount_in_cents, code),
        )  # fmt: skip


def _write_left_out(page: Page, lines: Sequence[LeftOut]) -> None:
    titles = ("Column", "Value", "Currency", "Rows", "Unreadable amounts", "Amount")
    page.heading("Order rows left out as declared", "By", *titles)
    for line in lines:
        amount = Money(line.amount_cents, line.currency_code) if line.rows > line.unread else None
        page.put(
            line.reason,
            line.column,
            shown_value(line.value),
            _named(line.currency_code),
            line.rows,
            line.unread,
            amount,
        )


def write_breakdown(page: Page, summary: Summary) -> None:
    """Write all items by their market, their payment gateway and each carried column of the order files."""
    page.title("Breakdown of all items")
    titles = ("Currency", "Items", "Payments", "Orders", "Difference", "Breaks", "At stake in breaks")
    for breakdown in summary.breakdown:
        page.heading(f"By {breakdown.title}", breakdown.title, *titles)
        for line in breakdown.lines:
            code = line.currency_code
            amounts = (line.payment_amount_cents, line.order_amount_cents, line.difference_cents)
            page.put(
                shown_value(line.value), _named(code), line.count, *(Money(cents, code) for cents in amounts),
                line.breaks, Money(line.at_stake_cents, code),
            )  # fmt: skip


def write_about(page: Page, summary: Summary) -> None:
    """Write what made the workbook, what its columns mean and where the rest is."""
    page.title("About this workbook")
    page.put("Run", summary.run_id)
    page.put("Written by", f"reconcile {__version__}")
    for sentence in _READING:
        page.put("Reading", sentence)
    if pull := summary.pull:
        page.put("Pull", f"{pull.payments:,} payments of {pull.organization} ({pull.mode})")
        page.put("Proof", f"Commerce Layer counted {pull.count_before} before and {pull.count_after} after")
    page.heading("Statuses", "Status", "Meaning", "Code")
    for status, meaning in MEANING_OF.items():
        page.put(LABEL_OF[status], meaning, status.value)
    page.heading("Columns of Breaks and All items", "Column", "Meaning", "In items.parquet")
    for column in ITEM_COLUMNS:
        is_read = column.sql in ITEMS.names
        meaning = _DESCRIPTIONS[column.sql] if is_read else _DERIVED[column.title]
        meaning = meaning.replace(", minor units", "")  # in the file; here they are decimal numbers
        page.put(column.title, meaning, column.sql if is_read else "")


_READING = (
    "Figures are those of summary.json; rows of Breaks and All items are those of breaks.parquet and items.parquet.",
    f"Totals on Summary, Aging and Control totals are formulas over the sheets; where one is marked “{_NOT_LIVE}” a "
    "spreadsheet could not add it up exactly.",
    "Amounts are decimal numbers in their own currency; nothing is converted. Beyond fifteen digits they are text.",
    "Times are in UTC. Text is shown as it is: none is a formula or a link. � is a character that no cell can hold.",
)
_DESCRIPTIONS = {field.name: (field.metadata or {})[b"description"].decode() for field in ITEMS}
_DERIVED = {
    "Status": "the status in words, as under Statuses above",
    "Currency": "of the payment, else of the order; none where neither has one",
    "At stake": "what differs, where both sides were compared and that is the finding; else the whole amount",
}


def _facts(page: Page, summary: Summary) -> None:
    verdict, counts = summary.verdict, summary.counts
    page.put("Verdict", Styled(VERDICTS[verdict], _VERDICT_STYLES[verdict]))
    page.put("Business date", summary.business_date)
    for name in ("organization", "mode", "amount_basis", "run_id"):
        if fact := getattr(summary, name):
            page.put(name.replace("_", " ").capitalize(), fact)
    for name in counts.__struct_fields__:
        page.put(name.capitalize(), getattr(counts, name))


def _status_cells(status: StatusLine, line: StatusAmounts, sums: Sums, row: int) -> list[PageCell]:
    name, code, meaning = status.status, line.currency_code, MEANING_OF[status.status]

    def formula(column: str | None) -> str | None:
        return sums.status_line(code, column=column, row=row)

    return [
        LABEL_OF[name],
        Styled(status.kind.value, _KINDS.get(status.kind, "text")),
        _named(code),
        CountCell(line.count, formula(None)),
        Money(line.payment_amount_cents, code, formula("Payment")),
        Money(line.order_amount_cents, code, formula("Order")),
        Money(line.difference_cents, code, formula("Difference")),
        Money(line.at_stake_cents, code, formula("At stake")),
        line.accepted_count,
        Money(line.accepted_at_stake_cents, code),
        meaning if formula(None) else f"{meaning} ({_NOT_LIVE})",
        name.value,
    ]


def _total_cells(
    lines: Sequence[StatusAmounts], code: str | None, sums: Sums, first: int, last: int, row: int
) -> list[PageCell]:
    """The sums of the columns D to J over the statuses of one currency, in rows `first` to `last`."""
    cells: list[PageCell] = []
    for letter, name in zip("DEFGHIJ", StatusAmounts.__struct_fields__[1:], strict=True):
        formula = sums.column_total(letter, "C", first, last, code=code, row=row)
        number = sum(getattr(line, name) or 0 for line in lines)
        cells.append(CountCell(number, formula) if name.endswith("count") else Money(number, code, formula))
    return cells


def _flags(page: Page, flags: FlagAgreement) -> None:
    page.heading("Does the API's mismatched_amounts agree?", "The API says", "", "", "We find: differs", "Agrees")
    page.put("mismatched", None, None, flags.flagged_and_differs, flags.flagged_but_agrees)
    page.put("not mismatched", None, None, flags.differs_not_flagged, flags.agree)
    page.put("not comparable", None, None, flags.not_comparable)


def _write_bridge(page: Page, bridge: Bridge, sums: Sums) -> None:
    code, first = bridge.currency_code, page.row
    for step in bridge.statuses:
        row = page.row
        payments, orders = (sums.bridge_line(code, column=column, row=row) for column in ("Payment", "Order"))
        page.put(
            _named(code), LABEL_OF[step.status],
            Money(step.payment_amount_cents, code, payments), Money(step.order_amount_cents, code, orders),
            Money(step.difference_cents, code, sums.gap("C", "D", code, row=row) if payments else None),
            None if payments else _NOT_LIVE,
        )  # fmt: skip
    row, last = page.row, page.row - 1
    amounts = (bridge.payment_amount_cents, bridge.order_amount_cents, bridge.difference_cents)
    totals = [
        Money(cents, code, sums.column_total(letter, "A", first, last, code=code, row=row))
        for letter, cents in zip("CDE", amounts, strict=True)
    ]
    page.put(_named(code), "total", *totals, total=True)


def _named(code: str | None) -> str:
    return code or NO_CURRENCY
