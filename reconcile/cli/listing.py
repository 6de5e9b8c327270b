"""Listings on standard output: rows as a table, lines as text, for people; either as JSON, rows also as CSV."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click
import msgspec

from reconcile.cli import console

if TYPE_CHECKING:
    from reconcile.reports.text_table import TextTable
    from reconcile.schema import Row

Line = TypeVar("Line")

_CONTROLS = re.compile("[\x7f-\x9f]")


def _format_option(*forms: str, meaning: str) -> Callable[[Any], Any]:
    """Return a `--format` of `forms`, the first of which is the default."""
    choice = click.Choice(forms)
    return click.option("--format", "form", type=choice, default=forms[0], show_default=True, help=meaning)


format_option = _format_option(
    "table", "csv", "json", meaning="Print a table that fits the terminal, or CSV or JSON with all columns."
)
text_format_option = _format_option("text", "json", meaning="Print text, or JSON with every value.")
events_format_option = _format_option("text", "csv", "json", meaning="Print text, or CSV or JSON with every value.")
plan_format_option = _format_option(
    "text", "json", meaning="Print the plan of --dry-run as text, or as JSON with every value."
)


@dataclass(frozen=True, slots=True)
class Layout(Generic[Line]):
    """
    How rows are a table for people: its `header`, the columns of words (`left`), and the `cells` of each row.

    A column without a cell is left out. On a terminal that is too narrow words are cut, but not those of `whole`, and
    columns of `spare` go, one after the other.
    """

    header: Sequence[str]
    left: Sequence[str]
    cells: Callable[[Line], Sequence[str]]
    spare: Sequence[str] = ()
    whole: Sequence[str] = ()


def show(rows: Sequence[Line], form: str, layout: Layout[Line], *, nothing: str, quiet: bool) -> None:
    """
    Write `rows`, dictionaries or dataclasses, in the form requested: as a table, or with every value.

    `nothing` is said, on standard error, where a table would be empty, unless `quiet`.
    """
    if form != "table":
        show_values(rows, form, layout.header)
    elif not rows:
        console.say(nothing, quiet=quiet)
    else:
        from reconcile.reports.text_table import TextTable, plain

        texts = [tuple(map(plain, layout.cells(row))) for row in rows]
        table = TextTable(tuple(layout.header), frozenset(layout.left), texts, [""] * len(texts))
        show_table(table, spare=layout.spare, whole=layout.whole)


def show_table(table: TextTable, *, spare: Sequence[str] = (), whole: Sequence[str] = ()) -> None:
    """Write `table` without its empty columns; on a terminal that is too narrow as a Layout says."""
    from reconcile.reports.text_table import fitted, render, without

    empty = [name for place, name in enumerate(table.header) if not any(row[place] for row in table.rows)]
    width = console.line_width()
    click.echo(render(fitted(without(table, empty), width, spare=spare, whole=whole), width, colour=False))


def show_values(rows: Sequence[object], form: str, names: Sequence[str]) -> None:
    """Write every value of `rows` as JSON, or as CSV; `names` are its columns where there is no row."""
    if form == "json":
        show_json([_values(row) for row in rows])
    else:
        click.echo(_as_csv([_values(row) for row in rows], names), nl=False)


def show_json(value: object) -> None:
    """Write a value as JSON: integers exact, whatever their size; times as the API writes them."""
    text = json.dumps(value, ensure_ascii=False, default=plain_value)
    laid_out = msgspec.json.format(text.encode(errors="surrogatepass"), indent=2).decode(errors="surrogatepass")
    # JSON has no quotes for these characters but its own: some terminals take them for commands.
    click.echo(_CONTROLS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", laid_out))


def show_lines(lines: Iterable[str]) -> None:
    """Write lines of text as `plain`, folded where they are too long for a terminal; without one they stay whole."""
    from reconcile.reports.text_table import fold, plain

    for line in map(plain, lines):
        click.echo(fold(line, console.line_width()))


def check_dry_run(form: str, *, dry_run: bool) -> None:
    """Refuse a `--format` other than that for people where there is no plan to show in it."""
    if form != "text" and not dry_run:
        raise click.UsageError("--format json prints the plan of --dry-run: add --dry-run")


def plain_value(value: Any) -> Any:
    """Return a value as it is; dates and times, for which JSON has no type, as text."""
    if isinstance(value, datetime):
        from reconcile.commercelayer.query import timestamp

        return timestamp(value)
    return value.isoformat() if isinstance(value, date) else value


def _values(row: Any) -> Any:
    return asdict(row) if is_dataclass(row) and not isinstance(row, type) else row


def _as_csv(rows: Sequence[Row], header: Sequence[str]) -> str:
    from reconcile.files.csv_text import csv_line
    from reconcile.files.formula_guard import guarded

    def cell(value: object) -> object:
        if isinstance(value, dict | list | tuple):
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=plain_value)
        return guarded(value) if isinstance(value, str) else plain_value(value)

    names = list(rows[0]) if rows else list(header)
    return csv_line(names) + "".join(csv_line([cell(row[name]) for name in names]) for row in rows)
