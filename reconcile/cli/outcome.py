"""What a command says when a run folder is published: the table for people, the path for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from reconcile.cli import console
from reconcile.cli.options import Session

if TYPE_CHECKING:
    from reconcile.run import RunResult


def tell_run(result: RunResult, session: Session) -> int:
    """Show the result of a run and return the exit code: 1 when a limit is exceeded, else 0."""
    from reconcile.reports.terminal import summary_table

    if session.talks:
        console.say(summary_table(result.summary, width=console.width(), colour=console.colour()))
    if not session.log_json:
        for warning in result.summary["warnings"]:
            console.say(f"warning: {warning}", quiet=session.quiet)
        if result.receipt is not None:
            console.say(f"loaded into {result.receipt.url}", quiet=session.quiet)
        for sentence in result.exceeded:
            console.say(f"over limit: {sentence}")
    click.echo(result.folder)
    return 1 if result.exceeded else 0
