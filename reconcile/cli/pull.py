"""`reconcile pull`: the payments alone, into the mirror or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reconcile.cli import console
from reconcile.cli.options import Session, command, connection_options, pull_options


@click.command()
@click.option("--to", "destination", type=click.Path(path_type=Path), help="Parquet or CSV file to write.")
@connection_options
@pull_options
@command
def pull(session: Session, destination: Path | None, **options: Any) -> None:
    """
    Pull all payments, prove the pull complete, write them to a file or into the mirror.

    The ending of --to decides: .parquet or .csv. The path is the last line on standard output.
    """
    settings = session.settings(**options)
    secrets = session.secrets()

    from reconcile import run as night
    from reconcile.cautions import resumed_pull

    with console.PullDisplay(enabled=session.talks) as display:
        path, report = night.pull_to_file(settings, secrets, destination, on_progress=display)
    console.say(
        f"{report.payments:,} payments, {report.requests:,} requests, {report.retries:,} retried; "
        f"complete: the server counted {report.count_before:,} before and {report.count_after:,} after",
        quiet=not session.talks,
    )
    if report.resumed:
        console.say(f"warning: {resumed_pull(report.until.isoformat())}", quiet=session.log_json)
    click.echo(path)
