"""`reconcile check`: everything that can stop a night, found out in a second."""

from __future__ import annotations

import sys
from typing import Any

import click

from reconcile.cli.options import (
    Session,
    command,
    connection_options,
    match_options,
    orders_options,
    output_options,
    pull_options,
)


@click.command()
@click.argument("orders", nargs=-1, metavar="[ORDERS...]")
@output_options
@connection_options
@pull_options
@orders_options
@match_options
@click.option("--offline", is_flag=True, help="Leave out what needs Commerce Layer.")
@command
def check(session: Session, business_date: str | None, offline: bool, **options: Any) -> None:
    """
    Check settings, credentials, scope, mode, clock, quota, order files, folder and disk; change nothing.

    Takes what `reconcile run` takes, sends one token request and one count, two more where order totals are to be
    exported, and exits with the code that a run would stop with.
    """
    from reconcile import preflight

    settings = session.settings(**options)
    secrets = None if offline else session.secrets()
    findings = preflight.check(settings, secrets)
    for finding in findings:
        if session.quiet and finding.verdict == "ok":
            continue
        click.echo(f"{finding.verdict:<5} {finding.subject:<12} {finding.message}")
        if finding.hint:
            click.echo(f"{'':<18} hint: {finding.hint}")
    sys.exit(next((finding.exit_code for finding in findings if finding.exit_code), 0))
