"""`reconcile breaks export`: the breaks as a CSV file to decide in."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, run_options


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@run_options
@command
def export(session: Session, file: Path, run: Path | None, out: str | None) -> None:
    """
    Write the breaks of a run to FILE, a CSV file, with columns to fill in.

    Who decides fills in accept_reason, and where wanted accept_until, accept_cap and accept_by; `reconcile breaks
    import` reads the file back.
    """
    settings = session.settings(out=out)

    from reconcile.history import breaks

    rows = breaks.write_sheet(run or breaks.latest_run(Path(settings.out)), file)
    console.say(f"{rows:,} breaks", quiet=session.quiet)
    click.echo(file)
