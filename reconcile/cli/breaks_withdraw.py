"""`reconcile breaks withdraw`: what was accepted is so no longer."""

from __future__ import annotations

from pathlib import Path

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, decision_options, run_options


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REFERENCE...")
@run_options
@decision_options
@command
def withdraw(
    session: Session, references: tuple[str, ...], run: Path | None, out: str | None, reason: str, by: str | None
) -> None:
    """Take back the acceptance of breaks, named as for `accept`. The earlier decision stays on record."""
    settings = session.settings(out=out)

    from reconcile.history import breaks
    from reconcile.reports.text_table import plain

    folder = run or breaks.latest_run(Path(settings.out))
    for one in breaks.withdraw(folder, references, reason=reason, by=by):
        console.say(f"withdrawn {plain(one.reference or one.item_id)}", quiet=session.quiet)
