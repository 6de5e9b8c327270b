"""Listings: rows on standard output, as a table for people, or as CSV or JSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from reconcile.cli import console

format_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="A table for people, or CSV or JSON with all columns.",
)


def show(
    rows: Sequence[Mapping[str, Any]],
    form: str,
    *,
    header: Sequence[str],
    left: Sequence[str],
    cells: Callable[[Mapping[str, Any]], Sequence[str]],
    nothing: str,
) -> None:
    """
    Write `rows` in the form asked for.

    `header`, `left` (the columns of words) and `cells` are those of the table; `nothing` is said, on standard error,
    where a table would be empty. CSV and JSON have every value of the rows, as it is.
    """
    if form == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(list(rows)), indent=2))
    elif form == "csv":
        click.echo(_as_csv(rows, header), nl=False)
    elif not rows:
        console.say(nothing)
    else:
        from reconcile.reports.text_table import TextTable, plain, render

        texts = [tuple(map(plain, cells(row))) for row in rows]
        table = TextTable(tuple(header), frozenset(left), texts, [""] * len(texts))
        click.echo(render(table, console.width(), colour=False))


def _as_csv(rows: Sequence[Mapping[str, Any]], header: Sequence[str]) -> str:
    import msgspec

    from reconcile.spreadsheet import guarded

    def cell(value: object) -> object:
        if isinstance(value, dict | list | tuple):
            return msgspec.json.encode(value).decode()
        return guarded(value) if isinstance(value, str) else value

    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else list(header), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()
