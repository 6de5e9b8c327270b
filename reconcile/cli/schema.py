"""`reconcile schema`: what the published files hold, as JSON Schema."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli.options import Session, command


@click.command(short_help="Print the JSON Schema of what a run publishes.")
@click.argument("name", type=click.Choice(["summary", "items", "payments", "orders", "history", "refresh"]))
@click.option("--to", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write it to this file.")
@command
def schema(session: Session, name: str, to: Path | None) -> None:
    """
    Print the JSON Schema (draft 2020-12) of summary.json, or of one row of items, payments, orders, history or of what
    `refresh` lists, as JSON.

    Every field has its type, meaning and unit. The end of `$id` is the version; `version` in summary.json is the same.
    It grows when a field goes, gets another name or another meaning; a new field does not grow it. Rows of breaks are
    rows of items.
    """
    from reconcile.figures.json_schema import schema_text
    from reconcile.files.disk import disk_errors, replacing

    text = schema_text(name)
    if to is None:
        click.echo(text, nl=False)
        return
    with disk_errors(to), replacing(to) as partial:
        partial.write_text(text, encoding="utf-8")
    click.echo(to)
