"""`reconcile load`: a published run folder into a warehouse."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command


@click.command(short_help="Load a run folder into a warehouse.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "url", required=True, metavar="URL", help="duckdb:FILE or parquet:FOLDER.")
@command
def load(session: Session, run: Path, url: str) -> None:
    """
    Load the run folder RUN into a warehouse, replacing the rows of its organization, mode and business date.

    Loading the same run again changes nothing; another run of the same takes its place.
    """
    from reconcile.warehouse.load import load_run

    receipt = load_run(run, url)
    for table, rows in receipt.rows.items():
        console.say(f"{table}: {rows:,} rows", quiet=session.quiet)
    click.echo(receipt.url)
