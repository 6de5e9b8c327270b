"""`reconcile breaks import`: decisions made in a CSV file."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, run_options


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@run_options
@command
def import_(session: Session, file: Path, run: Path | None, out: str | None) -> None:
    """
    Record what was filled in in FILE, which `reconcile breaks export` wrote.

    All of it or nothing: a line about a break that has changed since is an error. What stands already is left out.
    """
    settings = session.settings(out=out)

    from reconcile.history import breaks

    decisions = breaks.accept_sheet(run or breaks.latest_run(Path(settings.out)), file)
    console.say(f"{len(decisions):,} decisions recorded", quiet=session.quiet)
