"""
What a notebook shows below a cell: a match, a run or a choice of breaks, as HTML, and as text where that is not shown.

Amounts come first, and each currency has a table of its own: amounts of two currencies are neither added up nor
compared. Takes figures as they are; which breaks there are is not its to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
from markupsafe import Markup

from reconcile.figures.questions import CurrencySum, sums_of
from reconcile.figures.summary import NO_CURRENCY, VERDICTS, Bridge, FrameCounts
from reconcile.matching.policy import LABEL_OF
from reconcile.money import currency_order
from reconcile.reports.display import PLAIN
from reconcile.reports.page.html import visible
from reconcile.reports.text_table import TextTable, fitted, fold, plain, render
from reconcile.schema import Row

_LARGEST = 5
"""Breaks of a currency that are shown, where nobody has chosen them."""

_AMOUNTS = ("At stake", "Payment", "Order", "Difference")
_HEADER = (*_AMOUNTS, "Data age", "Status", "Reference", "Likely cause")
_FIGURES = 5  # columns of these, before those of words
_SPARE = ("Order", "Payment", "Difference")  # what a narrow terminal does without

_STYLE = Markup(
    """<style>
.reconcile p { margin: 0.6em 0 0.2em }
.reconcile table { border-collapse: collapse; font-variant-numeric: tabular-nums }
.reconcile :is(th, td) { padding: 0.15em 0.7em; border-bottom: 1px solid rgba(128, 128, 128, 0.35); text-align: left }
.reconcile :is(th, td):nth-child(-n+5) { text-align: right }
.reconcile :is(th, td):nth-child(-n+7) { white-space: nowrap }
</style>"""
)


@dataclass(frozen=True, slots=True)
class OfCurrency:
    """What there is to see in one currency: a line of words, the largest breaks as cells, how many more there are."""

    words: str
    rows: tuple[tuple[str, ...], ...]
    more: int


@dataclass(frozen=True, slots=True)
class CellHead:
    """What stands above the currencies: a headline, what it is about, what to know besides."""

    headline: str
    facts: tuple[str | None, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """The facts that are known, in a line."""
        return " · ".join(fact for fact in self.facts if fact)


@dataclass(frozen=True, slots=True)
class OutputCell:
    """A head, and what there is to see in each currency."""

    head: CellHead
    currencies: tuple[OfCurrency, ...]

    def html(self) -> str:
        """Return it as HTML, which fetches nothing and runs nothing."""
        head = Markup("<p><strong>{}</strong><br>{}</p>").format(visible(self.head.headline), visible(self.head.about))
        notes = _joined(Markup("<li>{}</li>"), self.head.notes)
        tables = Markup("").join(_table(one) for one in self.currencies)
        listed = Markup("<ul>{}</ul>").format(notes) if notes else ""
        return str(Markup('<div class="reconcile">{}{}{}{}</div>').format(_STYLE, head, listed, tables))

    def text(self, width: int) -> str:
        """Return it as lines of at most `width` columns, where words allow it."""
        lines = [self.head.headline, self.head.about, *(f"- {note}" for note in self.head.notes)]
        blocks = ["\n".join(fold(plain(line), width) for line in lines if line)]
        for one in self.currencies:
            rows = [_lines(one.rows, width)] if one.rows else []
            blocks.append("\n".join([fold(plain(one.words), width), *rows, *_more(one)]))
        return "\n\n".join(blocks)


def headline_of(verdict: str, counts: FrameCounts) -> str:
    """Return the verdict of a match in words."""
    found = PLAIN.plural(counts.breaks, "break") if counts.breaks else "no breaks"
    return f"{VERDICTS[verdict]}: {found} in {PLAIN.plural(counts.items, 'item')}"


def cell_of(
    head: CellHead,
    connection: duckdb.DuckDBPyConnection,
    breaks: str,
    *,
    bridges: Iterable[Bridge] = (),
    most: int = _LARGEST,
) -> OutputCell:
    """Return what is shown of `breaks`, SQL for a table: at most `most` of each currency, and totals of `bridges`."""
    sums = {one.currency_code: one for one in sums_of(connection, breaks)}
    rows = _largest(connection, breaks, most)
    totals = {one.currency_code: one for one in bridges if one.moves_money}
    codes = sorted({*sums, *totals}, key=currency_order)
    shown = (_of_currency(code, sums.get(code), rows.get(code, []), totals.get(code)) for code in codes)
    return OutputCell(head, tuple(shown))


def _of_currency(code: str | None, found: CurrencySum | None, rows: Sequence[Row], bridge: Bridge | None) -> OfCurrency:
    parts = ["no breaks"]
    if found is not None:
        stake = PLAIN.amount(found.at_stake_cents, code) or "nothing"
        parts = [f"{stake} at stake in {PLAIN.plural(found.count, 'break')}"]
    if bridge is not None:
        sides = (bridge.payment_amount_cents, bridge.order_amount_cents, bridge.difference_cents)
        payments, orders, difference = (PLAIN.amount(cents, code) for cents in sides)
        parts += [f"payments {payments}", f"orders {orders}", f"difference {difference}"]
    words = f"{code or NO_CURRENCY}: {', '.join(parts)}"
    return OfCurrency(words, tuple(_cells(row) for row in rows), (found.count if found else 0) - len(rows))


def _largest(connection: duckdb.DuckDBPyConnection, breaks: str, most: int) -> dict[str | None, list[Row]]:
    """Return the largest of `breaks` of each currency, by its code."""
    largest = "ORDER BY at_stake_cents DESC, item_id"
    rows = connection.sql(
        f"""SELECT * FROM {breaks} QUALIFY row_number() OVER (PARTITION BY at_stake_currency_code {largest}) <= {most}
            {largest}"""
    ).to_arrow_table()
    found: dict[str | None, list[Row]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["at_stake_currency_code"], []).append(row)
    return found


def _cells(row: Row) -> tuple[str, ...]:
    code = row["at_stake_currency_code"]
    age = row["data_age_days"]
    return (
        PLAIN.amount(row["at_stake_cents"], code),
        *(_other(row, side, code) for side in ("payment", "order")),
        PLAIN.amount(row["difference_cents"], code),
        "" if age is None else PLAIN.count(age),
        LABEL_OF[row["status"]],
        row["reference"] or row["order_number"] or row["payment_id"] or row["row_order_number"] or "",
        row["suggestion"] or "",
    )


def _other(row: Row, side: str, code: str | None) -> str:
    """Return the amount of a side, with its currency where that is another one."""
    own = row[f"{side}_currency_code"]
    amount = PLAIN.amount(row[f"{side}_amount_cents"], own)
    return f"{amount} {own}" if amount and own not in (None, code) else amount


def _table(one: OfCurrency) -> Markup:
    words = _joined(Markup("<p>{}</p>"), [one.words])
    if not one.rows:
        return words
    shown = _shown(one.rows)
    head = _joined(Markup("<th>{}</th>"), _HEADER[:shown])
    rows = Markup("").join(
        Markup("<tr>{}</tr>").format(_joined(Markup("<td>{}</td>"), row[:shown])) for row in one.rows
    )
    table = Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, rows)
    return words + table + _joined(Markup("<p>{}</p>"), _more(one))


def _joined(element: Markup, texts: Iterable[str]) -> Markup:
    """Return each of `texts` in an element, with what nobody would see made visible."""
    return Markup("").join(element.format(visible(text)) for text in texts)


def _lines(rows: Sequence[tuple[str, ...]], width: int) -> str:
    """Return breaks as a table of text; the likely cause is cut first, and is not there where none is known."""
    shown = _shown(rows)
    cells = [tuple(map(plain, row[:shown])) for row in rows]
    table = TextTable(_HEADER[:shown], frozenset(_HEADER[_FIGURES:shown]), cells, [""] * len(rows))
    return render(fitted(table, width, spare=_SPARE, whole=("Reference",)), width, colour=False)


def _shown(rows: Sequence[tuple[str, ...]]) -> int:
    """Return how many columns there is something to see in."""
    return len(_HEADER) if any(row[-1] for row in rows) else len(_HEADER) - 1


def _more(one: OfCurrency) -> list[str]:
    return [f"and {PLAIN.count(one.more)} more"] if one.more and one.rows else []
