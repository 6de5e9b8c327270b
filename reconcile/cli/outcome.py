"""What a command says of a run folder that is published, or of a pull that is planned."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from reconcile.cli import console
from reconcile.cli.listing import show_json, show_lines
from reconcile.cli.options import Session

if TYPE_CHECKING:
    from reconcile.operations.staged_run import RunResult
    from reconcile.settings.credentials import Secrets
    from reconcile.settings.settings import Settings


def tell_plan(
    settings: Settings,
    secrets: Secrets,
    form: str,
    *,
    recheck: Collection[str] = (),
    with_orders: bool = False,
    with_history: bool = False,
) -> None:
    """Show on standard output, as text or JSON, what a pull would do and cost; keywords as for `plan`."""
    from reconcile.operations.plan import plan
    from reconcile.operations.pull import awaited

    found = awaited(plan(settings, secrets, recheck=recheck, with_orders=with_orders, with_history=with_history))
    if form == "json":
        show_json(asdict(found))
    else:
        show_lines(f"{subject:<12} {message}" for subject, message in found.lines())


def tell_run(result: RunResult, session: Session, locale: str | None) -> int:
    """Show the result of a run, in `locale`, and return the exit code: 1 when a limit is exceeded, else 0."""
    from reconcile.reports.display import display_of
    from reconcile.reports.terminal import summary_table

    if session.talks:
        display = display_of(locale)
        console.say(summary_table(result.summary, width=console.width(), colour=console.colour(), display=display))
    if not session.log_json:
        for warning in result.summary.warnings:
            console.say(warning.line, quiet=session.quiet)
        if result.receipt is not None:
            console.say(f"loaded into {result.receipt.url}", quiet=session.quiet)
        for sentence in result.exceeded:
            console.say(f"over limit: {sentence}")
    click.echo(result.folder)
    return 1 if result.exceeded else 0
